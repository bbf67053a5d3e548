//! What ranks do together.

use std::fmt;
use std::time::Duration;

use super::ParallelError;

/// How long a rank waits for the others unless it is told otherwise: longer than rank 0 takes to evaluate on a test set
/// while the others wait for it.
pub const DEADLINE: Duration = Duration::from_secs(600);

/// One of the ranks that train together, numbered from 0 (section 12.5).
///
/// Every rank calls the same functions in the same order, each with as many numbers as the others; where they do not, all get
/// an error. A communicator has a deadline: nobody waits longer than that for another rank.
///
/// ```
/// use d2l::parallel;
///
/// let sums = parallel::spawn(3, |communicator| {
///     let mut values = [communicator.rank() as f32, 1.0];
///     communicator.all_reduce(&mut values)?;
///     Ok(values)
/// })?;
/// assert_eq!(sums, [[3.0, 3.0]; 3]);
/// # Ok::<(), d2l::parallel::ParallelError>(())
/// ```
pub trait Communicator {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn size(&self) -> usize;

    /// Whether this is rank 0, which alone prints, draws and keeps checkpoints.
    fn is_root(&self) -> bool {
        self.rank() == 0
    }

    /// Adds up the ranks' `values`, each with those at its place; every rank then has the sums, to the same bits.
    ///
    /// # Errors
    /// Where a rank does not come in time, calls for something else or has ended.
    #[doc(alias = "allreduce")]
    fn all_reduce(&self, values: &mut [f32]) -> Result<(), ParallelError>;

    /// Gives every rank the `values` that rank `root` has.
    ///
    /// # Errors
    /// As [`Communicator::all_reduce`]; where there is no rank `root`.
    fn broadcast(&self, root: usize, values: &mut [f32]) -> Result<(), ParallelError>;

    /// Waits until every rank has come here.
    ///
    /// # Errors
    /// As [`Communicator::all_reduce`].
    fn barrier(&self) -> Result<(), ParallelError>;
}

/// What a rank calls for: what those who implement a [`Communicator`] compare before anything is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collective {
    /// [`Communicator::all_reduce`] of so many numbers.
    AllReduce {
        /// How many.
        len: usize,
    },
    /// [`Communicator::broadcast`] of so many numbers.
    Broadcast {
        /// From which rank.
        root: usize,
        /// How many.
        len: usize,
    },
    /// [`Communicator::barrier`].
    Barrier,
    /// The rank has nothing more to do with the others.
    End,
}

impl Collective {
    /// Finds out whether all ranks, in order, call for the same.
    ///
    /// # Errors
    /// [`ParallelError::Disagree`] where they do not.
    pub fn agree(calls: &[Self]) -> Result<(), ParallelError> {
        let Some((first, rank)) = calls.first().zip(calls.iter().position(|call| *call != calls[0])) else {
            return Ok(());
        };
        Err(ParallelError::Disagree { rank, what: format!("it is at {}, rank 0 at {first}", calls[rank]) })
    }

    /// The root of a broadcast among so many ranks.
    ///
    /// # Errors
    /// Where there is no such rank.
    pub fn broadcast(root: usize, len: usize, ranks: usize) -> Result<Self, ParallelError> {
        if root >= ranks {
            return Err(ParallelError::Setup(format!("there is no rank {root} among {ranks} to broadcast from")));
        }
        Ok(Self::Broadcast { root, len })
    }

    /// The call as two numbers, for ranks of different processes.
    pub fn encode(self) -> [u64; 2] {
        match self {
            Self::AllReduce { len } => [0, len as u64],
            Self::Barrier => [1, 0],
            Self::End => [2, 0],
            Self::Broadcast { root, len } => [3 + root as u64, len as u64],
        }
    }

    /// The call that [`Collective::encode`] gave these numbers.
    pub fn decode([kind, len]: [u64; 2]) -> Self {
        let len = len as usize;
        match kind {
            0 => Self::AllReduce { len },
            1 => Self::Barrier,
            2 => Self::End,
            root => Self::Broadcast { root: (root - 3) as usize, len },
        }
    }
}

impl fmt::Display for Collective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllReduce { len } => write!(f, "an all-reduce of {len} numbers"),
            Self::Broadcast { root, len } => write!(f, "a broadcast of {len} numbers from rank {root}"),
            Self::Barrier => f.write_str("a barrier"),
            Self::End => f.write_str("its end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_back_from_their_numbers() {
        let calls = [
            Collective::AllReduce { len: 7 },
            Collective::Broadcast { root: 0, len: 3 },
            Collective::Broadcast { root: 5, len: 0 },
            Collective::Barrier,
            Collective::End,
        ];
        for call in calls {
            assert_eq!(Collective::decode(call.encode()), call);
        }
        assert!(Collective::broadcast(2, 1, 2).is_err() && Collective::broadcast(1, 1, 2).is_ok());
    }

    #[test]
    fn who_differs_from_rank_0_is_named() {
        let (seven, nine) = (Collective::AllReduce { len: 7 }, Collective::AllReduce { len: 9 });
        assert!(Collective::agree(&[]).is_ok() && Collective::agree(&[seven; 3]).is_ok());
        let error = Collective::agree(&[seven, seven, nine]).expect_err("nine");
        assert!(matches!(error, ParallelError::Disagree { rank: 2, .. }));
        let text = error.to_string();
        assert!(text.contains("9 numbers, rank 0 at an all-reduce of 7"), "{text}");
    }
}

//! Ranks as threads of one process.
//!
//! `sumᵣ = ((x₀ + x₁) + x₂) + …` on each rank r: each copies its numbers to a place that all can read, waits for the others,
//! and adds up all of them in the order of the ranks, so that the sums have the same bits everywhere.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use super::error::line;
use super::{Collective, Communicator, DEADLINE, ParallelError};
use crate::train::BoxError;

/// Runs `body` on so many ranks, a thread each, and gives what they give, by rank (section 12.5).
///
/// A rank that gives an error or panics ends the others where they next wait for it. A rank that does not come within
/// [`DEADLINE`] is given up; see [`Threads`] for another deadline. Rank 0 runs on the calling thread.
///
/// Each rank makes its own [`Random`](crate::random::Random) of the seed that all share: one that ranks shared would begin
/// its epochs for all of them.
///
/// # Errors
/// What ended the first rank that failed, or that there are to be no ranks.
pub fn spawn<T: Send>(
    ranks: usize,
    body: impl Fn(&dyn Communicator) -> Result<T, BoxError> + Sync,
) -> Result<Vec<T>, ParallelError> {
    Threads::new(ranks).run(body)
}

/// Ranks as threads, with a deadline.
///
/// ```
/// use std::time::Duration;
///
/// use d2l::parallel::{ParallelError, Threads};
///
/// let error = Threads::new(2).deadline(Duration::from_secs(5)).run(|communicator| {
///     if communicator.rank() == 1 {
///         return Err("the disk is full".into());
///     }
///     Ok(communicator.barrier()?)
/// });
/// assert_eq!(error.expect_err("of rank 1").to_string(), "rank 1 has ended: the disk is full");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Threads {
    ranks: usize,
    deadline: Duration,
}

impl Threads {
    /// So many ranks that wait [`DEADLINE`] for each other.
    pub fn new(ranks: usize) -> Self {
        Self { ranks, deadline: DEADLINE }
    }

    /// How long a rank waits for the others.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// [`spawn`] with this deadline.
    ///
    /// # Errors
    /// As [`spawn`].
    pub fn run<T: Send>(
        &self,
        body: impl Fn(&dyn Communicator) -> Result<T, BoxError> + Sync,
    ) -> Result<Vec<T>, ParallelError> {
        let (first, others) = self.run_led(&body, &body)?;
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// Runs `root` as rank 0, on the calling thread, where it may use what no other thread may, such as a notebook and the
    /// trainers that it makes; and `others` as the other ranks.
    ///
    /// It returns when all have ended. A thread cannot be stopped from outside: a rank that the others gave up learns of it
    /// when it next calls its communicator.
    ///
    /// # Errors
    /// As [`spawn`].
    pub fn run_led<T, U: Send>(
        &self,
        root: impl FnOnce(&dyn Communicator) -> Result<T, BoxError>,
        others: impl Fn(&dyn Communicator) -> Result<U, BoxError> + Sync,
    ) -> Result<(T, Vec<U>), ParallelError> {
        if self.ranks == 0 {
            return Err(ParallelError::Setup("there must be at least one rank".to_string()));
        }
        let place = Place::new(self.ranks, self.deadline);
        let (first, others) = thread::scope(|scope| {
            let start = |rank| {
                let (place, others) = (&place, &others);
                let thread = thread::Builder::new().name(format!("rank {rank}"));
                let started = thread.spawn_scoped(scope, move || place.take_part(rank, others));
                started.map_err(|error| place.end(rank, Some(format!("its thread cannot be started: {error}"))))
            };
            let threads: Vec<_> = (1..self.ranks).map(start).collect();
            let first = place.take_part(0, root);
            let others: Vec<Option<U>> =
                threads.into_iter().map(|thread| thread.ok().and_then(|thread| thread.join().ok()?)).collect();
            (first, others)
        });
        match first.zip(others.into_iter().collect::<Option<Vec<U>>>()) {
            Some(results) => Ok(results),
            None => Err(place.fault()),
        }
    }
}

/// Where the ranks meet.
struct Place {
    meeting: Mutex<Meeting>,
    changed: Condvar,
    deadline: Duration,
    /// By the parity of a call's number, then by rank, the numbers of the call. While some ranks read one call's, others may
    /// write the next one's; nobody writes those of the one after before all have come to the next.
    numbers: [Vec<RwLock<Vec<f32>>>; 2],
}

struct Meeting {
    /// By rank, what those that have come call for.
    calls: Vec<Option<Collective>>,
    /// How often all have met.
    round: usize,
    /// By rank, whether it has ended.
    ended: Vec<bool>,
    /// What keeps the ranks from going on, once something does.
    fault: Option<ParallelError>,
}

impl Meeting {
    fn fail(&mut self, fault: ParallelError) -> ParallelError {
        self.fault.get_or_insert(fault).clone()
    }

    /// The first of the ranks that have not come, if any is missing and `which` is true of it.
    fn missing(&self, which: impl Fn(usize) -> bool) -> Option<usize> {
        (0..self.calls.len()).find(|&rank| self.calls[rank].is_none() && which(rank))
    }
}

impl Place {
    fn new(ranks: usize, deadline: Duration) -> Self {
        let meeting = Meeting { calls: vec![None; ranks], round: 0, ended: vec![false; ranks], fault: None };
        let numbers = || (0..ranks).map(|_| RwLock::default()).collect();
        Self { meeting: Mutex::new(meeting), changed: Condvar::new(), deadline, numbers: [numbers(), numbers()] }
    }

    /// A rank's part from its beginning to its end; none where it fails.
    fn take_part<T>(&self, rank: usize, body: impl FnOnce(&dyn Communicator) -> Result<T, BoxError>) -> Option<T> {
        let this = Member { rank, place: self, calls: Cell::new(0) };
        // What the body leaves half done, nobody sees: its value is lost with it.
        let cause = match catch_unwind(AssertUnwindSafe(|| body(&this))) {
            Ok(Ok(value)) => {
                self.end(rank, None);
                return Some(value);
            }
            Ok(Err(error)) => line(&*error),
            Err(panic) => format!("it panicked: {}", message(&*panic)),
        };
        self.end(rank, Some(cause));
        None
    }

    fn end(&self, rank: usize, cause: Option<String>) {
        let mut meeting = self.lock();
        meeting.ended[rank] = true;
        if let Some(cause) = cause {
            meeting.fail(ParallelError::Lost { rank, cause });
        }
        self.changed.notify_all();
    }

    fn fault(&self) -> ParallelError {
        self.lock().fault.clone().unwrap_or_else(|| ParallelError::Setup("a rank ended without a result".to_string()))
    }

    /// Waits until all ranks have come, and finds out whether they call for the same.
    fn meet(&self, rank: usize, call: Collective) -> Result<(), ParallelError> {
        let mut meeting = self.lock();
        let round = meeting.round;
        if let Some(fault) = &meeting.fault {
            return Err(fault.clone());
        }
        meeting.calls[rank] = Some(call);
        if let Some(calls) = meeting.calls.iter().copied().collect::<Option<Vec<Collective>>>() {
            meeting.calls.fill(None);
            meeting.round += 1;
            self.changed.notify_all();
            return Collective::agree(&calls).map_err(|fault| meeting.fail(fault));
        }
        let came = Instant::now();
        loop {
            if let Some(fault) = &meeting.fault {
                return Err(fault.clone());
            }
            if meeting.round != round {
                return Ok(());
            }
            let waited = came.elapsed();
            let fault = if let Some(rank) = meeting.missing(|rank| meeting.ended[rank]) {
                let cause = format!("it came to its end while others are at {call}");
                ParallelError::Lost { rank, cause }
            } else if waited >= self.deadline {
                let rank = meeting.missing(|_| true).unwrap_or(rank);
                ParallelError::TimedOut { rank, waited, what: call.to_string() }
            } else {
                let left = self.deadline.saturating_sub(waited);
                meeting = self.changed.wait_timeout(meeting, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            let fault = meeting.fail(fault);
            self.changed.notify_all();
            return Err(fault);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Meeting> {
        // Nothing that is done while it is locked leaves it half done.
        self.meeting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's rank.
struct Member<'a> {
    rank: usize,
    place: &'a Place,
    /// How many calls were made.
    calls: Cell<usize>,
}

impl Member<'_> {
    /// The places of the numbers of a new call, by rank.
    fn numbers(&self) -> &[RwLock<Vec<f32>>] {
        let call = self.calls.get();
        self.calls.set(call + 1);
        &self.place.numbers[call % 2]
    }
}

fn put(place: &RwLock<Vec<f32>>, values: &[f32]) {
    let mut numbers = place.write().unwrap_or_else(PoisonError::into_inner);
    numbers.clear();
    numbers.extend_from_slice(values);
}

/// So many numbers at a time, so that a sum stays in the nearest cache while all ranks' are added.
const BLOCK: usize = 4096;

impl Communicator for Member<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.place.numbers[0].len()
    }

    fn all_reduce(&self, values: &mut [f32]) -> Result<(), ParallelError> {
        let numbers = self.numbers();
        put(&numbers[self.rank], values);
        self.place.meet(self.rank, Collective::AllReduce { len: values.len() })?;
        let numbers: Vec<_> =
            numbers.iter().map(|numbers| numbers.read().unwrap_or_else(PoisonError::into_inner)).collect();
        for (block, sums) in values.chunks_mut(BLOCK).enumerate() {
            for (rank, numbers) in numbers.iter().enumerate() {
                let numbers = &numbers[block * BLOCK..][..sums.len()];
                if rank == 0 {
                    sums.copy_from_slice(numbers);
                } else {
                    sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
                }
            }
        }
        Ok(())
    }

    fn broadcast(&self, root: usize, values: &mut [f32]) -> Result<(), ParallelError> {
        let call = Collective::broadcast(root, values.len(), self.size())?;
        let numbers = &self.numbers()[root];
        if self.rank == root {
            put(numbers, values);
        }
        self.place.meet(self.rank, call)?;
        if self.rank != root {
            values.copy_from_slice(&numbers.read().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(())
    }

    fn barrier(&self) -> Result<(), ParallelError> {
        self.numbers();
        self.place.meet(self.rank, Collective::Barrier)
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deadline that a machine busy with other work keeps, and no test waits for but one.
    const LATE: Duration = Duration::from_secs(60);
    const SOON: Duration = Duration::from_secs(1);

    /// Numbers whose sum hangs on the order in which they are added.
    fn numbers(rank: usize, len: usize) -> Vec<f32> {
        (0..len).map(|at| ((rank * 7919 + at * 31 + 1) as f32).sin() * 10f32.powi((at % 7) as i32 - 3)).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// What ends ranks that all get an error soon, and how each of them saw it.
    fn failing(
        ranks: usize,
        deadline: Duration,
        body: impl Fn(&dyn Communicator) -> Result<(), BoxError> + Sync,
    ) -> (ParallelError, Vec<String>) {
        let (started, seen) = (Instant::now(), Mutex::new(vec![String::new(); ranks]));
        let outcome = Threads::new(ranks).deadline(deadline).run(|communicator| {
            let outcome = body(communicator);
            if let Err(error) = &outcome {
                seen.lock().expect("no panic here")[communicator.rank()] = error.to_string();
            }
            outcome
        });
        assert!(started.elapsed() < LATE / 2, "{:?}", started.elapsed());
        (outcome.expect_err("ranks that fail"), seen.into_inner().expect("no panic here"))
    }

    #[test]
    fn sums_have_the_bits_of_a_sum_in_the_order_of_the_ranks() {
        for ranks in 1..=4 {
            for len in [0, 1, 5, BLOCK - 1, 3 * BLOCK + 7] {
                let mut expected = numbers(0, len);
                for rank in 1..ranks {
                    expected.iter_mut().zip(numbers(rank, len)).for_each(|(sum, number)| *sum += number);
                }
                let sums = spawn(ranks, |communicator| {
                    let mut values = numbers(communicator.rank(), len);
                    communicator.all_reduce(&mut values)?;
                    Ok(values)
                });
                for sums in sums.expect("all take part") {
                    assert_eq!(bits(&sums), bits(&expected), "{ranks} ranks, {len} numbers");
                }
            }
        }
    }

    #[test]
    fn calls_follow_each_other_without_mixing_their_numbers() {
        let totals = spawn(4, |communicator| {
            let rank = communicator.rank();
            let mut total = 0.0;
            for call in 0..300usize {
                let mut values = vec![(rank + call) as f32; 1 + call % 5];
                match call % 3 {
                    0 => communicator.all_reduce(&mut values)?,
                    1 => communicator.broadcast(call % 4, &mut values)?,
                    _ => communicator.barrier()?,
                }
                if call % 3 != 2 {
                    total += values.iter().sum::<f32>();
                }
                if (call + rank) % 17 == 0 {
                    thread::yield_now();
                }
            }
            Ok(total)
        });
        let expected: f32 = (0..300usize)
            .map(|call| match call % 3 {
                0 => (6 + 4 * call) as f32 * (1 + call % 5) as f32,
                1 => (call % 4 + call) as f32 * (1 + call % 5) as f32,
                _ => 0.0,
            })
            .sum();
        assert_eq!(totals.expect("all take part"), [expected; 4]);
    }

    #[test]
    fn ranks_that_call_for_different_things_all_get_an_error() {
        let (error, seen) = failing(3, LATE, |communicator| {
            let len = if communicator.rank() == 2 { 9 } else { 7 };
            Ok(communicator.all_reduce(&mut vec![1.0; len])?)
        });
        assert!(matches!(error, ParallelError::Disagree { rank: 2, .. }), "{error}");
        assert!(seen.iter().all(|text| text.contains("9 numbers") && text.contains("7 numbers")), "{seen:?}");
        let (error, seen) = failing(2, LATE, |communicator| match communicator.rank() {
            0 => Ok(communicator.barrier()?),
            _ => Ok(communicator.broadcast(0, &mut [1.0])?),
        });
        assert!(matches!(error, ParallelError::Disagree { rank: 1, .. }), "{error}");
        assert!(seen.iter().all(|text| text.contains("barrier") && text.contains("broadcast")), "{seen:?}");
        // Nor do they go on after that.
        let after = Threads::new(2).deadline(LATE).run(|communicator| {
            let first = communicator.all_reduce(&mut vec![0.0; communicator.rank()]);
            Ok(first.is_err() && communicator.barrier().is_err())
        });
        assert_eq!(after.expect("all came to their ends"), [true; 2]);
    }

    #[test]
    fn a_rank_that_panics_or_fails_ends_the_others_and_is_named() {
        let (error, seen) = failing(3, LATE, |communicator| {
            assert!(communicator.rank() != 1, "a panic on rank {}, as a test may", communicator.rank());
            Ok(communicator.barrier()?)
        });
        assert!(matches!(error, ParallelError::Lost { rank: 1, .. }));
        assert_eq!(error.to_string(), "rank 1 has ended: it panicked: a panic on rank 1, as a test may");
        assert_eq!((&seen[0], &seen[2]), (&error.to_string(), &error.to_string()));
        let (error, seen) = failing(4, LATE, |communicator| {
            communicator.all_reduce(&mut [1.0])?;
            if communicator.rank() == 0 {
                return Err("no memory".into());
            }
            Ok(communicator.all_reduce(&mut [1.0])?)
        });
        assert_eq!(error.to_string(), "rank 0 has ended: no memory");
        assert!(seen[1..].iter().all(|text| *text == error.to_string()), "{seen:?}");
    }

    #[test]
    fn a_rank_that_does_not_come_is_given_up() {
        let (error, seen) = failing(3, SOON, |communicator| {
            if communicator.rank() == 1 {
                thread::sleep(2 * SOON);
            }
            Ok(communicator.all_reduce(&mut [1.0, 2.0])?)
        });
        assert!(matches!(&error, ParallelError::TimedOut { rank: 1, waited, .. } if *waited >= SOON), "{error}");
        assert!(error.to_string().contains("an all-reduce of 2 numbers"), "{error}");
        assert!(seen.iter().all(|text| *text == error.to_string()), "the late one learns of it too: {seen:?}");
        let (error, _) = failing(2, LATE, |communicator| match communicator.rank() {
            0 => Ok(communicator.barrier()?),
            _ => Ok(()),
        });
        assert!(matches!(error, ParallelError::Lost { rank: 1, .. }), "it need not be waited for: {error}");
    }

    #[test]
    fn rank_0_stays_on_the_calling_thread() {
        let mut log = std::rc::Rc::new(Vec::new());
        let caller = thread::current().id();
        let led = Threads::new(3).run_led(
            |communicator| {
                communicator.barrier()?;
                std::rc::Rc::make_mut(&mut log).push("as rank 0");
                Ok(thread::current().id() == caller)
            },
            |communicator| {
                communicator.barrier()?;
                Ok(communicator.rank())
            },
        );
        assert_eq!(led.expect("all take part"), (true, vec![1, 2]));
        assert_eq!(*log, ["as rank 0"]);
        assert!(matches!(spawn(0, |_| Ok(())), Err(ParallelError::Setup(_))));
        assert!(spawn(2, |communicator| Ok(communicator.broadcast(2, &mut [])?)).is_err());
    }
}

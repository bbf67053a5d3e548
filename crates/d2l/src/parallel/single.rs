//! One rank alone.

use super::{Collective, Communicator, ParallelError};

/// The only rank: what it reduces and broadcasts stays as it is. A program for several ranks runs with it on one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Single;

impl Communicator for Single {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_reduce(&self, _: &mut [f32]) -> Result<(), ParallelError> {
        Ok(())
    }

    fn broadcast(&self, root: usize, values: &mut [f32]) -> Result<(), ParallelError> {
        Collective::broadcast(root, values.len(), 1).map(|_| ())
    }

    fn barrier(&self) -> Result<(), ParallelError> {
        Ok(())
    }
}

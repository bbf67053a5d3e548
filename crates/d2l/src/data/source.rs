//! Where a set comes from.

use super::DataError;
use super::hub::Hub;

/// A set that a section can load by its type: `nb.load::<FashionMnist>()?`.
///
/// A new set is one file with an implementation of this. What is known of its files (titles, sizes, hashes, terms) stands in
/// the registry of [`hub`](super::hub).
pub trait Source: Sized {
    /// What a run on the sample is told: what it lacks, and what its results are worth.
    const SAMPLE_NOTICE: &'static str;

    /// Fetches the set's files where the cache lacks them, and reads them.
    ///
    /// # Errors
    /// Where no source has a file, or one is damaged.
    fn fetch(hub: &Hub) -> Result<Self, DataError>;

    /// What stands in for the set, where its publisher's files could not be had and others could: a sentence for the reader.
    fn stand_in(&self) -> Option<&'static str> {
        None
    }

    /// Reads the sample that belongs to the repository.
    ///
    /// # Errors
    /// Where it is not there, or damaged.
    fn sample() -> Result<Self, DataError>;
}

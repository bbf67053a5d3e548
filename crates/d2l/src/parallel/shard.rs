//! The parts of a minibatch (section 12.5).

use std::ops::Range;

use candle_core::{Result, Tensor, bail};

use super::Communicator;

/// Of so many rows, those of a rank among `ranks`: one after the other, whose numbers differ by one at most. Some ranks have
/// none where there are fewer rows than ranks.
///
/// The indices of a minibatch are divided with it after they were shuffled: `&indices[shard_range(indices.len(), 1, 2)]`.
///
/// ```
/// use d2l::parallel::shard_range;
///
/// assert_eq!([0, 1, 2].map(|rank| shard_range(8, rank, 3)), [0..2, 2..5, 5..8]);
/// ```
pub fn shard_range(rows: usize, rank: usize, ranks: usize) -> Range<usize> {
    let until = |rank: usize| (rows * rank / ranks.max(1)).min(rows);
    until(rank)..until(rank + 1)
}

/// Divides a minibatch `(batch, …)` along its first axis into so many shards, `(batch / shards, …)` each or one row more,
/// as [`shard_range`] does. Features and labels are divided alike.
///
/// # Errors
/// Where there are to be no shards; where the tensor has no axis.
pub fn split_batch(batch: &Tensor, shards: usize) -> Result<Vec<Tensor>> {
    if shards == 0 {
        bail!("a minibatch cannot be divided into 0 shards");
    }
    (0..shards).map(|shard| rows(batch, shard_range(batch.dim(0)?, shard, shards))).collect()
}

/// A rank's own shard of a minibatch `(batch, …)` that all ranks have, as [`split_batch`] divides it.
///
/// # Errors
/// Where the tensor has no axis.
pub fn shard(batch: &Tensor, communicator: &dyn Communicator) -> Result<Tensor> {
    rows(batch, shard_range(batch.dim(0)?, communicator.rank(), communicator.size()))
}

fn rows(batch: &Tensor, range: Range<usize>) -> Result<Tensor> {
    batch.narrow(0, range.start, range.len())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shards_together_are_the_batch_and_nearly_of_one_size(
            batch in 1usize..40,
            columns in 1usize..4,
            shards in 1usize..9,
        ) {
            let values: Vec<f32> = (0..batch * columns).map(|value| value as f32).collect();
            let tensor = Tensor::from_vec(values.clone(), (batch, columns), &Device::Cpu)?;
            let parts = split_batch(&tensor, shards)?;
            let sizes: Vec<usize> = parts.iter().map(|part| part.dims()[0]).collect();
            prop_assert_eq!(sizes.len(), shards);
            prop_assert!(sizes.iter().max() <= sizes.iter().min().map(|least| least + 1).as_ref());
            let mut joined = Vec::new();
            for part in parts {
                prop_assert_eq!(part.dims()[1], columns);
                joined.extend(part.flatten_all()?.to_vec1::<f32>()?);
            }
            prop_assert_eq!(joined, values);
        }
    }

    #[test]
    fn what_cannot_be_divided_is_an_error() -> Result<()> {
        let batch = Tensor::zeros((3, 2), candle_core::DType::F32, &Device::Cpu)?;
        assert!(split_batch(&batch, 0).is_err());
        assert!(split_batch(&Tensor::new(1f32, &Device::Cpu)?, 2).is_err());
        Ok(())
    }
}

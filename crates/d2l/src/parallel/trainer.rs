//! Trainings on several ranks.

use super::{Communicator, broadcast_bytes};
use crate::train::{BoxError, Share, Trainer};

impl<'a> Trainer<'a> {
    /// Trains on several ranks: every rank has a trainer that is told the same, and rank 0's monitor and checkpoints alone
    /// are used. Where rank 0 goes on from a checkpoint, the others go on from what it read, on however many ranks the
    /// checkpoint was made (section 12.6).
    ///
    /// Each rank has its own [`Random`](crate::random::Random), of the same seed.
    pub fn ranks(self, communicator: &'a dyn Communicator) -> Self {
        let trainer = if communicator.is_root() { self } else { self.monitor(()) };
        trainer.share(communicator)
    }
}

impl Share for &dyn Communicator {
    fn is_root(&self) -> bool {
        Communicator::is_root(*self)
    }

    fn broadcast(&self, bytes: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(broadcast_bytes(*self, 0, bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::{Device, Tensor};

    use super::*;
    use crate::data::ArrayLoader;
    use crate::nn::{Linear, Module, Parameters};
    use crate::ops::{Reduction, mse_loss};
    use crate::optim::{Adam, Optimizer};
    use crate::parallel::{DataParallel, shard, spawn};
    use crate::random::{Purpose, Random};
    use crate::train::{Checkpoints, EpochRecord, Monitor};

    /// Trains on so many ranks, and gives each rank's weights and epochs.
    fn train(
        ranks: usize,
        num_epochs: usize,
        folder: Option<(&Path, bool)>,
    ) -> Result<Vec<(Vec<f32>, usize)>, BoxError> {
        let weights = spawn(ranks, |communicator| {
            let random = Random::new(3);
            let x: Vec<f32> = (0..40).map(|i| (i as f32 * 0.7).sin()).collect();
            let x = Tensor::from_vec(x, (20, 2), &Device::Cpu)?;
            let mut loader =
                ArrayLoader::from_tensors(&x, &x.sqr()?, 6)?.shuffled(random.stream(Purpose::Shuffling, "examples"));
            let parameters = Parameters::new(&random, &Device::Cpu);
            let net = Linear::new(2, 2, &parameters.builder())?;
            let mut optimizer = Adam::new(&parameters, 0.05);
            let data_parallel = DataParallel::new(communicator, &parameters)?;
            let mut trainer = Trainer::new(num_epochs).random(&random).with(&parameters).with(&optimizer);
            if let Some((folder, resume)) = folder.filter(|_| communicator.is_root()) {
                trainer = trainer.checkpoints(Checkpoints::new(folder, "test", resume)?);
            }
            let history = trainer.ranks(communicator).run(&mut loader, |step, (x, y)| {
                let batch = x.dim(0)?;
                let (x, y) = (shard(&x, communicator)?, shard(&y, communicator)?);
                let loss = (mse_loss(&net.forward(&x)?, &y, Reduction::Sum)? / batch as f64)?;
                optimizer.step(&data_parallel.backward(&loss)?)?;
                step.metric("loss", loss.to_scalar::<f32>()?.into(), 1.0)
            })?;
            data_parallel.compare()?;
            Ok((net.weight().flatten_all()?.to_vec1()?, history.epochs().len()))
        })?;
        Ok(weights)
    }

    #[test]
    fn a_training_on_two_ranks_goes_on_on_any_number_of_them() -> Result<(), BoxError> {
        let whole = train(2, 4, None)?;
        assert_eq!(whole[0], whole[1]);
        for ranks in [1, 2, 3] {
            let folder = tempfile::tempdir()?;
            train(2, 2, Some((folder.path(), false)))?;
            let resumed = train(ranks, 4, Some((folder.path(), true)))?;
            for (weights, epochs) in &resumed {
                assert_eq!(*epochs, 4, "each rank has the epochs from before, too");
                assert!(weights.iter().zip(&whole[0].0).all(|(a, b)| (a - b).abs() < 1e-5), "{ranks} ranks");
            }
            if ranks == 2 {
                assert_eq!(resumed, whole, "to the bit");
            }
        }
        Ok(())
    }

    #[test]
    fn a_checkpoint_that_rank_0_refuses_ends_all() -> Result<(), BoxError> {
        let folder = tempfile::tempdir()?;
        train(2, 1, Some((folder.path(), false)))?;
        let error = train(2, 2, Some((folder.path(), false))).expect_err("no --resume").to_string();
        assert!(error.starts_with("rank 0") && error.contains("--resume"), "{error}");
        Ok(())
    }

    #[test]
    fn rank_0_alone_reports() -> Result<(), BoxError> {
        struct Count<'a>(&'a std::cell::Cell<usize>);
        impl Monitor for Count<'_> {
            fn epoch(&mut self, _: &EpochRecord) {
                self.0.set(self.0.get() + 1);
            }
        }
        let reports = spawn(2, |communicator| {
            let reports = std::cell::Cell::new(0);
            let trainer = Trainer::new(3).monitor(Count(&reports)).ranks(communicator);
            trainer.run(&mut crate::data::Repeat(1), |step, ()| step.metric("loss", 1.0, 1.0))?;
            Ok(reports.get())
        })?;
        assert_eq!(reports, [3, 0]);
        Ok(())
    }
}

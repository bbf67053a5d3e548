//! Training a classifier epoch by epoch.

use std::time::Instant;

use anyhow::Result;
use candle_core::Tensor;
use candle_nn::ModuleT;

use super::{
    Accumulator, EpochSummary, History, Interrupted, Monitor, Progress, count_correct, evaluate_accuracy, run_epochs,
};
use crate::data::{Dataset, Loader};

/// One step of an optimiser, given the losses of a minibatch's examples `(batch)`.
///
/// Closures are updaters, so a section that writes its own gradient descent passes it as it is.
pub trait Updater {
    /// Computes the gradient of the losses and changes the parameters.
    ///
    /// # Errors
    /// What the backward pass gives.
    fn update(&mut self, losses: &Tensor) -> candle_core::Result<()>;
}

impl<F: FnMut(&Tensor) -> candle_core::Result<()>> Updater for F {
    fn update(&mut self, losses: &Tensor) -> candle_core::Result<()> {
        self(losses)
    }
}

/// Training met a loss that is not a number.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(
    "the loss became {loss} in epoch {epoch}, step {step}: training has diverged; try a smaller learning rate \
     (--lr), another --seed, or look for a division by zero or a logarithm of zero in the model"
)]
pub struct Diverged {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step within the epoch, from 1.
    pub step: usize,
    /// The loss that was met.
    pub loss: f64,
}

impl Diverged {
    /// The loss itself where it is finite; epoch and step count from 1.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check(loss: f64, epoch: usize, step: usize) -> Result<f64, Self> {
        if loss.is_finite() { Ok(loss) } else { Err(Self { epoch, step, loss }) }
    }
}

/// Trains for one epoch (section 3.6): `loss` gives each example's loss from `(scores, labels)`.
///
/// # Errors
/// [`Diverged`] where the loss is not finite; [`Interrupted`] where the monitor asks to stop; what the net, the loss, the
/// updater or the loader give.
#[doc(alias = "train_epoch_ch3")]
pub fn train_epoch<D: Dataset>(
    net: &impl ModuleT,
    train: &mut Loader<D>,
    loss: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor>,
    updater: &mut impl Updater,
    epoch: usize,
    monitor: &mut dyn Monitor,
) -> Result<EpochSummary> {
    let started = Instant::now();
    let mut sums = Accumulator::<3>::new(); // loss, correct predictions, examples
    for (batch, example) in train.epoch().enumerate() {
        Interrupted::check(monitor)?;
        let (x, y) = example?;
        let scores = net.forward_t(&x, true)?;
        let losses = loss(&scores, &y)?; // (batch)
        let total = f64::from(losses.detach().sum_all()?.to_scalar::<f32>()?);
        Diverged::check(total, epoch, batch + 1)?;
        updater.update(&losses)?;
        sums.add([total, count_correct(&scores.detach(), &y)?, y.elem_count() as f64]);
        monitor.batch(&Progress {
            epoch,
            batch: batch + 1,
            loss: sums[0] / sums[2],
            accuracy: Some(sums[1] / sums[2]),
            examples_per_second: sums[2] / started.elapsed().as_secs_f64(),
        });
    }
    Ok(EpochSummary {
        epoch,
        train_loss: sums[0] / sums[2],
        train_accuracy: Some(sums[1] / sums[2]),
        test_accuracy: None,
        examples: sums[2] as usize,
        duration: started.elapsed(),
    })
}

/// Trains for some epochs, with the accuracy on a test set after each (section 3.6).
///
/// # Errors
/// As [`train_epoch`] and [`run_epochs`].
#[doc(alias = "train_ch3")]
pub fn train_classifier<D: Dataset>(
    net: &impl ModuleT,
    train: &mut Loader<D>,
    test: &mut Loader<D>,
    loss: impl Fn(&Tensor, &Tensor) -> candle_core::Result<Tensor>,
    num_epochs: usize,
    updater: &mut impl Updater,
    monitor: &mut dyn Monitor,
) -> Result<History> {
    run_epochs(num_epochs, train.batches(), monitor, |epoch, monitor| {
        let summary = train_epoch(net, train, &loss, updater, epoch, monitor)?;
        Ok(EpochSummary { test_accuracy: Some(evaluate_accuracy(net, test)?), ..summary })
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::data::ArrayLoader;

    fn separable() -> Result<ArrayLoader> {
        let x: Vec<f32> = (0..40).flat_map(|i| [(i % 2) as f32 * 2.0 - 1.0, (i as f32 * 0.7).sin()]).collect();
        let y: Vec<u32> = (0..40).map(|i| i % 2).collect();
        ArrayLoader::from_tensors(&Tensor::from_vec(x, (40, 2), &Device::Cpu)?, &Tensor::new(y, &Device::Cpu)?, 8)
    }

    fn losses(scores: &Tensor, y: &Tensor) -> candle_core::Result<Tensor> {
        candle_nn::ops::log_softmax(scores, 1)?.gather(&y.unsqueeze(1)?, 1)?.squeeze(1)?.neg()
    }

    #[test]
    fn a_separable_problem_is_learned_and_every_epoch_reported() -> Result<()> {
        #[derive(Default)]
        struct Count([usize; 4]);
        impl Monitor for Count {
            fn start(&mut self, epochs: usize, batches: usize) {
                assert_eq!((epochs, batches), (5, 5));
                self.0[0] += 1;
            }
            fn batch(&mut self, _: &Progress) {
                self.0[1] += 1;
            }
            fn epoch(&mut self, _: &EpochSummary) {
                self.0[2] += 1;
            }
            fn finish(&mut self) {
                self.0[3] += 1;
            }
        }
        let w = Var::zeros((2, 2), candle_core::DType::F32, &Device::Cpu)?;
        let weights = w.as_tensor().clone();
        let net = move |x: &Tensor| x.matmul(&weights);
        let mut step = |losses: &Tensor| {
            let grads = losses.mean_all()?.backward()?;
            let grad = grads.get(w.as_tensor()).expect("the weights' gradient");
            w.set(&(w.as_tensor() - (grad * 0.5)?)?)
        };
        let (mut train, mut test, mut count) = (separable()?, separable()?, Count::default());
        let history = train_classifier(&net, &mut train, &mut test, losses, 5, &mut step, &mut count)?;
        assert_eq!(count.0, [1, 25, 5, 1]);
        assert!(history.train_loss().windows(2).all(|pair| pair[1] < pair[0]));
        assert_eq!(history.test_accuracy().last(), Some(&1.0));
        Ok(())
    }

    #[test]
    fn a_loss_that_is_not_finite_stops_training_and_says_where() -> Result<()> {
        let net = |x: &Tensor| x / 0.0;
        let (mut train, mut test) = (separable()?, separable()?);
        let mut step = |_: &Tensor| Ok(());
        let error = train_classifier(&net, &mut train, &mut test, losses, 1, &mut step, &mut ())
            .expect_err("a division by zero");
        let diverged = error.downcast_ref::<Diverged>().expect("the error of divergence");
        assert_eq!((diverged.epoch, diverged.step), (1, 1));
        Ok(())
    }
}

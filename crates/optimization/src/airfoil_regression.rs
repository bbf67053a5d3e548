//! Linear regression on the airfoil set, by an algorithm from scratch or one of the library: what sections 11.5 to 11.10 share.

use d2l::data::ArrayLoader;
use d2l::nn::{Init, Linear};
use d2l::ops::mse_loss;
use d2l::prelude::*;
use d2l::random::normal;
use linear_nets::{linear_model, squared_loss};

use crate::Airfoil;

/// How the airfoil set is read, in all sections that compare algorithms on it.
#[derive(Debug, Clone, Args, Serialize)]
pub struct AirfoilSettings {
    /// Measurements to train on
    #[arg(long, default_value_t = 1500, value_parser = count)]
    pub num_examples: usize,
    /// Passes over them from scratch; the concise form makes twice as many, as in the book
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub num_epochs: usize,
}

/// Measurements, on which all algorithms of the chapter are compared.
pub struct AirfoilTask {
    /// `(n, 5)`
    pub features: Tensor,
    /// `(n, 1)`
    pub labels: Tensor,
    num_epochs: usize,
}

impl AirfoilSettings {
    /// Loads the set and standardizes its columns.
    ///
    /// # Errors
    /// Where the set is damaged.
    pub fn load(&self, nb: &mut Notebook) -> anyhow::Result<AirfoilTask> {
        let set = nb.load::<Airfoil>()?;
        let (features, labels) = set.standardized(self.num_examples, nb.device())?;
        let (n, columns) = features.dims2()?;
        nb.say(format!("{n} of {} measurements with {columns} features", set.len()))?;
        Ok(AirfoilTask { features, labels, num_epochs: self.num_epochs })
    }
}

impl AirfoilTask {
    /// For other than the usual number of epochs.
    pub fn epochs(&self, num_epochs: usize) -> Self {
        Self { features: self.features.clone(), labels: self.labels.clone(), num_epochs }
    }

    fn loader(&self, batch_size: usize, nb: &Notebook) -> anyhow::Result<ArrayLoader> {
        let shuffle = nb.stream(Purpose::Shuffling, "measurements");
        Ok(ArrayLoader::from_tensors(&self.features, &self.labels, batch_size)?.shuffled(shuffle))
    }

    /// Half the mean squared error over all measurements, which the book plots for both forms.
    fn loss(&self, net: impl Fn(&Tensor) -> Result<Tensor>) -> Result<f64> {
        let losses = squared_loss(&net(&self.features)?, &self.labels)?.detach();
        Ok(f64::from(losses.mean_all()?.to_scalar::<f32>()?))
    }
}

/// The examples between two points of a curve.
const POINT_EVERY: usize = 200;

/// What an algorithm does at a step with a parameter: it is handed the parameter, its gradient, its own states and the
/// number of the step, from 1.
pub type ParameterStep = dyn Fn(&Var, &Tensor, &[Var], usize) -> Result<()>;

/// An algorithm from scratch.
pub struct Algorithm {
    /// How many tensors of a parameter's shape it keeps for each parameter, zero at first.
    pub states: usize,
    /// Its step for a parameter.
    pub step: Box<ParameterStep>,
}

impl Algorithm {
    /// An algorithm that keeps so many states.
    pub fn new(states: usize, step: impl Fn(&Var, &Tensor, &[Var], usize) -> Result<()> + 'static) -> Self {
        Self { states, step: Box::new(step) }
    }
}

/// Trains linear regression by an algorithm from scratch. Gives the history, whose `loss` is measured every 200 examples.
///
/// # Errors
/// As [`Trainer::run`].
#[doc(alias = "train_ch11")]
pub fn train_scratch(
    nb: &Notebook,
    name: &str,
    data: &AirfoilTask,
    batch_size: usize,
    algorithm: &Algorithm,
) -> anyhow::Result<History> {
    let mut stream = nb.stream(Purpose::Initialization, "w");
    let w = Var::from_tensor(&normal(&mut stream, 0.0, 0.01, (data.features.dim(1)?, 1), nb.device())?)?; // (5, 1)
    let b = Var::zeros(1, DType::F32, nb.device())?;
    let net = |x: &Tensor| linear_model(x, &w, &b);
    let zeros =
        |like: &Var| (0..algorithm.states).map(|_| Var::from_tensor(&like.zeros_like()?)).collect::<Result<Vec<_>>>();
    let (w_states, b_states) = (zeros(&w)?, zeros(&b)?);

    let mut minibatches = data.loader(batch_size, nb)?;
    let steps = minibatches.batches();
    let trainer = nb.trainer(data.num_epochs).named(name).with(&[&w, &b]).with(&w_states).with(&b_states);
    let history =
        trainer.each_epoch(|epoch| epoch.metric("loss", data.loss(net)?)).run(&mut minibatches, |step, (x, y)| {
            let loss = squared_loss(&net(&x)?, &y)?.mean_all()?;
            let grads = backward(&loss)?;
            let number = (step.epoch() - 1) * steps + step.number();
            for (parameter, states) in [(&w, &w_states), (&b, &b_states)] {
                (algorithm.step)(parameter, grads.get(parameter)?, states, number)?;
            }
            measure(step, batch_size, || data.loss(net))?;
            step.loss(&loss, y.elem_count())
        })?;
    Ok(history)
}

/// Measures the loss every 200 examples.
fn measure(step: &mut Step, batch_size: usize, loss: impl FnOnce() -> Result<f64>) -> StepResult {
    let seen = step.number() * batch_size;
    if seen / POINT_EVERY > (seen - batch_size) / POINT_EVERY { step.measure("loss", loss) } else { Ok(()) }
}

/// Trains linear regression with an optimizer of the library, made by `optimizer` from the net's parameters.
///
/// # Errors
/// As [`Trainer::run`].
#[doc(alias = "train_concise_ch11")]
pub fn train_concise<O: Optimizer + Trained>(
    nb: &Notebook,
    name: &str,
    data: &AirfoilTask,
    batch_size: usize,
    optimizer: impl FnOnce(&Parameters) -> O,
) -> anyhow::Result<History> {
    let parameters = nb.parameters();
    let weights = Init::Randn { mean: 0.0, stdev: 0.01 };
    let inputs = data.features.dim(1)?;
    let net = Linear::with_init(inputs, 1, &parameters.builder().pp("linear"), weights, Init::Const(0.0))?;
    let mut optimizer = optimizer(&parameters);
    let mut minibatches = data.loader(batch_size, nb)?;
    let trainer = nb.trainer(data.num_epochs.saturating_mul(2)).named(name).with(&parameters).with(&optimizer);
    let trainer = trainer.each_epoch(|epoch| epoch.metric("loss", data.loss(|x| net.forward(x))?));
    let history = trainer.run(&mut minibatches, |step, (x, y)| {
        let loss = mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?; // without the half
        optimizer.minimize(&loss)?;
        measure(step, batch_size, || data.loss(|x| net.forward(x)))?;
        step.loss(&loss, y.elem_count())
    })?;
    Ok(history)
}

/// Shows a training's loss over its epochs under a title, its last value and the time of an epoch.
///
/// # Errors
/// Where an output cannot be written.
pub fn show_loss(nb: &mut Notebook, name: &str, title: &str, history: &History) -> anyhow::Result<()> {
    let (epochs, losses) = history.fine_curve("loss");
    let chart = Chart::new().title(title).x_label("epoch").y_label("loss").y_range(0.22..0.35);
    let chart = chart.unlabeled_line(&epochs, &losses);
    nb.figure(name, &format!("Half the mean squared error by epoch: {title}"), chart)?;
    let last = history.last("loss").unwrap_or(f64::NAN);
    let milliseconds = history.duration().as_secs_f64() * 1e3 / history.epochs().len() as f64;
    nb.say(format!("loss: {last:.3}, {milliseconds:.1} ms an epoch"))?;
    nb.metric(&format!("loss_{}", name.replace('-', "_")), last)
}

#[cfg(test)]
mod tests {
    use d2l::train::evaluate_loss;

    use super::*;

    #[test]
    fn the_loss_is_half_the_squared_error_over_all() -> anyhow::Result<()> {
        let features = Tensor::new(&[[1f32], [2.0]], &Device::Cpu)?;
        let labels = Tensor::new(&[[3f32], [2.0]], &Device::Cpu)?;
        let data = AirfoilTask { features, labels, num_epochs: 1 };
        assert_eq!(data.loss(|x| Ok(x.clone()))?, 1.0);
        let mut all = ArrayLoader::from_tensors(&data.features, &data.labels, 1)?;
        assert_eq!(evaluate_loss(&|x: &Tensor| Ok(x.clone()), &mut all, squared_loss)?, 1.0);
        Ok(())
    }
}

//! A discriminator and a generator that learn from each other (section 17.1).

use std::f64::consts::LN_2;
use std::iter;

use d2l::nn::init;
use d2l::ops::{binary_cross_entropy_with_logits, unrecorded};
use d2l::optim::Adam;
use d2l::plot::Panels;
use d2l::prelude::*;

/// The same of both nets.
#[derive(Debug, Clone)]
pub struct Both<T> {
    /// Of the net that tells generated examples from real ones.
    pub discriminator: T,
    /// Of the net that makes examples from noise.
    pub generator: T,
}

impl<T> Both<T> {
    /// What `make` gives for either.
    pub fn of(make: impl Fn() -> T) -> Self {
        Self { discriminator: make(), generator: make() }
    }

    /// What `f` makes of either.
    pub fn map<U>(&self, f: impl Fn(&T) -> U) -> Both<U> {
        Both { discriminator: f(&self.discriminator), generator: f(&self.generator) }
    }
}

/// The nets with their parameters and what updates these.
pub struct Game {
    /// The nets.
    pub nets: Both<Sequential>,
    /// Their parameters.
    pub parameters: Both<Parameters>,
    /// What updates the parameters.
    pub optimizers: Both<Adam>,
}

impl Game {
    /// Builds the nets from the parameters and draws all of these from `N(0, 0.02²)`: as in the book, the scales of
    /// normalizations too, which so begin near 0 and not at 1.
    pub fn new(
        parameters: Both<Parameters>,
        discriminator: impl FnOnce(&VarBuilder) -> Result<Sequential>,
        generator: impl FnOnce(&VarBuilder) -> Result<Sequential>,
        optimizers: impl FnOnce(&Both<Parameters>) -> Both<Adam>,
    ) -> Result<Self> {
        // Names of their own, since the initial values follow from a parameter's name.
        let nets = Both {
            discriminator: discriminator(&parameters.discriminator.builder().pp("discriminator"))?,
            generator: generator(&parameters.generator.builder().pp("generator"))?,
        };
        for parameters in [&parameters.discriminator, &parameters.generator] {
            parameters.initialize(|_, _| Ok(Some(init::normal(0.02))))?;
        }
        let optimizers = optimizers(&parameters);
        Ok(Self { nets, parameters, optimizers })
    }
}

/// The mean binary cross-entropy of `logits`, all of examples that are `1` real or `0` generated.
fn loss(logits: &Tensor, label: u8) -> Result<Tensor> {
    let labels = Tensor::full(f32::from(label), logits.shape(), logits.device())?.to_dtype(logits.dtype())?;
    binary_cross_entropy_with_logits(logits, &labels, Reduction::Mean)
}

/// What a discriminator said in an update.
#[derive(Debug, Clone)]
pub struct Judgment {
    /// The loss of an example, real or generated, on average: a single number.
    pub loss: Tensor,
    /// The logits of the real examples, above 0 where they are taken for real.
    pub real: Tensor,
    /// The logits of the generated ones.
    pub generated: Tensor,
}

/// Updates the discriminator: real examples `x` are to have the label 1, those that the generator makes from the noise `z`
/// the label 0. The generator stays as it is.
///
/// The book sums the losses of a minibatch, where this takes their mean: Adam's steps are the same.
#[doc(alias = "update_D")]
pub fn update_discriminator(
    x: &Tensor,
    z: &Tensor,
    nets: &Both<Sequential>,
    optimizer: &mut impl Optimizer,
) -> Result<Judgment> {
    let real = nets.discriminator.forward_t(x, true)?;
    // The generator learns nothing here, so no graph leads back to it.
    let fake = unrecorded(|| nets.generator.forward_t(z, true))?.detach();
    let generated = nets.discriminator.forward_t(&fake, true)?;
    let loss = ((loss(&real, 1)? + loss(&generated, 0)?)? / 2.0)?;
    optimizer.minimize(&loss)?;
    Ok(Judgment { loss: loss.detach(), real: real.detach(), generated: generated.detach() })
}

/// Updates the generator: what it makes from the noise `z` is to get the label 1 from the discriminator, which stays as it
/// is. Gives the mean loss, a single number.
#[doc(alias = "update_G")]
pub fn update_generator(z: &Tensor, nets: &Both<Sequential>, optimizer: &mut impl Optimizer) -> Result<Tensor> {
    // Made once more, as in the book; and judged anew, since the discriminator has changed.
    let fake = nets.generator.forward_t(z, true)?;
    let loss = loss(&nets.discriminator.forward_t(&fake, true)?, 1)?;
    optimizer.minimize(&loss)?;
    Ok(loss.detach())
}

/// What a generator makes from the noise `z` outside of trainings: normalizations have their running statistics, so that
/// each example comes from its own noise alone. (The book's generator always normalizes by the minibatch.)
pub fn generate(generator: &impl ModuleT, z: &Tensor) -> Result<Tensor> {
    Ok(unrecorded(|| generator.forward_t(z, false))?.detach())
}

/// The names of the losses.
pub const LOSSES: [&str; 2] = ["discriminator_loss", "generator_loss"];
/// The names of the shares of real and of generated examples that the discriminator takes for what they are.
pub const ACCURACIES: [&str; 2] = ["real_acc", "generated_acc"];

/// Updates the discriminator and then the generator for each minibatch of `examples`, with as many inputs of `noise`. The
/// history has [`LOSSES`] and [`ACCURACIES`].
pub fn train(
    trainer: Trainer<'_>,
    examples: &mut impl Batches<Batch = Tensor>,
    nets: &Both<Sequential>,
    optimizers: &mut Both<Adam>,
    mut noise: impl FnMut(usize) -> Result<Tensor>,
) -> anyhow::Result<History> {
    let trainer = trainer.with(&optimizers.discriminator).with(&optimizers.generator);
    let history = trainer.run(examples, |step, x| {
        let count = x.dim(0)?;
        let z = noise(count)?;
        let judgment = update_discriminator(&x, &z, nets, &mut optimizers.discriminator)?;
        let generator_loss = update_generator(&z, nets, &mut optimizers.generator)?;
        step.count(count);
        let values = [
            (LOSSES[0], mean(&judgment.loss)?),
            (LOSSES[1], mean(&generator_loss)?),
            (ACCURACIES[0], mean(&judgment.real.gt(0.0)?)?),
            (ACCURACIES[1], mean(&judgment.generated.le(0.0)?)?),
        ];
        values.into_iter().try_for_each(|(name, value)| step.metric(name, value * count as f64, count as f64))
    })?;
    Ok(history)
}

/// The mean of all elements.
fn mean(x: &Tensor) -> Result<f64> {
    x.to_dtype(DType::F64)?.mean_all()?.to_scalar()
}

/// Shows a training: a table of its epochs, and beside each other the curves of the losses, of the accuracies, and of
/// what `further` names. Keeps all of them as metrics.
pub fn show(nb: &mut Notebook, history: &History, further: &[&str]) -> anyhow::Result<()> {
    let names: Vec<&str> = LOSSES.iter().chain(&ACCURACIES).chain(further).copied().collect();
    let mut table = Table::new(iter::once("epoch".to_string()).chain(names.iter().map(|name| spoken(name))));
    for epoch in history.epochs() {
        let value = |name: &&str| epoch.get(name).map_or_else(String::new, |value| format!("{value:.3}"));
        table.row(iter::once(epoch.epoch.to_string()).chain(names.iter().map(value)));
    }
    nb.say(table)?;
    let chart = |names: &[&str]| {
        names.iter().fold(Chart::new().size(320, 280).x_label("epoch"), |chart, name| {
            let (within, ends) = (history.fine_curve(name), history.curve(name));
            let (xs, ys) = if within.0.is_empty() { ends } else { within };
            chart.line(spoken(name), &xs, &ys)
        })
    };
    let charts = [
        chart(&LOSSES).title("losses, and ln 2").horizontal(LN_2),
        chart(&ACCURACIES).title("shares that are told right").y_range(-0.03..1.03).horizontal(0.5),
        chart(further).title(spoken(&further.join(", "))),
    ];
    let alt = format!("The losses, the shares of examples told right, and {}, by epoch", further.join(" and "));
    nb.figure("training", &alt.replace('_', " "), Panels::new(3, charts))?;
    names.iter().try_for_each(|name| nb.metric(name, history.metric(name)))
}

/// A metric's name in words.
fn spoken(name: &str) -> String {
    name.replace('_', " ").replace(" acc", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sections::gan::{discriminator, generator};

    const CPU: Device = Device::Cpu;

    fn small_game() -> Result<Game> {
        let parameters = Both::of(|| Parameters::new(&Random::new(1), &CPU));
        let optimizers = |parameters: &Both<Parameters>| parameters.map(|parameters| Adam::new(parameters, 0.1));
        Game::new(parameters, discriminator, |vb| generator(2, vb), optimizers)
    }

    fn numbers(parameters: &Parameters) -> Result<Vec<Vec<f32>>> {
        parameters.named().iter().map(|(_, variable)| variable.flatten_all()?.to_vec1()).collect()
    }

    fn normal(name: &str, shape: (usize, usize)) -> Result<Tensor> {
        d2l::random::normal(&mut Random::new(2).stream(Purpose::Sampling, name), 0.0, 1.0, shape, &CPU)
    }

    #[test]
    fn an_update_changes_its_own_net_alone() -> Result<()> {
        let Game { nets, parameters, mut optimizers } = small_game()?;
        let (x, z) = (normal("x", (6, 2))?, normal("z", (6, 2))?);
        let before = [numbers(&parameters.discriminator)?, numbers(&parameters.generator)?];
        update_discriminator(&x, &z, &nets, &mut optimizers.discriminator)?;
        let between = [numbers(&parameters.discriminator)?, numbers(&parameters.generator)?];
        assert!(between[0] != before[0] && between[1] == before[1]);
        update_generator(&z, &nets, &mut optimizers.generator)?;
        let after = [numbers(&parameters.discriminator)?, numbers(&parameters.generator)?];
        assert!(after[0] == between[0] && after[1] != between[1]);
        Ok(())
    }

    #[test]
    fn each_net_learns_against_one_that_stays() -> Result<()> {
        let Game { nets, mut optimizers, .. } = small_game()?;
        let (x, z) = ((normal("x", (32, 2))? + 3.0)?, normal("z", (32, 2))?);
        let mut judgments = (0..60).map(|_| update_discriminator(&x, &z, &nets, &mut optimizers.discriminator));
        let first = judgments.next().expect("sixty of them")?;
        let last = judgments.last().expect("sixty of them")?;
        assert!((mean(&first.loss)? - LN_2).abs() < 0.01 && mean(&last.loss)? < 0.1, "{first:?} {last:?}");
        assert_eq!((mean(&last.real.gt(0.0)?)?, mean(&last.generated.le(0.0)?)?), (1.0, 1.0));
        let mut losses = (0..200).map(|_| mean(&update_generator(&z, &nets, &mut optimizers.generator)?));
        let first = losses.next().expect("two hundred of them")?;
        let last = losses.last().expect("two hundred of them")?;
        assert!(first > 1.5 && last < 0.5, "{first} {last}");
        Ok(())
    }

    #[test]
    fn all_numbers_begin_near_zero_and_no_two_nets_alike() -> Result<()> {
        let Game { parameters, .. } = small_game()?;
        let all = [numbers(&parameters.discriminator)?.concat(), numbers(&parameters.generator)?.concat()];
        assert_eq!((all[0].len(), all[1].len()), (15 + 18 + 4, 6));
        assert!(all.iter().flatten().all(|value| value.abs() < 0.1));
        assert_ne!(all[0][..6], all[1][..6]);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let Game { nets, parameters, .. } = small_game()?;
        let (x, z) = (normal("x", (6, 2))?, normal("z", (6, 2))?);
        let judged = loss(&nets.discriminator.forward_t(&x, true)?, 1)?;
        d2l_testing::gradients::reach_all(&parameters.discriminator, &judged, |_| false)?;
        let made = nets.generator.forward_t(&z, true)?;
        let fooled = loss(&nets.discriminator.forward_t(&made, true)?, 1)?;
        d2l_testing::gradients::reach_all(&parameters.generator, &fooled, |_| false)
    }
}

//! 16.10 Deep Factorization Machines
//!
//! A factorization machine with a perceptron beside it, which sees the same vectors and can make more of them than pairs.
//!
//! `cargo run --release -p recommender -- deepfm`
//! Thirty epochs on Avazu's rows: training accuracy 0.89; AUC of the test rows 0.69 to 0.71, of a factorization machine 0.66
//! to 0.69. Of its guesses 0.79 to 0.80 are right, while always guessing no click gets 0.815.

use d2l::nn::{Dropout, Linear};
use d2l::ops::{flatten_from, relu};
use d2l::prelude::*;

use crate::ad_clicks::AdClicks;
use crate::click_evaluation::{ClickQuality, best_and_last, quality_table};
use crate::sections::fm::{self, FactorizationMachine, train_clicks};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rows a minibatch
    #[arg(long, default_value_t = 2048, value_parser = count)]
    pub batch_size: usize,
    /// How many training rows must have a category for a number of its own
    #[arg(long, default_value_t = AdClicks::MIN_THRESHOLD, value_parser = count)]
    pub min_threshold: usize,
    /// Factors of a category
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_factors: usize,
    /// Share of hidden units that are dropped in training
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training rows
    #[arg(long, default_value_t = 30, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { batch_size: 64, num_epochs: 4 } }

/// Units of the perceptron's hidden layers.
pub const MLP_DIMS: [usize; 3] = [30, 20, 10];

/// A factorization machine and a perceptron on the same vectors, whose scores are added. The score is a logit, as that of a
/// [`FactorizationMachine`].
#[doc(alias = "DeepFM")]
pub struct DeepFactorizationMachine {
    machine: FactorizationMachine,
    mlp: Sequential,
}

impl DeepFactorizationMachine {
    /// A net for rows of `field_dims.len()` categories, each field with so many numbers.
    pub fn new(
        field_dims: &[usize],
        factors: usize,
        mlp_dims: &[usize],
        dropout: f64,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let machine = FactorizationMachine::new(field_dims.iter().sum(), factors, &vb.pp("machine"))?;
        let mut mlp = Sequential::with_parameters(&vb.pp("mlp"));
        let mut inputs = field_dims.len() * factors;
        for (layer, &units) in (1..).zip(mlp_dims) {
            mlp = mlp.layer(format!("hidden{layer}"), |vb| Linear::new(inputs, units, vb))?.add(relu);
            mlp = mlp.layer(format!("dropout{layer}"), |vb| Dropout::new(dropout, vb))?;
            inputs = units;
        }
        Ok(Self { machine, mlp: mlp.layer("output", |vb| Linear::new(inputs, 1, vb))? })
    }
}

impl ModuleT for DeepFactorizationMachine {
    /// From numbers of categories `(batch, fields)` to logits `(batch)`.
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let vectors = self.machine.embedding.forward(x)?; // (batch, fields, factors)
        let deep = self.mlp.forward_t(&flatten_from(&vectors, 1)?, train)?; // (batch, fields · factors) -> (batch, 1)
        (self.machine.score(x, &vectors)? + deep)?.squeeze(1) // (batch)
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Model architectures")?;
    let clicks = nb.load::<AdClicks>()?;
    let shuffle = nb.stream(Purpose::Shuffling, "training rows");
    let (mut train, mut test, map) = clicks.load(config.min_threshold, config.batch_size, shuffle, nb.device())?;
    let (fields, factors) = (map.field_dims().len(), config.num_factors);
    nb.say(format!("{fields} fields, {} numbers: the perceptron sees {} factors", map.features(), fields * factors))?;

    nb.cell("Implementation of DeepFM")?;
    let parameters = nb.parameters();
    let vb = parameters.builder();
    let net = DeepFactorizationMachine::new(&map.field_dims(), factors, &MLP_DIMS, config.dropout, &vb)?;
    nb.say(&net.mlp)?;
    nb.say(format!("{} parameters, those of the vectors and weights included", parameters.count()))?;

    nb.cell("Training and evaluating the model")?;
    let trainer = nb.trainer(config.num_epochs);
    let history = train_clicks(trainer, &net, &parameters, &mut train, &mut test, config.lr)?;
    nb.training(&history)?;

    nb.cell("Beside a factorization machine")?;
    let parameters = nb.parameters();
    let machine = FactorizationMachine::new(map.features(), fm::NUM_FACTORS, &parameters.builder())?;
    let trainer = nb.trainer(config.num_epochs).named("fm");
    let flat = train_clicks(trainer, &machine, &parameters, &mut train, &mut test, fm::LEARNING_RATE)?;
    nb.training_of("fm", &flat)?;
    let rate = clicks.train.click_rate();
    let constant = ClickQuality::of_probability(rate, clicks.test.clicks())?;
    let mut guesses = vec![("no click".to_string(), constant)];
    for (name, history) in [("fm", &flat), ("deepfm", &history)] {
        let epochs = best_and_last(history).into_iter();
        guesses.extend(epochs.map(|(epoch, quality)| (format!("{name}, after epoch {epoch}"), quality)));
    }
    nb.say(quality_table(guesses))?;
    nb.metric("no_click_acc", constant.accuracy)
}

#[cfg(test)]
mod tests {
    use d2l::data::ArrayLoader;
    use d2l::ops::binary_cross_entropy_with_logits;

    use super::*;

    const CPU: Device = Device::Cpu;

    fn net(dropout: f64) -> Result<(DeepFactorizationMachine, Parameters)> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        let net = DeepFactorizationMachine::new(&[2, 3, 2], 4, &[8, 6], dropout, &parameters.builder())?;
        Ok((net, parameters))
    }

    fn rows() -> Result<Tensor> {
        Tensor::new(&[[0u32, 2, 5], [1, 3, 6], [0, 4, 6], [1, 2, 6]], &CPU)
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let (net, parameters) = net(0.0)?;
        // Vectors and weights of 7 numbers, the machine's own output, and layers of 12, 8, 6 and 1.
        assert_eq!(parameters.count(), 7 * 4 + 7 + 2 + (13 * 8 + 9 * 6 + 7));
        let logits = net.forward_t(&rows()?, true)?;
        assert_eq!(logits.dims(), [4]);
        let clicks = Tensor::new(&[1f32, 0.0, 0.0, 1.0], &CPU)?;
        let loss = binary_cross_entropy_with_logits(&logits, &clicks, Reduction::Mean)?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)
    }

    #[test]
    fn without_the_perceptron_it_is_a_factorization_machine() -> Result<()> {
        let (net, parameters) = net(0.0)?;
        let before = net.forward_t(&rows()?, false)?.to_vec1::<f32>()?;
        for name in ["mlp.output.weight", "mlp.output.bias"] {
            let variable = parameters.get(name).expect(name);
            variable.set(&variable.zeros_like()?)?;
        }
        let after = net.forward_t(&rows()?, false)?.to_vec1::<f32>()?;
        let machine = net.machine.forward(&rows()?)?.to_vec1::<f32>()?;
        assert!(after.iter().zip(&machine).all(|(a, b)| (a - b).abs() < 1e-6), "{after:?} {machine:?}");
        assert!(before.iter().zip(&machine).any(|(a, b)| (a - b).abs() > 1e-3), "{before:?}");
        Ok(())
    }

    #[test]
    fn units_are_dropped_in_training_alone() -> Result<()> {
        let (net, _) = net(0.5)?;
        let logits = |train| net.forward_t(&rows()?, train)?.to_vec1::<f32>();
        assert_eq!(logits(false)?, logits(false)?);
        assert_ne!(logits(true)?, logits(true)?);
        Ok(())
    }

    /// A click where an odd number of three fields has its second category: no pair of them tells anything.
    fn parity() -> Result<(Tensor, Tensor)> {
        let bits = (0..64u32).map(|row| [row % 2, row / 2 % 2, row / 4 % 2]);
        let rows: Vec<[u32; 3]> = bits.clone().map(|[a, b, c]| [a, 2 + b, 4 + c]).collect();
        let clicks: Vec<f32> = bits.map(|[a, b, c]| ((a + b + c) % 2) as f32).collect();
        Ok((Tensor::from_vec(rows.concat(), (64, 3), &CPU)?, Tensor::new(clicks, &CPU)?))
    }

    #[test]
    fn what_three_categories_mean_together_takes_the_perceptron() -> Result<(), Box<dyn std::error::Error>> {
        fn loss(
            build: impl FnOnce(&VarBuilder) -> Result<Box<dyn ModuleT>>,
        ) -> Result<Option<f64>, Box<dyn std::error::Error>> {
            let (x, y) = parity()?;
            let (mut train, mut test) =
                (ArrayLoader::from_tensors(&x, &y, 16)?, ArrayLoader::from_tensors(&x, &y, 64)?);
            let parameters = Parameters::new(&Random::new(1), &CPU);
            let net = build(&parameters.builder())?;
            let net = |x: &Tensor| net.forward_t(x, false);
            let history = train_clicks(Trainer::new(60), &net, &parameters, &mut train, &mut test, 0.02)?;
            Ok(history.last("test_log_loss"))
        }
        let deep =
            loss(|vb| Ok(Box::new(DeepFactorizationMachine::new(&[2, 2, 2], 4, &[16, 8], 0.0, vb)?)))?.expect("a loss");
        let flat = loss(|vb| Ok(Box::new(FactorizationMachine::new(6, 4, vb)?)))?.expect("a loss");
        assert!(deep < 0.05 && flat > 0.6, "{deep} {flat}");
        Ok(())
    }
}

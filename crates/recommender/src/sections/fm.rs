//! 16.9 Factorization Machines
//!
//! Clicks guessed from the categories of a row and from all pairs of them, at a cost that grows with the number of fields and
//! not with that of pairs.
//!
//! `cargo run --release -p recommender -- fm`
//! Thirty epochs on Avazu's rows: training accuracy 0.91; AUC of the test rows 0.66 to 0.69, after 0.74 or more within the
//! first ten. Of its guesses 0.78 are right, while always guessing no click gets 0.815.

use d2l::data::ArrayLoader;
use d2l::nn::{Embedding, Linear, init};
use d2l::ops::{binary_cross_entropy_with_logits, sum, sum_keepdim};
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::train::TrainError;

use crate::ad_clicks::AdClicks;
use crate::click_evaluation::{ClickQuality, best_and_last, count_right, quality_table};

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
    #[arg(long, default_value_t = NUM_FACTORS, value_parser = count)]
    pub num_factors: usize,
    /// Learning rate
    #[arg(long, default_value_t = LEARNING_RATE, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training rows
    #[arg(long, default_value_t = 30, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { batch_size: 64, num_epochs: 4 } }

/// The book's factors of a category.
pub const NUM_FACTORS: usize = 20;
/// The book's learning rate.
pub const LEARNING_RATE: f64 = 0.02;

/// The sum of the products of all pairs of a row's vectors, from `(batch, fields, factors)` to `(batch, 1)`, in time that is
/// linear in the fields: half of the squared sum without the sum of squares.
pub fn interactions(vectors: &Tensor) -> Result<Tensor> {
    let square_of_sum = sum(vectors, 1)?.sqr()?; // (batch, factors)
    let sum_of_square = sum(&vectors.sqr()?, 1)?; // (batch, factors)
    sum_keepdim(&(square_of_sum - sum_of_square)?, 1)? * 0.5 // (batch, 1)
}

/// [`interactions`] as they are defined, pair by pair.
pub fn interactions_by_pair(vectors: &Tensor) -> Result<Tensor> {
    let (batch, fields, _) = vectors.dims3()?;
    let mut total = Tensor::zeros((batch, 1), vectors.dtype(), vectors.device())?;
    for first in 0..fields {
        for second in first + 1..fields {
            let products = (vectors.narrow(1, first, 1)? * vectors.narrow(1, second, 1)?)?; // (batch, 1, factors)
            total = (total + sum(&products, 2)?)?; // (batch, 1)
        }
    }
    Ok(total)
}

/// A factorization machine of degree two on rows of categories.
///
/// Its score is a logit. The book's net goes on to a probability, which its loss takes for a logit once more, so that nothing
/// it can learn is below one half.
#[doc(alias = "FM")]
pub struct FactorizationMachine {
    /// A vector for each category, of which pairs are multiplied.
    pub embedding: Embedding,
    weights: Embedding,
    linear: Linear,
}

impl FactorizationMachine {
    /// A machine for categories with numbers below `features`, with vectors of `factors` each.
    pub fn new(features: usize, factors: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            embedding: Embedding::new(features, factors, &vb.pp("embedding"))?,
            weights: Embedding::new(features, 1, &vb.pp("weights"))?,
            linear: Linear::new(1, 1, &vb.pp("linear"))?,
        })
    }

    /// The score of rows of numbers `(batch, fields)` whose vectors are `(batch, fields, factors)`, as `(batch, 1)`: a bias, a
    /// weight for each category, and a product for each pair of them.
    pub fn score(&self, x: &Tensor, vectors: &Tensor) -> Result<Tensor> {
        let weights = sum(&self.weights.forward(x)?, 1)?; // (batch, fields, 1) -> (batch, 1)
        self.linear.forward(&weights)? + interactions(vectors)?
    }
}

impl Module for FactorizationMachine {
    /// From numbers of categories `(batch, fields)` to logits `(batch)`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let vectors = self.embedding.forward(x)?; // (batch, fields, factors)
        self.score(x, &vectors)?.squeeze(1) // (batch, 1) -> (batch)
    }
}

/// Trains a net that gives logits `(batch)` by Adam, from weights by Xavier's distribution and biases of 0. The history has
/// the `train_loss` and `train_acc` of each epoch, and of the test rows `test_acc`, `test_auc` and `test_log_loss`.
///
/// # Errors
/// As [`Trainer::run`] and [`ClickQuality::of`].
pub fn train_clicks<'a>(
    trainer: Trainer<'a>,
    net: &'a impl ModuleT,
    parameters: &Parameters,
    train: &mut ArrayLoader,
    test: &'a mut ArrayLoader,
    lr: f64,
) -> Result<History, TrainError> {
    parameters.initialize(|_, shape| {
        Ok(Some(if shape.rank() > 1 { init::xavier_uniform(shape)? } else { init::constant(0.0) }))
    })?;
    let mut optimizer = Adam::new(parameters, lr);
    let trainer = trainer.with(parameters).with(&optimizer).each_epoch(move |epoch| {
        let quality = ClickQuality::of(net, test)?;
        epoch.metric("test_acc", quality.accuracy)?;
        epoch.metric("test_auc", quality.auc)?;
        epoch.metric("test_log_loss", quality.log_loss)
    });
    trainer.run(train, |step, (x, y)| {
        let logits = net.forward_t(&x, true)?; // (batch)
        let loss = binary_cross_entropy_with_logits(&logits, &y, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.metric("train_acc", count_right(&logits, &y)? as f64, y.elem_count() as f64)?;
        step.loss(&loss, y.elem_count())
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("An efficient optimization criterion")?;
    let (fields, factors) = (34, config.num_factors);
    let vectors = nb.normal((8, fields, factors))?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let (linear, by_pair) = (interactions(&vectors)?, interactions_by_pair(&vectors)?);
    let difference = (linear - &by_pair)?.abs()?.max_all()?.to_scalar::<f64>()?;
    let largest = by_pair.abs()?.max_all()?.to_scalar::<f64>()?;
    nb.say(format!(
        "eight rows of {fields} fields: scores up to {largest:.1}, both ways alike but for {difference:.0e}"
    ))?;
    let products = (fields * (fields - 1) / 2 * factors, (fields + 1) * factors);
    nb.say(format!("products for a row: {} by pair, {} in linear time", products.0, products.1))?;
    nb.metric("interaction_difference", difference)?;

    nb.cell("Model implementation")?;
    let parameters = nb.parameters();
    let small = FactorizationMachine::new(6, 2, &parameters.builder())?;
    for (name, variable) in parameters.trained() {
        nb.say(format!("{name} {:?}", variable.dims()))?;
    }
    let x = Tensor::new(&[[0u32, 3, 5], [1, 4, 5]], nb.device())?; // (2, 3)
    nb.show("logits", small.forward(&x)?.detach())?; // (2)

    nb.cell("Load the advertising dataset")?;
    let clicks = nb.load::<AdClicks>()?;
    let shuffle = nb.stream(Purpose::Shuffling, "training rows");
    let (mut train, mut test, map) = clicks.load(config.min_threshold, config.batch_size, shuffle, nb.device())?;
    let (rows, tests, fields) = (train.examples(), test.examples(), map.field_dims().len());
    nb.say(format!("{rows} training rows, {tests} test rows, {fields} fields, {} numbers", map.features()))?;

    nb.cell("Train the model")?;
    let parameters = nb.parameters();
    let net = FactorizationMachine::new(map.features(), config.num_factors, &parameters.builder())?;
    nb.say(format!("{} parameters", parameters.count()))?;
    let trainer = nb.trainer(config.num_epochs);
    let history = train_clicks(trainer, &net, &parameters, &mut train, &mut test, config.lr)?;
    nb.training(&history)?;

    nb.cell("Beside guesses without a model")?;
    let rate = clicks.train.click_rate();
    let constant = ClickQuality::of_probability(rate, clicks.test.clicks())?;
    let mut guesses = vec![(format!("no click, with the probability {rate:.3} of one"), constant)];
    let epochs = best_and_last(&history);
    guesses.extend(epochs.iter().map(|&(epoch, quality)| (format!("after epoch {epoch}"), quality)));
    nb.say(quality_table(guesses))?;
    nb.metric("no_click_acc", constant.accuracy)?;
    nb.metric("no_click_log_loss", constant.log_loss)?;
    if let Some((_, best)) = epochs.first() {
        nb.metric("best_log_loss", best.log_loss)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CPU: Device = Device::Cpu;

    fn machine() -> Result<(FactorizationMachine, Parameters)> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        Ok((FactorizationMachine::new(6, 2, &parameters.builder())?, parameters))
    }

    fn set(parameters: &Parameters, name: &str, values: &[f32]) -> Result<()> {
        let variable = parameters.get(name).expect(name);
        variable.set(&Tensor::from_slice(values, variable.shape(), &CPU)?)
    }

    #[test]
    fn scores_are_bias_weights_and_products_of_pairs() -> Result<()> {
        let (net, parameters) = machine()?;
        set(&parameters, "embedding.weight", &[1.0, 2.0, 0.0, 1.0, -1.0, 0.5, 3.0, -2.0, 0.5, 0.5, 2.0, 1.0])?;
        set(&parameters, "weights.weight", &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])?;
        set(&parameters, "linear.weight", &[2.0])?;
        set(&parameters, "linear.bias", &[-1.0])?;
        let logits = net.forward(&Tensor::new(&[[0u32, 2, 5], [1, 3, 4]], &CPU)?)?.to_vec1::<f32>()?;
        // Vectors (1, 2), (-1, 0.5), (2, 1), with products 0, 4 and -1.5 and weights of 1 in all; then (0, 1), (3, -2),
        // (0.5, 0.5), with products -2, 0.5 and 0.5 and weights of 1.1.
        let expected: [f32; 2] = [(2.0 - 1.0) + (4.0 - 1.5), (2.2 - 1.0) + (0.5 + 0.5 - 2.0)];
        for (logit, expected) in logits.into_iter().zip(expected) {
            assert!((logit - expected).abs() < 1e-5, "{logit}, not {expected}");
        }
        Ok(())
    }

    #[test]
    fn one_field_has_no_pairs() -> Result<()> {
        let vectors = Tensor::new(&[[[1f64, -2.0]], [[3.0, 0.5]]], &CPU)?;
        assert_eq!(interactions(&vectors)?.to_vec2::<f64>()?, [[0.0], [0.0]]);
        assert_eq!(interactions_by_pair(&vectors)?.to_vec2::<f64>()?, [[0.0], [0.0]]);
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let (net, parameters) = machine()?;
        let logits = net.forward(&Tensor::new(&[[0u32, 2, 5], [1, 3, 4]], &CPU)?)?;
        let clicks = Tensor::new(&[1f32, 0.0], &CPU)?;
        let loss = binary_cross_entropy_with_logits(&logits, &clicks, Reduction::Mean)?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)
    }

    /// Clicks that depend on a pair of categories and on neither alone.
    fn pairs() -> Result<(Tensor, Tensor)> {
        let rows: Vec<[u32; 2]> = (0..64).map(|row| [row % 2, 2 + row / 2 % 2]).collect();
        let clicks: Vec<f32> = rows.iter().map(|[a, b]| if a + 2 == *b { 1.0 } else { 0.0 }).collect();
        Ok((Tensor::from_vec(rows.concat(), (64, 2), &CPU)?, Tensor::new(clicks, &CPU)?))
    }

    #[test]
    fn what_two_categories_mean_together_is_learned() -> Result<(), Box<dyn std::error::Error>> {
        let (x, y) = pairs()?;
        let (mut train, mut test) = (ArrayLoader::from_tensors(&x, &y, 16)?, ArrayLoader::from_tensors(&x, &y, 64)?);
        let parameters = Parameters::new(&Random::new(1), &CPU);
        let net = FactorizationMachine::new(4, 3, &parameters.builder())?;
        let history = train_clicks(Trainer::new(30), &net, &parameters, &mut train, &mut test, 0.05)?;
        assert!(history.last("train_loss") < Some(0.05), "{:?}", history.metric("train_loss"));
        let last = |name| history.last(name);
        assert_eq!(["train_acc", "test_acc", "test_auc"].map(last), [Some(1.0); 3]);
        let (best, quality) = best_and_last(&history)[0];
        assert!(best > 20 && quality.log_loss < 0.05, "{best}: {quality:?}");
        Ok(())
    }

    proptest! {
        #[test]
        fn linear_time_gives_the_double_sum(
            (fields, factors, values) in (1usize..9, 1usize..6).prop_flat_map(|(fields, factors)| {
                (Just(fields), Just(factors), prop::collection::vec(-3f64..3.0, 2 * fields * factors))
            }),
        ) {
            let vectors = Tensor::from_vec(values, (2, fields, factors), &CPU).unwrap();
            let linear = interactions(&vectors).unwrap().to_vec2::<f64>().unwrap();
            let by_pair = interactions_by_pair(&vectors).unwrap().to_vec2::<f64>().unwrap();
            let numbers = vectors.to_vec3::<f64>().unwrap();
            for ((linear, by_pair), vectors) in linear.iter().zip(&by_pair).zip(&numbers) {
                let pairs = (0..fields).flat_map(|second| (0..second).map(move |first| (first, second)));
                let product = |(a, b): (usize, usize)| vectors[a].iter().zip(&vectors[b]).map(|(a, b)| a * b).sum::<f64>();
                let expected = pairs.map(product).sum::<f64>();
                prop_assert!((linear[0] - expected).abs() < 1e-10, "{linear:?} {expected}");
                prop_assert!((by_pair[0] - expected).abs() < 1e-10, "{by_pair:?} {expected}");
            }
        }
    }
}

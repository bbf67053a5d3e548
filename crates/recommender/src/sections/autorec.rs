//! 16.4 AutoRec: Rating Prediction with Autoencoders
//!
//! A net reads the ratings that a movie got and writes what it gets from everyone, those who have not rated it among them.
//!
//! `cargo run --release -p recommender -- autorec`
//! Twenty-five epochs, a minute at most: test RMSE 0.89 to 0.91, below that of matrix factorization.

use d2l::nn::{Dropout, Linear, init};
use d2l::ops::{sigmoid, squared_loss};
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::train::TrainError;

use crate::interactions::Interactions;
use crate::movielens::MovieLens;
use crate::rating_batches::ItemRows;
use crate::ratings::Ratings;
use crate::splits::{Split, SplitMode};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Share of the ratings that are kept for the test
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub test_ratio: f64,
    /// Movies a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// Hidden units
    #[arg(long, default_value_t = 500, value_parser = count)]
    pub num_hidden: usize,
    /// Share of the hidden units that are dropped in training
    #[arg(long, default_value_t = 0.05, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.002, value_parser = positive)]
    pub lr: f64,
    /// Weight decay
    #[arg(long, default_value_t = 1e-5, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Passes over the movies
    #[arg(long, default_value_t = 25, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { batch_size: 16, num_hidden: 20, lr: 0.01, num_epochs: 4 } }

/// The item-based AutoRec (Sedhain et al., 2015): from ratings of an item by all users to the same ratings.
pub struct AutoRec {
    encoder: Linear,
    dropout: Dropout,
    decoder: Linear,
}

impl AutoRec {
    /// A net for so many users; weights are drawn from `N(0, 0.01²)`, biases are 0.
    pub fn new(num_hidden: usize, num_users: usize, dropout: f64, vb: &VarBuilder) -> Result<Self> {
        let layer = |name: &str, inputs, outputs| {
            Linear::with_init(inputs, outputs, &vb.pp(name), init::normal(0.01), init::constant(0.0))
        };
        Ok(Self {
            encoder: layer("encoder", num_users, num_hidden)?,
            dropout: Dropout::new(dropout, &vb.pp("dropout"))?,
            decoder: layer("decoder", num_hidden, num_users)?,
        })
    }
}

impl ModuleT for AutoRec {
    /// From ratings `(batch, users)`, 0 where there is none, to ratings `(batch, users)`. In training, those that were not given are
    /// 0, so that no gradient comes from them.
    fn forward_t(&self, ratings: &Tensor, train: bool) -> Result<Tensor> {
        let hidden = sigmoid(&self.encoder.forward(ratings)?)?; // (batch, hidden)
        let predicted = self.decoder.forward(&self.dropout.forward_t(&hidden, train)?)?; // (batch, users)
        if train { predicted * ratings.sign()? } else { Ok(predicted) }
    }
}

/// The predicted ratings of all items by all users, `(items, users)`.
pub fn reconstruct(net: &AutoRec, known: &ItemRows) -> Result<Tensor> {
    Ok(net.forward_t(known.matrix(), false)?.detach())
}

/// The root of the mean squared error of predictions `(items, users)` over the ratings of a test set that `counts` accepts; NaN
/// where it accepts none.
#[doc(alias = "evaluator")]
pub fn evaluate(predicted: &Tensor, test: &Ratings, counts: impl Fn(u32) -> bool) -> Result<f64> {
    let predicted = predicted.to_vec2::<f32>()?;
    let rows = test.rows().iter().filter(|row| counts(row.item));
    let (sum, count) = rows.fold((0f64, 0usize), |(sum, count), row| {
        let error = row.rating - predicted[row.item as usize][row.user as usize];
        (sum + f64::from(error).powi(2), count + 1)
    });
    Ok((sum / count as f64).sqrt())
}

/// Trains by Adam on half the squared error, the mean over all entries of the matrix as in the book, those that are not known counted
/// with 0; the history has the `test_rmse` of each epoch.
///
/// # Errors
/// As [`Trainer::run`].
pub fn train<'a>(
    trainer: Trainer<'a>,
    net: &'a AutoRec,
    parameters: &Parameters,
    known: &'a ItemRows,
    test: &'a Ratings,
    items: &mut Loader<ItemRows>,
    config: &Config,
) -> Result<History, TrainError> {
    let mut optimizer = Adam::new(parameters, config.lr).weight_decay(config.weight_decay);
    let trainer = trainer.with(parameters).with(&optimizer);
    let trainer = trainer.each_epoch(move |epoch| {
        let rmse = evaluate(&reconstruct(net, known)?, test, |_| true)?;
        epoch.metric("test_rmse", rmse)
    });
    trainer.run(items, |step, ratings| {
        let loss = squared_loss(&net.forward_t(&ratings, true)?, &ratings, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, ratings.dim(0)?)
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Model")?;
    let set = nb.load::<MovieLens>()?;
    let mode = SplitMode::Random { test_ratio: config.test_ratio };
    let Split { train: ratings, test } = mode.split(&set.ratings, &mut nb.stream(Purpose::Sampling, "split"))?;
    let known = ItemRows::new(&ratings, nb.device())?;
    nb.say(format!("ratings {:?}, of which {:.4} are known", known.matrix().dims(), 1.0 - ratings.sparsity()))?;

    nb.cell("Implementing the model")?;
    let parameters = nb.parameters();
    let net = AutoRec::new(config.num_hidden, ratings.num_users(), config.dropout, &parameters.builder())?;
    nb.say(format!("{} parameters", parameters.count()))?;
    let batch = known.batch(&[0, 1], nb.device())?; // (2, users)
    let unknown = |x: &Tensor| x.eq(0f32)?.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>();
    nb.say(format!("zeros among the ratings of two movies: {}", unknown(&batch)?))?;
    nb.say(format!("zeros in what the net makes of them in training: {}", unknown(&net.forward_t(&batch, true)?)?))?;
    nb.say(format!("zeros in what it predicts: {}", unknown(&net.forward_t(&batch, false)?)?))?;

    nb.cell("Reimplementing the evaluator")?;
    let untrained = evaluate(&reconstruct(&net, &known)?, &test, |_| true)?;
    nb.say(format!("test RMSE before training {untrained:.3}"))?;

    nb.cell("Training and evaluating the model")?;
    let shuffle = nb.stream(Purpose::Shuffling, "movies");
    let mut items = Loader::<ItemRows>::new(known.clone(), config.batch_size, nb.device())?.shuffled(shuffle);
    let history = train(nb.trainer(config.num_epochs), &net, &parameters, &known, &test, &mut items, config)?;
    nb.training(&history)?;

    nb.cell("Movies with many ratings and with few")?;
    let popularity = Interactions::new(&ratings).popularity();
    let predicted = reconstruct(&net, &known)?;
    let mut table = Table::new(["known ratings of the movie", "test ratings", "test RMSE"]);
    for (least, most) in [(0, 9), (10, 49), (50, 199), (200, usize::MAX)] {
        let counts = |item: u32| (least..=most).contains(&popularity[item as usize]);
        let number = test.rows().iter().filter(|row| counts(row.item)).count();
        if number > 0 {
            let known = if most == usize::MAX { format!("{least} or more") } else { format!("{least} to {most}") };
            table.row([known, number.to_string(), format!("{:.3}", evaluate(&predicted, &test, counts)?)]);
        }
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratings::Rating;

    const CPU: Device = Device::Cpu;

    fn net(num_users: usize) -> Result<(AutoRec, Parameters)> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        Ok((AutoRec::new(6, num_users, 0.0, &parameters.builder())?, parameters))
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let (net, parameters) = net(3)?;
        let ratings = Tensor::new(&[[5f32, 0.0, 1.0], [0.0, 3.0, 0.0]], &CPU)?;
        let loss = squared_loss(&net.forward_t(&ratings, true)?, &ratings, Reduction::Mean)?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)
    }

    #[test]
    fn what_is_not_known_gives_no_gradient() -> Result<()> {
        let (net, _) = net(3)?;
        let ratings = Tensor::new(&[[5f32, 0.0, 1.0], [4.0, 0.0, 0.0]], &CPU)?;
        let predicted = net.forward_t(&ratings, true)?;
        assert_eq!(predicted.to_vec2::<f32>()?.concat().iter().filter(|x| **x == 0.0).count(), 3);
        let grads = backward(&squared_loss(&predicted, &ratings, Reduction::Sum)?)?;
        let bias = net.decoder.bias().map(|bias| grads.get(bias)?.to_vec1::<f32>()).transpose()?.unwrap_or_default();
        assert!(bias[0] < 0.0 && bias[1] == 0.0 && bias[2] < 0.0, "{bias:?}");
        let weight = grads.get(net.decoder.weight())?.to_vec2::<f32>()?;
        assert!(weight[1].iter().all(|&g| g == 0.0) && weight[2].iter().all(|&g| g != 0.0), "{weight:?}");
        Ok(())
    }

    /// Of 12 items, which all of 20 users like where they are even.
    fn good_and_bad() -> Ratings {
        let rating = |n: u32| {
            let (user, item) = (n / 12, n % 12);
            Rating { user, item, rating: if item % 2 == 0 { 5.0 } else { 1.0 }, timestamp: n }
        };
        Ratings::new((0..240).map(rating).collect(), 20, 12).expect("ratings")
    }

    #[test]
    fn only_test_ratings_are_judged() -> anyhow::Result<()> {
        let rating = |user, item, rating| Rating { user, item, rating, timestamp: 0 };
        let test = Ratings::new(vec![rating(0, 0, 5.0), rating(1, 2, 1.0)], 2, 3)?;
        let predicted = Tensor::new(&[[4f32, 9.0], [9.0, 9.0], [9.0, 3.0]], &CPU)?; // (items, users)
        assert_eq!(evaluate(&predicted, &test, |_| true)?, 2.5f64.sqrt());
        assert_eq!(evaluate(&predicted, &test, |item| item == 2)?, 2.0);
        assert!(evaluate(&predicted, &test, |item| item == 1)?.is_nan());
        Ok(())
    }

    #[test]
    fn what_is_good_is_learned_from_other_ratings() -> anyhow::Result<()> {
        let random = Random::new(1);
        let mode = SplitMode::Random { test_ratio: 0.1 };
        let Split { train: ratings, test } =
            mode.split(&good_and_bad(), &mut random.stream(Purpose::Sampling, "split"))?;
        let known = ItemRows::new(&ratings, &CPU)?;
        let (net, parameters) = net(20)?;
        let mut items =
            Loader::<ItemRows>::new(known.clone(), 4, &CPU)?.shuffled(random.stream(Purpose::Shuffling, "items"));
        let config = Config {
            test_ratio: 0.1,
            batch_size: 4,
            num_hidden: 6,
            dropout: 0.0,
            lr: 0.03,
            weight_decay: 0.0,
            num_epochs: 60,
        };
        let trainer = Trainer::new(config.num_epochs).random(&random);
        let history = train(trainer, &net, &parameters, &known, &test, &mut items, &config)?;
        let errors = history.metric("test_rmse");
        assert!(errors.len() == 60 && errors[59] < 0.6, "{errors:?}");
        Ok(())
    }
}

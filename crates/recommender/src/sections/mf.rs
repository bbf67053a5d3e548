//! 16.3 Matrix Factorization
//!
//! A vector and a bias for each user and each movie: their products come near the ratings, those not seen in training among
//! them; and the ten movies that one user would like best. The test is the last rating of each user, as the book's code has it,
//! and then a random tenth.
//!
//! `cargo run --release -p recommender -- mf`
//! Twenty epochs twice, a minute at most: test RMSE 1.04 of the last ratings, 0.92 of random ones. All movies are ranked for all
//! users in less than a second.

use std::time::Instant;

use anyhow::ensure;
use d2l::nn::{Embedding, init};
use d2l::ops::{matmul, squared_loss, sum};
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::train::TrainError;

use crate::item_similarity::neighborhood_rmse;
use crate::movielens::MovieLens;
use crate::ranking_evaluation::{CUTOFF, RankingTest};
use crate::rating_batches::RatingExamples;
use crate::recommendations::Recommendations;
use crate::splits::{Split, SplitMode, sequence_aware};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Share of the ratings that the random split keeps for the test
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub test_ratio: f64,
    /// Ratings a minibatch
    #[arg(long, default_value_t = 512, value_parser = count)]
    pub batch_size: usize,
    /// Numbers that a user and a movie are described by
    #[arg(long, default_value_t = 30, value_parser = count)]
    pub num_factors: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.002, value_parser = positive)]
    pub lr: f64,
    /// Weight decay
    #[arg(long, default_value_t = 1e-5, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Passes over the training ratings
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_epochs: usize,
    /// The user to recommend movies to, from 0
    #[arg(long, default_value_t = 20)]
    pub user: usize,
    /// The movie whose rating by this user is predicted, from 0
    #[arg(long, default_value_t = 30)]
    pub movie: usize,
}

defaults! { Config: Smoke { batch_size: 64, lr: 0.02, num_epochs: 3 } }

/// Predicts a rating as the product of a user's and an item's vector plus a bias of each.
#[doc(alias = "MF")]
pub struct MatrixFactorization {
    user_embeddings: Embedding,
    item_embeddings: Embedding,
    user_bias: Embedding,
    item_bias: Embedding,
}

impl MatrixFactorization {
    /// Vectors of `num_factors` and biases for so many users and items, drawn from `N(0, 0.01²)`.
    pub fn new(num_factors: usize, num_users: usize, num_items: usize, vb: &VarBuilder) -> Result<Self> {
        let table = |name: &str, rows, width| Embedding::with_init(rows, width, &vb.pp(name), init::normal(0.01));
        Ok(Self {
            user_embeddings: table("user_embeddings", num_users, num_factors)?,
            item_embeddings: table("item_embeddings", num_items, num_factors)?,
            user_bias: table("user_bias", num_users, 1)?,
            item_bias: table("item_bias", num_items, 1)?,
        })
    }

    /// The ratings of items by users, `(batch)` each in `u32`: `(batch)`.
    pub fn forward(&self, users: &Tensor, items: &Tensor) -> Result<Tensor> {
        let (p, q) = (self.user_embeddings.forward(users)?, self.item_embeddings.forward(items)?); // (batch, factors)
        let biases = (self.user_bias.forward(users)? + self.item_bias.forward(items)?)?.squeeze(1)?; // (batch)
        sum(&(p * q)?, 1)? + biases
    }

    /// The ratings of all items by some users, `(users)` in `u32`: `(users, items)`, by one product of matrices.
    pub fn of_all_items(&self, users: &Tensor) -> Result<Tensor> {
        let products = matmul(&self.user_embeddings.forward(users)?, &self.item_embeddings.weight().t()?)?; // (users, items)
        let ratings = products.broadcast_add(&self.user_bias.forward(users)?)?;
        ratings.broadcast_add(&self.item_bias.weight().t()?)
    }
}

/// The root of the mean squared error over all ratings of a loader. The book takes the mean of such roots, each over one
/// minibatch more than the one before.
#[doc(alias = "evaluator")]
pub fn evaluate(net: &MatrixFactorization, ratings: &mut Loader<RatingExamples>) -> Result<f64> {
    let (mut squares, mut count) = (0.0, 0);
    for batch in ratings.epoch() {
        let batch = batch?;
        let error = (net.forward(&batch.users, &batch.items)?.detach() - &batch.ratings)?; // (batch)
        squares += f64::from(error.sqr()?.sum_all()?.to_scalar::<f32>()?);
        count += error.elem_count();
    }
    Ok((squares / count as f64).sqrt())
}

/// Trains by Adam on half the squared error; the history has the `test_rmse` of each epoch.
///
/// # Errors
/// As [`Trainer::run`].
#[doc(alias = "train_recsys_rating")]
pub fn train<'a>(
    trainer: Trainer<'a>,
    net: &'a MatrixFactorization,
    parameters: &Parameters,
    ratings: &mut Loader<RatingExamples>,
    test: &'a mut Loader<RatingExamples>,
    config: &Config,
) -> Result<History, TrainError> {
    let mut optimizer = Adam::new(parameters, config.lr).weight_decay(config.weight_decay);
    let trainer = trainer.with(parameters).with(&optimizer);
    let trainer = trainer.each_epoch(move |epoch| epoch.metric("test_rmse", evaluate(net, test)?));
    trainer.run(ratings, |step, batch| {
        let predicted = net.forward(&batch.users, &batch.items)?; // (batch)
        let loss = squared_loss(&predicted, &batch.ratings, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, batch.ratings.elem_count())
    })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The matrix factorization model")?;
    let set = nb.load::<MovieLens>()?;
    let (num_users, num_items) = (set.ratings.num_users(), set.ratings.num_items());
    ensure!(config.movie < num_items, "--movie {}: there are {num_items} movies, the first is 0", config.movie);
    let split = sequence_aware(&set.ratings)?;
    let known = split.train.clone();
    let films = Recommendations::new(&set, &known, config.user)?;
    let parameters = nb.parameters();
    let net = MatrixFactorization::new(config.num_factors, num_users, num_items, &parameters.builder())?;
    nb.say(format!("{} ratings to learn from, {} to test with", known.len(), split.test.len()))?;
    nb.say(format!("{} parameters for a matrix of {} ratings", parameters.count(), num_users * num_items))?;

    nb.cell("Model implementation")?;
    let (users, items) = (Tensor::new(&[0u32, 0, 1], nb.device())?, Tensor::new(&[0u32, 1, 1], nb.device())?);
    nb.show("ratings before training", net.forward(&users, &items)?.detach())?; // (3)

    nb.cell("Evaluation measures")?;
    let ranking = RankingTest::new(&split, CUTOFF)?;
    let (mut ratings, mut test) =
        split.clone().loaders(config.batch_size, nb.stream(Purpose::Shuffling, "ratings"), nb.device())?;
    nb.say(format!("test RMSE before training {:.3}", evaluate(&net, &mut test)?))?;

    nb.cell("Training and evaluating the model")?;
    let trainer = nb.trainer(config.num_epochs);
    let history = train(trainer, &net, &parameters, &mut ratings, &mut test, config)?;
    nb.training(&history)?;

    nb.cell("Two ways to split, and neighborhoods")?;
    let mut table = Table::new(["split", "test ratings", "matrix factorization", "neighborhoods"]);
    let last = |history: &History| history.last("test_rmse").unwrap_or(f64::NAN);
    let neighbors = neighborhood_rmse(&split, nb.device())?;
    let cells = |name: &str, split: &Split, errors: [f64; 2]| {
        let [factors, neighbors] = errors.map(|error| format!("{error:.4}"));
        [name.to_string(), split.test.len().to_string(), factors, neighbors]
    };
    table.row(cells("the last of each user", &split, [last(&history), neighbors]));
    nb.metric("test_rmse_neighbors", neighbors)?;
    let mode = SplitMode::Random { test_ratio: config.test_ratio };
    let random = mode.split(&set.ratings, &mut nb.stream(Purpose::Sampling, "split"))?;
    let others = nb.parameters();
    let other = MatrixFactorization::new(config.num_factors, num_users, num_items, &others.builder())?;
    let (mut ratings, mut test) =
        random.clone().loaders(config.batch_size, nb.stream(Purpose::Shuffling, "random split"), nb.device())?;
    let trainer = nb.trainer(config.num_epochs).named("random-split");
    let history = train(trainer, &other, &others, &mut ratings, &mut test, config)?;
    nb.training_of("random-split", &history)?;
    let neighbors = neighborhood_rmse(&random, nb.device())?;
    table.row(cells("random", &random, [last(&history), neighbors]));
    nb.metric("test_rmse_neighbors_random-split", neighbors)?;
    nb.say(table)?;

    nb.cell("A rating that is not known")?;
    let (user, movie) = (config.user as u32, config.movie as u32);
    let (users, items) = (Tensor::new(&[user], nb.device())?, Tensor::new(&[movie], nb.device())?);
    let stars = net.forward(&users, &items)?.detach().to_vec1::<f32>()?[0];
    nb.say(format!("user {user} might give {} {stars:.2} stars", set.movies[config.movie]))?;

    nb.cell("Ten movies for one user")?;
    let all = net.of_all_items(&users)?.detach().squeeze(0)?.to_vec1::<f32>()?;
    let scores: Vec<f32> = films.unseen().iter().map(|&item| all[item as usize]).collect();
    films.show(nb, &scores, 10)?;

    nb.cell("All movies for all users")?;
    let (started, device) = (Instant::now(), nb.device().clone());
    let quality = ranking.evaluate(|users| net.of_all_items(&Tensor::new(users, &device)?))?;
    let seconds = started.elapsed().as_secs_f64();
    nb.say(format!("{num_users} users by {num_items} movies ranked in {seconds:.2} seconds"))?;
    nb.say(format!("of the test movies {:.3} are among the first {CUTOFF}; AUC {:.3}", quality.hit_rate, quality.auc))?;
    nb.metric("hit_rate_by_rating", quality.hit_rate)?;
    nb.metric("auc_by_rating", quality.auc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratings::{Rating, Ratings};

    const CPU: Device = Device::Cpu;

    fn net() -> Result<(MatrixFactorization, Parameters)> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        Ok((MatrixFactorization::new(3, 4, 5, &parameters.builder())?, parameters))
    }

    #[test]
    fn a_rating_is_a_product_and_two_biases() -> Result<()> {
        let (net, parameters) = net()?;
        let values = |name: &str| parameters.get(name).map(|value| value.to_vec2::<f32>()).transpose();
        let table = |name: &str| values(&format!("{name}.weight")).map(Option::unwrap_or_default);
        let (p, q) = (table("user_embeddings")?, table("item_embeddings")?);
        let (b_user, b_item) = (table("user_bias")?, table("item_bias")?);
        let (users, items) = (Tensor::new(&[3u32, 0], &CPU)?, Tensor::new(&[4u32, 4], &CPU)?);
        let ratings = net.forward(&users, &items)?.to_vec1::<f32>()?;
        let all = net.of_all_items(&users)?.to_vec2::<f32>()?;
        for (place, (user, item)) in [(3, 4), (0, 4)].into_iter().enumerate() {
            let product: f32 = p[user].iter().zip(&q[item]).map(|(p, q)| p * q).sum();
            let expected = product + b_user[user][0] + b_item[item][0];
            assert!((ratings[place] - expected).abs() < 1e-6, "{ratings:?}");
            assert!((all[place][item] - expected).abs() < 1e-6, "{all:?}");
        }
        assert_eq!((all.len(), all[0].len()), (2, 5));
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let (net, parameters) = net()?;
        let (users, items) = (Tensor::new(&[1u32, 2, 1], &CPU)?, Tensor::new(&[0u32, 0, 3], &CPU)?);
        let ratings = Tensor::new(&[5f32, 1.0, 3.0], &CPU)?;
        let loss = squared_loss(&net.forward(&users, &items)?, &ratings, Reduction::Mean)?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)
    }

    /// Ratings by two kinds of users, who like the even and the odd items.
    fn opposites() -> Ratings {
        let rating = |n: u32| {
            let (user, item) = (n / 12, n % 12);
            Rating { user, item, rating: if user % 2 == item % 2 { 5.0 } else { 1.0 }, timestamp: n }
        };
        Ratings::new((0..240).map(rating).collect(), 20, 12).expect("ratings")
    }

    #[test]
    fn the_error_is_that_over_all_ratings() -> anyhow::Result<()> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        let net = MatrixFactorization::new(2, 20, 12, &parameters.builder())?;
        parameters
            .initialize(|name, _| Ok(Some(init::constant(if name == "item_bias.weight" { 3.0 } else { 0.0 }))))?;
        let mut loader = Loader::new(RatingExamples::new(opposites()), 7, &CPU)?;
        assert_eq!(evaluate(&net, &mut loader)?, 2.0);
        Ok(())
    }

    #[test]
    fn tastes_are_learned_from_other_ratings() -> anyhow::Result<()> {
        let random = Random::new(1);
        let mode = SplitMode::Random { test_ratio: 0.1 };
        let split = mode.split(&opposites(), &mut random.stream(Purpose::Sampling, "split"))?;
        let (mut ratings, mut test) = split.loaders(16, random.stream(Purpose::Shuffling, "ratings"), &CPU)?;
        let parameters = Parameters::new(&random, &CPU);
        let net = MatrixFactorization::new(4, 20, 12, &parameters.builder())?;
        let config = Config {
            test_ratio: 0.1,
            batch_size: 16,
            num_factors: 4,
            lr: 0.03,
            weight_decay: 1e-5,
            num_epochs: 30,
            user: 0,
            movie: 0,
        };
        let trainer = Trainer::new(config.num_epochs).random(&random);
        let history = train(trainer, &net, &parameters, &mut ratings, &mut test, &config)?;
        let errors = history.metric("test_rmse");
        assert!(errors.len() == 30 && errors[29] < 0.5, "{errors:?}");
        Ok(())
    }
}

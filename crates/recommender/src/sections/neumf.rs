//! 16.6 Neural Collaborative Filtering for Personalized Ranking
//!
//! Matrix factorization and a multilayer perceptron score movies together. They learn only which ones people rated, not how,
//! from pairs of a movie that a user rated and one that they did not.
//!
//! `cargo run --release -p recommender -- neumf`
//! Ten epochs: training loss 0.16; of the movies that users rated last, 0.33 to 0.35 among the fifty that the model puts first,
//! with an AUC of 0.88. Neighborhoods (section 16.1) have 0.30 and 0.84.

use std::time::Instant;

use d2l::nn::{Embedding, Linear, init};
use d2l::notebook::within;
use d2l::ops::{concat, relu};
use d2l::optim::Adam;
use d2l::prelude::*;

use crate::movielens::MovieLens;
use crate::negative_sampling::{PairwiseBatch, PairwiseExamples};
use crate::ranking_evaluation::{CUTOFF, RankingQuality, RankingTest, without_gradients};
use crate::ranking_training::{compare, recommend, train_ranking};
use crate::splits::sequence_aware;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs of movies a minibatch
    #[arg(long, default_value_t = 1024, value_parser = count)]
    pub batch_size: usize,
    /// Factors of a user and of a movie, in each of both parts
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_factors: usize,
    /// Hidden units of each layer of the perceptron
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_hiddens: usize,
    /// Layers of the perceptron
    #[arg(long, default_value_t = 3, value_parser = within::<1, 100>)]
    pub num_layers: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.01, value_parser = positive)]
    pub lr: f64,
    /// Weight decay
    #[arg(long, default_value_t = 1e-5, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Passes over the training ratings
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
    /// Length of the list in which a movie is a hit
    #[arg(long, default_value_t = CUTOFF, value_parser = count)]
    pub cutoff: usize,
    /// The user to recommend movies to, from 0
    #[arg(long, default_value_t = 20)]
    pub user: usize,
}

defaults! { Config: Smoke { batch_size: 64, lr: 0.03, num_epochs: 3, cutoff: 10 } }

/// Neural matrix factorization: the product of a user's and an item's factors, and what a perceptron makes of another set of
/// both, are weighed together.
///
/// Its score is a logit. The book's goes through a sigmoid, although the loss takes one of the difference of two scores: between
/// probabilities it cannot come below 0.313 (section 16.5).
#[doc(alias = "NeuMF")]
pub struct NeuMf {
    /// Factors of users and of items that are multiplied, `P` and `Q`.
    pub gmf: [Embedding; 2],
    /// Factors of users and of items that the perceptron is given, `U` and `V`.
    pub mlp: [Embedding; 2],
    hidden: Sequential,
    prediction: Linear,
}

impl NeuMf {
    /// A model with so many factors in each part and a perceptron of layers of these sizes.
    pub fn new(
        num_users: usize,
        num_items: usize,
        num_factors: usize,
        nums_hiddens: &[usize],
        vb: &VarBuilder,
    ) -> Result<Self> {
        let factors = |rows: usize, name: &str| Embedding::new(rows, num_factors, &vb.pp(name));
        let mut hidden = Sequential::with_parameters(&vb.pp("hidden"));
        let mut inputs = 2 * num_factors;
        for (layer, &outputs) in nums_hiddens.iter().enumerate() {
            hidden = hidden.layer(layer.to_string(), |vb| Linear::new(inputs, outputs, vb))?;
            hidden = hidden.add_named(format!("relu {layer}"), relu);
            inputs = outputs;
        }
        Ok(Self {
            gmf: [factors(num_users, "p")?, factors(num_items, "q")?],
            mlp: [factors(num_users, "u")?, factors(num_items, "v")?],
            hidden,
            prediction: Linear::without_bias(num_factors + inputs, 1, &vb.pp("prediction"))?,
        })
    }

    /// Draws factors from `N(0, 0.01²)`, as the book does, and the weights of layers by Xavier's distribution. The book draws
    /// these as the factors: then, before the first step, the gradient by the perceptron's factors is less than a hundredth of
    /// that by the others.
    pub fn initialize(parameters: &Parameters) -> Result<()> {
        parameters.initialize(|name, shape| {
            let is_layer = name.starts_with("hidden.") || name.starts_with("prediction.");
            Ok(Some(match (is_layer, name.rsplit('.').next() == Some("bias")) {
                (_, true) => init::constant(0.0),
                (true, _) => init::xavier_uniform(shape)?,
                (false, _) => init::normal(0.01),
            }))
        })
    }

    /// How much each user is likely to choose the item beside them, as logits `(batch)`; from ids `(batch)`.
    pub fn forward(&self, users: &Tensor, items: &Tensor) -> Result<Tensor> {
        let [p, q] = &self.gmf;
        let gmf = (p.forward(users)? * q.forward(items)?)?; // (batch, factors)
        let [u, v] = &self.mlp;
        let mlp = concat(&[u.forward(users)?, v.forward(items)?], 1)?; // (batch, 2 factors)
        let mlp = self.hidden.forward_t(&mlp, false)?; // (batch, hidden)
        self.prediction.forward(&concat(&[gmf, mlp], 1)?)?.squeeze(1) // (batch)
    }

    /// The scores of all items for some users, `(users, items)`.
    pub fn scores(&self, users: &[u32]) -> Result<Tensor> {
        let table = self.gmf[1].weight();
        let (num_items, device) = (table.dim(0)?, table.device());
        let pairs = || users.iter().flat_map(move |&user| (0..num_items as u32).map(move |item| (user, item)));
        let ids = Tensor::new(pairs().map(|(user, _)| user).collect::<Vec<u32>>(), device)?; // (users * items)
        let items = Tensor::new(pairs().map(|(_, item)| item).collect::<Vec<u32>>(), device)?; // (users * items)
        self.forward(&ids, &items)?.reshape((users.len(), num_items))
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The dataset")?;
    let set = nb.load::<MovieLens>()?;
    let split = sequence_aware(&set.ratings)?;
    let (num_users, num_items) = (split.train.num_users(), split.train.num_items());
    nb.say(format!("{num_users} users, {num_items} movies"))?;
    nb.say(format!("{} ratings to learn from; the last one of each user is for the test", split.train.len()))?;

    nb.cell("Model implementation")?;
    let parameters = nb.parameters();
    let nums_hiddens = vec![config.num_hiddens; config.num_layers];
    let build = |vb: &VarBuilder| NeuMf::new(num_users, num_items, config.num_factors, &nums_hiddens, vb);
    let net = build(&parameters.builder())?;
    NeuMf::initialize(&parameters)?;
    for (name, variable) in parameters.trained() {
        nb.say(format!("{name} {:?}", variable.dims()))?;
    }
    nb.say(format!("{} parameters", parameters.count()))?;

    nb.cell("Customized dataset with negative sampling")?;
    let examples = PairwiseExamples::new(split.train.clone(), nb.stream(Purpose::Steps, "negative items"));
    let shuffle = nb.stream(Purpose::Shuffling, "training pairs");
    let mut loader = Loader::<PairwiseExamples>::new(examples, config.batch_size, nb.device())?.shuffled(shuffle);
    let first: Vec<usize> = (0..loader.examples().min(5)).collect();
    let batch = loader.dataset().batch(&first, nb.device())?;
    let mut table = Table::new(["user", "rated", "did not rate"]);
    let titles = |items: &Tensor| -> Result<Vec<String>> {
        Ok(items.to_vec1::<u32>()?.into_iter().map(|item| set.movies[item as usize].to_string()).collect())
    };
    let (rated, others) = (titles(&batch.items)?, titles(&batch.negatives)?);
    for ((user, rated), other) in batch.users.to_vec1::<u32>()?.into_iter().zip(rated).zip(others) {
        table.row([user.to_string(), rated, other]);
    }
    nb.say(table)?;

    nb.cell("Evaluator")?;
    let test = RankingTest::new(&split, config.cutoff)?;
    let twin = build(&without_gradients(&parameters))?;
    let started = Instant::now();
    let RankingQuality { hit_rate, auc } = test.evaluate(|users| twin.scores(users))?;
    let seconds = started.elapsed().as_secs_f64();
    nb.say(format!("before training: hit rate {hit_rate:.3}, AUC {auc:.3}"))?;
    nb.say(format!("{num_items} movies ranked for {num_users} users in {seconds:.2} s"))?;

    nb.cell("Training and evaluating the model")?;
    let mut optimizer = Adam::new(&parameters, config.lr).weight_decay(config.weight_decay);
    let trainer = nb.trainer(config.num_epochs).named("neumf");
    let scores = |PairwiseBatch { users, items, negatives }: &PairwiseBatch| -> Result<(Tensor, Tensor)> {
        Ok((net.forward(users, items)?, net.forward(users, negatives)?))
    };
    let evaluate = || test.evaluate(|users| twin.scores(users));
    let history = train_ranking(trainer, &mut loader, &mut optimizer, scores, evaluate)?;
    nb.training(&history)?;

    nb.cell("Beside neighborhoods")?;
    compare(nb, "NeuMF", &history, &test, &split.train)?;

    nb.cell("Ten movies for one user")?;
    recommend(nb, &set, &split, config.user, |users| twin.scores(users))
}

#[cfg(test)]
mod tests {
    use d2l::data::DataError;

    use super::*;
    use crate::ranking_losses::bpr_loss;
    use crate::ratings::{Rating, Ratings};
    use crate::splits::Split;

    fn parameters() -> Parameters {
        Parameters::new(&Random::new(1), &Device::Cpu)
    }

    /// Users of even numbers choose even items, the others odd ones; the last choice of each is for the test.
    fn two_tastes() -> Result<Split, DataError> {
        let items = |user: u32| (0..8u32).map(move |place| (place, 2 * ((place + user) % 8) + user % 2));
        let rows = (0..16u32).flat_map(|user| {
            items(user).map(move |(place, item)| Rating { user, item, rating: 3.0, timestamp: place })
        });
        sequence_aware(&Ratings::new(rows.collect(), 16, 16)?)
    }

    #[test]
    fn scores_are_those_of_the_formula() -> Result<()> {
        let parameters = parameters();
        let net = NeuMf::new(3, 4, 2, &[5, 3], &parameters.builder())?;
        parameters.initialize(|_, _| Ok(Some(init::normal(1.0))))?;
        let rows = |name: &str| -> Result<Vec<Vec<f32>>> {
            let parameter = parameters.get(name).expect("a parameter");
            if parameter.rank() == 1 { Ok(vec![parameter.to_vec1()?]) } else { parameter.to_vec2() }
        };
        let score = |user: usize, item: usize| -> Result<f32> {
            let [p, q, u, v] = ["p.weight", "q.weight", "u.weight", "v.weight"].map(&rows);
            let (p, q) = (p?[user].clone(), q?[item].clone());
            let gmf: Vec<f32> = p.iter().zip(&q).map(|(p, q)| p * q).collect();
            let mut mlp = [u?[user].clone(), v?[item].clone()].concat();
            for layer in 0..2 {
                let (weight, bias) = (rows(&format!("hidden.{layer}.weight"))?, rows(&format!("hidden.{layer}.bias"))?);
                let unit = |(row, bias): (&Vec<f32>, &f32)| {
                    (row.iter().zip(&mlp).map(|(w, x)| w * x).sum::<f32>() + bias).max(0.0)
                };
                mlp = weight.iter().zip(&bias[0]).map(unit).collect();
            }
            let h = rows("prediction.weight")?.concat();
            Ok(h.iter().zip(gmf.iter().chain(&mlp)).map(|(h, x)| h * x).sum())
        };
        let all = net.scores(&[2, 0])?.to_vec2::<f32>()?;
        for (row, user) in [2, 0].into_iter().enumerate() {
            for (item, value) in all[row].iter().enumerate() {
                assert!((value - score(user, item)?).abs() < 1e-3, "{all:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient() -> Result<()> {
        let parameters = parameters();
        let net = NeuMf::new(6, 7, 4, &[8, 8], &parameters.builder())?;
        // Larger factors than a training begins with, so that not all pairs are on one side of each unit's edge.
        parameters.initialize(|_, _| Ok(Some(init::normal(1.0))))?;
        let ids = |ids: &[u32]| Tensor::new(ids, &Device::Cpu);
        let users = ids(&[0, 1, 2, 3, 4, 5])?;
        let (positive, negative) =
            (net.forward(&users, &ids(&[0, 1, 2, 3, 4, 5])?)?, net.forward(&users, &ids(&[6, 5, 4, 2, 1, 0])?)?);
        let loss = bpr_loss(&positive, &negative, Reduction::Mean)?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)
    }

    #[test]
    fn weights_as_small_as_the_books_leave_the_perceptron_behind() -> Result<()> {
        // How large the gradients by the perceptron's factors are, beside those by the other ones.
        let share = |initialize: &dyn Fn(&Parameters) -> Result<()>| -> Result<f64> {
            let parameters = parameters();
            let net = NeuMf::new(8, 16, 10, &[10; 3], &parameters.builder())?;
            initialize(&parameters)?;
            let users = Tensor::arange(0u32, 8, &Device::Cpu)?;
            let (positive, negative) = (users.clone(), Tensor::arange(8u32, 16, &Device::Cpu)?);
            let (positive, negative) = (net.forward(&users, &positive)?, net.forward(&users, &negative)?);
            let grads = backward(&bpr_loss(&positive, &negative, Reduction::Mean)?)?;
            let largest = |table: &Embedding| grads.get(table.weight())?.abs()?.max_all()?.to_scalar::<f32>();
            Ok(f64::from(largest(&net.mlp[1])? / largest(&net.gmf[1])?))
        };
        let as_the_book = |parameters: &Parameters| {
            parameters.initialize(|name, _| {
                Ok(Some(if name.rsplit('.').next() == Some("bias") { init::constant(0.0) } else { init::normal(0.01) }))
            })
        };
        let (ours, books) = (share(&NeuMf::initialize)?, share(&as_the_book)?);
        assert!(ours > 1.0 && books < 0.01, "{ours} {books}");
        Ok(())
    }

    #[test]
    fn two_tastes_are_told_apart() -> Result<(), Box<dyn std::error::Error>> {
        let split = two_tastes()?;
        let test = RankingTest::new(&split, 1)?;
        let (random, parameters) = (Random::new(1), parameters());
        let net = NeuMf::new(16, 16, 4, &[8, 8], &parameters.builder())?;
        NeuMf::initialize(&parameters)?;
        let twin = NeuMf::new(16, 16, 4, &[8, 8], &without_gradients(&parameters))?;
        let examples = PairwiseExamples::new(split.train, random.stream(Purpose::Steps, "negative items"));
        let mut loader = Loader::<PairwiseExamples>::new(examples, 28, &Device::Cpu)?;
        let mut optimizer = Adam::new(&parameters, 0.02);
        let scores = |PairwiseBatch { users, items, negatives }: &PairwiseBatch| -> Result<(Tensor, Tensor)> {
            Ok((net.forward(users, items)?, net.forward(users, negatives)?))
        };
        let evaluate = || test.evaluate(|users| twin.scores(users));
        let trainer = Trainer::new(40).random(&random);
        let history = train_ranking(trainer, &mut loader, &mut optimizer, scores, evaluate)?;
        let (auc, hits) = (history.metric("test_auc"), history.metric("test_hit_rate"));
        let best = |values: &[f64]| values[20..].iter().copied().fold(0.0, f64::max);
        assert!(auc[0] < 0.9 && best(&auc) == 1.0 && best(&hits) == 1.0, "{auc:?} {hits:?}");
        Ok(())
    }
}

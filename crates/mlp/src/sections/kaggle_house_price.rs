//! 4.10 Predicting House Prices on Kaggle
//!
//! From two CSV files to a submission: data frames, features, k-fold cross-validation, training, predictions.
//!
//! `cargo run --release -p mlp -- kaggle-house-price`
//! 331 features; over five folds a training log rmse of 0.160 to 0.170 and a validation log rmse of 0.165 to 0.175; on all
//! training houses 0.158 to 0.167.

use std::path::PathBuf;

use anyhow::ensure;
use d2l::data::{ArrayLoader, hub};
use d2l::notebook::at_least;
use d2l::prelude::*;
use d2l::{nn::Linear, ops::mse_loss, optim::Adam};
use tables::polars::prelude::{ChunkAgg, ChunkVar, Column, DataFrame, DataType, PolarsResult};
use tables::{dummies, to_tensor};

use crate::house_prices::HousePrices;

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Folds of the cross-validation
    #[arg(long, default_value_t = 5, value_parser = at_least::<2>)]
    pub k: usize,
    /// Passes over the houses
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_epochs: usize,
    /// Learning rate
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    pub lr: f64,
    /// Weight decay
    #[arg(long, default_value_t = 0.0, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Houses a minibatch
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub batch_size: usize,
    /// A file of your own with training houses and their prices, as Kaggle has it
    #[arg(long, value_name = "FILE", requires = "test_csv")]
    pub train_csv: Option<PathBuf>,
    /// A file of your own with the houses to price, in the same columns
    #[arg(long, value_name = "FILE", requires = "train_csv")]
    pub test_csv: Option<PathBuf>,
}

// The sample's few minibatches take longer steps.
defaults! { Config: Smoke { num_epochs: 40, lr: 50 } }

/// Shifts and scales a column of numbers to mean 0 and standard deviation 1. What is missing becomes 0, the mean.
pub fn standardize(column: &Column) -> PolarsResult<Column> {
    let column = column.cast(&DataType::Float64)?;
    let numbers = column.f64()?;
    let mean = numbers.mean().unwrap_or(0.0);
    let std = numbers.std(1).filter(|&std| std > 0.0).unwrap_or(1.0); // of a column of equal numbers nothing is left
    let scaled: Vec<f64> = numbers.iter().map(|value| value.map_or(0.0, |value| (value - mean) / std)).collect();
    Ok(Column::new(column.name().clone(), scaled))
}

/// Turns columns into features, all of them numbers: standardizes the numbers, and makes indicators of the categories.
pub fn preprocess(houses: &DataFrame) -> anyhow::Result<DataFrame> {
    let feature = |column: &Column| match column.dtype() {
        DataType::String => Ok(column.clone()),
        _ => standardize(column),
    };
    let features = houses.columns().iter().map(feature).collect::<PolarsResult<_>>()?;
    Ok(dummies(&DataFrame::new_infer_height(features)?)?)
}

/// Features `(n, features)` and prices `(n, 1)`.
pub type Houses = (Tensor, Tensor);

/// The root of the mean squared error between the logarithms of prediction and price; predictions count as 1 at least.
pub fn log_rmse(net: &Linear, (features, prices): &Houses) -> Result<f64> {
    let predicted = net.forward(features)?.detach().maximum(1f32)?; // (n, 1)
    let mean = mse_loss(&predicted.log()?, &prices.log()?, Reduction::Mean)?;
    Ok(f64::from(mean.to_scalar::<f32>()?).sqrt())
}

/// Trains linear regression, and measures the log rmse on the training and the validation houses after each epoch.
pub fn train(
    config: &Config,
    nb: &Notebook,
    name: &str,
    train: &Houses,
    valid: Option<&Houses>,
) -> anyhow::Result<(Linear, History)> {
    let parameters = nb.parameters();
    let net = Linear::new(train.0.dim(1)?, 1, &parameters.builder().pp("output"))?;
    let mut optimizer = Adam::new(&parameters, config.lr).weight_decay(config.weight_decay);
    let shuffling = nb.stream(Purpose::Shuffling, name);
    let mut loader = ArrayLoader::from_tensors(&train.0, &train.1, config.batch_size)?.shuffled(shuffling);
    let trainer = nb.trainer(config.num_epochs).named(name).with(&parameters).with(&optimizer);
    let trainer = trainer.each_epoch(|epoch| {
        epoch.metric("train_log_rmse", log_rmse(&net, train)?)?;
        valid.map_or(Ok(()), |valid| epoch.metric("valid_log_rmse", log_rmse(&net, valid)?))
    });
    let history = trainer.run(&mut loader, |step, (x, y)| {
        let loss = mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        step.loss(&loss, y.elem_count())
    })?;
    Ok((net, history))
}

/// Part `i` of `k` equal parts for validation, the others for training.
#[doc(alias = "get_k_fold_data")]
pub fn fold(k: usize, i: usize, (features, prices): &Houses) -> anyhow::Result<[Houses; 2]> {
    let size = prices.dim(0)? / k;
    ensure!(size > 0 && i < k, "--k {k}: {} houses cannot be cut into {k} parts", prices.dim(0)?);
    let part = |t: &Tensor, j| t.narrow(0, j * size, size);
    let others =
        |t: &Tensor| Tensor::cat(&(0..k).filter(|&j| j != i).map(|j| part(t, j)).collect::<Result<Vec<_>>>()?, 0);
    Ok([(others(features)?, others(prices)?), (part(features, i)?, part(prices, i)?)])
}

/// The file that Kaggle takes: the houses' numbers and what they should cost.
pub fn submission(ids: &Column, prices: &Tensor) -> anyhow::Result<String> {
    let prices = prices.flatten_all()?.to_vec1::<f32>()?;
    let lines = ids.i64()?.iter().flatten().zip(prices).map(|(id, price)| format!("{id},{price:.2}\n"));
    Ok(std::iter::once("Id,SalePrice\n".to_string()).chain(lines).collect())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Downloading and caching datasets")?;
    let mut table = Table::new(["set", "bytes", "SHA-1 in the book"]);
    for set in hub::DATASETS.iter().filter(|set| set.name.starts_with("kaggle_house")) {
        table.row([set.name.into(), set.size.to_string(), set.book_sha1.unwrap_or("none").into()]);
    }
    nb.say(table)?;
    nb.show("published at", hub::DATA_URL)?;

    nb.cell("Accessing and reading the dataset")?;
    let houses = if let (Some(train), Some(test)) = (&config.train_csv, &config.test_csv) {
        nb.uses_own_data();
        HousePrices::read(train, test)?
    } else {
        nb.load::<HousePrices>()?
    };
    nb.say(format!("training {:?}, test {:?}", houses.train.shape(), houses.test.shape()))?;
    nb.say(houses.train.head(Some(4)))?;

    nb.cell("Data preprocessing")?;
    let (n_train, device) = (houses.train.height(), nb.device().clone());
    let all = houses.train.drop("SalePrice")?.vstack(&houses.test)?.drop("Id")?;
    let features = preprocess(&all)?;
    nb.say(format!("{} columns become {} features", all.width(), features.width()))?;
    let columns = features.columns().iter().enumerate();
    let ends = columns.filter(|&(place, _)| place < 3 || place + 2 >= features.width());
    nb.say(DataFrame::new_infer_height(ends.map(|(_, column)| column.clone()).collect())?.head(Some(3)))?;
    nb.metric("features", features.width() as f64)?;
    let features = to_tensor(&features, &device)?; // (n, features)
    let prices = to_tensor(&houses.train.select(["SalePrice"])?, &device)?; // (n_train, 1)
    let train_houses = (features.narrow(0, 0, n_train)?, prices);
    let test_features = features.narrow(0, n_train, features.dim(0)? - n_train)?;

    nb.cell("K-fold cross-validation")?;
    let mut sums = [0.0; 2];
    for i in 0..config.k {
        let [train_part, valid_part] = fold(config.k, i, &train_houses)?;
        let name = format!("fold-{}", i + 1);
        let (_, history) = train(config, nb, &name, &train_part, Some(&valid_part))?;
        let (epochs, train_errors) = history.curve("train_log_rmse");
        let valid_errors = history.metric("valid_log_rmse");
        let last = [&train_errors, &valid_errors].map(|errors| errors[errors.len() - 1]);
        nb.say(format!("fold {}, train log rmse {:.6}, valid log rmse {:.6}", i + 1, last[0], last[1]))?;
        sums = [sums[0] + last[0], sums[1] + last[1]];
        if i == 0 {
            let lines = [("train", &train_errors[..]), ("valid", &valid_errors)];
            let chart = Chart::new().x_label("epoch").y_label("log rmse").log_y().lines(&epochs, lines);
            nb.figure(&name, "Log rmse of fold 1 on its training and validation houses, by epoch", chart)?;
        }
    }
    let [train_error, valid_error] = sums.map(|sum| sum / config.k as f64);
    let k = config.k;
    nb.say(format!("{k}-fold validation: avg train log rmse {train_error:.6}, avg valid log rmse {valid_error:.6}"))?;
    nb.metric("train_log_rmse", train_error)?;
    nb.metric("valid_log_rmse", valid_error)?;

    nb.cell("Training on all houses")?;
    let (net, history) = train(config, nb, "all-houses", &train_houses, None)?;
    let (epochs, errors) = history.curve("train_log_rmse");
    let chart = Chart::new().x_label("epoch").y_label("log rmse").log_y().unlabeled_line(&epochs, &errors);
    nb.figure("all-houses", "Log rmse on all training houses, by epoch", chart)?;
    nb.say(format!("train log rmse {:.6}", errors[errors.len() - 1]))?;
    nb.metric("final_train_log_rmse", errors)?;

    nb.cell("Submitting predictions on Kaggle")?;
    let file = submission(houses.test.column("Id")?, &net.forward(&test_features)?.detach())?;
    nb.write("submission.csv", file.as_bytes())?;
    nb.say(file.lines().take(4).collect::<Vec<_>>().join("\n"))
}

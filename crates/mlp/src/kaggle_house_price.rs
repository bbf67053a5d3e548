//! 4.10 Predicting House Prices on Kaggle
//!
//! From two CSV files to a submission: reading with polars, features, k-fold cross-validation, training, predictions.
//!
//! `cargo run --release -p mlp -- kaggle-house-price`
//! 331 features; over five folds a training log rmse of 0.160 to 0.170 and a validation log rmse of 0.165 to 0.175; on all
//! training houses 0.158 to 0.167.

use std::path::PathBuf;

use anyhow::ensure;
use d2l::data::ArrayLoader;
use d2l::data::hub::{DATA_URL, DATASETS};
use d2l::nn::{Linear, Parameters};
use d2l::notebook::{non_negative, positive};
use d2l::ops::{Reduction, mse_loss};
use d2l::optim::{Adam, Optimizer};
use d2l::plot::Chart;
use d2l::prelude::*;
use d2l::random::{Purpose, Stream};
use d2l::train::Diverged;
use polars::prelude::{
    ChunkAgg, ChunkVar, Column, CsvWriter, DataFrame, DataType, Float64Chunked, IntoColumn, IntoSeries,
    NewChunkedArray, SerWriter, ToDummies,
};

use crate::house_prices::{CATEGORIES, HousePrices, NUMBERS};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Folds of the cross-validation
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    pub k: u32,
    /// Passes over the houses
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub num_epochs: u32,
    /// Learning rate
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    pub lr: f64,
    /// Weight decay
    #[arg(long, default_value_t = 0.0, value_parser = non_negative)]
    pub weight_decay: f64,
    /// Houses a minibatch
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch_size: u32,
    /// A file of your own with training houses, in the columns of Kaggle's
    #[arg(long, value_name = "FILE", requires = "test_csv")]
    pub train_csv: Option<PathBuf>,
    /// A file of your own with the houses to price
    #[arg(long, value_name = "FILE", requires = "train_csv")]
    pub test_csv: Option<PathBuf>,
}

impl Hyperparameters for Config {
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        match scale {
            // The sample's few minibatches take longer steps.
            Scale::Smoke => &[("num_epochs", "40"), ("lr", "50")],
            _ => &[],
        }
    }
}

/// Shifts and scales a column of numbers to mean 0 and standard deviation 1. What is missing becomes 0, the mean.
pub fn standardize(column: &Float64Chunked) -> Float64Chunked {
    let mean = column.mean().unwrap_or(0.0);
    let std = column.std(1).filter(|&std| std > 0.0).unwrap_or(1.0); // of a column of equal numbers nothing is left
    let scaled = column.iter().map(|value| value.map_or(0.0, |value| (value - mean) / std));
    Float64Chunked::from_iter_values(column.name().clone(), scaled)
}

/// A column of zeros and ones for each category, and one for what is missing, whether anything is or not.
pub fn indicators(column: &Column) -> anyhow::Result<Vec<Column>> {
    let mut indicators = column.as_materialized_series().to_dummies(Some("_"), false, true)?.into_columns();
    let missing = column.is_null().with_name(format!("{}_missing", column.name()).into());
    indicators.push(missing.into_series().into_column().cast(&DataType::Int32)?);
    Ok(indicators)
}

/// Turns the 36 columns of numbers and the 43 of categories into features, all of them numbers.
pub fn preprocess(houses: &DataFrame) -> anyhow::Result<DataFrame> {
    let mut features = Vec::new();
    for name in NUMBERS {
        features.push(standardize(houses.column(name)?.f64()?).into_series().into_column());
    }
    for name in CATEGORIES {
        features.extend(indicators(houses.column(name)?)?);
    }
    Ok(DataFrame::new_infer_height(features)?)
}

/// A frame of numbers as a tensor, `(rows, columns)`.
pub fn to_tensor(frame: &DataFrame, device: &Device) -> anyhow::Result<Tensor> {
    let mut values: Vec<f32> = Vec::with_capacity(frame.width() * frame.height());
    for column in frame.columns() {
        let column = column.cast(&DataType::Float32)?;
        ensure!(column.null_count() == 0, "the column {} has missing values", column.name());
        values.extend(column.f32()?.iter().flatten());
    }
    // polars stores columns one after the other, a tensor its rows.
    Ok(Tensor::from_vec(values, (frame.width(), frame.height()), device)?.t()?.contiguous()?)
}

/// The root of the mean squared error between the logarithms of prediction and price; predictions count as 1 at least.
pub fn log_rmse(net: &Linear, features: &Tensor, prices: &Tensor) -> Result<f64> {
    let predicted = net.forward(features)?.detach().maximum(1f32)?; // (n, 1)
    let mean = mse_loss(&predicted.log()?, &prices.log()?, Reduction::Mean)?;
    Ok(f64::from(mean.to_scalar::<f32>()?).sqrt())
}

/// Features `(n, features)` and prices `(n, 1)`.
pub type Houses = (Tensor, Tensor);

/// Trains linear regression, and measures the log rmse on the training and the validation houses after each epoch.
pub fn train(
    config: &Config,
    train: &Houses,
    valid: Option<&Houses>,
    parameters: &Parameters,
    shuffle: Stream,
) -> anyhow::Result<(Linear, [Vec<f64>; 2])> {
    let net = Linear::new(train.0.dim(1)?, 1, &parameters.builder().pp("output"))?;
    let mut optimizer = Adam::new(parameters.variables(), config.lr).weight_decay(config.weight_decay);
    let mut loader = ArrayLoader::from_tensors(&train.0, &train.1, config.batch_size as usize)?.shuffled(shuffle);
    let (mut train_errors, mut valid_errors) = (Vec::new(), Vec::new());
    for epoch in 1..=config.num_epochs as usize {
        for (step, batch) in loader.epoch().enumerate() {
            let (x, y) = batch?;
            let loss = mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?;
            Diverged::check(f64::from(loss.detach().to_scalar::<f32>()?), epoch, step + 1)?;
            optimizer.step(&loss.backward()?)?;
        }
        train_errors.push(log_rmse(&net, &train.0, &train.1)?);
        if let Some((features, prices)) = valid {
            valid_errors.push(log_rmse(&net, features, prices)?);
        }
    }
    Ok((net, [train_errors, valid_errors]))
}

/// Part `i` of `k` equal parts for validation, the others for training.
pub fn fold(k: usize, i: usize, (features, prices): &Houses) -> anyhow::Result<[Houses; 2]> {
    let size = prices.dim(0)? / k;
    ensure!(size > 0 && i < k, "--k {k}: {} houses cannot be cut into {k} parts", prices.dim(0)?);
    let part = |t: &Tensor, j| t.narrow(0, j * size, size);
    let others =
        |t: &Tensor| Tensor::cat(&(0..k).filter(|&j| j != i).map(|j| part(t, j)).collect::<Result<Vec<_>>>()?, 0);
    Ok([(others(features)?, others(prices)?), (part(features, i)?, part(prices, i)?)])
}

/// The file that Kaggle takes: the houses' numbers and what they should cost.
pub fn submission(ids: &Column, prices: &Tensor) -> anyhow::Result<Vec<u8>> {
    let prices = prices.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let mut frame = DataFrame::new_infer_height(vec![ids.clone(), Column::new("SalePrice".into(), prices)])?;
    let mut file = Vec::new();
    CsvWriter::new(&mut file).with_float_precision(Some(2)).finish(&mut frame)?;
    Ok(file)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Downloading and caching datasets")?;
    let mut table = Table::new(["set", "bytes", "SHA-1 in the book"]);
    for set in DATASETS.iter().filter(|set| set.name.starts_with("kaggle_house")) {
        table.row([set.name.into(), set.size.to_string(), set.book_sha1.unwrap_or("none").into()]);
    }
    nb.say(table)?;
    nb.show("published at", DATA_URL)?;
    let [train_csv, test_csv] =
        nb.house_prices(config.train_csv.clone().zip(config.test_csv.clone()).map(Into::into))?;

    nb.cell("Accessing and reading the dataset")?;
    let houses = HousePrices::read(&train_csv, &test_csv)?;
    nb.say(format!("training {:?}, test {:?}", houses.train.shape(), houses.test.shape()))?;
    let shown = ["Id", "MSSubClass", "MSZoning", "LotFrontage", "SaleType", "SaleCondition", "SalePrice"];
    nb.say(houses.train.select(shown)?.head(Some(4)))?;

    nb.cell("Data preprocessing")?;
    let (n_train, device) = (houses.train.height(), nb.device().clone());
    let all = houses.train.drop("SalePrice")?.vstack(&houses.test)?;
    let features = preprocess(&all)?;
    nb.say(format!("{} columns become {} features", all.width() - 1, features.width()))?;
    let lot_shape = indicators(all.column("LotShape")?)?;
    nb.say(features.select(["LotFrontage", "LotArea", "OverallQual"])?.head(Some(3)))?;
    nb.say(DataFrame::new_infer_height(lot_shape)?.head(Some(3)))?;
    nb.metric("features", features.width() as f64)?;
    let features = to_tensor(&features, &device)?; // (n, 331)
    let prices = to_tensor(&houses.train.select(["SalePrice"])?, &device)?; // (n_train, 1)
    let train_houses = (features.narrow(0, 0, n_train)?, prices);
    let test_features = features.narrow(0, n_train, features.dim(0)? - n_train)?;

    nb.cell("K-fold cross-validation")?;
    let k = config.k as usize;
    let epochs: Vec<u32> = (1..=config.num_epochs).collect();
    let mut averages = [0.0; 2];
    for i in 0..k {
        let [train_part, valid_part] = fold(k, i, &train_houses)?;
        let (parameters, shuffle) = (nb.parameters(), nb.fork(Purpose::Shuffling));
        let (_, errors) = train(config, &train_part, Some(&valid_part), &parameters, shuffle)?;
        let last = errors.each_ref().map(|errors| errors.last().copied().unwrap_or(f64::NAN));
        nb.say(format!("fold {}, train log rmse {:.6}, valid log rmse {:.6}", i + 1, last[0], last[1]))?;
        averages = [averages[0] + last[0] / k as f64, averages[1] + last[1] / k as f64];
        if i == 0 {
            let lines = [("train", &errors[0][..]), ("valid", &errors[1])];
            let chart = Chart::new().x_label("epoch").y_label("log rmse").log_y().lines(&epochs, lines);
            nb.figure("fold-1", "Log rmse of fold 1 on its training and validation houses, by epoch", chart)?;
        }
    }
    nb.say(format!(
        "{k}-fold validation: avg train log rmse {:.6}, avg valid log rmse {:.6}",
        averages[0], averages[1]
    ))?;
    nb.metric("train_log_rmse", averages[0])?;
    nb.metric("valid_log_rmse", averages[1])?;

    nb.cell("Training on all houses")?;
    let (parameters, shuffle) = (nb.parameters(), nb.fork(Purpose::Shuffling));
    let (net, [errors, _]) = train(config, &train_houses, None, &parameters, shuffle)?;
    let chart = Chart::new().x_label("epoch").y_label("log rmse").log_y().unlabeled_line(&epochs, &errors);
    nb.figure("all-houses", "Log rmse on all training houses, by epoch", chart)?;
    nb.say(format!("train log rmse {:.6}", errors.last().copied().unwrap_or(f64::NAN)))?;
    nb.metric("final_train_log_rmse", errors)?;

    nb.cell("Submitting predictions on Kaggle")?;
    let file = submission(houses.test.column("Id")?, &net.forward(&test_features)?.detach())?;
    nb.write("submission.csv", &file)?;
    nb.say(String::from_utf8_lossy(&file).lines().take(4).collect::<Vec<_>>().join("\n"))
}

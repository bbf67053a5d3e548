//! The house price files of section 4.10: reading them, and saying what is wrong with one.
//!
//! The columns and their kinds are written down here rather than guessed from the values, so that a word among the numbers
//! is an error with its place, and not a new category.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use polars::prelude::*;

/// The columns that hold numbers; a missing one is `NA`.
pub const NUMBERS: [&str; 36] = [
    "MSSubClass",
    "LotFrontage",
    "LotArea",
    "OverallQual",
    "OverallCond",
    "YearBuilt",
    "YearRemodAdd",
    "MasVnrArea",
    "BsmtFinSF1",
    "BsmtFinSF2",
    "BsmtUnfSF",
    "TotalBsmtSF",
    "1stFlrSF",
    "2ndFlrSF",
    "LowQualFinSF",
    "GrLivArea",
    "BsmtFullBath",
    "BsmtHalfBath",
    "FullBath",
    "HalfBath",
    "BedroomAbvGr",
    "KitchenAbvGr",
    "TotRmsAbvGrd",
    "Fireplaces",
    "GarageYrBlt",
    "GarageCars",
    "GarageArea",
    "WoodDeckSF",
    "OpenPorchSF",
    "EnclosedPorch",
    "3SsnPorch",
    "ScreenPorch",
    "PoolArea",
    "MiscVal",
    "MoSold",
    "YrSold",
];

/// The columns that hold a category; a missing one is `NA`.
pub const CATEGORIES: [&str; 43] = [
    "MSZoning",
    "Street",
    "Alley",
    "LotShape",
    "LandContour",
    "Utilities",
    "LotConfig",
    "LandSlope",
    "Neighborhood",
    "Condition1",
    "Condition2",
    "BldgType",
    "HouseStyle",
    "RoofStyle",
    "RoofMatl",
    "Exterior1st",
    "Exterior2nd",
    "MasVnrType",
    "ExterQual",
    "ExterCond",
    "Foundation",
    "BsmtQual",
    "BsmtCond",
    "BsmtExposure",
    "BsmtFinType1",
    "BsmtFinType2",
    "Heating",
    "HeatingQC",
    "CentralAir",
    "Electrical",
    "KitchenQual",
    "Functional",
    "FireplaceQu",
    "GarageType",
    "GarageFinish",
    "GarageQual",
    "GarageCond",
    "PavedDrive",
    "PoolQC",
    "Fence",
    "MiscFeature",
    "SaleType",
    "SaleCondition",
];

/// The training and the test houses, a row each: `Id` as integers, [`NUMBERS`] in `f64` and [`CATEGORIES`] as strings, both
/// with nulls, and in the training set `SalePrice` in `f64`.
#[derive(Debug, Clone)]
pub struct HousePrices {
    /// 81 columns.
    pub train: DataFrame,
    /// 80 columns: no price.
    pub test: DataFrame,
}

impl HousePrices {
    /// Reads both files.
    ///
    /// # Errors
    /// Where a file cannot be read, has no rows, lacks a column or has one too many, or holds text in a column of numbers;
    /// the error names the file, the column and the line.
    pub fn read(train: &Path, test: &Path) -> Result<Self> {
        let read = |path: &Path, target: Option<&str>| {
            read(path, target).with_context(|| format!("{} is no file of house prices", path.display()))
        };
        Ok(Self { train: read(train, Some("SalePrice"))?, test: read(test, None)? })
    }
}

fn read(path: &Path, target: Option<&str>) -> Result<DataFrame> {
    let missing = NullValues::AllColumnsSingle("NA".into());
    let text = CsvReadOptions::default()
        .with_infer_schema_length(Some(0)) // every column as text: the kinds are known
        .map_parse_options(|options| options.with_null_values(Some(missing.clone())))
        .try_into_reader_with_file_path(Some(path.to_path_buf()))?
        .finish()?;
    let wanted = || ["Id"].into_iter().chain(NUMBERS).chain(CATEGORIES).chain(target);
    for name in wanted() {
        ensure!(text.get_column_index(name).is_some(), "the column `{name}` is missing");
    }
    for name in text.get_column_names() {
        ensure!(
            wanted().any(|wanted| wanted == name.as_str()),
            "the column `{name}` is none of the {} wanted",
            wanted().count()
        );
    }
    ensure!(text.height() > 0, "there are no rows below the names of the columns");
    let mut columns = vec![whole(text.column("Id")?.str()?)?];
    for name in NUMBERS.into_iter().chain(target) {
        columns.push(numbers(text.column(name)?.str()?)?.into_column());
    }
    for name in CATEGORIES {
        columns.push(text.column(name)?.clone());
    }
    if let Some(name) = target {
        let prices = text.column(name)?.str()?;
        let unfit = |price: Option<&str>| price.is_none_or(|price| price.trim().parse::<f64>().is_ok_and(|p| p <= 0.0));
        if let Some(row) = prices.iter().position(unfit) {
            bail!("column `{name}`, line {}: a price must be above zero", line(row));
        }
    }
    Ok(DataFrame::new_infer_height(columns)?)
}

/// The line of the file that holds a row: the first has the names of the columns.
fn line(row: usize) -> usize {
    row + 2
}

/// A column of numbers, null where a value is missing.
fn numbers(text: &StringChunked) -> Result<Float64Chunked> {
    let parse = |(row, value): (usize, Option<&str>)| {
        let Some(value) = value else { return Ok(None) };
        match value.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => bail!("column `{}`, line {}: `{value}` is not a number", text.name(), line(row)),
        }
    };
    let values = text.iter().enumerate().map(parse).collect::<Result<Vec<_>>>()?;
    Ok(Float64Chunked::from_iter_options(text.name().clone(), values.into_iter()))
}

/// The column of the houses' numbers, none of which may be missing.
fn whole(text: &StringChunked) -> Result<Column> {
    let parse = |(row, value): (usize, Option<&str>)| {
        let value = value.unwrap_or("NA");
        let number = value.trim().parse::<i64>();
        number.with_context(|| format!("column `{}`, line {}: `{value}` is not a whole number", text.name(), line(row)))
    };
    let values = text.iter().enumerate().map(parse).collect::<Result<Vec<_>>>()?;
    Ok(Column::new(text.name().clone(), values))
}

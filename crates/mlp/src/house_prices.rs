//! The house price files of section 4.10: reading them, and saying what is wrong with one.
//!
//! The columns and their kinds are written down here rather than guessed from the values, so that a word among the numbers
//! is an error with its place, and not a new category.

use std::path::Path;

use polars::prelude::DataFrame;
use preliminaries::csv_table::{Kind, TableError, read_csv};

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
    /// As [`read_csv`], which names the file, the column and the line.
    pub fn read(train: &Path, test: &Path) -> Result<Self, TableError> {
        let columns = |price: Option<(&'static str, Kind)>| {
            let numbers = NUMBERS.map(|name| (name, Kind::Number));
            let categories = CATEGORIES.map(|name| (name, Kind::Text));
            [("Id", Kind::Whole)].into_iter().chain(numbers).chain(price).chain(categories).collect::<Vec<_>>()
        };
        Ok(Self {
            train: read_csv(train, &columns(Some(("SalePrice", Kind::Positive))))?,
            test: read_csv(test, &columns(None))?,
        })
    }
}

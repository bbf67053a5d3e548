//! The house prices of section 4.10.

use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use tables::polars::prelude::DataFrame;
use tables::{Csv, Kind, TableError};

/// The training and the test houses, a row each, with the columns that their files have: whole numbers in `i64`, numbers in
/// `f64` and categories as strings, the last two with nulls. Each house has an `Id`; those of the training set have a
/// `SalePrice` in `f64`.
#[derive(Debug, Clone)]
pub struct HousePrices {
    /// Kaggle's has 81 columns.
    pub train: DataFrame,
    /// One column less: no price.
    pub test: DataFrame,
}

impl HousePrices {
    /// Reads two files with the same columns, but for the price. What a column holds is found by its values in both files,
    /// since it can be empty in one of them.
    ///
    /// # Errors
    /// Where the columns differ, or a file is at fault; the error names the file and the line.
    pub fn read(train: &Path, test: &Path) -> Result<Self, TableError> {
        let files = [Csv::read(train)?, Csv::read(test)?];
        let mut columns = Csv::columns(&files, &[("Id", Kind::Whole), ("SalePrice", Kind::Positive)])?;
        let train = files[0].frame(&columns)?;
        columns.retain(|(name, _)| name != "SalePrice");
        Ok(Self { train, test: files[1].frame(&columns)? })
    }
}

impl Source for HousePrices {
    const SAMPLE_NOTICE: &'static str = "the house prices could not be had, so this run uses 240 training and 120 test \
         houses that are invented: its results say nothing of real houses, and its submission.csv is not for Kaggle.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let (train, test) = (hub.fetch("kaggle_house_train")?, hub.fetch("kaggle_house_test")?);
        Self::read(&train, &test).map_err(DataError::other)
    }

    /// Houses that `scripts/make_house_prices_sample.py` invents.
    fn sample() -> Result<Self, DataError> {
        let folder = hub::sample("house_prices")?;
        let file = |part| folder.join(format!("kaggle_house_pred_{part}.csv"));
        Self::read(&file("train"), &file("test")).map_err(DataError::other)
    }
}

//! 2.2 Data Preprocessing
//!
//! From a file with gaps to tensors, with polars in the place of pandas.
//!
//! `cargo run --release -p preliminaries -- pandas`
//! At once: a table of four houses as two tensors, then one of eight with its emptiest column dropped.

use anyhow::Context;
use d2l::prelude::*;
use tables::polars::prelude::{Column, DataFrame, DataType, FillNullStrategy, PolarsResult};
use tables::{dummies, read_csv, to_tensor};

pub use super::ndarray::Config;

/// The book's four houses.
const HOUSES: &str = "\
NumRooms,Alley,Price
NA,Pave,127500
2,NA,106000
4,NA,178100
NA,NA,140000
";

/// Eight houses with more columns and more gaps, as the exercises ask for.
const MORE_HOUSES: &str = "\
NumRooms,Alley,Area,Garage,PoolArea,Price
NA,Pave,51.5,Attached,NA,127500
2,NA,43,NA,NA,106000
4,NA,88,Detached,NA,178100
NA,NA,NA,Attached,NA,140000
3,Gravel,64,Attached,NA,151000
5,Pave,112.5,Detached,32,249900
2,NA,47,NA,NA,98500
3,NA,NA,Attached,NA,143200
";

/// Puts the mean of its column in the place of each missing number.
#[doc(alias = "fillna")]
pub fn fill_with_mean(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let fill = |column: &Column| match column.dtype() {
        DataType::Float64 => column.fill_null(FillNullStrategy::Mean),
        _ => Ok(column.clone()),
    };
    DataFrame::new_infer_height(frame.columns().iter().map(fill).collect::<PolarsResult<_>>()?)
}

/// The name of the column with the most missing values, the first one of several; none in a frame without gaps.
pub fn most_missing(frame: &DataFrame) -> Option<&str> {
    let most = frame.columns().iter().rev().max_by_key(|column| column.null_count())?;
    (most.null_count() > 0).then(|| most.name().as_str())
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Writing a small file")?;
    let file = nb.folder().join("house_tiny.csv");
    std::fs::write(&file, HOUSES).with_context(|| format!("cannot write {}", file.display()))?;
    nb.say(HOUSES)?;

    nb.cell("Reading the dataset")?;
    let data = read_csv(&file)?;
    nb.say(&data)?;

    nb.cell("Filling missing numbers with the mean")?;
    let (inputs, outputs) = (data.select(["NumRooms", "Alley"])?, data.select(["Price"])?);
    let inputs = fill_with_mean(&inputs)?;
    nb.say(&inputs)?;

    nb.cell("Categories and missing values as indicators")?;
    let inputs = dummies(&inputs)?;
    nb.say(&inputs)?;

    nb.cell("Conversion to tensors")?;
    let x = to_tensor(&inputs, nb.device())?; // (4, 3)
    let y = to_tensor(&outputs, nb.device())?.squeeze(1)?; // (4)
    nb.show("x", &x)?;
    nb.show("y", &y)?;

    nb.cell("More rows and columns")?;
    let file = nb.folder().join("houses.csv");
    std::fs::write(&file, MORE_HOUSES).with_context(|| format!("cannot write {}", file.display()))?;
    let houses = read_csv(&file)?;
    nb.say(&houses)?;

    nb.cell("Dropping the column with the most missing values")?;
    nb.say(houses.null_count())?;
    let emptiest = most_missing(&houses).context("no column has a missing value")?;
    nb.show("dropped", emptiest)?;
    let kept = houses.drop(emptiest)?;

    nb.cell("From eight houses to tensors")?;
    let inputs = dummies(&fill_with_mean(&kept.drop("Price")?)?)?;
    let names: Vec<&str> = inputs.columns().iter().map(|column| column.name().as_str()).collect();
    nb.say(format!("inputs: {}", names.join(", ")))?;
    nb.show("x", to_tensor(&inputs, nb.device())?)?; // (8, 8)
    nb.show("y", to_tensor(&kept.select(["Price"])?, nb.device())?.squeeze(1)?) // (8)
}

#[cfg(test)]
mod tests {
    use tables::polars::df;

    use super::*;

    #[test]
    fn gaps_become_the_mean_of_what_is_there_and_text_stays() -> anyhow::Result<()> {
        let frame = df!("rooms" => [None, Some(2.0), Some(4.0)], "alley" => [Some("Pave"), None, None])?;
        let filled = fill_with_mean(&frame)?;
        assert_eq!(filled.column("rooms")?.f64()?.iter().collect::<Vec<_>>(), [Some(3.0), Some(2.0), Some(4.0)]);
        assert_eq!(filled.column("alley")?.null_count(), 2);
        Ok(())
    }

    #[test]
    fn the_emptiest_column_is_found() -> anyhow::Result<()> {
        let frame = df!("a" => [Some(1), None, Some(3)], "b" => [None, None, Some(1)], "c" => [None, None, Some(2)])?;
        assert_eq!(most_missing(&frame), Some("b"));
        assert_eq!(most_missing(&df!("a" => [1, 2])?), None);
        Ok(())
    }
}

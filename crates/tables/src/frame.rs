//! From data frames to tensors.

use std::collections::{BTreeSet, HashSet};

use candle_core::{Device, Tensor};
use polars::prelude::{Column, DataFrame, DataType};

use crate::{Result, TableError};

/// Puts indicators, 0 or 1, in the place of each column of text: one for each category, in their order, and one for what
/// is missing, whether anything is or not. The other columns come first.
///
/// The indicators are called `column_category` and `column_missing`; where there is a column of that name, a `_` is added.
///
/// # Errors
/// None that a frame of numbers and text can cause.
#[doc(alias = "get_dummies")]
pub fn dummies(frame: &DataFrame) -> Result<DataFrame> {
    let is_text = |column: &Column| column.dtype() == &DataType::String;
    let (texts, mut columns): (Vec<Column>, Vec<Column>) = frame.columns().iter().cloned().partition(is_text);
    let mut taken: HashSet<String> = columns.iter().map(|column| column.name().to_string()).collect();
    for text in &texts {
        let values = text.str()?;
        let mut indicator = |ending: &str, is_it: &dyn Fn(Option<&str>) -> bool| {
            let mut name = format!("{}_{ending}", text.name());
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            let marks: Vec<i32> = values.iter().map(|value| i32::from(is_it(value))).collect();
            columns.push(Column::new(name.into(), marks));
        };
        for category in values.iter().flatten().collect::<BTreeSet<_>>() {
            indicator(category, &|value| value == Some(category));
        }
        indicator("missing", &|value| value.is_none());
    }
    Ok(DataFrame::new_infer_height(columns)?)
}

/// A frame of numbers without gaps as an `f32` tensor `(rows, columns)`.
///
/// # Errors
/// Where a column holds no numbers, or a value is missing.
pub fn to_tensor(frame: &DataFrame, device: &Device) -> Result<Tensor> {
    let (rows, columns) = frame.shape();
    let mut values = Vec::with_capacity(rows * columns);
    for column in frame.columns() {
        let name = || column.name().to_string();
        if !column.dtype().is_primitive_numeric() {
            return Err(TableError::NotNumeric { column: name(), dtype: column.dtype().clone() });
        }
        let numbers = column.cast(&DataType::Float32)?;
        for (row, number) in numbers.f32()?.iter().enumerate() {
            values.push(number.ok_or_else(|| TableError::MissingValue { column: name(), row })?);
        }
    }
    // polars keeps a column's numbers side by side, candle a row's.
    Ok(Tensor::from_vec(values, (columns, rows), device)?.t()?.contiguous()?) // (rows, columns)
}

#[cfg(test)]
mod tests {
    use polars::df;

    use super::*;

    #[test]
    fn each_category_and_what_is_missing_get_a_column() -> anyhow::Result<()> {
        let frame = df!("alley" => [Some("Pave"), None, Some("Gravel")], "rooms" => [1.0, 2.0, 3.0])?;
        let x = dummies(&frame)?;
        assert_eq!(x.get_column_names(), ["rooms", "alley_Gravel", "alley_Pave", "alley_missing"]);
        let x = to_tensor(&x, &Device::Cpu)?;
        assert_eq!(x.to_vec2::<f32>()?, [[1.0, 0.0, 1.0, 0.0], [2.0, 0.0, 0.0, 1.0], [3.0, 1.0, 0.0, 0.0]]);
        let whole = dummies(&df!("roof" => ["flat", "flat"])?)?;
        assert_eq!(whole.get_column_names(), ["roof_flat", "roof_missing"]);
        Ok(())
    }

    #[test]
    fn categories_that_are_called_like_an_indicator_keep_one_of_their_own() -> anyhow::Result<()> {
        let frame = df!(
            "roof" => [Some("missing"), None, Some("a_nan")],
            "roof_a" => [Some("nan"), Some("nan"), None],
            "roof_a_missing" => [1, 2, 3],
        )?;
        let x = dummies(&frame)?;
        let names = ["roof_a_missing", "roof_a_nan", "roof_missing", "roof_missing_", "roof_a_nan_", "roof_a_missing_"];
        assert_eq!(x.get_column_names(), names);
        let x = to_tensor(&x, &Device::Cpu)?.t()?.to_vec2::<f32>()?;
        assert_eq!(x[1..], [[0., 0., 1.], [1., 0., 0.], [0., 1., 0.], [1., 1., 0.], [0., 0., 1.]]);
        Ok(())
    }

    #[test]
    fn a_tensor_takes_numbers_without_gaps() -> anyhow::Result<()> {
        let frame = df!("rooms" => [Some(2.0), None], "alley" => ["Pave", "Pave"])?;
        let error = |frame: &DataFrame| to_tensor(frame, &Device::Cpu).expect_err("no tensor").to_string();
        assert!(error(&frame.select(["alley"])?).contains("`alley` holds str"));
        assert!(error(&frame.select(["rooms"])?).contains("`rooms` has no value in row 1"));
        let frame = df!("a" => [1i32, 2, 3], "b" => [4f64, 5.0, 6.0])?;
        assert_eq!(to_tensor(&frame, &Device::Cpu)?.to_vec2::<f32>()?, [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]);
        Ok(())
    }
}

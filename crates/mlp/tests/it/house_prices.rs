//! Files of house prices, right and wrong, and the features made of them.

use std::path::{Path, PathBuf};

use d2l::prelude::{Device, Tensor};
use mlp::CHAPTER;
use mlp::house_prices::{CATEGORIES, HousePrices, NUMBERS};
use mlp::kaggle_house_price::{fold, indicators, preprocess, standardize, submission, to_tensor};
use polars::prelude::*;
use tempfile::TempDir;

fn sample(part: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/samples/house_prices");
    folder.join(format!("kaggle_house_pred_{part}.csv"))
}

/// The message for a training file that is the sample's, changed.
fn message(change: impl Fn(&str) -> String) -> String {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("houses.csv");
    let text = std::fs::read_to_string(sample("train")).expect("the sample");
    std::fs::write(&path, change(&text)).expect("a file");
    let message = format!("{:#}", HousePrices::read(&path, &sample("test")).expect_err("a wrong file"));
    assert!(message.contains("houses.csv"), "{message}");
    message
}

/// Changes a field of a line, both counted from 0; the line 0 is the header.
fn with_field(text: &str, line: usize, field: usize, value: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let mut fields: Vec<&str> = lines[line].split(',').collect();
    fields[field] = value;
    lines[line] = fields.join(",");
    lines.join("\n")
}

#[test]
fn the_sample_has_all_columns() -> anyhow::Result<()> {
    let houses = HousePrices::read(&sample("train"), &sample("test"))?;
    assert_eq!((houses.train.shape(), houses.test.shape()), ((240, 81), (120, 80)));
    assert_eq!(houses.train.column("SalePrice")?.dtype(), &DataType::Float64);
    assert_eq!(houses.test.column("Id")?.i64()?.get(0), Some(241));
    assert!(houses.train.column("PoolQC")?.null_count() > 200);
    Ok(())
}

#[test]
fn a_missing_or_an_extra_column_is_named() {
    let told = message(|text| with_field(text, 0, 4, "Lot"));
    assert!(told.contains("there is no column `LotArea`"), "{told}");
    let told = message(|text| text.replace('\n', ",1\n").replacen(",1\n", ",Pets\n", 1));
    assert!(told.contains("`Pets`"), "{told}");
    let folder = TempDir::new().expect("a temporary folder");
    let error = HousePrices::read(&sample("test"), &folder.path().join("none.csv")).expect_err("no price");
    assert!(format!("{error:#}").contains("there is no column `SalePrice`"), "{error:#}");
}

#[test]
fn text_among_the_numbers_is_told_with_its_column_and_line() {
    let told = message(|text| with_field(text, 3, 4, "large"));
    assert!(told.contains("line 4, column `LotArea`: `large` is no finite number"), "{told}");
    let told = message(|text| with_field(text, 3, 4, "inf"));
    assert!(told.contains("line 4, column `LotArea`"), "{told}");
    let told = message(|text| with_field(text, 2, 0, "NA"));
    assert!(told.contains("line 3, column `Id`"), "{told}");
    for price in ["NA", "0", "-5"] {
        let told = message(|text| with_field(text, 5, 80, price));
        assert!(told.contains("line 6, column `SalePrice`"), "{told}");
    }
}

#[test]
fn files_without_rows_or_with_uneven_ones_are_errors() {
    let told = message(|text| text.lines().next().unwrap_or_default().to_string());
    assert!(told.contains("no rows"), "{told}");
    message(|_| String::new());
    let told = message(|text| text.replacen("\n1,", "\n1,20,", 1));
    assert!(told.contains("line 2: the number of fields is 82, in the header it is 81"), "{told}");
    let told = message(|text| text.trim_end().rsplit_once(',').expect("a field").0.to_string());
    assert!(told.contains("line 241: the number of fields is 80, in the header it is 81"), "{told}");
    let error = HousePrices::read(Path::new("no-such.csv"), &sample("test")).expect_err("no file");
    assert!(format!("{error:#}").contains("no-such.csv"), "{error:#}");
}

#[test]
fn a_wrong_file_of_the_readers_own_ends_the_section() {
    let out = TempDir::new().expect("a temporary folder");
    let wrong = out.path().join("mine.csv");
    std::fs::write(&wrong, "Id,Colour\n1,red\n").expect("a file");
    let (wrong, test) = (wrong.display().to_string(), sample("test").display().to_string());
    let flags = ["--train-csv", &wrong, "--test-csv", &test];
    let error = CHAPTER.smoke("kaggle-house-price", out.path(), &flags).expect_err("a wrong file");
    assert!(format!("{error:#}").contains("mine.csv"), "{error:#}");
}

#[test]
fn the_features_are_331_and_their_numbers_standardized() -> anyhow::Result<()> {
    let houses = HousePrices::read(&sample("train"), &sample("test"))?;
    let features = preprocess(&houses.train.drop("SalePrice")?.vstack(&houses.test)?)?;
    assert_eq!(features.shape(), (360, 331));
    let tensor = to_tensor(&features, &Device::Cpu)?;
    assert_eq!(tensor.dims(), [360, 331]);
    let numbers = tensor.narrow(1, 0, NUMBERS.len())?;
    assert!(numbers.mean(0)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5);
    // Each house has one category in each column, or the mark that it is missing.
    let marks = tensor.narrow(1, NUMBERS.len(), 331 - NUMBERS.len())?.sum(1)?.to_vec1::<f32>()?;
    assert!(marks.iter().all(|&marks| marks == CATEGORIES.len() as f32), "{marks:?}");
    Ok(())
}

#[test]
fn missing_numbers_become_the_mean() {
    let column = Float64Chunked::from_iter_options("area".into(), [Some(1.0), None, Some(3.0)].into_iter());
    let wanted = f64::sqrt(2.0) / 2.0; // the standard deviation of 1 and 3 is the root of 2
    for (got, wanted) in standardize(&column).iter().zip([-wanted, 0.0, wanted]) {
        assert!((got.unwrap_or(f64::NAN) - wanted).abs() < 1e-12);
    }
    let equal = Float64Chunked::from_iter_options("area".into(), [Some(5.0), Some(5.0)].into_iter());
    assert_eq!(standardize(&equal).iter().collect::<Vec<_>>(), [Some(0.0), Some(0.0)]);
}

#[test]
fn every_category_gets_a_column_and_what_is_missing_too() -> anyhow::Result<()> {
    let frame =
        DataFrame::new_infer_height(indicators(&Column::new("roof".into(), [Some("flat"), None, Some("hip")]))?)?;
    assert_eq!(frame.get_column_names(), ["roof_flat", "roof_hip", "roof_missing"]);
    let values = to_tensor(&frame, &Device::Cpu)?.to_vec2::<f32>()?;
    assert_eq!(values, [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
    let whole = DataFrame::new_infer_height(indicators(&Column::new("roof".into(), ["flat", "flat"]))?)?;
    assert_eq!(whole.get_column_names(), ["roof_flat", "roof_missing"]);
    Ok(())
}

#[test]
fn each_fold_validates_on_its_own_part() -> anyhow::Result<()> {
    let features = Tensor::arange(0f32, 7.0, &Device::Cpu)?.unsqueeze(1)?;
    let houses = (features.clone(), features);
    let [train, valid] = fold(3, 1, &houses)?;
    assert_eq!(valid.0.flatten_all()?.to_vec1::<f32>()?, [2.0, 3.0]);
    assert_eq!(train.1.flatten_all()?.to_vec1::<f32>()?, [0.0, 1.0, 4.0, 5.0]);
    assert!(fold(8, 0, &houses).is_err());
    Ok(())
}

#[test]
fn a_submission_has_a_line_for_each_house() -> anyhow::Result<()> {
    let prices = Tensor::new(&[[120_000f32], [98_765.43]], &Device::Cpu)?;
    let file = submission(&Column::new("Id".into(), [1461i64, 1462]), &prices)?;
    assert_eq!(String::from_utf8(file)?, "Id,SalePrice\n1461,120000.00\n1462,98765.43\n");
    Ok(())
}

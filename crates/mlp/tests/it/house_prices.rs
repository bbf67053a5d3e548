//! Files of house prices, right and wrong, and the features made of them.

use std::path::{Path, PathBuf};

use d2l::notebook::DataOrigin;
use d2l::prelude::{Device, Tensor};
use mlp::CHAPTER;
use mlp::house_prices::HousePrices;
use mlp::sections::kaggle_house_price::{fold, preprocess, standardize, submission};
use tables::polars::prelude::{Column, DataType};
use tables::to_tensor;
use tempfile::TempDir;

fn sample(part: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/samples/house_prices");
    folder.join(format!("kaggle_house_pred_{part}.csv"))
}

/// The message for a training file that is the sample's, changed; it names `file`.
fn message(change: impl Fn(&str) -> String, file: &str) -> String {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("houses.csv");
    let text = std::fs::read_to_string(sample("train")).expect("the sample");
    std::fs::write(&path, change(&text)).expect("a file");
    let message = format!("{:#}", HousePrices::read(&path, &sample("test")).expect_err("a wrong file"));
    assert!(message.contains(file), "{message}");
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
    // A column that the training file names differently is missing in the test file.
    let told = message(|text| with_field(text, 0, 4, "Lot"), "test.csv");
    assert!(told.contains("there is no column `Lot`; is it `LotArea`?"), "{told}");
    let told = message(|text| text.replace('\n', ",1\n").replacen(",1\n", ",Pets\n", 1), "test.csv");
    assert!(told.contains("`Pets`"), "{told}");
    let told = message(|text| with_field(text, 0, 80, "Price"), "houses.csv");
    assert!(told.contains("there is no column `SalePrice`"), "{told}");
    let error = HousePrices::read(&sample("train"), &sample("train")).expect_err("a price to guess");
    assert!(error.to_string().contains("`SalePrice` is one too many"), "{error}");
}

#[test]
fn text_among_the_numbers_is_told_with_its_column_and_line() {
    let told = message(|text| with_field(text, 3, 4, "large"), "houses.csv");
    assert!(told.contains("line 4: column `LotArea`: `large` is no finite number"), "{told}");
    let told = message(|text| with_field(text, 3, 4, "inf"), "houses.csv");
    assert!(told.contains("line 4: column `LotArea`"), "{told}");
    let told = message(|text| with_field(text, 2, 0, "NA"), "houses.csv");
    assert!(told.contains("line 3: column `Id`"), "{told}");
    for price in ["NA", "0", "-5"] {
        let told = message(|text| with_field(text, 5, 80, price), "houses.csv");
        assert!(told.contains("line 6: column `SalePrice`"), "{told}");
    }
}

#[test]
fn files_without_rows_or_with_uneven_ones_are_errors() {
    let told = message(|text| text.lines().next().unwrap_or_default().to_string(), "houses.csv");
    assert!(told.contains("no rows"), "{told}");
    message(|_| String::new(), "houses.csv");
    let told = message(|text| text.replacen("\n1,", "\n1,20,", 1), "houses.csv");
    assert!(told.contains("line 2: the number of fields is 82, in the header it is 81"), "{told}");
    let told = message(|text| text.trim_end().rsplit_once(',').expect("a field").0.to_string(), "houses.csv");
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
    let all = houses.train.drop("SalePrice")?.vstack(&houses.test)?.drop("Id")?;
    let (numbers, categories) = (36, 43);
    assert_eq!(all.columns().iter().filter(|column| column.dtype() == &DataType::String).count(), categories);
    let tensor = to_tensor(&preprocess(&all)?, &Device::Cpu)?;
    assert_eq!(tensor.dims(), [360, 331]);
    assert!(tensor.narrow(1, 0, numbers)?.mean(0)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5);
    // Each house has one category in each column, or the mark that it is missing.
    let marks = tensor.narrow(1, numbers, 331 - numbers)?.sum(1)?.to_vec1::<f32>()?;
    assert!(marks.iter().all(|&marks| marks == categories as f32), "{marks:?}");
    Ok(())
}

#[test]
fn missing_numbers_become_the_mean() -> anyhow::Result<()> {
    let values = |column: &Column| anyhow::Ok(standardize(column)?.f64()?.iter().flatten().collect::<Vec<_>>());
    let wanted = f64::sqrt(2.0) / 2.0; // the standard deviation of 1 and 3 is the root of 2
    let got = values(&Column::new("area".into(), [Some(1i64), None, Some(3)]))?;
    assert_eq!(got.len(), 3);
    for (got, wanted) in got.iter().zip([-wanted, 0.0, wanted]) {
        assert!((got - wanted).abs() < 1e-12);
    }
    assert_eq!(values(&Column::new("area".into(), [5.0, 5.0]))?, [0.0, 0.0]);
    assert_eq!(values(&Column::new("area".into(), [None::<f64>, None]))?, [0.0, 0.0]);
    Ok(())
}

#[test]
fn columns_of_the_readers_own_are_told_apart_by_their_values() -> anyhow::Result<()> {
    let out = TempDir::new()?;
    let write = |name: &str, header: &str, row: &dyn Fn(usize) -> String| -> anyhow::Result<String> {
        let rows: String = (1..=12).map(row).collect();
        let file = out.path().join(name);
        std::fs::write(&file, format!("{header}\n{rows}"))?;
        Ok(file.display().to_string())
    };
    let roof = |i| ["flat", "missing", " NA", "roof_nan"][i % 4];
    let row = |i| format!("{i},{},{},{}\n", 50 + i, roof(i), 100_000 + 1000 * i);
    let train = write("train.csv", "Id,Area,Roof,SalePrice", &row)?;
    let test = write("test.csv", "Id,Roof,Area", &|i| format!("{},{},NA\n", 12 + i, roof(i)))?;
    let flags = ["--train-csv", &train, "--test-csv", &test, "--k", "3", "--num-epochs", "2"];
    let record = CHAPTER.smoke("kaggle-house-price", out.path(), &flags)?;
    assert_eq!(record.data, DataOrigin::Full);
    assert!(record.cells[2].text.starts_with("2 columns become 5 features"), "{}", record.cells[2].text);
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
    assert_eq!(file, "Id,SalePrice\n1461,120000.00\n1462,98765.43\n");
    Ok(())
}

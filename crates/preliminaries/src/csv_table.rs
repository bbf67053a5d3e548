//! Comma-separated files as polars data frames, and data frames as tensors, with errors that say where the fault is.
//!
//! polars guesses a column's type, reads a short row as one with missing values, and tells where a fault is in bytes.
//! Here the caller says which columns there are and which hold numbers, and whatever differs is an error that names
//! the file, the column and the line.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use d2l::prelude::{Device, Tensor};
use polars::prelude::{
    Column, CsvParseOptions, CsvReadOptions, DataFrame, DataType, IntoColumn, NamedFrom, NullValues, PolarsError,
    SerReader, Series,
};

/// What stands for a missing value, beside an empty field.
pub const MISSING: &str = "NA";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Finite numbers, read as `f64`.
    Number,
    /// Categories or any other text.
    Text,
}

/// Why a file is no table of the columns asked for, or a table no tensor.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file that cannot be read, or is not text.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file without a row below its header.
    #[error("{}: there are no rows below the header", file.display())]
    NoRows {
        /// The file.
        file: PathBuf,
    },
    /// A header without one of the columns.
    #[error("{}, line 1: there is no column `{column}`; the columns are {}", file.display(), found.join(", "))]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column that is missing.
        column: String,
        /// The columns that are there.
        found: Vec<String>,
    },
    /// A header with a column that nobody asked for.
    #[error("{}, line 1: the column `{column}` is one too many; remove it or name it where the file is read", file.display())]
    ExtraColumn {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
    },
    /// A row of another length than the header.
    #[error("{}, line {line}: the number of fields is {got}, in the header it is {expected}", file.display())]
    Fields {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Fields in the row.
        got: usize,
        /// Fields in the header.
        expected: usize,
    },
    /// A quotation mark without its other half.
    #[error("{}, line {line}: a quotation mark opens a field that never ends", file.display())]
    OpenQuote {
        /// The file.
        file: PathBuf,
        /// The line where the row begins, counted from 1.
        line: usize,
    },
    /// Something else than a finite number in a column of numbers.
    #[error("{}, line {line}, column `{column}`: `{text}` is no finite number; {MISSING} or nothing stands for a missing one", file.display())]
    NotANumber {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The column.
        column: String,
        /// What stands there.
        text: String,
    },
    /// A column that has no numbers, where a tensor needs them.
    #[error("the column `{column}` holds {dtype}, and a tensor takes numbers: make indicators of it, or drop it")]
    NotNumeric {
        /// The column.
        column: String,
        /// Its type.
        dtype: DataType,
    },
    /// A column with a missing value, where a tensor needs a number.
    #[error("the column `{column}` has no value in row {row}: fill it before the frame becomes a tensor")]
    MissingValue {
        /// The column.
        column: String,
        /// The first row without a value, counted from 0.
        row: usize,
    },
    /// What polars finds.
    #[error(transparent)]
    Polars(#[from] PolarsError),
    /// What candle finds.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

type Result<T> = std::result::Result<T, TableError>;

/// Reads a file that has exactly these columns, in any order, and returns them in the order asked for.
pub fn read_csv(file: &Path, columns: &[(&str, Kind)]) -> Result<DataFrame> {
    let unreadable = |source| TableError::Read { file: file.to_owned(), source };
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let text = text.trim_end_matches('\n');
    let lines = line_of_each_row(file, text)?;

    let options = CsvParseOptions::default().with_null_values(Some(NullValues::AllColumnsSingle(MISSING.into())));
    // Read as text: numbers are parsed below, where the line of a fault is known.
    let options = CsvReadOptions::default().with_infer_schema_length(Some(0)).with_parse_options(options);
    let frame = options.into_reader_with_file_handle(Cursor::new(text.as_bytes())).finish()?;

    let found: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
    if let Some(extra) = found.iter().find(|name| columns.iter().all(|(column, _)| column != name)) {
        return Err(TableError::ExtraColumn { file: file.to_owned(), column: extra.clone() });
    }
    let read = |&(name, kind): &(&str, Kind)| {
        let missing =
            |_| TableError::MissingColumn { file: file.to_owned(), column: name.into(), found: found.clone() };
        let column = frame.column(name).map_err(missing)?;
        match kind {
            Kind::Text => Ok(column.clone()),
            Kind::Number => numbers(file, column, &lines),
        }
    };
    let columns = columns.iter().map(read).collect::<Result<Vec<Column>>>()?;
    Ok(DataFrame::new_infer_height(columns)?)
}

/// The line where each row below the header begins; a row goes over several lines where a quoted field does.
fn line_of_each_row(file: &Path, text: &str) -> Result<Vec<usize>> {
    let mut starts = Vec::new();
    let (mut expected, mut fields, mut start, mut quoted) = (None, 1, 1, false);
    for (number, line) in text.split('\n').enumerate() {
        for sign in line.chars() {
            match sign {
                '"' => quoted = !quoted,
                ',' if !quoted => fields += 1,
                _ => {}
            }
        }
        if quoted {
            continue;
        }
        let expected = *expected.get_or_insert(fields);
        if fields != expected {
            return Err(TableError::Fields { file: file.to_owned(), line: start, got: fields, expected });
        }
        starts.push(start);
        (fields, start) = (1, number + 2);
    }
    if quoted {
        return Err(TableError::OpenQuote { file: file.to_owned(), line: start });
    }
    if starts.len() < 2 {
        return Err(TableError::NoRows { file: file.to_owned() });
    }
    Ok(starts.split_off(1))
}

fn numbers(file: &Path, column: &Column, lines: &[usize]) -> Result<Column> {
    let parse = |(text, &line): (Option<&str>, &usize)| {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => {
                let column = column.name().to_string();
                Err(TableError::NotANumber { file: file.to_owned(), line, column, text: text.to_owned() })
            }
        }
    };
    let numbers = column.str()?.iter().zip(lines).map(parse).collect::<Result<Vec<Option<f64>>>>()?;
    Ok(Series::new(column.name().clone(), numbers).into_column())
}

/// A frame of numbers without gaps as an `f32` tensor `(rows, columns)`.
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
    use super::*;

    const COLUMNS: [(&str, Kind); 2] = [("rooms", Kind::Number), ("alley", Kind::Text)];

    fn read(text: &str) -> Result<DataFrame> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("houses.csv");
        std::fs::write(&file, text).expect("a file");
        read_csv(&file, &COLUMNS)
    }

    fn message(text: &str) -> String {
        let message = read(text).expect_err("a fault").to_string();
        assert!(message.contains("houses.csv"), "{message}");
        message
    }

    #[test]
    fn columns_come_in_the_order_asked_for_with_gaps_where_values_are_missing() -> anyhow::Result<()> {
        let frame = read("\u{feff}alley,rooms\r\nPave,2\r\nNA, 3.5\r\n,\r\n\"a, \"\"b\"\"\",NA\r\n\r\n")?;
        assert_eq!(frame.get_column_names(), ["rooms", "alley"]);
        let rooms: Vec<_> = frame.column("rooms")?.f64()?.iter().collect();
        assert_eq!(rooms, [Some(2.0), Some(3.5), None, None]);
        let alleys: Vec<_> = frame.column("alley")?.str()?.iter().collect();
        assert_eq!(alleys, [Some("Pave"), None, None, Some("a, \"b\"")]);
        Ok(())
    }

    #[test]
    fn a_fault_is_told_with_its_column_and_line() {
        assert!(message("rooms\n2\n").contains("no column `alley`; the columns are rooms"));
        assert!(message("rooms,alley,price\n2,Pave,1\n").contains("`price` is one too many"));
        let text = message("rooms,alley\n2,\"two\nlines\"\nmany,Pave\n");
        assert!(text.contains("line 4, column `rooms`: `many`"), "{text}");
        assert!(message("rooms,alley\n2,Pave\ninf,Pave\n").contains("line 3, column `rooms`: `inf`"));
        assert!(
            message("rooms,alley\n2,Pave\n3\n").contains("line 3: the number of fields is 1, in the header it is 2")
        );
        assert!(message("rooms,alley\n2,Pave\n\n3,Pave\n").contains("line 3"));
        assert!(message("rooms,alley\n2,Pave,7\n").contains("line 2: the number of fields is 3"));
        assert!(message("rooms,alley\n2,\"Pave\n3,Pave\n").contains("line 2: a quotation mark"));
        for empty in ["", "\n", "rooms,alley", "rooms,alley\n"] {
            assert!(message(empty).contains("no rows"));
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_not_text_is_named() {
        let missing = read_csv(Path::new("no-such.csv"), &COLUMNS).expect_err("no file").to_string();
        assert!(missing.contains("no-such.csv"), "{missing}");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("houses.csv");
        std::fs::write(&file, [b'r', 0xff, b'\n']).expect("a file");
        assert!(matches!(read_csv(&file, &COLUMNS), Err(TableError::Read { .. })));
    }

    #[test]
    fn a_tensor_takes_numbers_without_gaps() -> anyhow::Result<()> {
        let frame = read("rooms,alley\n2,Pave\nNA,Pave\n")?;
        let error = |frame: &DataFrame| to_tensor(frame, &Device::Cpu).expect_err("no tensor").to_string();
        assert!(error(&frame.select(["alley"])?).contains("`alley` holds str"));
        assert!(error(&frame.select(["rooms"])?).contains("`rooms` has no value in row 1"));
        let frame = polars::df!("a" => [1i32, 2, 3], "b" => [4f64, 5.0, 6.0])?;
        let tensor = to_tensor(&frame, &Device::Cpu)?;
        assert_eq!(tensor.to_vec2::<f32>()?, [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]);
        Ok(())
    }
}

//! Comma-separated files as polars data frames, and data frames as tensors, with errors that say where the fault is.
//!
//! polars guesses a column's type, reads a short row as one with missing values, and tells where a fault is in bytes.
//! Here the caller says which columns there are and which hold numbers, and whatever differs is an error that names
//! the file, the column and the line.

use std::fmt;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use d2l::prelude::{Device, Tensor};
use polars::prelude::{
    Column, CsvParseOptions, CsvReadOptions, DataFrame, DataType, NullValues, PolarsError, SerReader,
};

/// What stands for a missing value, beside an empty field.
pub const MISSING: &str = "NA";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Finite numbers, of which some may be missing, read as `f64`.
    Number,
    /// Numbers above zero, read as `f64`.
    Positive,
    /// Whole numbers, read as `i64`.
    Whole,
    /// Categories or any other text, of which some may be missing.
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number => write!(f, "finite number; {MISSING} or nothing stands for a missing one"),
            Self::Positive => f.write_str("number above zero"),
            Self::Whole => f.write_str("whole number"),
            Self::Text => f.write_str("text"),
        }
    }
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
    #[error("{}, line 1: there is no column `{column}`{}", file.display(), instead(others))]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column that is missing.
        column: String,
        /// The columns that are there and that nobody asked for.
        others: Vec<String>,
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
    /// A quotation mark inside a field that does not begin with one, or something after the mark that ends a field.
    #[error("{}, line {line}: a quotation mark within a field; quote the whole field, and write \"\" for a mark in it", file.display())]
    StrayQuote {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A field that is not of its column's kind.
    #[error("{}, line {line}, column `{column}`: `{text}` is no {kind}", file.display())]
    Unfit {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The column.
        column: String,
        /// What stands there; [`MISSING`] for nothing.
        text: String,
        /// What the column holds.
        kind: Kind,
    },
    /// A file that polars does not read.
    #[error("{}: {source}", file.display())]
    Unparsed {
        /// The file.
        file: PathBuf,
        /// What polars says.
        source: PolarsError,
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

/// Which columns may be a missing one under another name, for a message; the first ones of many.
fn instead(others: &[String]) -> String {
    const SHOWN: usize = 8;
    match others {
        [] => String::new(),
        [only] => format!("; is it `{only}`?"),
        _ => {
            let more = if others.len() > SHOWN { " or another" } else { "" };
            format!("; is it one of {}{more}?", others[..others.len().min(SHOWN)].join(", "))
        }
    }
}

/// Reads a file that has exactly these columns, in any order, and returns them in the order asked for.
///
/// # Errors
/// Where the file cannot be read, has no rows or uneven ones, lacks a column or has one too many, or holds what is not of
/// a column's kind; the error names the file, the column and the line.
pub fn read_csv(file: &Path, columns: &[(&str, Kind)]) -> Result<DataFrame> {
    let unreadable = |source| TableError::Read { file: file.to_owned(), source };
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let text = text.trim_end_matches('\n');
    let lines = line_of_each_row(file, text)?;

    let options = CsvParseOptions::default().with_null_values(Some(NullValues::AllColumnsSingle(MISSING.into())));
    // Read as text: numbers are parsed below, where the line of a fault is known.
    let options = CsvReadOptions::default().with_infer_schema_length(Some(0)).with_parse_options(options);
    let frame = options.into_reader_with_file_handle(Cursor::new(text.as_bytes())).finish();
    let frame = frame.map_err(|source| TableError::Unparsed { file: file.to_owned(), source })?;

    let names = frame.columns().iter().map(|column| column.name().to_string());
    let others: Vec<String> = names.filter(|name| columns.iter().all(|(column, _)| column != name)).collect();
    let read = |&(name, kind): &(&str, Kind)| {
        let missing =
            |_| TableError::MissingColumn { file: file.to_owned(), column: name.into(), others: others.clone() };
        fields(file, frame.column(name).map_err(missing)?, kind, &lines)
    };
    let columns = columns.iter().map(read).collect::<Result<Vec<Column>>>()?;
    if let Some(extra) = others.first() {
        return Err(TableError::ExtraColumn { file: file.to_owned(), column: extra.clone() });
    }
    Ok(DataFrame::new_infer_height(columns)?)
}

/// The line where each row below the header begins; a row goes over several lines where a quoted field does.
///
/// # Errors
/// Where the rows have different numbers of fields, or a quotation mark is out of place.
fn line_of_each_row(file: &Path, text: &str) -> Result<Vec<usize>> {
    /// Where in a field the next sign stands.
    #[derive(PartialEq)]
    enum Place {
        Start,
        Bare,
        Quoted,
        /// After a mark that ends a quoted field, or is the first of the two that stand for one in it.
        Mark,
    }
    let mut starts = Vec::new();
    let (mut expected, mut fields, mut start, mut line) = (None, 1, 1, 1);
    let mut place = Place::Start;
    for sign in text.chars().chain(['\n']) {
        place = match (place, sign) {
            (Place::Quoted, '"') => Place::Mark,
            (Place::Quoted, _) | (Place::Start | Place::Mark, '"') => Place::Quoted,
            (_, ',') => {
                fields += 1;
                Place::Start
            }
            (_, '\n') => {
                let expected = *expected.get_or_insert(fields);
                if fields != expected {
                    return Err(TableError::Fields { file: file.to_owned(), line: start, got: fields, expected });
                }
                starts.push(start);
                (fields, start) = (1, line + 1);
                Place::Start
            }
            (Place::Bare, '"') | (Place::Mark, _) => {
                return Err(TableError::StrayQuote { file: file.to_owned(), line });
            }
            (Place::Start | Place::Bare, _) => Place::Bare,
        };
        line += usize::from(sign == '\n');
    }
    if place == Place::Quoted {
        return Err(TableError::OpenQuote { file: file.to_owned(), line: start });
    }
    if starts.len() < 2 {
        return Err(TableError::NoRows { file: file.to_owned() });
    }
    Ok(starts.split_off(1))
}

/// A column of text as one of its kind.
fn fields(file: &Path, column: &Column, kind: Kind, lines: &[usize]) -> Result<Column> {
    let name = column.name();
    let finite = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    match kind {
        Kind::Text => Ok(column.clone()),
        Kind::Number => {
            let number = |field: Option<&str>| field.map_or(Some(None), |text| finite(text).map(Some));
            Ok(Column::new(name.clone(), parsed(file, column, kind, lines, number)?))
        }
        Kind::Positive => {
            let number = |field: Option<&str>| finite(field?).filter(|&number| number > 0.0);
            Ok(Column::new(name.clone(), parsed(file, column, kind, lines, number)?))
        }
        Kind::Whole => {
            let number = |field: Option<&str>| field?.parse::<i64>().ok();
            Ok(Column::new(name.clone(), parsed(file, column, kind, lines, number)?))
        }
    }
}

/// The values of a column's fields; `parse` gives none for what is not of the column's kind.
fn parsed<T>(
    file: &Path,
    column: &Column,
    kind: Kind,
    lines: &[usize],
    parse: impl Fn(Option<&str>) -> Option<T>,
) -> Result<Vec<T>> {
    let value = |(field, &line): (Option<&str>, &usize)| {
        let field = field.map(str::trim).filter(|text| !text.is_empty());
        parse(field).ok_or_else(|| {
            let (column, text) = (column.name().to_string(), field.unwrap_or(MISSING).to_owned());
            TableError::Unfit { file: file.to_owned(), line, column, text, kind }
        })
    };
    column.str()?.iter().zip(lines).map(value).collect()
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
        assert!(message("rooms\n2\n").ends_with("no column `alley`"));
        assert!(message("rooms,aley\n2,Pave\n").contains("no column `alley`; is it `aley`?"));
        let many = (0..10).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
        assert!(message(&format!("{many}\n{many}\n")).contains("is it one of 0, 1, 2, 3, 4, 5, 6, 7 or another?"));
        assert!(message("rooms,alley,price\n2,Pave,1\n").contains("`price` is one too many"));
        let text = message("rooms,alley\n2,\"two\nlines\"\nmany,Pave\n");
        assert!(text.contains("line 4, column `rooms`: `many`"), "{text}");
        assert!(message("rooms,alley\n2,Pave\ninf,Pave\n").contains("line 3, column `rooms`: `inf`"));
        assert!(
            message("rooms,alley\n2,Pave\n3\n").contains("line 3: the number of fields is 1, in the header it is 2")
        );
        assert!(message("rooms,alley\n2,Pave\n\n3,Pave\n").contains("line 3"));
        assert!(message("rooms,alley\n2,Pave,7\n").contains("line 2: the number of fields is 3"));
        assert!(message("rooms,alley\n2,\"Pave\n3,Pave\n").contains("line 2: a quotation mark opens"));
        for stray in ["\"two\"\u{0}", "\"two\" ", "t\"wo", "two\"", "\"t\"wo\""] {
            let text = message(&format!("rooms,alley\n2,\"o\nne\"\n3,{stray}\n4,Pave\n"));
            assert!(text.contains("line 4: a quotation mark within a field"), "{stray}: {text}");
        }
        for empty in ["", "\n", "rooms,alley", "rooms,alley\n"] {
            assert!(message(empty).contains("no rows"));
        }
    }

    #[test]
    fn kinds_without_gaps_have_none() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("houses.csv");
        let read = |text: &str| {
            std::fs::write(&file, text).expect("a file");
            read_csv(&file, &[("id", Kind::Whole), ("price", Kind::Positive)])
        };
        let frame = read("id,price\n-1,0.5\n")?;
        assert_eq!((frame.column("id")?.i64()?.get(0), frame.column("price")?.f64()?.get(0)), (Some(-1), Some(0.5)));
        for (row, place) in [
            (",1", "`id`: `NA` is no whole number"),
            ("1.5,1", "`id`: `1.5` is no whole number"),
            ("1,", "`price`: `NA` is no number above zero"),
            ("1,0", "`price`: `0` is no number above zero"),
            ("1,inf", "`price`: `inf` is no number above zero"),
        ] {
            let error = read(&format!("id,price\n{row}\n")).expect_err("a fault").to_string();
            assert!(error.contains("houses.csv, line 2, column") && error.ends_with(place), "{error}");
        }
        Ok(())
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

//! Files of comma-separated values, read strictly.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::slice;

use csv::{ReaderBuilder, StringRecord, Terminator};
use d2l::text::decode;
use polars::prelude::{Column, DataFrame};

use crate::{Result, TableError};

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
            Self::Number => write!(f, "finite number: correct it, or write {MISSING} or nothing where it is missing"),
            Self::Positive => f.write_str("number above zero"),
            Self::Whole => f.write_str("whole number"),
            Self::Text => f.write_str("text"),
        }
    }
}

/// A CSV file: a header, and one row or more with as many fields. White space around a field is no part of it; a field
/// that is empty or [`MISSING`] is a missing value.
#[derive(Debug, Clone)]
pub struct Csv {
    file: PathBuf,
    header: Vec<String>,
    /// Each row with the line where it begins.
    rows: Vec<(usize, StringRecord)>,
}

/// Reads a CSV file as a frame whose columns hold what their values say: see [`Csv::columns`].
///
/// # Errors
/// As [`Csv::read`] and [`Csv::columns`].
pub fn read_csv(file: &Path) -> Result<DataFrame> {
    let csv = Csv::read(file)?;
    csv.frame(&Csv::columns(slice::from_ref(&csv), &[])?)
}

impl Csv {
    /// Reads a file in UTF-8, with a byte order mark or without.
    ///
    /// # Errors
    /// Where the file cannot be read, is in another encoding, has another separator than the comma, an empty line, a
    /// quotation mark out of place, two columns of one name, a row with more or fewer fields than the header, or no row.
    pub fn read(file: &Path) -> Result<Self> {
        let text = decode(file)?;
        let text = text.trim_end_matches('\n');
        let first = text.lines().next().unwrap_or_default();
        for (separator, name) in [('\t', "tabs"), (';', "semicolons"), ('|', "bars")] {
            if first.matches(separator).count() > first.matches(',').count() {
                let fault = format!("the fields are separated by {name}; save the file with commas between them");
                return Err(TableError::fault(file, 1, fault));
            }
        }
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(text.as_bytes());
        let mut rows: Vec<(usize, StringRecord)> = Vec::new();
        loop {
            let (start, line) = (reader.position().byte() as usize, reader.position().line() as usize);
            let fault = |fault: String| TableError::fault(file, line, fault);
            let mut fields = StringRecord::new();
            if !reader.read_record(&mut fields).map_err(|error| fault(error.to_string()))? {
                break;
            }
            let raw = &text[start..reader.position().byte() as usize];
            if raw.starts_with('\n') {
                return Err(fault("the line is empty; remove it".to_string()));
            }
            if !is_written_well(raw, &fields) {
                let rule = "quote the whole field, with a mark at its end, and write \"\" for a mark in it";
                return Err(fault(format!("a quotation mark is out of place; {rule}")));
            }
            let expected = rows.first().map_or(fields.len(), |(_, header)| header.len());
            if fields.len() != expected {
                let got = fields.len();
                return Err(fault(format!("the number of fields is {got}, in the header it is {expected}")));
            }
            fields.trim();
            rows.push((line, fields));
        }
        if rows.len() < 2 {
            return Err(TableError::fault(file, 1, "there are no rows below the header"));
        }
        let header: Vec<String> = rows.remove(0).1.iter().map(str::to_owned).collect();
        let mut names = HashSet::new();
        if let Some(twice) = header.iter().find(|name| !names.insert(*name)) {
            return Err(TableError::fault(file, 1, format!("there are two columns `{twice}`; rename one")));
        }
        Ok(Self { file: file.to_owned(), header, rows })
    }

    /// The columns of the first file in their order, with what they hold: what `told` says; else, by the values in all the
    /// files, as pandas has it, numbers or text. Whole numbers with gaps are numbers, and so is what is wholly missing.
    ///
    /// # Errors
    /// Where a column holds both numbers and words, or the first file lacks one that `told` names.
    pub fn columns(files: &[Self], told: &[(&str, Kind)]) -> Result<Vec<(String, Kind)>> {
        let Some(first) = files.first() else { return Ok(Vec::new()) };
        for (name, _) in told {
            first.place(name, &[])?;
        }
        let kind = |name: &String| match told.iter().find(|(known, _)| known == name) {
            Some(&(_, kind)) => Ok(kind),
            None => kind_of(files, name),
        };
        first.header.iter().map(|name| Ok((name.clone(), kind(name)?))).collect()
    }

    /// The file's rows as a frame of exactly these columns, in this order; the file may have them in another one.
    ///
    /// # Errors
    /// Where the file lacks a column or has one too many, or a field is not of its column's kind.
    pub fn frame<N: AsRef<str>>(&self, columns: &[(N, Kind)]) -> Result<DataFrame> {
        let asked: Vec<&str> = columns.iter().map(|(name, _)| name.as_ref()).collect();
        let others: Vec<&str> = self.header.iter().map(String::as_str).filter(|name| !asked.contains(name)).collect();
        let places = asked.iter().map(|name| self.place(name, &others)).collect::<Result<Vec<_>>>()?;
        if let Some(extra) = others.first() {
            let fault = format!("the column `{extra}` is one too many; remove it, or name it where the file is read");
            return Err(TableError::fault(&self.file, 1, fault));
        }
        let columns = places.into_iter().zip(columns).map(|(place, (_, kind))| self.column(place, *kind));
        Ok(DataFrame::new_infer_height(columns.collect::<Result<_>>()?)?)
    }

    /// Where a column stands; `others` may be the one that is meant.
    fn place(&self, name: &str, others: &[&str]) -> Result<usize> {
        self.header
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| TableError::fault(&self.file, 1, format!("there is no column `{name}`{}", instead(others))))
    }

    /// The fields of a column, each with its line.
    fn fields(&self, place: usize) -> impl Iterator<Item = (usize, Option<&str>)> {
        self.rows.iter().map(move |(line, fields)| {
            (*line, fields.get(place).filter(|field| !field.is_empty() && *field != MISSING))
        })
    }

    fn column(&self, place: usize, kind: Kind) -> Result<Column> {
        let name = self.header[place].as_str().into();
        Ok(match kind {
            Kind::Text => Column::new(name, self.fields(place).map(|(_, field)| field).collect::<Vec<_>>()),
            Kind::Number => {
                Column::new(name, self.parsed(place, kind, |field| field.map_or(Some(None), |f| finite(f).map(Some)))?)
            }
            Kind::Positive => {
                Column::new(name, self.parsed(place, kind, |field| finite(field?).filter(|&number| number > 0.0))?)
            }
            Kind::Whole => Column::new(name, self.parsed(place, kind, |field| field?.parse::<i64>().ok())?),
        })
    }

    /// The values of a column; `parse` gives none for what is not of its kind.
    fn parsed<T>(&self, place: usize, kind: Kind, parse: impl Fn(Option<&str>) -> Option<T>) -> Result<Vec<T>> {
        let value = |(line, field)| parse(field).ok_or_else(|| self.unfit(line, place, field, kind));
        self.fields(place).map(value).collect()
    }

    fn unfit(&self, line: usize, place: usize, field: Option<&str>, kind: Kind) -> TableError {
        let (column, field) = (&self.header[place], field.unwrap_or(MISSING));
        TableError::fault(&self.file, line, format!("column `{column}`: `{field}` is no {kind}"))
    }
}

/// Whether a row is these fields as they have to be written: without quotation marks, or quoted whole. The reader of the
/// `csv` crate takes marks anywhere, and a last field that never ends.
fn is_written_well(raw: &str, fields: &StringRecord) -> bool {
    let mut rest = raw.trim_end_matches('\n');
    for (place, field) in fields.iter().enumerate() {
        let at = if place == 0 { Some(rest) } else { rest.strip_prefix(',') };
        let quoted = format!("\"{}\"", field.replace('"', "\"\""));
        let after = at.and_then(|at| match at.strip_prefix(&quoted) {
            None if !at.starts_with('"') && !field.contains('"') => at.strip_prefix(field),
            after => after,
        });
        let Some(after) = after else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// A finite number; `inf` and `nan` are none.
fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// What a column holds by its values in all the files.
fn kind_of(files: &[Csv], name: &str) -> Result<Kind> {
    let (mut numbers, mut words) = (Vec::new(), Vec::new());
    let mut whole = true;
    for file in files {
        let Some(place) = file.header.iter().position(|known| known == name) else { continue };
        for (line, field) in file.fields(place) {
            whole &= field.is_some_and(|field| field.parse::<i64>().is_ok());
            if let Some(field) = field {
                let found = if finite(field).is_some() { &mut numbers } else { &mut words };
                found.push((file, line, place, field));
            }
        }
    }
    match (numbers.first(), words.first()) {
        (_, None) if whole => Ok(Kind::Whole),
        (_, None) => Ok(Kind::Number),
        (None, Some(_)) => Ok(Kind::Text),
        (Some(_), Some(&(file, line, place, word))) if numbers.len() >= words.len() => {
            Err(file.unfit(line, place, Some(word), Kind::Number))
        }
        (Some((file, line, _, number)), Some(_)) => {
            let advice = "correct it, or have the column read as text";
            let fault = format!("column `{name}`: `{number}` is a number, where most fields are words; {advice}");
            Err(TableError::fault(&file.file, *line, fault))
        }
    }
}

/// Which columns may be a missing one under another name, for a message; the first ones of many.
fn instead(others: &[&str]) -> String {
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

#[cfg(test)]
mod tests {
    use polars::prelude::DataType;

    use super::*;

    const COLUMNS: [(&str, Kind); 2] = [("rooms", Kind::Number), ("alley", Kind::Text)];

    fn csv(bytes: impl AsRef<[u8]>) -> Result<Csv> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("houses.csv");
        std::fs::write(&file, bytes).expect("a file");
        Csv::read(&file)
    }

    /// Reads a file of [`COLUMNS`].
    fn read(bytes: impl AsRef<[u8]>) -> Result<DataFrame> {
        csv(bytes)?.frame(&COLUMNS)
    }

    fn message(bytes: impl AsRef<[u8]>) -> String {
        let message = read(bytes).expect_err("a fault").to_string();
        assert!(message.contains("houses.csv, line "), "{message}");
        message
    }

    /// The kinds that a file's values say.
    fn kinds(text: &str) -> Result<Vec<Kind>> {
        let columns = Csv::columns(&[csv(text)?], &[])?;
        Ok(columns.into_iter().map(|(_, kind)| kind).collect())
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
    fn white_space_is_no_part_of_a_field() -> anyhow::Result<()> {
        let frame = read("rooms , alley\n NA, NA\n\t, \n 2 , Pave \n2,Pave\n")?;
        assert_eq!(frame.column("rooms")?.f64()?.iter().collect::<Vec<_>>(), [None, None, Some(2.0), Some(2.0)]);
        let alleys: Vec<_> = frame.column("alley")?.str()?.iter().collect();
        assert_eq!(alleys, [None, None, Some("Pave"), Some("Pave")]);
        assert_eq!(kinds("a,b\n NA, NA\n 1, x\n")?, [Kind::Number, Kind::Text]);
        Ok(())
    }

    #[test]
    fn a_fault_is_told_with_its_column_and_line() {
        assert!(message("rooms\n2\n").ends_with("no column `alley`"));
        assert!(message("rooms,aley\n2,Pave\n").contains("no column `alley`; is it `aley`?"));
        let many = (0..10).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
        assert!(message(format!("{many}\n{many}\n")).contains("is it one of 0, 1, 2, 3, 4, 5, 6, 7 or another?"));
        assert!(message("rooms,alley,price\n2,Pave,1\n").contains("`price` is one too many"));
        assert!(message("rooms,alley, rooms\n2,Pave,1\n").contains("line 1: there are two columns `rooms`"));
        let text = message("rooms,alley\n2,\"two\nlines\"\nmany,Pave\n");
        assert!(text.contains("line 4: column `rooms`: `many` is no finite number"), "{text}");
        assert!(message("rooms,alley\r\n2,Pave\r\ninf,Pave\r\n").contains("line 3: column `rooms`: `inf`"));
        assert!(
            message("rooms,alley\n2,Pave\n3\n").contains("line 3: the number of fields is 1, in the header it is 2")
        );
        assert!(message("rooms,alley\n2,Pave\n\n3,Pave\n").contains("line 3: the line is empty"));
        assert!(message("rooms,alley\n2,Pave,7\n").contains("line 2: the number of fields is 3"));
        assert!(message("rooms,alley\n2,\"Pave\n3,Pave\n").contains("line 2: a quotation mark is out of place"));
        for stray in ["\"two\" ", " \"two\"", "t\"wo", "two\"", "\"t\"wo\"", "\""] {
            let text = message(format!("rooms,alley\n2,\"o\nne\"\n3,{stray}\n4,Pave\n"));
            assert!(text.contains("line 4: a quotation mark is out of place"), "{stray}: {text}");
        }
        for empty in ["", "\n", "rooms,alley", "rooms,alley\n"] {
            assert!(message(empty).contains("no rows"));
        }
        assert!(Csv::read(Path::new("no-such.csv")).expect_err("no file").to_string().contains("no-such.csv"));
    }

    #[test]
    fn another_encoding_or_separator_is_named() {
        let latin = message(b"rooms,alley\n2,Pave\n3,all\xe9e\n");
        assert!(latin.contains("line 3: the byte 0xE9 is not UTF-8") && latin.contains("Latin-1"), "{latin}");
        let text: Vec<u16> = "rooms,alley\n2,Pave\n".encode_utf16().collect();
        let little: Vec<u8> = text.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = text.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in
            [little.clone(), big.clone(), [b"\xff\xfe", &little[..]].concat(), [b"\xfe\xff", &big[..]].concat()]
        {
            assert!(message(bytes).contains("line 1: the file is in UTF-16"));
        }
        for (separator, name) in [("\t", "tabs"), (";", "semicolons"), ("|", "bars")] {
            let text = message("rooms,alley\n2,Pave\n".replace(',', separator));
            assert!(text.contains(&format!("line 1: the fields are separated by {name}")), "{text}");
        }
        assert!(read("rooms,alley\n2,a;b;c\n").is_ok());
    }

    #[test]
    fn kinds_without_gaps_have_none() -> anyhow::Result<()> {
        let columns = [("id", Kind::Whole), ("price", Kind::Positive)];
        let frame = csv("id,price\n-1,0.5\n")?.frame(&columns)?;
        assert_eq!((frame.column("id")?.i64()?.get(0), frame.column("price")?.f64()?.get(0)), (Some(-1), Some(0.5)));
        for (row, place) in [
            (",1", "`id`: `NA` is no whole number"),
            ("1.5,1", "`id`: `1.5` is no whole number"),
            ("1,", "`price`: `NA` is no number above zero"),
            ("1,0", "`price`: `0` is no number above zero"),
            ("1,inf", "`price`: `inf` is no number above zero"),
        ] {
            let error = csv(format!("id,price\n{row}\n"))?.frame(&columns).expect_err("a fault").to_string();
            assert!(error.contains("houses.csv, line 2: column") && error.ends_with(place), "{error}");
        }
        Ok(())
    }

    #[test]
    fn values_say_what_a_column_holds() -> anyhow::Result<()> {
        let text = "whole,gap,number,word,none\n1,1,1.5,a,NA\n-2,NA,1e3,NA,\n";
        assert_eq!(kinds(text)?, [Kind::Whole, Kind::Number, Kind::Number, Kind::Text, Kind::Number]);
        let frame = csv(text)?.frame(&Csv::columns(&[csv(text)?], &[("whole", Kind::Text)])?)?;
        let types: Vec<_> = frame.columns().iter().map(|column| column.dtype().clone()).collect();
        let number = DataType::Float64;
        assert_eq!(types, [DataType::String, number.clone(), number.clone(), DataType::String, number]);

        let error = |text: &str| kinds(text).expect_err("a mixture").to_string();
        assert!(error("area\n1\n2\nlarge\n").contains("line 4: column `area`: `large` is no finite number"));
        assert!(error("roof\nflat\n7\nhip\n").contains("line 3: column `roof`: `7` is a number"));
        let lacking = Csv::columns(&[csv("a\n1\n")?], &[("b", Kind::Text)]).expect_err("no such column");
        assert!(lacking.to_string().contains("there is no column `b`"), "{lacking}");
        Ok(())
    }

    #[test]
    fn what_one_file_lacks_another_tells() -> anyhow::Result<()> {
        let files = [csv("pool,area\nNA,1\n")?, csv("area,pool\nNA,good\n2.5,NA\n")?];
        let columns = Csv::columns(&files, &[])?;
        assert_eq!(columns, [("pool".to_string(), Kind::Text), ("area".to_string(), Kind::Number)]);
        assert_eq!(files[0].frame(&columns)?.vstack(&files[1].frame(&columns)?)?.shape(), (3, 2));
        Ok(())
    }
}

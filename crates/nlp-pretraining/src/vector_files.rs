//! Word vectors as their makers publish them: lines of text, or an array beside a table of words.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use d2l::data::DataError;
use flate2::read::MultiGzDecoder;
use npyz::{NpyFile, Order};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use crate::word_vectors::{WordVectors, WordVectorsBuilder};

/// The longest line that a file of vectors may have: more than a thousand numbers.
const LONGEST: u64 = 1 << 20;

/// Reads a file of text, in UTF-8: a word and its numbers a line, with one space between. A first line of two numbers is
/// fastText's: how many words and how many numbers a vector follow. Names that end in `.gz` are unpacked while they are read.
///
/// # Errors
/// Where the file cannot be read, holds no vector, or a line is not UTF-8, too long, or has other than as many numbers as the
/// first; the error names the file and the line.
pub fn read_text(path: &Path) -> Result<WordVectors, DataError> {
    let file = File::open(path).map_err(|reason| DataError::read(path, reason))?;
    let is_packed = path.extension().is_some_and(|ending| ending == "gz");
    let source: Box<dyn Read> = if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut source = BufReader::with_capacity(1 << 16, source);
    let mut builder: Option<WordVectorsBuilder> = None;
    let (mut line, mut values, mut announced) = (Vec::new(), Vec::new(), None);
    for number in 1.. {
        let at_fault = |what: String| DataError::invalid(format!("{}, line {number}: {what}", path.display()));
        line.clear();
        let mut limited = source.by_ref().take(LONGEST);
        let read = limited.read_until(b'\n', &mut line).map_err(|reason| DataError::read(path, reason))?;
        if read == 0 {
            break;
        }
        if read as u64 == LONGEST {
            return Err(at_fault(format!("more than {LONGEST} bytes: this is no file of word vectors")));
        }
        let text = std::str::from_utf8(&line).map_err(|error| {
            at_fault(format!("the byte 0x{:02X} is not UTF-8; save the file as UTF-8", line[error.valid_up_to()]))
        })?;
        let text = if number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        let mut fields = text.trim_end_matches(['\n', '\r', ' ']).split(' ');
        let word = fields.next().unwrap_or_default();
        values.clear();
        for field in fields {
            let value: f32 = field.parse().map_err(|_| at_fault(format!("`{}` is no number", start_of(field))))?;
            if !value.is_finite() {
                return Err(at_fault(format!("{value} is no coordinate of a vector")));
            }
            values.push(value);
        }
        if number == 1 && values.len() == 1 && word.parse::<usize>().is_ok() {
            announced = Some(values[0] as usize);
            continue;
        }
        let wanted = builder.as_ref().map(WordVectorsBuilder::dimension).or(announced).unwrap_or(values.len());
        if values.is_empty() || values.len() != wanted {
            let got = values.len();
            return Err(at_fault(format!("`{}` has {got} numbers, not {wanted}", start_of(word))));
        }
        builder.get_or_insert_with(|| WordVectorsBuilder::new(wanted)).push(word, &values);
    }
    match builder {
        Some(builder) => Ok(builder.finish()),
        None => Err(DataError::invalid(format!("{} holds no word vector", path.display()))),
    }
}

/// The start of a text that may be long.
fn start_of(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Reads an array in NumPy's format, a vector a row, and a table in the format Parquet whose first column has the words.
///
/// # Errors
/// Where a file is not of its format, or they have different numbers of rows.
pub fn read_array(vectors: &Path, words: &Path) -> Result<WordVectors, DataError> {
    let at_fault =
        |path: &Path, what: &dyn std::fmt::Display| DataError::invalid(format!("{}: {what}", path.display()));
    let array = File::open(vectors).map_err(|reason| DataError::read(vectors, reason))?;
    let array = NpyFile::new(BufReader::new(array)).map_err(|error| at_fault(vectors, &error))?;
    let &[rows, dimension] = array.shape() else {
        return Err(at_fault(vectors, &"no array of rows of numbers"));
    };
    let (rows, dimension) = (rows as usize, dimension as usize);
    // Whether the numbers of one vector, or those of one place in all vectors, follow each other.
    let by_columns = array.order() == Order::Fortran;
    let values: Vec<f32> = array.into_vec().map_err(|error| at_fault(vectors, &error))?;
    let (step, next) = if by_columns { (1, rows) } else { (dimension, 1) };
    let file = File::open(words).map_err(|reason| DataError::read(words, reason))?;
    let table = SerializedFileReader::new(file).map_err(|error| at_fault(words, &error))?;
    let mut builder = WordVectorsBuilder::with_room(dimension, rows);
    let mut vector = vec![0f32; dimension];
    let mut count = 0;
    for row in table.get_row_iter(None).map_err(|error| at_fault(words, &error))? {
        let row = row.map_err(|error| at_fault(words, &error))?;
        let Some((_, Field::Str(word))) = row.get_column_iter().next() else {
            return Err(at_fault(words, &"its first column is none of words"));
        };
        if count == rows {
            return Err(at_fault(words, &format!("more words than the {rows} vectors of {}", vectors.display())));
        }
        vector.iter_mut().enumerate().for_each(|(place, value)| *value = values[count * step + place * next]);
        builder.push(word, &vector);
        count += 1;
    }
    drop(values);
    if count < rows {
        return Err(at_fault(words, &format!("{count} words for the {rows} vectors of {}", vectors.display())));
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use candle_core::Tensor;

    use super::*;

    fn read(content: &[u8]) -> anyhow::Result<Result<WordVectors, String>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("vec.txt");
        std::fs::write(&path, content)?;
        Ok(read_text(&path).map_err(|error| error.to_string()))
    }

    #[test]
    fn lines_are_words_and_numbers() -> anyhow::Result<()> {
        let vectors = read("the 0.5 -1e-1\r\ndéjà 2 3 \nthe 7 8\n".as_bytes())?.map_err(anyhow::Error::msg)?;
        assert_eq!((vectors.len(), vectors.dimension()), (4, 2));
        assert_eq!(vectors.vector("the"), [0.5, -0.1], "the first of two rows");
        assert_eq!((vectors.vector("déjà"), vectors.word(3)), (&[2.0, 3.0][..], Some("the")));
        let vectors = read(b"\xef\xbb\xbf2 3\na 1 2 3\n")?.map_err(anyhow::Error::msg)?;
        assert_eq!(
            (vectors.len(), vectors.dimension(), vectors.word(1)),
            (2, 3, Some("a")),
            "a first line of fastText's"
        );
        Ok(())
    }

    #[test]
    fn what_is_no_vector_is_named_with_its_line() -> anyhow::Result<()> {
        let long = [b"a 1 2\nb ", &b"1 ".repeat(600_000)[..]].concat();
        let cases: [(&[u8], &str); 11] = [
            (b"", "holds no word vector"),
            (b"2 3\n", "holds no word vector"),
            (b"a 1 2\nb 1\n", "line 2: `b` has 1 numbers, not 2"),
            (b"a 1 2\nb 1 2 3\n", "line 2: `b` has 3 numbers, not 2"),
            (b"a\n", "line 1: `a` has 0 numbers"),
            (b"a 1 2\n\n", "line 2: `` has 0 numbers, not 2"),
            (b"1 3\na 1 2\n", "line 2: `a` has 2 numbers, not 3"),
            (b"a 1 2\nb 1 x\n", "line 2: `x` is no number"),
            (b"1 99999999999999\na 1 2\n", "line 2: `a` has 2 numbers, not 1000000"),
            (b"a 1 nan\n", "line 1: NaN is no coordinate"),
            (b"a 1 2\nd\xe9j 1 2\n", "line 2: the byte 0xE9 is not UTF-8"),
        ];
        for (content, part) in cases.into_iter().chain([(&long[..], "line 2: more than 1048576 bytes")]) {
            let message = read(content)?.err().unwrap_or_default();
            assert!(message.contains("vec.txt") && message.contains(part), "{message}, not {part}");
        }
        Ok(())
    }

    #[test]
    fn packed_files_are_unpacked_and_damage_is_told() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("vec.txt.gz");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for word in 0..1000 {
            writeln!(packed, "word{word} {} {}", word * 7 % 13, word % 11)?;
        }
        let packed = packed.finish()?;
        std::fs::write(&path, &packed)?;
        assert_eq!(read_text(&path)?.len(), 1001);
        std::fs::write(&path, &packed[..packed.len() / 2])?;
        assert!(read_text(&path).is_err_and(|error| error.to_string().contains("vec.txt.gz")));
        Ok(())
    }

    #[test]
    fn an_array_beside_no_table_is_an_error() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (array, words) = (folder.path().join("a.npy"), folder.path().join("words.parquet"));
        Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &candle_core::Device::Cpu)?.write_npy(&array)?;
        std::fs::write(&words, "no table")?;
        let message = read_array(&array, &words).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("words.parquet"), "{message}");
        std::fs::write(&array, "no array")?;
        let message = read_array(&array, &words).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("a.npy"), "{message}");
        Ok(())
    }
}

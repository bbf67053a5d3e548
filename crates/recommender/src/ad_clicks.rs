//! Advertisements that were shown, and whether they were clicked (section 16.8).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{ArrayLoader, DataError, Source};
use d2l::prelude::*;
use d2l::text;

/// How a file of impressions is written: a row a line, and in each row whether there was a click, then the categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClickFormat {
    separator: char,
    /// The place of the column that has a 1 for a click and a 0 for none. What stands before it numbers the rows.
    click_column: usize,
}

impl ClickFormat {
    /// The book's: tabs between the columns, the click first.
    pub const BOOK: Self = Self { separator: '\t', click_column: 0 };
    /// Avazu's: commas between the columns, a row's number first.
    pub const AVAZU: Self = Self { separator: ',', click_column: 1 };
}

/// Advertisements as they were shown, a row for each time: for each field a category that tells where, when and to whom, and
/// whether there was a click.
#[derive(Debug, Clone)]
pub struct Impressions {
    fields: Vec<String>,
    separator: char,
    /// The categories of all rows, as their lines have them.
    text: String,
    /// Where the rows' categories stand in the text.
    rows: Vec<Range<usize>>,
    clicks: Vec<bool>,
}

impl Impressions {
    /// Reads files of the same fields, one after the other. A first line without a number in the click's column names the
    /// fields; without one they are called by their places, from 1. Empty lines are passed over. An empty category is a
    /// category like any other.
    ///
    /// The book's reader leaves out lines with too many or too few columns; here they are errors.
    ///
    /// # Errors
    /// Where a file cannot be read, is not UTF-8 or has no rows; where a line has other columns than those before, or
    /// neither a 0 nor a 1 in the click's column. The error names the file and the line.
    pub fn read(files: &[&Path], format: ClickFormat) -> Result<Self, DataError> {
        let separator = format.separator;
        let mut read =
            Self { fields: Vec::new(), separator, text: String::new(), rows: Vec::new(), clicks: Vec::new() };
        for path in files {
            let before = read.len();
            read.add_lines(&text::read(path)?, format.click_column)
                .map_err(|(line, fault)| DataError::invalid(format!("{}, line {line}: {fault}", path.display())))?;
            if read.len() == before {
                return Err(DataError::invalid(format!("{} has no rows: it is another file", path.display())));
            }
        }
        Ok(read)
    }

    /// Adds the rows of a file; an error comes with its line.
    fn add_lines(&mut self, text: &str, click_column: usize) -> Result<(), (usize, String)> {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty());
        for (place, (number, line)) in lines.enumerate() {
            let Some((end, separator)) = line.match_indices(self.separator).nth(click_column) else {
                let what = "no category: the columns are a click, 0 or 1, and categories";
                return Err((number, format!("{what}, with {:?} between them", self.separator)));
            };
            let (click, categories) = (&line[..end], &line[end + separator.len()..]);
            let click = click.rsplit(self.separator).next().unwrap_or_default().trim();
            let is_header = place == 0 && click.parse::<f64>().is_err();
            if self.fields.is_empty() {
                let names = (1..).zip(categories.split(self.separator));
                let name = |(place, name): (usize, &str)| {
                    if is_header { name.trim().to_string() } else { format!("field {place}") }
                };
                self.fields = names.map(name).collect();
            }
            let (found, expected) = (categories.split(self.separator).count(), self.fields.len());
            if found != expected {
                let what = format!("{found} categories, and {expected} in the lines before: correct the line");
                return Err((number, what));
            }
            match click {
                "0" | "1" => {
                    let start = self.text.len();
                    self.text.push_str(categories);
                    self.rows.push(start..self.text.len());
                    self.clicks.push(click == "1");
                }
                _ if is_header => {}
                _ => {
                    let start: String = click.chars().take(40).collect();
                    return Err((number, format!("the click is {start:?}, and must be 1, or 0 for none")));
                }
            }
        }
        Ok(())
    }

    /// The names of the fields.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Which rows have a click.
    pub fn clicks(&self) -> &[bool] {
        &self.clicks
    }

    /// The share of rows with a click.
    pub fn click_rate(&self) -> f64 {
        self.clicks.iter().filter(|&&click| click).count() as f64 / self.len() as f64
    }

    /// The categories of a row, one for each field; `row` must be below their number.
    pub fn categories(&self, row: usize) -> impl Iterator<Item = &str> {
        self.text[self.rows[row].clone()].split(self.separator)
    }

    /// For each field its categories, with how many rows have each and how many of those have a click.
    pub fn counts(&self) -> Vec<HashMap<&str, CategoryCount>> {
        let mut counts: Vec<HashMap<&str, CategoryCount>> = vec![HashMap::new(); self.fields.len()];
        for (row, &click) in self.clicks.iter().enumerate() {
            for (counts, category) in counts.iter_mut().zip(self.categories(row)) {
                let count = counts.entry(category).or_default();
                count.rows += 1;
                count.clicks += usize::from(click);
            }
        }
        counts
    }
}

/// How often a category occurs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CategoryCount {
    /// The rows that have it.
    pub rows: usize,
    /// Those of them with a click.
    pub clicks: usize,
}

/// The numbers that stand for categories. Each field has a range of numbers for itself: one for each category that is
/// frequent enough, the most frequent first, and then one, the field's default, for all others, such as a prediction meets
/// that no training row had.
#[derive(Debug, Clone)]
pub struct FeatureMap {
    /// For each field the place of each category in its range.
    places: Vec<HashMap<String, u32>>,
    /// Where the fields' ranges begin.
    offsets: Vec<u32>,
}

impl FeatureMap {
    /// Numbers for the categories that at least `min_threshold` rows have.
    #[doc(alias = "feat_mapper")]
    pub fn new(impressions: &Impressions, min_threshold: usize) -> Self {
        let frequent = |counts: HashMap<&str, CategoryCount>| -> HashMap<String, u32> {
            let mut frequent: Vec<(&str, usize)> =
                counts.into_iter().map(|(category, count)| (category, count.rows)).collect();
            frequent.retain(|&(_, rows)| rows >= min_threshold);
            frequent.sort_unstable_by_key(|&(category, rows)| (Reverse(rows), category));
            frequent.into_iter().map(|(category, _)| category.to_string()).zip(0..).collect()
        };
        let places: Vec<_> = impressions.counts().into_iter().map(frequent).collect();
        let offsets = places.iter().scan(0, |next, places| {
            let offset = *next;
            *next += places.len() as u32 + 1;
            Some(offset)
        });
        Self { offsets: offsets.collect(), places }
    }

    /// How many numbers each field has.
    pub fn field_dims(&self) -> Vec<usize> {
        self.places.iter().map(|places| places.len() + 1).collect()
    }

    /// How many numbers there are in all.
    pub fn features(&self) -> usize {
        self.field_dims().iter().sum()
    }

    /// The number of a category of a field, which must be below their number; the field's default where it has none of its
    /// own.
    pub fn index(&self, field: usize, category: &str) -> u32 {
        match self.places[field].get(category) {
            Some(place) => self.offsets[field] + place,
            None => self.default_index(field),
        }
    }

    /// The number of all categories of a field that have none of their own.
    #[doc(alias = "defaults")]
    pub fn default_index(&self, field: usize) -> u32 {
        self.offsets[field] + self.places[field].len() as u32
    }

    /// The numbers of rows, `(rows, fields)` of `u32`, and 1 for each row with a click and 0 for the others, `(rows)` of
    /// `f32`.
    ///
    /// # Errors
    /// Where the rows have another number of fields; what the device gives.
    pub fn arrays(&self, impressions: &Impressions, device: &Device) -> Result<(Tensor, Tensor), DataError> {
        let (fields, rows) = (self.places.len(), impressions.len());
        if impressions.fields().len() != fields {
            let found = impressions.fields().len();
            return Err(DataError::invalid(format!("rows of {found} fields, where the training rows have {fields}")));
        }
        let mut features = Vec::with_capacity(rows * fields);
        for row in 0..rows {
            features.extend(impressions.categories(row).enumerate().map(|(field, name)| self.index(field, name)));
        }
        let clicks: Vec<f32> = impressions.clicks().iter().map(|&click| f32::from(u8::from(click))).collect();
        Ok((Tensor::from_vec(features, (rows, fields), device)?, Tensor::from_vec(clicks, rows, device)?))
    }
}

/// Rows to train on and others to test with.
#[derive(Debug, Clone)]
pub struct AdClicks {
    /// Trained on.
    pub train: Impressions,
    /// Tested with.
    pub test: Impressions,
    stand_in: Option<&'static str>,
}

/// What is told where the book's rows could not be had.
const AVAZU: &str = "the book's 18,000 rows of 34 categories could not be had: these are 8,999 of Avazu's, of one hour and \
     with 22 categories, the last 432 to test with.";

impl AdClicks {
    /// How many training rows must have a category for a number of its own.
    pub const MIN_THRESHOLD: usize = 4;

    /// Minibatches of the training rows, in a new order each epoch, and of the test rows, in their own, as
    /// [`FeatureMap::arrays`] gives them; and the numbers of the categories, which are those of the training rows for both.
    /// The last minibatch of an epoch is smaller, where the book's keeps its rows for the next epoch.
    ///
    /// # Errors
    /// As [`FeatureMap::arrays`] and [`Loader::new`].
    #[doc(alias = "CTRDataset")]
    pub fn load(
        &self,
        min_threshold: usize,
        batch_size: usize,
        shuffle: Stream,
        device: &Device,
    ) -> Result<(ArrayLoader, ArrayLoader, FeatureMap), DataError> {
        let map = FeatureMap::new(&self.train, min_threshold);
        let loader = |impressions| {
            let (features, clicks) = map.arrays(impressions, device)?;
            ArrayLoader::from_tensors(&features, &clicks, batch_size)
        };
        let (train, test) = (loader(&self.train)?.shuffled(shuffle), loader(&self.test)?);
        Ok((train, test, map))
    }

    /// Training and test rows in the book's format, from a folder.
    fn in_folder(folder: &Path) -> Result<Self, DataError> {
        let read = |part: &str| Impressions::read(&[&folder.join(format!("{part}.csv"))], ClickFormat::BOOK);
        Ok(Self { train: read("train")?, test: read("test")?, stand_in: None })
    }

    /// What stands in where the book's archive cannot be had.
    fn avazu(hub: &Hub) -> Result<Self, DataError> {
        let [train, dev, test] = ["train", "dev", "test"].map(|part| hub.fetch(&format!("ctr/avazu-{part}")));
        let train = Impressions::read(&[&train?, &dev?], ClickFormat::AVAZU)?;
        Ok(Self { train, test: Impressions::read(&[&test?], ClickFormat::AVAZU)?, stand_in: Some(AVAZU) })
    }
}

impl Source for AdClicks {
    const SAMPLE_NOTICE: &'static str = "the clicks on advertisements could not be had, so this run uses 360 rows that are \
         invented, and its results are not the book's.";

    /// The book's archive, or else rows of Avazu's.
    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let error = match hub.fetch_extracted("ctr") {
            Ok(folder) => return Self::in_folder(&folder),
            Err(error) => error,
        };
        match Self::avazu(hub) {
            Err(DataError::Hub(_)) => Err(error.into()), // that of the book's own file
            avazu => avazu,
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stand_in
    }

    /// Rows that `scripts/make_ad_clicks_sample.py` invents.
    fn sample() -> Result<Self, DataError> {
        Self::in_folder(&hub::sample("ctr")?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn read(text: &[u8], format: ClickFormat) -> Result<Impressions, DataError> {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("clicks.csv");
        std::fs::write(&path, text).expect("a file");
        Impressions::read(&[&path], format)
    }

    fn message(text: &[u8]) -> String {
        read(text, ClickFormat::BOOK).err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn rows(impressions: &Impressions) -> Vec<Vec<&str>> {
        (0..impressions.len()).map(|row| impressions.categories(row).collect()).collect()
    }

    #[test]
    fn both_formats_are_read_with_their_header_or_without() -> Outcome {
        let text = b"clicked\tsite\tdevice\r\n1\ta\tphone\r\n\r\n0\t\tlaptop\n";
        let book = read(text, ClickFormat::BOOK)?;
        assert_eq!(book.fields(), ["site", "device"]);
        assert_eq!(book.clicks(), [true, false]);
        assert_eq!(rows(&book), [["a", "phone"], ["", "laptop"]]);
        assert_eq!((book.len(), book.click_rate(), book.is_empty()), (2, 0.5, false));
        let avazu = read(b"10000169349117863715,0,14102100,1005\n7,1,14102101,b\n", ClickFormat::AVAZU)?;
        assert_eq!(avazu.fields(), ["field 1", "field 2"]);
        assert_eq!(rows(&avazu), [["14102100", "1005"], ["14102101", "b"]]);
        assert_eq!(avazu.clicks(), [false, true]);
        Ok(())
    }

    #[test]
    fn several_files_are_one_after_the_other() -> Outcome {
        let folder = TempDir::new()?;
        let [first, second] = ["first.csv", "second.csv"].map(|name| folder.path().join(name));
        std::fs::write(&first, "id,click,site\n1,0,a\n")?;
        std::fs::write(&second, "2,1,b\n3,0,c")?;
        let both = Impressions::read(&[&first, &second], ClickFormat::AVAZU)?;
        assert_eq!(rows(&both), [["a"], ["b"], ["c"]]);
        assert_eq!(both.fields(), ["site"]);
        std::fs::write(&second, "2,1,b,c\n")?;
        let error = Impressions::read(&[&first, &second], ClickFormat::AVAZU).expect_err("other fields").to_string();
        assert!(error.contains("second.csv, line 1: 2 categories, and 1 in the lines before"), "{error}");
        Ok(())
    }

    #[test]
    fn faults_come_with_file_and_line() {
        for (text, fault) in [
            (&b""[..], "clicks.csv holds no text"),
            (b"click\tsite\n", "clicks.csv has no rows"),
            (b"click\tsite\n\n1\ta\tb\n", "clicks.csv, line 3: 2 categories, and 1 in the lines before"),
            (b"1\ta\tb\n0\ta\n", "line 2: 1 categories, and 2 in the lines before"),
            (b"1\ta\n2\tb\n", "line 2: the click is \"2\", and must be 1, or 0 for none"),
            (b"1\ta\nclick\tb\n", "line 2: the click is \"click\""),
            (b"2\ta\n", "line 1: the click is \"2\""),
            (
                b"1,a,b\n",
                "line 1: no category: the columns are a click, 0 or 1, and categories, with '\\t' between them",
            ),
            (b"1\ta\n0\t\xe9\n", "line 2: the byte 0xE9 is not UTF-8"),
        ] {
            let found = message(text);
            assert!(found.contains(fault), "{found}, not {fault}");
        }
        let missing =
            Impressions::read(&[Path::new("missing.csv")], ClickFormat::BOOK).expect_err("no file").to_string();
        assert!(missing.contains("missing.csv"), "{missing}");
    }

    const ROWS: &[u8] = b"1\ta\tx\n0\ta\ty\n0\tb\ty\n1\ta\ty\n0\tc\tz\n";

    #[test]
    fn counts_are_of_rows_and_of_clicks() -> Outcome {
        let impressions = read(ROWS, ClickFormat::BOOK)?;
        let counts = impressions.counts();
        assert_eq!(counts[0]["a"], CategoryCount { rows: 3, clicks: 2 });
        assert_eq!(counts[1]["y"], CategoryCount { rows: 3, clicks: 1 });
        assert_eq!(counts.iter().map(HashMap::len).collect::<Vec<_>>(), [3, 3]);
        Ok(())
    }

    #[test]
    fn rare_and_unknown_categories_have_their_fields_default() -> Outcome {
        let impressions = read(ROWS, ClickFormat::BOOK)?;
        let map = FeatureMap::new(&impressions, 2);
        assert_eq!((map.field_dims(), map.features()), (vec![2, 2], 4));
        assert_eq!(["a", "b", "c", "new"].map(|category| map.index(0, category)), [0, 1, 1, 1]);
        assert_eq!(["y", "x", "a"].map(|category| map.index(1, category)), [2, 3, 3]);
        assert_eq!((map.default_index(0), map.default_index(1)), (1, 3));
        let (features, clicks) = map.arrays(&impressions, &Device::Cpu)?;
        assert_eq!(features.to_vec2::<u32>()?, [[0, 3], [0, 2], [1, 2], [0, 2], [1, 3]]);
        assert_eq!(clicks.to_vec1::<f32>()?, [1.0, 0.0, 0.0, 1.0, 0.0]);
        // All have a number of their own, the most frequent first and those of one frequency by their names.
        let all = FeatureMap::new(&impressions, 1);
        assert_eq!(["a", "b", "c", "new"].map(|category| all.index(0, category)), [0, 1, 2, 3]);
        assert_eq!(["y", "x", "z", "new"].map(|category| all.index(1, category)), [4, 5, 6, 7]);
        Ok(())
    }

    #[test]
    fn rows_of_other_fields_are_an_error() -> Outcome {
        let map = FeatureMap::new(&read(ROWS, ClickFormat::BOOK)?, 1);
        let error = map.arrays(&read(b"1\ta\n", ClickFormat::BOOK)?, &Device::Cpu).expect_err("one field").to_string();
        assert_eq!(error, "rows of 1 fields, where the training rows have 2");
        Ok(())
    }

    #[test]
    fn without_the_set_the_books_archive_is_named() -> Outcome {
        let folder = TempDir::new()?;
        let mut hub = Hub::new(folder.path());
        hub.offline = true;
        let message = AdClicks::fetch(&hub).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("`ctr`"), "{message}");
        Ok(())
    }

    #[test]
    fn the_sample_has_clicks_and_categories_that_no_training_row_has() -> Outcome {
        let set = AdClicks::sample()?;
        assert_eq!((set.train.len(), set.test.len(), set.stand_in()), (300, 60, None));
        assert_eq!(set.train.fields(), set.test.fields());
        for part in [&set.train, &set.test] {
            assert!((0.15..0.5).contains(&part.click_rate()), "{}", part.click_rate());
        }
        let shuffle = Random::new(1).stream(Purpose::Shuffling, "rows");
        let (mut train, mut test, map) = set.load(AdClicks::MIN_THRESHOLD, 128, shuffle, &Device::Cpu)?;
        assert_eq!((train.batches(), test.batches()), (3, 1));
        let every = FeatureMap::new(&set.train, 1);
        let unknown = |row: usize| {
            let mut names = set.test.categories(row).enumerate();
            names.any(|(field, name)| every.index(field, name) == every.default_index(field))
        };
        assert!((0..set.test.len()).any(unknown));
        for batch in train.epoch().chain(test.epoch()) {
            let (features, clicks) = batch?;
            assert_eq!(features.dims(), [clicks.dim(0)?, set.train.fields().len()]);
            assert!(features.to_vec2::<u32>()?.iter().flatten().all(|&number| (number as usize) < map.features()));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_category_has_a_number_of_its_field(
            rows in prop::collection::vec(prop::collection::vec("[a-d]{0,2}", 3), 1..40),
            threshold in 1usize..5,
        ) {
            let lines: Vec<String> = rows.iter().map(|row| format!("1\t{}", row.join("\t"))).collect();
            let text = lines.join("\n") + "\n";
            let impressions = read(text.as_bytes(), ClickFormat::BOOK).unwrap();
            let map = FeatureMap::new(&impressions, threshold);
            let numbers = map.arrays(&impressions, &Device::Cpu).unwrap().0.to_vec2::<u32>().unwrap();
            for field in 0..3 {
                let range = map.default_index(field) + 1 - map.field_dims()[field] as u32..=map.default_index(field);
                for (row, numbers) in rows.iter().zip(&numbers) {
                    let frequency = rows.iter().filter(|other| other[field] == row[field]).count();
                    prop_assert!(range.contains(&numbers[field]));
                    prop_assert_eq!(numbers[field] == map.default_index(field), frequency < threshold);
                }
                // Two categories share no number but the default.
                for (a, first) in rows.iter().zip(&numbers) {
                    for (b, second) in rows.iter().zip(&numbers) {
                        let share = first[field] == second[field] && first[field] != map.default_index(field);
                        prop_assert!(!share || a[field] == b[field]);
                    }
                }
            }
        }
    }
}

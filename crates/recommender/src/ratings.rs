//! Ratings of items by users, and the files that hold them (section 16.2).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::path::Path;

use d2l::data::DataError;

use crate::compact_rows::CompactRows;

/// What a user thought of an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rating {
    /// The user, from 0.
    pub user: u32,
    /// The item, from 0.
    pub item: u32,
    /// From 1 to 5 stars.
    pub rating: f32,
    /// When, in seconds since 1970.
    pub timestamp: u32,
}

/// Ratings, and how many users and items there are: those without a rating count, too. No user rates an item twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratings {
    rows: Vec<Rating>,
    num_users: usize,
    num_items: usize,
}

/// The first line of a file in RecBole's format.
pub const HEADER: &str = "user_id:token\titem_id:token\trating:float\ttimestamp:float";

/// What a rating can be.
const STARS: RangeInclusive<f32> = 1.0..=5.0;

/// Tables are made with a row for each id, so that larger ones would not fit into the memory.
const MAX_ID: u32 = 1 << 24;

/// A line that is longer is no rating.
const MAX_LINE: u64 = 1 << 10;

impl Ratings {
    /// Ratings of so many items by so many users.
    ///
    /// # Errors
    /// Where an id is not below its number, a rating is not from 1 to 5, or a user rates an item twice.
    pub fn new(rows: Vec<Rating>, num_users: usize, num_items: usize) -> Result<Self, DataError> {
        let ratings = Self { rows, num_users, num_items };
        let repeated = || {
            let (first, again) = ratings.repeated()?;
            Some(format!("ratings {first} and {again} are of the same item by the same user"))
        };
        match ratings.fault().or_else(repeated) {
            Some(fault) => Err(DataError::Invalid(fault)),
            None => Ok(ratings),
        }
    }

    /// The same users and items with fewer ratings, or with the same in another order.
    pub(crate) fn part(&self, rows: Vec<Rating>) -> Self {
        Self { rows, ..*self }
    }

    /// Reads a file with a rating a line: user, item, rating and time, with tabs between; ids count from 1. The first line may
    /// be [`HEADER`]. There are as many users and items as the largest ids say.
    ///
    /// # Errors
    /// Where the file cannot be read, a line is not a rating, an id is not a number from 1, a rating is not from 1 to 5, a user
    /// rates an item twice, or there is no rating; the error names the file and the line.
    #[doc(alias = "read_data_ml100k")]
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|reason| DataError::read(path, reason))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let at_fault =
            |line: usize, what: &str| Err(DataError::Invalid(format!("{}, line {line}: {what}", path.display())));
        let (mut rows, mut others) = (Vec::new(), Vec::new());
        let (mut text, mut line) = (Vec::new(), 0usize);
        let (mut num_users, mut num_items) = (0, 0);
        loop {
            text.clear();
            let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut text);
            if read.map_err(|reason| DataError::read(path, reason))? == 0 {
                break;
            }
            line += 1;
            let row = text.trim_ascii();
            if row.is_empty() || (line == 1 && row == HEADER.as_bytes()) {
                others.push(rows.len()); // that a line before this row holds no rating
                continue;
            }
            match parse(row) {
                Ok(rating) => {
                    num_users = num_users.max(rating.user as usize + 1);
                    num_items = num_items.max(rating.item as usize + 1);
                    rows.push(rating);
                }
                Err(what) => return at_fault(line, &what),
            }
        }
        if rows.is_empty() {
            return at_fault(line.max(1), "there is no rating in the file");
        }
        rows.shrink_to_fit();
        let ratings = Self { rows, num_users, num_items };
        if let Some((first, again)) = ratings.repeated() {
            let line = |row: usize| row + 1 + others.partition_point(|&before| before <= row);
            let Rating { user, item, .. } = ratings.rows[again];
            let (user, item) = (user + 1, item + 1);
            let what = format!("user {user} rated item {item} in line {} already; remove one of them", line(first));
            return at_fault(line(again), &what);
        }
        Ok(ratings)
    }

    /// The first rating that cannot be.
    fn fault(&self) -> Option<String> {
        self.rows.iter().enumerate().find_map(|(row, rating)| {
            let (user, item, stars) = (rating.user as usize, rating.item as usize, rating.rating);
            if user >= self.num_users {
                Some(format!("rating {row} is by user {user}, and there are {} from 0", self.num_users))
            } else if item >= self.num_items {
                Some(format!("rating {row} is of item {item}, and there are {} from 0", self.num_items))
            } else if !STARS.contains(&stars) {
                Some(format!("rating {row} is {stars}, not from 1 to 5"))
            } else {
                None
            }
        })
    }

    /// Two ratings of one item by one user, by their places.
    fn repeated(&self) -> Option<(usize, usize)> {
        let entries = self.rows.iter().zip(0u32..).map(|(rating, row)| (rating.user, row));
        let by_user = CompactRows::group(self.num_users, entries);
        let mut last = vec![u32::MAX; self.num_items]; // the row of the last rating that the item had
        for rows in by_user.rows() {
            for &row in rows {
                let Rating { user, item, .. } = self.rows[row as usize];
                let before = std::mem::replace(&mut last[item as usize], row) as usize;
                if self.rows.get(before).is_some_and(|rating| rating.user == user) {
                    return Some((before, row as usize));
                }
            }
        }
        None
    }

    /// The ratings.
    pub fn rows(&self) -> &[Rating] {
        &self.rows
    }

    /// How many ratings there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many users there are.
    pub fn num_users(&self) -> usize {
        self.num_users
    }

    /// How many items there are.
    pub fn num_items(&self) -> usize {
        self.num_items
    }

    /// The share of the pairs of a user and an item that have no rating.
    pub fn sparsity(&self) -> f64 {
        1.0 - self.len() as f64 / (self.num_users as f64 * self.num_items as f64)
    }

    /// The mean of the ratings; NaN where there are none.
    pub fn mean(&self) -> f64 {
        self.rows.iter().map(|rating| f64::from(rating.rating)).sum::<f64>() / self.len() as f64
    }

    /// The bytes that the ratings take.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.rows[..])
    }
}

/// A rating from the fields of a line; else what is wrong with it.
fn parse(row: &[u8]) -> Result<Rating, String> {
    let text = str::from_utf8(row)
        .map_err(|_| "the line is not text; a rating is four numbers with tabs between".to_string())?;
    let fields: Vec<&str> = text.split('\t').collect();
    let [user, item, rating, timestamp] = fields[..] else {
        let what = "a rating is a user, an item, a rating and a time, with tabs between";
        return Err(format!("the number of fields is {}; {what}", fields.len()));
    };
    let id = |field: &str, what: &str| match field.parse::<u32>() {
        Ok(id @ 1..=MAX_ID) => Ok(id - 1),
        _ => Err(format!("`{field}` is no {what}: ids are whole numbers from 1 to {MAX_ID}")),
    };
    let stars = rating.parse().ok().filter(|stars| STARS.contains(stars));
    Ok(Rating {
        user: id(user, "user")?,
        item: id(item, "item")?,
        rating: stars.ok_or_else(|| format!("`{rating}` is no rating: it must be a number from 1 to 5"))?,
        timestamp: timestamp.parse().map_err(|_| format!("`{timestamp}` is no time in whole seconds since 1970"))?,
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn read(content: &[u8]) -> Result<Ratings, DataError> {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("u.data");
        std::fs::write(&path, content).expect("a file");
        Ratings::read(&path)
    }

    fn message(content: &[u8]) -> String {
        let message = read(content).expect_err("at fault").to_string();
        assert!(message.contains("u.data, line "), "{message}");
        message
    }

    #[test]
    fn lines_are_ratings_with_a_header_or_without() -> Outcome {
        let plain = read(b"3\t2\t4\t881250949\n1\t5\t3.5\t0\r\n\n1\t2\t1.0\t7")?;
        let rating = |user, item, rating, timestamp| Rating { user, item, rating, timestamp };
        assert_eq!(plain.rows(), [rating(2, 1, 4.0, 881_250_949), rating(0, 4, 3.5, 0), rating(0, 1, 1.0, 7)]);
        assert_eq!((plain.num_users(), plain.num_items(), plain.len(), plain.is_empty()), (3, 5, 3, false));
        assert!((plain.sparsity() - 0.8).abs() < 1e-12 && (plain.mean() - 8.5 / 3.0).abs() < 1e-12);
        assert_eq!(plain.bytes(), 48);
        let headed = read(format!("{HEADER}\n3\t2\t4\t881250949\n1\t5\t3.5\t0\n1\t2\t1\t7\n").as_bytes())?;
        assert_eq!(headed, plain);
        Ok(())
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        for (row, what) in [
            ("1\t2\t3", "the number of fields is 3; a rating is"),
            ("1\t2\t3\t4\t5", "the number of fields is 5"),
            ("1 2 3 4", "the number of fields is 1"),
            ("x\t2\t3\t4", "`x` is no user"),
            ("0\t2\t3\t4", "`0` is no user: ids are whole numbers from 1"),
            ("1\t-2\t3\t4", "`-2` is no item"),
            ("1\t2.5\t3\t4", "`2.5` is no item"),
            ("1\t99999999\t3\t4", "`99999999` is no item"),
            ("1\t\t3\t4", "`` is no item"),
            ("1\t2\t0\t4", "`0` is no rating: it must be a number from 1 to 5"),
            ("1\t2\t5.5\t4", "`5.5` is no rating"),
            ("1\t2\tnan\t4", "`nan` is no rating"),
            ("1\t2\t3\tnow", "`now` is no time"),
            ("1\t2\t3\t-4", "`-4` is no time"),
        ] {
            let message = message(format!("{HEADER}\n1\t1\t1\t1\n{row}\n2\t1\t1\t1\n").as_bytes());
            assert!(message.contains(&format!("line 3: {what}")), "{message}");
        }
        assert!(message(b"1\t1\t1\t1\n1\t\xe9\t1\t1\n").contains("line 2: the line is not text"));
        assert!(message(b"user,item,rating,time\n").contains("line 1: the number of fields is 1"));
        assert!(message("1".repeat(5000).as_bytes()).contains("line 1: the number of fields is 1"));
        for empty in ["", "\n\n", HEADER] {
            assert!(message(empty.as_bytes()).contains("there is no rating"));
        }
        let missing = Ratings::read(Path::new("no-such.data")).expect_err("no file").to_string();
        assert!(missing.contains("no-such.data"), "{missing}");
    }

    #[test]
    fn a_pair_that_is_rated_twice_is_named_with_both_lines() {
        let message = message(format!("{HEADER}\n4\t1\t5\t9\n\n1\t1\t1\t1\n4\t2\t1\t1\n4\t1\t3\t1\n").as_bytes());
        assert!(message.contains("line 6: user 4 rated item 1 in line 2 already"), "{message}");
    }

    #[test]
    fn ratings_that_cannot_be_are_refused() {
        let rating = |user, item, rating| Rating { user, item, rating, timestamp: 0 };
        let message = |rows: &[Rating]| Ratings::new(rows.to_vec(), 2, 3).expect_err("at fault").to_string();
        assert!(message(&[rating(0, 0, 1.0), rating(2, 0, 1.0)]).contains("rating 1 is by user 2"));
        assert!(message(&[rating(0, 3, 1.0)]).contains("rating 0 is of item 3"));
        assert!(message(&[rating(0, 2, 0.5)]).contains("is 0.5, not from 1 to 5"));
        assert!(message(&[rating(0, 2, f32::NAN)]).contains("not from 1 to 5"));
        let repeated = [rating(1, 2, 1.0), rating(0, 2, 1.0), rating(1, 2, 4.0)];
        assert!(message(&repeated).contains("ratings 0 and 2 are of the same item"));
        assert!(Ratings::new(repeated[..2].to_vec(), 2, 3).is_ok_and(|ratings| ratings.len() == 2));
    }
}

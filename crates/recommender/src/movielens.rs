//! MovieLens 100K: what people thought of movies, and who and what they are (section 16.2).

use std::fmt;
use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, Source};
use d2l::text;

pub use crate::ratings::{Rating, Ratings};

/// Ratings of movies by people, with what is known of both.
#[derive(Debug, Clone)]
pub struct MovieLens {
    /// Who rated what, and when.
    pub ratings: Ratings,
    /// What the items are.
    pub movies: Vec<Movie>,
    /// Who the users are.
    pub people: Vec<Person>,
}

/// What is known of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movie {
    /// Its title, an article at its end: `Usual Suspects, The`.
    pub title: String,
    /// When it came out.
    pub year: Option<u16>,
    /// Its genres, of [`GENRES`]; of some movies nobody knows them.
    pub genres: Vec<String>,
}

/// What is known of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Age in years.
    pub age: u8,
    /// `M` or `F`.
    pub gender: String,
    /// One of 21 words.
    pub occupation: String,
}

/// The genres, in the order in which GroupLens's file has a mark for each.
pub const GENRES: [&str; 18] = [
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// The first line of a list of movies in RecBole's format.
const MOVIES_HEADER: &str = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq";

/// The first line of a list of people in RecBole's format.
const PEOPLE_HEADER: &str = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token";

/// Fields of a movie in GroupLens's format before its genres: number, title, two dates, address, and the mark of those of
/// which no genre is known.
const BEFORE_GENRES: usize = 6;

impl fmt::Display for Movie {
    /// The title, and the year in parentheses where it is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.year {
            Some(year) => write!(f, "{} ({year})", self.title),
            None => f.write_str(&self.title),
        }
    }
}

impl MovieLens {
    /// Reads the three files, each in GroupLens's format (`u.data`, `u.item`, `u.user`) or in RecBole's (`.inter`, `.item`,
    /// `.user`). There are as many users and items as the lists have; those that nobody rated, or who rated nothing, count.
    ///
    /// # Errors
    /// As [`Ratings::read`]; where a line of a list has other fields than its format says or another number than the next one;
    /// where a rating is of a movie or by a person that the lists do not have. The error names the file and the line.
    pub fn read(ratings: &Path, movies: &Path, people: &Path) -> Result<Self, DataError> {
        let set = Self { ratings: Ratings::read(ratings)?, movies: read_movies(movies)?, people: read_people(people)? };
        for (what, rated, listed, list) in [
            ("items", set.ratings.num_items(), set.movies.len(), movies),
            ("users", set.ratings.num_users(), set.people.len(), people),
        ] {
            if rated > listed {
                let (path, list) = (ratings.display(), list.display());
                let message =
                    format!("{path}: there are {what} up to {rated}, but {list} has {listed}; take its own list");
                return Err(DataError::Invalid(message));
            }
        }
        let ratings = Ratings::new(set.ratings.rows().to_vec(), set.people.len(), set.movies.len())?;
        Ok(Self { ratings, ..set })
    }
}

impl Source for MovieLens {
    const SAMPLE_NOTICE: &'static str = "MovieLens could not be had, so this run uses 2,493 ratings of 90 movies, all of \
         them invented, and its results are not the book's.";

    /// The publisher's archive, or else the same ratings, movies and people from RecBole's package.
    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let error = match hub.fetch_extracted("ml-100k") {
            Ok(folder) => {
                return Self::read(&folder.join("u.data"), &folder.join("u.item"), &folder.join("u.user"));
            }
            Err(error) => error,
        };
        let [ratings, movies, people] =
            ["ratings", "movies", "people"].map(|part| hub.fetch(&format!("ml-100k/{part}")));
        match (ratings, movies, people) {
            (Ok(ratings), Ok(movies), Ok(people)) => Self::read(&ratings, &movies, &people),
            _ => Err(error.into()), // that of the book's own file
        }
    }

    /// Ratings that `scripts/make_ratings_sample.py` draws from a model: the license of MovieLens does not allow parts of it to
    /// be passed on.
    fn sample() -> Result<Self, DataError> {
        let folder = hub::sample("ml-100k")?;
        let file = |ending| folder.join(format!("ml-100k.{ending}"));
        Self::read(&file("inter"), &file("item"), &file("user"))
    }
}

/// The rows of a list, with their lines.
struct List {
    is_headed: bool,
    rows: Vec<(usize, Vec<String>)>,
}

impl List {
    /// Reads a list whose first line is `header`, with tabs and in UTF-8, or one without, with `bars` fields between bars and in
    /// Latin-1. The first field is the number of the row, from 1.
    fn read(path: &Path, header: &str, bars: usize) -> Result<Self, DataError> {
        let bytes = std::fs::read(path).map_err(|reason| DataError::read(path, reason))?;
        let is_headed = bytes.starts_with(header.as_bytes());
        let content = if is_headed { text::decode(path)? } else { bytes.into_iter().map(char::from).collect() };
        let (separator, name, columns) =
            if is_headed { ('\t', "tabs", header.split('\t').count()) } else { ('|', "bars", bars) };
        let mut rows = Vec::new();
        for (line, row) in (1..).zip(content.lines()).skip(usize::from(is_headed)) {
            if row.trim().is_empty() {
                continue;
            }
            let fields: Vec<String> = row.split(separator).map(|field| field.trim().to_string()).collect();
            if fields.len() != columns {
                let what = format!("the number of fields is {}, not {columns} with {name} between", fields.len());
                return Err(at_fault(path, line, &what));
            }
            let next = rows.len() + 1;
            if fields[0].parse::<usize>() != Ok(next) {
                return Err(at_fault(path, line, &format!("`{}` stands where the number {next} should", fields[0])));
            }
            rows.push((line, fields));
        }
        if rows.is_empty() {
            return Err(at_fault(path, 1, "there is no row in the list"));
        }
        Ok(Self { is_headed, rows })
    }
}

fn at_fault(path: &Path, line: usize, what: &str) -> DataError {
    DataError::Invalid(format!("{}, line {line}: {what}", path.display()))
}

fn read_movies(path: &Path) -> Result<Vec<Movie>, DataError> {
    let list = List::read(path, MOVIES_HEADER, BEFORE_GENRES + GENRES.len())?;
    let movie = |(_, fields): (usize, Vec<String>)| {
        if list.is_headed {
            let genres = fields[3].split(' ').filter(|genre| GENRES.contains(genre));
            return Movie {
                title: fields[1].clone(),
                year: fields[2].parse().ok(),
                genres: genres.map(String::from).collect(),
            };
        }
        let (title, year) = split_year(&fields[1]);
        let marked = GENRES.iter().zip(&fields[BEFORE_GENRES..]).filter(|(_, mark)| *mark == "1");
        Movie { title: title.to_string(), year, genres: marked.map(|(genre, _)| (*genre).to_string()).collect() }
    };
    Ok(list.rows.into_iter().map(movie).collect())
}

/// `Toy Story (1995)` in two.
fn split_year(title: &str) -> (&str, Option<u16>) {
    let parts = title.strip_suffix(')').and_then(|title| title.rsplit_once(" ("));
    match parts.map(|(title, year)| (title, year.parse())) {
        Some((title, Ok(year))) => (title, Some(year)),
        _ => (title, None),
    }
}

fn read_people(path: &Path) -> Result<Vec<Person>, DataError> {
    let person = |(line, fields): (usize, Vec<String>)| {
        let age =
            fields[1].parse().map_err(|_| at_fault(path, line, &format!("`{}` is no age in years", fields[1])))?;
        Ok(Person { age, gender: fields[2].clone(), occupation: fields[3].clone() })
    };
    List::read(path, PEOPLE_HEADER, 5)?.rows.into_iter().map(person).collect()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const ITEM: &str = "1|Toy Story (1995)|01-Jan-1995||http://example.org|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n\
         2|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n";

    fn read(ratings: &[u8], movies: &[u8], people: &[u8]) -> Result<MovieLens, DataError> {
        let folder = TempDir::new().expect("a folder");
        let paths = [("u.data", ratings), ("u.item", movies), ("u.user", people)].map(|(name, content)| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("a file");
            path
        });
        MovieLens::read(&paths[0], &paths[1], &paths[2])
    }

    #[test]
    fn both_formats_give_the_same() -> Outcome {
        let latin = [ITEM.as_bytes(), b"3|M\xe9pris, Le (1963)||||0", "|0".repeat(18).as_bytes()].concat();
        let bars = read(b"1\t2\t3\t4\n", &latin, b"1|24|M|technician|85711\n2|53|F|other|T8H1N\n")?;
        let movies = format!(
            "{MOVIES_HEADER}\n1\tToy Story\t1995\tAnimation Children's Comedy\n2\tunknown\tunknown\tunknown\n\
             3\tM\u{e9}pris, Le\t1963\t\n"
        );
        let people = format!("{PEOPLE_HEADER}\n1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\tT8H1N\n");
        let tabs = read(b"1\t2\t3\t4\n", movies.as_bytes(), people.as_bytes())?;
        assert_eq!((&bars.movies, &bars.people, &bars.ratings), (&tabs.movies, &tabs.people, &tabs.ratings));
        let titles: Vec<String> = bars.movies.iter().map(ToString::to_string).collect();
        assert_eq!(titles, ["Toy Story (1995)", "unknown", "M\u{e9}pris, Le (1963)"]);
        assert_eq!(bars.movies[0].genres, ["Animation", "Children's", "Comedy"]);
        assert!(bars.movies[1].genres.is_empty() && bars.people[1].age == 53);
        assert_eq!((bars.ratings.num_users(), bars.ratings.num_items()), (2, 3));
        Ok(())
    }

    #[test]
    fn faults_of_the_lists_are_named_with_their_lines() {
        let people = b"1|24|M|technician|85711\n2|53|F|other|94043\n";
        let message =
            |movies: &[u8], people: &[u8]| read(b"1\t2\t3\t4\n", movies, people).expect_err("at fault").to_string();
        let cases: [(&[u8], &str); 4] = [
            (b"1|Toy Story (1995)|||\n", "u.item, line 1: the number of fields is 5, not 24 with bars between"),
            (&ITEM.as_bytes()[ITEM.find("2|unknown").unwrap_or(0)..], "u.item, line 1: `2` stands where the number 1"),
            (b"\n", "u.item, line 1: there is no row"),
            (MOVIES_HEADER.as_bytes(), "u.item, line 1: there is no row"),
        ];
        for (movies, what) in cases {
            let message = message(movies, people);
            assert!(message.contains(what), "{message}");
        }
        let headed = format!("{MOVIES_HEADER}\n1\tToy Story\t1995\n");
        assert!(message(headed.as_bytes(), people).contains("line 2: the number of fields is 3, not 4 with tabs"));
        let headed = [MOVIES_HEADER.as_bytes(), b"\n1\tM\xe9pris\t1995\tDrama\n"].concat();
        assert!(message(&headed, people).contains("line 2: the byte 0xE9 is not UTF-8"));
        assert!(message(ITEM.as_bytes(), b"1|old|M|writer|1\n").contains("u.user, line 1: `old` is no age"));
    }

    #[test]
    fn ratings_of_what_is_not_listed_are_errors() {
        let message = |ratings: &[u8]| {
            read(ratings, ITEM.as_bytes(), b"1|24|M|technician|85711\n").expect_err("not listed").to_string()
        };
        assert!(message(b"1\t3\t3\t4\n").contains("there are items up to 3, but"));
        assert!(message(b"2\t1\t3\t4\n").contains("there are users up to 2, but"));
    }

    #[test]
    fn the_sample_is_a_little_movielens() -> Outcome {
        let MovieLens { ratings, movies, people } = MovieLens::sample()?;
        assert_eq!((ratings.num_users(), ratings.num_items()), (people.len(), movies.len()));
        assert!(ratings.len() > 2000 && (0.3..0.7).contains(&ratings.sparsity()), "{}", ratings.sparsity());
        assert!(movies.iter().all(|movie| !movie.genres.is_empty() && movie.year.is_some()));
        assert!(crate::splits::sequence_aware(&ratings).is_ok());
        Ok(())
    }
}

//! Files of ratings and of movies at fault are told apart, by file and line; large ones are read like others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use d2l::data::DataError;
use d2l::prelude::{Purpose, Random};
use recommender::interactions::Interactions;
use recommender::movielens::MovieLens;
use recommender::ratings::{HEADER, Ratings};
use recommender::sections::movielens::generate;
use recommender::splits::{SplitMode, sequence_aware};
use tempfile::TempDir;

const MOVIES: &str = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n\
     1\tPaper Orchard\t1990\tDrama\n2\tIron Pursuit\t1991\tAction\n";
const PEOPLE: &str = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n\
     1\t40\tF\tsailor\t10000\n2\t30\tM\tbaker\t10001\n";

fn written(folder: &TempDir, name: &str, content: &[u8]) -> Result<PathBuf> {
    let path = folder.path().join(name);
    std::fs::write(&path, content)?;
    Ok(path)
}

/// The set of three files with these ratings.
fn read(folder: &TempDir, ratings: &[u8]) -> Result<Result<MovieLens, DataError>> {
    let ratings = written(folder, "ratings.inter", ratings)?;
    let movies = written(folder, "movies.item", MOVIES.as_bytes())?;
    let people = written(folder, "people.user", PEOPLE.as_bytes())?;
    Ok(MovieLens::read(&ratings, &movies, &people))
}

#[test]
fn ratings_at_fault_are_named_with_their_line() -> Result<()> {
    let folder = TempDir::new()?;
    let cases: [(&[u8], &str); 8] = [
        (b"", "line 1: there is no rating"),
        (b"1\t1\t3\t9\n1\t2\t3\n", "line 2: the number of fields is 3"),
        (b"1\t1\t3\t9\n\none\t2\t3\t9\n", "line 3: `one` is no user"),
        (b"1\t1\t3\t9\n1\t2\t6\t9\n", "line 2: `6` is no rating: it must be a number from 1 to 5"),
        (b"1\t1\t3\t9\n2\t1\t3\t9\n1\t1\t4\t10\n", "line 3: user 1 rated item 1 in line 1 already"),
        (b"1\t1\t3\t9\nd\xe9j\xe0 vu\n", "line 2: the line is not text"),
        (b"1\t3\t3\t9\n", "items up to 3, but"),
        (b"3\t1\t3\t9\n", "users up to 3, but"),
    ];
    for (content, part) in cases {
        let message = read(&folder, content)?.err().context("a fault")?.to_string();
        assert!(message.contains("ratings.inter") && message.contains(part), "{message}, not {part}");
    }
    let missing = Ratings::read(Path::new("missing.inter")).err().context("no file")?.to_string();
    assert!(missing.contains("missing.inter"), "{missing}");
    Ok(())
}

#[test]
fn a_user_without_ratings_has_all_movies_before_them_and_none_to_be_tested_by() -> Result<()> {
    let folder = TempDir::new()?;
    let set = read(&folder, b"1\t1\t3\t9\n1\t2\t3\t9\n")??;
    let seen = Interactions::new(&set.ratings);
    assert_eq!((seen.num_users(), seen.items(1).len(), seen.candidates(1)), (2, 0, vec![0, 1]));
    let error = sequence_aware(&set.ratings).err().context("a user without ratings")?.to_string();
    assert!(error.contains("user 2 has too few ratings: 0"), "{error}");
    Ok(())
}

#[test]
fn an_empty_test_set_is_an_error() -> Result<()> {
    let folder = TempDir::new()?;
    let set = read(&folder, b"1\t1\t3\t9\n1\t2\t3\t9\n")??;
    let mut stream = Random::new(1).stream(Purpose::Sampling, "split");
    let split = SplitMode::Random { test_ratio: 1e-9 }.split(&set.ratings, &mut stream);
    let error = split.err().context("nothing to test with")?.to_string();
    assert!(error.contains("--test-ratio") && error.contains("the test set of 2 ratings is empty"), "{error}");
    Ok(())
}

#[test]
fn a_header_alone_or_a_line_of_a_million_bytes_is_no_ratings() -> Result<()> {
    let folder = TempDir::new()?;
    let long = format!("{HEADER}\n1\t1\t3\t{}", "9".repeat(1_000_000));
    let message = read(&folder, long.as_bytes())?.err().context("no time has that many digits")?.to_string();
    assert!(message.contains("line 2: ") && message.len() < 3000, "{message}");
    let message = read(&folder, HEADER.as_bytes())?.err().context("no rating")?.to_string();
    assert!(message.contains("there is no rating"), "{message}");
    Ok(())
}

#[test]
fn three_hundred_thousand_ratings_are_read_and_indexed() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("generated.inter");
    generate(&path, 300_000, &mut Random::new(1).stream(Purpose::Sampling, "ratings"))?;
    let ratings = Ratings::read(&path)?;
    let seen = Interactions::new(&ratings);
    assert_eq!((ratings.len(), seen.len(), seen.num_users()), (300_000, 300_000, 2069));
    // Sixteen bytes a rating, four more in the index, and a place for each user.
    assert_eq!((ratings.bytes(), seen.bytes()), (4_800_000, 1_200_000 + 8 * 2070));
    Ok(())
}

//! 16.2 The MovieLens Dataset
//!
//! A hundred thousand ratings: how many, how sparse, how high; what is learned from and what is kept for the test; and how long
//! it takes to read a hundred or two hundred times as many.
//!
//! `cargo run --release -p recommender -- movielens`
//! 943 users, 1,682 items, sparsity 0.93695; ratings around 3.5. Indexing takes twice the time for twice the rows;
//! `--scale book` goes up to as many as MovieLens 20M has.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use d2l::prelude::*;
use rand::Rng;
use tables::polars::prelude::{Column, DataFrame, PolarsResult, SortMultipleOptions};

use crate::interactions::Interactions;
use crate::movielens::MovieLens;
use crate::ratings::{HEADER, Ratings};
use crate::splits::SplitMode;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Share of the ratings that the random split keeps for the test
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub test_ratio: f64,
    /// Ratings a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// The most rows that are generated to measure how reading and indexing grow
    #[arg(long, default_value_t = 20_000_000, value_parser = count)]
    pub rows: usize,
}

defaults! { Config, on a CPU Laptop:
    Laptop { rows: 1000000 }
    Smoke { rows: 4000 }
}

/// Ratings as a frame, with the ids of the file, which count from 1.
pub fn frame(ratings: &Ratings) -> PolarsResult<DataFrame> {
    let rows = || ratings.rows().iter();
    DataFrame::new_infer_height(vec![
        Column::new("user_id".into(), rows().map(|row| row.user + 1).collect::<Vec<u32>>()),
        Column::new("item_id".into(), rows().map(|row| row.item + 1).collect::<Vec<u32>>()),
        Column::new("rating".into(), rows().map(|row| row.rating).collect::<Vec<f32>>()),
        Column::new("timestamp".into(), rows().map(|row| row.timestamp).collect::<Vec<u32>>()),
    ])
}

/// Writes so many ratings that nobody gave, to be read: about 145 a user, as in MovieLens 20M, of 27,000 items at most.
pub fn generate(path: &Path, rows: usize, stream: &mut Stream) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "{HEADER}")?;
    let items = rows.clamp(200, 27_000);
    for row in 0..rows {
        // A user's items go round in steps, so that none comes twice.
        let (user, place) = (row / 145, row % 145);
        let item = (user * 7919 + place * (items / 145)) % items;
        let (stars, time) = (stream.random_range(1..=5), 800_000_000 + stream.random_range(0..400_000_000u32));
        writeln!(file, "{}\t{}\t{stars}\t{time}", user + 1, item + 1)?;
    }
    file.flush()
}

/// What reading a file and indexing its rows took.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// Ratings in the file.
    pub rows: usize,
    /// Seconds to read and check them.
    pub read: f64,
    /// Seconds to sort their items by user.
    pub index: f64,
    /// Bytes of ratings and index.
    pub bytes: usize,
}

/// Generates a file of so many ratings in a folder, reads and indexes it, and removes it.
pub fn measure(folder: &Path, rows: usize, stream: &mut Stream) -> anyhow::Result<Growth> {
    let path = folder.join("generated.inter");
    generate(&path, rows, stream).with_context(|| format!("--rows {rows}: cannot write {}", path.display()))?;
    let started = Instant::now();
    let ratings = Ratings::read(&path);
    let read = started.elapsed().as_secs_f64();
    std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    let (ratings, started) = (ratings?, Instant::now());
    let index = Interactions::new(&ratings);
    let growth = Growth { rows, read, index: started.elapsed().as_secs_f64(), bytes: ratings.bytes() + index.bytes() };
    Ok(growth)
}

/// The most memory that the process has had so far, in MB (10⁶ bytes), where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?.trim();
    Some(kib.parse::<f64>().ok()? * 1024.0 / 1e6)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Getting the data")?;
    let set = nb.load::<MovieLens>()?;
    let data = frame(&set.ratings)?;
    nb.say(format!("{} ratings, {} movies, {} people", data.height(), set.movies.len(), set.people.len()))?;

    nb.cell("Statistics of the dataset")?;
    let (num_users, num_items) = (data.column("user_id")?.n_unique()?, data.column("item_id")?.n_unique()?);
    let sparsity = 1.0 - data.height() as f64 / (num_users * num_items) as f64;
    nb.say(format!("number of users: {num_users}, number of items: {num_items}"))?;
    nb.say(format!("matrix sparsity: {sparsity:.6}"))?;
    nb.say(data.head(Some(5)))?;
    for (name, value) in [("users", num_users as f64), ("items", num_items as f64), ("sparsity", sparsity)] {
        nb.metric(name, value)?;
    }

    nb.cell("Who and what they are")?;
    let ages = || set.people.iter().map(|person| person.age);
    let (youngest, oldest) = (ages().min().unwrap_or(0), ages().max().unwrap_or(0));
    let women = set.people.iter().filter(|person| person.gender == "F").count();
    nb.say(format!("{women} women and {} men from {youngest} to {oldest}", set.people.len() - women))?;
    for movie in set.movies.iter().take(3) {
        nb.say(format!("{movie}: {}", movie.genres.join(", ")))?;
    }

    nb.cell("How high the ratings are")?;
    let counts =
        data.group_by(["rating"])?.select(["item_id"]).count()?.sort(["rating"], SortMultipleOptions::default())?;
    nb.say(&counts)?;
    nb.say(format!("mean {:.3}", set.ratings.mean()))?;
    let stars: Vec<f32> = set.ratings.rows().iter().map(|row| row.rating).collect();
    let chart = Chart::new().x_label("rating").y_label("count").histogram([("", &stars[..])], 5);
    nb.figure("ratings", "How often each rating from 1 to 5 was given", chart)?;

    nb.cell("Splitting the dataset")?;
    let mut stream = nb.stream(Purpose::Sampling, "split");
    let mut table = Table::new(["mode", "training", "test", "test ratings of a user"]);
    let random = SplitMode::Random { test_ratio: config.test_ratio }.split(&set.ratings, &mut stream)?;
    let sequence_aware = SplitMode::SequenceAware.split(&set.ratings, &mut stream)?;
    for (mode, split) in [("random", &random), ("sequence-aware", &sequence_aware)] {
        let tested = Interactions::new(&split.test);
        let numbers = || (0..tested.num_users() as u32).map(|user| tested.items(user).len());
        let (least, most) = (numbers().min().unwrap_or(0), numbers().max().unwrap_or(0));
        let [train, test] = [&split.train, &split.test].map(|part| part.len().to_string());
        table.row([mode.to_string(), train, test, format!("{least} to {most}")]);
    }
    nb.say(table)?;
    nb.metric("test_ratings", random.test.len() as f64)?;

    nb.cell("Loading the data")?;
    let shuffle = nb.stream(Purpose::Shuffling, "ratings");
    let seen = Interactions::new(&random.train);
    let (mut train, test) = random.loaders(config.batch_size, shuffle, nb.device())?;
    nb.say(format!("{} minibatches to train on, {} to test with", train.batches(), test.batches()))?;
    if let Some(batch) = train.epoch().next().transpose()? {
        let shapes = [batch.users, batch.items, batch.ratings].map(|tensor| format!("{:?}", tensor.dims()));
        nb.say(format!("users {}, items {}, ratings {}", shapes[0], shapes[1], shapes[2]))?;
    }
    let chosen = seen.items(0);
    nb.say(format!("implicit feedback: user 0 chose {} items, {:?} …", chosen.len(), &chosen[..chosen.len().min(5)]))?;

    nb.cell("Twenty million ratings")?;
    let folder = nb.folder().to_path_buf();
    let mut table = Table::new(["rows", "read, seconds", "index, seconds", "ns a row", "MB held"]);
    for part in [8, 4, 2, 1] {
        let Growth { rows, read, index, bytes } = measure(&folder, (config.rows / part).max(1), nb.sampling())?;
        let each = (read + index) * 1e9 / rows as f64;
        let held = format!("{:.1}", bytes as f64 / 1e6);
        table.row([rows.to_string(), format!("{read:.3}"), format!("{index:.3}"), format!("{each:.0}"), held]);
        if part == 1 {
            nb.metric("rows_per_second", rows as f64 / (read + index))?;
            nb.metric("bytes_a_row", bytes as f64 / rows as f64)?;
        }
    }
    nb.say(table)?;
    if let Some(peak) = peak_megabytes() {
        nb.say(format!("the whole process had {peak:.0} MB at most"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratings::Rating;

    #[test]
    fn a_frame_has_the_ids_of_the_file() -> anyhow::Result<()> {
        let rating = |user, item| Rating { user, item, rating: 4.0, timestamp: 9 };
        let frame = frame(&Ratings::new(vec![rating(0, 6), rating(2, 6)], 3, 7)?)?;
        assert_eq!(frame.get_column_names(), ["user_id", "item_id", "rating", "timestamp"]);
        assert_eq!(
            (frame.height(), frame.column("user_id")?.n_unique()?, frame.column("item_id")?.n_unique()?),
            (2, 2, 1)
        );
        assert_eq!(frame.column("user_id")?.u32()?.get(1), Some(3));
        Ok(())
    }

    #[test]
    fn generated_files_are_read_and_removed() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let mut stream = Random::new(1).stream(Purpose::Sampling, "test");
        for rows in [1, 144, 145, 3000] {
            let growth = measure(folder.path(), rows, &mut stream)?;
            assert_eq!(growth.rows, rows);
            assert!(growth.bytes >= rows * 20 && growth.read >= 0.0 && growth.index >= 0.0, "{growth:?}");
        }
        assert_eq!(folder.path().read_dir()?.count(), 0);
        assert!(measure(&folder.path().join("none"), 1, &mut stream).is_err());
        Ok(())
    }

    #[test]
    fn no_user_rates_a_generated_item_twice() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("generated.inter");
        generate(&path, 60_000, &mut Random::new(1).stream(Purpose::Sampling, "test"))?;
        let ratings = Ratings::read(&path)?; // which refuses such pairs
        assert_eq!((ratings.len(), ratings.num_users()), (60_000, 414));
        assert!(ratings.num_items() > 20_000);
        Ok(())
    }
}

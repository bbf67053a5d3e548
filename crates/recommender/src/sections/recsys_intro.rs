//! 16.1 Overview of Recommender Systems
//!
//! The book's section has no code. Here is what it speaks of, on MovieLens: neighborhoods of movies, ratings beside choices, and
//! two tasks with a baseline each, which the models of the chapter have to beat: how well a rating is predicted from ratings of
//! similar movies, and how high up a list by similarity the movie is that a person chose next.
//!
//! `cargo run --release -p recommender -- recsys-intro`
//! Neighborhoods predict ratings with a test RMSE of 0.925 to 0.94; the mean of the user comes to 1.04. Their lists have the next
//! movie among the first 50 for three users of ten, AUC 0.84; lists by popularity for two of ten, AUC 0.80.

use anyhow::ensure;
use d2l::prelude::*;

use crate::interactions::Interactions;
use crate::item_similarity::{ItemSimilarity, NEIGHBORS, NeighborRatings, SHRINKAGE, means, rmse};
use crate::movielens::{Movie, MovieLens};
use crate::ranking_evaluation::{CUTOFF, RankingQuality, RankingTest};
use crate::ratings::Ratings;
use crate::splits::{Split, SplitMode};

/// Settings.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Share of the ratings that are kept for the test
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    pub test_ratio: f64,
    /// Ratings of similar movies, at most, that a rating is predicted from
    #[arg(long, default_value_t = NEIGHBORS, value_parser = count)]
    pub neighbors: usize,
    /// So many users who rated two movies make their similarity count half
    #[arg(long, default_value_t = SHRINKAGE, value_parser = non_negative)]
    pub shrinkage: f64,
    /// The movie whose neighbors are shown, by its number from 0
    #[arg(long, default_value_t = 49)]
    pub movie: usize,
}

defaults! { Config }

/// How many movies are rated by so many people, from each of the given numbers up to the next one, and the mean of their mean
/// ratings; NaN where there is no such movie.
pub fn ratings_by_popularity(ratings: &Ratings, from: &[usize]) -> Vec<(usize, f64)> {
    let popularity = Interactions::new(ratings).popularity();
    let stars = means(ratings, ratings.num_items(), |rating| rating.item);
    let group = |(place, &least): (usize, &usize)| {
        let up_to = from.get(place + 1).copied().unwrap_or(usize::MAX);
        let movies = popularity.iter().zip(&stars).filter(|&(count, _)| (least..up_to).contains(count));
        let (count, sum) = movies.fold((0usize, 0f64), |(count, sum), (_, &stars)| (count + 1, sum + f64::from(stars)));
        (count, sum / count as f64)
    };
    from.iter().enumerate().map(group).collect()
}

/// The test RMSE of four ways to predict a rating, each with its name and the metric's.
fn rating_errors(
    split: &Split,
    similarity: ItemSimilarity,
    neighbors: usize,
) -> [(&'static str, &'static str, f64); 4] {
    let Split { train, test } = split;
    let of_user = means(train, train.num_users(), |rating| rating.user);
    let of_movie = means(train, train.num_items(), |rating| rating.item);
    let mean = train.mean() as f32;
    let model = NeighborRatings::new(train, similarity, neighbors);
    [
        ("the mean of all", "test_rmse_mean", rmse(test, |_, _| mean)),
        ("the user's mean", "test_rmse_user_mean", rmse(test, |user, _| of_user[user as usize])),
        ("the movie's mean", "test_rmse_movie_mean", rmse(test, |_, item| of_movie[item as usize])),
        ("similar movies", "test_rmse", rmse(test, |user, item| model.predict(user, item))),
    ]
}

/// How well lists by popularity alone, the same for all users, have what they chose next.
fn popularity_quality(test: &RankingTest) -> anyhow::Result<RankingQuality> {
    let counts: Vec<f32> = test.known().popularity().into_iter().map(|count| count as f32).collect();
    let scores = Tensor::new(counts, &Device::Cpu)?; // (items)
    Ok(test.evaluate(|users| scores.unsqueeze(0)?.repeat((users.len(), 1)))?)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Collaborative filtering")?;
    let MovieLens { ratings, movies, .. } = nb.load()?;
    ensure!(config.movie < movies.len(), "--movie {}: there are {} movies, the first is 0", config.movie, movies.len());
    let mode = SplitMode::Random { test_ratio: config.test_ratio };
    let split = mode.split(&ratings, &mut nb.stream(Purpose::Sampling, "split"))?;
    let similarity = ItemSimilarity::adjusted_cosine(&split.train, config.shrinkage, nb.device())?;
    nb.say(format!("movies that the same people like as they like {}:", movies[config.movie]))?;
    let mut table = Table::new(["movie", "genres", "similarity"]);
    for (item, cosine) in similarity.nearest(config.movie as u32, 8) {
        let Movie { genres, .. } = &movies[item as usize];
        table.row([movies[item as usize].to_string(), genres.join(" "), format!("{cosine:.3}")]);
    }
    nb.say(table)?;

    nb.cell("Explicit feedback and implicit feedback")?;
    let seen = Interactions::new(&ratings);
    let mut table = Table::new(["movie of user 0", "explicit", "implicit"]);
    let own = ratings.rows().iter().filter(|rating| rating.user == 0).take(3);
    for rating in own {
        table.row([movies[rating.item as usize].to_string(), format!("{} stars", rating.rating), "chosen".to_string()]);
    }
    for item in seen.candidates(0).into_iter().take(2) {
        table.row([movies[item as usize].to_string(), "unknown".to_string(), "not chosen".to_string()]);
    }
    nb.say(table)?;

    nb.cell("What choices tell of ratings")?;
    let from = [1, 10, 50, 100, 200];
    let mut table = Table::new(["rated by", "movies", "mean of their mean ratings"]);
    for (place, (count, mean)) in ratings_by_popularity(&ratings, &from).into_iter().enumerate() {
        let raters = from.get(place + 1).map_or("more".to_string(), |next| (next - 1).to_string());
        if count > 0 {
            table.row([format!("{} to {raters}", from[place]), count.to_string(), format!("{mean:.2}")]);
        }
    }
    nb.say(table)?;
    let counts: Vec<f64> = seen.popularity().into_iter().map(|count| count as f64).collect();
    let stars = means(&ratings, movies.len(), |rating| rating.item);
    let chart = Chart::new().x_label("people who rated the movie").y_label("mean rating").log_x();
    let chart = chart.scatter("", &counts, &stars, 4.0);
    nb.figure("choices-and-ratings", "A dot for each movie: how many rated it, and its mean rating", chart)?;

    nb.cell("Recommendation tasks: predicting ratings")?;
    let mut table = Table::new(["predicted by", "test RMSE"]);
    for (name, metric, error) in rating_errors(&split, similarity, config.neighbors) {
        table.row([name.to_string(), format!("{error:.4}")]);
        nb.metric(metric, error)?;
    }
    nb.say(table)?;

    nb.cell("Recommendation tasks: ranking items")?;
    let split = SplitMode::SequenceAware.split(&ratings, &mut nb.stream(Purpose::Sampling, "split"))?;
    let test = RankingTest::new(&split, CUTOFF)?;
    let (popularity, neighbors) = (popularity_quality(&test)?, test.neighborhoods(&split.train, nb.device())?);
    let mut table = Table::new(["ranked by".to_string(), format!("hit rate of the first {CUTOFF}"), "AUC".to_string()]);
    for (name, quality) in [("popularity", popularity), ("neighborhoods", neighbors)] {
        table.row([name.to_string(), format!("{:.3}", quality.hit_rate), format!("{:.3}", quality.auc)]);
    }
    nb.say(table)?;
    nb.metric("hit_rate_popularity", popularity.hit_rate)?;
    nb.metric("auc_popularity", popularity.auc)?;
    nb.metric("hit_rate", neighbors.hit_rate)?;
    nb.metric("auc", neighbors.auc)?;

    nb.cell("How many neighbors count")?;
    let similarity = ItemSimilarity::cosine(&split.train, nb.device())?;
    let mut table = Table::new(["neighbors of each movie", "hit rate", "AUC"]);
    for k in [10, 20, 50, 100, 200] {
        let quality = test.by_similarity(&similarity.of_nearest(k))?;
        table.row([k.to_string(), format!("{:.3}", quality.hit_rate), format!("{:.3}", quality.auc)]);
        if k == 20 {
            nb.metric("hit_rate_20_neighbors", quality.hit_rate)?;
            nb.metric("auc_20_neighbors", quality.auc)?;
        }
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratings::Rating;

    fn rated(rows: &[(u32, u32, f32)]) -> Ratings {
        let rating = |&(user, item, rating): &(u32, u32, f32)| Rating { user, item, rating, timestamp: item };
        Ratings::new(rows.iter().map(rating).collect(), 3, 4).expect("ratings")
    }

    #[test]
    fn popular_movies_are_those_of_many_ratings() {
        let ratings = rated(&[(0, 0, 5.0), (1, 0, 4.0), (2, 0, 3.0), (0, 1, 1.0), (1, 2, 2.0), (2, 2, 3.0)]);
        let groups = ratings_by_popularity(&ratings, &[1, 2, 3]);
        assert_eq!(groups, [(1, 1.0), (1, 2.5), (1, 4.0)]);
        assert!(ratings_by_popularity(&ratings, &[9])[0].1.is_nan());
    }

    #[test]
    fn means_err_as_far_as_they_are_off() -> anyhow::Result<()> {
        let train = rated(&[(0, 0, 5.0), (0, 1, 3.0), (1, 0, 5.0), (2, 3, 3.0)]);
        let test = rated(&[(1, 3, 2.0)]);
        let similarity = ItemSimilarity::adjusted_cosine(&train, 0.0, &Device::Cpu)?;
        let errors = rating_errors(&Split { train, test }, similarity, 2).map(|(_, _, error)| error);
        assert_eq!(errors, [2.0, 3.0, 1.0, 3.0]);
        Ok(())
    }

    #[test]
    fn a_list_by_popularity_has_what_most_chose_first() -> anyhow::Result<()> {
        let train = rated(&[(0, 0, 3.0), (1, 0, 3.0), (2, 1, 3.0), (0, 2, 3.0), (1, 3, 3.0)]);
        let test = rated(&[(2, 0, 5.0)]);
        let quality = popularity_quality(&RankingTest::new(&Split { train, test }, 1)?)?;
        assert_eq!((quality.hit_rate, quality.auc), (1.0, 1.0));
        Ok(())
    }
}

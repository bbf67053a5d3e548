//! What a model would have a user see, with titles, beside what that user liked: for a person to judge (sections 16.3, 16.6
//! and 16.7).

use anyhow::ensure;
use d2l::prelude::*;

use crate::interactions::Interactions;
use crate::movielens::{GENRES, MovieLens};
use crate::ratings::Ratings;

/// From so many stars on, a user liked a movie.
const LIKED: f32 = 4.0;

/// The movies that one user does not know yet.
#[derive(Debug)]
pub struct Recommendations<'a> {
    set: &'a MovieLens,
    known: &'a Ratings,
    user: u32,
    /// Ascending.
    unseen: Vec<u32>,
}

impl<'a> Recommendations<'a> {
    /// What `user`, from 0, has no rating of in `known`, the training ratings.
    ///
    /// # Errors
    /// Where there is no such user, or they know all movies.
    pub fn new(set: &'a MovieLens, known: &'a Ratings, user: usize) -> anyhow::Result<Self> {
        let users = known.num_users();
        ensure!(user < users, "--user {user}: there are {users} users, the first is 0");
        let unseen = Interactions::new(known).candidates(user as u32);
        ensure!(!unseen.is_empty(), "--user {user} has rated all movies, so that there is none to recommend");
        Ok(Self { set, known, user: user as u32, unseen })
    }

    /// The movies that can be recommended, ascending.
    pub fn unseen(&self) -> &[u32] {
        &self.unseen
    }

    /// The genres of the movies to which the user gave four stars or more, the most frequent first, with their numbers; and how
    /// many movies these are.
    pub fn liked_genres(&self) -> (Vec<(&'static str, usize)>, usize) {
        let own = self.known.rows().iter().filter(|rating| rating.user == self.user && rating.rating >= LIKED);
        let liked: Vec<u32> = own.map(|rating| rating.item).collect();
        let movies = || liked.iter().map(|&item| &self.set.movies[item as usize]);
        let count = |genre: &str| movies().filter(|movie| movie.genres.iter().any(|own| own == genre)).count();
        let mut genres: Vec<(&str, usize)> = GENRES.iter().map(|&genre| (genre, count(genre))).collect();
        genres.retain(|&(_, count)| count > 0);
        genres.sort_by_key(|&(_, count)| std::cmp::Reverse(count)); // stable
        (genres, liked.len())
    }

    /// The `k` movies with the highest scores, of equal ones the first, with these; `scores` has one for each of
    /// [`Recommendations::unseen`].
    ///
    /// # Errors
    /// Where there is another number of scores.
    pub fn best(&self, scores: &[f32], k: usize) -> anyhow::Result<Vec<(u32, f32)>> {
        let (got, wanted) = (scores.len(), self.unseen.len());
        ensure!(got == wanted, "{got} scores are not those of {wanted} movies");
        let mut best: Vec<(u32, f32)> = self.unseen.iter().copied().zip(scores.iter().copied()).collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1)); // stable
        best.truncate(k);
        Ok(best)
    }

    /// Prints who the user is, what they liked, and the `k` best movies with their genres, their scores and how many users the
    /// model knows to have rated them.
    ///
    /// # Errors
    /// As [`Recommendations::best`]; where the output cannot be written.
    pub fn show(&self, nb: &mut Notebook, scores: &[f32], k: usize) -> anyhow::Result<()> {
        let person = &self.set.people[self.user as usize];
        let (genres, liked) = self.liked_genres();
        let all = self.known.num_items() - self.unseen.len();
        let gender = if person.gender == "F" { "woman" } else { "man" };
        nb.say(format!("user {}, a {gender} of {}: {}", self.user, person.age, person.occupation))?;
        let genres: Vec<String> = genres.iter().take(6).map(|(genre, count)| format!("{genre} {count}")).collect();
        nb.say(format!("liked {liked} of {all} movies: {}", genres.join(", ")))?;
        let raters = Interactions::new(self.known).popularity();
        let mut table = Table::new(["", "movie", "genres", "score", "ratings"]);
        for (place, (item, score)) in (1..).zip(self.best(scores, k)?) {
            let movie = &self.set.movies[item as usize];
            let ratings = raters[item as usize].to_string();
            table.row([place.to_string(), movie.to_string(), movie.genres.join(" "), format!("{score:.2}"), ratings]);
        }
        nb.say(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::movielens::{Movie, Person};
    use crate::ratings::Rating;

    fn set() -> MovieLens {
        let movie = |title: &str, genres: &[&str]| Movie {
            title: title.to_string(),
            year: None,
            genres: genres.iter().map(ToString::to_string).collect(),
        };
        let movies = vec![
            movie("a", &["War", "Drama"]),
            movie("b", &["Drama"]),
            movie("c", &["Comedy"]),
            movie("d", &["Crime"]),
            movie("e", &[]),
        ];
        let person = Person { age: 30, gender: "F".into(), occupation: "writer".into() };
        let rating = |user, item, rating| Rating { user, item, rating, timestamp: 0 };
        let rows = vec![rating(1, 0, 5.0), rating(1, 1, 4.0), rating(1, 2, 3.0), rating(0, 4, 5.0), rating(0, 3, 1.0)];
        let ratings = Ratings::new(rows, 2, 5).expect("ratings");
        MovieLens { ratings, movies, people: vec![person.clone(), person] }
    }

    #[test]
    fn the_best_are_unseen_and_of_equal_ones_the_first() -> anyhow::Result<()> {
        let set = set();
        let films = Recommendations::new(&set, &set.ratings, 0)?;
        assert_eq!(films.unseen(), [0, 1, 2]);
        assert_eq!(films.best(&[1.0, 2.0, 1.0], 2)?, [(1, 2.0), (0, 1.0)]);
        assert_eq!(films.best(&[-1.0, f32::NEG_INFINITY, 0.0], 9)?, [(2, 0.0), (0, -1.0), (1, f32::NEG_INFINITY)]);
        assert!(films.best(&[1.0], 2).is_err());
        Ok(())
    }

    #[test]
    fn genres_are_those_of_what_the_user_liked() -> anyhow::Result<()> {
        let set = set();
        let films = Recommendations::new(&set, &set.ratings, 1)?;
        assert_eq!(films.liked_genres(), (vec![("Drama", 2), ("War", 1)], 2));
        assert_eq!(Recommendations::new(&set, &set.ratings, 0)?.liked_genres(), (vec![], 1));
        Ok(())
    }

    #[test]
    fn users_that_are_none_or_know_everything_are_named() -> anyhow::Result<()> {
        let mut set = set();
        let error = Recommendations::new(&set, &set.ratings, 2).expect_err("no such user").to_string();
        assert!(error.contains("--user 2: there are 2 users"), "{error}");
        let rows = (0..5).map(|item| Rating { user: 0, item, rating: 1.0, timestamp: 0 }).collect();
        set.ratings = Ratings::new(rows, 2, 5)?;
        let error = Recommendations::new(&set, &set.ratings, 0).expect_err("nothing left").to_string();
        assert!(error.contains("--user 0 has rated all movies"), "{error}");
        Ok(())
    }
}

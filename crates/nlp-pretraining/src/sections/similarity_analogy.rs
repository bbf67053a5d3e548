//! 14.7 Finding Synonyms and Analogies
//!
//! Vectors that others trained on billions of words: which words are near each other, and which word is to `c` as `b` is to
//! `a`.
//!
//! `cargo run --release -p nlp-pretraining -- similarity-analogy`
//! The neighbors of chip, baby and beautiful, with the book's cosines to three digits, and its four analogies.

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use d2l::prelude::*;
use d2l::text::Vocab;

use crate::pretrained_vectors::{FastTextWikiEn, Glove6B50, Glove6B100, Glove42B300};
use crate::vector_files::read_text;
use crate::word_vectors::WordVectors;

/// Settings.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// The word vectors
    #[arg(long, value_enum, default_value_t = PretrainedSet::Glove6B50)]
    pub embedding: PretrainedSet,
    /// A file of vectors to use in its place, a word and its numbers a line
    #[arg(long, value_name = "FILE", conflicts_with = "embedding")]
    pub file: Option<PathBuf>,
    /// Neighbors shown of each word
    #[arg(long, default_value_t = 3, value_parser = count)]
    pub neighbors: usize,
    /// Another word to show the neighbors of
    #[arg(long)]
    pub word: Option<String>,
}

defaults! { Config }

/// The book's sets of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
pub enum PretrainedSet {
    /// GloVe, 400,000 words, 50 numbers each
    #[value(name = "glove.6b.50d")]
    #[serde(rename = "glove.6b.50d")]
    Glove6B50,
    /// GloVe, 400,000 words, 100 numbers each
    #[value(name = "glove.6b.100d")]
    #[serde(rename = "glove.6b.100d")]
    Glove6B100,
    /// GloVe, 1.9 million words, 300 numbers each
    #[value(name = "glove.42b.300d")]
    #[serde(rename = "glove.42b.300d")]
    Glove42B300,
    /// fastText, 2.5 million words, 300 numbers each
    #[value(name = "wiki.en")]
    #[serde(rename = "wiki.en")]
    WikiEn,
}

/// What the book prints with 50 numbers a word.
const NEIGHBORS: [(&str, [(&str, f32); 3]); 3] = [
    ("chip", [("chips", 0.856), ("intel", 0.749), ("electronics", 0.749)]),
    ("baby", [("babies", 0.839), ("boy", 0.800), ("girl", 0.792)]),
    ("beautiful", [("lovely", 0.921), ("gorgeous", 0.893), ("wonderful", 0.830)]),
];

/// The book's analogies: a relation, three words, and the fourth.
const ANALOGIES: [(&str, [&str; 3], &str); 4] = [
    ("male to female", ["man", "woman", "son"], "daughter"),
    ("capital to country", ["beijing", "china", "tokyo"], "japan"),
    ("adjective to superlative", ["bad", "worst", "big"], "biggest"),
    ("present to past", ["do", "did", "go"], "went"),
];

/// The words nearest to `word`, itself and the unknown one left out, with their cosines; nothing where it has no vector.
pub fn similar_words<'a>(word: &str, k: usize, vectors: &'a WordVectors) -> Vec<(&'a str, f32)> {
    let Some(number) = vectors.number(word) else { return Vec::new() };
    let near = vectors.nearest(vectors.vector(word), k + 2).into_iter();
    let near = near.filter(|&(near, _)| near != number && near != Vocab::UNKNOWN as usize);
    near.filter_map(|(near, cosine)| Some((vectors.word(near)?, cosine))).take(k).collect()
}

/// The word that is to `c` as `b` is to `a`: the nearest to `vec(c) + vec(b) − vec(a)`, none of the three being left out, as in
/// the book; nothing where one of them has no vector.
pub fn analogy<'a>([a, b, c]: [&str; 3], vectors: &'a WordVectors) -> Option<&'a str> {
    let row = |word: &str| vectors.number(word).map(|_| vectors.vector(word));
    let (a, b, c) = (row(a)?, row(b)?, row(c)?);
    let x: Vec<f32> = a.iter().zip(b).zip(c).map(|((a, b), c)| b - a + c).collect();
    let &(number, _) = vectors.nearest(&x, 1).first()?;
    vectors.word(number)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Using pretrained word vectors")?;
    let started = Instant::now();
    let vectors = match (&config.file, config.embedding) {
        (Some(path), _) => {
            nb.uses_own_data();
            read_text(path)?
        }
        (None, PretrainedSet::Glove6B50) => nb.load::<Glove6B50>()?.vectors,
        (None, PretrainedSet::Glove6B100) => nb.load::<Glove6B100>()?.vectors,
        (None, PretrainedSet::Glove42B300) => nb.load::<Glove42B300>()?.vectors,
        (None, PretrainedSet::WikiEn) => nb.load::<FastTextWikiEn>()?.vectors,
    };
    let seconds = started.elapsed().as_secs_f64();
    nb.say(format!("{} words, {} numbers each, in {seconds:.2} s", vectors.len(), vectors.dimension()))?;
    nb.metric("words", vectors.len() as f64)?;
    nb.metric("words_per_second", vectors.len() as f64 / seconds)?;

    nb.cell("Words and numbers")?;
    let number = vectors.number("beautiful");
    nb.show("the number of \"beautiful\"", number.map_or("none".to_string(), |number| number.to_string()))?;
    nb.show("the word with the number 3367", vectors.word(3367).unwrap_or("none"))?;

    nb.cell("Finding synonyms")?;
    let others = config.word.iter().map(String::as_str);
    for word in NEIGHBORS.iter().map(|(word, _)| *word).chain(others) {
        let near = similar_words(word, config.neighbors, &vectors);
        if near.is_empty() {
            nb.say(format!("{word}: has no vector here"))?;
        }
        for (near, cosine) in near {
            nb.say(format!("{word}: {near}, cosine {cosine:.3}"))?;
        }
    }
    let is_books = config.embedding == PretrainedSet::Glove6B50 && config.file.is_none();
    let (mut as_in_book, mut error) = (0, 0f32);
    for (word, wanted) in NEIGHBORS {
        for ((near, cosine), (wanted, printed)) in similar_words(word, 3, &vectors).into_iter().zip(wanted) {
            as_in_book += usize::from(near == wanted);
            error = error.max((cosine - printed).abs());
        }
    }
    if is_books && as_in_book > 0 {
        nb.say(format!(
            "{as_in_book} of 9 as in the book; cosines differ from the printed ones by {error:.4} at most"
        ))?;
        nb.metric("neighbors_as_in_book", as_in_book as f64)?;
        nb.metric("cosine_error", f64::from(error))?;
    }

    nb.cell("Finding analogies")?;
    let mut right = 0;
    for (relation, [a, b, c], wanted) in ANALOGIES {
        let found = analogy([a, b, c], &vectors).unwrap_or("unknown");
        right += usize::from(found == wanted);
        nb.say(format!("{relation}: {a} : {b} :: {c} : {found}"))?;
    }
    nb.metric("analogies_as_in_book", right as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word_vectors::WordVectorsBuilder;

    fn family() -> WordVectors {
        let mut builder = WordVectorsBuilder::new(3);
        let words: [(&str, [f32; 3]); 5] = [
            ("man", [1.0, 0.0, 0.2]),
            ("woman", [0.0, 1.0, 0.2]),
            ("son", [1.0, 0.0, 1.2]),
            ("daughter", [0.0, 1.0, 1.3]),
            ("chip", [-1.0, -1.0, 0.0]),
        ];
        words.iter().for_each(|(word, vector)| builder.push(word, vector));
        builder.finish()
    }

    #[test]
    fn a_word_is_no_neighbor_of_itself() {
        let vectors = family();
        let near: Vec<&str> = similar_words("son", 2, &vectors).into_iter().map(|(word, _)| word).collect();
        assert_eq!(near, ["man", "daughter"]);
        assert!(similar_words("grandson", 2, &vectors).is_empty());
        assert_eq!(similar_words("son", 100, &vectors).len(), 4, "all others");
    }

    #[test]
    fn a_daughter_is_to_a_son_as_a_woman_to_a_man() {
        assert_eq!(analogy(["man", "woman", "son"], &family()), Some("daughter"));
        assert_eq!(analogy(["man", "woman", "grandson"], &family()), None);
    }
}

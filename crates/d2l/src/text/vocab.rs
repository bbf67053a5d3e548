//! From tokens to ids and back.

use std::collections::HashMap;
use std::hash::Hash;

/// How often each token occurs, the most frequent first; equal counts stay in the order in which they first came
/// (section 8.2). Tokens can be anything that can be compared, such as pairs of words.
///
/// ```
/// use d2l::text::count_corpus;
///
/// assert_eq!(count_corpus(["b", "a", "c", "a"]), [("a", 2), ("b", 1), ("c", 1)]);
/// ```
pub fn count_corpus<T: Hash + Eq + Clone>(tokens: impl IntoIterator<Item = T>) -> Vec<(T, usize)> {
    let mut places: HashMap<T, usize> = HashMap::new();
    let mut counts: Vec<(T, usize)> = Vec::new();
    for token in tokens {
        let place = *places.entry(token).or_insert_with_key(|token| {
            counts.push((token.clone(), 0));
            counts.len() - 1
        });
        counts[place].1 += 1;
    }
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count)); // stable
    counts
}

/// An id that no token has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no token with the id {id}: the vocabulary has {len}")]
pub struct UnknownId {
    /// The id asked for.
    pub id: u32,
    /// The size of the vocabulary.
    pub len: usize,
}

/// The tokens of a text with their ids (section 8.2).
///
/// Id 0 stands for every token that is not in it; the reserved tokens follow, and then the others, the most frequent
/// first.
///
/// ```
/// use d2l::text::Vocab;
///
/// let vocab = Vocab::new("the end of the line".split(' '), 0, &["<pad>"]);
/// assert_eq!(vocab.ids(["the", "<pad>", "start"]), [2, 1, Vocab::UNKNOWN]);
/// assert_eq!(vocab.tokens(&[0, 2, 3])?, ["<unk>", "the", "end"]);
/// # Ok::<(), d2l::text::UnknownId>(())
/// ```
#[derive(Debug, Clone)]
pub struct Vocab {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
    frequencies: Vec<(String, usize)>,
}

impl Vocab {
    /// The id of every token that the vocabulary does not have.
    #[doc(alias = "unk")]
    pub const UNKNOWN: u32 = 0;

    /// The text of the token with the id [`Vocab::UNKNOWN`].
    pub const UNKNOWN_TOKEN: &'static str = "<unk>";

    /// The vocabulary of all tokens that occur at least `min_freq` times, with the `reserved` ones before them.
    pub fn new<'a>(tokens: impl IntoIterator<Item = &'a str>, min_freq: usize, reserved: &[&str]) -> Self {
        let counts = count_corpus(tokens);
        let special = std::iter::once(&Self::UNKNOWN_TOKEN).chain(reserved).copied();
        let frequent = counts.iter().filter(|&&(_, count)| count >= min_freq).map(|&(token, _)| token);
        let mut vocab = Self { tokens: Vec::new(), ids: HashMap::new(), frequencies: Vec::new() };
        for token in special.chain(frequent) {
            if !vocab.ids.contains_key(token) {
                vocab.ids.insert(token.to_string(), vocab.tokens.len() as u32);
                vocab.tokens.push(token.to_string());
            }
        }
        vocab.frequencies = counts.into_iter().map(|(token, count)| (token.to_string(), count)).collect();
        vocab
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never: there is always the token for unknown ones.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// A token's id.
    #[doc(alias = "__getitem__")]
    pub fn id(&self, token: &str) -> u32 {
        self.ids.get(token).copied().unwrap_or(Self::UNKNOWN)
    }

    /// The ids of tokens.
    pub fn ids<T: AsRef<str>>(&self, tokens: impl IntoIterator<Item = T>) -> Vec<u32> {
        tokens.into_iter().map(|token| self.id(token.as_ref())).collect()
    }

    /// The token of an id.
    ///
    /// # Errors
    /// Where no token has it.
    pub fn token(&self, id: u32) -> Result<&str, UnknownId> {
        self.tokens.get(id as usize).map(String::as_str).ok_or(UnknownId { id, len: self.len() })
    }

    /// The tokens of ids.
    ///
    /// # Errors
    /// Where an id has no token.
    #[doc(alias = "to_tokens")]
    pub fn tokens(&self, ids: &[u32]) -> Result<Vec<&str>, UnknownId> {
        ids.iter().map(|&id| self.token(id)).collect()
    }

    /// Every token of the text with its count, the most frequent first, those below `min_freq` included.
    #[doc(alias = "token_freqs")]
    pub fn frequencies(&self) -> &[(String, usize)] {
        &self.frequencies
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rare_tokens_are_unknown_and_reserved_ones_come_first() -> Result<(), UnknownId> {
        let vocab = Vocab::new("a b b c c c <pad>".split(' '), 2, &["<pad>", "<bos>"]);
        assert_eq!(vocab.tokens(&[0, 1, 2, 3, 4])?, ["<unk>", "<pad>", "<bos>", "c", "b"]);
        assert_eq!((vocab.len(), vocab.id("a")), (5, Vocab::UNKNOWN));
        assert_eq!(vocab.frequencies()[0], ("c".to_string(), 3));
        assert_eq!(vocab.token(5), Err(UnknownId { id: 5, len: 5 }));
        Ok(())
    }

    #[test]
    fn pairs_of_words_are_counted_too() {
        let words = ["of", "the", "of", "the", "end"];
        let counts = count_corpus(words.windows(2).map(|pair| (pair[0], pair[1])));
        assert_eq!(counts, [(("of", "the"), 2), (("the", "of"), 1), (("the", "end"), 1)]);
    }

    proptest! {
        #[test]
        fn tokens_come_back_from_their_ids(text in "[a-dé🙂 ]{0,60}") {
            let words: Vec<&str> = text.split_whitespace().collect();
            let vocab = Vocab::new(words.iter().copied(), 0, &[]);
            let ids = vocab.ids(&words);
            prop_assert_eq!(vocab.tokens(&ids).unwrap(), words);
            prop_assert!(vocab.frequencies().windows(2).all(|pair| pair[0].1 >= pair[1].1));
        }
    }
}

//! Texts that praise or blame, with their labels (section 15.1).

use d2l::data::DataError;

/// The label of a review that praises.
pub const POSITIVE: u32 = 1;

/// The label of one that does not.
pub const NEGATIVE: u32 = 0;

/// Reviews with their labels, [`POSITIVE`] or [`NEGATIVE`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reviews {
    texts: Vec<String>,
    labels: Vec<u32>,
}

impl Reviews {
    /// Texts with a label each.
    ///
    /// # Errors
    /// Where there are not as many labels as texts, or a label is neither of the two.
    pub fn new(texts: Vec<String>, labels: Vec<u32>) -> Result<Self, DataError> {
        if texts.len() != labels.len() {
            let message = format!("{} reviews have {} labels: each needs one", texts.len(), labels.len());
            return Err(DataError::Invalid(message));
        }
        if let Some(place) = labels.iter().position(|&label| label > POSITIVE) {
            let message = format!("review {place} has the label {}: it must be 0 or 1", labels[place]);
            return Err(DataError::Invalid(message));
        }
        Ok(Self { texts, labels })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The texts, without line ends.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The labels.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The tokens of all reviews, one after the other: what white space separates, as the book has it, so that a word
    /// with a comma behind it is another token than the word.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|text| text.split_whitespace())
    }

    /// How many tokens each review has.
    pub fn lengths(&self) -> Vec<usize> {
        self.texts.iter().map(|text| text.split_whitespace().count()).collect()
    }

    /// The first `count` reviews, half of each label; of an odd number one positive more. Where there are too few of a
    /// label, all of those.
    pub fn first(&self, count: usize) -> Self {
        let mut left = [count / 2, count.div_ceil(2)]; // negative, positive
        let mut kept = Self::default();
        for (text, &label) in self.texts.iter().zip(&self.labels) {
            let left = &mut left[label as usize];
            if *left > 0 {
                *left -= 1;
                kept.texts.push(text.clone());
                kept.labels.push(label);
            }
        }
        kept
    }
}

/// The first characters of a text, at most so many, with dots where something is left out.
pub fn excerpt(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{} …", text[..end].trim_end()),
        None => text.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Reviews with a label each.
    pub fn reviews(labeled: &[(&str, u32)]) -> Reviews {
        let (texts, labels) = labeled.iter().map(|&(text, label)| (text.to_string(), label)).unzip();
        Reviews::new(texts, labels).expect("sound labels")
    }

    #[test]
    fn white_space_separates_tokens() {
        let reviews = reviews(&[("A great, great film.", 1), ("", 0), (" Bad\u{a0}!  ", 0)]);
        assert_eq!(reviews.tokens().collect::<Vec<_>>(), ["A", "great,", "great", "film.", "Bad", "!"]);
        assert_eq!(reviews.lengths(), [4, 0, 2]);
    }

    #[test]
    fn half_of_each_label_is_kept() {
        let all = reviews(&[("a", 1), ("b", 1), ("c", 1), ("d", 0), ("e", 0)]);
        let first = |count| all.first(count).texts.concat();
        assert_eq!((first(1), first(2), first(3), first(4)), ("a".into(), "ad".into(), "abd".into(), "abde".into()));
        assert_eq!((first(0), first(100)), (String::new(), "abcde".into()));
        assert_eq!(all.first(3).labels(), [1, 1, 0]);
    }

    #[test]
    fn labels_that_are_none_are_named() {
        let message = |labels: &[u32]| {
            let texts = vec!["a".to_string(), "b".to_string()];
            Reviews::new(texts, labels.to_vec()).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(message(&[1]).contains("2 reviews have 1 labels"), "{}", message(&[1]));
        assert!(message(&[1, 2]).contains("review 1 has the label 2"), "{}", message(&[1, 2]));
        assert!(message(&[0, 1]).is_empty());
    }

    #[test]
    fn excerpts_end_between_characters() {
        assert_eq!((excerpt("déjà vu", 4), excerpt("déjà vu", 5)), ("déjà …".into(), "déjà …".into()));
        assert_eq!((excerpt("déjà vu", 7), excerpt("", 3)), ("déjà vu".into(), String::new()));
    }
}

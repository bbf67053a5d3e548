//! From text to tokens.

/// What counts as one token (section 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// What white space separates.
    Word,
    /// One character, white space included; never a part of one.
    Char,
}

/// Keeps the letters of ASCII, in lower case; whatever stands between two of them becomes one space (section 8.2).
///
/// The book treats each line of its novel so. Text in other alphabets would vanish: sentence pairs take
/// [`preprocess_pairs`](crate::data::preprocess_pairs) instead.
///
/// ```
/// use d2l::text::letters_only;
///
/// assert_eq!(letters_only("The Time Machine, by H. G. Wells [1898]\n"), "the time machine by h g wells");
/// ```
pub fn letters_only(line: &str) -> String {
    let words = line.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// Cuts each line into tokens (section 8.2); an empty line gives no tokens.
///
/// ```
/// use d2l::text::{TokenKind, tokenize};
///
/// assert_eq!(tokenize(&["déjà vu"], TokenKind::Word), [["déjà", "vu"]]);
/// assert_eq!(tokenize(&["où"], TokenKind::Char), [["o", "ù"]]);
/// ```
pub fn tokenize<S: AsRef<str>>(lines: &[S], kind: TokenKind) -> Vec<Vec<&str>> {
    lines.iter().map(|line| tokens_of(line.as_ref(), kind)).collect()
}

fn tokens_of(line: &str, kind: TokenKind) -> Vec<&str> {
    match kind {
        TokenKind::Word => line.split_whitespace().collect(),
        TokenKind::Char => line.char_indices().map(|(at, c)| &line[at..at + c.len_utf8()]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stay_and_all_else_becomes_one_space() {
        let cases = [("", ""), ("  I  ", "i"), ("way--marking", "way marking"), ("don't", "don t"), ("1898", "")];
        for (line, expected) in cases {
            assert_eq!(letters_only(line), expected, "{line:?}");
        }
    }

    #[test]
    fn characters_are_whole_whatever_their_length_in_bytes() {
        let line = "ça coûte 3\u{202f}€ 🙂";
        let lines = [line, ""];
        let tokens = tokenize(&lines, TokenKind::Char);
        assert_eq!(tokens[0].len(), line.chars().count());
        assert_eq!(tokens[0].concat(), line);
        assert!(tokens[1].is_empty());
    }
}

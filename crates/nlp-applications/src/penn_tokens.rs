//! Sentences cut as in the Penn Treebank, the manner in which the publisher of SNLI cut them (section 15.4).

/// What marks become that mean something else in a treebank; a sentence that was cut before has them already.
const WRITTEN: [&str; 8] = ["``", "''", "-LRB-", "-RRB-", "-LSB-", "-RSB-", "-LCB-", "-RCB-"];

/// What is cut off the end of a word.
const ENDINGS: [&str; 7] = ["n't", "'s", "'m", "'re", "'ve", "'ll", "'d"];

/// Words whose stop belongs to them.
const ABBREVIATIONS: [&str; 10] = ["mr", "mrs", "ms", "dr", "st", "mt", "rt", "jr", "sr", "ft"];

/// The tokens of a sentence: words, with `n't`, `'s` and the like apart, and each mark apart, quotes as two grave accents or
/// two apostrophes, brackets as `-LRB-` and `-RRB-`. Capitals stay. A sentence of tokens with spaces between them gives these
/// tokens.
///
/// This follows the treebank in what occurs in the short English sentences of SNLI: no more than a handful of abbreviations
/// keep their stop, and quotes and apostrophes are those of a typewriter.
///
/// ```
/// use nlp_applications::penn_tokens::penn_tokens;
///
/// assert_eq!(penn_tokens("A man's dog can't swim."), ["A", "man", "'s", "dog", "ca", "n't", "swim", "."]);
/// ```
pub fn penn_tokens(sentence: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    sentence.split_whitespace().for_each(|word| push_word(word, &mut tokens));
    tokens
}

/// Cuts what stands between white space at the marks that are tokens wherever they stand.
fn push_word<'a>(word: &'a str, tokens: &mut Vec<&'a str>) {
    if WRITTEN.contains(&word) {
        tokens.push(word);
        return;
    }
    let mut start = 0; // what stands before is in tokens
    for (at, c) in word.char_indices() {
        let end = at + c.len_utf8();
        let (before, after) = (&word[..at], &word[end..]);
        let is_between = |is: fn(char) -> bool| before.ends_with(is) && after.starts_with(is);
        let token = match c {
            '"' if opens(before, after) => "``",
            '"' => "''",
            '(' => "-LRB-",
            ')' => "-RRB-",
            '[' => "-LSB-",
            ']' => "-RSB-",
            '{' => "-LCB-",
            '}' => "-RCB-",
            ',' | ':' if !is_between(|c| c.is_ascii_digit()) => &word[at..end], // not in 1,000 and 9:30
            '&' if !is_between(char::is_alphanumeric) => &word[at..end],        // not in Q&A
            ';' | '!' | '?' | '#' | '$' | '%' | '`' => &word[at..end],
            _ => continue,
        };
        push_rest(&word[start..at], tokens);
        tokens.push(token);
        start = end;
    }
    push_rest(&word[start..], tokens);
}

/// Whether a quote between these parts of a word opens: nothing but marks that open is before it, and something after it.
fn opens(before: &str, after: &str) -> bool {
    !after.is_empty() && before.chars().all(|c| matches!(c, '(' | '[' | '{' | '"' | '`' | '\''))
}

/// Cuts dashes and a quote off the start of what is left of a word; stops, apostrophes, dashes and endings off its end.
fn push_rest<'a>(rest: &'a str, tokens: &mut Vec<&'a str>) {
    let mut word = rest.trim_start_matches('-');
    if word.len() < rest.len() {
        tokens.push(&rest[..rest.len() - word.len()]);
    }
    let is_quote = word.starts_with('\'') && word[1..].starts_with(char::is_alphabetic);
    if is_quote && !ENDINGS.contains(&word.to_ascii_lowercase().as_str()) {
        tokens.push("`");
        word = &word[1..];
    }
    let mut ends = Vec::new();
    while let Some(at) = last_token(word) {
        ends.push(&word[at..]);
        word = &word[..at];
    }
    if word.eq_ignore_ascii_case("cannot") {
        tokens.extend([&word[..3], &word[3..]]);
    } else if !word.is_empty() {
        tokens.push(word);
    }
    tokens.extend(ends.into_iter().rev());
}

/// Where the last token of a word begins, if that is one to cut off.
fn last_token(word: &str) -> Option<usize> {
    match word.chars().next_back()? {
        '.' if is_abbreviation(word) => None,
        last @ ('.' | '-') => Some(word.trim_end_matches(last).len()), // several are one token
        '\'' => Some(word.len() - 1),
        _ => {
            let lower = word.to_ascii_lowercase();
            let ending = ENDINGS.into_iter().find(|ending| lower.ends_with(*ending))?;
            (ending.len() < word.len()).then(|| word.len() - ending.len())
        }
    }
}

/// Whether a word with a stop at its end is one such as `Mr.` or `U.S.`, also where it ends the sentence.
fn is_abbreviation(word: &str) -> bool {
    let Some(stem) = word.strip_suffix('.') else { return false };
    let is_letter = |part: &str| part.chars().count() == 1 && part.starts_with(char::is_alphabetic);
    let is_initials = stem.contains('.') && stem.split('.').all(is_letter);
    is_initials || ABBREVIATIONS.contains(&stem.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(sentence: &str) -> String {
        penn_tokens(sentence).join(" ")
    }

    #[test]
    fn marks_stand_apart() {
        let cases = [
            ("A man, a dog; and a cat.", "A man , a dog ; and a cat ."),
            ("It's time! Is it?", "It 's time ! Is it ?"),
            ("red& white (two of them), also", "red & white -LRB- two of them -RRB- , also"),
            ("bicyclist(#9) leads: 50% of $5", "bicyclist -LRB- # 9 -RRB- leads : 50 % of $ 5"),
            ("football.. wait... no", "football .. wait ... no"),
            ("top,selling words:berlin", "top , selling words : berlin"),
            ("routines- a - b --c", "routines - a - b -- c"),
            ("", ""),
            (" \t ", ""),
        ];
        for (sentence, expected) in cases {
            assert_eq!(cut(sentence), expected, "{sentence}");
        }
    }

    #[test]
    fn what_belongs_together_stays() {
        for sentence in
            ["1,000 9:30 53:11 9.99 Q&A PB&J", "a t-shirt hiking/backpacking he/she", "Mr. X of the U.S. E.S.E."]
        {
            assert_eq!(cut(sentence), sentence);
        }
        assert_eq!(cut("Dr. No is on. Mt. Fuji, 5 ft. high."), "Dr. No is on . Mt. Fuji , 5 ft. high .");
    }

    #[test]
    fn endings_are_cut_off() {
        let cases = [
            ("isn't can't won't DON'T n't", "is n't ca n't wo n't DO N'T n't"),
            ("I'm you're we've she'll he'd 's", "I 'm you 're we 've she 'll he 'd 's"),
            ("Joe's. the workers' 30's.", "Joe 's . the workers ' 30 's ."),
            ("I cannot. Cannot", "I can not . Can not"),
            ("a'no o'clock", "a'no o'clock"),
        ];
        for (sentence, expected) in cases {
            assert_eq!(cut(sentence), expected, "{sentence}");
        }
    }

    #[test]
    fn quotes_open_and_close() {
        let cases = [
            (r#"He said "hot dog.""#, "He said `` hot dog . ''"),
            (r#"the words "real change"."#, "the words `` real change '' ."),
            (r#"("Sara's") "21"-"#, "-LRB- `` Sara 's '' -RRB- `` 21 '' -"),
            (r#"a "53:11"."#, "a `` 53:11 '' ."),
            ("it 'reads' happy`", "it ` reads ' happy `"),
        ];
        for (sentence, expected) in cases {
            assert_eq!(cut(sentence), expected, "{sentence}");
        }
    }

    #[test]
    fn letters_beyond_ascii_are_whole() {
        assert_eq!(cut("É's «naïve»… é. 你好。"), "É 's «naïve»… é . 你好。");
    }

    proptest! {
        #[test]
        fn tokens_are_cut_no_further(sentence in "[a-cn't1-3 .,:;!?()\"'`$%#-]{0,40}") {
            let once = cut(&sentence);
            prop_assert_eq!(cut(&once), once);
        }

        #[test]
        fn nothing_is_lost(sentence in "[a-zA-Z1-9 .,:;!?'&-]{0,60}") {
            let letters = |text: &str| text.replace(['`', '\'', ' '], "");
            prop_assert_eq!(letters(&cut(&sentence)), letters(&sentence));
        }
    }
}

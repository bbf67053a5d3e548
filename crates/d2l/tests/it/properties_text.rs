//! Rules of tokens, vocabularies and sequence batches that hold for every text.

use std::collections::{HashMap, HashSet};

use candle_core::Device;
use d2l::random::{Purpose, Random};
use d2l::text::{
    Sampling, SequenceBatch, SequenceLoader, TokenKind, Vocab, letters_only, random_batches, sequential_batches,
    tokenize,
};
use proptest::prelude::*;

/// Words of few kinds, so that they repeat, some of them beyond ASCII or reserved.
fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[abé🙂]{1,2}|<pad>|<unk>", 0..60)
}

/// Inputs and labels.
type Rows = Vec<(Vec<u32>, Vec<u32>)>;

/// The rows of batches, inputs beside labels, and how many rows each batch has.
fn rows(batches: impl Iterator<Item = candle_core::Result<SequenceBatch>>) -> (Rows, Vec<usize>) {
    let (mut all, mut sizes) = (Vec::new(), Vec::new());
    for batch in batches {
        let (x, y) = batch.expect("a minibatch");
        assert_eq!(x.dims(), y.dims());
        sizes.push(x.dims()[0]);
        all.extend(x.to_vec2().expect("ids").into_iter().zip(y.to_vec2().expect("ids")));
    }
    (all, sizes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_frequent_token_comes_back_from_its_id_and_a_rare_one_is_unknown(words in words(), min_freq in 0usize..4) {
        let reserved = ["<pad>", "<bos>"];
        let vocab = Vocab::new(words.iter().map(String::as_str), min_freq, &reserved);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        words.iter().for_each(|word| *counts.entry(word).or_default() += 1);
        let special = |word: &str| word == Vocab::UNKNOWN_TOKEN || reserved.contains(&word);
        for (&word, &count) in &counts {
            let known = special(word) || count >= min_freq;
            prop_assert_eq!(vocab.token(vocab.id(word)).unwrap(), if known { word } else { Vocab::UNKNOWN_TOKEN });
        }
        prop_assert_eq!(vocab.ids(reserved), [1, 2]);
        let frequent = counts.iter().filter(|&(word, &count)| !special(word) && count >= min_freq).count();
        prop_assert_eq!(vocab.len(), 3 + frequent);
        for id in 0..vocab.len() as u32 {
            prop_assert_eq!(vocab.id(vocab.token(id).unwrap()), id);
        }
        prop_assert!(vocab.token(vocab.len() as u32).is_err());
        prop_assert_eq!(vocab.frequencies().iter().map(|(_, count)| count).sum::<usize>(), words.len());
        prop_assert!(vocab.frequencies().windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }

    #[test]
    fn characters_make_up_their_line_and_words_its_words(lines in prop::collection::vec("\\PC{0,30}", 0..5)) {
        let characters = tokenize(&lines, TokenKind::Char);
        let words = tokenize(&lines, TokenKind::Word);
        for ((line, characters), words) in lines.iter().zip(&characters).zip(&words) {
            prop_assert_eq!(&characters.concat(), line);
            prop_assert!(characters.iter().all(|token| token.chars().count() == 1));
            prop_assert!(words.iter().all(|word| !word.is_empty() && !word.contains(char::is_whitespace)));
            let without_space = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(words.concat(), without_space(line));
        }
    }

    #[test]
    fn letters_only_keeps_the_letters_in_their_order(line in "(\\PC|[a-zA-Z]|\\s){0,40}") {
        let kept = letters_only(&line);
        prop_assert_eq!(letters_only(&kept), kept.clone());
        prop_assert!(kept.split(' ').all(|word| !word.is_empty()) || kept.is_empty());
        let letters = |text: &str| text.chars().filter(char::is_ascii_alphabetic).collect::<String>();
        prop_assert_eq!(letters(&kept), letters(&line).to_ascii_lowercase());
        prop_assert!(kept.chars().all(|c| c == ' ' || c.is_ascii_lowercase()));
    }

    #[test]
    fn subsequences_follow_the_text_and_no_token_is_read_twice(
        length in 0u32..120, batch_size in 0usize..6, num_steps in 0usize..9, seed: u64,
    ) {
        let corpus: Vec<u32> = (0..length).collect();
        let mut stream = Random::new(seed).stream(Purpose::Sampling, "test");
        let device = Device::Cpu;
        let (random, sizes) = rows(random_batches(&corpus, batch_size, num_steps, &mut stream, &device));
        let (sequential, sizes_in_order) = rows(sequential_batches(&corpus, batch_size, num_steps, &mut stream, &device));
        prop_assert!(sizes.iter().chain(&sizes_in_order).all(|&size| size == batch_size), "a batch is not full");
        for rows in [&random, &sequential] {
            for (x, y) in rows {
                prop_assert_eq!(x.len(), num_steps);
                prop_assert!(x.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{:?} leaves tokens out", x);
                prop_assert!(x.iter().zip(y).all(|(x, y)| x + 1 == *y), "{:?} is not the next of {:?}", y, x);
            }
            let read: Vec<u32> = rows.iter().flat_map(|(x, _)| x).copied().collect();
            prop_assert_eq!(read.iter().collect::<HashSet<_>>().len(), read.len(), "a token is read twice");
        }
        for row in 0..batch_size {
            let of_row: Vec<u32> = sequential.iter().skip(row).step_by(batch_size).flat_map(|(x, _)| x).copied().collect();
            prop_assert!(of_row.windows(2).all(|pair| pair[0] + 1 == pair[1]), "row {} does not go on", row);
        }
    }

    #[test]
    fn a_loader_gives_the_batches_that_it_counts_or_one_fewer(
        length in 0u32..120, batch_size in 0usize..6, num_steps in 0usize..9, seed: u64, in_order: bool,
    ) {
        let sampling = if in_order { Sampling::Sequential } else { Sampling::Random };
        let stream = Random::new(seed).stream(Purpose::Sampling, "test");
        let corpus: Vec<u32> = (0..length).collect();
        match SequenceLoader::new(corpus, batch_size, num_steps, sampling, stream, &Device::Cpu) {
            Ok(mut loader) => {
                for _ in 0..3 {
                    let batches = loader.batches();
                    let given = loader.epoch().count();
                    prop_assert!(given >= 1 && (batches.saturating_sub(1)..=batches).contains(&given), "{} of {}", given, batches);
                }
            }
            Err(error) => {
                let too_short = (length as usize) < batch_size * num_steps + num_steps + 1;
                prop_assert!(batch_size == 0 || num_steps == 0 || too_short, "{}", error);
            }
        }
    }
}

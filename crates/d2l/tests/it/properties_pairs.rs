//! Rules of sentence pairs that hold for every text: cutting, padding, truncation, minibatches.

use candle_core::Device;
use d2l::data::{
    BOS, EOS, PAD, SentenceArrays, SentencePairs, TranslationLoader, preprocess_pairs, sentence_arrays, sentence_vocab,
    truncate_pad,
};
use d2l::random::{Purpose, Random};
use d2l::text::Vocab;
use proptest::prelude::*;

fn sentences(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Vec<String>>> {
    prop::collection::vec(prop::collection::vec("[a-cé]{1,2}|[.!]", 0..8), count)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_sequence_is_cut_or_filled_to_its_length(ids in prop::collection::vec(0u32..9, 0..12), steps in 0usize..15) {
        let row = truncate_pad(&ids, steps, 99);
        let kept = ids.len().min(steps);
        prop_assert_eq!(row.len(), steps);
        prop_assert_eq!(&row[..kept], &ids[..kept]);
        prop_assert!(row[kept..].iter().all(|&id| id == 99));
    }

    #[test]
    fn a_row_holds_its_sentence_the_end_and_padding(sentences in sentences(0..8), steps in 0usize..12) {
        let vocab = sentence_vocab(&sentences);
        prop_assert_eq!(vocab.ids([PAD, BOS, EOS]), [1, 2, 3]);
        let (rows, lens) = sentence_arrays(&sentences, &vocab, steps);
        prop_assert_eq!((rows.len(), lens.len()), (sentences.len(), sentences.len()));
        for ((sentence, row), &len) in sentences.iter().zip(&rows).zip(&lens) {
            let told = sentence.iter().map(|token| if vocab.id(token) == Vocab::UNKNOWN { "<unk>" } else { token.as_str() });
            let expected: Vec<&str> = told.chain([EOS]).chain(std::iter::repeat(PAD)).take(steps).collect();
            prop_assert_eq!(vocab.tokens(row).unwrap(), expected);
            prop_assert_eq!(len as usize, (sentence.len() + 1).min(steps));
        }
    }

    #[test]
    fn preprocessing_twice_changes_nothing_more(text in "(\\PC|[a-zA-Z.,!? \u{202f}\u{a0}\t\n]){0,40}") {
        let once = preprocess_pairs(&text);
        prop_assert_eq!(preprocess_pairs(&once), once.clone());
        let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        prop_assert_eq!(visible(&once), visible(&text.to_lowercase()));
        prop_assert_eq!(once.matches(['\t', '\n']).count(), text.matches(['\t', '\n']).count());
    }

    #[test]
    fn pairs_come_back_from_their_lines(
        pairs in prop::collection::vec((sentences(1..=1), sentences(1..=1), any::<bool>()), 0..8), first in 0usize..10,
    ) {
        let mut text = String::new();
        for (source, target, credited) in &pairs {
            text += &[source[0].join(" "), target[0].join("  ")].join("\t");
            text += if *credited { "\tby somebody\r\n\n" } else { "\n" };
        }
        let parsed = SentencePairs::parse(&text, Some(first)).unwrap();
        // A line of nothing but a tab is empty, and left out.
        let kept: Vec<_> = pairs.iter().filter(|(s, t, credited)| *credited || !(s[0].is_empty() && t[0].is_empty())).collect();
        prop_assert_eq!(parsed.len(), kept.len().min(first));
        for ((source, target), (s, t, _)) in parsed.source.iter().zip(&parsed.target).zip(kept) {
            prop_assert_eq!((source, target), (&s[0], &t[0]));
        }
    }

    #[test]
    fn an_epoch_has_each_pair_once_whatever_the_batch_size(
        count in 1usize..20, batch_size in 1usize..30, steps in 1usize..7, seed: u64,
    ) {
        // The same word twice makes it known; its number is in it.
        let sentence = |i: usize| vec![format!("w{i}"), format!("w{i}")];
        let source: Vec<Vec<String>> = (0..count).map(sentence).collect();
        let pairs = SentencePairs { target: source.clone(), source };
        let shuffle = Random::new(seed).stream(Purpose::Shuffling, "test");
        let arrays = SentenceArrays::new(&pairs, steps).unwrap();
        let mut loader = TranslationLoader::new(arrays, batch_size, &Device::Cpu).unwrap().shuffled(shuffle);
        for _ in 0..2 {
            let batches: Vec<_> = loader.epoch().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(batches.len(), loader.batches());
            let mut firsts = Vec::new();
            for (i, batch) in batches.iter().enumerate() {
                let rows = batch.source.to_vec2::<u32>().unwrap();
                prop_assert_eq!(&rows, &batch.target.to_vec2::<u32>().unwrap(), "a pair is torn apart");
                prop_assert!(rows.len() == batch_size || (i + 1 == batches.len() && rows.len() < batch_size));
                firsts.extend(rows.iter().map(|row| row[0]));
            }
            firsts.sort_unstable();
            prop_assert_eq!(firsts, (4..4 + count as u32).collect::<Vec<_>>());
        }
    }
}

#[test]
fn no_pairs_no_rows_and_no_steps_are_errors() {
    let loader = |count: usize, (batch_size, steps)| {
        let side = vec![vec!["a".to_string()]; count];
        let pairs = SentencePairs { source: side.clone(), target: side };
        let arrays = SentenceArrays::new(&pairs, steps)?;
        TranslationLoader::new(arrays, batch_size, &Device::Cpu)
    };
    for (count, shape, words) in
        [(0, (1, 1), "no sentence pairs"), (1, (0, 1), "at least 1"), (1, (1, 0), "at least one")]
    {
        let message = loader(count, shape).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(words), "{count} {shape:?}: {message}");
    }
    assert!(loader(1, (1, 1)).is_ok());
}

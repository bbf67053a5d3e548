//! 14.3 The Dataset for Pretraining Word Embedding
//!
//! Sentences of the Wall Street Journal become central words, each with its contexts and with noise words.
//!
//! `cargo run --release -p nlp-pretraining -- word-embedding-dataset`
//! 42,068 sentences, 6,719 ids; of "the" one in 24 stays, of "join" all; some 353,600 central words.

use d2l::data::DataError;
use d2l::prelude::*;
use d2l::text::Vocab;
use rand::Rng;
use rand_distr::Distribution;
use rand_distr::weighted::WeightedAliasIndex;

use crate::penn_treebank::PennTreebank;
use crate::ragged::Ragged;
use crate::skip_gram_examples::batchify;

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Central words a minibatch
    #[arg(long, default_value_t = 512, value_parser = count)]
    pub batch_size: usize,
    /// The most words to each side of a central word that are its contexts
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub max_window_size: usize,
    /// Noise words for each context
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_noise_words: usize,
    /// Sentences to use, the first of the text [default: all]
    #[arg(long, value_parser = count)]
    pub max_sentences: Option<usize>,
}

defaults! { Config: Smoke { batch_size: 64 } }

/// Words that are a larger share of a text than this are subsampled.
pub const THRESHOLD: f64 = 1e-4;

/// How often each id occurs, up to the largest one.
pub fn count_ids<'a>(ids: impl IntoIterator<Item = &'a u32>) -> Vec<usize> {
    let mut counts = Vec::new();
    for &id in ids {
        let id = id as usize;
        counts.resize(counts.len().max(id + 1), 0);
        counts[id] += 1;
    }
    counts
}

/// Drops each occurrence of a word that is the share `f` of all words with the probability `max(1 - √(threshold / f), 0)`.
/// Words that the vocabulary does not have become its token for unknown ones first.
#[doc(alias = "subsampling")]
pub fn subsample<'a>(
    sentences: &[Vec<&'a str>],
    vocab: &Vocab,
    threshold: f64,
    stream: &mut Stream,
) -> Vec<Vec<&'a str>> {
    let corpus: Vec<Vec<u32>> = sentences.iter().map(|sentence| vocab.ids(sentence)).collect();
    let counts = count_ids(corpus.iter().flatten());
    let words = counts.iter().sum::<usize>() as f64;
    let mut keep = |id: u32| stream.random::<f64>() < (threshold * words / counts[id as usize] as f64).sqrt();
    let mut kept = Vec::with_capacity(sentences.len());
    for (sentence, ids) in sentences.iter().zip(&corpus) {
        let rest = sentence.iter().zip(ids).filter(|&(_, &id)| keep(id));
        kept.push(rest.map(|(&word, &id)| if id == Vocab::UNKNOWN { Vocab::UNKNOWN_TOKEN } else { word }).collect());
    }
    kept
}

/// Each word of the sentences of two or more, with the words at most so many places away in its sentence; how many, is
/// drawn for each word, from 1 up to `max_window_size` alike.
#[doc(alias = "get_centers_and_contexts")]
pub fn centers_and_contexts(corpus: &[Vec<u32>], max_window_size: usize, stream: &mut Stream) -> (Vec<u32>, Ragged) {
    let (mut centers, mut contexts) = (Vec::new(), Ragged::default());
    for sentence in corpus.iter().filter(|sentence| sentence.len() >= 2) {
        for (place, &center) in sentence.iter().enumerate() {
            let window = stream.random_range(1..=max_window_size.max(1));
            let before = sentence[..place].iter().skip(place.saturating_sub(window));
            let after = sentence[place + 1..].iter().take(window);
            centers.push(center);
            contexts.push(before.chain(after).copied());
        }
    }
    (centers, contexts)
}

/// Draws numbers from 0 by their weights, each in the same short time however many there are (Walker's alias method). The
/// book keeps 10,000 draws in store instead.
#[doc(alias = "RandomGenerator")]
pub struct NoiseSampler(WeightedAliasIndex<f64>);

impl NoiseSampler {
    /// A sampler of the numbers below the number of weights.
    ///
    /// # Errors
    /// Where no weight is above zero, or one is negative or not finite.
    pub fn new(weights: Vec<f64>) -> Result<Self, DataError> {
        WeightedAliasIndex::new(weights)
            .map(Self)
            .map_err(|error| DataError::Invalid(format!("noise words cannot be drawn by these weights: {error}")))
    }

    /// The next number.
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        self.0.sample(stream) as u32
    }
}

/// The weights of noise words by their ids: the words' counts to the power of 0.75.
pub fn noise_weights(corpus: &[Vec<u32>]) -> Vec<f64> {
    count_ids(corpus.iter().flatten()).into_iter().map(|count| (count as f64).powf(0.75)).collect()
}

/// For each context of each central word `num_noise_words` words by [`noise_weights`], none of them one of the central
/// word's contexts.
///
/// The book draws places in its table of counts, where words stand as they first occur, and takes them for ids, which stand
/// by frequency: its noise words have the frequencies of other words. Here each has its own.
///
/// # Errors
/// Where all words of the corpus are contexts of one central word, so that none is left to draw.
#[doc(alias = "get_negatives")]
pub fn negatives(
    contexts: &Ragged,
    corpus: &[Vec<u32>],
    num_noise_words: usize,
    stream: &mut Stream,
) -> Result<Ragged, DataError> {
    let weights = noise_weights(corpus);
    let words: Vec<u32> = (0..).zip(&weights).filter(|&(_, &weight)| weight > 0.0).map(|(id, _)| id).collect();
    let sampler = NoiseSampler::new(weights)?;
    let mut negatives = Ragged::default();
    for contexts in contexts.rows() {
        if words.iter().all(|word| contexts.contains(word)) {
            let message = "all words of the text are contexts of one central word, which leaves none for noise: take a \
                 longer text or a smaller window";
            return Err(DataError::invalid(message));
        }
        let noise = std::iter::repeat_with(|| sampler.draw(stream)).filter(|word| !contexts.contains(word));
        negatives.push(noise.take(contexts.len() * num_noise_words));
    }
    Ok(negatives)
}

/// How far the shares of ids are from those that the weights ask for: half the sum of the absolute differences, from 0
/// to 1.
fn distance(ids: &[u32], weights: &[f64]) -> f64 {
    let (drawn, sum) = (count_ids(ids), weights.iter().sum::<f64>());
    let share = |id: usize| drawn.get(id).map_or(0.0, |&count| count as f64 / ids.len() as f64);
    let differences = weights.iter().enumerate().map(|(id, weight)| (share(id) - weight / sum).abs());
    differences.sum::<f64>() / 2.0
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading and preprocessing the dataset")?;
    let text = nb.load::<PennTreebank>()?.first(config.max_sentences);
    let (sentences, vocab) = (text.sentences(), text.vocab());
    nb.say(format!("{} sentences, {} ids", sentences.len(), vocab.len()))?;
    nb.metric("sentences", sentences.len() as f64)?;
    nb.metric("vocabulary", vocab.len() as f64)?;

    nb.cell("Subsampling")?;
    let subsampled = subsample(&sentences, &vocab, THRESHOLD, &mut nb.stream(Purpose::Sampling, "subsampling"));
    let lengths = |sentences: &[Vec<&str>]| sentences.iter().map(Vec::len).collect::<Vec<_>>();
    let (before, after) = (lengths(&sentences), lengths(&subsampled));
    let chart = Chart::new().x_label("tokens per sentence").y_label("count");
    let chart = chart.histogram([("original", &before[..]), ("subsampled", &after[..])], 10);
    nb.figure("sentence-lengths", "How many sentences have how many tokens, before and after subsampling", chart)?;
    let (words, kept) = (before.iter().sum::<usize>(), after.iter().sum::<usize>());
    nb.say(format!("{kept} of {words} words stay"))?;
    nb.metric("kept_words", kept as f64 / words as f64)?;

    nb.cell("Frequent and rare words")?;
    let count =
        |sentences: &[Vec<&str>], word: &str| sentences.iter().flatten().filter(|&&token| token == word).count();
    let mut table = Table::new(["word", "before", "after"]);
    let rarest = vocab.token(vocab.len() as u32 - 1)?;
    for word in ["the", "join", rarest] {
        let (before, after) = (count(&sentences, word), count(&subsampled, word));
        table.row([word.to_string(), before.to_string(), after.to_string()]);
        if word != rarest && before > 0 {
            nb.metric(&format!("kept_{word}"), after as f64 / before as f64)?;
        }
    }
    nb.say(table)?;

    nb.cell("The corpus as ids")?;
    let corpus: Vec<Vec<u32>> = subsampled.iter().map(|sentence| vocab.ids(sentence)).collect();
    for sentence in corpus.iter().take(3) {
        nb.say(format!("{sentence:?}"))?;
    }

    nb.cell("Extracting central target words and context words")?;
    let tiny: [Vec<u32>; 2] = [(0..7).collect(), (7..10).collect()];
    nb.say(format!("dataset {tiny:?}"))?;
    let (centers, contexts) = centers_and_contexts(&tiny, 2, nb.sampling());
    for (center, contexts) in centers.iter().zip(contexts.rows()) {
        nb.say(format!("center {center} has contexts {contexts:?}"))?;
    }

    nb.cell("All central words")?;
    let mut windows = nb.stream(Purpose::Sampling, "windows");
    let (centers, contexts) = centers_and_contexts(&corpus, config.max_window_size, &mut windows);
    nb.say(format!("{} central words, {} contexts", centers.len(), contexts.ids().len()))?;
    nb.metric("centers", centers.len() as f64)?;

    nb.cell("Draws by weights")?;
    let sampler = NoiseSampler::new(vec![2.0, 3.0, 4.0])?;
    let draws: Vec<u32> = (0..10).map(|_| sampler.draw(nb.sampling())).collect();
    nb.say(format!("{draws:?}"))?;

    nb.cell("Negative sampling")?;
    let mut noise = nb.stream(Purpose::Sampling, "noise words");
    let negatives = negatives(&contexts, &corpus, config.num_noise_words, &mut noise)?;
    let known = (0..centers.len()).find(|&word| centers[word] != Vocab::UNKNOWN && contexts.row(word).len() > 1);
    if let Some(word) = known {
        nb.show("a central word", vocab.token(centers[word])?)?;
        nb.show("its contexts", vocab.tokens(contexts.row(word))?.join(" "))?;
        nb.show("its noise words", vocab.tokens(negatives.row(word))?.join(" "))?;
    }
    nb.metric("noise_distance", distance(negatives.ids(), &noise_weights(&corpus)))?;

    nb.cell("Reading into batches")?;
    let batch = batchify(&[(1, &[2, 2][..], &[3, 3, 3, 3][..]), (1, &[2, 2, 2][..], &[3, 3][..])], nb.device())?;
    nb.show("centers", batch.centers)?;
    nb.show("contexts_negatives", batch.contexts_negatives)?;
    nb.show("masks", batch.masks)?;
    nb.show("labels", batch.labels)?;

    nb.cell("Putting all things together")?;
    let Config { batch_size, max_window_size, num_noise_words, .. } = *config;
    let (mut loader, vocab) = text.load(batch_size, max_window_size, num_noise_words, nb.random(), nb.device())?;
    nb.say(format!("{} minibatches of {} examples, {} ids", loader.batches(), loader.examples(), vocab.len()))?;
    if let Some(batch) = loader.epoch().next().transpose()? {
        let (centers, rest) = (batch.centers.dims(), [batch.contexts_negatives, batch.masks, batch.labels]);
        let [contexts_negatives, masks, labels] = rest.map(|tensor| tensor.dims().to_vec());
        nb.say(format!("centers {centers:?}, contexts_negatives {contexts_negatives:?}"))?;
        nb.say(format!("masks {masks:?}, labels {labels:?}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Random::new(1).stream(Purpose::Sampling, "test")
    }

    #[test]
    fn frequent_words_are_dropped_at_their_rate_and_rare_ones_never() {
        // 40,000 words, of which `the` is a half, `new` a hundredth, and 4 are `join`: no more than the threshold.
        let mut words = vec!["the"; 20_000];
        words.extend(vec!["new"; 400]);
        words.extend(["join"; 4]);
        let singles: Vec<String> = (0..19_596).map(|number| format!("word{number}")).collect();
        words.extend(singles.iter().map(String::as_str));
        let vocab = Vocab::new(words.iter().copied(), 0, &[]);
        let sentences: Vec<Vec<&str>> = words.chunks(50).map(<[&str]>::to_vec).collect();
        let kept = subsample(&sentences, &vocab, 1e-4, &mut stream());
        let count = |word| kept.iter().flatten().filter(|&&token| token == word).count();
        assert_eq!((kept.len(), count("join"), count("word7")), (sentences.len(), 4, 1));
        // 20,000 · √(1e-4 / 0.5) = 282.8 ± 16.7 and 400 · √(1e-4 / 0.01) = 40 ± 6
        assert!((210..=355).contains(&count("the")), "{}", count("the"));
        assert!((10..=70).contains(&count("new")), "{}", count("new"));
    }

    #[test]
    fn words_without_an_id_become_the_unknown_one() {
        let sentences = [vec!["a", "b", "a"], vec![], vec!["c"]];
        let vocab = Vocab::new(sentences.concat(), 2, &[]);
        let kept = subsample(&sentences, &vocab, 1.0, &mut stream());
        assert_eq!(kept, [vec!["a", "<unk>", "a"], vec![], vec!["<unk>"]]);
        assert!(subsample(&[], &vocab, 1e-4, &mut stream()).is_empty());
    }

    #[test]
    fn windows_are_drawn_alike_from_one_to_the_largest() {
        let sentence: Vec<u32> = (0..4001).collect();
        let (centers, contexts) = centers_and_contexts(&[sentence.clone(), vec![9], vec![]], 4, &mut stream());
        assert_eq!((centers, contexts.len()), (sentence, 4001));
        let mut windows = [0; 5];
        for (center, contexts) in (0..).zip(contexts.rows()).skip(4).take(3993) {
            let window = contexts.len() as u32 / 2;
            let expected: Vec<u32> = (center - window..center).chain(center + 1..=center + window).collect();
            assert_eq!(contexts, expected);
            windows[window as usize] += 1;
        }
        assert!(windows[0] == 0 && windows[1..].iter().all(|count| (850..1150).contains(count)), "{windows:?}");
    }

    #[test]
    fn windows_end_with_the_sentence() {
        let (centers, contexts) = centers_and_contexts(&[vec![5, 6], vec![7, 8, 9]], 1000, &mut stream());
        assert_eq!(centers, [5, 6, 7, 8, 9]);
        assert_eq!((contexts.row(0), contexts.row(1)), (&[6][..], &[5][..]));
        assert!(contexts.rows().all(|row| !row.is_empty()));
        assert_eq!(centers_and_contexts(&[vec![5, 6]], 0, &mut stream()).1.row(0), [6]); // no window is smaller than 1
    }

    #[test]
    fn draws_follow_the_weights() -> Result<(), DataError> {
        let (sampler, mut stream) = (NoiseSampler::new(vec![2.0, 0.0, 3.0, 4.0])?, stream());
        let draws: Vec<u32> = (0..90_000).map(|_| sampler.draw(&mut stream)).collect();
        let counts = count_ids(&draws);
        for (count, expected) in counts.iter().zip([20_000usize, 0, 30_000, 40_000]) {
            assert!(count.abs_diff(expected) <= expected / 40, "{counts:?}");
        }
        assert!(distance(&draws, &[2.0, 0.0, 3.0, 4.0]) < 0.01);
        assert!((distance(&[0, 0], &[1.0, 1.0]) - 0.5).abs() < 1e-12);
        for weights in [vec![], vec![0.0], vec![1.0, -1.0], vec![f64::NAN]] {
            assert!(NoiseSampler::new(weights).is_err());
        }
        Ok(())
    }

    #[test]
    fn noise_words_have_their_own_frequency_and_are_no_contexts() -> Result<(), DataError> {
        // The rarest id comes first: places of first occurrence are not ids.
        let corpus: Vec<Vec<u32>> = (0..400).map(|place| if place == 0 { vec![3, 1] } else { vec![1, 2, 1] }).collect();
        let contexts: Ragged = (0..1000).map(|_| [2u32, 2]).collect();
        let negatives = negatives(&contexts, &corpus, 5, &mut stream())?;
        assert!(negatives.len() == 1000 && negatives.rows().all(|row| row.len() == 10 && !row.contains(&2)));
        let counts = count_ids(negatives.ids());
        // 1 occurs 799 times and 3 once: 3 has the share 1 / (1 + 799^0.75) = 0.0066.
        assert!((30..=110).contains(&counts[3]) && counts[0] == 0, "{counts:?}");
        Ok(())
    }

    #[test]
    fn without_a_word_for_noise_there_is_an_error() {
        let contexts: Ragged = [vec![1u32, 2], vec![2, 1, 2]].into_iter().collect();
        let error = negatives(&contexts, &[vec![1, 2, 2]], 5, &mut stream()).expect_err("no word is left");
        assert!(error.to_string().contains("leaves none for noise"), "{error}");
        assert!(negatives(&contexts, &[], 5, &mut stream()).is_err());
    }
}

//! 9.8 Beam Search
//!
//! Three ways to look for the best translation under a trained model: the most likely token each time, the best of all
//! sequences, and a beam of several sequences between the two.
//!
//! `cargo run --release -p rnn -- beam-search`
//! The beam's score is between those of greedy and exhaustive search, at some times the work of the first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use anyhow::ensure;
use d2l::data::{BOS, EOS, FraEng};
use d2l::ops::log_softmax;
use d2l::plot::Panels;
use d2l::prelude::*;
use d2l::text::Vocab;

use super::encoder_decoder::Decoder;
use super::seq2seq::{self, SENTENCES, Translator, bleu, train_seq2seq};
use crate::toy_decoder::ToyDecoder;

/// Hyperparameters; those of training are section 9.7's.
#[derive(Debug, Clone, Args, Serialize)]
#[group(id = "search")] // apart from the group of the flattened settings, which bears their type's name
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub model: seq2seq::Config,
    /// The power of a sequence's length that its log-probability is divided by
    #[arg(long, default_value_t = 0.75, value_parser = non_negative)]
    pub alpha: f64,
    /// Sentences after those of training that are translated too
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_unseen: usize,
    /// Steps of the decoder after which exhaustive search gives up
    #[arg(long, default_value_t = 20_000, value_parser = count)]
    pub max_calls: usize,
}

defaults! { Config: Smoke { num_examples: 100, num_epochs: 4, num_unseen: 5, max_calls: 200 } }

/// What the searches share: a decoder, its vocabulary's marks, and how a sequence is scored.
pub struct Search<'a, D> {
    pub decoder: &'a D,
    pub vocab: &'a Vocab,
    /// The most tokens of a translation.
    pub max_len: usize,
    /// The power of the length in the score.
    pub alpha: f64,
    pub device: &'a Device,
}

/// A sequence under way: its tokens, the logarithm of its probability, and the decoder's state after it.
#[derive(Clone)]
struct Hypothesis<S> {
    ids: Vec<u32>,
    log_prob: f64,
    state: S,
}

impl<S: Clone> Hypothesis<S> {
    /// The sequence with one more token of this log-probability; `state` is the decoder's before it reads that token.
    fn extended(&self, id: u32, log_prob: f32, state: &S) -> Self {
        let ids = [&self.ids[..], &[id]].concat();
        Self { ids, log_prob: self.log_prob + f64::from(log_prob), state: state.clone() }
    }
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The tokens, without the end.
    pub text: String,
    /// The logarithm of the probability over a power of the length.
    pub score: f64,
    /// How often the decoder was called.
    pub calls: usize,
    /// Whether no sequence can have a higher score.
    pub proven: bool,
}

impl<D: Decoder> Search<'_, D> {
    /// `log P / length^alpha`, the length with the token that ends the sequence.
    fn score(&self, log_prob: f64, length: usize) -> f64 {
        log_prob / (length as f64).powf(self.alpha)
    }

    /// The log-probabilities of all tokens after a sequence, and the state after it.
    fn next(&self, sequence: &Hypothesis<D::State>) -> Result<(Vec<f32>, D::State)> {
        let last = sequence.ids.last().copied().unwrap_or(self.vocab.id(BOS));
        let mut state = sequence.state.clone();
        let logits = self.decoder.forward_t(&Tensor::new(&[[last]], self.device)?, &mut state, false)?; // (1, 1, vocabulary)
        Ok((log_softmax(&logits.flatten_all()?.detach(), 0)?.to_vec1()?, state))
    }

    /// Whether a sequence is complete.
    fn ends(&self, sequence: &Hypothesis<D::State>) -> bool {
        sequence.ids.last() == Some(&self.vocab.id(EOS)) || sequence.ids.len() == self.max_len
    }

    fn found(&self, best: &Hypothesis<D::State>, calls: usize, proven: bool) -> anyhow::Result<Found> {
        let ids: Vec<u32> = best.ids.iter().copied().filter(|&id| id != self.vocab.id(EOS)).collect();
        let score = self.score(best.log_prob, best.ids.len());
        Ok(Found { text: self.vocab.tokens(&ids)?.join(" "), score, calls, proven })
    }

    /// Takes the most likely token each time.
    pub fn greedy(&self, start: D::State) -> anyhow::Result<Found> {
        self.beam(start, 1)
    }

    /// Keeps the `width` most likely sequences at each step; those that end are set aside. The best by score wins.
    pub fn beam(&self, start: D::State, width: usize) -> anyhow::Result<Found> {
        self.beam_watched(start, width, |_, _| ())
    }

    /// [`Search::beam`], which shows each sequence that it keeps, its ids and the logarithm of its probability.
    pub fn beam_watched(
        &self,
        start: D::State,
        width: usize,
        mut watch: impl FnMut(&[u32], f64),
    ) -> anyhow::Result<Found> {
        ensure!(width > 0 && self.max_len > 0, "a beam needs at least one sequence and one step");
        let mut alive = vec![Hypothesis { ids: Vec::new(), log_prob: 0.0, state: start }];
        let (mut ended, mut calls) = (Vec::new(), 0);
        while !alive.is_empty() {
            let mut candidates = Vec::new();
            for sequence in &alive {
                let (log_probs, state) = self.next(sequence)?;
                calls += 1;
                let mut order: Vec<u32> = (0..log_probs.len() as u32).collect();
                order.sort_by(|&a, &b| log_probs[b as usize].total_cmp(&log_probs[a as usize]));
                let best = order.into_iter().take(width);
                candidates.extend(best.map(|id| sequence.extended(id, log_probs[id as usize], &state)));
            }
            candidates.sort_by(|a, b| b.log_prob.total_cmp(&a.log_prob));
            candidates.truncate(width);
            candidates.iter().for_each(|sequence| watch(&sequence.ids, sequence.log_prob));
            let done;
            (done, alive) = candidates.into_iter().partition(|sequence| self.ends(sequence));
            ended.extend::<Vec<_>>(done);
        }
        let score = |sequence: &Hypothesis<D::State>| self.score(sequence.log_prob, sequence.ids.len());
        let best = ended.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        let Some(best) = best else { anyhow::bail!("the beam ended without a sequence") };
        self.found(best, calls, false)
    }

    /// Finds the best of all sequences without writing each down: a longer sequence is never more likely than its
    /// beginning, so `log P / max_len^alpha` of a beginning bounds the score of all that it can become. Beginnings are
    /// taken by their bound, the highest first, until none is above the best complete sequence, or `max_calls` are used
    /// up.
    pub fn exhaustive(&self, start: D::State, max_calls: usize) -> anyhow::Result<Found> {
        ensure!(max_calls > 0 && self.max_len > 0, "a search needs at least one step");
        let first = Hypothesis { ids: Vec::new(), log_prob: 0.0, state: start };
        let mut queue = BinaryHeap::from([Bounded { bound: 0.0, sequence: first }]);
        let (mut best, mut best_score, mut calls): (Option<Hypothesis<_>>, _, _) = (None, f64::NEG_INFINITY, 0);
        while let Some(Bounded { bound, sequence }) = queue.pop() {
            if bound <= best_score || (calls == max_calls && best.is_some()) {
                let Some(best) = best else { break };
                return self.found(&best, calls, bound <= best_score);
            }
            let (log_probs, state) = self.next(&sequence)?;
            calls += 1;
            for (id, &log_prob) in (0..).zip(&log_probs) {
                let longer = sequence.extended(id, log_prob, &state);
                let bound = self.score(longer.log_prob, self.max_len);
                if self.ends(&longer) {
                    let score = self.score(longer.log_prob, longer.ids.len());
                    if score > best_score {
                        (best, best_score) = (Some(longer), score);
                    }
                } else if bound > best_score {
                    queue.push(Bounded { bound, sequence: longer });
                }
            }
        }
        let Some(best) = best else { anyhow::bail!("the search ended without a sequence") };
        self.found(&best, calls, true)
    }
}

/// The beginning of sequences whose score is at most `bound`.
struct Bounded<S> {
    bound: f64,
    sequence: Hypothesis<S>,
}

impl<S> PartialEq for Bounded<S> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<S> Eq for Bounded<S> {}

impl<S> PartialOrd for Bounded<S> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<S> Ord for Bounded<S> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound)
    }
}

/// Three tokens and the end: the probabilities of the book's two tables, for the sequences that they tell of.
const THREE_TOKENS: [(&str, &[(&str, f32)]); 6] = [
    ("", &[("A", 0.5), ("B", 0.2), ("C", 0.2), (EOS, 0.1)]),
    ("A", &[("A", 0.1), ("B", 0.4), ("C", 0.3), (EOS, 0.2)]),
    ("A B", &[("A", 0.2), ("B", 0.2), ("C", 0.4), (EOS, 0.2)]),
    ("A B C", &[("B", 0.2), ("C", 0.2), (EOS, 0.6)]),
    ("A C", &[("A", 0.1), ("B", 0.6), ("C", 0.2), (EOS, 0.1)]),
    ("A C B", &[("A", 0.1), ("B", 0.2), ("C", 0.1), (EOS, 0.6)]),
];

/// Five tokens with probabilities under which a beam of two keeps the sequences of the book's figure.
const FIVE_TOKENS: [(&str, &[(&str, f32)]); 5] = [
    ("", &[("A", 0.4), ("B", 0.1), ("C", 0.3), ("D", 0.1), ("E", 0.1)]),
    ("A", &[("A", 0.1), ("B", 0.5), ("C", 0.1), ("D", 0.1), ("E", 0.2)]),
    ("C", &[("A", 0.1), ("B", 0.1), ("C", 0.1), ("D", 0.1), ("E", 0.6)]),
    ("A B", &[("A", 0.2), ("B", 0.1), ("C", 0.1), ("D", 0.4), ("E", 0.2)]),
    ("C E", &[("A", 0.1), ("B", 0.1), ("C", 0.2), ("D", 0.5), ("E", 0.1)]),
];

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("The likeliest token is not the likeliest sequence")?;
    let device = nb.device().clone();
    let vocab = Vocab::new(["A", "B", "C"], 1, &[BOS, EOS]);
    let toy = ToyDecoder::new(&vocab, &THREE_TOKENS)?;
    let search = Search { decoder: &toy, vocab: &vocab, max_len: 4, alpha: 0.0, device: &device };
    let greedy = search.greedy(Vec::new())?;
    let better = toy.probability(&vocab.ids(["A", "C", "B", EOS]))?;
    nb.say(format!("greedy search: {} <eos>, probability {:.3}", greedy.text, greedy.score.exp()))?;
    nb.say(format!("with the second likeliest at step 2: A C B <eos>, probability {better:.3}"))?;
    nb.metric("probability_greedy", greedy.score.exp())?;
    nb.metric("probability_better", better)?;

    nb.cell("A beam of two, step by step")?;
    let vocab = Vocab::new(["A", "B", "C", "D", "E"], 1, &[BOS, EOS]);
    let toy = ToyDecoder::new(&vocab, &FIVE_TOKENS)?;
    let search = Search { decoder: &toy, vocab: &vocab, max_len: 3, alpha: config.alpha, device: &device };
    let mut kept = Vec::new();
    let beam = search.beam_watched(Vec::new(), 2, |ids, log_prob| kept.push((ids.to_vec(), log_prob.exp())))?;
    for (ids, probability) in kept {
        nb.say(format!("step {}: {}, probability {probability:.2}", ids.len(), vocab.tokens(&ids)?.join(" ")))?;
    }
    nb.say(format!("the best by score: {}, {:.4}, after {} calls of the decoder", beam.text, beam.score, beam.calls))?;

    nb.cell("A trained model")?;
    let settings = &config.model.settings;
    let (seen, unseen) = (settings.num_examples, config.num_unseen);
    let set = nb.load::<FraEng>()?;
    let mut train = settings.load(nb, &set)?;
    let (source_vocab, target_vocab) = (train.dataset().source_vocab.clone(), train.dataset().target_vocab.clone());
    let parameters = nb.parameters();
    let net = seq2seq::seq2seq(source_vocab.len(), target_vocab.len(), &settings.sizes(), &parameters.builder())?;
    let trainer = nb.trainer(config.model.num_epochs);
    let history = train_seq2seq(trainer, &net, &parameters, &mut train, settings.lr)?;
    let loss = history.last("train_loss").unwrap_or(f64::NAN);
    nb.say(format!("loss {loss:.4}"))?;
    nb.metric("train_loss", loss)?;

    nb.cell("Four sentences")?;
    let num_steps = settings.num_steps;
    let (decoder, alpha) = (&net.decoder, config.alpha);
    let search = Search { decoder, vocab: &target_vocab, max_len: num_steps, alpha, device: &device };
    let (source_vocab, vocab) = (&*source_vocab, &*target_vocab);
    let translator = Translator { net: &net, source_vocab, target_vocab: vocab, num_steps, device: &device };
    let start = |english: &str| translator.encode(english);
    let mut table = Table::new(["English", "search", "French", "score", "BLEU", "decoder calls", "best of all"]);
    let mut below = f64::INFINITY; // how far a beam's score is below the best, at least
    let mut work = 0;
    for (english, french) in SENTENCES {
        let greedy = search.greedy(start(english)?)?;
        let beam = search.beam(start(english)?, 2)?;
        let all = search.exhaustive(start(english)?, config.max_calls)?;
        below = below.min(all.score - beam.score);
        work += all.calls;
        for (name, found) in [("greedy", &greedy), ("beam of 2", &beam), ("exhaustive", &all)] {
            table.row([
                english.to_string(),
                name.to_string(),
                found.text.clone(),
                format!("{:.4}", found.score),
                format!("{:.3}", bleu(&found.text, french, 2)),
                found.calls.to_string(),
                if found.proven { "proven".into() } else { String::new() },
            ]);
        }
    }
    nb.say(table)?;
    let sequences = num_steps as f64 * (target_vocab.len() as f64).log10();
    nb.say(format!("{work} calls in place of 10^{sequences:.0} sequences a sentence, written out one by one"))?;
    nb.metric("beam_below_best", below)?;

    nb.cell("Width of the beam")?;
    let pairs = set.pairs(Some(seen + unseen))?;
    let pairs: Vec<_> = pairs.source.into_iter().zip(pairs.target).skip(seen).collect();
    ensure!(!pairs.is_empty(), "--num-examples takes all pairs: none is left that the model has not seen");
    let mut table = Table::new(["width", "mean score", "mean BLEU", "decoder calls"]);
    let widths = [1usize, 2, 4, 8];
    let (mut scores, mut bleus) = (Vec::new(), Vec::new());
    for width in widths {
        let (mut score, mut quality, mut calls) = (0.0, 0.0, 0);
        for (english, french) in &pairs {
            let found = search.beam(start(&english.join(" "))?, width)?;
            score += found.score / pairs.len() as f64;
            quality += bleu(&found.text, &french.join(" "), 2) / pairs.len() as f64;
            calls += found.calls;
        }
        table.row([width.to_string(), format!("{score:.4}"), format!("{quality:.4}"), calls.to_string()]);
        scores.push(score);
        bleus.push(quality);
    }
    nb.say(format!("{} sentences that the model has not seen", pairs.len()))?;
    nb.say(table)?;
    let panel = |label: &str, values: &[f64]| {
        Chart::new().x_label("width of the beam").y_label(label).unlabeled_line(&widths, values)
    };
    let figure =
        Panels::new(2, [panel("mean score", &scores).size(330, 260), panel("mean BLEU", &bleus).size(330, 260)]);
    nb.figure("widths", "Mean score and mean BLEU by the width of the beam", figure)?;
    nb.metric("score_greedy", scores[0])?;
    nb.metric("score_beam_8", scores[3])?;
    nb.metric("score_gain_beam_8", scores[3] - scores[0])?;
    nb.metric("bleu_greedy", bleus[0])?;
    nb.metric("bleu_beam_8", bleus[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next token's probabilities depend on the one before: the likeliest first step leads to unlikely second ones.
    struct Chain;

    /// `<unk> <pad> <bos> <eos> a b`
    const PROBABILITIES: [[f32; 6]; 6] = [
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.6, 0.4],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.3, 0.3, 0.0, 0.3, 0.05, 0.05],
        [0.0, 0.0, 0.0, 0.95, 0.05, 0.0],
    ];

    impl Decoder for Chain {
        type Encoded = ();
        type State = ();

        fn init_state(&self, (): (), _: &Tensor) -> Result<()> {
            Ok(())
        }

        fn forward_t(&self, tokens: &Tensor, (): &mut (), _: bool) -> Result<Tensor> {
            let last = tokens.flatten_all()?.to_vec1::<u32>()?[0];
            let row = PROBABILITIES[last as usize].map(|p| p.max(1e-9).ln());
            Tensor::new(&row[..], &Device::Cpu)?.reshape((1, 1, 6))
        }
    }

    #[test]
    fn a_beam_finds_what_greedy_search_misses_and_exhaustive_search_proves() -> anyhow::Result<()> {
        let vocab = Vocab::new(["a", "a", "b", "b"], 2, &["<pad>", BOS, EOS]);
        for alpha in [0.0, 0.75] {
            let search = Search { decoder: &Chain, vocab: &vocab, max_len: 4, alpha, device: &Device::Cpu };
            let greedy = search.greedy(())?;
            let beam = search.beam((), 2)?;
            let all = search.exhaustive((), 1000)?;
            assert!(greedy.text.starts_with('a'), "{greedy:?}");
            assert_eq!((beam.text.as_str(), all.text.as_str()), ("b", "b"));
            assert!(all.proven && !beam.proven);
            assert!(greedy.score < beam.score && (beam.score - all.score).abs() < 1e-6);
            let expected = (0.4f64 * 0.95).ln() / 2f64.powf(alpha);
            assert!((all.score - expected).abs() < 1e-5, "{} {expected}", all.score);
        }
        Ok(())
    }

    #[test]
    fn the_books_examples_come_out_as_in_the_book() -> anyhow::Result<()> {
        let vocab = Vocab::new(["A", "B", "C"], 1, &[BOS, EOS]);
        let toy = ToyDecoder::new(&vocab, &THREE_TOKENS)?;
        let search = Search { decoder: &toy, vocab: &vocab, max_len: 4, alpha: 0.0, device: &Device::Cpu };
        let greedy = search.greedy(Vec::new())?;
        assert!(greedy.text == "A B C" && (greedy.score.exp() - 0.048).abs() < 1e-6, "{greedy:?}");
        assert!((toy.probability(&vocab.ids(["A", "C", "B", EOS]))? - 0.054).abs() < 1e-6);

        let vocab = Vocab::new(["A", "B", "C", "D", "E"], 1, &[BOS, EOS]);
        let toy = ToyDecoder::new(&vocab, &FIVE_TOKENS)?;
        let search = Search { decoder: &toy, vocab: &vocab, max_len: 3, alpha: 0.75, device: &Device::Cpu };
        let mut kept = Vec::new();
        let found = search.beam_watched(Vec::new(), 2, |ids, _| kept.push(ids.to_vec()))?;
        let kept = kept.iter().map(|ids| Ok(vocab.tokens(ids)?.concat())).collect::<anyhow::Result<Vec<_>>>()?;
        assert_eq!(kept, ["A", "C", "AB", "CE", "CED", "ABD"]);
        assert_eq!((found.text.as_str(), found.calls), ("C E D", 5));
        Ok(())
    }

    #[test]
    fn a_search_without_steps_is_an_error_and_one_that_gives_up_says_so() -> anyhow::Result<()> {
        let vocab = Vocab::new(["a", "a", "b", "b"], 2, &["<pad>", BOS, EOS]);
        let search = Search { decoder: &Chain, vocab: &vocab, max_len: 4, alpha: 0.75, device: &Device::Cpu };
        assert!(search.beam((), 0).is_err());
        assert!(search.exhaustive((), 0).is_err());
        assert!(!search.exhaustive((), 2)?.proven);
        Ok(())
    }
}

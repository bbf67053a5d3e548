//! A trained Transformer as a file, and translations with it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use d2l::checkpoint::Checkpoint;
use d2l::data::{EOS, PAD, preprocess_pairs, truncate_pad};
use d2l::nn::Parameters;
use d2l::prelude::{Device, Notebook, Table, Tensor};
use d2l::random::{Purpose, Random};
use d2l::text::Vocab;
use rnn::beam_search::Search;
use rnn::encoder_decoder::EncoderDecoder;
use rnn::seq2seq::encode;

use crate::transformer::transformer;
use crate::transformer_layers::{Sizes, TransformerDecoder, TransformerEncoder};

/// A Transformer with what it takes to translate by it.
pub struct Translator {
    /// The model.
    pub net: EncoderDecoder<TransformerEncoder, TransformerDecoder>,
    /// The model's parameters.
    pub parameters: Parameters,
    /// The tokens that it reads.
    pub source_vocab: Arc<Vocab>,
    /// The tokens that it writes.
    pub target_vocab: Arc<Vocab>,
    /// The model's sizes.
    pub sizes: Sizes,
    /// The most tokens of a sentence.
    pub num_steps: usize,
}

/// A sentence as ids `(1, steps)` and the number of those that are no padding, `(1)`.
///
/// # Errors
/// What the device gives.
pub fn source_ids(
    sentence: &str,
    vocab: &Vocab,
    num_steps: usize,
    device: &Device,
) -> d2l::prelude::Result<(Tensor, Tensor)> {
    let sentence = preprocess_pairs(sentence);
    let ids = vocab.ids(sentence.split_whitespace().chain([EOS]));
    let lengths = Tensor::new(&[ids.len().min(num_steps) as u32], device)?; // (1)
    Ok((Tensor::new(truncate_pad(&ids, num_steps, vocab.id(PAD)), device)?.unsqueeze(0)?, lengths))
}

impl Translator {
    /// Writes model, sizes and vocabularies to a safetensors file.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let Sizes { hidden, feed_forward, heads, layers, dropout: _, max_len } = self.sizes;
        let numbers = [
            ("hidden", hidden),
            ("feed_forward", feed_forward),
            ("heads", heads),
            ("layers", layers),
            ("max_len", max_len),
            ("num_steps", self.num_steps),
        ];
        let checkpoint = numbers
            .into_iter()
            .fold(self.parameters.snapshot()?, |checkpoint, (name, number)| checkpoint.with_metadata(name, number))
            .with_metadata("source_vocab", tokens(&self.source_vocab)?)
            .with_metadata("target_vocab", tokens(&self.target_vocab)?);
        Ok(checkpoint.save(path)?)
    }

    /// Reads what [`Translator::save`] wrote.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no such file.
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let checkpoint = Checkpoint::load(path, device)?;
        let text = |name: &str| {
            let found = checkpoint.metadata().get(name);
            found.with_context(|| format!("{} has no {name}: it is no saved translator", path.display()))
        };
        let number = |name: &str| -> Result<usize> {
            text(name)?.parse().with_context(|| format!("{}: {name} is no number", path.display()))
        };
        let vocab = |name: &str| anyhow::Ok(Arc::new(Vocab::new(text(name)?.split('\n'), 0, &[])));
        let sizes = Sizes {
            hidden: number("hidden")?,
            feed_forward: number("feed_forward")?,
            heads: number("heads")?,
            layers: number("layers")?,
            dropout: 0.0,
            max_len: number("max_len")?,
        };
        let (source_vocab, target_vocab, num_steps) =
            (vocab("source_vocab")?, vocab("target_vocab")?, number("num_steps")?);
        // The values come from the file: what this stream draws does not matter.
        let parameters = Parameters::new(Random::new(0).fork(Purpose::Initialization), device);
        let net = transformer(source_vocab.len(), target_vocab.len(), &sizes, &parameters.builder())?;
        parameters.restore(&checkpoint)?;
        Ok(Self { net, parameters, source_vocab, target_vocab, sizes, num_steps })
    }

    /// The words of a sentence that the model has never read.
    pub fn unknown_words(&self, sentence: &str) -> Vec<String> {
        let sentence = preprocess_pairs(sentence);
        let unknown = sentence.split_whitespace().filter(|word| self.source_vocab.id(word) == Vocab::UNKNOWN);
        unknown.map(String::from).collect()
    }

    /// The translation by a beam of `width` sequences, and its score.
    ///
    /// # Errors
    /// Where the sentence is empty or the width 0.
    pub fn translate(&self, sentence: &str, width: usize) -> Result<(String, f64)> {
        if sentence.trim().is_empty() {
            bail!("there is no word to translate");
        }
        let device = self.parameters.device();
        let start = encode(&self.net, sentence, &self.source_vocab, self.num_steps, device)?;
        let (decoder, vocab) = (&self.net.decoder, &*self.target_vocab);
        let found = Search { decoder, vocab, max_len: self.num_steps, alpha: 0.75, device }.beam(start, width)?;
        Ok((found.text, found.score))
    }
}

/// All tokens but the one for unknown ones, a line each, in the order of their ids.
fn tokens(vocab: &Vocab) -> Result<String> {
    let ids: Vec<u32> = (1..vocab.len() as u32).collect();
    Ok(vocab.tokens(&ids)?.join("\n"))
}

/// Shows a sentence translated by a saved model.
///
/// # Errors
/// As [`Translator::load`] and [`show`].
pub fn show_saved(nb: &mut Notebook, path: &Path, sentence: &str) -> Result<()> {
    nb.cell("Translation")?;
    show(nb, &Translator::load(path, nb.device())?, &[sentence])
}

/// Shows sentences translated by beams of several widths; a width of 1 is greedy search.
///
/// # Errors
/// What the translator gives; where standard output cannot be written.
pub fn show(nb: &mut Notebook, translator: &Translator, sentences: &[&str]) -> Result<()> {
    let mut table = Table::new(["English", "beam", "French", "score"]);
    for sentence in sentences {
        for width in [1, 2, 4] {
            let (french, score) = translator.translate(sentence, width)?;
            table.row([(*sentence).to_string(), width.to_string(), french, format!("{score:.3}")]);
        }
    }
    nb.say(table)?;
    for sentence in sentences {
        let unknown = translator.unknown_words(sentence);
        if !unknown.is_empty() {
            nb.say(format!("never read while training, so any translation is a guess: {}", unknown.join(", ")))?;
        }
    }
    Ok(())
}

//! A trained Transformer as a file, and translations with it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use d2l::checkpoint::Checkpoint;
use d2l::data::preprocess_pairs;
use d2l::notebook::Provenance;
use d2l::prelude::{Device, Notebook, Parameters, Random, Table};
use d2l::text::Vocab;
use rnn::{EncoderDecoder, Search, Translator};

use crate::sections::transformer::transformer;
use crate::transformer_layers::{TransformerDecoder, TransformerEncoder, TransformerSizes};

/// A Transformer with what it takes to translate by it.
pub struct SavedTransformer {
    /// The model.
    pub net: EncoderDecoder<TransformerEncoder, TransformerDecoder>,
    /// The model's parameters.
    pub parameters: Parameters,
    /// The tokens that it reads.
    pub source_vocab: Arc<Vocab>,
    /// The tokens that it writes.
    pub target_vocab: Arc<Vocab>,
    /// The model's sizes.
    pub sizes: TransformerSizes,
    /// The most tokens of a sentence.
    pub num_steps: usize,
}

impl SavedTransformer {
    /// Writes model, sizes, vocabularies and what they came from to a safetensors file, which takes the place of one
    /// that is there only when it is whole.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn save(&self, path: &Path, provenance: &Provenance) -> Result<()> {
        let TransformerSizes { hidden, feed_forward, heads, layers, dropout: _, max_len } = self.sizes;
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
        Ok(provenance.mark(checkpoint)?.save(path)?)
    }

    /// Reads what [`SavedTransformer::save`] wrote, with what it came from.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no such file.
    pub fn load(path: &Path, device: &Device) -> Result<(Self, Provenance)> {
        let checkpoint = Checkpoint::load(path, device)?;
        let text = |name: &str| {
            let found = checkpoint.metadata().get(name);
            found.with_context(|| format!("{} has no {name}: it is no saved translator", path.display()))
        };
        let number = |name: &str| -> Result<usize> {
            text(name)?.parse().with_context(|| format!("{}: {name} is no number", path.display()))
        };
        let vocab = |name: &str| anyhow::Ok(Arc::new(Vocab::new(text(name)?.split('\n'), 0, &[])));
        let sizes = TransformerSizes {
            hidden: number("hidden")?,
            feed_forward: number("feed_forward")?,
            heads: number("heads")?,
            layers: number("layers")?,
            dropout: 0.0,
            max_len: number("max_len")?,
        };
        let (source_vocab, target_vocab, num_steps) =
            (vocab("source_vocab")?, vocab("target_vocab")?, number("num_steps")?);
        // The values come from the file: what is drawn here does not matter.
        let parameters = Parameters::new(&Random::new(0), device);
        let net = transformer(source_vocab.len(), target_vocab.len(), &sizes, &parameters.builder())?;
        parameters.restore(&checkpoint)?;
        let provenance = Provenance::of(&checkpoint, path)?;
        Ok((Self { net, parameters, source_vocab, target_vocab, sizes, num_steps }, provenance))
    }

    /// The model as what sections 9.7 and 9.8 translate by.
    pub fn translator(&self) -> Translator<'_, TransformerEncoder, TransformerDecoder> {
        let &Self { ref net, ref source_vocab, ref target_vocab, num_steps, .. } = self;
        Translator { net, source_vocab, target_vocab, num_steps, device: self.parameters.device() }
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
        let start = self.translator().encode(sentence)?;
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

/// Shows a sentence translated by a saved model, where there is one of what this run asks for. Tells whether there was,
/// and otherwise why not.
///
/// # Errors
/// Where the file is damaged; where it is of other settings and the reader named it; as [`show`].
pub fn show_saved(nb: &mut Notebook, path: &Path, named: bool, asked: &Provenance, sentence: &str) -> Result<bool> {
    if !path.exists() {
        nb.say(format!("{} is not there yet: the model is trained first", path.display()))?;
        return Ok(false);
    }
    let (saved, provenance) = SavedTransformer::load(path, nb.device())?;
    if let Some(difference) = asked.difference(&provenance) {
        let file = path.display();
        if named {
            bail!("--model {file}: {difference}; give the flags that it was made with, or another --model");
        }
        nb.say(format!("{file} is not what this run asks for: {difference}; the model is trained first"))?;
        return Ok(false);
    }
    nb.adopt(&provenance);
    nb.cell("Translation")?;
    show(nb, &saved, &[sentence])?;
    Ok(true)
}

/// Shows sentences translated by beams of several widths; a width of 1 is greedy search.
///
/// # Errors
/// What the translator gives; where standard output cannot be written.
pub fn show(nb: &mut Notebook, translator: &SavedTransformer, sentences: &[&str]) -> Result<()> {
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

//! What the sections on translation have in common: their settings, and how a training and its translations are shown.

use d2l::data::{FraEng, TranslationLoader};
use d2l::notebook::{at_least, within};
use d2l::prelude::*;

use crate::sections::encoder_decoder::{Decoder, Encoder};
use crate::sections::seq2seq::{RecurrentSizes, SENTENCES, Translation, Translator, bleu};

/// Hyperparameters of a recurrent translation model; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct TranslationSettings {
    /// Pairs a minibatch
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a sentence, after padding or truncation
    #[arg(long, default_value_t = 10, value_parser = at_least::<2>)]
    pub num_steps: usize,
    /// Pairs to train on
    #[arg(long, default_value_t = 600, value_parser = count)]
    pub num_examples: usize,
    /// Features of an embedded token
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub embed_size: usize,
    /// Hidden units of a layer
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub num_hiddens: usize,
    /// Recurrent layers
    #[arg(long, default_value_t = 2, value_parser = within::<1, 100>)]
    pub num_layers: usize,
    /// The share of a layer's outputs, and of attention weights, that training drops
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.005, value_parser = positive)]
    pub lr: f64,
}

impl TranslationSettings {
    /// The model's sizes.
    pub fn sizes(&self) -> RecurrentSizes {
        let &Self { embed_size: embed, num_hiddens: hidden, num_layers: layers, dropout, .. } = self;
        RecurrentSizes { embed, hidden, layers, dropout }
    }

    /// The first pairs in shuffled minibatches.
    ///
    /// # Errors
    /// As [`FraEng::load`].
    pub fn load(&self, nb: &Notebook, pairs: &FraEng) -> anyhow::Result<TranslationLoader> {
        let shuffle = nb.stream(Purpose::Shuffling, "pairs");
        Ok(pairs.load(self.batch_size, self.num_steps, Some(self.num_examples), shuffle, nb.device())?)
    }
}

/// Shows how a training went: the speed, the loss, the curve as the figure `training-curve`, and the loss by epoch (of
/// many, every so many-th) as the metric `train_loss`.
///
/// # Errors
/// Where an output cannot be written.
pub fn show_training(nb: &mut Notebook, history: &History) -> anyhow::Result<()> {
    nb.say(format!("{:.0} tokens a second", history.per_second()))?;
    let (step, last) = (history.epochs().len().div_ceil(60), history.epochs().len()); // some points suffice
    let shown = history.epochs().iter().filter(|record| record.epoch.is_multiple_of(step) || record.epoch == last);
    let (epochs, losses): (Vec<f64>, Vec<f64>) =
        shown.filter_map(|record| Some((record.epoch as f64, record.get("train_loss")?))).unzip();
    nb.say(format!("loss {:.4}", losses[losses.len() - 1]))?;
    let chart = Chart::new().x_label("epoch").y_label("loss").line("train", &epochs, &losses);
    nb.figure("training-curve", "Training loss by epoch", chart)?;
    nb.metric("train_loss", losses)
}

/// Translates the book's four sentences and shows them with their BLEU; the mean is the metric `bleu`. Gives the last
/// one with its attention weights.
///
/// # Errors
/// What the model gives; where an output cannot be written.
pub fn translate_sentences<E: Encoder, D: Decoder<Encoded = E::Output>>(
    nb: &mut Notebook,
    translator: &Translator<'_, E, D>,
) -> anyhow::Result<Translation> {
    let mut table = Table::new(["English", "French", "BLEU"]);
    let (mut mean, mut last) = (0.0, Translation { words: Vec::new(), weights: Vec::new() });
    for (english, french) in SENTENCES {
        last = translator.translate(english)?;
        let score = bleu(&last.text(), french, 2);
        mean += score / SENTENCES.len() as f64;
        table.row([english.to_string(), last.text(), format!("{score:.3}")]);
    }
    nb.say(table)?;
    nb.metric("bleu", mean)?;
    Ok(last)
}

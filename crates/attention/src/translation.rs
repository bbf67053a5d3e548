//! What sections 10.4 and 10.7 have in common: how a translation model is trained, how its translations are shown, and
//! how its attention weights become matrices.

use d2l::data::{EOS, TranslationLoader, preprocess_pairs};
use d2l::nn::Parameters;
use d2l::plot::Chart;
use d2l::prelude::*;
use d2l::random::Purpose;
use d2l::text::Vocab;
use rnn::encoder_decoder::{Decoder, Encoder, EncoderDecoder};
use rnn::seq2seq::{SENTENCES, bleu, predict_seq2seq, train_seq2seq};

/// Trains a translation model and shows how it went: the speed, the curve as the figure `training-curve`, and the loss
/// by epoch (of many, every so many-th) as the metric `train_loss`.
///
/// # Errors
/// Where the loss is not finite, or an output cannot be written.
pub fn train_and_show<E: Encoder, D: Decoder<Encoded = E::Output>>(
    nb: &mut Notebook,
    net: &EncoderDecoder<E, D>,
    parameters: &Parameters,
    loader: &mut TranslationLoader,
    (lr, num_epochs): (f64, u32),
) -> anyhow::Result<()> {
    let (mut dropout, mut progress) = (nb.fork(Purpose::Dropout), nb.progress().tokens());
    let history = train_seq2seq(net, parameters, loader, (lr, num_epochs as usize), &mut dropout, &mut progress)?;
    nb.trained_tokens(&history);
    nb.say(format!("{:.0} tokens a second", history.examples_per_second()))?;
    let step = history.epochs.len().div_ceil(60); // some points of the curve suffice
    let last = history.epochs.len();
    let shown = history.epochs.iter().filter(|s| s.epoch.is_multiple_of(step) || s.epoch == last);
    let (epochs, losses): (Vec<f64>, Vec<f64>) = shown.map(|s| (s.epoch as f64, s.train_loss)).unzip();
    nb.say(format!("loss {:.4}", losses[losses.len() - 1]))?;
    let chart = Chart::new().x_label("epoch").y_label("loss").line("train", &epochs, &losses);
    nb.figure("training-curve", "Training loss by epoch", chart)?;
    nb.metric("train_loss", losses)
}

/// A translation with what the decoder looked at while it wrote.
pub struct Translation {
    /// The tokens, with the end where the decoder came to it.
    pub words: Vec<String>,
    /// For each token, what [`Decoder::attention_weights`] gave.
    pub weights: Vec<Vec<Tensor>>,
}

/// Translates the book's four sentences and shows them with their BLEU; the mean is the metric `bleu`. Returns the last
/// one with its attention weights.
///
/// # Errors
/// What the model gives; where an output cannot be written.
pub fn translate_sentences<E: Encoder, D: Decoder<Encoded = E::Output>>(
    nb: &mut Notebook,
    net: &EncoderDecoder<E, D>,
    vocabs: (&Vocab, &Vocab),
    num_steps: usize,
) -> anyhow::Result<Translation> {
    let device = nb.device().clone();
    let mut table = Table::new(["English", "French", "BLEU"]);
    let (mut mean, mut last) = (0.0, Translation { words: Vec::new(), weights: Vec::new() });
    for (english, french) in SENTENCES {
        let (text, weights) = predict_seq2seq(net, english, vocabs, num_steps, &device, true)?;
        let score = bleu(&text, french, 2);
        mean += score / SENTENCES.len() as f64;
        // One call of the decoder more than tokens: it said that the sentence ends.
        let words = text.split_whitespace().chain([EOS]).take(weights.len()).map(String::from).collect();
        last = Translation { words, weights };
        table.row([english.to_string(), text, format!("{score:.3}")]);
    }
    nb.say(table)?;
    nb.metric("bleu", mean)?;
    Ok(last)
}

/// The tokens of a sentence as the encoder reads them, with the end.
pub fn source_words(sentence: &str) -> Vec<String> {
    preprocess_pairs(sentence).split_whitespace().chain([EOS]).map(String::from).collect()
}

/// The weights of one attention over the steps of a prediction, each `(1, heads, 1, keys)` with as many keys as there
/// were then, as `(heads, steps, most keys)`: 0 where a key came later.
///
/// # Errors
/// Where there is no step, or the shapes differ otherwise.
pub fn stack_steps<'a>(steps: impl IntoIterator<Item = &'a Tensor>) -> Result<Tensor> {
    let steps: Vec<&Tensor> = steps.into_iter().collect();
    let keys = steps.iter().map(|weights| weights.dim(D::Minus1)).collect::<Result<Vec<_>>>()?;
    let most = keys.iter().copied().max().unwrap_or(0);
    let rows = steps.iter().zip(keys).map(|(weights, keys)| {
        let row = weights.i((0, .., 0))?; // (heads, keys)
        row.pad_with_zeros(1, 0, most - keys) // (heads, most keys)
    });
    Tensor::stack(&rows.collect::<Result<Vec<_>>>()?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_a_growing_past_become_a_triangle() -> Result<()> {
        let step = |keys: usize| Tensor::ones((1, 2, 1, keys), DType::F32, &Device::Cpu);
        let stacked = stack_steps(&[step(1)?, step(2)?, step(3)?])?;
        assert_eq!(stacked.dims(), [2, 3, 3]);
        assert_eq!(stacked.i(1)?.to_vec2::<f32>()?, [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0; 3]]);
        assert!(stack_steps(&[]).is_err());
        Ok(())
    }

    #[test]
    fn sentences_are_read_as_the_encoder_reads_them() {
        assert_eq!(source_words("I'm home."), ["i'm", "home", ".", EOS]);
    }
}

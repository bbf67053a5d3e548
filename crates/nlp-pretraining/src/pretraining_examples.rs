//! Pairs of sentences with words to guess, as BERT is pretrained on them (section 14.9): rows of one length, in minibatches.

use candle_core::WithDType;
use d2l::data::{DataError, PAD};
use d2l::prelude::*;
use d2l::text::Vocab;

use crate::sections::bert::MASK;
use crate::sections::bert_dataset::{MaskedTokens, SentencePair, mask_tokens, num_predictions, sentence_pairs};

/// Pairs of sentences, each filled up to the same number of tokens and of words to guess. What belongs to all of them lies
/// in one list, pair after pair.
#[doc(alias = "_WikiTextDataset")]
#[derive(Debug, Clone, Default)]
pub struct PretrainingExamples {
    max_len: usize,
    max_predictions: usize,
    tokens: Vec<u32>,
    segments: Vec<u32>,
    valid_lens: Vec<u32>,
    pred_positions: Vec<u32>,
    mlm_weights: Vec<f32>,
    mlm_labels: Vec<u32>,
    nsp_labels: Vec<u32>,
}

/// A minibatch.
#[derive(Debug, Clone)]
pub struct BertBatch {
    /// Ids, padding at the end, `(batch, max_len)` of `u32`.
    pub tokens: Tensor,
    /// The number of each token's sentence, 0 or 1, `(batch, max_len)` of `u32`.
    pub segments: Tensor,
    /// How many tokens are no padding, `(batch)` of `u32`.
    pub valid_lens: Tensor,
    /// Where words are to be guessed, `(batch, max_predictions)` of `u32`.
    pub pred_positions: Tensor,
    /// What each guess weighs: 1, or 0 where the row has fewer, `(batch, max_predictions)` of `f32`.
    pub mlm_weights: Tensor,
    /// The words to guess, `(batch, max_predictions)` of `u32`.
    pub mlm_labels: Tensor,
    /// Whether the second sentence follows the first: 1 or 0, `(batch)` of `u32`.
    pub nsp_labels: Tensor,
}

impl BertBatch {
    /// The tensors with their names, in the book's order.
    pub fn named(&self) -> [(&'static str, &Tensor); 7] {
        [
            ("tokens", &self.tokens),
            ("segments", &self.segments),
            ("valid_lens", &self.valid_lens),
            ("pred_positions", &self.pred_positions),
            ("mlm_weights", &self.mlm_weights),
            ("mlm_labels", &self.mlm_labels),
            ("nsp_labels", &self.nsp_labels),
        ]
    }
}

impl PretrainingExamples {
    /// The pairs of all paragraphs that have at most `max_len` tokens, in the text's order; `random` gives second
    /// sentences and masks.
    ///
    /// # Errors
    /// Where there is no such pair.
    pub fn new(
        paragraphs: &[Vec<Vec<u32>>],
        vocab: &Vocab,
        max_len: usize,
        random: &Random,
    ) -> Result<Self, DataError> {
        let mut sentences = random.stream(Purpose::Sampling, "second sentences");
        let mut masks = random.stream(Purpose::Sampling, "masks");
        let mut examples = Self { max_len, max_predictions: num_predictions(max_len), ..Self::default() };
        for paragraph in paragraphs {
            for pair in sentence_pairs(paragraph, paragraphs, vocab, max_len, &mut sentences) {
                examples.push(&pair, &mask_tokens(&pair.tokens, vocab, &mut masks), vocab.id(PAD));
            }
        }
        if examples.is_empty() {
            let message = format!(
                "no two sentences of a paragraph have, with three marks, at most {max_len} tokens: raise the length \
                 (--max-len), or take a text with shorter sentences"
            );
            return Err(DataError::invalid(message));
        }
        Ok(examples)
    }

    /// Adds a pair, which is at most `max_len` tokens long, and fills its rows up: the tokens with `padding`, all else with
    /// zeros.
    #[doc(alias = "_pad_bert_inputs")]
    pub fn push(&mut self, pair: &SentencePair, masked: &MaskedTokens, padding: u32) {
        push_row(&mut self.tokens, &masked.tokens, self.max_len, padding);
        push_row(&mut self.segments, &pair.segments, self.max_len, 0);
        self.valid_lens.push(masked.tokens.len().min(self.max_len) as u32);
        push_row(&mut self.pred_positions, &masked.positions, self.max_predictions, 0);
        push_row(&mut self.mlm_weights, &vec![1.0; masked.positions.len()], self.max_predictions, 0.0);
        push_row(&mut self.mlm_labels, &masked.labels, self.max_predictions, 0);
        self.nsp_labels.push(u32::from(pair.is_next));
    }

    /// In how many of the places where a word is to be guessed there is `<mask>`, another token, and the word itself.
    pub fn replacements(&self, vocab: &Vocab) -> [usize; 3] {
        let (mut counts, mask) = ([0; 3], vocab.id(MASK));
        for (place, _) in self.mlm_weights.iter().enumerate().filter(|&(_, &weight)| weight > 0.0) {
            let (row, position) = (place / self.max_predictions, self.pred_positions[place] as usize);
            let token = self.tokens[row * self.max_len + position];
            counts[if token == mask { 0 } else { 1 + usize::from(token == self.mlm_labels[place]) }] += 1;
        }
        counts
    }

    /// The share of pairs whose second sentence follows the first.
    pub fn next_share(&self) -> f64 {
        self.nsp_labels.iter().map(|&label| f64::from(label)).sum::<f64>() / self.len() as f64
    }
}

/// Adds a row of `width` values: these, and then `filling`.
fn push_row<T: Copy>(rows: &mut Vec<T>, values: &[T], width: usize, filling: T) {
    let end = rows.len() + width;
    rows.extend_from_slice(values);
    rows.resize(end, filling);
}

impl Dataset for PretrainingExamples {
    type Batch = BertBatch;

    fn len(&self) -> usize {
        self.nsp_labels.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<BertBatch> {
        let words = |rows: &[u32]| gather(rows, self.max_len, indices, device);
        let guesses = |rows: &[u32]| gather(rows, self.max_predictions, indices, device);
        let single = |values: &[u32]| gather(values, 1, indices, device)?.squeeze(1);
        Ok(BertBatch {
            tokens: words(&self.tokens)?,
            segments: words(&self.segments)?,
            valid_lens: single(&self.valid_lens)?,
            pred_positions: guesses(&self.pred_positions)?,
            mlm_weights: gather(&self.mlm_weights, self.max_predictions, indices, device)?,
            mlm_labels: guesses(&self.mlm_labels)?,
            nsp_labels: single(&self.nsp_labels)?,
        })
    }
}

/// The rows at some indices, `(batch, width)`.
fn gather<T: WithDType>(rows: &[T], width: usize, indices: &[usize], device: &Device) -> Result<Tensor> {
    let values: Vec<T> = indices.iter().flat_map(|index| &rows[index * width..][..width]).copied().collect();
    Tensor::from_vec(values, (indices.len(), width), device)
}

#[cfg(test)]
mod tests {
    use d2l::data::Source;

    use super::*;
    use crate::wiki_text::WikiText2;

    const CPU: Device = Device::Cpu;

    /// Rows of all tensors, whatever their type, as numbers.
    fn rows(batch: &BertBatch) -> Result<Vec<Vec<f64>>> {
        let rows = batch.named().map(|(_, tensor)| tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>());
        rows.into_iter().collect()
    }

    #[test]
    fn rows_are_filled_up() -> Result<()> {
        let mut examples = PretrainingExamples { max_len: 8, max_predictions: 2, ..PretrainingExamples::default() };
        let pair = |tokens: Vec<u32>, segments: Vec<u32>, is_next| SentencePair { tokens, segments, is_next };
        let masked =
            |tokens: Vec<u32>, positions: Vec<u32>, labels: Vec<u32>| MaskedTokens { tokens, positions, labels };
        let short = pair(vec![3, 9, 4, 8, 4], vec![0, 0, 0, 1, 1], true);
        examples.push(&short, &masked(vec![3, 2, 4, 8, 4], vec![1], vec![9]), 1);
        let full = pair(vec![3, 5, 6, 7, 4, 8, 9, 4], vec![0, 0, 0, 0, 0, 1, 1, 1], false);
        examples.push(&full, &masked(vec![3, 5, 6, 7, 4, 9, 9, 4], vec![2, 5], vec![6, 8]), 1);
        assert_eq!((examples.len(), examples.next_share()), (2, 0.5));
        let vocab = Vocab::new("a b c d e".split(' '), 0, &crate::sections::bert::RESERVED);
        assert_eq!(examples.replacements(&vocab), [1, 1, 1]);

        let batch = examples.batch(&[1, 0], &CPU)?;
        let shapes: Vec<&[usize]> = batch.named().iter().map(|(_, tensor)| tensor.dims()).collect();
        assert_eq!(shapes, [&[2, 8][..], &[2, 8], &[2], &[2, 2], &[2, 2], &[2, 2], &[2]]);
        assert_eq!(batch.tokens.to_vec2::<u32>()?[1], [3, 2, 4, 8, 4, 1, 1, 1]);
        assert_eq!(batch.segments.to_vec2::<u32>()?[1], [0, 0, 0, 1, 1, 0, 0, 0]);
        assert_eq!(batch.valid_lens.to_vec1::<u32>()?, [8, 5]);
        assert_eq!(batch.pred_positions.to_vec2::<u32>()?, [[2, 5], [1, 0]]);
        assert_eq!(batch.mlm_weights.to_vec2::<f32>()?, [[1.0, 1.0], [1.0, 0.0]]);
        assert_eq!(batch.mlm_labels.to_vec2::<u32>()?, [[6, 8], [9, 0]]);
        assert_eq!(batch.nsp_labels.to_vec1::<u32>()?, [0, 1]);
        Ok(())
    }

    #[test]
    fn one_seed_gives_one_set() -> Result<(), Box<dyn std::error::Error>> {
        let text = WikiText2::sample()?;
        let first = |seed: u64| -> Result<Vec<Vec<f64>>, Box<dyn std::error::Error>> {
            let (mut loader, _) = text.load(8, 32, &Random::new(seed), &CPU)?;
            let batch = loader.epoch().next().ok_or("no minibatch")??;
            Ok(rows(&batch)?)
        };
        assert_eq!(first(1)?, first(1)?);
        assert_ne!(first(1)?, first(2)?);
        Ok(())
    }

    #[test]
    fn only_words_of_the_sample_are_to_be_guessed() -> Result<(), Box<dyn std::error::Error>> {
        let (mut loader, vocab) = WikiText2::sample()?.load(8, 32, &Random::new(1), &CPU)?;
        let special: Vec<u32> = crate::sections::bert::RESERVED.iter().map(|token| vocab.id(token)).collect();
        for batch in loader.epoch() {
            let batch = batch?;
            let (tokens, lens) = (batch.tokens.to_vec2::<u32>()?, batch.valid_lens.to_vec1::<u32>()?);
            let (weights, labels) = (batch.mlm_weights.to_vec2::<f32>()?, batch.mlm_labels.to_vec2::<u32>()?);
            let positions = batch.pred_positions.to_vec2::<u32>()?;
            for row in 0..lens.len() {
                let padding = &tokens[row][lens[row] as usize..];
                assert!(padding.iter().all(|&id| id == vocab.id(PAD)), "{padding:?}");
                let guesses = weights[row].iter().filter(|&&weight| weight == 1.0).count();
                assert!(guesses >= 1);
                for place in 0..guesses {
                    assert!(positions[row][place] < lens[row] && !special.contains(&labels[row][place]));
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_text_without_a_pair_that_fits_is_refused() -> Result<(), Box<dyn std::error::Error>> {
        let text = WikiText2::parse("a crane . flies \na crane . \n").ok_or("paragraphs")?;
        let message = |max_len| text.load(2, max_len, &Random::new(1), &CPU).err().map(|error| error.to_string());
        assert!(message(5).is_some_and(|message| message.contains("at most 5 tokens")));
        let single = WikiText2::parse("a crane . \n").ok_or("paragraphs")?;
        assert!(single.load(2, 64, &Random::new(1), &CPU).is_err());
        let words = "word ".repeat(1_000_000);
        let long = WikiText2::parse(&format!("{words}. {words}")).ok_or("paragraphs")?;
        assert!(long.load(2, 64, &Random::new(1), &CPU).is_err());
        Ok(())
    }
}

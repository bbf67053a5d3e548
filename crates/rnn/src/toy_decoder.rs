//! A decoder whose probabilities are written down: for examples of searches that can be followed by hand.

use std::collections::HashMap;

use anyhow::{bail, ensure};
use d2l::data::BOS;
use d2l::prelude::*;
use d2l::text::Vocab;

use crate::sections::encoder_decoder::Decoder;

/// A decoder that looks the probabilities of the next token up, by the tokens so far (section 9.8).
pub struct ToyDecoder {
    /// The probabilities of all tokens by the ids so far.
    rows: HashMap<Vec<u32>, Vec<f32>>,
    bos: u32,
}

impl ToyDecoder {
    /// A decoder of rows such as `("A B", &[("C", 0.4), …])`: after the tokens A and B, C has a probability of 0.4. Tokens
    /// that a row does not name have none.
    ///
    /// # Errors
    /// Where a row names a token that is not in the vocabulary, or its probabilities do not add up to 1.
    pub fn new(vocab: &Vocab, rows: &[(&str, &[(&str, f32)])]) -> anyhow::Result<Self> {
        let id = |token: &str| match vocab.id(token) {
            0 => bail!("{token} is not in the vocabulary"),
            id => Ok(id),
        };
        let mut table = HashMap::new();
        for (so_far, next) in rows {
            let mut row = vec![0.0; vocab.len()];
            for &(token, probability) in *next {
                row[id(token)? as usize] = probability;
            }
            let sum: f32 = row.iter().sum();
            ensure!((sum - 1.0).abs() < 1e-5, "the probabilities after “{so_far}” add up to {sum}, not to 1");
            table.insert(so_far.split_whitespace().map(id).collect::<anyhow::Result<_>>()?, row);
        }
        Ok(Self { rows: table, bos: vocab.id(BOS) })
    }

    /// The probability of a sequence, by the chain rule.
    ///
    /// # Errors
    /// Where there is no row for one of its beginnings.
    pub fn probability(&self, ids: &[u32]) -> Result<f64> {
        (0..ids.len()).map(|t| Ok(f64::from(self.row(&ids[..t])?[ids[t] as usize]))).product()
    }

    fn row(&self, ids: &[u32]) -> Result<&Vec<f32>> {
        let missing = || candle_core::Error::Msg(format!("no probabilities are written down after {ids:?}"));
        self.rows.get(ids).ok_or_else(missing)
    }
}

impl Decoder for ToyDecoder {
    type Encoded = ();
    /// The tokens so far.
    type State = Vec<u32>;

    fn init_state(&self, (): (), _: &Tensor) -> Result<Vec<u32>> {
        Ok(Vec::new())
    }

    fn forward_t(&self, tokens: &Tensor, state: &mut Vec<u32>, _: bool) -> Result<Tensor> {
        let last = tokens.flatten_all()?.to_vec1::<u32>()?;
        state.extend(last.into_iter().filter(|&id| id != self.bos));
        let row = self.row(state)?;
        // What has no probability gets one that no search takes, since its logarithm is to be a number.
        let logits: Vec<f32> = row.iter().map(|probability| probability.max(1e-30).ln()).collect();
        Tensor::from_vec(logits, (1, 1, row.len()), tokens.device())
    }
}

#[cfg(test)]
mod tests {
    use d2l::data::EOS;

    use super::*;

    #[test]
    fn rows_are_checked_and_missing_ones_told() -> anyhow::Result<()> {
        let vocab = Vocab::new(["A", "B"], 1, &[BOS, EOS]);
        let half: &[(&str, f32)] = &[("A", 0.5), ("B", 0.5)];
        let refused = |rows: &[(&str, &[(&str, f32)])]| ToyDecoder::new(&vocab, rows).err().map(|e| e.to_string());
        assert!(refused(&[("", &[("A", 0.4)])]).is_some_and(|error| error.contains("add up to 0.4")));
        assert!(refused(&[("C", half)]).is_some_and(|error| error.contains("C is not in the vocabulary")));
        let toy = ToyDecoder::new(&vocab, &[("", half), ("A", &[(EOS, 1.0)])])?;
        let [a, b, eos] = ["A", "B", EOS].map(|token| vocab.id(token));
        assert_eq!(toy.probability(&[a, eos])?, 0.5);
        assert!(toy.probability(&[b, eos]).is_err());
        Ok(())
    }
}

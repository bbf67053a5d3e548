//! How the attention weights of a prediction become matrices.

use d2l::data::{EOS, preprocess_pairs};
use d2l::prelude::*;

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

//! Pretrained vectors for the words of a vocabulary (sections 15.2, 15.3 and 15.5).

use d2l::prelude::*;
use d2l::text::Vocab;
use nlp_pretraining::pretrained_vectors::{FastTextWikiEn, Glove6B50, Glove6B100, Glove42B300};
use nlp_pretraining::sections::similarity_analogy::PretrainedSet;
use nlp_pretraining::word_vectors::WordVectors;

/// Loads a set of word vectors by its name in the book.
///
/// # Errors
/// As [`Notebook::load`].
#[doc(alias = "TokenEmbedding")]
pub fn load_vectors(set: PretrainedSet, nb: &mut Notebook) -> anyhow::Result<WordVectors> {
    Ok(match set {
        PretrainedSet::Glove6B50 => nb.load::<Glove6B50>()?.vectors,
        PretrainedSet::Glove6B100 => nb.load::<Glove6B100>()?.vectors,
        PretrainedSet::Glove42B300 => nb.load::<Glove42B300>()?.vectors,
        PretrainedSet::WikiEn => nb.load::<FastTextWikiEn>()?.vectors,
    })
}

/// All tokens by their ids.
fn tokens(vocab: &Vocab) -> Vec<&str> {
    (0..vocab.len() as u32).filter_map(|id| vocab.token(id).ok()).collect()
}

/// A table with the vector of each token of a vocabulary, `(len(vocab), dimension)`: row `i` is that of the token with the id
/// `i`, zero where the set has none, as for padding.
///
/// # Errors
/// What the device gives.
pub fn vectors_of_vocabulary(vectors: &WordVectors, vocab: &Vocab, device: &Device) -> Result<Tensor> {
    vectors.vectors(&tokens(vocab), device)
}

/// How many tokens of a vocabulary have a vector.
pub fn count_known(vectors: &WordVectors, vocab: &Vocab) -> usize {
    // The unknown word has a row of its own, which is zero.
    tokens(vocab).into_iter().filter(|&token| vectors.number(token).is_some_and(|number| number > 0)).count()
}

#[cfg(test)]
mod tests {
    use d2l::data::PAD;
    use nlp_pretraining::word_vectors::WordVectorsBuilder;

    use super::*;

    #[test]
    fn rows_stand_at_the_tokens_ids() -> Result<()> {
        let mut builder = WordVectorsBuilder::new(2);
        builder.push("great", &[1.0, 2.0]);
        builder.push("unseen", &[5.0, 5.0]);
        builder.push("bad", &[-1.0, 0.5]);
        let vectors = builder.finish();
        // Great has a capital letter, and so no vector.
        let vocab = Vocab::new(["bad", "bad", "Great", "great"], 0, &[PAD]); // 2, 3, 4
        let table = vectors_of_vocabulary(&vectors, &vocab, &Device::Cpu)?;
        let zero = vec![0f32; 2];
        let expected = [zero.clone(), zero.clone(), vec![-1.0, 0.5], zero, vec![1.0, 2.0]];
        assert_eq!(table.to_vec2::<f32>()?, expected);
        assert_eq!(count_known(&vectors, &vocab), 2);
        Ok(())
    }
}

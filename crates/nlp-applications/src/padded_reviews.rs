//! Reviews as rows of ids of one length, for minibatches (section 15.1).

use std::sync::Arc;

use d2l::data::{DataError, PAD};
use d2l::prelude::*;
use d2l::text::Vocab;
use rayon::prelude::*;

use crate::reviews::Reviews;

/// Reviews of `num_steps` ids each, with their labels.
///
/// A longer review is cut after `num_steps` tokens, however long it is; a shorter one is filled with the id of [`PAD`], and
/// one without any token has nothing else.
#[derive(Debug, Clone)]
pub struct ReviewExamples {
    /// `(n, num_steps)`, row by row.
    ids: Arc<[u32]>,
    /// `(n)`
    labels: Arc<[u32]>,
    num_steps: usize,
}

impl ReviewExamples {
    /// The ids of reviews' tokens. They are looked up by all threads at once, up to the token at which a review is cut.
    ///
    /// # Errors
    /// Where `num_steps` is 0, or so large that the ids have no room in memory.
    pub fn new(reviews: &Reviews, vocab: &Vocab, num_steps: usize) -> Result<Self, DataError> {
        let count = num_steps.checked_mul(reviews.len()).filter(|&count| num_steps > 0 && u32::try_from(count).is_ok());
        let Some(count) = count else {
            let message = format!("{} reviews of {num_steps} tokens: choose another --num-steps", reviews.len());
            return Err(DataError::Invalid(message));
        };
        let mut ids = vec![vocab.id(PAD); count];
        ids.par_chunks_mut(num_steps).zip(reviews.texts()).for_each(|(row, text)| {
            for (id, token) in row.iter_mut().zip(text.split_whitespace()) {
                *id = vocab.id(token);
            }
        });
        Ok(Self { ids: ids.into(), labels: reviews.labels().into(), num_steps })
    }

    /// Tokens of each review, padding included.
    pub fn num_steps(&self) -> usize {
        self.num_steps
    }

    /// The ids of the review at `index`, which must be below the number of reviews.
    pub fn row(&self, index: usize) -> &[u32] {
        &self.ids[index * self.num_steps..][..self.num_steps]
    }

    /// The labels of all reviews.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }
}

/// Minibatches are ids `(batch, steps)` and labels `(batch)`, both of `u32`.
impl Dataset for ReviewExamples {
    type Batch = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn batch(&self, indices: &[usize], device: &Device) -> Result<(Tensor, Tensor)> {
        let ids: Vec<u32> = indices.iter().flat_map(|&index| self.row(index)).copied().collect();
        let labels: Vec<u32> = indices.iter().map(|&index| self.labels[index]).collect();
        let ids = Tensor::from_vec(ids, (indices.len(), self.num_steps), device)?; // (batch, steps)
        Ok((ids, Tensor::new(labels, device)?))
    }
}

#[cfg(test)]
mod tests {
    use d2l::data::truncate_pad;
    use proptest::prelude::*;

    use super::*;
    use crate::reviews::tests::reviews;

    fn vocab() -> Vocab {
        Vocab::new(["so", "bad", "great"], 0, &[PAD]) // 2, 3, 4
    }

    #[test]
    fn reviews_are_cut_and_padded() -> Result<(), Box<dyn std::error::Error>> {
        let examples = ReviewExamples::new(&reviews(&[("so so bad", 0), ("great", 1), ("a ", 1)]), &vocab(), 2)?;
        assert_eq!((examples.row(0), examples.row(1), examples.row(2)), (&[2, 2][..], &[4, 1][..], &[0, 1][..]));
        assert_eq!((examples.len(), examples.num_steps(), examples.labels()), (3, 2, &[0, 1, 1][..]));
        let (x, y) = examples.batch(&[2, 0], &Device::Cpu)?;
        assert_eq!((x.to_vec2::<u32>()?, y.to_vec1::<u32>()?), (vec![vec![0, 1], vec![2, 2]], vec![1, 0]));
        Ok(())
    }

    #[test]
    fn an_empty_review_is_padding_and_a_very_long_one_is_cut() -> Result<(), DataError> {
        let long = "great ".repeat(100_000);
        let examples = ReviewExamples::new(&reviews(&[("", 0), (&long, 1), (" \u{a0} ", 0)]), &vocab(), 500)?;
        assert!(examples.row(0).iter().chain(examples.row(2)).all(|&id| id == 1));
        assert!(examples.row(1).iter().all(|&id| id == 4) && examples.row(1).len() == 500);
        Ok(())
    }

    #[test]
    fn lengths_that_make_no_sense_are_errors() {
        let all = reviews(&[("so", 1), ("bad", 0)]);
        for num_steps in [0, usize::MAX, 1 << 32] {
            let error = ReviewExamples::new(&all, &vocab(), num_steps).err();
            assert!(error.is_some_and(|error| error.to_string().contains("--num-steps")), "{num_steps}");
        }
    }

    proptest! {
        #[test]
        fn rows_are_those_of_the_book_whatever_the_text(
            texts in prop::collection::vec("(so|bad|great|é| |\u{3000}){0,9}", 1..9),
            num_steps in 1usize..6,
        ) {
            let labeled: Vec<(&str, u32)> = texts.iter().map(|text| (text.as_str(), 1)).collect();
            let vocab = vocab();
            let examples = ReviewExamples::new(&reviews(&labeled), &vocab, num_steps).expect("sound sizes");
            for (index, text) in texts.iter().enumerate() {
                let ids = vocab.ids(text.split_whitespace());
                prop_assert_eq!(examples.row(index), &truncate_pad(&ids, num_steps, vocab.id(PAD))[..]);
            }
        }
    }
}

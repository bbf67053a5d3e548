//! What the classifiers of reviews share: their settings and minibatches, what a net says of a text, and where it is wrong
//! (sections 15.2 and 15.3).

use std::fmt;

use d2l::notebook::within;
use d2l::ops::softmax;
use d2l::prelude::*;
use d2l::text::Vocab;
use nlp_pretraining::sections::similarity_analogy::PretrainedSet;

use crate::imdb::Imdb;
use crate::padded_reviews::ReviewExamples;
use crate::reviews::{NEGATIVE, POSITIVE, Reviews, excerpt};
use crate::text_vectors::{count_known, load_vectors, vectors_of_vocabulary};

/// Settings of every classifier of reviews; the defaults are the book's, but for the vectors: it takes those of 100 numbers.
#[derive(Debug, Clone, Args, Serialize)]
pub struct ReviewSettings {
    /// Reviews a minibatch
    #[arg(long, default_value_t = 64, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of a review: a longer one is cut, a shorter one padded
    #[arg(long, default_value_t = 500, value_parser = within::<8, 10_000>)]
    pub num_steps: usize,
    /// Training reviews, half of them positive; the vocabulary is always that of all 25,000
    #[arg(long, default_value_t = 25_000, value_parser = count)]
    pub examples: usize,
    /// Test reviews, half of them positive
    #[arg(long, default_value_t = 25_000, value_parser = count)]
    pub test_examples: usize,
    /// The word vectors; the book's are glove.6b.100d
    #[arg(long, value_enum, default_value_t = PretrainedSet::Glove6B50)]
    pub embedding: PretrainedSet,
    /// Passes over the training reviews
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub num_epochs: usize,
    /// Another sentence to judge in the end
    #[arg(long, value_name = "TEXT")]
    pub sentence: Option<String>,
}

/// Reviews as a training needs them.
pub struct ReviewData {
    /// Minibatches to train on, in a new order each epoch.
    pub train: Loader<ReviewExamples>,
    /// Minibatches to test with.
    pub test: Loader<ReviewExamples>,
    /// The test reviews as texts.
    pub tests: Reviews,
    /// The vocabulary of all training reviews, those that are left out included.
    pub vocab: Vocab,
}

impl ReviewSettings {
    /// Loads the reviews and says how many there are.
    ///
    /// # Errors
    /// As [`Notebook::load`], [`ReviewExamples::new`] and [`Loader::new`].
    pub fn load(&self, nb: &mut Notebook) -> anyhow::Result<ReviewData> {
        let imdb = nb.load::<Imdb>()?;
        let vocab = imdb.vocab();
        let (trained, tests) = (imdb.train.first(self.examples), imdb.test.first(self.test_examples));
        nb.say(format!("{} of {} training reviews", trained.len(), imdb.train.len()))?;
        nb.say(format!("{} of {} test reviews", tests.len(), imdb.test.len()))?;
        nb.say(format!("{} ids for the tokens of all training reviews", vocab.len()))?;
        let examples = |reviews| ReviewExamples::new(reviews, &vocab, self.num_steps);
        let (trained, tested) = (examples(&trained)?, examples(&tests)?);
        let shuffle = nb.stream(Purpose::Shuffling, "training reviews");
        let train = Loader::new(trained, self.batch_size, nb.device())?.shuffled(shuffle);
        let test = Loader::new(tested, self.batch_size, nb.device())?;
        Ok(ReviewData { train, test, tests, vocab })
    }

    /// Loads the word vectors, `(vocabulary, dimension)`, says their shape, and keeps the share of the vocabulary that has one
    /// as the metric `known_words`.
    ///
    /// # Errors
    /// As [`load_vectors`].
    pub fn load_vectors(&self, vocab: &Vocab, nb: &mut Notebook) -> anyhow::Result<Tensor> {
        let vectors = load_vectors(self.embedding, nb)?;
        let table = vectors_of_vocabulary(&vectors, vocab, nb.device())?; // (vocabulary, dimension)
        let known = count_known(&vectors, vocab);
        nb.say(format!("{:?}; {known} of the tokens have a vector, the others zeros", table.dims()))?;
        nb.metric("known_words", known as f64 / vocab.len() as f64)?;
        Ok(table)
    }
}

/// What a net says of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sentiment {
    /// The probability that it praises.
    pub positive: f64,
}

impl Sentiment {
    /// [`POSITIVE`] or [`NEGATIVE`], whichever is likelier.
    pub fn label(self) -> u32 {
        if self.positive > 0.5 { POSITIVE } else { NEGATIVE }
    }
}

impl fmt::Display for Sentiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = if self.label() == POSITIVE { "positive" } else { "negative" };
        write!(f, "{label} ({:.3})", self.positive.max(1.0 - self.positive))
    }
}

/// What a net says of each row of ids `(batch, steps)`; no graph is recorded beyond the call.
///
/// # Errors
/// What the net gives; where its logits are not `(batch, 2)`.
pub fn sentiments(net: &impl ModuleT, ids: &Tensor) -> Result<Vec<Sentiment>> {
    let probabilities = softmax(&net.forward_t(ids, false)?.detach(), D::Minus1)?; // (batch, 2)
    let positive = probabilities.i((.., POSITIVE as usize))?.to_vec1::<f32>()?; // (batch)
    Ok(positive.into_iter().map(|positive| Sentiment { positive: f64::from(positive) }).collect())
}

/// How many reviews of a label are looked through for a mistake.
const LOOKED_THROUGH: usize = 256;

/// The review, of the first 256 of a label, that a net is surest of and wrong about: its place, and what the net says.
///
/// # Errors
/// What the net gives.
pub fn worst_mistake(
    net: &impl ModuleT,
    examples: &ReviewExamples,
    label: u32,
    device: &Device,
) -> Result<Option<(usize, Sentiment)>> {
    let of_label = (0..examples.len()).filter(|&index| examples.labels()[index] == label);
    let indices: Vec<usize> = of_label.take(LOOKED_THROUGH).collect();
    let mut worst: Option<(usize, Sentiment)> = None;
    let error = |sentiment: Sentiment| (sentiment.positive - f64::from(label)).abs();
    for indices in indices.chunks(64) {
        let (ids, _) = examples.batch(indices, device)?;
        for (&index, sentiment) in indices.iter().zip(sentiments(net, &ids)?) {
            let is_worse = worst.is_none_or(|(_, before)| error(sentiment) > error(before));
            if sentiment.label() != label && is_worse {
                worst = Some((index, sentiment));
            }
        }
    }
    Ok(worst)
}

/// Shows the start of a review of each label that a net is wrong about, with what it says.
///
/// # Errors
/// What the net gives.
pub fn show_mistakes(
    nb: &mut Notebook,
    net: &impl ModuleT,
    tests: &Reviews,
    examples: &ReviewExamples,
) -> anyhow::Result<()> {
    for (label, name) in [(POSITIVE, "positive"), (NEGATIVE, "negative")] {
        match worst_mistake(net, examples, label, nb.device())? {
            Some((index, sentiment)) => {
                nb.say(format!("{name}, taken for {sentiment}: {}", excerpt(&tests.texts()[index], 80)))?;
            }
            None => nb.say(format!("none of the {name} reviews is taken for the contrary"))?,
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use d2l::data::PAD;

    use super::*;
    use crate::reviews::tests::reviews;

    /// A net that finds a text the better, the larger its first id: `[0, id - 3]`.
    pub fn by_first_id(ids: &Tensor) -> Result<Tensor> {
        let first = ids.i((.., 0))?.to_dtype(DType::F32)?;
        Tensor::stack(&[first.zeros_like()?, (first - 3.0)?], 1)
    }

    #[test]
    fn the_likelier_label_is_said() -> Result<()> {
        let said = sentiments(&by_first_id, &Tensor::new(&[[5u32, 0], [2, 9]], &Device::Cpu)?)?;
        assert!((said[0].positive - 1.0 / (1.0 + (-2f64).exp())).abs() < 1e-6, "{said:?}");
        assert_eq!((said[0].label(), said[1].label()), (POSITIVE, NEGATIVE));
        assert_eq!((said[0].to_string(), said[1].to_string()), ("positive (0.881)".into(), "negative (0.731)".into()));
        assert!(
            sentiments(&|ids: &Tensor| ids.to_dtype(DType::F32), &Tensor::zeros((2, 1), DType::U32, &Device::Cpu)?)
                .is_err()
        );
        Ok(())
    }

    #[test]
    fn the_surest_mistake_is_found() -> anyhow::Result<()> {
        let vocab = Vocab::new(["a", "b", "c", "d", "e"], 0, &[PAD]); // 2 to 6
        let set = reviews(&[("b", 1), ("a", 1), ("e", 1), ("a", 0), ("c", 0), ("e", 0), ("d", 0)]);
        let examples = ReviewExamples::new(&set, &vocab, 3)?;
        let worst = |label| worst_mistake(&by_first_id, &examples, label, &Device::Cpu);
        assert_eq!(worst(POSITIVE)?.map(|(index, _)| index), Some(1)); // logit -1; that of `b` is 0, which is a mistake, too
        assert_eq!(worst(NEGATIVE)?.map(|(index, _)| index), Some(5)); // logit 3, before 2 and 1
        let right = |ids: &Tensor| by_first_id(ids)? * -1e3;
        let good = ReviewExamples::new(&reviews(&[("a", 1), ("e", 0)]), &vocab, 3)?;
        assert_eq!(worst_mistake(&right, &good, POSITIVE, &Device::Cpu)?, None);
        Ok(())
    }
}

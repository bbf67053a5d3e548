//! Reviews of movies, half of them praise (section 15.1).

use std::cmp::Reverse;
use std::path::Path;

use d2l::data::hub::{self, Hub};
use d2l::data::{DataError, PAD, Source};
use d2l::prelude::*;
use d2l::text::Vocab;
use rayon::prelude::*;

use crate::padded_reviews::ReviewExamples;
use crate::review_archive::{LabeledReview, read_archive};
use crate::reviews::{NEGATIVE, POSITIVE, Reviews};

/// The Large Movie Review Dataset of Maas et al. (2011): 25,000 reviews to train on and as many to test with, the positive
/// ones first and each label's by their numbers, whatever archive they come from. Those without a label are left out.
#[derive(Debug, Clone)]
pub struct Imdb {
    /// Trained on.
    pub train: Reviews,
    /// Tested with.
    pub test: Reviews,
}

impl Imdb {
    /// How often a token must occur in the training reviews for an id of its own; rarer ones are unknown.
    pub const MIN_FREQ: usize = 5;

    /// Reads the reviews of one archive, or of several that each have a part of the set, without unpacking them.
    ///
    /// # Errors
    /// Where an archive is damaged or a review at fault; where a part has no reviews of a label, or two with one number.
    #[doc(alias = "read_imdb")]
    pub fn read(archives: &[&Path]) -> Result<Self, DataError> {
        let read = archives.par_iter().map(|archive| read_archive(archive)).collect::<Result<Vec<_>, _>>()?;
        let (test, train): (Vec<_>, Vec<_>) = read.into_iter().flatten().partition(|review| review.is_test);
        let part = |name: &str, reviews| {
            sorted(name, reviews).map_err(|what| {
                let names: Vec<_> = archives.iter().map(|archive| archive.display().to_string()).collect();
                DataError::invalid(format!("{}: {what}", names.join(" and ")))
            })
        };
        Ok(Self { train: part("train", train)?, test: part("test", test)? })
    }

    /// The tokens that occur at least [`Imdb::MIN_FREQ`] times in the training reviews, after the one that pads.
    pub fn vocab(&self) -> Vocab {
        Vocab::new(self.train.tokens(), Self::MIN_FREQ, &[PAD])
    }

    /// Minibatches of training reviews in a new order each epoch, minibatches of test reviews, and the vocabulary; each
    /// review has `num_steps` tokens, cut or padded.
    ///
    /// The book's function gives its vocabulary no token for padding, so that padding and unknown words have one id there.
    ///
    /// # Errors
    /// As [`ReviewExamples::new`] and [`Loader::new`].
    #[doc(alias = "load_data_imdb")]
    pub fn load(
        &self,
        batch_size: usize,
        num_steps: usize,
        shuffle: Stream,
        device: &Device,
    ) -> Result<(Loader<ReviewExamples>, Loader<ReviewExamples>, Vocab), DataError> {
        let vocab = self.vocab();
        let loader = |reviews| Loader::new(ReviewExamples::new(reviews, &vocab, num_steps)?, batch_size, device);
        let (train, test) = (loader(&self.train)?.shuffled(shuffle), loader(&self.test)?);
        Ok((train, test, vocab))
    }
}

/// The reviews of a part in the set's order.
fn sorted(part: &str, mut reviews: Vec<LabeledReview>) -> Result<Reviews, String> {
    reviews.sort_by_key(|review| (Reverse(review.label), review.number));
    for (label, folder) in [(POSITIVE, "pos"), (NEGATIVE, "neg")] {
        if reviews.iter().all(|review| review.label != label) {
            return Err(format!("no reviews aclImdb/{part}/{folder}/NUMBER_RATING.txt: is it another archive?"));
        }
        let mut pairs = reviews.windows(2).filter(|pair| pair[0].label == label && pair[1].label == label);
        if let Some(pair) = pairs.find(|pair| pair[0].number == pair[1].number) {
            return Err(format!("two reviews aclImdb/{part}/{folder}/{}_RATING.txt", pair[0].number));
        }
    }
    let (texts, labels) = reviews.into_iter().map(|review| (review.text, review.label)).unzip();
    Reviews::new(texts, labels).map_err(|error| error.to_string())
}

impl Source for Imdb {
    const SAMPLE_NOTICE: &'static str = "the reviews of IMDb could not be had, so this run uses 360 short ones that come with \
         the repository, made from patterns, and its results are not the book's.";

    /// The publisher's archive, or else its labeled reviews in two: the same ones in the same order.
    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let error = match hub.fetch("aclImdb") {
            Ok(archive) => return Self::read(&[&archive]),
            Err(error) => error,
        };
        match (hub.fetch("aclImdb/train"), hub.fetch("aclImdb/test")) {
            (Ok(train), Ok(test)) => Self::read(&[&train, &test]),
            _ => Err(error.into()), // that of the book's own file
        }
    }

    /// Reviews that `scripts/make_review_samples.py` makes.
    fn sample() -> Result<Self, DataError> {
        Self::read(&[&hub::sample("imdb/reviews.tar.gz")?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review_archive::tests::pack;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    const TRAIN: [(&str, &[u8]); 4] = [
        ("aclImdb/train/neg/0_1.txt", b"bad"),
        ("aclImdb/train/pos/10_8.txt", b"late praise"),
        ("aclImdb/train/pos/9_7.txt", b"praise"),
        ("aclImdb/train/neg/2_4.txt", b"so bad"),
    ];
    const TEST: [(&str, &[u8]); 2] = [("aclImdb/test/neg/5_2.txt", b"no"), ("aclImdb/test/pos/5_9.txt", b"yes")];

    #[test]
    fn one_archive_or_two_give_the_same_order() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        pack(&path("train.tar.gz"), &TRAIN)?;
        pack(&path("test.tar.gz"), &TEST)?;
        let mut all = [&TEST[..], &TRAIN[..]].concat();
        all.reverse();
        pack(&path("all.tar.gz"), &all)?;
        let two = Imdb::read(&[&path("train.tar.gz"), &path("test.tar.gz")])?;
        let one = Imdb::read(&[&path("all.tar.gz")])?;
        assert_eq!(two.train.texts(), ["praise", "late praise", "bad", "so bad"]);
        assert_eq!((two.train.labels(), two.test.labels()), (&[1, 1, 0, 0][..], &[1, 0][..]));
        assert_eq!((&one.train, &one.test), (&two.train, &two.test));
        Ok(())
    }

    #[test]
    fn archives_that_lack_something_are_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("all.tar.gz");
        let message = |entries: &[(&str, &[u8])]| {
            pack(&path, entries)?;
            Ok::<_, std::io::Error>(Imdb::read(&[&path]).err().map(|error| error.to_string()).unwrap_or_default())
        };
        let lacking = message(&TRAIN)?;
        assert!(lacking.contains("all.tar.gz: no reviews aclImdb/test/pos/"), "{lacking}");
        let lacking = message(&[&TRAIN[..], &TEST[1..]].concat())?;
        assert!(lacking.contains("no reviews aclImdb/test/neg/"), "{lacking}");
        let twice = [&TRAIN[..], &TEST[..], &[("aclImdb/train/pos/9_10.txt", &b"again"[..])]].concat();
        let twice = message(&twice)?;
        assert!(twice.contains("two reviews aclImdb/train/pos/9_RATING.txt"), "{twice}");
        Ok(())
    }

    #[test]
    fn without_the_set_the_books_archive_is_named() -> Outcome {
        let folder = tempfile::tempdir()?;
        let mut hub = Hub::new(folder.path());
        hub.offline = true;
        let message = Imdb::fetch(&hub).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("`aclImdb`"), "{message}");
        Ok(())
    }

    #[test]
    fn the_sample_is_a_set_of_both_labels() -> Outcome {
        let set = Imdb::sample()?;
        for (reviews, count) in [(&set.train, 240), (&set.test, 120)] {
            let positive = reviews.labels().iter().filter(|&&label| label == POSITIVE).count();
            assert_eq!((reviews.len(), positive * 2), (count, count));
            assert!(
                reviews.labels()[..count / 2].iter().all(|&label| label == POSITIVE),
                "the positive ones come first"
            );
        }
        let vocab = set.vocab();
        for word in ["this", "movie", "is", "so", "great", "bad"] {
            assert!(vocab.id(word) > vocab.id(PAD), "{word}");
        }
        assert!(set.train.lengths().iter().any(|&length| length > 1000));
        Ok(())
    }

    #[test]
    fn an_epoch_has_each_review_once_and_the_vocabulary_is_of_the_training_reviews() -> Outcome {
        let set = Imdb::sample()?;
        let shuffle = || Random::new(1).stream(Purpose::Shuffling, "reviews");
        let (mut train, mut test, vocab) = set.load(64, 20, shuffle(), &Device::Cpu)?;
        assert_eq!((train.batches(), test.batches()), (4, 2));
        assert_eq!(vocab.len(), set.vocab().len());
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut labels: Vec<u32> = Vec::new();
        for batch in train.epoch() {
            let (x, y) = batch?;
            assert_eq!((x.dim(1)?, x.dim(0)?), (20, y.dim(0)?));
            rows.extend(x.to_vec2::<u32>()?);
            labels.extend(y.to_vec1::<u32>()?);
        }
        assert_eq!(labels.iter().filter(|&&label| label == POSITIVE).count(), 120);
        let mut expected: Vec<Vec<u32>> = (0..240).map(|index| train.dataset().row(index).to_vec()).collect();
        rows.sort_unstable();
        expected.sort_unstable();
        assert_eq!(rows, expected);
        let first = test.epoch().next().ok_or("no minibatch")??.0;
        assert_eq!(first.to_vec2::<u32>()?[0], test.dataset().row(0), "test reviews keep their order");
        Ok(())
    }
}

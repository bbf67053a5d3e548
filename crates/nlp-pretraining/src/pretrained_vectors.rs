//! The word vectors that others trained, by their names in the book (section 14.7).

use std::marker::PhantomData;
use std::path::PathBuf;

use d2l::data::hub::{self, DATASETS, Hub};
use d2l::data::{DataError, Source};

use crate::vector_files::{read_array, read_text};
use crate::word_vectors::WordVectors;

/// One of the book's sets of word vectors.
pub trait VectorSet {
    /// Its name in the hub.
    const NAME: &'static str;
    /// Files with the same numbers: an array and a table of words.
    const ARRAY: Option<(&'static str, &'static str)> = None;
    /// A file with its first lines, and what to tell whoever gets them.
    const PART: Option<(&'static str, &'static str)> = None;
}

/// Pretrained word vectors: `Pretrained<Glove6B50Set>` is [`Glove6B50`].
#[derive(Debug)]
pub struct Pretrained<S> {
    /// The vectors.
    pub vectors: WordVectors,
    stand_in: Option<&'static str>,
    set: PhantomData<S>,
}

macro_rules! sets {
    ($($(#[$about:meta])* $alias:ident, $set:ident: $name:literal $(, $key:ident = $value:expr)*;)*) => { $(
        $(#[$about])*
        pub type $alias = Pretrained<$set>;

        #[doc = concat!("The set `", $name, "`.")]
        #[derive(Debug)]
        pub struct $set;

        impl VectorSet for $set {
            const NAME: &'static str = $name;
            $(const $key: Option<(&'static str, &'static str)> = Some($value);)*
        }
    )* };
}

sets! {
    /// GloVe, 400,000 words of Wikipedia and news, 50 numbers each.
    Glove6B50, Glove6B50Set: "glove.6b.50d",
        ARRAY = ("glove.6b.50d/vectors", "glove.6b.50d/words"),
        PART = ("glove.6b.50d/top20k", "the 20,000 most frequent of its 400,000 words, since no more of them could be had");
    /// The same words, 100 numbers each.
    Glove6B100, Glove6B100Set: "glove.6b.100d",
        PART = ("glove.6b.100d/top2716", "the 2,716 most frequent of its 400,000 words, since no more of them could be had");
    /// GloVe, 1.9 million words of the web, 300 numbers each.
    Glove42B300, Glove42B300Set: "glove.42b.300d";
    /// fastText, 2.5 million words of English Wikipedia, 300 numbers each.
    FastTextWikiEn, FastTextWikiEnSet: "wiki.en";
}

/// Where a set's vectors come from: a name in the hub, whether they are a part, and how they are read.
type Way<'a> = (&'static str, Option<&'static str>, Box<dyn Fn() -> Result<WordVectors, DataError> + 'a>);

impl<S: VectorSet> Pretrained<S> {
    /// The ways to the vectors, the best first.
    fn ways(hub: &Hub) -> Vec<Way<'_>> {
        let mut ways: Vec<Way<'_>> =
            vec![(S::NAME, None, Box::new(|| read_text(&hub.fetch_extracted(S::NAME)?.join("vec.txt"))))];
        if let Some((vectors, words)) = S::ARRAY {
            ways.push((vectors, None, Box::new(move || read_array(&hub.fetch(vectors)?, &hub.fetch(words)?))));
        }
        if let Some((part, notice)) = S::PART {
            ways.push((part, Some(notice), Box::new(move || read_text(&hub.fetch(part)?))));
        }
        ways
    }

    /// Where vectors that were read once lie for the next time.
    fn cache(hub: &Hub, name: &str) -> PathBuf {
        hub.cache.join("word-vectors").join(format!("{}.safetensors", name.replace('/', "-")))
    }
}

/// The hashes that prove a file of the hub, as one text.
fn source_of(name: &str) -> String {
    let hashes = DATASETS.iter().filter(|set| set.name == name).flat_map(|set| set.hashes);
    hashes.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl<S: VectorSet> Source for Pretrained<S> {
    const SAMPLE_NOTICE: &'static str = "the word vectors could not be had, so this run uses those of some hundred words, \
         trained on sentences written for this repository; its neighbors and analogies are not the book's.";

    /// The best that is there: read before, or from a place that has it.
    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        let found = |vectors, stand_in| Ok(Self { vectors, stand_in, set: PhantomData });
        let cached = |name: &str| {
            let source = source_of(name);
            WordVectors::open(&Self::cache(hub, name), |known| known == source)
        };
        let ways = Self::ways(hub);
        // All of the vectors, read before from whatever place, before any place is asked again.
        for (name, stand_in, _) in ways.iter().filter(|(_, stand_in, _)| stand_in.is_none()) {
            if let Some(vectors) = cached(name) {
                return found(vectors, *stand_in);
            }
        }
        let mut first_error = None;
        for (name, stand_in, read) in ways {
            if let Some(vectors) = cached(name) {
                return found(vectors, stand_in);
            }
            match read() {
                Ok(vectors) => {
                    // A cache that cannot be written costs the next run its seconds, and this one nothing.
                    let saved = vectors.save(&Self::cache(hub, name), &source_of(name)).ok();
                    return found(saved.and_then(|()| cached(name)).unwrap_or(vectors), stand_in);
                }
                // That of the book's own file says most. A file that is there and at fault is no reason to look elsewhere.
                Err(DataError::Hub(error)) => first_error = first_error.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(first_error.map_or_else(|| DataError::invalid("there is no such set"), DataError::Hub))
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.stand_in
    }

    /// Vectors that the sections of this chapter trained on the sample of sentences.
    fn sample() -> Result<Self, DataError> {
        let vectors = read_text(&hub::sample("glove/vec.txt")?)?;
        Ok(Self { vectors, stand_in: None, set: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word_vectors::tests::compass;

    /// A hub that asks no network.
    fn hub(cache: &std::path::Path) -> Hub {
        let mut hub = Hub::new(cache);
        hub.offline = true;
        hub
    }

    #[test]
    fn vectors_that_were_read_before_are_taken_all_of_them_first() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let hub = hub(folder.path());
        let keep = |name: &str| compass().save(&Glove6B50::cache(&hub, name), &source_of(name));
        keep("glove.6b.50d/top20k")?;
        let part = Glove6B50::fetch(&hub)?;
        assert_eq!(part.vectors.len(), compass().len());
        assert!(part.stand_in().is_some_and(|what| what.contains("20,000")));
        keep("glove.6b.50d/vectors")?;
        assert_eq!(Glove6B50::fetch(&hub)?.stand_in(), None);
        Ok(())
    }

    #[test]
    fn where_there_are_none_the_books_file_is_named() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let hub = hub(folder.path());
        // A file that was read from another source counts as none.
        compass().save(&Glove6B50::cache(&hub, "glove.6b.50d"), "another hash")?;
        let message = Glove6B50::fetch(&hub).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("cannot get `glove.6b.50d`") && message.contains("D2L_MIRROR"), "{message}");
        let message = FastTextWikiEn::fetch(&hub).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("`wiki.en`"), "{message}");
        Ok(())
    }

    #[test]
    fn the_sample_knows_the_books_words() -> anyhow::Result<()> {
        let vectors = Glove6B50::sample()?.vectors;
        assert!(vectors.len() > 200, "{}", vectors.len());
        for word in ["chip", "baby", "beautiful", "man", "woman", "son", "beijing", "china", "tokyo"] {
            assert!(vectors.number(word).is_some(), "{word}");
        }
        Ok(())
    }
}

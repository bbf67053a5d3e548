//! Word vectors in a file that is mapped into memory: the text of 400,000 vectors takes seconds to read, this file none.
//!
//! It is a safetensors file with the tables of [`Table`], numbers from the least significant byte on. What it was read from
//! and the hash of each table stand in its head, so that a damaged or foreign one is told apart and made anew.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use d2l::checkpoint::replace;
use d2l::data::hub::Mapped;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::word_vectors::{Parts, Table};

const SOURCE: &str = "source";

/// The tables of a mapped file.
#[derive(Debug)]
pub struct CachedVectors {
    file: Mapped,
    words: Range<usize>,
    ends: Range<usize>,
    order: Range<usize>,
    vectors: Range<usize>,
    norms: Range<usize>,
}

impl CachedVectors {
    /// Maps a file that [`save`] wrote; nothing where there is none, it comes from another source, or it is damaged.
    pub fn open(path: &Path, is_source: impl Fn(&str) -> bool) -> Option<Self> {
        // Numbers are used as they lie in the file.
        if cfg!(target_endian = "big") {
            return None;
        }
        let file = Mapped::open(path).ok()?;
        let (size, head) = SafeTensors::read_metadata(&file).ok()?;
        let start = size + 8; // the head's length comes first
        let known = head.metadata().as_ref()?;
        if !known.get(SOURCE).is_some_and(|source| is_source(source)) {
            return None;
        }
        let tensors = head.tensors();
        let range = |name: &str| {
            let (from, to) = tensors.get(name)?.data_offsets;
            let bytes = file.get(start + from..start + to)?;
            (known.get(name)? == &sha256(bytes)).then_some(start + from..start + to)
        };
        let (words, ends, order) = (range("words")?, range("ends")?, range("order")?);
        let this = Self { words, ends, order, vectors: range("vectors")?, norms: range("norms")?, file };
        this.fits().then_some(this)
    }

    /// Whether the tables are those of one set of words. The hash tells of damage, this of another program's file.
    fn fits(&self) -> bool {
        let of =
            |range: &Range<usize>, size: usize| range.start.is_multiple_of(size) && range.len().is_multiple_of(size);
        if !(of(&self.ends, 8) && of(&self.order, 4) && of(&self.vectors, 4) && of(&self.norms, 4)) {
            return false;
        }
        let Parts { words, ends, order, vectors, norms } = self.parts();
        let len = ends.len();
        len > 0
            && order.len() == len
            && norms.len() == len
            && vectors.len() >= len
            && vectors.len().is_multiple_of(len)
            && ends.is_sorted()
            && ends.last().is_some_and(|&end| end <= words.len() as u64)
            && order.iter().all(|&number| (number as usize) < len)
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        let bytes = |range: &Range<usize>| &self.file[range.clone()];
        Parts {
            words: bytes(&self.words),
            ends: bytemuck::cast_slice(bytes(&self.ends)),
            order: bytemuck::cast_slice(bytes(&self.order)),
            vectors: bytemuck::cast_slice(bytes(&self.vectors)),
            norms: bytemuck::cast_slice(bytes(&self.norms)),
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

/// Writes words and vectors to `path`: under another name first, which is then changed.
pub(crate) fn save(path: &Path, table: &Table, dimension: usize, source: &str) -> anyhow::Result<()> {
    if cfg!(target_endian = "big") {
        bail!("this machine puts the most significant byte first");
    }
    let len = table.ends.len();
    let tables: [(&str, Dtype, Vec<usize>, &[u8]); 5] = [
        ("words", Dtype::U8, vec![table.words.len()], &table.words),
        ("ends", Dtype::U64, vec![len], bytemuck::cast_slice(&table.ends)),
        ("order", Dtype::U32, vec![len], bytemuck::cast_slice(&table.order)),
        ("vectors", Dtype::F32, vec![len, dimension], bytemuck::cast_slice(&table.vectors)),
        ("norms", Dtype::F32, vec![len], bytemuck::cast_slice(&table.norms)),
    ];
    let mut head = HashMap::from([(SOURCE.to_string(), source.to_string())]);
    head.extend(tables.iter().map(|(name, .., bytes)| (name.to_string(), sha256(bytes))));
    let views = tables.into_iter().map(|(name, dtype, shape, bytes)| {
        TensorView::new(dtype, shape, bytes).map(|view| (name, view)).map_err(|error| anyhow!("{name}: {error}"))
    });
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, Some(head)).map_err(|error| anyhow!("{error}"))?;
    replace(path, |part| part.write_all(&bytes)).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word_vectors::WordVectors;
    use crate::word_vectors::tests::compass;

    #[test]
    fn what_was_saved_is_there_again_and_nothing_else() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("below/compass.safetensors");
        let vectors = compass();
        vectors.save(&path, "a hash")?;
        let open = |source: &str| WordVectors::open(&path, |known| known == source);
        let again = open("a hash").context("it was saved")?;
        assert_eq!((again.len(), again.dimension()), (vectors.len(), vectors.dimension()));
        for number in 0..vectors.len() {
            let word = vectors.word(number).context("a word")?;
            assert_eq!(again.word(number), Some(word));
            assert_eq!((again.number(word), again.vector(word)), (vectors.number(word), vectors.vector(word)));
        }
        assert_eq!(again.nearest(&[1.0, 2.0], 4), vectors.nearest(&[1.0, 2.0], 4));
        assert!(open("another hash").is_none());
        let whole = std::fs::read(&path)?;
        for cut in [0, 3, 8, 200, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut])?;
            assert!(open("a hash").is_none(), "{cut} bytes");
        }
        for at in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged)?;
            if let Some(vectors) = open("a hash") {
                // Only a mark in the head that nothing is read from may differ.
                assert_eq!(vectors.nearest(&[1.0, 2.0], 4), again.nearest(&[1.0, 2.0], 4), "byte {at}");
            }
        }
        Ok(())
    }
}

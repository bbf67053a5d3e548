//! Vectors that were trained here, as a file of text.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};
use d2l::checkpoint::replace;
use d2l::prelude::*;
use d2l::text::Vocab;

/// Writes a file that [`read_text`](crate::vector_files::read_text) reads: the words of a vocabulary but the unknown one, with their rows of `vectors`
/// `(vocabulary, dimension)`. Readers see the old or the new file, never a part.
///
/// # Errors
/// Where the file cannot be written, or `vectors` has not a row for each word.
pub fn write_text(path: &Path, vocab: &Vocab, vectors: &Tensor) -> anyhow::Result<()> {
    let rows = vectors.to_vec2::<f32>()?;
    ensure!(rows.len() == vocab.len(), "{} vectors are not those of {} words", rows.len(), vocab.len());
    let mut text = String::new();
    for (id, row) in (0u32..).zip(&rows).skip(1) {
        text += vocab.token(id)?;
        row.iter().try_for_each(|value| write!(text, " {value:.4}"))?;
        text.push('\n');
    }
    replace(path, |part| part.write_all(text.as_bytes()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector_files::read_text;

    #[test]
    fn what_is_written_is_read_again() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("vec.txt");
        let vocab = Vocab::new("ça va va".split(' '), 0, &[]);
        let vectors = Tensor::new(&[[9f32, 9.0], [1.5, -0.25], [0.0, 1e-7]], &Device::Cpu)?;
        write_text(&path, &vocab, &vectors)?;
        let again = read_text(&path)?;
        assert_eq!((again.len(), again.word(1), again.vector("va")), (3, Some("va"), &[1.5, -0.25][..]));
        assert!(write_text(&path, &vocab, &vectors.narrow(0, 0, 2)?).is_err());
        let error = write_text(&path.join("vec.txt"), &vocab, &vectors).expect_err("a file is no folder");
        assert!(format!("{error:#}").contains("vec.txt/vec.txt cannot be written"), "{error:#}");
        Ok(())
    }
}

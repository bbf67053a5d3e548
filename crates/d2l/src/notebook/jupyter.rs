//! A section's notebook outside of its program: in a Jupyter kernel for Rust, where cells run one by one.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use candle_core::{DType, Device, Var};

use super::{Chapter, Hyperparameters, Notebook, Options};

impl Chapter {
    /// Opens a section's notebook without running the section, with the hyperparameters `C` at their defaults, for a
    /// program that runs the cells by itself: a notebook that `cargo xtask notebook` writes. Its figures are saved as in
    /// a run, and also printed in the form that evcxr's Jupyter kernel shows inline.
    ///
    /// # Errors
    /// Where the chapter has no such section, the device cannot be had, or the folder cannot be made.
    pub fn open<C: Hyperparameters>(&self, section: &str, options: &Options) -> Result<(C, Notebook)> {
        let section = self.section(section)?;
        let scale = section.scale(options);
        let matches = section.command(scale).try_get_matches_from([section.name()])?;
        let config = C::from_arg_matches(&matches)?;
        let mut notebook = Notebook::new(self, section, options, scale)?;
        notebook.configured(serde_json::to_value(&config).context("the hyperparameters have no JSON form")?);
        notebook.inline_figures = true;
        Ok((config, notebook))
    }
}

/// As many tensors as a cell of a Jupyter notebook is expected to make at most.
const TENSORS_A_CELL: usize = 1 << 20;

impl Notebook {
    /// Begins a cell of a Jupyter notebook.
    ///
    /// There a cell is a shared object with a copy of candle of its own, whose count of tensors, by which autograd tells
    /// them apart, begins at one. It is moved beyond the tensors of the cells before, in a twentieth of a second for each.
    ///
    /// # Errors
    /// Where there is no room for a tensor of one byte.
    pub fn open_cell(&mut self) -> Result<()> {
        self.open_cells += 1;
        let counted = Var::zeros(1, DType::U8, &Device::Cpu)?;
        for _ in 0..self.open_cells * TENSORS_A_CELL {
            counted.as_detached_tensor(); // one tensor more, without numbers of its own
        }
        Ok(())
    }
}

/// A figure's file between the lines that evcxr looks for.
pub(super) fn content(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (kind, text) = if path.extension().is_some_and(|extension| extension == "svg") {
        ("image/svg+xml", String::from_utf8(bytes).with_context(|| format!("{} is no text", path.display()))?)
    } else {
        ("image/png", BASE64_STANDARD.encode(bytes))
    };
    Ok(format!("EVCXR_BEGIN_CONTENT {kind}\n{}\nEVCXR_END_CONTENT\n", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::content;

    #[test]
    fn figures_stand_between_the_kernels_lines() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (svg, png) = (folder.path().join("a.svg"), folder.path().join("a.png"));
        std::fs::write(&svg, "<svg/>\n")?;
        std::fs::write(&png, [1, 2, 3])?;
        assert_eq!(content(&svg)?, "EVCXR_BEGIN_CONTENT image/svg+xml\n<svg/>\nEVCXR_END_CONTENT\n");
        assert_eq!(content(&png)?, "EVCXR_BEGIN_CONTENT image/png\nAQID\nEVCXR_END_CONTENT\n");
        Ok(())
    }
}

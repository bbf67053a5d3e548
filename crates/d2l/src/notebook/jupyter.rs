//! A section's notebook outside of its program: in a Jupyter kernel for Rust, where cells run one by one.

use std::fmt::Write as _;
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
        notebook.kernel = Some(Kernel::default());
        Ok((config, notebook))
    }
}

/// As many tensors as a cell of a Jupyter notebook is expected to make at most.
const TENSORS_A_CELL: usize = 1 << 20;

impl Notebook {
    /// Begins a cell of a Jupyter notebook; elsewhere it does nothing.
    ///
    /// There a cell is a shared object with a copy of candle of its own, whose count of tensors, by which autograd tells
    /// them apart, begins at one. It is moved beyond the tensors of the cells before, in a twentieth of a second for each.
    ///
    /// # Errors
    /// Where there is no room for a tensor of one byte.
    pub fn open_cell(&mut self) -> Result<()> {
        let Some(kernel) = &mut self.kernel else { return Ok(()) };
        kernel.open_cells += 1;
        kernel.figures.clear();
        let counted = Var::zeros(1, DType::U8, &Device::Cpu)?;
        for _ in 0..kernel.open_cells * TENSORS_A_CELL {
            counted.as_detached_tensor(); // one tensor more, without numbers of its own
        }
        Ok(())
    }
}

/// What a Jupyter kernel is told of a section's notebook.
#[derive(Default)]
pub(super) struct Kernel {
    /// How many cells were begun.
    open_cells: usize,
    /// The figures of the cell that runs, as HTML.
    figures: String,
}

impl Kernel {
    /// The figures of the cell so far between the lines that evcxr looks for, `path` the newest: all of them each time,
    /// since the kernel shows a cell's last content of a kind.
    pub(super) fn figure(&mut self, path: &Path, alt: &str) -> Result<String> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let kind = if path.extension().is_some_and(|extension| extension == "svg") { "svg+xml" } else { "png" };
        let alt = alt.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
        // An image, not SVG in the page itself, where names within one figure would meet those of another.
        let bytes = BASE64_STANDARD.encode(bytes);
        write!(self.figures, "<p><img alt=\"{alt}\" src=\"data:image/{kind};base64,{bytes}\"></p>")?;
        Ok(format!("EVCXR_BEGIN_CONTENT text/html\n{}\nEVCXR_END_CONTENT\n", self.figures))
    }
}

#[cfg(test)]
mod tests {
    use super::Kernel;

    #[test]
    fn all_figures_of_a_cell_stand_between_the_kernels_lines() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (svg, png) = (folder.path().join("a.svg"), folder.path().join("a.png"));
        std::fs::write(&svg, "<svg/>")?;
        std::fs::write(&png, [1, 2, 3])?;
        let mut kernel = Kernel::default();
        let first = "<p><img alt=\"x &lt; &quot;y&quot;\" src=\"data:image/svg+xml;base64,PHN2Zy8+\"></p>";
        let begin = "EVCXR_BEGIN_CONTENT text/html\n";
        assert_eq!(kernel.figure(&svg, "x < \"y\"")?, format!("{begin}{first}\nEVCXR_END_CONTENT\n"));
        let both = format!("{first}<p><img alt=\"z\" src=\"data:image/png;base64,AQID\"></p>");
        assert_eq!(kernel.figure(&png, "z")?, format!("{begin}{both}\nEVCXR_END_CONTENT\n"));
        Ok(())
    }
}

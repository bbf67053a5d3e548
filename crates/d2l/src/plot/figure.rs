//! Saving figures, and what can be wrong with one.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::render;
use super::scene::Scene;

/// Why a figure cannot be drawn or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// A series whose coordinates do not pair up.
    #[error("series `{series}` has {xs} x values and {ys} y values: give as many of each")]
    Lengths {
        /// The series' label, or its place among the series.
        series: String,
        /// How many x values it has.
        xs: usize,
        /// How many y values it has.
        ys: usize,
    },
    /// A range that no axis can have.
    #[error("{axis} axis: the range {low}..{high} must rise and be finite, and be positive on a logarithmic axis")]
    Range {
        /// `x` or `y`.
        axis: &'static str,
        /// The range's start.
        low: f64,
        /// The range's end.
        high: f64,
    },
    /// An argument that does not fit the figure.
    #[error("{0}")]
    Argument(String),
    /// A tensor that cannot be read.
    #[error("cannot read the tensor to draw")]
    Tensor(#[from] candle_core::Error),
    /// A failure of the drawing backend.
    #[error("cannot draw the figure: {0}")]
    Draw(String),
    /// A file name that tells no known format.
    #[error("cannot save `{}`: its name must end in .svg or .png", path.display())]
    Extension {
        /// The file asked for.
        path: PathBuf,
    },
    /// A file that cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

mod sealed {
    use super::{PlotError, Scene};

    /// A drawing's layout: seals [`Figure`](super::Figure), since nobody outside can name a scene.
    pub trait Draw {
        const EXTENSION: &'static str;

        fn scene(&self) -> Result<Scene, PlotError>;
    }
}

pub(super) use sealed::Draw;

/// What can be saved as a picture: [`Chart`](super::Chart), [`Panels`](super::Panels),
/// [`Surface`](super::Surface), [`Graph`](super::Graph), [`ImageGrid`](super::ImageGrid) and
/// [`HeatMaps`](super::HeatMaps).
///
/// A file is written beside its final place and renamed, so that a reader never sees half a figure.
pub trait Figure: Draw {
    /// The figure as an SVG document, whose text is text.
    fn to_svg(&self) -> Result<String, PlotError>;

    /// The figure as a PNG file, two pixels to a CSS pixel.
    fn to_png(&self) -> Result<Vec<u8>, PlotError>;

    /// The extension of the format that suits this figure: `svg` for lines, `png` for images.
    fn preferred_extension(&self) -> &'static str;

    /// The same figure with a remark in a colored tag above its right corner, such as "sample data".
    fn with_note(self, note: impl Into<String>) -> Noted<Self>
    where
        Self: Sized,
    {
        Noted { figure: self, note: note.into() }
    }

    /// Saves the figure as SVG.
    fn save_svg(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        write(path.as_ref(), self.to_svg()?.as_bytes())
    }

    /// Saves the figure as PNG.
    fn save_png(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        write(path.as_ref(), &self.to_png()?)
    }

    /// Saves the figure in the format that the extension of `path` names, `svg` or `png`.
    fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        let path = path.as_ref();
        let extension = path.extension().unwrap_or_default();
        if extension.eq_ignore_ascii_case("svg") {
            self.save_svg(path)
        } else if extension.eq_ignore_ascii_case("png") {
            self.save_png(path)
        } else {
            Err(PlotError::Extension { path: path.to_owned() })
        }
    }
}

/// A figure with a remark on it, from [`Figure::with_note`].
#[derive(Debug, Clone)]
pub struct Noted<F> {
    figure: F,
    note: String,
}

impl<F: Draw> Draw for Noted<F> {
    const EXTENSION: &'static str = F::EXTENSION;

    fn scene(&self) -> Result<Scene, PlotError> {
        Ok(self.figure.scene()?.with_note(Some(&self.note)))
    }
}

impl<T: Draw> Figure for T {
    fn to_svg(&self) -> Result<String, PlotError> {
        render::svg(&self.scene()?)
    }

    fn to_png(&self) -> Result<Vec<u8>, PlotError> {
        render::png(&self.scene()?)
    }

    fn preferred_extension(&self) -> &'static str {
        T::EXTENSION
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), PlotError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".figure-");
    // A temporary file is private by default; a figure is for everyone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let written = builder.tempfile_in(folder).and_then(|mut file| {
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(|source| PlotError::Write { path: path.to_owned(), source })
}

//! Figures as SVG and PNG: lines, steps, stems, points, bars, areas, contours, surfaces, graphs, images and heat maps in
//! the manner of the book's.
//!
//! A figure is built by chained calls and saved through the trait [`Figure`]. It draws with the embedded `DejaVu Sans`,
//! so no system library is needed.
//!
//! ```
//! use d2l::plot::{self, Figure};
//!
//! let x: Vec<f64> = (0..30).map(|i| f64::from(i) / 10.0).collect();
//! let y: Vec<f64> = x.iter().map(|x| 3.0 * x * x - 4.0 * x).collect();
//! let tangent: Vec<f64> = x.iter().map(|x| 2.0 * x - 3.0).collect();
//! let figure = plot::plot(&x, [("f(x)", &y[..]), ("tangent line (x=1)", &tangent)]).x_label("x").y_label("f(x)");
//! assert!(figure.to_svg()?.starts_with("<svg"));
//! # Ok::<(), plot::PlotError>(())
//! ```

mod axis;
mod chart;
mod chart_drawing;
mod contour;
mod figure;
mod font;
mod graph;
mod heat_maps;
mod image;
mod image_grid;
mod legend;
mod marks;
mod panels;
mod render;
mod scene;
mod series;
mod surface;
mod terminal;

use num_traits::AsPrimitive;

pub use chart::Chart;
pub use figure::{Figure, Noted, PlotError};
pub use graph::Graph;
pub use heat_maps::HeatMaps;
pub use image::Image;
pub use image_grid::{ImageGrid, Marking};
pub use panels::Panels;
pub use surface::Surface;
pub use terminal::terminal;

/// A chart of labeled lines over the same `xs`, as section 2.4 draws a function and its tangent.
#[doc(alias = "d2l.plot")]
#[doc(alias = "use_svg_display")]
pub fn plot<'a, X, Y, L>(xs: &[X], lines: impl IntoIterator<Item = (L, &'a [Y])>) -> Chart
where
    X: AsPrimitive<f64>,
    Y: AsPrimitive<f64>,
    L: Into<String>,
{
    Chart::new().lines(xs, lines)
}

//! Matrices as colors.

use candle_core::{DType, Device, Tensor};
use plotters::style::RGBColor;

use super::axis::{self, AxisOptions};
use super::figure::Draw;
use super::scene::{Align, INK, Label, Point, Rect, Scene, Stroke};
use super::{PlotError, font};

const TICK_SIZE: f64 = 11.0;
const LABEL_SIZE: f64 = 12.5;
const GAP: f64 = 16.0;
const BAR_WIDTH: f64 = 12.0;
/// The largest side of one matrix, and of all matrices in a row.
const PANEL: f64 = 190.0;
const ALL_PANELS: f64 = 560.0;

/// From near white to dark red, as in `ColorBrewer`'s scale `Reds`.
const REDS: [RGBColor; 9] = [
    RGBColor(255, 245, 240),
    RGBColor(254, 224, 210),
    RGBColor(252, 187, 161),
    RGBColor(252, 146, 114),
    RGBColor(251, 106, 74),
    RGBColor(239, 59, 44),
    RGBColor(203, 24, 29),
    RGBColor(165, 15, 21),
    RGBColor(103, 0, 13),
];
/// From dark blue over near white to dark red, as in `ColorBrewer`'s scale `RdBu`.
const BLUES_AND_REDS: [RGBColor; 11] = [
    RGBColor(5, 48, 97),
    RGBColor(33, 102, 172),
    RGBColor(67, 147, 195),
    RGBColor(146, 197, 222),
    RGBColor(209, 229, 240),
    RGBColor(247, 247, 247),
    RGBColor(253, 219, 199),
    RGBColor(244, 165, 130),
    RGBColor(214, 96, 77),
    RGBColor(178, 24, 43),
    RGBColor(103, 0, 31),
];
/// What is not finite has no color.
const MISSING: RGBColor = RGBColor(0xcc, 0xcc, 0xcc);

/// Matrices in rows and columns as colored cells on one scale, which a bar at the right explains (section 10.1): from near
/// white to dark red, or, for values with a sign, [`HeatMaps::diverging`].
#[derive(Debug, Clone)]
#[doc(alias = "show_heatmaps")]
pub struct HeatMaps {
    panels: (usize, usize),
    cells: (usize, usize),
    values: Vec<f64>,
    diverging: bool,
    x_label: Option<String>,
    y_label: Option<String>,
    titles: Vec<String>,
    x_words: Vec<String>,
    y_words: Vec<String>,
    note: Option<String>,
}

impl HeatMaps {
    /// Heat maps of `matrices`: `(panel rows, panel columns, rows, columns)`, or one matrix `(rows, columns)`.
    ///
    /// # Errors
    /// Where the tensor has another rank or no elements.
    pub fn new(matrices: &Tensor) -> Result<Self, PlotError> {
        let (panels, cells) = match *matrices.dims() {
            [rows, columns] => ((1, 1), (rows, columns)),
            [panel_rows, panel_columns, rows, columns] => ((panel_rows, panel_columns), (rows, columns)),
            ref dims => {
                return Err(PlotError::Argument(format!(
                    "heat maps need a tensor (panel rows, panel columns, rows, columns) or (rows, columns), not {dims:?}"
                )));
            }
        };
        if matrices.elem_count() == 0 {
            return Err(PlotError::Argument(format!("heat maps of an empty tensor {:?}", matrices.dims())));
        }
        let values = matrices.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        Ok(Self {
            panels,
            cells,
            values,
            diverging: false,
            x_label: None,
            y_label: None,
            titles: Vec::new(),
            x_words: Vec::new(),
            y_words: Vec::new(),
            note: None,
        })
    }

    /// Colors for values whose sign counts, such as weights: zero is near white, what is above red, what is below blue,
    /// and both ends of the scale are equally far from zero.
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use d2l::plot::{Figure, HeatMaps};
    ///
    /// let edges = Tensor::new(&[[0f32, 1.0, 0.0, -0.5]], &Device::Cpu)?;
    /// let svg = HeatMaps::new(&edges)?.diverging().to_svg()?;
    /// assert!(svg.contains("#F7F7F7")); // zero
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn diverging(mut self) -> Self {
        self.diverging = true;
        self
    }

    /// What the columns of each matrix are, such as "Keys".
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x_label = Some(label.into());
        self
    }

    /// What the rows of each matrix are, such as "Queries".
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y_label = Some(label.into());
        self
    }

    /// A title above each panel, row by row.
    pub fn titles<T: Into<String>>(mut self, titles: impl IntoIterator<Item = T>) -> Self {
        self.titles = titles.into_iter().map(Into::into).collect();
        self
    }

    /// A word for each column in place of its number.
    pub fn x_words<T: Into<String>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.x_words = words.into_iter().map(Into::into).collect();
        self
    }

    /// A word for each row in place of its number.
    pub fn y_words<T: Into<String>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.y_words = words.into_iter().map(Into::into).collect();
        self
    }

    /// A remark in a colored tag above the right corner, such as "sample data".
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    fn draw_panel(&self, scene: &mut Scene, panel: usize, area: &Rect, color: impl Fn(f64) -> RGBColor) {
        let (rows, columns) = self.cells;
        let (cell_width, cell_height) = (area.width() / columns as f64, area.height() / rows as f64);
        for row in 0..rows {
            for column in 0..columns {
                let (left, top) = (area.left + column as f64 * cell_width, area.top + row as f64 * cell_height);
                let cell = Rect { left, top, right: left + cell_width, bottom: top + cell_height };
                scene.fill(cell, color(self.values[(panel * rows + row) * columns + column]), 1.0);
            }
        }
        scene.outline(*area, INK, 0.8);
        if let Some(title) = self.titles.get(panel) {
            let at = (f64::midpoint(area.left, area.right), area.top - 6.0);
            scene.text(Label::new(title, at, LABEL_SIZE, Align::Middle));
        }
    }

    fn draw_x_ticks(&self, scene: &mut Scene, area: &Rect) {
        let width = area.width() / self.cells.1 as f64;
        for (index, text) in ticks(self.cells.1, &self.x_words, width) {
            let at = area.left + (index as f64 + 0.5) * width;
            scene.path(&[(at, area.bottom), (at, area.bottom + 3.0)], Stroke::solid(INK, 0.8));
            let label = if self.x_words.is_empty() {
                Label::new(text, (at, area.bottom + 5.0 + TICK_SIZE * 0.8), TICK_SIZE, Align::Middle)
            } else {
                let at = (at + Label::half_capital(TICK_SIZE), area.bottom + 6.0);
                Label { upright: true, ..Label::new(text, at, TICK_SIZE, Align::End) }
            };
            scene.text(label);
        }
    }

    fn draw_y_ticks(&self, scene: &mut Scene, area: &Rect) {
        let height = area.height() / self.cells.0 as f64;
        for (index, text) in ticks(self.cells.0, &self.y_words, height) {
            let at = area.top + (index as f64 + 0.5) * height;
            scene.path(&[(area.left - 3.0, at), (area.left, at)], Stroke::solid(INK, 0.8));
            let at = (area.left - 6.0, at + Label::half_capital(TICK_SIZE));
            scene.text(Label::new(text, at, TICK_SIZE, Align::End));
        }
    }

    fn draw_bar(&self, scene: &mut Scene, area: &Rect) -> Result<(), PlotError> {
        let range = self.range();
        let bar = AxisOptions { range: Some(range.0..range.1), ..AxisOptions::default() };
        // Zero alone, in the middle of a scale that diverges, would not tell how far the scale goes.
        let intervals = ((area.height() / 40.0) as usize).max(if self.diverging { 4 } else { 2 });
        let axis = bar.fit("color", std::iter::empty(), intervals)?;
        let steps = area.height().ceil() as usize;
        let step = area.height() / steps as f64;
        for index in 0..steps {
            let bottom = area.bottom - index as f64 * step;
            let color = self.color((index as f64 + 0.5) / steps as f64);
            scene.fill(Rect { top: bottom - step, bottom, ..*area }, color, 1.0);
        }
        scene.outline(*area, INK, 0.8);
        for (value, text) in &axis.ticks {
            let at = area.bottom - axis.fraction(*value) * area.height();
            scene.path(&[(area.right, at), (area.right + 3.0, at)], Stroke::solid(INK, 0.8));
            let at = (area.right + 6.0, at + Label::half_capital(TICK_SIZE));
            scene.text(Label::new(text, at, TICK_SIZE, Align::Start));
        }
        if let Some(exponent) = axis.exponent {
            let text = format!("×10{}", axis::superscript(exponent));
            scene.text(Label::new(text, (area.left, area.top - 8.0), TICK_SIZE, Align::Start));
        }
        Ok(())
    }

    /// The range that the colors span.
    fn range(&self) -> (f64, f64) {
        let options = AxisOptions::default();
        let finite = self.values.iter().copied().filter(|&value| options.shows(value));
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if self.diverging {
            let far = low.abs().max(high.abs());
            // Without a value, `low` and `high` are infinite.
            return if far > 0.0 && far.is_finite() { axis::widened(-far, far) } else { (-1.0, 1.0) };
        }
        axis::widened(low, high)
    }

    /// The color at a place of the scale, 0 at its low end and 1 at its high one.
    fn color(&self, fraction: f64) -> RGBColor {
        if self.diverging { blend(&BLUES_AND_REDS, fraction) } else { blend(&REDS, fraction) }
    }
}

/// The rows or columns to name, and how: all words, or numbers at round steps that leave room for each.
fn ticks(count: usize, words: &[String], cell: f64) -> Vec<(usize, String)> {
    if !words.is_empty() {
        return words.iter().take(count).cloned().enumerate().collect();
    }
    let least = (24.0 / cell).ceil() as usize;
    let step = [1, 2, 5, 10, 20, 50, 100, 200, 500].into_iter().find(|&step| step >= least).unwrap_or(1000);
    (0..count).step_by(step).map(|index| (index, index.to_string())).collect()
}

/// The color at a place between 0, the first of `scale`, and 1, its last.
pub(super) fn blend(scale: &[RGBColor], fraction: f64) -> RGBColor {
    if !fraction.is_finite() {
        return MISSING;
    }
    let place = fraction.clamp(0.0, 1.0) * (scale.len() - 1) as f64;
    let index = (place as usize).min(scale.len() - 2);
    let t = place - index as f64;
    let (from, to) = (scale[index], scale[index + 1]);
    let mix = |from: u8, to: u8| (f64::from(from) + t * (f64::from(to) - f64::from(from))).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

impl Draw for HeatMaps {
    const EXTENSION: &'static str = "png";

    fn scene(&self) -> Result<Scene, PlotError> {
        for (axis, words, count) in [("x", &self.x_words, self.cells.1), ("y", &self.y_words, self.cells.0)] {
            if !words.is_empty() && words.len() != count {
                let given = words.len();
                return Err(PlotError::Argument(format!(
                    "{axis} words: {given} words for {count} cells, give as many"
                )));
            }
        }
        let (rows, columns) = self.cells;
        let widest = |texts: Vec<(usize, String)>| {
            texts.iter().map(|(_, text)| font::width(text, TICK_SIZE, false)).fold(0.0, f64::max)
        };
        let words = !self.x_words.is_empty() || !self.y_words.is_empty();
        // Words need a line each; numbers may skip.
        let panel = PANEL.min(ALL_PANELS / self.panels.1 as f64).max(if words {
            15.0 * rows.max(columns) as f64
        } else {
            60.0
        });
        let cell = panel / rows.max(columns) as f64;
        // Cells are square unless that makes a matrix too thin to read.
        let (width, height) = ((columns as f64 * cell).max(panel / 4.0), (rows as f64 * cell).max(panel / 4.0));

        let x_ticks = ticks(columns, &self.x_words, width / columns as f64);
        let y_ticks = ticks(rows, &self.y_words, height / rows as f64);
        let below = 10.0 + if self.x_words.is_empty() { TICK_SIZE } else { widest(x_ticks) };
        let x_label = if self.x_label.is_some() { LABEL_SIZE + 6.0 } else { 0.0 };
        let y_label = if self.y_label.is_some() { LABEL_SIZE + 8.0 } else { 0.0 };
        let title = if self.titles.is_empty() { 0.0 } else { LABEL_SIZE + 8.0 };
        let left = 8.0 + y_label + widest(y_ticks) + 8.0;
        let corner = |row: usize, column: usize| -> Point {
            (left + column as f64 * (width + GAP), 10.0 + title + row as f64 * (height + GAP + title))
        };
        let area = |row: usize, column: usize| {
            let (left, top) = corner(row, column);
            Rect { left, top, right: left + width, bottom: top + height }
        };
        let last = area(self.panels.0 - 1, self.panels.1 - 1);
        let mut scene = Scene::new(last.right + GAP + BAR_WIDTH + 50.0, last.bottom + below + x_label + 8.0);

        let (low, high) = self.range();
        for row in 0..self.panels.0 {
            for column in 0..self.panels.1 {
                let area = area(row, column);
                let color = |value: f64| self.color((value - low) / (high - low));
                self.draw_panel(&mut scene, row * self.panels.1 + column, &area, color);
                if row + 1 == self.panels.0 {
                    self.draw_x_ticks(&mut scene, &area);
                    if let Some(label) = &self.x_label {
                        let at = (f64::midpoint(area.left, area.right), scene.height - 8.0);
                        scene.text(Label::new(label, at, LABEL_SIZE, Align::Middle));
                    }
                }
                if column == 0 {
                    self.draw_y_ticks(&mut scene, &area);
                    if let Some(label) = &self.y_label {
                        let at = (6.0 + LABEL_SIZE * 0.85, f64::midpoint(area.top, area.bottom));
                        scene.text(Label { upright: true, ..Label::new(label, at, LABEL_SIZE, Align::Middle) });
                    }
                }
            }
        }
        let middle = f64::midpoint(area(0, 0).top, last.bottom);
        let half = ((last.bottom - area(0, 0).top) / 2.0).min(110.0);
        let bar_left = last.right + GAP;
        let bar = Rect { left: bar_left, top: middle - half, right: bar_left + BAR_WIDTH, bottom: middle + half };
        self.draw_bar(&mut scene, &bar)?;
        Ok(scene.with_note(self.note.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Figure;

    fn maps(values: &[f32]) -> Result<HeatMaps, PlotError> {
        HeatMaps::new(&Tensor::new(values, &Device::Cpu)?.reshape((1, values.len()))?)
    }

    #[test]
    fn a_scale_that_diverges_has_zero_in_its_middle() -> Result<(), PlotError> {
        let maps = maps(&[0.0, 2.0, -0.5, f32::NAN])?.diverging();
        assert_eq!(maps.range(), (-2.0, 2.0));
        let middle = BLUES_AND_REDS[5];
        assert_eq!(
            (maps.color(0.5), maps.color(0.0), maps.color(1.0)),
            (middle, RGBColor(5, 48, 97), RGBColor(103, 0, 31))
        );
        let svg = maps.to_svg()?;
        for color in ["#F7F7F7", "#67001F", "#CCCCCC"] {
            assert!(svg.contains(color), "{color}");
        }
        // Below zero is blue: a quarter of the way from the middle to the low end.
        let RGBColor(red, _, blue) = maps.color(0.375);
        assert!(blue > red, "{red} and {blue}");
        // Both ends are named.
        let lines: Vec<&str> = svg.lines().map(str::trim).collect();
        assert!(lines.contains(&"\u{2212}2") && lines.contains(&"2"), "{svg}");
        Ok(())
    }

    #[test]
    fn a_scale_that_diverges_bears_zeros_and_values_that_are_none() -> Result<(), PlotError> {
        for values in [&[0.0, 0.0][..], &[f32::NAN]] {
            let maps = maps(values)?.diverging();
            assert_eq!(maps.range(), (-1.0, 1.0));
            assert!(!maps.to_svg()?.contains("NaN"));
        }
        Ok(())
    }
}

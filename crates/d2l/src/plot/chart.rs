//! Lines, points and bars over two axes.

use std::ops::Range;

use num_traits::AsPrimitive;
use plotters::style::RGBColor;

use super::axis::{self, Axis, AxisOptions};
use super::contour;
use super::figure::Draw;
use super::legend::{self, Key};
use super::scene::{Align, GRID, INK, Label, Point, Rect, Scene, Stroke, WHITE};
use super::{PlotError, font};

const SIZE: (f64, f64) = (480.0, 340.0);
const TICK_SIZE: f64 = 12.0;
const LABEL_SIZE: f64 = 13.0;
const TITLE_SIZE: f64 = 14.0;
const LINE_WIDTH: f64 = 1.8;
const REFERENCE: Stroke = Stroke { color: RGBColor(0x66, 0x66, 0x66), width: 1.2, dash: &[4.0, 3.0] };

const DASHED: &[f64] = &[7.0, 3.5];
const DASH_DOT: &[f64] = &[8.0, 3.0, 2.0, 3.0];
const DOTTED: &[f64] = &[2.0, 2.5];

/// The book's four styles (`-`, `m--`, `g-.`, `r:`), then four more that differ from them in color and dashes.
const STROKES: [Stroke; 8] = [
    Stroke::solid(RGBColor(0x1f, 0x77, 0xb4), LINE_WIDTH),
    Stroke { color: RGBColor(0xbf, 0x00, 0xbf), width: LINE_WIDTH, dash: DASHED },
    Stroke { color: RGBColor(0x00, 0x80, 0x00), width: LINE_WIDTH, dash: DASH_DOT },
    Stroke { color: RGBColor(0xff, 0x00, 0x00), width: LINE_WIDTH, dash: DOTTED },
    Stroke::solid(RGBColor(0xff, 0x7f, 0x0e), LINE_WIDTH),
    Stroke { color: RGBColor(0x8c, 0x56, 0x4b), width: LINE_WIDTH, dash: DASHED },
    Stroke { color: RGBColor(0x17, 0x9c, 0xae), width: LINE_WIDTH, dash: DASH_DOT },
    Stroke { color: RGBColor(0x55, 0x55, 0x55), width: LINE_WIDTH, dash: DOTTED },
];
/// Bars have no dashes to tell them apart, so their neighbors differ more in color.
const BARS: [RGBColor; 4] =
    [RGBColor(0x1f, 0x77, 0xb4), RGBColor(0xff, 0x7f, 0x0e), RGBColor(0x2c, 0xa0, 0x2c), RGBColor(0x94, 0x67, 0xbd)];

#[derive(Debug, Clone)]
pub(super) enum Mark {
    Line(Stroke),
    /// A line with a dot at each of its points.
    Trace(Stroke),
    /// A piece of a contour: no line of its own to the order of styles.
    Contour(Stroke),
    Dots {
        radius: f64,
        color: RGBColor,
    },
    /// `xs` are the edges of the bins, one more than `ys`; the series takes one of `of` places in each bin.
    Bars {
        place: usize,
        of: usize,
        color: RGBColor,
    },
}

/// The book's color of a trace.
const TRACE: Stroke = Stroke::solid(RGBColor(0xff, 0x7f, 0x0e), 1.5);
const TRACE_DOT: f64 = 2.8;
const CONTOUR: Stroke = Stroke::solid(RGBColor(0x1f, 0x77, 0xb4), 1.1);
const ANNOTATION_SIZE: f64 = 12.0;

/// A text with an arrow from it to a point, both in the chart's own coordinates.
#[derive(Debug, Clone)]
struct Annotation {
    text: String,
    at: Point,
    text_at: Point,
}

#[derive(Debug, Clone)]
pub(super) struct Series {
    pub label: Option<String>,
    pub xs: Vec<f64>,
    pub ys: Vec<f64>,
    pub mark: Mark,
}

/// A chart of lines, points or bars, built up by chained calls; it answers for the book's `d2l.plot`.
///
/// Values that are not finite (or not positive on a logarithmic axis) are gaps. Mistakes in the arguments show when
/// the chart is drawn, as a [`PlotError`].
///
/// ```
/// use d2l::plot::{Chart, Figure};
///
/// let epochs = [1, 2, 3];
/// let svg = Chart::new()
///     .x_label("epoch")
///     .y_label("loss")
///     .line("train loss", &epochs, &[0.79, 0.57, 0.52])
///     .to_svg()?;
/// assert!(svg.contains("train loss"));
/// # Ok::<(), d2l::plot::PlotError>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "set_axes")]
#[doc(alias = "set_figsize")]
#[doc(alias = "use_svg_display")]
pub struct Chart {
    size: (f64, f64),
    title: Option<String>,
    note: Option<String>,
    pub(super) x: AxisOptions,
    pub(super) y: AxisOptions,
    pub(super) series: Vec<Series>,
    horizontals: Vec<f64>,
    verticals: Vec<f64>,
    annotations: Vec<Annotation>,
}

impl Default for Chart {
    fn default() -> Self {
        Self::new()
    }
}

fn floats<T: AsPrimitive<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.as_()).collect()
}

impl Chart {
    /// An empty chart of 480 x 340 CSS pixels.
    pub fn new() -> Self {
        Self {
            size: SIZE,
            title: None,
            note: None,
            x: AxisOptions::default(),
            y: AxisOptions::default(),
            series: Vec::new(),
            horizontals: Vec::new(),
            verticals: Vec::new(),
            annotations: Vec::new(),
        }
    }

    /// The size in CSS pixels; PNG has twice as many pixels each way. At least 120 x 100 is drawn.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (f64::from(width.max(120)), f64::from(height.max(100)));
        self
    }

    /// A title above the chart.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// A remark in a colored tag above the right corner, such as "sample data".
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// What the x axis measures.
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x.label = Some(label.into());
        self
    }

    /// What the y axis measures.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y.label = Some(label.into());
        self
    }

    /// The ends of the x axis; by default the data with a margin.
    #[doc(alias = "xlim")]
    pub fn x_range(mut self, range: Range<f64>) -> Self {
        self.x.range = Some(range);
        self
    }

    /// The ends of the y axis; by default the data with a margin.
    #[doc(alias = "ylim")]
    pub fn y_range(mut self, range: Range<f64>) -> Self {
        self.y.range = Some(range);
        self
    }

    /// Makes the x axis logarithmic.
    #[doc(alias = "xscale")]
    pub fn log_x(mut self) -> Self {
        self.x.log = true;
        self
    }

    /// Makes the y axis logarithmic.
    #[doc(alias = "yscale")]
    pub fn log_y(mut self) -> Self {
        self.y.log = true;
        self
    }

    /// Keeps the ticks of the x axis to whole numbers, as epochs are; so they are anyway where every x is whole.
    pub fn whole_x(mut self) -> Self {
        self.x.whole = true;
        self
    }

    /// Adds a line through the points `(xs[i], ys[i])` in the next of the line styles.
    pub fn line<X, Y>(self, label: impl Into<String>, xs: &[X], ys: &[Y]) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        self.add_line(Some(label.into()), floats(xs), floats(ys))
    }

    /// Adds several lines over the same `xs`, each with its label.
    pub fn lines<'a, X, Y, L>(self, xs: &[X], lines: impl IntoIterator<Item = (L, &'a [Y])>) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
        L: Into<String>,
    {
        lines.into_iter().fold(self, |chart, (label, ys)| chart.line(label, xs, ys))
    }

    /// Adds a line that the legend does not name.
    pub fn unlabeled_line<X, Y>(self, xs: &[X], ys: &[Y]) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        self.add_line(None, floats(xs), floats(ys))
    }

    fn add_line(mut self, label: Option<String>, xs: Vec<f64>, ys: Vec<f64>) -> Self {
        let lines = self.series.iter().filter(|series| matches!(series.mark, Mark::Line(_))).count();
        self.series.push(Series { label, xs, ys, mark: Mark::Line(STROKES[lines % STROKES.len()]) });
        self.color_dots();
        self
    }

    /// Adds the points of a search `(xs[i], ys[i])`, joined by a line in their order; an empty label keeps them out of
    /// the legend.
    pub fn trace<X, Y>(mut self, label: impl Into<String>, xs: &[X], ys: &[Y]) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        let label = Some(label.into()).filter(|label| !label.is_empty());
        self.series.push(Series { label, xs: floats(xs), ys: floats(ys), mark: Mark::Trace(TRACE) });
        self
    }

    /// Adds the contours of `f` at some eight round values, from its values on the grid of `xs` and `ys`, both rising.
    #[doc(alias = "contour")]
    pub fn contours<X, Y>(mut self, xs: &[X], ys: &[Y], f: impl Fn(f64, f64) -> f64) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        for line in contour::lines(&floats(xs), &floats(ys), f) {
            let (xs, ys) = line.into_iter().unzip();
            self.series.push(Series { label: None, xs, ys, mark: Mark::Contour(CONTOUR) });
        }
        self
    }

    /// Adds a text, its middle at `text_at`, and an arrow from it to the point `at`, both in the chart's coordinates.
    #[doc(alias = "annotate")]
    pub fn annotation(mut self, text: impl Into<String>, at: (f64, f64), text_at: (f64, f64)) -> Self {
        self.annotations.push(Annotation { text: text.into(), at, text_at });
        self
    }

    /// Gives points the colors in order, those beside lines from the second on, since the first line has the first.
    fn color_dots(&mut self) {
        let mut place = usize::from(self.series.iter().any(|series| matches!(series.mark, Mark::Line(_))));
        for series in &mut self.series {
            if let Mark::Dots { color, .. } = &mut series.mark {
                *color = BARS[place % BARS.len()];
                place += 1;
            }
        }
    }

    /// Adds points of `diameter` CSS pixels; an empty label keeps them out of the legend.
    pub fn scatter<X, Y>(mut self, label: impl Into<String>, xs: &[X], ys: &[Y], diameter: f64) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        let mark = Mark::Dots { radius: diameter.clamp(0.5, 50.0) / 2.0, color: BARS[0] };
        let label = Some(label.into()).filter(|label| !label.is_empty());
        self.series.push(Series { label, xs: floats(xs), ys: floats(ys), mark });
        self.color_dots();
        self
    }

    /// Adds the counts of each group's values in `bins` bins of equal width over all groups, the groups' bars side by
    /// side.
    #[doc(alias = "hist")]
    #[doc(alias = "show_list_len_pair_hist")]
    pub fn histogram<'a, T, L>(mut self, groups: impl IntoIterator<Item = (L, &'a [T])>, bins: usize) -> Self
    where
        T: AsPrimitive<f64>,
        L: Into<String>,
    {
        let groups: Vec<(String, Vec<f64>)> =
            groups.into_iter().map(|(label, values)| (label.into(), floats(values))).collect();
        let finite = groups.iter().flat_map(|(_, values)| values).copied().filter(|value| self.x.shows(*value));
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = axis::widened(low, high);
        let bins = bins.max(1);
        let width = (high - low) / bins as f64;
        let edges: Vec<f64> = (0..=bins).map(|edge| low + edge as f64 * width).collect();
        let of = groups.len();
        for (place, (label, values)) in groups.into_iter().enumerate() {
            let mut counts = vec![0.0; bins];
            for value in values.into_iter().filter(|value| (low..=high).contains(value)) {
                // The last bin holds its right edge too.
                counts[(((value - low) / width) as usize).min(bins - 1)] += 1.0;
            }
            let mark = Mark::Bars { place, of, color: BARS[place % BARS.len()] };
            let label = Some(label).filter(|label| !label.is_empty());
            self.series.push(Series { label, xs: edges.clone(), ys: counts, mark });
        }
        self
    }

    /// Adds a dashed gray line across the chart at height `y`.
    #[doc(alias = "axhline")]
    pub fn horizontal(mut self, y: f64) -> Self {
        self.horizontals.push(y);
        self
    }

    /// Adds a dashed gray line up the chart at `x`.
    #[doc(alias = "axvline")]
    pub fn vertical(mut self, x: f64) -> Self {
        self.verticals.push(x);
        self
    }

    /// The axes that hold all series, with at most so many intervals between ticks.
    pub(super) fn axes(&self, x_intervals: usize, y_intervals: usize) -> Result<(Axis, Axis), PlotError> {
        for (index, series) in self.series.iter().enumerate() {
            let expected = series.ys.len() + usize::from(matches!(series.mark, Mark::Bars { .. }));
            if series.xs.len() != expected {
                let series_name = series.label.clone().unwrap_or_else(|| format!("number {}", index + 1));
                return Err(PlotError::Lengths { series: series_name, xs: series.xs.len(), ys: series.ys.len() });
            }
        }
        let bars = self.series.iter().any(|series| matches!(series.mark, Mark::Bars { .. }));
        let xs = || self.series.iter().flat_map(|series| &series.xs).chain(&self.verticals).copied();
        let ys = self.series.iter().flat_map(|series| &series.ys).chain(&self.horizontals).copied();
        let mut shown = xs().filter(|&x| self.x.shows(x)).peekable();
        let whole = self.x.whole || (!bars && shown.peek().is_some() && shown.all(|x| x.fract() == 0.0));
        let x = AxisOptions { whole, ..self.x.clone() }.fit("x", xs(), x_intervals)?;
        let mut y_options = self.y.clone();
        if bars && self.y.range.is_none() && !self.y.log {
            // Bars stand on zero.
            let highest = ys.clone().filter(|&y| self.y.shows(y)).fold(1.0, f64::max);
            y_options.range = Some(0.0..1.05 * highest);
        }
        Ok((x, y_options.fit("y", ys, y_intervals)?))
    }

    fn layout(&self, frame_guess: Rect) -> Result<Layout, PlotError> {
        // A tick label needs some 60 pixels across, 36 pixels up.
        let intervals = |length: f64, each: f64| ((length / each) as usize).max(2);
        let (x, y) = self.axes(intervals(frame_guess.width(), 60.0), intervals(frame_guess.height(), 36.0))?;
        Ok(Layout { frame: frame_guess, x, y, legend: 0.0 })
    }

    /// The frame inside the figure: what labels, and a legend of this height above the frame, need stays around it.
    fn fit_frame(&self, legend: f64) -> Result<Layout, PlotError> {
        let (width, height) = self.size;
        let guess = Rect { left: 60.0, top: 20.0, right: width - 12.0, bottom: height - 45.0 };
        let layout = self.layout(guess)?;
        let widest = layout.y.ticks.iter().map(|(_, label)| font::width(label, TICK_SIZE, false)).fold(0.0, f64::max);
        let y_label = if self.y.label.is_some() { LABEL_SIZE + 7.0 } else { 0.0 };
        let x_label = if self.x.label.is_some() { LABEL_SIZE + 6.0 } else { 0.0 };
        let x_exponent = if layout.x.exponent.is_some() { TICK_SIZE + 4.0 } else { 0.0 };
        let above = if layout.y.exponent.is_some() { TICK_SIZE + 8.0 } else { 10.0 };
        let frame = Rect {
            left: 8.0 + y_label + widest + 7.0,
            top: legend + if self.title.is_some() { (TITLE_SIZE + 14.0).max(above) } else { above },
            right: width - 16.0,
            bottom: height - (8.0 + x_label.max(x_exponent) + TICK_SIZE + 7.0),
        };
        Ok(Layout { frame, legend, ..layout })
    }

    fn draw_axes(&self, scene: &mut Scene, layout: &Layout) {
        let Layout { frame, x, y, legend } = layout;
        let grid = Stroke::solid(GRID, 0.8);
        let tick = Stroke::solid(INK, 0.9);
        for (value, text) in &x.ticks {
            let at = layout.x_at(*value);
            scene.path(&[(at, frame.top), (at, frame.bottom)], grid);
            scene.path(&[(at, frame.bottom), (at, frame.bottom + 3.5)], tick);
            let baseline = frame.bottom + 6.0 + TICK_SIZE * 0.78;
            scene.text(Label::new(text, (at, baseline), TICK_SIZE, Align::Middle));
        }
        for (value, text) in &y.ticks {
            let at = layout.y_at(*value);
            scene.path(&[(frame.left, at), (frame.right, at)], grid);
            scene.path(&[(frame.left - 3.5, at), (frame.left, at)], tick);
            let baseline = at + Label::half_capital(TICK_SIZE);
            scene.text(Label::new(text, (frame.left - 6.5, baseline), TICK_SIZE, Align::End));
        }
        let power = |exponent: i32| format!("×10{}", axis::superscript(exponent));
        let below = self.size.1 - 10.0;
        if let Some(exponent) = x.exponent {
            scene.text(Label::new(power(exponent), (frame.right, below), TICK_SIZE, Align::End));
        }
        if let Some(exponent) = y.exponent {
            scene.text(Label::new(power(exponent), (frame.left, frame.top - 6.0), TICK_SIZE, Align::Start));
        }
        let middle = (f64::midpoint(frame.left, frame.right), f64::midpoint(frame.top, frame.bottom));
        if let Some(label) = &self.x.label {
            scene.text(Label::new(label, (middle.0, below), LABEL_SIZE, Align::Middle));
        }
        if let Some(label) = &self.y.label {
            let label = Label::new(label, (6.0 + LABEL_SIZE * 0.85, middle.1), LABEL_SIZE, Align::Middle);
            scene.text(Label { upright: true, ..label });
        }
        if let Some(title) = &self.title {
            scene.text(Label::new(title, (middle.0, frame.top - legend - 9.0), TITLE_SIZE, Align::Middle));
        }
    }

    /// Draws the series, and tells where their ink is.
    fn draw_series(&self, scene: &mut Scene, layout: &Layout) -> Vec<Point> {
        let frame = &layout.frame;
        let mut ink = Vec::new();
        for series in &self.series {
            match series.mark {
                Mark::Line(stroke) | Mark::Contour(stroke) => {
                    for run in self.runs(series) {
                        let points: Vec<Point> = run.iter().map(|&point| layout.at(point)).collect();
                        if let [point] = points[..] {
                            // A line of one point would be invisible.
                            if frame.contains(point) {
                                scene.dot(point, 2.5, stroke.color);
                                ink.push(point);
                            }
                        }
                        for piece in clip(&thin(&points), frame) {
                            legend::trace(&piece, &mut ink);
                            scene.path(&piece, stroke);
                        }
                    }
                }
                Mark::Trace(stroke) => {
                    for run in self.runs(series) {
                        let points: Vec<Point> = run.iter().map(|&point| layout.at(point)).collect();
                        for piece in clip(&points, frame) {
                            legend::trace(&piece, &mut ink);
                            scene.path(&piece, stroke);
                        }
                        for &point in points.iter().filter(|&&point| frame.contains(point)) {
                            scene.dot(point, TRACE_DOT, stroke.color);
                            ink.push(point);
                        }
                    }
                }
                Mark::Dots { radius, color } => {
                    for point in self.runs(series).into_iter().flatten().map(|point| layout.at(point)) {
                        if frame.contains(point) {
                            scene.dot(point, radius, color);
                            ink.push(point);
                        }
                    }
                }
                Mark::Bars { place, of, color } => {
                    for (edges, &count) in series.xs.windows(2).zip(&series.ys) {
                        let (start, end) = (layout.x_at(edges[0]), layout.x_at(edges[1]));
                        // A fifth of each bin stays empty between its neighbors.
                        let width = 0.8 * (end - start) / of as f64;
                        let left = start + 0.1 * (end - start) + place as f64 * width;
                        let bar = Rect { left, top: layout.y_at(count), right: left + width, bottom: frame.bottom };
                        let bar = bar.within(frame);
                        if bar.height() > 0.0 && bar.width() > 0.0 {
                            scene.fill(bar, color, 1.0);
                            legend::cover(&bar, &mut ink);
                        }
                    }
                }
            }
        }
        ink
    }

    /// The stretches of a series between values that have no place on the axes.
    fn runs(&self, series: &Series) -> Vec<Vec<Point>> {
        let points: Vec<Point> = series.xs.iter().copied().zip(series.ys.iter().copied()).collect();
        points
            .split(|&(x, y)| !self.x.shows(x) || !self.y.shows(y))
            .filter(|run| !run.is_empty())
            .map(<[Point]>::to_vec)
            .collect()
    }

    /// Draws the annotations over all series; they count as ink, which the legend keeps off.
    fn draw_annotations(&self, scene: &mut Scene, layout: &Layout, ink: &mut Vec<Point>) {
        for Annotation { text, at, text_at } in &self.annotations {
            let (at, middle) = (layout.at(*at), layout.at(*text_at));
            let half = (font::width(text, ANNOTATION_SIZE, false) / 2.0 + 3.0, ANNOTATION_SIZE * 0.75);
            let area = Rect {
                left: middle.0 - half.0,
                top: middle.1 - half.1,
                right: middle.0 + half.0,
                bottom: middle.1 + half.1,
            };
            // The arrow begins where the straight line from the text's middle leaves its box.
            let from = area.clip(middle, at).map_or(middle, |(_, end)| end);
            scene.arrow(from, at, INK, 1.0);
            let baseline = middle.1 + Label::half_capital(ANNOTATION_SIZE);
            scene.text(Label::new(text, (middle.0, baseline), ANNOTATION_SIZE, Align::Middle));
            legend::cover(&area, ink);
            legend::trace(&[from, at], ink);
        }
    }

    fn draw_references(&self, scene: &mut Scene, layout: &Layout) {
        let frame = &layout.frame;
        let across = self.horizontals.iter().filter(|&&y| self.y.shows(y)).map(|&y| {
            let at = layout.y_at(y);
            [(frame.left, at), (frame.right, at)]
        });
        let upwards = self.verticals.iter().filter(|&&x| self.x.shows(x)).map(|&x| {
            let at = layout.x_at(x);
            [(at, frame.bottom), (at, frame.top)]
        });
        for line in across.chain(upwards) {
            for piece in clip(&line, frame) {
                scene.path(&piece, REFERENCE);
            }
        }
    }
}

impl Draw for Chart {
    const EXTENSION: &'static str = "svg";

    fn scene(&self) -> Result<Scene, PlotError> {
        let keys: Vec<Key> = self
            .series
            .iter()
            .filter_map(|series| Some(Key { label: series.label.clone()?, mark: series.mark.clone() }))
            .collect();
        let mut layout = self.fit_frame(0.0)?;
        let (mut scene, ink) = self.drawn(&layout);
        if let Some(area) = legend::place(&keys, &layout.frame, &ink) {
            legend::draw(&mut scene, &keys, area);
        } else {
            layout = self.fit_frame(legend::height_above(&keys, layout.frame.width()))?;
            (scene, _) = self.drawn(&layout);
            let exponent = if layout.y.exponent.is_some() { TICK_SIZE + 4.0 } else { 0.0 };
            legend::draw_above(&mut scene, &keys, &layout.frame, layout.frame.top - layout.legend - exponent);
        }
        Ok(scene.with_note(self.note.as_deref()))
    }
}

impl Chart {
    /// Everything but the legend, and where the series' ink is.
    fn drawn(&self, layout: &Layout) -> (Scene, Vec<Point>) {
        let mut scene = Scene::new(self.size.0, self.size.1);
        scene.fill(layout.frame, WHITE, 1.0);
        self.draw_axes(&mut scene, layout);
        self.draw_references(&mut scene, layout);
        let mut ink = self.draw_series(&mut scene, layout);
        self.draw_annotations(&mut scene, layout, &mut ink);
        scene.outline(layout.frame, INK, 0.9);
        (scene, ink)
    }
}

struct Layout {
    frame: Rect,
    x: Axis,
    y: Axis,
    /// The height of the legend above the frame; 0 where it is within.
    legend: f64,
}

impl Layout {
    fn x_at(&self, x: f64) -> f64 {
        self.frame.left + self.x.fraction(x) * self.frame.width()
    }

    fn y_at(&self, y: f64) -> f64 {
        self.frame.bottom - self.y.fraction(y) * self.frame.height()
    }

    fn at(&self, (x, y): Point) -> Point {
        (self.x_at(x), self.y_at(y))
    }
}

/// The pieces of a line inside `frame`.
fn clip(points: &[Point], frame: &Rect) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let Some((from, to)) = frame.clip(pair[0], pair[1]) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

/// Of the points in one column of half a pixel, keeps the first, the lowest, the highest and the last: a curve of a
/// million steps looks the same and its file stays small.
fn thin(points: &[Point]) -> Vec<Point> {
    let column = |point: &Point| (2.0 * point.0).floor() as i64;
    let mut kept = Vec::new();
    for run in points.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |&a: &usize, &b: &usize| run[a].1.total_cmp(&run[b].1);
        let extremes = [(0..run.len()).min_by(by_height), (0..run.len()).max_by(by_height)];
        let mut indices: Vec<usize> = extremes.into_iter().flatten().chain([0, run.len() - 1]).collect();
        indices.sort_unstable();
        indices.dedup();
        kept.extend(indices.into_iter().map(|index| run[index]));
    }
    kept
}

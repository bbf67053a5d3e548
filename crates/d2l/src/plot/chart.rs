//! Charts of lines, points, bars and areas over two axes, as they are put together.

use std::ops::Range;

use num_traits::AsPrimitive;

use super::axis::{self, AxisOptions};
use super::contour;
use super::scene::Point;
use super::series::{self, COLORS, CONTOUR, Mark, Series, TRACE};

const SIZE: (f64, f64) = (480.0, 340.0);

/// A text with an arrow from it to a point, both in the chart's own coordinates.
#[derive(Debug, Clone)]
pub(super) struct Annotation {
    pub text: String,
    pub at: Point,
    pub text_at: Point,
}

/// A chart of lines, points, bars or areas, built up by chained calls; it answers for the book's `d2l.plot`.
///
/// Values that are not finite (or not positive on a logarithmic axis) are gaps. Mistakes in the arguments show when
/// the chart is drawn, as a [`PlotError`](super::PlotError).
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
    pub(super) size: (f64, f64),
    pub(super) title: Option<String>,
    pub(super) note: Option<String>,
    pub(super) x: AxisOptions,
    pub(super) y: AxisOptions,
    pub(super) same_scale: bool,
    pub(super) series: Vec<Series>,
    pub(super) horizontals: Vec<f64>,
    pub(super) verticals: Vec<f64>,
    pub(super) annotations: Vec<Annotation>,
}

impl Default for Chart {
    fn default() -> Self {
        Self::new()
    }
}

fn floats<T: AsPrimitive<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.as_()).collect()
}

/// The label of a series, which none has that is to stay out of the legend.
fn named(label: impl Into<String>) -> Option<String> {
    Some(label.into()).filter(|label| !label.is_empty())
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
            same_scale: false,
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

    /// Makes a unit as long on the x axis as on the y axis: of the two ranges, chosen or not, the one that would have
    /// the longer unit is widened about its middle. Not for logarithmic axes.
    #[doc(alias = "axis equal")]
    #[doc(alias = "set_aspect")]
    pub fn same_scale(mut self) -> Self {
        self.same_scale = true;
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

    fn add_line(self, label: Option<String>, xs: Vec<f64>, ys: Vec<f64>) -> Self {
        let mark = Mark::Line(series::next_stroke(&self.series));
        self.add(Series::new(label, xs, ys, mark))
    }

    fn add(mut self, series: Series) -> Self {
        self.series.push(series);
        series::color_dots(&mut self.series);
        self
    }

    /// Adds the points of a search `(xs[i], ys[i])`, joined by a line in their order; an empty label keeps them out of
    /// the legend.
    pub fn trace<X, Y>(self, label: impl Into<String>, xs: &[X], ys: &[Y]) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        self.add(Series::new(named(label), floats(xs), floats(ys), Mark::Trace(TRACE)))
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
            self.series.push(Series::new(None, xs, ys, Mark::Contour(CONTOUR)));
        }
        self
    }

    /// Adds a text, its middle at `text_at`, and an arrow from it to the point `at`, both in the chart's coordinates.
    #[doc(alias = "annotate")]
    pub fn annotation(mut self, text: impl Into<String>, at: (f64, f64), text_at: (f64, f64)) -> Self {
        self.annotations.push(Annotation { text: text.into(), at, text_at });
        self
    }

    /// Adds points of `diameter` CSS pixels; an empty label keeps them out of the legend.
    pub fn scatter<X, Y>(self, label: impl Into<String>, xs: &[X], ys: &[Y], diameter: f64) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        let mark = Mark::Dots { radius: diameter.clamp(0.5, 50.0) / 2.0, color: COLORS[0] };
        self.add(Series::new(named(label), floats(xs), floats(ys), mark))
    }

    /// Adds a dot at each point `(xs[i], ys[i])` on a line up or down from zero, as mass functions are drawn; an empty
    /// label keeps them out of the legend. The y axis ends at zero where no value lies beyond.
    #[doc(alias = "stem")]
    pub fn stems<X, Y>(self, label: impl Into<String>, xs: &[X], ys: &[Y]) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        self.add(Series::new(named(label), floats(xs), floats(ys), Mark::Stems(COLORS[0])))
    }

    /// Adds the step function that is `ys[i]` from `xs[i]` up to `xs[i + 1]`, in the next of the line styles and with
    /// thin rises, as distribution functions of counts are drawn; `xs` rises, and its last value is where the function
    /// ends. An empty label keeps it out of the legend.
    ///
    /// ```
    /// use d2l::plot::{Chart, Figure};
    ///
    /// // The distribution of what a die shows: 0 below 1, and 1 from 6 on.
    /// let faces = [0, 1, 2, 3, 4, 5, 6, 7];
    /// let shares = [0, 1, 2, 3, 4, 5, 6, 6].map(|count| f64::from(count) / 6.0);
    /// assert!(Chart::new().steps("F", &faces, &shares).to_svg()?.contains("polyline"));
    /// # Ok::<(), d2l::plot::PlotError>(())
    /// ```
    #[doc(alias = "step")]
    pub fn steps<X, Y>(self, label: impl Into<String>, xs: &[X], ys: &[Y]) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        let mark = Mark::Steps(series::next_stroke(&self.series));
        self.add(Series::new(named(label), floats(xs), floats(ys), mark))
    }

    /// Adds translucent bars from zero to `heights`, `width` wide on the x axis and their middles at `xs`, below all
    /// lines and points; an empty label keeps them out of the legend. The y axis ends at zero where no bar lies beyond.
    #[doc(alias = "bar")]
    pub fn bars<X, Y>(self, label: impl Into<String>, xs: &[X], heights: &[Y], width: f64) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
    {
        let mark = Mark::Bars { width, color: series::next_fill(&self.series) };
        self.add(Series::new(named(label), floats(xs), floats(heights), mark))
    }

    /// Fills what lies between the curves `lows` and `highs` over `xs` with the next of the colors, light, below all
    /// lines and points; an empty label keeps it out of the legend.
    #[doc(alias = "fill_between")]
    pub fn area<X, Y, Z>(self, label: impl Into<String>, xs: &[X], lows: &[Y], highs: &[Z]) -> Self
    where
        X: AsPrimitive<f64>,
        Y: AsPrimitive<f64>,
        Z: AsPrimitive<f64>,
    {
        let mark = Mark::Area(series::next_fill(&self.series));
        self.add(Series { lows: floats(lows), ..Series::new(named(label), floats(xs), floats(highs), mark) })
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
            let mark = Mark::Histogram { place, of, color: COLORS[place % COLORS.len()] };
            self.series.push(Series::new(named(label), edges.clone(), counts, mark));
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
}

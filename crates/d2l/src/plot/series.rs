//! The series of a chart: their values, and the marks and colors that they are drawn with.

use plotters::style::RGBColor;

use super::PlotError;
use super::scene::{Point, Stroke};

const LINE_WIDTH: f64 = 1.8;

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
/// Dots, bars and areas have no dashes to tell them apart, so neighbors differ more in color.
pub(super) const COLORS: [RGBColor; 4] =
    [RGBColor(0x1f, 0x77, 0xb4), RGBColor(0xff, 0x7f, 0x0e), RGBColor(0x2c, 0xa0, 0x2c), RGBColor(0x94, 0x67, 0xbd)];
/// The book's color of a trace.
pub(super) const TRACE: Stroke = Stroke::solid(RGBColor(0xff, 0x7f, 0x0e), 1.5);
pub(super) const CONTOUR: Stroke = Stroke::solid(RGBColor(0x1f, 0x77, 0xb4), 1.1);
/// The upright lines of steps, which are no values of the function.
pub(super) const RISE_WIDTH: f64 = 0.8;
pub(super) const STEM_WIDTH: f64 = 1.4;
pub(super) const BAR_EDGE: f64 = 0.8;
/// How much of what lies below is hidden.
pub(super) const BAR_OPACITY: f64 = 0.4;
pub(super) const AREA_OPACITY: f64 = 0.25;

/// How a series is drawn.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    Line(Stroke),
    /// A line with a dot at each of its points.
    Trace(Stroke),
    /// A piece of a contour: no line of its own to the order of styles.
    Contour(Stroke),
    /// A value that holds from its x to the next.
    Steps(Stroke),
    /// A dot at the end of a line from zero.
    Stems(RGBColor),
    Dots {
        radius: f64,
        color: RGBColor,
    },
    /// `xs` are the edges of the bins, one more than `ys`; the series takes one of `of` places in each bin.
    Histogram {
        place: usize,
        of: usize,
        color: RGBColor,
    },
    /// Bars of this width on the x axis, their middles at `xs`, from zero to `ys`.
    Bars {
        width: f64,
        color: RGBColor,
    },
    /// What lies between `lows` and `ys`.
    Area(RGBColor),
}

#[derive(Debug, Clone)]
pub(super) struct Series {
    pub label: Option<String>,
    pub xs: Vec<f64>,
    pub ys: Vec<f64>,
    /// The lower border of an area; other marks have none.
    pub lows: Vec<f64>,
    pub mark: Mark,
}

impl Series {
    pub fn new(label: Option<String>, xs: Vec<f64>, ys: Vec<f64>, mark: Mark) -> Self {
        Self { label, xs, ys, lows: Vec::new(), mark }
    }

    /// An error where values do not pair up or bars have no width; a series without a label is called by its place,
    /// which is `index` from zero.
    pub fn check(&self, index: usize) -> Result<(), PlotError> {
        let name = || self.label.clone().unwrap_or_else(|| format!("number {}", index + 1));
        let more_edges = usize::from(matches!(self.mark, Mark::Histogram { .. }));
        let lows = matches!(self.mark, Mark::Area(_)).then_some(self.lows.len());
        for ys in std::iter::once(self.ys.len()).chain(lows) {
            if self.xs.len() != ys + more_edges {
                return Err(PlotError::Lengths { series: name(), xs: self.xs.len(), ys });
            }
        }
        match self.mark {
            Mark::Bars { width, .. } if !width.is_finite() || width <= 0.0 => Err(PlotError::Argument(format!(
                "the bars of series `{}` are {width} wide: give a finite width above 0",
                name()
            ))),
            _ => Ok(()),
        }
    }

    pub fn points(&self) -> Vec<Point> {
        self.xs.iter().copied().zip(self.ys.iter().copied()).collect()
    }

    /// What the x axis is to hold: the values, or the sides of the bars around them.
    pub fn extent(&self) -> impl Iterator<Item = f64> {
        let half = if let Mark::Bars { width, .. } = self.mark { width / 2.0 } else { 0.0 };
        self.xs.iter().flat_map(move |&x| [x - half, x + half])
    }

    pub fn stands_on_zero(&self) -> bool {
        matches!(self.mark, Mark::Bars { .. } | Mark::Stems(_))
    }

    /// Whether other series are to be seen above it.
    pub fn lies_below(&self) -> bool {
        matches!(self.mark, Mark::Bars { .. } | Mark::Area(_))
    }

    fn is_line(&self) -> bool {
        matches!(self.mark, Mark::Line(_) | Mark::Steps(_))
    }
}

/// The style of the next line or steps.
pub(super) fn next_stroke(series: &[Series]) -> Stroke {
    let lines = series.iter().filter(|series| series.is_line()).count();
    STROKES[lines % STROKES.len()]
}

/// The color of the next area or bars.
pub(super) fn next_fill(series: &[Series]) -> RGBColor {
    let fills = series.iter().filter(|series| series.lies_below()).count();
    COLORS[fills % COLORS.len()]
}

/// Gives points and stems the colors in order, those beside lines from the second on, since the first line has the
/// first.
pub(super) fn color_dots(all: &mut [Series]) {
    let mut place = usize::from(all.iter().any(Series::is_line));
    for series in all {
        if let Mark::Dots { color, .. } | Mark::Stems(color) = &mut series.mark {
            *color = COLORS[place % COLORS.len()];
            place += 1;
        }
    }
}

/// The corners of the function that keeps the value of each point up to the next.
pub(super) fn stairs(points: &[Point]) -> Vec<Point> {
    let treads = points.windows(2).flat_map(|pair| [pair[0], (pair[1].0, pair[0].1)]);
    treads.chain(points.last().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_keeps_its_value_up_to_the_next() {
        assert_eq!(stairs(&[(0.0, 1.0), (2.0, 3.0)]), [(0.0, 1.0), (2.0, 1.0), (2.0, 3.0)]);
        assert!(stairs(&[]).is_empty());
    }

    #[test]
    fn each_kind_of_mark_has_an_order_of_colors() {
        let add = |mut all: Vec<Series>, mark: Mark| {
            all.push(Series::new(None, Vec::new(), Vec::new(), mark));
            all
        };
        let all = add(Vec::new(), Mark::Area(next_fill(&[])));
        let all = add(all, Mark::Steps(STROKES[0]));
        let mut all = add(all, Mark::Stems(COLORS[0]));
        assert_eq!((next_stroke(&all), next_fill(&all)), (STROKES[1], COLORS[1]));
        color_dots(&mut all);
        assert!(matches!(all[0].mark, Mark::Area(color) if color == COLORS[0]));
        assert!(matches!(all[2].mark, Mark::Stems(color) if color == COLORS[1]), "the steps have the first");
    }
}

//! How a chart is laid out and drawn: its axes, its frame and what stands around it.

use plotters::style::RGBColor;

use super::axis::{self, Axis, AxisOptions};
use super::chart::{Annotation, Chart};
use super::figure::Draw;
use super::legend::{self, Key};
use super::scene::{Align, GRID, INK, Label, Point, Rect, Scene, Stroke, WHITE};
use super::series::{Mark, Series};
use super::{PlotError, font, marks};

const TICK_SIZE: f64 = 12.0;
const LABEL_SIZE: f64 = 13.0;
const TITLE_SIZE: f64 = 14.0;
const ANNOTATION_SIZE: f64 = 12.0;
const REFERENCE: Stroke = Stroke { color: RGBColor(0x66, 0x66, 0x66), width: 1.2, dash: &[4.0, 3.0] };

impl Chart {
    /// The axes that hold all series, with at most so many intervals between ticks.
    pub(super) fn axes(&self, x_intervals: usize, y_intervals: usize) -> Result<(Axis, Axis), PlotError> {
        for (index, series) in self.series.iter().enumerate() {
            series.check(index)?;
        }
        let histogram = self.series.iter().any(|series| matches!(series.mark, Mark::Histogram { .. }));
        let given = self.series.iter().flat_map(|series| &series.xs).chain(&self.verticals).copied();
        let mut shown = given.filter(|&x| self.x.shows(x)).peekable();
        let whole = self.x.whole || (!histogram && shown.peek().is_some() && shown.all(|x| x.fract() == 0.0));
        let xs = self.series.iter().flat_map(Series::extent).chain(self.verticals.iter().copied());
        let x = AxisOptions { whole, ..self.x.clone() }.fit("x", xs, x_intervals)?;

        let heights = self.series.iter().flat_map(|series| series.ys.iter().chain(&series.lows));
        let ys = heights.chain(&self.horizontals).copied();
        let standing = || self.series.iter().filter(|series| series.stands_on_zero());
        let mut y_options = AxisOptions { from_zero: standing().next().is_some(), ..self.y.clone() };
        if histogram && self.y.range.is_none() && !self.y.log {
            // Counts stand on zero too, and the axis reaches to 1 at least.
            let highest = ys.clone().filter(|&y| self.y.shows(y)).fold(1.0, f64::max);
            let below = standing().flat_map(|series| &series.ys).copied();
            let lowest = below.filter(|&y| self.y.shows(y)).fold(0.0, f64::min);
            y_options.range = Some(1.05 * lowest..1.05 * highest);
        }
        Ok((x, y_options.fit("y", ys, y_intervals)?))
    }

    /// The axes for a frame of this size.
    fn layout(&self, frame: Rect) -> Result<Layout, PlotError> {
        // A tick label needs some 60 pixels across, 36 pixels up.
        let intervals = |length: f64, each: f64| ((length / each) as usize).max(2);
        let (x_intervals, y_intervals) = (intervals(frame.width(), 60.0), intervals(frame.height(), 36.0));
        let (mut x, mut y) = self.axes(x_intervals, y_intervals)?;
        if self.same_scale {
            if self.x.log || self.y.log {
                let message = "a logarithmic axis has no unit that could be as long on the other: leave out same_scale";
                return Err(PlotError::Argument(message.to_owned()));
            }
            let unit = ((x.high - x.low) / frame.width()).max((y.high - y.low) / frame.height());
            x = x.stretched(unit * frame.width(), x_intervals);
            y = y.stretched(unit * frame.height(), y_intervals);
        }
        Ok(Layout { frame, x, y, legend: 0.0 })
    }

    /// The frame inside the figure: what labels, and a legend of this height above the frame, need stays around it.
    fn fit_frame(&self, legend: f64) -> Result<Layout, PlotError> {
        let (width, height) = self.size;
        let guess = Rect { left: 60.0, top: 20.0, right: width - 12.0, bottom: height - 45.0 };
        let layout = self.layout(guess)?;
        let frame = self.frame_around(&layout, legend);
        if !self.same_scale {
            return Ok(Layout { frame, legend, ..layout });
        }
        // The scale follows from the frame, whose place follows from the labels of the ticks, hence from the scale.
        let frame = self.frame_around(&self.layout(frame)?, legend);
        Ok(Layout { legend, ..self.layout(frame)? })
    }

    /// The frame that leaves room for the labels of these axes.
    fn frame_around(&self, layout: &Layout, legend: f64) -> Rect {
        let (width, height) = self.size;
        let widest = layout.y.ticks.iter().map(|(_, label)| font::width(label, TICK_SIZE, false)).fold(0.0, f64::max);
        let y_label = if self.y.label.is_some() { LABEL_SIZE + 7.0 } else { 0.0 };
        let x_label = if self.x.label.is_some() { LABEL_SIZE + 6.0 } else { 0.0 };
        let x_exponent = if layout.x.exponent.is_some() { TICK_SIZE + 4.0 } else { 0.0 };
        let above = if layout.y.exponent.is_some() { TICK_SIZE + 8.0 } else { 10.0 };
        Rect {
            left: 8.0 + y_label + widest + 7.0,
            top: legend + if self.title.is_some() { (TITLE_SIZE + 14.0).max(above) } else { above },
            right: width - 16.0,
            bottom: height - (8.0 + x_label.max(x_exponent) + TICK_SIZE + 7.0),
        }
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
        let mut ink = marks::draw(self, layout, &mut scene);
        self.draw_annotations(&mut scene, layout, &mut ink);
        scene.outline(layout.frame, INK, 0.9);
        (scene, ink)
    }
}

/// Where the values of a chart stand in its figure.
pub(super) struct Layout {
    pub frame: Rect,
    x: Axis,
    y: Axis,
    /// The height of the legend above the frame; 0 where it is within.
    legend: f64,
}

impl Layout {
    pub fn x_at(&self, x: f64) -> f64 {
        self.frame.left + self.x.fraction(x) * self.frame.width()
    }

    pub fn y_at(&self, y: f64) -> f64 {
        self.frame.bottom - self.y.fraction(y) * self.frame.height()
    }

    pub fn at(&self, (x, y): Point) -> Point {
        (self.x_at(x), self.y_at(y))
    }

    /// The height on which bars and stems stand.
    pub fn base(&self) -> f64 {
        self.frame.bottom - self.y.base() * self.frame.height()
    }
}

/// The pieces of a line inside `frame`.
pub(super) fn clip(points: &[Point], frame: &Rect) -> Vec<Vec<Point>> {
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

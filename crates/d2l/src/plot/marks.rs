//! The marks of a chart's series, drawn within its frame.

use plotters::style::RGBColor;

use super::chart::Chart;
use super::chart_drawing::{Layout, clip};
use super::legend;
use super::scene::{Point, Rect, Scene, Stroke};
use super::series::{AREA_OPACITY, BAR_EDGE, BAR_OPACITY, Mark, RISE_WIDTH, STEM_WIDTH, Series};

const TRACE_DOT: f64 = 2.8;
const STEM_DOT: f64 = 3.0;
/// A line of one point would be invisible.
const LONE_DOT: f64 = 2.5;
/// Steps narrower than this cannot be told apart.
const NARROW_STEP: f64 = 1.5;
/// Bars narrower than this would consist of their edges.
const NARROW_BAR: f64 = 3.0;

/// Draws the series of `chart`, and tells where their ink is.
pub(super) fn draw(chart: &Chart, layout: &Layout, scene: &mut Scene) -> Vec<Point> {
    let mut canvas = Canvas { chart, layout, scene, ink: Vec::new() };
    let (below, above): (Vec<&Series>, Vec<&Series>) = chart.series.iter().partition(|series| series.lies_below());
    for series in below.into_iter().chain(above) {
        canvas.draw(series);
    }
    canvas.ink
}

struct Canvas<'a> {
    chart: &'a Chart,
    layout: &'a Layout,
    scene: &'a mut Scene,
    /// Where the legend would hide something.
    ink: Vec<Point>,
}

impl Canvas<'_> {
    fn draw(&mut self, series: &Series) {
        match series.mark {
            Mark::Line(stroke) | Mark::Contour(stroke) => self.line(series, stroke),
            Mark::Trace(stroke) => self.trace(series, stroke),
            Mark::Steps(stroke) => self.steps(series, stroke),
            Mark::Stems(color) => self.stems(series, color),
            Mark::Dots { radius, color } => self.dots(series, radius, color),
            Mark::Histogram { place, of, color } => self.histogram(series, (place, of), color),
            Mark::Bars { width, color } => self.bars(series, width, color),
            Mark::Area(color) => self.area(series, color),
        }
    }

    /// The stretches of a series between values that have no place on the axes, as points of the figure.
    fn runs(&self, series: &Series) -> Vec<Vec<Point>> {
        let (chart, layout) = (self.chart, self.layout);
        series
            .points()
            .split(|&(x, y)| !chart.x.shows(x) || !chart.y.shows(y))
            .filter(|run| !run.is_empty())
            .map(|run| run.iter().map(|&point| layout.at(point)).collect())
            .collect()
    }

    fn path(&mut self, points: &[Point], stroke: Stroke) {
        for piece in clip(points, &self.layout.frame) {
            legend::trace(&piece, &mut self.ink);
            self.scene.path(&piece, stroke);
        }
    }

    fn dot(&mut self, point: Point, radius: f64, color: RGBColor) {
        if self.layout.frame.contains(point) {
            self.scene.dot(point, radius, color);
            self.ink.push(point);
        }
    }

    fn line(&mut self, series: &Series, stroke: Stroke) {
        for points in self.runs(series) {
            if let [point] = points[..] {
                self.dot(point, LONE_DOT, stroke.color);
            }
            self.path(&thin(&points), stroke);
        }
    }

    fn trace(&mut self, series: &Series, stroke: Stroke) {
        for points in self.runs(series) {
            self.path(&points, stroke);
            for point in points {
                self.dot(point, TRACE_DOT, stroke.color);
            }
        }
    }

    fn dots(&mut self, series: &Series, radius: f64, color: RGBColor) {
        for point in self.runs(series).into_iter().flatten() {
            self.dot(point, radius, color);
        }
    }

    fn stems(&mut self, series: &Series, color: RGBColor) {
        let base = self.layout.base();
        for point in self.runs(series).into_iter().flatten() {
            self.path(&[(point.0, base), point], Stroke::solid(color, STEM_WIDTH));
            self.dot(point, STEM_DOT, color);
        }
    }

    fn steps(&mut self, series: &Series, stroke: Stroke) {
        for points in self.runs(series) {
            if let [point] = points[..] {
                self.dot(point, LONE_DOT, stroke.color);
            }
            let mut rise: Vec<Point> = Vec::new();
            for pair in levels(&points).windows(2) {
                let (from, to) = (pair[0], pair[1]);
                let corner = (to.0, from.1);
                if (to.0 - from.0).abs() < NARROW_STEP {
                    if rise.is_empty() {
                        rise.push(from);
                    }
                    rise.extend([corner, to]);
                } else {
                    self.rise(&rise, stroke);
                    self.path(&[from, corner], stroke);
                    rise.clear();
                    if corner != to {
                        rise.extend([corner, to]);
                    }
                }
            }
            self.rise(&rise, stroke);
        }
    }

    /// One rise of steps, or several with too little between them, which are drawn as a line is.
    fn rise(&mut self, points: &[Point], stroke: Stroke) {
        let stroke = if points.len() > 2 { stroke } else { Stroke::solid(stroke.color, RISE_WIDTH) };
        self.path(&thin(points), stroke);
    }

    fn histogram(&mut self, series: &Series, (place, of): (usize, usize), color: RGBColor) {
        let (layout, frame) = (self.layout, &self.layout.frame);
        for (edges, &count) in series.xs.windows(2).zip(&series.ys) {
            let (start, end) = (layout.x_at(edges[0]), layout.x_at(edges[1]));
            // A fifth of each bin stays empty between its neighbors.
            let width = 0.8 * (end - start) / of as f64;
            let left = start + 0.1 * (end - start) + place as f64 * width;
            let bar = Rect { left, top: layout.y_at(count), right: left + width, bottom: frame.bottom };
            let bar = bar.within(frame);
            if bar.height() > 0.0 && bar.width() > 0.0 {
                self.scene.fill(bar, color, 1.0);
                legend::cover(&bar, &mut self.ink);
            }
        }
    }

    fn bars(&mut self, series: &Series, width: f64, color: RGBColor) {
        let (chart, layout, frame) = (self.chart, self.layout, &self.layout.frame);
        // A logarithmic axis may end before a bar does.
        let side = |x: f64, end: f64| if chart.x.shows(x) { layout.x_at(x) } else { end };
        for (x, height) in series.points() {
            if !chart.x.shows(x) || !chart.y.shows(height) {
                continue;
            }
            let (left, right) = (side(x - width / 2.0, frame.left), side(x + width / 2.0, frame.right));
            let (base, end) = (layout.base(), layout.y_at(height));
            let bar = Rect { left, top: base.min(end), right, bottom: base.max(end) }.within(frame);
            if bar.height() > 0.0 && bar.width() > 0.0 {
                self.scene.fill(bar, color, BAR_OPACITY);
                if bar.width() > NARROW_BAR {
                    self.scene.outline(bar, color, BAR_EDGE);
                }
                legend::cover(&bar, &mut self.ink);
            }
        }
    }

    fn area(&mut self, series: &Series, color: RGBColor) {
        let (chart, layout) = (self.chart, self.layout);
        let pairs: Vec<(Point, Point)> =
            series.points().into_iter().zip(&series.lows).map(|(high, &low)| (high, (high.0, low))).collect();
        let is_gap =
            |&((x, high), (_, low)): &(Point, Point)| !chart.x.shows(x) || !chart.y.shows(high) || !chart.y.shows(low);
        for run in pairs.split(is_gap) {
            let highs: Vec<Point> = run.iter().map(|&(high, _)| layout.at(high)).collect();
            let lows: Vec<Point> = run.iter().map(|&(_, low)| layout.at(low)).collect();
            // There along the one border, and back along the other.
            let around = thin(&highs).into_iter().chain(thin(&lows).into_iter().rev()).collect();
            let corners = layout.frame.clip_polygon(around);
            if run.len() > 1 && corners.len() > 2 {
                legend::cover_polygon(&corners, &mut self.ink);
                self.scene.polygon(corners, color, AREA_OPACITY);
            }
        }
    }
}

/// The first of each stretch of points of one height, and the last point.
fn levels(points: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = points.chunk_by(|a, b| a.1 == b.1).map(|level| level[0]).collect();
    let end = points.last().copied().filter(|end| kept.last() != Some(end));
    kept.extend(end);
    kept
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_begins_once_and_the_last_one_ends() {
        assert_eq!(levels(&[(0.0, 1.0), (1.0, 1.0), (2.0, 5.0)]), [(0.0, 1.0), (2.0, 5.0)]);
        assert_eq!(levels(&[(0.0, 1.0), (1.0, 5.0), (2.0, 5.0)]), [(0.0, 1.0), (1.0, 5.0), (2.0, 5.0)]);
        assert_eq!(levels(&[(0.0, 1.0)]), [(0.0, 1.0)]);
        assert!(levels(&[]).is_empty());
    }
}

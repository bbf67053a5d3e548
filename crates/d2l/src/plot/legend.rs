//! The legend: a box where it hides least, or rows above the frame where it would hide too much everywhere.

use super::font;
use super::scene::{Align, Label, Point, Rect, Scene, Stroke, WHITE};
use super::series::{AREA_OPACITY, BAR_EDGE, BAR_OPACITY, Mark, RISE_WIDTH, STEM_WIDTH};

const TEXT: f64 = 12.0;
const ROW: f64 = 17.0;
const SAMPLE: f64 = 30.0;
const PADDING: f64 = 7.0;
const FROM_FRAME: f64 = 6.0;
/// Between a sample and its name.
const BESIDE: f64 = 7.0;
/// Between entries side by side.
const BETWEEN: f64 = 16.0;

/// A series as the legend names it.
pub(super) struct Key {
    pub label: String,
    pub mark: Mark,
}

/// Adds points along a line, close enough that no legend fits between two.
pub(super) fn trace(points: &[Point], ink: &mut Vec<Point>) {
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let steps = ((x1 - x0).hypot(y1 - y0) / 4.0).ceil().max(1.0);
        ink.extend((0..=steps as usize).map(|step| {
            let t = step as f64 / steps;
            (x0 + t * (x1 - x0), y0 + t * (y1 - y0))
        }));
    }
}

/// Adds points all over an area.
pub(super) fn cover(area: &Rect, ink: &mut Vec<Point>) {
    let rows = (area.height() / 4.0).ceil() as usize;
    for row in 0..=rows {
        let y = area.top + area.height() * row as f64 / rows.max(1) as f64;
        trace(&[(area.left, y), (area.right, y)], ink);
    }
}

/// Adds points all over a polygon.
pub(super) fn cover_polygon(corners: &[Point], ink: &mut Vec<Point>) {
    let heights = corners.iter().map(|corner| corner.1);
    let (top, bottom) =
        heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(top, bottom), y| (top.min(y), bottom.max(y)));
    let rows = ((bottom - top) / 4.0).ceil().max(0.0) as usize;
    for row in 0..rows {
        let y = top + (bottom - top) * (row as f64 + 0.5) / rows as f64;
        let sides = corners.iter().zip(corners.iter().cycle().skip(1));
        let crossed = sides.filter(|(from, to)| (from.1 > y) != (to.1 > y));
        let mut xs: Vec<f64> =
            crossed.map(|(from, to)| from.0 + (y - from.1) / (to.1 - from.1) * (to.0 - from.0)).collect();
        xs.sort_by(f64::total_cmp);
        for pair in xs.chunks_exact(2) {
            trace(&[(pair[0], y), (pair[1], y)], ink);
        }
    }
}

/// Of the ink that a legend may hide, in points that [`trace`] puts down: some 40 pixels of a line.
const HIDES_AT_MOST: usize = 10;

/// The area within the frame where a legend of `keys` covers the least of `ink`; none where that is too much.
pub(super) fn place(keys: &[Key], frame: &Rect, ink: &[Point]) -> Option<Rect> {
    let area = emptiest(entry_width(keys) + 2.0 * PADDING, keys.len() as f64 * ROW + PADDING, frame, ink);
    (keys.is_empty() || hidden(&area, ink) <= HIDES_AT_MOST).then_some(area)
}

/// The width of the longest entry, its sample included.
fn entry_width(keys: &[Key]) -> f64 {
    SAMPLE + BESIDE + keys.iter().map(|key| font::width(&key.label, TEXT, false)).fold(0.0, f64::max)
}

/// Draws the legend of `keys`, if any, in a box.
pub(super) fn draw(scene: &mut Scene, keys: &[Key], area: Rect) {
    if keys.is_empty() {
        return;
    }
    scene.fill(area, WHITE, 0.85);
    scene.outline(area, plotters::style::RGBColor(0xcc, 0xcc, 0xcc), 0.8);
    for (row, key) in keys.iter().enumerate() {
        let middle = area.top + PADDING / 2.0 + (row as f64 + 0.5) * ROW;
        draw_entry(scene, key, (area.left + PADDING, middle));
    }
}

/// How many entries stand side by side above a frame of this width.
fn columns(keys: &[Key], width: f64) -> usize {
    ((width / (entry_width(keys) + BETWEEN)) as usize).clamp(1, keys.len().max(1))
}

/// The height of a legend above a frame of this width.
pub(super) fn height_above(keys: &[Key], width: f64) -> f64 {
    keys.len().div_ceil(columns(keys, width)) as f64 * ROW + FROM_FRAME
}

/// Draws the legend of `keys` in rows, the first of which begins at `top`, above the frame.
pub(super) fn draw_above(scene: &mut Scene, keys: &[Key], frame: &Rect, top: f64) {
    let columns = columns(keys, frame.width());
    let width = (frame.width() / columns as f64).min(entry_width(keys) + BETWEEN);
    for (place, key) in keys.iter().enumerate() {
        let (row, column) = (place / columns, place % columns);
        draw_entry(scene, key, (frame.left + column as f64 * width, top + (row as f64 + 0.5) * ROW));
    }
}

/// Draws a sample of a series and its name behind it.
fn draw_entry(scene: &mut Scene, key: &Key, (left, middle): Point) {
    let right = left + SAMPLE;
    let center = f64::midpoint(left, right);
    let area = Rect { left: left + 4.0, top: middle - 4.5, right, bottom: middle + 4.5 };
    match key.mark {
        Mark::Line(stroke) | Mark::Contour(stroke) => scene.path(&[(left, middle), (right, middle)], stroke),
        Mark::Trace(stroke) => {
            scene.path(&[(left, middle), (right, middle)], stroke);
            scene.dot((center, middle), 2.8, stroke.color);
        }
        Mark::Steps(stroke) => {
            let (low, high) = (middle + 4.0, middle - 4.0);
            scene.path(&[(center, low), (center, high)], Stroke::solid(stroke.color, RISE_WIDTH));
            scene.path(&[(left, low), (center, low)], stroke);
            scene.path(&[(center, high), (right, high)], stroke);
        }
        Mark::Stems(color) => {
            scene.path(&[(center, middle + 6.0), (center, middle - 3.5)], Stroke::solid(color, STEM_WIDTH));
            scene.dot((center, middle - 3.5), 2.8, color);
        }
        Mark::Dots { radius, color } => {
            scene.dot((center, middle), radius.clamp(2.0, ROW / 2.5), color);
        }
        Mark::Histogram { color, .. } => scene.fill(area, color, 1.0),
        Mark::Bars { color, .. } => {
            scene.fill(area, color, BAR_OPACITY);
            scene.outline(area, color, BAR_EDGE);
        }
        Mark::Area(color) => scene.fill(area, color, AREA_OPACITY),
    }
    let at = (right + BESIDE, middle + Label::half_capital(TEXT));
    scene.text(Label::new(&key.label, at, TEXT, Align::Start));
}

fn hidden(area: &Rect, ink: &[Point]) -> usize {
    ink.iter().filter(|&&point| area.grown(2.0).contains(point)).count()
}

fn emptiest(width: f64, height: f64, frame: &Rect, ink: &[Point]) -> Rect {
    let right = frame.right - FROM_FRAME - width;
    let left = frame.left + FROM_FRAME;
    let top = frame.top + FROM_FRAME;
    let bottom = frame.bottom - FROM_FRAME - height;
    let center = f64::midpoint(left, right);
    let middle = f64::midpoint(top, bottom);
    // In the order of preference: of equally empty places the first is taken.
    let places = [
        (right, top),
        (left, top),
        (left, bottom),
        (right, bottom),
        (right, middle),
        (left, middle),
        (center, top),
        (center, bottom),
        (center, middle),
    ];
    let areas = places.map(|(left, top)| Rect { left, top, right: left + width, bottom: top + height });
    areas.into_iter().min_by_key(|area| hidden(area, ink)).unwrap_or(areas[0])
}

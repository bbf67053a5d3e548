//! What a figure consists of before it becomes SVG or PNG: shapes in CSS pixels, from the top left corner.

use plotters::style::RGBColor;

use super::{font, image::Image};

pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);
pub(super) const INK: RGBColor = RGBColor(0x26, 0x26, 0x26);
pub(super) const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
pub(super) const WRONG: RGBColor = RGBColor(0xd6, 0x1f, 0x1f);

pub(super) type Point = (f64, f64);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub fn contains(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    /// The part of this rectangle inside `other`; of negative size where there is none.
    pub fn within(&self, other: &Rect) -> Rect {
        Rect {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    pub fn grown(&self, by: f64) -> Rect {
        Rect { left: self.left - by, top: self.top - by, right: self.right + by, bottom: self.bottom + by }
    }

    /// The part of the segment inside, or none (Liang and Barsky).
    pub fn clip(&self, from: Point, to: Point) -> Option<(Point, Point)> {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        for (towards, room) in
            [(-dx, from.0 - self.left), (dx, self.right - from.0), (-dy, from.1 - self.top), (dy, self.bottom - from.1)]
        {
            if towards == 0.0 {
                if room < 0.0 {
                    return None;
                }
            } else if towards < 0.0 {
                enter = enter.max(room / towards);
            } else {
                leave = leave.min(room / towards);
            }
        }
        let at = |t: f64| (from.0 + t * dx, from.1 + t * dy);
        (enter <= leave).then(|| (at(enter), at(leave)))
    }

    /// The part of a polygon inside (Sutherland and Hodgman); two parts are joined along the border.
    pub fn clip_polygon(&self, mut corners: Vec<Point>) -> Vec<Point> {
        let borders =
            [(self.left, 1.0, false), (self.right, -1.0, false), (self.top, 1.0, true), (self.bottom, -1.0, true)];
        for (border, inwards, across) in borders {
            let along = |point: Point| if across { point.1 } else { point.0 };
            let inside = |point: Point| inwards * (along(point) - border) >= 0.0;
            let Some(&last) = corners.last() else { break };
            let mut kept = Vec::with_capacity(corners.len() + 2);
            let mut from = last;
            for &to in &corners {
                if inside(from) != inside(to) {
                    let t = (border - along(from)) / (along(to) - along(from));
                    let (x, y) = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
                    kept.push(if across { (x, border) } else { (border, y) });
                }
                if inside(to) {
                    kept.push(to);
                }
                from = to;
            }
            corners = kept;
        }
        corners
    }
}

/// How a line is drawn; `dash` holds the lengths of strokes and gaps in turn, empty for a solid line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stroke {
    pub color: RGBColor,
    pub width: f64,
    pub dash: &'static [f64],
}

impl Stroke {
    pub const fn solid(color: RGBColor, width: f64) -> Self {
        Self { color, width, dash: &[] }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// A line of text; `at` is where its baseline starts, has its middle, or ends.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub text: String,
    pub at: Point,
    pub size: f64,
    pub align: Align,
    pub color: RGBColor,
    pub bold: bool,
    /// Reads upwards, as the label of a vertical axis does.
    pub upright: bool,
}

impl Label {
    pub fn new(text: impl Into<String>, at: Point, size: f64, align: Align) -> Self {
        Self { text: printable(&text.into()), at, size, align, color: INK, bold: false, upright: false }
    }

    /// How far the baseline stands below the middle of a line of digits or capitals.
    pub fn half_capital(size: f64) -> f64 {
        0.365 * size
    }
}

/// A text without the characters that no XML document may hold: white space is a space, any other stands as U+FFFD.
fn printable(text: &str) -> String {
    let replace = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(replace).collect()
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Path { points: Vec<Point>, color: RGBColor, width: f64 },
    Fill { area: Rect, color: RGBColor, opacity: f64 },
    Polygon { points: Vec<Point>, color: RGBColor, opacity: f64 },
    Dot { center: Point, radius: f64, color: RGBColor },
    Text(Label),
    Picture { image: Image, corner: Point, scale: usize },
}

#[derive(Debug, Clone)]
pub struct Scene {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) shapes: Vec<Shape>,
}

const NOTE_SIZE: f64 = 11.0;
const NOTE_STRIP: f64 = 24.0;

impl Scene {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    /// Draws a line through `points`, cut into strokes where the stroke has dashes.
    pub(super) fn path(&mut self, points: &[Point], stroke: Stroke) {
        for points in dashes(points, stroke.dash) {
            self.shapes.push(Shape::Path { points, color: stroke.color, width: stroke.width });
        }
    }

    pub(super) fn fill(&mut self, area: Rect, color: RGBColor, opacity: f64) {
        self.shapes.push(Shape::Fill { area, color, opacity });
    }

    pub(super) fn polygon(&mut self, points: Vec<Point>, color: RGBColor, opacity: f64) {
        self.shapes.push(Shape::Polygon { points, color, opacity });
    }

    /// Draws a line whose end has a head.
    pub(super) fn arrow(&mut self, from: Point, to: Point, color: RGBColor, width: f64) {
        const HEAD: (f64, f64) = (8.0, 3.2);
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length == 0.0 {
            return;
        }
        let (ahead, aside) = ((dx / length, dy / length), (-dy / length, dx / length));
        let at =
            |back: f64, side: f64| (to.0 - back * ahead.0 + side * aside.0, to.1 - back * ahead.1 + side * aside.1);
        self.path(&[from, at(HEAD.0.min(length) * 0.8, 0.0)], Stroke::solid(color, width));
        self.polygon(vec![to, at(HEAD.0, HEAD.1), at(HEAD.0, -HEAD.1)], color, 1.0);
    }

    pub(super) fn dot(&mut self, center: Point, radius: f64, color: RGBColor) {
        self.shapes.push(Shape::Dot { center, radius, color });
    }

    pub(super) fn outline(&mut self, area: Rect, color: RGBColor, width: f64) {
        let Rect { left, top, right, bottom } = area;
        // The last segment overlaps the first, which closes the corner where they meet.
        let around = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top), (right, top)];
        self.path(&around, Stroke::solid(color, width));
    }

    pub(super) fn text(&mut self, label: Label) {
        self.shapes.push(Shape::Text(label));
    }

    /// Lays `other` over this scene, its corner at `corner`.
    pub(super) fn place(&mut self, other: Scene, corner: Point) {
        let shift = |(x, y): Point| (x + corner.0, y + corner.1);
        self.shapes.extend(other.shapes.into_iter().map(|shape| match shape {
            Shape::Path { points, color, width } => {
                Shape::Path { points: points.into_iter().map(shift).collect(), color, width }
            }
            Shape::Fill { area, color, opacity } => {
                let (left, top) = shift((area.left, area.top));
                let (right, bottom) = shift((area.right, area.bottom));
                Shape::Fill { area: Rect { left, top, right, bottom }, color, opacity }
            }
            Shape::Polygon { points, color, opacity } => {
                Shape::Polygon { points: points.into_iter().map(shift).collect(), color, opacity }
            }
            Shape::Dot { center, radius, color } => Shape::Dot { center: shift(center), radius, color },
            Shape::Text(label) => Shape::Text(Label { at: shift(label.at), ..label }),
            Shape::Picture { image, corner, scale } => Shape::Picture { image, corner: shift(corner), scale },
        }));
    }

    /// Puts a strip with `note` in a tag on top, at the right; without a note, the scene itself.
    pub(super) fn with_note(self, note: Option<&str>) -> Self {
        let Some(note) = note else { return self };
        let tag_width = font::width(note, NOTE_SIZE, true) + 16.0;
        let mut scene = Scene::new(self.width.max(tag_width + 8.0), self.height + NOTE_STRIP);
        let right = scene.width - 4.0;
        let tag = Rect { left: right - tag_width, top: 4.0, right, bottom: NOTE_STRIP - 1.0 };
        scene.fill(tag, RGBColor(0xff, 0xf0, 0xc2), 1.0);
        scene.outline(tag, RGBColor(0xd9, 0x9a, 0x00), 1.0);
        let baseline = f64::midpoint(tag.top, tag.bottom) + Label::half_capital(NOTE_SIZE);
        let label = Label::new(note, (f64::midpoint(tag.left, tag.right), baseline), NOTE_SIZE, Align::Middle);
        scene.text(Label { color: RGBColor(0x6b, 0x47, 0x00), bold: true, ..label });
        let left = (scene.width - self.width) / 2.0;
        scene.place(self, (left, NOTE_STRIP));
        scene
    }
}

fn dashes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    if pattern.is_empty() {
        return vec![points.to_vec()];
    }
    let mut strokes = Vec::new();
    let mut current: Vec<Point> = points.first().copied().into_iter().collect();
    let (mut index, mut left) = (0, pattern[0]);
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let mut walked = 0.0;
        while length - walked > left {
            walked += left;
            let t = walked / length;
            let here = (x0 + t * (x1 - x0), y0 + t * (y1 - y0));
            if index % 2 == 0 {
                current.push(here);
                strokes.push(std::mem::take(&mut current));
            } else {
                current = vec![here];
            }
            index = (index + 1) % pattern.len();
            left = pattern[index];
        }
        left -= length - walked;
        if index % 2 == 0 {
            current.push((x1, y1));
        }
    }
    if current.len() > 1 {
        strokes.push(current);
    }
    strokes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_is_cut_at_the_frame() {
        let frame = Rect { left: 0.0, top: 0.0, right: 4.0, bottom: 4.0 };
        let square = |from: f64, to: f64| vec![(from, from), (to, from), (to, to), (from, to)];
        assert_eq!(frame.clip_polygon(square(1.0, 2.0)), square(1.0, 2.0));
        assert!(frame.clip_polygon(square(5.0, 6.0)).is_empty());
        assert!(frame.clip_polygon(Vec::new()).is_empty());
        for outside in [square(-9.0, 9.0), square(2.0, 9.0), square(-9.0, 1.0)] {
            let corners = frame.clip_polygon(outside);
            assert_eq!(corners.len(), 4, "{corners:?}");
            assert!(corners.iter().all(|&corner| frame.contains(corner)), "{corners:?}");
        }
        // A corner beyond one border is cut off.
        assert_eq!(frame.clip_polygon(vec![(1.0, 1.0), (3.0, 1.0), (2.0, -1.0)]).len(), 4);
    }
}

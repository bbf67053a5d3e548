//! Images side by side, with titles.

use plotters::style::RGBColor;

use super::PlotError;
use super::figure::Draw;
use super::font;
use super::image::Image;
use super::scene::{Align, INK, Label, Point, Rect, Scene, Shape, Stroke, WHITE, WRONG};

const TITLE_SIZE: f64 = 11.5;
const LINE_HEIGHT: f64 = 15.0;
const GAP: f64 = 8.0;
/// About as wide as a page shows without shrinking, which would blur the pixels.
const PAGE_WIDTH: f64 = 720.0;
const LARGEST_SIDE: f64 = 112.0;

/// A line of a title, in color.
type TitleLine = (String, RGBColor);

/// The colors of boxes, in turn: told apart on photographs.
const BOX_COLORS: [RGBColor; 5] = [
    RGBColor(0x1f, 0x50, 0xe8),
    RGBColor(0xe0, 0x20, 0x20),
    RGBColor(0x0a, 0x8a, 0x2a),
    RGBColor(0xb0, 0x20, 0xb0),
    RGBColor(0x00, 0x8f, 0xa8),
];
const BOX_LABEL_SIZE: f64 = 11.0;

/// A box on an image, in the image's pixels from its top left corner, with a text in a tag above its left corner (section
/// 13.3), or in it where there is no room above.
#[derive(Debug, Clone, PartialEq)]
#[doc(alias = "bbox_to_rect")]
#[doc(alias = "show_bboxes")]
pub struct Marking {
    /// Left, top, right, bottom.
    pub corners: [f32; 4],
    /// Empty for a box without a tag.
    pub label: String,
    /// Which of the five colors, counted around.
    pub color: usize,
}

impl Marking {
    /// Its rectangle where the image's top left pixel is at `corner` and pixels are `scale` wide; what is outside
    /// of the image is cut off.
    fn draw(&self, image: &Image, corner: Point, scale: f64, scene: &mut Scene) {
        let color = BOX_COLORS[self.color % BOX_COLORS.len()];
        let at = |x: f32, y: f32| (corner.0 + f64::from(x) * scale, corner.1 + f64::from(y) * scale);
        let [left, top, right, bottom] = self.corners;
        let inside = Rect {
            left: corner.0,
            top: corner.1,
            right: corner.0 + image.width() as f64 * scale,
            bottom: corner.1 + image.height() as f64 * scale,
        };
        let corners = [at(left, top), at(right, top), at(right, bottom), at(left, bottom)];
        for side in 0..4 {
            if let Some((from, to)) = inside.clip(corners[side], corners[(side + 1) % 4]) {
                scene.path(&[from, to], Stroke::solid(color, 2.0));
            }
        }
    }

    /// Its tag, moved down where `others` are in the way, to which it is added.
    fn draw_tag(&self, image: &Image, corner: Point, scale: f64, others: &mut Vec<Rect>, scene: &mut Scene) {
        if self.label.is_empty() {
            return;
        }
        let (width, height) = (font::width(&self.label, BOX_LABEL_SIZE, false) + 6.0, BOX_LABEL_SIZE + 4.0);
        let within = |at: f32, start: f64, size: usize, own: f64| {
            let place = start + f64::from(at) * scale;
            place.min(start + size as f64 * scale - own).max(start)
        };
        let left = within(self.corners[0], corner.0, image.width(), width);
        // Above the box, so that it hides nothing of a small thing; inside where there is no room.
        let above = self.corners[1] - (height / scale) as f32;
        let top = within(if above >= 0.0 { above } else { self.corners[1] }, corner.1, image.height(), height);
        let mut tag = Rect { left, top, right: left + width, bottom: top + height };
        let overlaps = |tag: &Rect, other: &Rect| {
            let both = tag.within(other);
            both.width() > 0.0 && both.height() > 0.0
        };
        while let Some(other) = others.iter().find(|other| overlaps(&tag, other)) {
            (tag.top, tag.bottom) = (other.bottom, other.bottom + height);
        }
        others.push(tag);
        scene.fill(tag, BOX_COLORS[self.color % BOX_COLORS.len()], 1.0);
        let baseline = tag.top + height / 2.0 + Label::half_capital(BOX_LABEL_SIZE);
        let label = Label::new(&self.label, (left + 3.0, baseline), BOX_LABEL_SIZE, Align::Start);
        scene.text(Label { color: WHITE, ..label });
    }
}

/// Images in rows and columns, each pixel a square of whole screen pixels, with up to two title lines above each
/// (section 3.5).
#[derive(Debug, Clone)]
#[doc(alias = "show_images")]
#[doc(alias = "show_fashion_mnist")]
pub struct ImageGrid {
    images: Vec<Image>,
    columns: usize,
    titles: Vec<Vec<TitleLine>>,
    /// The boxes on each image.
    markings: Vec<Vec<Marking>>,
    scale: Option<usize>,
    note: Option<String>,
}

impl ImageGrid {
    /// `images` row by row, `columns` to a row; the last row may be shorter.
    pub fn new(columns: usize, images: impl IntoIterator<Item = Image>) -> Self {
        Self {
            images: images.into_iter().collect(),
            columns,
            titles: Vec::new(),
            markings: Vec::new(),
            scale: None,
            note: None,
        }
    }

    /// A title for each image, in order; what has none goes without.
    pub fn titles<T: Into<String>>(mut self, titles: impl IntoIterator<Item = T>) -> Self {
        self.titles = titles.into_iter().map(|title| vec![(title.into(), INK)]).collect();
        self
    }

    /// The true label of each image and, below it, the predicted one, in red where they differ.
    #[doc(alias = "predict_ch3")]
    pub fn predictions<T: AsRef<str>, P: AsRef<str>>(mut self, labels: &[T], predicted: &[P]) -> Self {
        let pairs = labels.iter().map(AsRef::as_ref).zip(predicted.iter().map(AsRef::as_ref));
        self.titles = pairs
            .map(|(label, predicted)| {
                let color = if label == predicted { INK } else { WRONG };
                vec![(label.to_owned(), INK), (predicted.to_owned(), color)]
            })
            .collect();
        self
    }

    /// Boxes for each image, in order; what has none goes without.
    pub fn boxes(mut self, boxes: impl IntoIterator<Item = Vec<Marking>>) -> Self {
        self.markings = boxes.into_iter().collect();
        self
    }

    /// How many CSS pixels wide each pixel is drawn; by default as many as fit a page, sides up to 112.
    pub fn scale(mut self, scale: usize) -> Self {
        self.scale = Some(scale.max(1));
        self
    }

    /// A remark in a colored tag above the right corner, such as "sample data".
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    fn widest_title(&self) -> f64 {
        let lines = self.titles.iter().flatten();
        lines.map(|(line, _)| font::width(line, TITLE_SIZE, false)).fold(0.0, f64::max)
    }
}

impl Draw for ImageGrid {
    const EXTENSION: &'static str = "png";

    fn scene(&self) -> Result<Scene, PlotError> {
        if self.columns == 0 || self.images.is_empty() {
            return Err(PlotError::Argument("an image grid needs at least one column and one image".to_owned()));
        }
        let width = self.images.iter().map(Image::width).max().unwrap_or(1) as f64;
        let height = self.images.iter().map(Image::height).max().unwrap_or(1) as f64;
        let columns = self.columns.min(self.images.len());
        let rows = self.images.len().div_ceil(columns);
        let scale = self.scale.unwrap_or_else(|| {
            let side = (PAGE_WIDTH / columns as f64 - GAP).min(LARGEST_SIDE);
            ((side / width).min(LARGEST_SIDE / height) as usize).max(1)
        });

        let lines = self.titles.iter().map(Vec::len).max().unwrap_or(0) as f64;
        let title_height = if lines > 0.0 { lines * LINE_HEIGHT + 3.0 } else { 0.0 };
        // Whole numbers keep every pixel of every image on the pixels of the screen.
        let cell_width = (width * scale as f64).max(self.widest_title().ceil());
        let cell_height = title_height + height * scale as f64;
        let mut scene = Scene::new(columns as f64 * (cell_width + GAP) + GAP, rows as f64 * (cell_height + GAP) + GAP);
        for (index, image) in self.images.iter().enumerate() {
            let left = GAP + (index % columns) as f64 * (cell_width + GAP);
            let top = GAP + (index / columns) as f64 * (cell_height + GAP);
            let middle = left + (cell_width / 2.0).floor();
            for (line, (text, color)) in self.titles.get(index).into_iter().flatten().enumerate() {
                let baseline = top + (line as f64 + 0.78) * LINE_HEIGHT;
                let label = Label::new(text, (middle, baseline), TITLE_SIZE, Align::Middle);
                scene.text(Label { color: *color, ..label });
            }
            let corner = (middle - (image.width() * scale / 2) as f64, top + title_height);
            scene.shapes.push(Shape::Picture { image: image.clone(), corner, scale });
            let markings = self.markings.get(index).map(Vec::as_slice).unwrap_or_default();
            markings.iter().for_each(|marking| marking.draw(image, corner, scale as f64, &mut scene));
            let mut tags = Vec::new();
            markings.iter().for_each(|marking| marking.draw_tag(image, corner, scale as f64, &mut tags, &mut scene));
        }
        Ok(scene.with_note(self.note.as_deref()))
    }
}

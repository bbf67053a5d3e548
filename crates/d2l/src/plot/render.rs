//! Scenes as SVG and PNG, through the backends of plotters.

use std::fmt::Display;

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle};

use super::PlotError;
use super::font;
use super::image::Image;
use super::scene::{Align, Label, Point, Scene, Shape};

/// Backends take whole units: ten to a CSS pixel keep curves smooth in SVG.
const SVG_UNITS: f64 = 10.0;
/// PNG is twice as fine as CSS pixels, for sharp screens …
const PNG_DENSITY: u32 = 2;
/// … and drawn three times finer still, then averaged, since plotters does not smooth the edges of thick lines.
const SUPERSAMPLING: u32 = 3;

fn draw_error(error: impl Display) -> PlotError {
    PlotError::Draw(error.to_string())
}

type Drawn = Result<(), PlotError>;

/// A backend with what plotters draws differently in SVG and in a bitmap brought to one meaning.
trait Surface: DrawingBackend + Sized {
    fn stroke(&mut self, points: &[(i32, i32)], style: ShapeStyle) -> Drawn;
    fn area(&mut self, corner: (i32, i32), end: (i32, i32), style: ShapeStyle) -> Drawn {
        self.draw_rect(corner, end, &style, true).map_err(draw_error)
    }
    fn label(&mut self, label: &Label, at: (i32, i32), size: f64) -> Drawn;
}

impl Surface for SVGBackend<'_> {
    fn stroke(&mut self, points: &[(i32, i32)], style: ShapeStyle) -> Drawn {
        self.draw_path(points.iter().copied(), &style).map_err(draw_error)
    }

    fn label(&mut self, label: &Label, (x, y): (i32, i32), size: f64) -> Drawn {
        // plotters writes a size divided by 1.24, and lets text of this position hang half an ex below its point.
        const SIZE_FACTOR: f64 = 1.24;
        const HALF_EX: f64 = 0.273;
        let up = (HALF_EX * size).round() as i32;
        let at = if label.upright { (x - up, y) } else { (x, y - up) };
        let style = if label.bold { FontStyle::Bold } else { FontStyle::Normal };
        let rotation = if label.upright { FontTransform::Rotate270 } else { FontTransform::None };
        let anchor = match label.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let font = FontDesc::new(FontFamily::Name(font::FAMILY), size * SIZE_FACTOR, style).transform(rotation);
        let style = TextStyle::from(font).color(&label.color).pos(Pos::new(anchor, VPos::Center));
        self.draw_text(&label.text, &style, at).map_err(draw_error)
    }
}

impl Surface for BitMapBackend<'_> {
    fn stroke(&mut self, points: &[(i32, i32)], style: ShapeStyle) -> Drawn {
        for pair in points.windows(2) {
            self.draw_line(pair[0], pair[1], &style).map_err(draw_error)?;
        }
        // Round joints: plotters draws each segment with square ends.
        for &joint in points.get(1..points.len() - 1).unwrap_or_default() {
            self.draw_circle(joint, style.stroke_width / 2, &style, true).map_err(draw_error)?;
        }
        Ok(())
    }

    fn label(&mut self, label: &Label, at: (i32, i32), size: f64) -> Drawn {
        // Own glyphs: plotters drops each glyph's left bearing, which spaces letters unevenly.
        let width = font::width(&label.text, size, label.bold);
        let back = match label.align {
            Align::Start => 0.0,
            Align::Middle => width / 2.0,
            Align::End => width,
        };
        let back = back.round() as i32;
        let mut drawn = Ok(());
        font::rasterize(&label.text, size, label.bold, |x, y, coverage| {
            let along = x - back;
            let point = if label.upright { (at.0 + y, at.1 - along) } else { (at.0 + along, at.1 + y) };
            if drawn.is_ok() {
                drawn = self.draw_pixel(point, label.color.mix(coverage).to_backend_color());
            }
        });
        drawn.map_err(draw_error)
    }
}

fn paint<B: Surface>(scene: &Scene, units: f64, surface: &mut B) -> Drawn {
    let to_units = |length: f64| (length * units).round() as i32;
    let place = |(x, y): Point| (to_units(x), to_units(y));
    let solid = |color: RGBColor| ShapeStyle::from(color).filled();
    for shape in &scene.shapes {
        match shape {
            Shape::Path { points, color, width } => {
                let points: Vec<_> = points.iter().copied().map(place).collect();
                surface.stroke(&points, solid(*color).stroke_width(to_units(*width).max(1) as u32))?;
            }
            Shape::Fill { area, color, opacity } => {
                let style = ShapeStyle::from(color.mix(*opacity)).filled();
                surface.area(place((area.left, area.top)), place((area.right, area.bottom)), style)?;
            }
            Shape::Polygon { points, color, opacity } => {
                let points: Vec<_> = points.iter().copied().map(place).collect();
                surface.fill_polygon(points, &color.mix(*opacity)).map_err(draw_error)?;
            }
            Shape::Dot { center, radius, color } => {
                let radius = to_units(*radius).max(1) as u32;
                surface.draw_circle(place(*center), radius, &solid(*color), true).map_err(draw_error)?;
            }
            Shape::Text(label) => surface.label(label, place(label.at), label.size * units)?,
            Shape::Picture { image, corner, scale } => {
                let side = to_units(*scale as f64);
                let (left, top) = place(*corner);
                for (row, first, last, color) in runs(image) {
                    let corner = (left + first as i32 * side, top + row as i32 * side);
                    let end = (left + last as i32 * side, corner.1 + side);
                    surface.area(corner, end, solid(color))?;
                }
            }
        }
    }
    surface.present().map_err(draw_error)
}

/// The image as `(row, first column, column after the last, color)`: neighbors of one color share a rectangle.
fn runs(image: &Image) -> impl Iterator<Item = (usize, usize, usize, RGBColor)> + '_ {
    (0..image.height()).flat_map(move |row| {
        let mut column = 0;
        std::iter::from_fn(move || {
            let first = column;
            let color = (first < image.width()).then(|| image.color(row, first))?;
            column += (first..image.width()).take_while(|&c| image.color(row, c) == color).count();
            Some((row, first, column, color))
        })
    })
}

pub(super) fn svg(scene: &Scene) -> Result<String, PlotError> {
    let size = |units: f64| ((scene.width * units).ceil() as u32, (scene.height * units).ceil() as u32);
    let (width, height) = size(SVG_UNITS);
    let mut text = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut text, (width, height));
        backend.area((0, 0), (width as i32, height as i32), solid_white())?;
        paint(scene, SVG_UNITS, &mut backend)?;
    }
    // The view box keeps the fine units; the size that a page shows is in CSS pixels.
    let (css_width, css_height) = size(1.0);
    Ok(text.replacen(
        &format!("width=\"{width}\" height=\"{height}\""),
        &format!("width=\"{css_width}\" height=\"{css_height}\" stroke-linejoin=\"round\""),
        1,
    ))
}

fn solid_white() -> ShapeStyle {
    ShapeStyle::from(super::scene::WHITE).filled()
}

pub(super) fn png(scene: &Scene) -> Result<Vec<u8>, PlotError> {
    let (width, height) = (scene.width.ceil() as u32 * PNG_DENSITY, scene.height.ceil() as u32 * PNG_DENSITY);
    let (fine_width, fine_height) = (width * SUPERSAMPLING, height * SUPERSAMPLING);
    let mut pixels = vec![255; fine_width as usize * fine_height as usize * 3];
    {
        let mut backend = BitMapBackend::with_buffer(&mut pixels, (fine_width, fine_height));
        paint(scene, f64::from(PNG_DENSITY * SUPERSAMPLING), &mut backend)?;
    }
    let averaged = averaged(&pixels, width as usize);

    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().map_err(draw_error)?;
    writer.write_image_data(&averaged).map_err(draw_error)?;
    writer.finish().map_err(draw_error)?;
    Ok(bytes)
}

/// The mean of each square of fine RGB pixels; a row of the result has `width` pixels.
fn averaged(fine: &[u8], width: usize) -> Vec<u8> {
    let side = SUPERSAMPLING as usize;
    let mut averaged = Vec::with_capacity(fine.len() / (side * side));
    for rows in fine.chunks_exact(width * side * 3 * side) {
        for x in 0..width {
            for channel in 0..3 {
                let first = x * side * 3 + channel;
                let square = (0..side * side).map(|i| first + i / side * (width * side * 3) + i % side * 3);
                let sum: usize = square.map(|at| usize::from(rows[at])).sum();
                averaged.push(((sum + side * side / 2) / (side * side)) as u8);
            }
        }
    }
    averaged
}

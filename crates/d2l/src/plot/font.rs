//! The embedded `DejaVu Sans`: widths for the layout, outlines for PNG. No system font library is needed.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Point, PxScaleFont, ScaleFont};

/// `DejaVu Sans` where it is installed (it is matplotlib's font), else its wide relatives, else what the browser has.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, Geneva, sans-serif";

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| parse(dejavu::sans::regular()));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| parse(dejavu::sans::bold()));

fn parse(bytes: &'static [u8]) -> FontRef<'static> {
    // Cannot fail: the bytes are compiled in, and every figure of the tests reads them.
    FontRef::try_from_slice(bytes).expect("the embedded font is valid")
}

fn scaled(em: f64, bold: bool) -> PxScaleFont<&'static FontRef<'static>> {
    let font: &FontRef<'static> = if bold { &BOLD } else { &REGULAR };
    let height_of_em = font.height_unscaled() / font.units_per_em().unwrap_or(1000.0);
    font.into_scaled(em as f32 * height_of_em)
}

/// The advance of `text` in the units of `em`, its font size.
pub(super) fn width(text: &str, em: f64, bold: bool) -> f64 {
    let font = scaled(em, bold);
    text.chars().map(|c| f64::from(font.h_advance(font.glyph_id(c)))).sum()
}

/// Calls `pixel(x, y, coverage)` for each pixel that `text` touches, with the origin at the start of its baseline.
pub(super) fn rasterize(text: &str, em: f64, bold: bool, mut pixel: impl FnMut(i32, i32, f64)) {
    let font = scaled(em, bold);
    let mut pen = 0.0;
    for c in text.chars() {
        let mut glyph = font.scaled_glyph(c);
        glyph.position = Point { x: pen, y: 0.0 };
        pen += font.h_advance(glyph.id);
        if let Some(outline) = font.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                pixel(corner.x as i32 + x as i32, corner.y as i32 + y as i32, f64::from(coverage));
            });
        }
    }
}

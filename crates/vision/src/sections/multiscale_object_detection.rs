//! 13.5 Multiscale Object Detection
//!
//! Fewer anchors: small ones around the cells of a fine grid, large ones around those of a coarse grid.
//!
//! `cargo run --release -p vision -- multiscale-object-detection` takes a second: 63 anchors in the place of a million.

use d2l::plot::{ImageGrid, Marking};
use d2l::prelude::*;

use crate::anchors::multibox_prior;
use crate::book_pictures::CatAndDog;
use crate::picture::Picture;

/// There is nothing to set.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config: Smoke {} }

/// Draws the anchors of one size around the cells of a feature map.
fn display_anchors(
    nb: &mut Notebook,
    picture: &Picture,
    (rows, columns): (usize, usize),
    size: f32,
) -> anyhow::Result<usize> {
    let anchors = multibox_prior(rows, columns, &[size], &[1.0, 2.0, 0.5]);
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let color = |place: usize| place / 3 % columns + place / 3 / columns; // neighbors differ
    let boxes = anchors.iter().enumerate();
    let boxes: Vec<Marking> =
        boxes.map(|(place, anchor)| anchor.scaled(width, height).marked(color(place), "")).collect();
    let alt = format!("Three boxes around each of {rows} x {columns} places on the photograph");
    let figure = ImageGrid::new(1, [picture.image()?]).scale(1).boxes([boxes]);
    nb.figure(&format!("anchors-{rows}x{columns}"), &alt, figure)?;
    nb.say(format!("{} anchors", anchors.len()))?;
    Ok(anchors.len())
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Multiscale anchor boxes")?;
    let CatAndDog(picture) = nb.load()?;
    let (width, height) = (picture.width(), picture.height());
    nb.say(format!("{height} rows, {width} columns"))?;
    let small = picture.resized(width / 2, height / 2)?;

    nb.cell("Small things")?;
    let fine = display_anchors(nb, &small, (4, 4), 0.15)?;

    nb.cell("Larger things")?;
    let middle = display_anchors(nb, &small, (2, 2), 0.4)?;

    nb.cell("Things as large as the picture")?;
    let coarse = display_anchors(nb, &small, (1, 1), 0.8)?;

    nb.cell("Multiscale detection")?;
    let everywhere = 3 * height * width;
    let all = fine + middle + coarse;
    nb.say(format!("{all} anchors at three scales, {everywhere} around every pixel"))?;
    nb.metric("anchors", all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_stand_evenly_whatever_the_feature_maps_shape() {
        let anchors = multibox_prior(2, 4, &[0.5], &[1.0]);
        let centers: Vec<_> = anchors.iter().map(|b| ((b.left + b.right) / 2.0, (b.top + b.bottom) / 2.0)).collect();
        assert_eq!(centers[..5], [(0.125, 0.25), (0.375, 0.25), (0.625, 0.25), (0.875, 0.25), (0.125, 0.75)]);
    }
}

//! 13.3 Object Detection and Bounding Boxes
//!
//! Where things are on a picture: boxes by their corners or by their center, and boxes drawn on a photograph.
//!
//! `cargo run --release -p vision -- bounding-box` takes a second: the two ways to write a box say the same.

use d2l::plot::{ImageGrid, Marking};
use d2l::prelude::*;

use crate::book_pictures::CatAndDog;

/// There is nothing to set.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config: Smoke {} }

/// A box by its left top and its right bottom corner; `y` grows downwards.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[doc(alias = "box_center_to_corner")]
pub struct Corners {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
}

/// A box by its center and its sides.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[doc(alias = "box_corner_to_center")]
pub struct Centered {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl From<Corners> for Centered {
    fn from(Corners { left, top, right, bottom }: Corners) -> Self {
        Self { x: (left + right) / 2.0, y: (top + bottom) / 2.0, width: right - left, height: bottom - top }
    }
}

impl From<Centered> for Corners {
    fn from(Centered { x, y, width, height }: Centered) -> Self {
        let (right, down) = (width / 2.0, height / 2.0);
        Self { left: x - right, top: y - down, right: x + right, bottom: y + down }
    }
}

impl Corners {
    /// A box from the order `left, top, right, bottom`.
    pub const fn new(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self { left, top, right, bottom }
    }

    /// [`Corners::new`] the other way round.
    pub const fn to_array(self) -> [f32; 4] {
        [self.left, self.top, self.right, self.bottom]
    }

    /// The box with its coordinates times those factors, such as from shares of a picture to pixels.
    pub fn scaled(self, x: f32, y: f32) -> Self {
        Self::new(self.left * x, self.top * y, self.right * x, self.bottom * y)
    }

    /// The box as a rectangle to draw, in the colors' order, with a text.
    pub fn marked(self, color: usize, label: impl Into<String>) -> Marking {
        Marking { corners: self.to_array(), label: label.into(), color }
    }
}

/// The dog and the cat on the book's photograph, in its pixels.
pub const DOG: Corners = Corners::new(60.0, 45.0, 378.0, 516.0);
pub const CAT: Corners = Corners::new(400.0, 112.0, 655.0, 493.0);

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A photograph")?;
    let CatAndDog(picture) = nb.load()?;
    nb.say(format!("{} x {} pixels", picture.width(), picture.height()))?;
    // Half the size, for the page; so are the boxes below.
    let small = picture.resized(picture.width() / 2, picture.height() / 2)?;
    nb.figure("photograph", "A dog and a cat side by side", ImageGrid::new(1, [small.image()?]).scale(1))?;

    nb.cell("Bounding boxes")?;
    for (name, corners) in [("dog", DOG), ("cat", CAT)] {
        let centered = Centered::from(corners);
        nb.say(format!("{name}: {corners:?}"))?;
        nb.say(format!("{:width$}{centered:?}", "", width = name.len() + 2))?;
        anyhow::ensure!(Corners::from(centered) == corners, "the way there and back leads elsewhere");
    }

    nb.cell("Boxes on the photograph")?;
    let boxes = [DOG, CAT].map(|corners| corners.scaled(0.5, 0.5));
    let marked = vec![boxes[0].marked(0, "dog"), boxes[1].marked(1, "cat")];
    let figure = ImageGrid::new(1, [small.image()?]).scale(1).boxes([marked]);
    nb.figure("boxes", "The photograph with a blue box around the dog and a red one around the cat", figure)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn there_and_back(left in -9f32..9.0, top in -9f32..9.0, width in -9f32..9.0, height in -9f32..9.0) {
            let corners = Corners::new(left, top, left + width, top + height);
            let back = Corners::from(Centered::from(corners));
            for (found, expected) in back.to_array().into_iter().zip(corners.to_array()) {
                prop_assert!((found - expected).abs() < 1e-5, "{back:?} for {corners:?}");
            }
        }
    }

    #[test]
    fn the_dogs_center() {
        assert_eq!(Centered::from(DOG), Centered { x: 219.0, y: 280.5, width: 318.0, height: 471.0 });
    }
}

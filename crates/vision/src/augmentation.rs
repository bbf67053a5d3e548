//! Random changes of pictures for training, each from its own generator (section 13.1).
//!
//! Names and ranges are torchvision's. Bytes are blended as Pillow does it; hues are turned without its rounding to 256 of
//! them.

use d2l::prelude::Result;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::picture::Picture;

/// Something that is done to each picture before it is trained on or looked at.
pub trait Transform: Send + Sync {
    /// The changed picture; draws come from `random`.
    ///
    /// # Errors
    /// Where a size makes no sense.
    fn apply(&self, picture: Picture, random: &mut ChaCha8Rng) -> Result<Picture>;
}

/// Several transforms, one after the other.
#[derive(Default)]
pub struct Compose(Vec<Box<dyn Transform>>);

impl Compose {
    /// No transform at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more at the end.
    pub fn then(mut self, transform: impl Transform + 'static) -> Self {
        self.0.push(Box::new(transform));
        self
    }
}

impl Transform for Compose {
    fn apply(&self, picture: Picture, random: &mut ChaCha8Rng) -> Result<Picture> {
        self.0.iter().try_fold(picture, |picture, transform| transform.apply(picture, random))
    }
}

/// Mirrors every second picture left to right.
#[derive(Debug, Clone, Copy)]
pub struct RandomHorizontalFlip;

impl Transform for RandomHorizontalFlip {
    fn apply(&self, picture: Picture, random: &mut ChaCha8Rng) -> Result<Picture> {
        Ok(if random.random() { picture.flipped_left_right() } else { picture })
    }
}

/// Mirrors every second picture top to bottom.
#[derive(Debug, Clone, Copy)]
pub struct RandomVerticalFlip;

impl Transform for RandomVerticalFlip {
    fn apply(&self, picture: Picture, random: &mut ChaCha8Rng) -> Result<Picture> {
        Ok(if random.random() { picture.flipped_top_bottom() } else { picture })
    }
}

/// Cuts a part of random area and shape out of a picture and brings it to one size.
#[derive(Debug, Clone, Copy)]
pub struct RandomResizedCrop {
    /// Width and height of the result.
    pub size: (usize, usize),
    /// The least and the greatest share of the picture's area.
    pub area: (f64, f64),
    /// The least and the greatest width for a height of one.
    pub shape: (f64, f64),
}

impl RandomResizedCrop {
    /// A square of `side` from between a twelfth and all of the picture's area, at most a third wider than high or the
    /// reverse: torchvision's defaults.
    pub fn new(side: usize) -> Self {
        Self { size: (side, side), area: (0.08, 1.0), shape: (3.0 / 4.0, 4.0 / 3.0) }
    }
}

impl Transform for RandomResizedCrop {
    fn apply(&self, picture: Picture, random: &mut ChaCha8Rng) -> Result<Picture> {
        let (width, height) = (picture.width(), picture.height());
        let within = |(least, most): (f64, f64), share: f64| least + (most - least) * share;
        // Ten tries to place such a part; a picture that is too narrow for them gives the widest part of an allowed shape.
        let drawn = (0..10).find_map(|_| {
            let area = (width * height) as f64 * within(self.area, random.random());
            let shape = within((self.shape.0.ln(), self.shape.1.ln()), random.random()).exp();
            let (w, h) = ((area * shape).sqrt().round() as usize, (area / shape).sqrt().round() as usize);
            let fits = (1..=width).contains(&w) && (1..=height).contains(&h);
            fits.then(|| (random.random_range(0..=width - w), random.random_range(0..=height - h), w, h))
        });
        let (left, top, w, h) = drawn.unwrap_or_else(|| {
            let shape = (width as f64 / height as f64).clamp(self.shape.0, self.shape.1);
            let w = width.min((height as f64 * shape).round() as usize).max(1);
            let h = height.min((width as f64 / shape).round() as usize).max(1);
            ((width - w) / 2, (height - h) / 2, w, h)
        });
        picture.cropped(left, top, w, h).resized(self.size.0, self.size.1)
    }
}

/// Changes brightness, contrast and saturation by a factor from `1 - x` to `1 + x` and turns the hue by up to `x` of the
/// whole circle, in an order that is drawn too.
#[derive(Debug, Clone, Copy, Default)]
pub struct ColorJitter {
    /// From 0; how much darker or brighter.
    pub brightness: f64,
    /// From 0; how much nearer to the mean gray or further from it.
    pub contrast: f64,
    /// From 0; how much nearer to gray or further from it.
    pub saturation: f64,
    /// From 0 to 0.5.
    pub hue: f64,
}

impl Transform for ColorJitter {
    fn apply(&self, mut picture: Picture, random: &mut ChaCha8Rng) -> Result<Picture> {
        let mut order = [0, 1, 2, 3];
        order.shuffle(random);
        for change in order {
            let range = [self.brightness, self.contrast, self.saturation, self.hue][change];
            if range <= 0.0 {
                continue;
            }
            let draw = range * (2.0 * random.random::<f64>() - 1.0);
            let factor = (1.0 + draw).max(0.0);
            match change {
                0 => blend(&mut picture, factor, |_| 0.0),
                1 => {
                    let pixels = picture.pixels().as_chunks::<3>().0;
                    let mean = pixels.iter().map(|pixel| gray(*pixel)).sum::<f64>() / pixels.len() as f64;
                    blend(&mut picture, factor, |_| mean.round());
                }
                2 => blend(&mut picture, factor, gray),
                _ => turn_hue(&mut picture, draw),
            }
        }
        Ok(picture)
    }
}

/// How bright a pixel is to the eye, as the television standard weighs its colors.
fn gray([red, green, blue]: [u8; 3]) -> f64 {
    (0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)).round()
}

/// Moves each pixel from what `from` makes of it towards itself: by the whole way for a factor of 1, beyond for more.
fn blend(picture: &mut Picture, factor: f64, from: impl Fn([u8; 3]) -> f64) {
    for pixel in picture.pixels_mut().as_chunks_mut::<3>().0 {
        let base = from(*pixel);
        *pixel = pixel.map(|value| (base + factor * (f64::from(value) - base)) as u8); // the cast saturates
    }
}

/// Turns the hue of each pixel by a share of the circle; how bright and how colorful it is stays.
fn turn_hue(picture: &mut Picture, turn: f64) {
    for pixel in picture.pixels_mut().as_chunks_mut::<3>().0 {
        let [red, green, blue] = pixel.map(f64::from);
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        if most == least {
            continue;
        }
        let range = most - least;
        let hue = if most == red {
            (green - blue) / range
        } else if most == green {
            2.0 + (blue - red) / range
        } else {
            4.0 + (red - green) / range
        };
        let hue = (hue + 6.0 * turn).rem_euclid(6.0);
        // Each channel is at its most for a third of the circle, at its least for another, and between on the sixths.
        let channel = |shift: f64| {
            let place = (hue + shift).rem_euclid(6.0);
            most - range * place.min(4.0 - place).clamp(0.0, 1.0)
        };
        *pixel = [channel(5.0), channel(3.0), channel(1.0)].map(|value| value.round() as u8);
    }
}

/// Brings a picture to one size, whatever its shape.
#[derive(Debug, Clone, Copy)]
pub struct Resize(pub usize, pub usize);

impl Transform for Resize {
    fn apply(&self, picture: Picture, _: &mut ChaCha8Rng) -> Result<Picture> {
        picture.resized(self.0, self.1)
    }
}

/// Brings the shorter side of a picture to a length; the other follows.
#[derive(Debug, Clone, Copy)]
pub struct ResizeShorter(pub usize);

impl Transform for ResizeShorter {
    fn apply(&self, picture: Picture, _: &mut ChaCha8Rng) -> Result<Picture> {
        let (width, height) = (picture.width(), picture.height());
        let longer = |side: usize| (side * self.0 / width.min(height)).max(1);
        picture.resized(longer(width), longer(height))
    }
}

/// The square of a side in the middle of a picture.
#[derive(Debug, Clone, Copy)]
pub struct CenterCrop(pub usize);

impl Transform for CenterCrop {
    fn apply(&self, picture: Picture, _: &mut ChaCha8Rng) -> Result<Picture> {
        let middle = |side: usize| side.saturating_sub(self.0).div_ceil(2);
        Ok(picture.cropped(middle(picture.width()), middle(picture.height()), self.0, self.0))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn picture(width: usize, height: usize) -> std::result::Result<Picture, d2l::data::DataError> {
        Picture::new(width, height, (0..3 * width * height).map(|i| (i * 37 % 256) as u8).collect())
    }

    fn random(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    #[test]
    fn half_of_the_pictures_are_mirrored() -> Outcome {
        let original = picture(5, 4)?;
        let mut generator = random(1);
        let mut flipped = [0, 0];
        for _ in 0..400 {
            let across = RandomHorizontalFlip.apply(original.clone(), &mut generator)?;
            let down = RandomVerticalFlip.apply(original.clone(), &mut generator)?;
            flipped[0] += usize::from(across != original);
            flipped[1] += usize::from(down != original);
        }
        assert!(flipped.iter().all(|count| (160..240).contains(count)), "{flipped:?}");
        Ok(())
    }

    #[test]
    fn crops_have_their_size_whatever_the_picture() -> Outcome {
        let mut generator = random(2);
        for (width, height) in [(64, 48), (1, 1), (300, 2), (2, 300)] {
            for _ in 0..20 {
                let part = RandomResizedCrop::new(16).apply(picture(width, height)?, &mut generator)?;
                assert_eq!((part.width(), part.height()), (16, 16));
            }
        }
        let middle = CenterCrop(2).apply(picture(6, 4)?, &mut generator)?;
        assert_eq!(middle, picture(6, 4)?.cropped(2, 1, 2, 2));
        let shorter = ResizeShorter(8).apply(picture(32, 16)?, &mut generator)?;
        assert_eq!((shorter.width(), shorter.height()), (16, 8));
        Ok(())
    }

    #[test]
    fn colors_change_as_their_definitions_say() -> Outcome {
        let pixel = |color: [u8; 3]| Picture::new(1, 1, color.to_vec());
        let mut bright = pixel([100, 50, 200])?;
        blend(&mut bright, 1.5, |_| 0.0);
        assert_eq!(bright.pixels(), [150, 75, 255]);
        let mut faded = pixel([100, 50, 200])?;
        blend(&mut faded, 0.0, gray);
        assert_eq!(faded.pixels(), [82, 82, 82]); // 29.9 + 29.35 + 22.8
        for (turn, color) in
            [(1.0 / 3.0, [0, 255, 0]), (-1.0 / 3.0, [0, 0, 255]), (0.5, [0, 255, 255]), (0.0, [255, 0, 0])]
        {
            let mut red = pixel([255, 0, 0])?;
            turn_hue(&mut red, turn);
            assert_eq!(red.pixels(), color, "{turn}");
        }
        let mut odd = pixel([200, 120, 40])?;
        turn_hue(&mut odd, 0.25);
        assert_eq!((odd.pixels().iter().max(), odd.pixels().iter().min()), (Some(&200), Some(&40)));
        Ok(())
    }

    #[test]
    fn no_jitter_changes_nothing_and_the_same_draws_change_alike() -> Outcome {
        let original = picture(9, 7)?;
        assert_eq!(ColorJitter::default().apply(original.clone(), &mut random(3))?, original);
        let all = ColorJitter { brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.5 };
        let combined = || Compose::new().then(RandomHorizontalFlip).then(all).then(RandomResizedCrop::new(4));
        let (first, again) =
            (combined().apply(original.clone(), &mut random(4))?, combined().apply(original, &mut random(4))?);
        assert_eq!(first, again);
        Ok(())
    }
}

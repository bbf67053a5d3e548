//! Pictures: decoding, cutting, resizing, and the way to tensors and figures.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use candle_core::Error;
use d2l::data::DataError;
use d2l::plot;
use d2l::prelude::{Device, Result, Tensor};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageError, ImageReader, Limits};

/// The most pixels a side that a picture may have: more than any of the book's sets, and small enough for any machine.
pub const LARGEST_SIDE: u32 = 16_384;
/// The most bytes that decoding may take.
const LARGEST_MEMORY: u64 = 1 << 29;

/// Why a picture cannot be had; each names the file.
#[allow(missing_docs)] // each message tells what its variant means and holds
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("{}: cannot be read ({reason})", path.display())]
    Read { path: PathBuf, reason: std::io::Error },
    #[error("{}: neither a JPEG nor a PNG picture, whatever its name says", path.display())]
    Kind { path: PathBuf },
    #[error("{}: larger than {LARGEST_SIDE} pixels a side, or than {} MB; shrink it first", path.display(), LARGEST_MEMORY >> 20)]
    TooLarge { path: PathBuf },
    #[error("{}: damaged ({reason}); replace it", path.display())]
    Damaged { path: PathBuf, reason: String },
}

impl From<PictureError> for DataError {
    fn from(error: PictureError) -> Self {
        Self::other(error)
    }
}

/// A picture in color: red, green and blue of 8 bits for each pixel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    /// A picture from its bytes, three a pixel, row by row.
    ///
    /// # Errors
    /// Where a side is 0, or the number of bytes does not fit.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self, DataError> {
        if width == 0 || height == 0 || pixels.len() != 3 * width * height {
            let bytes = pixels.len();
            return Err(DataError::invalid(format!("{bytes} bytes are no picture of {width} x {height} pixels")));
        }
        Ok(Self { width, height, pixels })
    }

    /// Reads a JPEG or PNG file, whatever its name ends in. Gray becomes gray in three channels, CMYK becomes RGB, and what
    /// is transparent shows white.
    ///
    /// # Errors
    /// Where it cannot be read, is of another kind, damaged, or too large; the error names the file.
    pub fn open(path: &Path) -> Result<Self, PictureError> {
        let bytes = fs::read(path).map_err(|reason| PictureError::Read { path: path.into(), reason })?;
        Self::decode(&bytes, path)
    }

    /// [`Picture::open`] for the bytes of a file; `path` is for the errors.
    ///
    /// # Errors
    /// As [`Picture::open`].
    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self, PictureError> {
        let fault = |error: ImageError| match error {
            ImageError::Limits(_) => PictureError::TooLarge { path: path.into() },
            ImageError::Unsupported(_) => PictureError::Kind { path: path.into() },
            other => PictureError::Damaged { path: path.into(), reason: other.to_string() },
        };
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|reason| PictureError::Read { path: path.into(), reason })?;
        if reader.format().is_none() {
            return Err(PictureError::Kind { path: path.into() });
        }
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(LARGEST_SIDE), Some(LARGEST_SIDE));
        limits.max_alloc = Some(LARGEST_MEMORY);
        reader.limits(limits);
        let image = reader.decode().map_err(fault)?;
        let (width, height) = (image.width() as usize, image.height() as usize);
        let pixels = if image.color().has_alpha() { on_white(&image) } else { image.into_rgb8().into_raw() };
        Self::new(width, height, pixels)
            .map_err(|_| PictureError::Damaged { path: path.into(), reason: "it has no pixels".to_string() })
    }

    /// Columns of pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Three bytes a pixel, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The same bytes, to be changed.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// A part of the picture; what of it lies outside is left out, but a pixel remains.
    pub fn cropped(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let (left, top) = (left.min(self.width - 1), top.min(self.height - 1));
        let (width, height) = (width.clamp(1, self.width - left), height.clamp(1, self.height - top));
        let rows = self.pixels.chunks_exact(3 * self.width).skip(top).take(height);
        let pixels = rows.flat_map(|row| &row[3 * left..3 * (left + width)]).copied().collect();
        Self { width, height, pixels }
    }

    /// The picture at another size, by bilinear interpolation that averages where it shrinks, as Pillow does it.
    ///
    /// # Errors
    /// Where a side is 0 or larger than [`LARGEST_SIDE`].
    pub fn resized(&self, width: usize, height: usize) -> Result<Self> {
        let allowed = 1..=LARGEST_SIDE as usize;
        if !allowed.contains(&width) || !allowed.contains(&height) {
            candle_core::bail!("a picture of {width} x {height} pixels: a side is from 1 to {LARGEST_SIDE}");
        }
        if (width, height) == (self.width, self.height) {
            return Ok(self.clone());
        }
        let mut pixels = vec![0; 3 * width * height];
        let source = TypedImageRef::<U8x3>::from_buffer(self.width as u32, self.height as u32, &self.pixels);
        let target = TypedImage::<U8x3>::from_buffer(width as u32, height as u32, &mut pixels);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        Resizer::new()
            .resize_typed(&source.map_err(Error::wrap)?, &mut target.map_err(Error::wrap)?, &options)
            .map_err(Error::wrap)?;
        Ok(Self { width, height, pixels })
    }

    /// Mirrored left to right.
    pub fn flipped_left_right(mut self) -> Self {
        for row in self.pixels.chunks_exact_mut(3 * self.width) {
            let (pixels, _) = row.as_chunks_mut::<3>();
            pixels.reverse();
        }
        self
    }

    /// Mirrored top to bottom.
    pub fn flipped_top_bottom(self) -> Self {
        let rows = self.pixels.chunks_exact(3 * self.width).rev();
        Self { pixels: rows.flatten().copied().collect(), ..self }
    }

    /// Writes the channels as three planes one after the other, each value through `scale`, given the channel.
    pub fn write_planes(&self, planes: &mut [f32], scale: impl Fn(usize, u8) -> f32) {
        for (channel, plane) in planes.chunks_exact_mut(self.width * self.height).enumerate() {
            let bytes = self.pixels.iter().skip(channel).step_by(3);
            plane.iter_mut().zip(bytes).for_each(|(value, &byte)| *value = scale(channel, byte));
        }
    }

    /// `(3, height, width)`, from 0 to 1.
    ///
    /// # Errors
    /// What the device gives.
    pub fn tensor(&self, device: &Device) -> Result<Tensor> {
        let mut values = vec![0f32; self.pixels.len()];
        self.write_planes(&mut values, |_, byte| f32::from(byte) / 255.0);
        Tensor::from_vec(values, (3, self.height, self.width), device)
    }

    /// The picture for a figure.
    ///
    /// # Errors
    /// None: a picture has pixels.
    pub fn image(&self) -> Result<plot::Image, plot::PlotError> {
        plot::Image::new(self.width, self.height, 3, self.pixels.clone())
    }
}

/// What a picture with an alpha channel looks like on white paper.
fn on_white(image: &DynamicImage) -> Vec<u8> {
    let blended = image.to_rgba8().into_raw();
    let (pixels, _) = blended.as_chunks::<4>();
    let blend = |&[red, green, blue, alpha]: &[u8; 4]| {
        let over = |value: u8| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        [over(red), over(green), over(blue)]
    };
    pixels.iter().flat_map(blend).collect()
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder as _};

    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    fn png(
        width: u32,
        height: u32,
        color: ExtendedColorType,
        bytes: &[u8],
    ) -> std::result::Result<Vec<u8>, ImageError> {
        let mut file = Vec::new();
        image::codecs::png::PngEncoder::new(&mut file).write_image(bytes, width, height, color)?;
        Ok(file)
    }

    #[test]
    fn kinds_of_pixels_become_rgb() -> Outcome {
        let name = Path::new("a.jpg"); // a PNG in truth: the name does not matter
        let gray = Picture::decode(&png(2, 1, ExtendedColorType::L8, &[10, 200])?, name)?;
        assert_eq!(gray.pixels(), [10, 10, 10, 200, 200, 200]);
        let rgba = [255, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 127];
        let transparent = Picture::decode(&png(3, 1, ExtendedColorType::Rgba8, &rgba)?, name)?;
        assert_eq!(transparent.pixels(), [255, 0, 0, 255, 255, 255, 128, 128, 128]);
        let deep: Vec<u8> = [0u16, 65_535].iter().flat_map(|value| value.to_ne_bytes()).collect();
        assert_eq!(Picture::decode(&png(2, 1, ExtendedColorType::L16, &deep)?, name)?.pixels()[3..], [255, 255, 255]);
        Ok(())
    }

    #[test]
    fn four_inks_become_rgb() -> Outcome {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/cmyk.jpg");
        let picture = Picture::open(&path)?;
        assert_eq!((picture.width(), picture.height()), (16, 8));
        for (column, wanted) in [(3, [255u8, 0, 0]), (12, [0, 255, 0])] {
            let pixel = &picture.pixels()[3 * (16 * 3 + column)..][..3];
            assert!(
                pixel.iter().zip(wanted).all(|(got, wanted)| got.abs_diff(wanted) < 12),
                "{pixel:?}, not {wanted:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn damaged_and_strange_files_are_named() -> Outcome {
        let good = png(40, 40, ExtendedColorType::Rgb8, &[7; 4800])?;
        let mut huge = good.clone();
        huge[16..24].copy_from_slice(&[50_000u32.to_be_bytes(), 50_000u32.to_be_bytes()].concat());
        let mut check = flate2::Crc::new();
        check.update(&huge[12..29]);
        huge[29..33].copy_from_slice(&check.sum().to_be_bytes());
        let cases: [(&[u8], &str); 5] = [
            (&good[..good.len() / 2], "damaged"),
            (b"GIF89a and so on", "neither"),
            (b"<svg></svg>", "neither"),
            (b"", "neither"),
            (&huge, "larger than"),
        ];
        for (bytes, word) in cases {
            let error = Picture::decode(bytes, Path::new("pictures/odd.png")).expect_err(word).to_string();
            assert!(error.contains("pictures/odd.png") && error.contains(word), "{error}");
        }
        let error = Picture::open(Path::new("no/such.jpg")).expect_err("not there").to_string();
        assert!(error.contains("no/such.jpg"), "{error}");
        Ok(())
    }

    #[test]
    fn parts_and_mirror_images() -> Outcome {
        let numbered = Picture::new(3, 2, (0..18).collect())?;
        assert_eq!(numbered.cropped(1, 1, 5, 5).pixels(), [12, 13, 14, 15, 16, 17]);
        assert_eq!(numbered.cropped(9, 9, 0, 0).pixels(), [15, 16, 17]);
        assert_eq!(numbered.clone().flipped_left_right().pixels()[..6], [6, 7, 8, 3, 4, 5]);
        assert_eq!(numbered.clone().flipped_top_bottom().pixels()[..3], [9, 10, 11]);
        let planes = numbered.tensor(&Device::Cpu)?;
        assert_eq!(planes.dims(), [3, 2, 3]);
        let green: Vec<f32> = [1, 4, 7, 10, 13, 16].iter().map(|&byte| byte as f32 / 255.0).collect();
        assert_eq!(planes.get(1)?.flatten_all()?.to_vec1::<f32>()?, green);
        Ok(())
    }

    #[test]
    fn sizes_that_make_no_sense_are_refused() -> Outcome {
        let picture = Picture::new(1, 1, vec![1, 2, 3])?;
        assert!(picture.resized(0, 5).expect_err("no pixels").to_string().contains("0 x 5"));
        assert!(picture.resized(1 << 20, 1).is_err());
        assert_eq!(picture.resized(2, 2)?.pixels(), [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
        assert!(Picture::new(2, 2, vec![0; 3]).is_err());
        Ok(())
    }
}

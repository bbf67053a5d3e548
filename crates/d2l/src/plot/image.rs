//! Images to show: bytes, gray or RGB.

use candle_core::{DType, Device, Tensor};
use plotters::style::RGBColor;

use super::PlotError;

/// An image of 8 bits a channel, gray or RGB, row by row (section 3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    channels: usize,
    pixels: Vec<u8>,
}

impl Image {
    /// An image from its bytes, row by row, with 1 (gray) or 3 (RGB) interleaved `channels`.
    ///
    /// # Errors
    /// Where a size is 0, or the number of bytes or channels does not fit.
    pub fn new(width: usize, height: usize, channels: usize, pixels: Vec<u8>) -> Result<Self, PlotError> {
        if width == 0 || height == 0 || !matches!(channels, 1 | 3) || pixels.len() != width * height * channels {
            return Err(PlotError::Argument(format!(
                "an image of {width} x {height} with {channels} channels cannot have {} bytes: it needs width x height \
                 x channels of them, and 1 or 3 channels",
                pixels.len()
            )));
        }
        Ok(Self { width, height, channels, pixels })
    }

    /// An image from a tensor `(height, width)`, `(1, height, width)` or `(3, height, width)`: `u8` as it is, floats
    /// from 0 (black) to 1 (full), clamped.
    ///
    /// # Errors
    /// Where the tensor has another shape.
    pub fn from_tensor(tensor: &Tensor) -> Result<Self, PlotError> {
        let (channels, height, width) = match *tensor.dims() {
            [height, width] => (1, height, width),
            [channels @ (1 | 3), height, width] => (channels, height, width),
            ref dims => {
                return Err(PlotError::Argument(format!(
                    "an image tensor has shape (height, width), (1, height, width) or (3, height, width), not {dims:?}"
                )));
            }
        };
        let interleaved = tensor.to_device(&Device::Cpu)?.reshape((channels, height, width))?.permute((1, 2, 0))?;
        let pixels = if tensor.dtype() == DType::U8 {
            interleaved.flatten_all()?.to_vec1()?
        } else {
            let values = interleaved.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            // The cast saturates, and takes NaN to black.
            values.into_iter().map(|value| (value * 255.0).round() as u8).collect()
        };
        Self::new(width, height, channels, pixels)
    }

    /// The width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    pub(super) fn color(&self, row: usize, column: usize) -> RGBColor {
        let first = (row * self.width + column) * self.channels;
        match self.pixels[first..first + self.channels] {
            [red, green, blue] => RGBColor(red, green, blue),
            [grey, ..] => RGBColor(grey, grey, grey),
            [] => RGBColor(0, 0, 0),
        }
    }
}

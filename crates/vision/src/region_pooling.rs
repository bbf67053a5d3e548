//! Parts of a feature map, whatever their size, brought to one size: RoI pooling and RoI align (section 13.8).
//!
//! Both look rows up in a table of the map's cells and combine them, so that their gradients are those of the operations
//! they are made of.

use d2l::ops::{embedding, matmul, max};
use d2l::prelude::*;

use crate::sections::bounding_box::Corners;

/// A region of interest: which picture of the minibatch, and where on it, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    pub picture: usize,
    pub corners: Corners,
}

/// A feature map `(batch, channels, height, width)` as a table with a row of channels for each cell, and a row of zeros at
/// the end for what is outside.
struct Cells {
    table: Tensor,
    batch: usize,
    height: usize,
    width: usize,
}

impl Cells {
    fn of(features: &Tensor) -> Result<Self> {
        let (batch, channels, height, width) = features.dims4()?;
        let cells = features.permute((0, 2, 3, 1))?.contiguous()?.reshape((batch * height * width, channels))?;
        let outside = Tensor::zeros((1, channels), features.dtype(), features.device())?;
        Ok(Self { table: d2l::ops::concat(&[cells, outside], 0)?, batch, height, width })
    }

    fn place(&self, picture: usize, row: usize, column: usize) -> u32 {
        ((picture * self.height + row) * self.width + column) as u32
    }

    fn outside(&self) -> u32 {
        (self.batch * self.height * self.width) as u32
    }

    fn check(&self, regions: &[Region], (rows, columns): (usize, usize)) -> Result<()> {
        if rows == 0 || columns == 0 || regions.is_empty() {
            candle_core::bail!("{} regions to pool to {rows} x {columns}: none of these may be 0", regions.len());
        }
        if let Some(region) = regions.iter().find(|region| region.picture >= self.batch) {
            candle_core::bail!("a region on picture {} of {}", region.picture, self.batch);
        }
        Ok(())
    }
}

/// The maximum of each of `size` parts of each region (Girshick, 2015): `(regions, channels, rows, columns)`.
///
/// Corners times `scale` are rounded to cells of the map; parts overlap by a cell where their number does not divide the
/// region's. A part outside of the map is 0.
///
/// # Errors
/// Where there is no region, a size is 0, or a region is of a picture that there is not.
#[doc(alias = "ROIPooling")]
pub fn roi_pool(features: &Tensor, regions: &[Region], size: (usize, usize), scale: f32) -> Result<Tensor> {
    let cells = Cells::of(features)?;
    cells.check(regions, size)?;
    let parts: Vec<Vec<u32>> = regions
        .iter()
        .flat_map(|region| {
            let [left, top, right, bottom] = region.corners.to_array().map(|corner| to_cell(corner * scale));
            let rows = bounds(top, bottom, size.0, cells.height);
            let columns = bounds(left, right, size.1, cells.width);
            let cells = &cells;
            rows.into_iter().flat_map(move |rows| {
                columns.clone().into_iter().map(move |columns| {
                    let place = |row| columns.clone().map(move |column| cells.place(region.picture, row, column));
                    rows.clone().flat_map(place).collect()
                })
            })
        })
        .collect();
    // A part with fewer cells than another has its first one several times, which changes no maximum.
    let most = parts.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let filled = parts.iter().flat_map(|part| {
        let first = part.first().copied().unwrap_or(cells.outside());
        part.iter().copied().chain(std::iter::repeat_n(first, most - part.len()))
    });
    let ids = Tensor::from_vec(filled.collect::<Vec<u32>>(), (parts.len(), most), features.device())?;
    let pooled = max(&embedding(&ids, &cells.table)?, 1)?; // (regions * rows * columns, channels)
    arranged(&pooled, regions.len(), size)
}

/// The cell that a coordinate is rounded to; of one beyond any map, a cell beyond any map.
fn to_cell(at: f32) -> isize {
    at.round().clamp(-1e6, 1e6) as isize
}

/// The cells of each of `parts` parts of those from `start` to `end`, both included, as far as the map has them.
fn bounds(start: isize, end: isize, parts: usize, cells: usize) -> Vec<std::ops::Range<usize>> {
    let length = (end - start + 1).max(1) as f64 / parts as f64;
    let on_map = |place: f64| (place as isize + start).clamp(0, cells as isize) as usize;
    (0..parts).map(|part| on_map((part as f64 * length).floor())..on_map(((part + 1) as f64 * length).ceil())).collect()
}

/// Rows of channels, one for each part of each region, as `(regions, channels, rows, columns)`.
fn arranged(pooled: &Tensor, regions: usize, (rows, columns): (usize, usize)) -> Result<Tensor> {
    let channels = pooled.dim(1)?;
    pooled.reshape((regions, rows, columns, channels))?.permute((0, 3, 1, 2))?.contiguous()
}

/// The mean of `samples * samples` points in each of `size` parts of each region, each point interpolated between the four
/// cells around it (He et al., 2017): `(regions, channels, rows, columns)`. Nothing is rounded; the center of the map's
/// first cell is half a cell from its edge.
///
/// # Errors
/// As [`roi_pool`].
pub fn roi_align(
    features: &Tensor,
    regions: &[Region],
    size: (usize, usize),
    scale: f32,
    samples: usize,
) -> Result<Tensor> {
    let cells = Cells::of(features)?;
    cells.check(regions, size)?;
    let samples = samples.max(1);
    let points = size.0 * size.1 * samples * samples * regions.len();
    let (mut ids, mut weights) = (Vec::with_capacity(4 * points), Vec::with_capacity(4 * points));
    for region in regions {
        let [left, top, right, bottom] = region.corners.to_array().map(|corner| corner * scale - 0.5);
        let (high, wide) = ((bottom - top) / size.0 as f32, (right - left) / size.1 as f32);
        let between = |sample: usize| (sample as f32 + 0.5) / samples as f32;
        for part in 0..size.0 * size.1 {
            let (row, column) = ((part / size.1) as f32, (part % size.1) as f32);
            for sample in 0..samples * samples {
                let y = top + (row + between(sample / samples)) * high;
                let x = left + (column + between(sample % samples)) * wide;
                for (place, weight) in corners_of(&cells, region.picture, y, x) {
                    ids.push(place);
                    weights.push(weight / (samples * samples) as f32);
                }
            }
        }
    }
    let around = 4 * samples * samples;
    let parts = ids.len() / around;
    let ids = Tensor::from_vec(ids, (parts, around), features.device())?;
    let weights = Tensor::from_vec(weights, (parts, 1, around), features.device())?;
    let means = matmul(&weights, &embedding(&ids, &cells.table)?)?; // (parts, 1, channels)
    arranged(&means.squeeze(1)?, regions.len(), size)
}

/// The four cells around a point with their weights; a point further outside than a cell has none.
fn corners_of(cells: &Cells, picture: usize, y: f32, x: f32) -> [(u32, f32); 4] {
    let (height, width) = (cells.height as f32, cells.width as f32);
    if !(-1.0..=height).contains(&y) || !(-1.0..=width).contains(&x) {
        return [(cells.outside(), 0.0); 4];
    }
    let split = |at: f32, last: f32| {
        let at = at.clamp(0.0, last);
        (at.floor() as usize, (at.floor() + 1.0).min(last) as usize, at - at.floor())
    };
    let (above, below, down) = split(y, height - 1.0);
    let (before, after, along) = split(x, width - 1.0);
    [
        (cells.place(picture, above, before), (1.0 - down) * (1.0 - along)),
        (cells.place(picture, above, after), (1.0 - down) * along),
        (cells.place(picture, below, before), down * (1.0 - along)),
        (cells.place(picture, below, after), down * along),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pooling = fn(&Tensor, &[Region]) -> Result<Tensor>;

    fn values(tensor: &Tensor) -> Result<Vec<f32>> {
        tensor.flatten_all()?.to_vec1()
    }

    fn region(left: f32, top: f32, right: f32, bottom: f32) -> Region {
        Region { picture: 0, corners: Corners::new(left, top, right, bottom) }
    }

    #[test]
    fn gradients_are_the_slopes() -> Result<()> {
        let start: Vec<f32> = (0..32).map(|i| ((i * 37 % 32) as f32) / 7.0).collect();
        let regions = [region(0.0, 0.0, 20.0, 20.0), region(5.0, 10.0, 37.0, 31.0), region(-30.0, 0.0, -20.0, 9.0)];
        let poolings: [Pooling; 2] = [|x, r| roi_pool(x, r, (2, 2), 0.1), |x, r| roi_align(x, r, (2, 3), 0.1, 2)];
        for pooling in poolings {
            // Each output has a weight of its own, so that an exchange of two would show.
            let loss = |x: &Tensor| {
                let y = pooling(x, &regions)?.flatten_all()?;
                let weights = Tensor::arange(1f32, y.elem_count() as f32 + 1.0, &Device::Cpu)?;
                (y * weights)?.sum_all()
            };
            let x = Var::from_tensor(&Tensor::from_vec(start.clone(), (1, 2, 4, 4), &Device::Cpu)?)?;
            let slopes = values(backward(&loss(&x)?)?.get(&x)?)?;
            for (place, slope) in slopes.into_iter().enumerate() {
                let moved = |by: f32| {
                    let mut moved = start.clone();
                    moved[place] += by;
                    loss(&Tensor::from_vec(moved, (1, 2, 4, 4), &Device::Cpu)?)?.to_scalar::<f32>()
                };
                let difference = (moved(0.01)? - moved(-0.01)?) / 0.02;
                assert!((slope - difference).abs() < 0.05, "cell {place}: {slope} instead of {difference}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_whole_map_aligned_to_its_own_size_is_itself() -> Result<()> {
        let map = Tensor::arange(0f32, 24.0, &Device::Cpu)?.reshape((1, 2, 3, 4))?;
        let aligned = roi_align(&map, &[region(0.0, 0.0, 4.0, 3.0)], (3, 4), 1.0, 1)?;
        assert_eq!(values(&aligned)?, values(&map)?);
        Ok(())
    }

    #[test]
    fn what_cannot_be_pooled_is_named() -> Result<()> {
        let map = Tensor::zeros((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
        let there = region(0.0, 0.0, 1.0, 1.0);
        assert!(roi_pool(&map, &[], (2, 2), 1.0).is_err());
        assert!(roi_pool(&map, &[there], (0, 2), 1.0).is_err());
        let error = roi_align(&map, &[Region { picture: 1, ..there }], (2, 2), 1.0, 2).expect_err("no such picture");
        assert!(error.to_string().contains("picture 1"), "{error}");
        assert_eq!(values(&roi_pool(&map, &[region(5.0, 5.0, 9.0, 9.0)], (1, 1), 1.0)?)?, [0.0]);
        Ok(())
    }
}

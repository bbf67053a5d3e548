//! Winograd's minimal filtering for 3×3 and 5×5 windows at stride 1 (Lavin and Gray, 2016, arXiv:1509.09308).
//!
//! A tile of 6×6 inputs gives `m × m` outputs, `m = 4` for 3×3 windows and `m = 2` for 5×5. In one dimension, with the
//! points `0, ±√½, ±√2, ∞`: `y = Eₘᵀ [(s E_r g) ⊙ (B d)]`, where row `k` of `E_n` holds the powers `0 … n−1` of
//! point `k` (for `∞`, one at the last), `s` scales the points, and `B` is the transform of the inputs. Two
//! dimensions apply it to rows and columns. Summed over input channels the `⊙` becomes 36 matrix products of
//! `(tiles, in)` by `(in, out)`, with a quarter (3×3) or 36 % (5×5) of the multiplications of the definition.
//!
//! The input's gradient is the same with turned weights; the weight's gradient is the transpose in `g`:
//! `∂g = E_rᵀ s [(Eₘ ∂y) ⊙ (B d)]`, the products then summing over tiles.
//!
//! Sixteen channels are transformed at a time, one a lane, so tiles of any number and place cost the same.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use super::convolution::Convolution;
use super::kernel::{self, Float, Matrix};
use super::memory::{self, Disjoint};

/// Inputs of a tile along an axis, and points of the transforms.
const SIDE: usize = 6;
const POINTS: usize = SIDE * SIDE;
/// Channels transformed at once.
const LANES: usize = 16;

/// Elements of the transformed tiles that a forward task works on.
const FORWARD_BLOCK: usize = 128 * 1024;
/// Tiles of a forward task at least: fewer would read the weight too often.
const FORWARD_TILES: usize = 32;
/// Elements of the transformed tiles between two rounds of products of the weight's gradient; more where the sums that
/// each round adds to are large.
const GRADIENT_BLOCK: usize = 512 * 1024;
/// Elements of transformed tiles in memory at once at most.
const LARGEST_BLOCK: usize = 8 * 1024 * 1024;
/// Output channels of one part, and elements of a weight from which on it is taken in parts.
const OUTPUTS: usize = 64;
const LARGE_WEIGHT: usize = 256 * 256;

type Lanes<T> = [T; LANES];

/// The distance of one point's matrix from the next's: an odd number of lanes, so that the 36 places that a tile is
/// written to do not compete for the same lines of the cache.
fn point_stride(elements: usize) -> usize {
    (elements.div_ceil(LANES) | 1) * LANES
}

/// Powers of the points near 0 (`±√½`) and far from it (`±√2`). Their squares multiply to 1, so the transforms neither
/// grow nor shrink the values much: the usual points 1 and 2 lose up to a digit more.
const NEAR: [f64; 5] = [1.0, FRAC_1_SQRT_2, 0.5, 0.5 * FRAC_1_SQRT_2, 0.25];
const FAR: [f64; 5] = [1.0, SQRT_2, 2.0, 2.0 * SQRT_2, 4.0];

/// The points' scales `s` for the weight along one axis: `1 / ∏ (point − other finite point)`.
const SCALES: [f64; SIDE] = [1.0, -2.0 / 3.0, -2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0, 1.0];

/// Values of the polynomial with these coefficients at the points (at `∞`: the last coefficient).
#[inline(always)]
fn evaluate<T: Float, const N: usize>(c: [T; N]) -> [T; SIDE] {
    let [mut near_even, mut near_odd, mut far_even, mut far_odd] = [T::zero(); 4];
    for (power, &c) in c.iter().enumerate() {
        let (near, far) = (c * T::of(NEAR[power]), c * T::of(FAR[power]));
        if power % 2 == 0 {
            near_even += near;
            far_even += far;
        } else {
            near_odd += near;
            far_odd += far;
        }
    }
    [c[0], near_even + near_odd, near_even - near_odd, far_even + far_odd, far_even - far_odd, c[N - 1]]
}

/// The transpose of [`evaluate`].
#[inline(always)]
fn evaluate_transposed<T: Float, const N: usize>(p: [T; SIDE]) -> [T; N] {
    let (near_even, near_odd, far_even, far_odd) = (p[1] + p[2], p[1] - p[2], p[3] + p[4], p[3] - p[4]);
    let mut c = std::array::from_fn(|power| {
        let (near, far) = if power % 2 == 0 { (near_even, far_even) } else { (near_odd, far_odd) };
        near * T::of(NEAR[power]) + far * T::of(FAR[power])
    });
    c[0] += p[0];
    c[N - 1] += p[5];
    c
}

/// The transform `B` of a tile's inputs: row `k` holds the coefficients of `∏ (z − point)` over the finite points but
/// the `k`-th, the last row those over all of them.
#[inline(always)]
fn transform_input<T: Float>(d: [T; SIDE]) -> [T; SIDE] {
    let (near, near_square, far, far_square) = (T::of(NEAR[1]), T::of(NEAR[2]), T::of(FAR[1]), T::of(FAR[2]));
    let both = T::of(NEAR[2] + FAR[2]);
    let (near_even, near_odd) = (d[4] - far_square * d[2], near * (d[3] - far_square * d[1]));
    let (far_even, far_odd) = (d[4] - near_square * d[2], far * (d[3] - near_square * d[1]));
    [
        d[0] - both * d[2] + d[4],
        near_even + near_odd,
        near_even - near_odd,
        far_even + far_odd,
        far_even - far_odd,
        d[1] - both * d[3] + d[5],
    ]
}

/// Applies a one-dimensional map from `A` to `B` values to both axes of a tile of lanes.
#[inline(always)]
fn on_both_axes<T: Float, const A: usize, const B: usize>(
    tile: &[[Lanes<T>; A]; A],
    map: impl Fn([T; A]) -> [T; B],
) -> [[Lanes<T>; B]; B] {
    let mut half = [[[T::zero(); LANES]; A]; B];
    for column in 0..A {
        for lane in 0..LANES {
            let mapped = map(std::array::from_fn(|row| tile[row][column][lane]));
            (0..B).for_each(|row| half[row][column][lane] = mapped[row]);
        }
    }
    let mut both = [[[T::zero(); LANES]; B]; B];
    for row in 0..B {
        for lane in 0..LANES {
            let mapped = map(std::array::from_fn(|column| half[row][column][lane]));
            (0..B).for_each(|column| both[row][column][lane] = mapped[column]);
        }
    }
    both
}

/// Planes of `channels` channels of a batch that tiles read.
#[derive(Clone, Copy)]
struct Planes {
    channels: usize,
    height: usize,
    width: usize,
}

impl Planes {
    fn len(&self) -> usize {
        self.height * self.width
    }
}

/// A convolution at stride 1 without groups, cut into tiles.
#[derive(Clone, Copy)]
pub(crate) struct Winograd {
    batch: usize,
    input: Planes,
    output: Planes,
    /// Side of the window, 3 or 5.
    kernel: usize,
    padding: (usize, usize),
    /// The first channel of the result that `output` stands for, and the number of all of them.
    first_output: usize,
    all_outputs: usize,
}

impl Winograd {
    /// The tiles of a convolution's forward pass, where they are quicker than columns.
    pub fn forward_of(convolution: &Convolution) -> Option<Self> {
        Self::of(convolution, convolution.inputs, convolution.outputs)
    }

    /// The tiles of the convolution that maps a result's gradient to the input's, where they are quicker than columns.
    pub fn input_gradient_of(convolution: &Convolution) -> Option<Self> {
        let forward = Self::of(convolution, convolution.outputs, convolution.inputs)?;
        let turned = |padding: usize| forward.kernel - 1 - padding;
        let (input, output) = (forward.output, forward.input);
        let (input, output) =
            (Planes { channels: convolution.outputs, ..input }, Planes { channels: convolution.inputs, ..output });
        let padding = (turned(forward.padding.0), turned(forward.padding.1));
        Some(Self { input, output, padding, all_outputs: output.channels, ..forward })
    }

    fn of(convolution: &Convolution, inputs: usize, outputs: usize) -> Option<Self> {
        let (rows, columns) = (convolution.windows.rows, convolution.windows.columns);
        let fits = |axis: super::windows::Axis| {
            axis.kernel == rows.kernel && axis.stride == 1 && axis.dilation == 1 && axis.padding < axis.kernel
        };
        if convolution.groups != 1 || !matches!(rows.kernel, 3 | 5) || !fits(rows) || !fits(columns) {
            return None;
        }
        let winograd = Self {
            batch: convolution.batch,
            input: Planes { channels: inputs, height: rows.input, width: columns.input },
            output: Planes { channels: outputs, height: rows.output, width: columns.output },
            kernel: rows.kernel,
            padding: (rows.padding, columns.padding),
            first_output: 0,
            all_outputs: outputs,
        };
        let (down, across) = winograd.tiles();
        let multiplications = POINTS * down * across;
        let direct = rows.kernel * rows.kernel * winograd.output.len();
        (inputs >= LANES && outputs >= LANES && multiplications * 3 <= direct * 2).then_some(winograd)
    }

    /// Outputs of a tile along an axis.
    fn step(&self) -> usize {
        SIDE + 1 - self.kernel
    }

    /// Tiles down and across an output plane.
    fn tiles(&self) -> (usize, usize) {
        (self.output.height.div_ceil(self.step()), self.output.width.div_ceil(self.step()))
    }

    /// Rows of tiles of the whole batch.
    fn tile_rows(&self) -> usize {
        self.batch * self.tiles().0
    }

    /// Runs of tile rows whose transformed tiles have about `elements` elements, but with at least `tiles` tiles.
    fn blocks(&self, elements: usize, tiles: usize) -> Vec<Range<usize>> {
        let (rows, across) = (self.tile_rows(), self.tiles().1);
        let row = POINTS * across * (self.input.channels + self.output.channels);
        let step = (elements / row).max(tiles.div_ceil(across)).clamp(1, rows.max(1));
        (0..rows).step_by(step).map(|start| start..(start + step).min(rows)).collect()
    }

    /// `(batch, out, height, width)` for the weight of a convolution, `(out, in, kernel, kernel)`, or, `turned`, for
    /// that of the convolution whose input gradient this is, `(in, out, kernel, kernel)`.
    pub fn forward<T: Float>(&self, x: &[T], weight: &[T], turned: bool, bias: Option<&[T]>) -> Result<Vec<T>> {
        match self.kernel {
            3 => self.forward_with::<T, 3, 4>(x, weight, turned, bias),
            _ => self.forward_with::<T, 5, 2>(x, weight, turned, bias),
        }
    }

    /// The gradient of the weight.
    pub fn weight_gradient<T: Float>(&self, x: &[T], grad: &[T]) -> Result<Vec<T>> {
        match self.kernel {
            3 => self.weight_gradient_with::<T, 3, 4>(x, grad),
            _ => self.weight_gradient_with::<T, 5, 2>(x, grad),
        }
    }

    /// Channels of the input and of the output, filled up to whole lanes.
    fn widths(&self) -> (usize, usize) {
        (self.input.channels.next_multiple_of(LANES), self.output.channels.next_multiple_of(LANES))
    }

    /// The same for up to [`OUTPUTS`] channels of the result from `first` on.
    fn part(&self, first: usize) -> Self {
        let channels = OUTPUTS.min(self.all_outputs - first);
        Self { output: Planes { channels, ..self.output }, first_output: first, ..*self }
    }

    /// Whether the transformed weight is so large, and all tiles together so few, that the weight is to be transformed
    /// a part at a time, which stays in the cache until it is multiplied, and the tiles but once.
    fn is_deep(&self) -> bool {
        let tiles = self.tile_rows() * self.tiles().1;
        let (inputs, outputs) = (self.input.channels, self.output.channels);
        inputs * outputs >= LARGE_WEIGHT && POINTS * tiles * (inputs + outputs) <= LARGEST_BLOCK
    }

    fn forward_with<T: Float, const R: usize, const M: usize>(
        &self,
        x: &[T],
        weight: &[T],
        turned: bool,
        bias: Option<&[T]>,
    ) -> Result<Vec<T>> {
        // SAFETY: every output lies in one tile and one part, and those between them write all outputs.
        let mut y = unsafe { memory::uninitialized(self.batch * self.all_outputs * self.output.len()) };
        let target = Disjoint::new(&mut y);
        if self.is_deep() {
            let all = 0..self.tile_rows();
            let mut tiles = Vec::new();
            self.transform_rows::<T, SIDE, M>(self.input, x, &all, &mut tiles);
            let parts = (0..self.all_outputs).into_par_iter().step_by(OUTPUTS).map(|first| self.part(first));
            parts.try_for_each_init(Default::default, |(transformed, products), part| {
                part.transform_weight::<T, R>(weight, turned, transformed);
                part.multiply(&tiles, transformed, products, all.len())?;
                // SAFETY: each part has its own channels.
                unsafe { part.write_rows::<T, M>(products, &all, bias, &target) };
                Ok::<(), candle_core::Error>(())
            })?;
        } else {
            let mut transformed = Vec::new();
            self.transform_weight::<T, R>(weight, turned, &mut transformed);
            let blocks = self.blocks(FORWARD_BLOCK, FORWARD_TILES);
            blocks.into_par_iter().try_for_each_init(Default::default, |(tiles, products), rows| {
                self.transform_rows::<T, SIDE, M>(self.input, x, &rows, tiles);
                self.multiply(tiles, &transformed, products, rows.len())?;
                // SAFETY: each block has its own rows of tiles.
                unsafe { self.write_rows::<T, M>(products, &rows, bias, &target) };
                Ok::<(), candle_core::Error>(())
            })?;
        }
        Ok(y)
    }

    /// The transform `(points, tiles, channels in lanes)` of some rows of tiles of `S` by `S` values: of six they are
    /// inputs, smaller ones gradients of outputs.
    fn transform_rows<T: Float, const S: usize, const M: usize>(
        &self,
        planes: Planes,
        source: &[T],
        rows: &Range<usize>,
        tiles: &mut Vec<T>,
    ) {
        let across = self.tiles().1;
        let count = rows.len() * across;
        let width = planes.channels.next_multiple_of(LANES);
        let sink = Disjoint::new(scratch(tiles, POINTS * point_stride(count * width)));
        rows.clone().into_par_iter().for_each(|row| {
            // SAFETY: each row of tiles has its own range of tiles, written once.
            unsafe { self.transform_tiles::<T, S, M>(planes, source, row, count, (row - rows.start) * across, &sink) };
        });
    }

    /// For each point the product `(tiles, out in lanes)` of tiles and weight.
    fn multiply<T: Float>(&self, tiles: &[T], weight: &[T], products: &mut Vec<T>, rows: usize) -> Result<()> {
        let (inputs, outputs, (width_in, width_out)) = (self.input.channels, self.output.channels, self.widths());
        let count = rows * self.tiles().1;
        let stride = point_stride(count * width_out);
        let points = scratch(products, POINTS * stride).par_chunks_mut(stride);
        let points = points.zip(tiles.par_chunks(point_stride(count * width_in)));
        let points = points.zip(weight.par_chunks(point_stride(inputs * width_out)));
        points.try_for_each(|((product, tiles), weight)| {
            let (tiles, weight) = (Matrix::rows(tiles, width_in), Matrix::rows(weight, width_out));
            kernel::matmul_strided((count, inputs, outputs), tiles, weight, T::zero(), product, width_out, 1)
        })
    }

    /// Transforms products back and writes the outputs of some rows of tiles.
    ///
    /// # Safety
    /// Nothing else uses these outputs in `y` meanwhile.
    unsafe fn write_rows<T: Float, const M: usize>(
        &self,
        products: &[T],
        rows: &Range<usize>,
        bias: Option<&[T]>,
        y: &Disjoint<'_, T>,
    ) {
        let across = self.tiles().1;
        rows.clone().into_par_iter().for_each(|row| {
            // SAFETY: each row of tiles has its own outputs, and the caller keeps others away.
            unsafe {
                self.write_outputs::<T, M>(products, row, rows.len() * across, (row - rows.start) * across, bias, y);
            }
        });
    }

    fn weight_gradient_with<T: Float, const R: usize, const M: usize>(&self, x: &[T], grad: &[T]) -> Result<Vec<T>> {
        let (inputs, outputs, (width_in, width_out)) = (self.input.channels, self.output.channels, self.widths());
        let across = self.tiles().1;
        let (mut tiles, mut gradients) = (Vec::new(), Vec::new());
        if self.is_deep() {
            let all = 0..self.tile_rows();
            let count = all.len() * across;
            self.transform_rows::<T, SIDE, M>(self.input, x, &all, &mut tiles);
            self.transform_rows::<T, M, M>(self.output, grad, &all, &mut gradients);
            let mut weight = vec![T::zero(); outputs * inputs * R * R];
            let parts = weight.par_chunks_mut(OUTPUTS * inputs * R * R).enumerate();
            parts.try_for_each_init(Vec::new, |sums, (index, weight)| {
                let part = self.part(index * OUTPUTS);
                let width = part.widths().1;
                let stride = point_stride(inputs * width);
                let points = scratch(sums, POINTS * stride).par_chunks_mut(stride);
                let points = points.zip(tiles.par_chunks(point_stride(count * width_in)));
                let points = points.zip(gradients.par_chunks(point_stride(count * width_out)));
                points.try_for_each(|((sum, tiles), grad)| {
                    let tiles = Matrix::rows(tiles, width_in).transposed();
                    let grad = Matrix::rows(&grad[part.first_output..], width_out);
                    let sizes = (inputs, count, part.output.channels);
                    kernel::matmul_strided(sizes, tiles, grad, T::zero(), sum, width, 1)
                })?;
                part.weight_from_points::<T, R>(sums, weight);
                Ok::<(), candle_core::Error>(())
            })?;
            return Ok(weight);
        }
        let mut sums = vec![T::zero(); POINTS * point_stride(inputs * width_out)]; // (points, in, out in lanes)
        let block = (4 * POINTS * inputs * outputs).clamp(GRADIENT_BLOCK, LARGEST_BLOCK);
        for rows in self.blocks(block, 1) {
            let count = rows.len() * across;
            self.transform_rows::<T, SIDE, M>(self.input, x, &rows, &mut tiles);
            self.transform_rows::<T, M, M>(self.output, grad, &rows, &mut gradients);
            let points = sums.par_chunks_mut(point_stride(inputs * width_out));
            let points = points.zip(tiles.par_chunks(point_stride(count * width_in)));
            let points = points.zip(gradients.par_chunks(point_stride(count * width_out)));
            points.try_for_each(|((sum, tiles), grad)| {
                let (tiles, grad) = (Matrix::rows(tiles, width_in).transposed(), Matrix::rows(grad, width_out));
                kernel::matmul_strided((inputs, count, outputs), tiles, grad, T::one(), sum, width_out, 1)
            })?;
        }
        let mut weight = vec![T::zero(); outputs * inputs * R * R];
        self.weight_from_points::<T, R>(&sums, &mut weight);
        Ok(weight)
    }

    /// Transforms one row of `tiles` tiles for [`Self::transform_rows`], its first having the index `first`.
    ///
    /// # Safety
    /// Nothing else uses the tiles of this row in `sink` meanwhile.
    unsafe fn transform_tiles<T: Float, const S: usize, const M: usize>(
        &self,
        planes: Planes,
        source: &[T],
        row: usize,
        tiles: usize,
        first: usize,
        sink: &Disjoint<'_, T>,
    ) {
        let (down, across) = self.tiles();
        let width = planes.channels.next_multiple_of(LANES);
        let stride = point_stride(tiles * width);
        let band_width = (across - 1) * M + S;
        let padding = if S == SIDE { self.padding } else { (0, 0) };
        kernel::vectorized(
            #[inline(always)]
            || {
                let mut band = vec![[T::zero(); LANES]; S * band_width];
                let (image, top) = (row / down, (row % down) * M);
                for group in (0..planes.channels).step_by(LANES) {
                    let channels = LANES.min(planes.channels - group);
                    let start = (image * planes.channels + group) * planes.len();
                    let source = &source[start..start + channels * planes.len()];
                    read_band(planes, padding, source, top, &mut band, band_width);
                    for column in 0..across {
                        let tile: [[Lanes<T>; S]; S] =
                            std::array::from_fn(|i| std::array::from_fn(|j| band[i * band_width + column * M + j]));
                        let points: [[Lanes<T>; SIDE]; SIDE] = if S == SIDE {
                            on_both_axes(&tile, |d: [T; S]| transform_input(std::array::from_fn(|i| d[i])))
                        } else {
                            on_both_axes(&tile, evaluate)
                        };
                        for (point, lanes) in points.as_flattened().iter().enumerate() {
                            let start = point * stride + (first + column) * width + group;
                            // SAFETY: passed on from the caller.
                            unsafe { sink.range(start..start + LANES) }.copy_from_slice(lanes);
                        }
                    }
                }
            },
        );
    }

    /// Transforms products back and writes the outputs of a row of tiles, with each channel's bias; `tiles` and `first`
    /// as in [`Self::transform_tiles`].
    ///
    /// # Safety
    /// Nothing else uses the outputs of this row of tiles in `y` meanwhile.
    unsafe fn write_outputs<T: Float, const M: usize>(
        &self,
        products: &[T],
        row: usize,
        tiles: usize,
        first: usize,
        bias: Option<&[T]>,
        y: &Disjoint<'_, T>,
    ) {
        let (down, across) = self.tiles();
        let planes = self.output;
        let width = planes.channels.next_multiple_of(LANES);
        let stride = point_stride(tiles * width);
        kernel::vectorized(
            #[inline(always)]
            || {
                let mut band = vec![[T::zero(); LANES]; M * M * across];
                let (image, top) = (row / down, (row % down) * M);
                for group in (0..planes.channels).step_by(LANES) {
                    for column in 0..across {
                        let points: [[Lanes<T>; SIDE]; SIDE] = std::array::from_fn(|i| {
                            std::array::from_fn(|j| {
                                let start = (i * SIDE + j) * stride + (first + column) * width + group;
                                let mut lanes = [T::zero(); LANES];
                                lanes.copy_from_slice(&products[start..start + LANES]);
                                lanes
                            })
                        });
                        let outputs: [[Lanes<T>; M]; M] = on_both_axes(&points, evaluate_transposed);
                        for (i, row) in outputs.iter().enumerate() {
                            band[(i * across + column) * M..][..M].copy_from_slice(row);
                        }
                    }
                    for lane in 0..LANES.min(planes.channels - group) {
                        let channel = self.first_output + group + lane;
                        let bias = bias.map_or(T::zero(), |bias| bias[channel]);
                        let plane = (image * self.all_outputs + channel) * planes.len();
                        for (i, band) in band.chunks_exact(across * M).take(planes.height - top).enumerate() {
                            let start = plane + (top + i) * planes.width;
                            // SAFETY: passed on from the caller.
                            let line = unsafe { y.range(start..start + planes.width) };
                            line.iter_mut().zip(band).for_each(|(y, lanes)| *y = lanes[lane] + bias);
                        }
                    }
                }
            },
        );
    }

    /// `(points, in, out in lanes)` of a weight; `turned` as in [`Self::forward`].
    fn transform_weight<T: Float, const R: usize>(&self, weight: &[T], turned: bool, transformed: &mut Vec<T>) {
        let (inputs, outputs, (_, width)) = (self.input.channels, self.output.channels, self.widths());
        let (stride, scales) = (point_stride(inputs * width), SCALES.map(T::of));
        let sink = Disjoint::new(scratch(transformed, POINTS * stride));
        (0..outputs).into_par_iter().step_by(LANES).for_each(|group| {
            kernel::vectorized(
                #[inline(always)]
                || {
                    let channels = LANES.min(outputs - group);
                    let mut window = [[[T::zero(); LANES]; R]; R];
                    for input in 0..inputs {
                        for lane in 0..channels {
                            let output = self.first_output + group + lane;
                            let index =
                                if turned { input * self.all_outputs + output } else { output * inputs + input };
                            let taps = window.as_flattened_mut().iter_mut();
                            let values = &weight[index * R * R..(index + 1) * R * R];
                            if turned {
                                taps.zip(values.iter().rev()).for_each(|(tap, &value)| tap[lane] = value);
                            } else {
                                taps.zip(values).for_each(|(tap, &value)| tap[lane] = value);
                            }
                        }
                        let points: [[Lanes<T>; SIDE]; SIDE] = on_both_axes(&window, |taps: [T; R]| {
                            let values = evaluate(taps);
                            std::array::from_fn(|k| values[k] * scales[k])
                        });
                        for (point, lanes) in points.as_flattened().iter().enumerate() {
                            let start = point * stride + input * width + group;
                            // SAFETY: this group's columns of each row, written by this task alone.
                            unsafe { sink.range(start..start + LANES) }.copy_from_slice(lanes);
                        }
                    }
                },
            );
        });
    }

    /// The gradient of the weight `(out, in, R, R)` from that of its transform `(points, in, out in lanes)`.
    fn weight_from_points<T: Float, const R: usize>(&self, points: &[T], weight: &mut [T]) {
        let (inputs, (_, width)) = (self.input.channels, self.widths());
        let (stride, scales) = (point_stride(inputs * width), SCALES.map(T::of));
        weight.par_chunks_mut(LANES * inputs * R * R).enumerate().for_each(|(group, weight)| {
            let channels = weight.len() / (inputs * R * R);
            kernel::vectorized(
                #[inline(always)]
                || {
                    for input in 0..inputs {
                        let tile: [[Lanes<T>; SIDE]; SIDE] = std::array::from_fn(|i| {
                            std::array::from_fn(|j| {
                                let start = (i * SIDE + j) * stride + input * width + group * LANES;
                                let mut lanes = [T::zero(); LANES];
                                lanes.copy_from_slice(&points[start..start + LANES]);
                                lanes
                            })
                        });
                        let window: [[Lanes<T>; R]; R] = on_both_axes(&tile, |values: [T; SIDE]| {
                            evaluate_transposed(std::array::from_fn(|k| values[k] * scales[k]))
                        });
                        for lane in 0..channels {
                            let taps = &mut weight[(lane * inputs + input) * R * R..][..R * R];
                            taps.iter_mut().zip(window.as_flattened()).for_each(|(tap, lanes)| *tap = lanes[lane]);
                        }
                    }
                },
            );
        });
    }
}

/// The first `len` elements of a buffer that grows as needed, with any contents.
fn scratch<T: Float>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        buffer.resize(len, T::zero());
    }
    &mut buffer[..len]
}

/// Reads a band of padded rows from `top` on of up to sixteen channels, channels last: what the tiles of one row read.
#[inline(always)]
fn read_band<T: Float>(
    planes: Planes,
    padding: (usize, usize),
    source: &[T],
    top: usize,
    band: &mut [Lanes<T>],
    width: usize,
) {
    let count = planes.width.min(width - padding.1);
    for (i, line) in band.chunks_exact_mut(width).enumerate() {
        let row = (top + i).checked_sub(padding.0).filter(|&row| row < planes.height);
        let Some(row) = row else {
            line.fill([T::zero(); LANES]);
            continue;
        };
        line[..padding.1].fill([T::zero(); LANES]);
        line[padding.1 + count..].fill([T::zero(); LANES]);
        for (lane, plane) in source.chunks_exact(planes.len()).enumerate() {
            let values = &plane[row * planes.width..][..count];
            line[padding.1..].iter_mut().zip(values).for_each(|(lanes, &value)| lanes[lane] = value);
        }
    }
}

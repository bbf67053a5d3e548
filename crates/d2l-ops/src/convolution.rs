//! The three kernels behind every convolution: forward, the input's gradient, the weight's gradient.
//!
//! With `X` the columns of an image (each window's inputs one below the other, `(in · kh · kw, positions)`) and `W` the
//! weight as `(out, in · kh · kw)`: forward `Y = W X`; input's gradient: `Wᵀ G`, each element added where it was read;
//! weight's gradient: `Σₙ G Xᵀ`. A transposed convolution uses the same three with the roles of input and output
//! exchanged.
//!
//! Columns are built a block of output rows at a time, small enough for the cache. A 1×1 window at stride 1 needs none.
//! 3×3 and 5×5 windows at stride 1 go through [`super::winograd`] where that is quicker.

use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use super::kernel::{self, Float, Matrix};
use super::memory;
use super::windows::Windows;
use super::winograd::Winograd;

/// Elements of a block of columns: half a megabyte in `f32`, half of a common second-level cache.
const BLOCK: usize = 128 * 1024;

/// Positions in one product where several images stand side by side.
const POSITIONS: usize = 256;

/// Up to so many outputs a row are copied one by one: quicker than a call of the function that copies memory.
const SHORT: usize = 8;

/// At most this many partial sums of the weight's gradient, whatever the number of threads; half as many of a weight
/// that is itself large.
const PARTIAL_SUMS: usize = 8;
const LARGE_WEIGHT: usize = 128 * 1024;

/// The sizes of a convolution from `x` of `(batch, groups · inputs, height, width)` with a weight of
/// `(groups · outputs, inputs, kernel height, kernel width)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Convolution {
    pub batch: usize,
    pub groups: usize,
    /// Input channels of a group.
    pub inputs: usize,
    /// Output channels of a group.
    pub outputs: usize,
    pub windows: Windows,
}

impl Convolution {
    /// Elements of one image of `x`.
    fn input_image(&self) -> usize {
        self.groups * self.input_group()
    }

    /// Elements of one group's channels of one image of `x`.
    fn input_group(&self) -> usize {
        self.inputs * self.windows.inputs()
    }

    /// Elements of one image of the result.
    fn output_image(&self) -> usize {
        self.groups * self.output_group()
    }

    fn output_group(&self) -> usize {
        self.outputs * self.windows.outputs()
    }

    /// Rows of the column matrix: the inputs of one output.
    fn depth(&self) -> usize {
        self.inputs * self.windows.taps()
    }

    fn weight_len(&self) -> usize {
        self.groups * self.outputs * self.depth()
    }

    /// Whether the columns of an image are the image itself.
    fn is_pointwise(&self) -> bool {
        [self.windows.rows, self.windows.columns].iter().all(|a| a.kernel == 1 && a.stride == 1 && a.padding == 0)
    }

    /// Threads for one matrix product: one where the images already keep all of them busy.
    fn product_threads(&self) -> usize {
        if self.batch > 1 { 1 } else { kernel::threads_for(self.outputs * self.depth() * self.windows.outputs()) }
    }

    /// Images whose columns stand side by side in one product: several where an image has few positions, so that the
    /// weight is not read again for each, but not so many that no other task is left.
    fn images_a_task(&self) -> usize {
        let positions = self.windows.outputs().max(1);
        if positions >= POSITIONS / 2 { 1 } else { (POSITIONS / positions).clamp(1, self.batch.div_ceil(4).max(1)) }
    }

    /// Blocks of output rows whose columns fit the cache: all rows where several images stand side by side.
    fn row_blocks(&self, images: usize) -> impl Iterator<Item = Range<usize>> {
        let rows = self.windows.rows.output;
        let fitting = BLOCK / (self.depth() * self.windows.columns.output).max(1);
        let step = if images > 1 { rows } else { fitting.clamp(1, rows.max(1)) };
        (0..rows).step_by(step.max(1)).map(move |start| start..(start + step).min(rows))
    }

    /// First output and number of outputs of a block of rows.
    fn block_positions(&self, block: &Range<usize>) -> (usize, usize) {
        let width = self.windows.columns.output;
        (block.start * width, block.len() * width)
    }

    /// One group's channels of an image of `x`.
    fn input_of(&self, image: usize, group: usize) -> Range<usize> {
        let start = image * self.input_image() + group * self.input_group();
        start..start + self.input_group()
    }

    /// One group's channels of an image of the result.
    fn output_of(&self, image: usize, group: usize) -> Range<usize> {
        let start = image * self.output_image() + group * self.output_group();
        start..start + self.output_group()
    }

    /// One group's weight, `(outputs, depth)`.
    fn weight_of<'a, T>(&self, weight: &'a [T], group: usize) -> Matrix<'a, T> {
        let len = self.outputs * self.depth();
        Matrix::rows(&weight[group * len..(group + 1) * len], self.depth())
    }

    /// Calls `line` for each line of the columns of some output rows: its start in a matrix of `stride` columns, the
    /// outputs of it that read the input, and the first input that they read.
    fn for_each_line(&self, block: &Range<usize>, stride: usize, mut line: impl FnMut(usize, Range<usize>, usize)) {
        let Windows { rows, columns } = self.windows;
        let mut start = 0;
        for channel in 0..self.inputs {
            for i in 0..rows.kernel {
                let inside = rows.inside(i);
                for j in 0..columns.kernel {
                    let read = columns.inside(j);
                    for (index, y) in block.clone().enumerate() {
                        let start = start + index * columns.output;
                        if inside.contains(&y) && !read.is_empty() {
                            let row = channel * rows.input + rows.position(y, i);
                            line(start, read.clone(), row * columns.input + columns.position(read.start, j));
                        } else {
                            line(start, 0..0, 0);
                        }
                    }
                    start += stride;
                }
            }
        }
    }

    /// Writes the columns of some output rows of one group's channels into a matrix of `stride` columns.
    fn write_columns<T: Float>(&self, x: &[T], block: &Range<usize>, columns: &mut [T], stride: usize) {
        let (width, step) = (self.windows.columns.output, self.windows.columns.stride);
        self.for_each_line(block, stride, |start, read, from| {
            let line = &mut columns[start..start + width];
            if read.len() < width {
                line[..read.start].fill(T::zero());
                line[read.end..].fill(T::zero());
            }
            if step == 1 && width > SHORT {
                line[read.clone()].copy_from_slice(&x[from..from + read.len()]);
            } else if step == 1 {
                line[read].iter_mut().zip(&x[from..]).for_each(|(line, &x)| *line = x);
            } else {
                line[read].iter_mut().zip(x[from..].iter().step_by(step)).for_each(|(line, &x)| *line = x);
            }
        });
    }

    /// Adds columns back to where [`Self::write_columns`] read them.
    fn add_columns<T: Float>(&self, columns: &[T], block: &Range<usize>, x: &mut [T], stride: usize) {
        let step = self.windows.columns.stride;
        self.for_each_line(block, stride, |start, read, from| {
            let line = &columns[start + read.start..start + read.end];
            if step == 1 {
                x[from..from + line.len()].iter_mut().zip(line).for_each(|(x, &value)| *x += value);
            } else {
                x[from..].iter_mut().step_by(step).zip(line).for_each(|(x, &value)| *x += value);
            }
        });
    }

    /// Gathers one group's channels of several images of the result side by side: `(outputs, images · positions)`.
    fn gather_outputs<T: Float>(&self, y: &[T], images: usize, group: usize, gathered: &mut Vec<T>) {
        let positions = self.windows.outputs();
        let images = images.max(1);
        gathered.resize(self.outputs * images * positions, T::zero());
        for image in 0..images {
            let planes = y[self.output_of(image, group)].chunks_exact(positions);
            for (line, plane) in gathered.chunks_exact_mut(images * positions).zip(planes) {
                line[image * positions..(image + 1) * positions].copy_from_slice(plane);
            }
        }
    }

    /// `(batch, groups · outputs, height, width)` of the windows' sums, plus the bias of each channel.
    pub fn forward<T: Float>(&self, x: &[T], weight: &[T], bias: Option<&[T]>) -> Result<Vec<T>> {
        if let Some(winograd) = Winograd::forward_of(self) {
            return winograd.forward(x, weight, false, bias);
        }
        let (positions, depth, threads) = (self.windows.outputs(), self.depth(), self.product_threads());
        // SAFETY: each task writes all of its images: the bias first or a product with nothing kept, or copies.
        let mut y = unsafe { memory::uninitialized(self.batch * self.output_image()) };
        let images = self.images_a_task();
        let runs = y.par_chunks_mut((images * self.output_image()).max(1));
        let runs = runs.zip(x.par_chunks((images * self.input_image()).max(1)));
        runs.try_for_each_init(Default::default, |(columns, products): &mut (Vec<T>, Vec<T>), (y, x)| {
            let images = y.len() / self.output_image();
            if let Some(bias) = bias {
                y.chunks_exact_mut(positions).zip(bias.iter().cycle()).for_each(|(plane, &bias)| plane.fill(bias));
            }
            let keep = if bias.is_some() { T::one() } else { T::zero() };
            for group in 0..self.groups {
                let weight = self.weight_of(weight, group);
                if images > 1 {
                    let all = 0..self.windows.rows.output;
                    let count = images * positions;
                    columns.resize(depth * count, T::zero());
                    for image in 0..images {
                        self.write_columns(
                            &x[self.input_of(image, group)],
                            &all,
                            &mut columns[image * positions..],
                            count,
                        );
                    }
                    products.resize(self.outputs * count, T::zero());
                    let columns = Matrix::rows(columns, count);
                    kernel::matmul((self.outputs, depth, count), weight, columns, T::zero(), products, threads)?;
                    for image in 0..images {
                        let planes = y[self.output_of(image, group)].chunks_exact_mut(positions);
                        for (plane, line) in planes.zip(products.chunks_exact(count)) {
                            let line = &line[image * positions..(image + 1) * positions];
                            if bias.is_some() {
                                plane.iter_mut().zip(line).for_each(|(y, &value)| *y += value);
                            } else {
                                plane.copy_from_slice(line);
                            }
                        }
                    }
                    continue;
                }
                let (x, y) = (&x[self.input_of(0, group)], &mut y[self.output_of(0, group)]);
                if self.is_pointwise() {
                    let x = Matrix::rows(x, positions);
                    kernel::matmul((self.outputs, depth, positions), weight, x, keep, y, threads)?;
                    continue;
                }
                for block in self.row_blocks(images) {
                    let (first, count) = self.block_positions(&block);
                    columns.resize(depth * count, T::zero());
                    self.write_columns(x, &block, columns, count);
                    let (sizes, columns) = ((self.outputs, depth, count), Matrix::rows(columns, count));
                    kernel::matmul_strided(sizes, weight, columns, keep, &mut y[first..], positions, threads)?;
                }
            }
            Ok::<(), candle_core::Error>(())
        })?;
        Ok(y)
    }

    /// The gradient of `x` for the gradient of the result, plus the bias of each channel of `x` where this is the
    /// forward pass of a transposed convolution.
    pub fn input_gradient<T: Float>(&self, grad: &[T], weight: &[T], bias: Option<&[T]>) -> Result<Vec<T>> {
        if let Some(winograd) = Winograd::input_gradient_of(self) {
            return winograd.forward(grad, weight, true, bias);
        }
        let (positions, depth, threads) = (self.windows.outputs(), self.depth(), self.product_threads());
        let mut grad_x = vec![T::zero(); self.batch * self.input_image()];
        let images = self.images_a_task();
        let runs = grad_x.par_chunks_mut((images * self.input_image()).max(1));
        let runs = runs.zip(grad.par_chunks((images * self.output_image()).max(1)));
        runs.try_for_each_init(Default::default, |(columns, gathered): &mut (Vec<T>, Vec<T>), (grad_x, grad)| {
            let images = grad_x.len() / self.input_image();
            if let Some(bias) = bias {
                let planes = grad_x.chunks_exact_mut(self.windows.inputs()).zip(bias.iter().cycle());
                planes.for_each(|(plane, &bias)| plane.fill(bias));
            }
            let keep = if bias.is_some() { T::one() } else { T::zero() };
            for group in 0..self.groups {
                let weight = self.weight_of(weight, group).transposed();
                if images > 1 {
                    let all = 0..self.windows.rows.output;
                    let count = images * positions;
                    self.gather_outputs(grad, images, group, gathered);
                    columns.resize(depth * count, T::zero());
                    let grad = Matrix::rows(gathered, count);
                    kernel::matmul((depth, self.outputs, count), weight, grad, T::zero(), columns, threads)?;
                    for image in 0..images {
                        let target = &mut grad_x[self.input_of(image, group)];
                        self.add_columns(&columns[image * positions..], &all, target, count);
                    }
                    continue;
                }
                let (grad, grad_x) = (&grad[self.output_of(0, group)], &mut grad_x[self.input_of(0, group)]);
                if self.is_pointwise() {
                    let grad = Matrix::rows(grad, positions);
                    kernel::matmul((depth, self.outputs, positions), weight, grad, keep, grad_x, threads)?;
                    continue;
                }
                for block in self.row_blocks(images) {
                    let (first, count) = self.block_positions(&block);
                    let grad = Matrix::rows(&grad[first..], positions);
                    columns.resize(depth * count, T::zero());
                    kernel::matmul((depth, self.outputs, count), weight, grad, T::zero(), columns, threads)?;
                    self.add_columns(columns, &block, grad_x, count);
                }
            }
            Ok::<(), candle_core::Error>(())
        })?;
        Ok(grad_x)
    }

    /// The gradient of the weight for the gradient of the result.
    pub fn weight_gradient<T: Float>(&self, x: &[T], grad: &[T]) -> Result<Vec<T>> {
        if let Some(winograd) = Winograd::forward_of(self) {
            return winograd.weight_gradient(x, grad);
        }
        // Partial sums over runs of images, added up in order: the split depends on the sizes alone.
        let partial_sums = if self.weight_len() > LARGE_WEIGHT { PARTIAL_SUMS / 2 } else { PARTIAL_SUMS };
        let images = self.batch.div_ceil(partial_sums).max(1);
        let runs = x.par_chunks((images * self.input_image()).max(1));
        let runs = runs.zip(grad.par_chunks((images * self.output_image()).max(1)));
        let partial_sums = runs.map(|(x, grad)| self.weight_gradient_of_run(x, grad)).collect::<Result<Vec<_>>>()?;
        let mut partial_sums = partial_sums.into_iter();
        let mut sum = partial_sums.next().unwrap_or_else(|| vec![T::zero(); self.weight_len()]);
        for partial_sum in partial_sums {
            sum.par_iter_mut().with_min_len(16 * 1024).zip(partial_sum).for_each(|(sum, value)| *sum += value);
        }
        Ok(sum)
    }

    fn weight_gradient_of_run<T: Float>(&self, x: &[T], grad: &[T]) -> Result<Vec<T>> {
        let (positions, depth, threads) = (self.windows.outputs(), self.depth(), self.product_threads());
        let mut sums = vec![T::zero(); self.weight_len()];
        let (mut columns, mut gathered) = (Vec::new(), Vec::new());
        let images = self.images_a_task();
        let runs =
            x.chunks((images * self.input_image()).max(1)).zip(grad.chunks((images * self.output_image()).max(1)));
        for (x, grad) in runs {
            let images = x.len() / self.input_image();
            for (group, sum) in sums.chunks_exact_mut((self.outputs * depth).max(1)).enumerate() {
                if images > 1 {
                    let all = 0..self.windows.rows.output;
                    let count = images * positions;
                    columns.resize(depth * count, T::zero());
                    for image in 0..images {
                        self.write_columns(
                            &x[self.input_of(image, group)],
                            &all,
                            &mut columns[image * positions..],
                            count,
                        );
                    }
                    self.gather_outputs(grad, images, group, &mut gathered);
                    let (grad, columns) = (Matrix::rows(&gathered, count), Matrix::rows(&columns, count).transposed());
                    kernel::matmul((self.outputs, count, depth), grad, columns, T::one(), sum, threads)?;
                    continue;
                }
                let x = &x[self.input_of(0, group)];
                let grad = Matrix::rows(&grad[self.output_of(0, group)], positions);
                if self.is_pointwise() {
                    let x = Matrix::rows(x, positions).transposed();
                    kernel::matmul((self.outputs, positions, depth), grad, x, T::one(), sum, threads)?;
                    continue;
                }
                for block in self.row_blocks(images) {
                    let (first, count) = self.block_positions(&block);
                    columns.resize(depth * count, T::zero());
                    self.write_columns(x, &block, &mut columns, count);
                    let grad = Matrix { values: &grad.values[first..], ..grad };
                    let columns = Matrix::rows(&columns, count).transposed();
                    kernel::matmul((self.outputs, count, depth), grad, columns, T::one(), sum, threads)?;
                }
            }
        }
        Ok(sums)
    }
}

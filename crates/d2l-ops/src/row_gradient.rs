//! The gradient of a table of which some rows were looked up.
//!
//! It is zero but for those rows, which are kept without the others: of a table of 400,000 rows, 4,096 lookups need no
//! more than 4,096.

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Result, Shape, Tensor, bail};

use super::kernel::{self, Float, for_float};
use super::parallel;
use super::row;

/// What a lookup gives for its table: the ids that were looked up, and the gradients of the rows that came of them,
/// `(…, width)` with a row for each id.
#[derive(Clone)]
pub(crate) struct Lookup {
    pub ids: Arc<[u32]>,
    pub grad: Tensor,
}

/// The gradient of a table, `(rows, width)`, by the rows that have one.
#[derive(Debug)]
pub struct RowGradient {
    shape: (usize, usize),
    ids: Vec<u32>,
    values: Tensor,
    whole: OnceLock<Tensor>,
}

impl RowGradient {
    /// The sum over lookups in a table of this shape.
    pub(crate) fn of(lookups: &[Lookup], shape: &Shape) -> Result<Self> {
        let shape = shape.dims2()?;
        let Some(first) = lookups.first() else { bail!("a gradient of no lookup") };
        for_float!("embedding", first.grad.dtype(), T => Self::sum::<T>(lookups, shape))
    }

    fn sum<T: Float>(lookups: &[Lookup], (rows, width): (usize, usize)) -> Result<Self> {
        // Sorted by row, and within a row in the order of the lookups: always the same order of summation.
        let all = lookups.iter().flat_map(|lookup| lookup.ids.iter());
        let places = by_id(all.zip(0u64..).map(|(&id, place)| u64::from(id) << 32 | place).collect());
        let groups: Vec<&[u64]> = places.chunk_by(|a, b| a >> 32 == b >> 32).collect();
        let ids: Vec<u32> = groups.iter().map(|group| (group[0] >> 32) as u32).collect();
        let mut values = Vec::new();
        with_values::<T>(lookups, &mut Vec::with_capacity(lookups.len()), &mut |grads| {
            let row_of = |place: u64| {
                let mut place = (place & u64::from(u32::MAX)) as usize;
                for grad in grads {
                    let count = grad.len().checked_div(width).unwrap_or(0);
                    if place < count {
                        return &grad[place * width..][..width];
                    }
                    place -= count;
                }
                &[]
            };
            // SAFETY: each row of the result is copied from the first of its group before others are added.
            values = unsafe {
                parallel::rows(groups.len() * width, width, |first, out| {
                    for (group, out) in groups[first..].iter().zip(out.chunks_exact_mut(width.max(1))) {
                        out.copy_from_slice(row_of(group[0]));
                        for &place in &group[1..] {
                            row::update(out, [row_of(place)], |sum, [grad]| sum + grad);
                        }
                    }
                })
            };
            Ok(())
        })?;
        let values = Tensor::from_vec(values, (ids.len(), width), &Device::Cpu)?;
        Ok(Self { shape: (rows, width), ids, values, whole: OnceLock::new() })
    }

    /// The rows that have a gradient, in ascending order.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Their gradients, `(ids, width)`.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// The table's rows and width.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// The gradients' type.
    pub fn dtype(&self) -> DType {
        self.values.dtype()
    }

    /// The same rows with other gradients, `(ids, width)`.
    ///
    /// # Errors
    /// Where the shape is another one.
    pub fn with_values(&self, values: Tensor) -> Result<Self> {
        if values.dims() != self.values.dims() {
            bail!("{:?} gradients for rows that have {:?}", values.dims(), self.values.dims());
        }
        Ok(Self { shape: self.shape, ids: self.ids.clone(), values, whole: OnceLock::new() })
    }

    /// The gradient of the whole table, zeros included, `(rows, width)`; it is made when it is first asked for.
    ///
    /// # Errors
    /// What making a tensor gives.
    pub fn whole(&self) -> Result<&Tensor> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let (rows, width) = self.shape;
        let whole = for_float!("embedding", self.values.dtype(), T => {
            let mut out = vec![T::of(0.0); rows * width];
            kernel::read::<T, _>(&self.values, |values| {
                for (&id, value) in self.ids.iter().zip(values.chunks_exact(width.max(1))) {
                    out[id as usize * width..][..width].copy_from_slice(value);
                }
                Ok(())
            })?;
            Tensor::from_vec(out, self.shape, self.values.device())?
        });
        Ok(self.whole.get_or_init(|| whole))
    }
}

/// Sorts places, each below its id in the upper half, by id; those of one id stay in the order in which they come.
fn by_id(mut places: Vec<u64>) -> Vec<u64> {
    /// Of an id, what one pass looks at.
    const DIGIT: u32 = 11;
    if places.len() < 1 << DIGIT {
        // The passes would spend their time on empty buckets.
        places.sort_unstable();
        return places;
    }
    let largest = places.iter().max().map_or(0, |place| place >> 32);
    let mut sorted = vec![0; places.len()];
    for shift in (32..64 - largest.leading_zeros() + 32).step_by(DIGIT as usize) {
        let digit = |place: u64| (place >> shift) as usize & ((1 << DIGIT) - 1);
        let mut starts = [0usize; 1 << DIGIT];
        places.iter().for_each(|&place| starts[digit(place)] += 1);
        let mut start = 0;
        for bucket in &mut starts {
            start += std::mem::replace(bucket, start);
        }
        for &place in &places {
            let next = &mut starts[digit(place)];
            sorted[*next] = place;
            *next += 1;
        }
        std::mem::swap(&mut places, &mut sorted);
    }
    places
}

/// Calls `body` with the gradients of all lookups.
fn with_values<'a, T: Float>(
    lookups: &'a [Lookup],
    grads: &mut Vec<&[T]>,
    body: &mut dyn FnMut(&[&[T]]) -> Result<()>,
) -> Result<()> {
    match lookups {
        [] => body(grads),
        [first, rest @ ..] => kernel::read::<T, _>(&first.grad, |values| {
            // Moved, so that the borrows may shrink to this one's.
            let mut grads: Vec<&[T]> = std::mem::take(grads);
            grads.push(values);
            with_values(rest, &mut grads, body)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(ids: &[u32], grads: &[[f32; 2]]) -> Result<Lookup> {
        Ok(Lookup { ids: ids.into(), grad: Tensor::from_slice(grads.as_flattened(), (grads.len(), 2), &Device::Cpu)? })
    }

    #[test]
    fn rows_are_summed_over_lookups_and_the_others_are_zero() -> Result<()> {
        let lookups =
            [lookup(&[3, 1, 3], &[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])?, lookup(&[1, 0], &[[7.0, 8.0], [9.0, 1.0]])?];
        let gradient = RowGradient::of(&lookups, &Shape::from((5, 2)))?;
        assert_eq!(gradient.ids(), [0, 1, 3]);
        assert_eq!(gradient.values().to_vec2::<f32>()?, [[9.0, 1.0], [10.0, 12.0], [6.0, 8.0]]);
        let whole = [[9.0, 1.0], [10.0, 12.0], [0.0, 0.0], [6.0, 8.0], [0.0, 0.0]];
        assert_eq!(gradient.whole()?.to_vec2::<f32>()?, whole);
        assert_eq!((gradient.shape(), gradient.dtype()), ((5, 2), DType::F32));
        let twice = gradient.with_values((gradient.values() * 2.0)?)?;
        assert_eq!(twice.whole()?.to_vec2::<f32>()?[3], [12.0, 16.0]);
        assert!(gradient.with_values(Tensor::zeros((2, 2), DType::F32, &Device::Cpu)?).is_err());
        Ok(())
    }

    #[test]
    fn many_places_are_sorted_as_few_are() {
        // Ids of one, two and three digits, and no id above 0.
        for largest in [1, 50, 5_000, 9_000_000] {
            let id = |place: u64| (place * 2_654_435_761) % largest;
            let places: Vec<u64> = (0..10_000).map(|place| id(place) << 32 | place).collect();
            let mut expected = places.clone();
            expected.sort_unstable();
            assert_eq!(by_id(places), expected, "ids below {largest}");
        }
    }

    #[test]
    fn no_ids_and_no_width_are_sums_too() -> Result<()> {
        let none = Lookup { ids: [].into(), grad: Tensor::zeros((0, 2), DType::F32, &Device::Cpu)? };
        let gradient = RowGradient::of(&[none], &Shape::from((3, 2)))?;
        assert!(gradient.ids().is_empty());
        assert_eq!(gradient.whole()?.to_vec2::<f32>()?, [[0.0; 2]; 3]);
        Ok(())
    }
}

//! Word vectors as plain numbers, for formulas that are held against autograd (sections 14.1 and 14.2).

use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::random::{Stream, normal};

/// Vectors of one size, one a row.
pub type Rows = Vec<Vec<f64>>;

/// Vectors to begin with, `(rows, dimension)` of `f64` from `N(0, std²)`.
///
/// # Errors
/// What the device gives.
pub fn initial_vectors(stream: &mut Stream, std: f64, shape: (usize, usize), device: &Device) -> Result<Var> {
    Var::from_tensor(&normal(stream, 0.0, std, shape, device)?.to_dtype(DType::F64)?)
}

/// A table `(rows, dimension)` of `f64` as plain numbers, without a graph.
///
/// # Errors
/// Where the table has another shape or type.
pub fn rows(table: &Tensor) -> Result<Rows> {
    table.detach().to_vec2()
}

/// Zeros, as many and of the same sizes.
pub fn zeros(rows: &[Vec<f64>]) -> Rows {
    rows.iter().map(|row| vec![0.0; row.len()]).collect()
}

/// `aᵀ b`
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Adds `factor` times `x` to `sum`.
pub fn add_scaled(sum: &mut [f64], factor: f64, x: &[f64]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += factor * x);
}

/// The cosine of the angle between two vectors, from -1 to 1; no number where one of them is zero.
pub fn cosine_similarity(a: &[f64], b: &[f64]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The largest difference between the gradients of two tables by formulas and by autograd.
///
/// # Errors
/// Where autograd's are no tables of `f64` of the same sizes.
pub fn largest_difference(by_formula: &[Rows; 2], by_autograd: [&Tensor; 2]) -> Result<f64> {
    let mut largest = 0f64;
    for (formula, autograd) in by_formula.iter().zip(by_autograd) {
        let formula = Tensor::new(formula.concat(), autograd.device())?.reshape(autograd.shape())?;
        for difference in (formula - autograd)?.abs()?.flatten_all()?.to_vec1::<f64>()? {
            if difference > largest || difference.is_nan() {
                largest = difference; // and stays, if it is no number
            }
        }
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_no_number_is_not_lost() -> Result<()> {
        let zeros = Tensor::zeros((2, 1), DType::F64, &Device::Cpu)?;
        let tables = |a: f64, b: f64| [vec![vec![0.0], vec![a]], vec![vec![b], vec![0.0]]];
        assert_eq!(largest_difference(&tables(-2.0, 1.0), [&zeros, &zeros])?, 2.0);
        assert_eq!(largest_difference(&tables(0.0, 1.0), [&zeros, &zeros])?, 1.0);
        assert!(largest_difference(&tables(f64::NAN, 3.0), [&zeros, &zeros])?.is_nan());
        assert!(largest_difference(&[vec![vec![0.0]], vec![vec![0.0]]], [&zeros, &zeros]).is_err());
        Ok(())
    }

    #[test]
    fn similarity_is_the_cosine() {
        assert!((cosine_similarity(&[1.0, 0.0], &[1.0, 1.0]) - 0.5f64.sqrt()).abs() < 1e-15);
        assert_eq!(cosine_similarity(&[2.0, 0.0], &[-3.0, 0.0]), -1.0);
        assert_eq!(cosine_similarity(&[2.0, 0.0], &[0.0, 3.0]), 0.0);
    }
}

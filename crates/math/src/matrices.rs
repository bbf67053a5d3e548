//! What sections ask of matrices: rank, what is lost, eigenvalues, and how they print.

use anyhow::Context;
use d2l::prelude::*;
use nalgebra::{DMatrix, DVector};

/// A matrix as a tensor `(rows, columns)`: printed as all others are.
pub fn to_tensor(matrix: &DMatrix<f64>) -> Result<Tensor> {
    // nalgebra keeps columns one after the other, candle rows.
    Tensor::from_slice(matrix.transpose().as_slice(), matrix.shape(), &Device::Cpu)
}

/// The largest absolute element.
pub fn largest(matrix: &DMatrix<f64>) -> f64 {
    matrix.iter().fold(0.0, |largest, element| largest.max(element.abs()))
}

/// How many columns of a matrix are independent: its singular values that rounding cannot explain.
///
/// ```
/// use nalgebra::DMatrix;
///
/// assert_eq!(math::matrices::rank(&DMatrix::from_row_slice(2, 2, &[2.0, 4.0, -1.0, -2.0])), 1);
/// ```
pub fn rank(matrix: &DMatrix<f64>) -> usize {
    if matrix.is_empty() {
        return 0;
    }
    let stretches = matrix.singular_values();
    let rounding = stretches.max() * matrix.nrows().max(matrix.ncols()) as f64 * f64::EPSILON;
    stretches.iter().filter(|&&stretch| stretch > rounding).count()
}

/// The unit vector that a square matrix shrinks most, with a first element below zero: where the matrix is singular, a
/// vector that it takes to zero.
///
/// # Errors
/// Where the matrix is empty or not square.
pub fn most_shrunk(matrix: &DMatrix<f64>) -> anyhow::Result<DVector<f64>> {
    anyhow::ensure!(matrix.is_square() && !matrix.is_empty(), "{:?} is no square matrix's shape", matrix.shape());
    let directions = matrix.clone().svd(false, true).v_t.context("no singular vectors")?; // (n, n), the last shrunk
    let vector = directions.row(matrix.nrows() - 1).transpose();
    let sign = vector.iter().find(|element| element.abs() > f64::EPSILON).map_or(1.0, |element| element.signum());
    Ok(vector * -sign)
}

/// The absolute values of all eigenvalues, complex ones with them, in ascending order.
///
/// # Errors
/// Where the matrix is empty or not square, or the search for its eigenvalues does not end.
pub fn eigenvalue_sizes(matrix: &DMatrix<f64>) -> anyhow::Result<Vec<f64>> {
    let mut sizes: Vec<f64> = eigenvalues(matrix)?.iter().map(|(real, imaginary)| real.hypot(*imaginary)).collect();
    sizes.sort_by(f64::total_cmp);
    Ok(sizes)
}

/// The real and the imaginary part of each eigenvalue.
///
/// # Errors
/// Where the matrix is empty or not square, or the search for its eigenvalues does not end.
pub fn eigenvalues(matrix: &DMatrix<f64>) -> anyhow::Result<Vec<(f64, f64)>> {
    let shape = matrix.shape();
    anyhow::ensure!(
        matrix.is_square() && !matrix.is_empty(),
        "a matrix {shape:?} has no eigenvalues: it is not square"
    );
    // Some ten steps for each eigenvalue are usual.
    let schur = matrix.clone().try_schur(f64::EPSILON, 1000 * (matrix.nrows() + 1));
    let schur = schur.context("no eigenvalues: the search for them does not end")?;
    // Of a double eigenvalue, rounding can make nalgebra take the root of a number just below zero.
    let imaginary = |part: f64| if part.is_nan() { 0.0 } else { part };
    Ok(schur.complex_eigenvalues().iter().map(|value| (value.re, imaginary(value.im))).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_tensor_has_the_matrix_s_rows() -> anyhow::Result<()> {
        let matrix = DMatrix::from_row_slice(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(to_tensor(&matrix)?.to_vec2::<f64>()?, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(largest(&-matrix), 6.0);
        Ok(())
    }

    #[test]
    fn ranks_of_small_matrices() {
        assert_eq!(rank(&DMatrix::identity(4, 4)), 4);
        assert_eq!(rank(&DMatrix::zeros(3, 2)), 0);
        assert_eq!(rank(&DMatrix::zeros(0, 0)), 0);
        assert_eq!(rank(&DMatrix::from_row_slice(1, 3, &[0.0, 0.0, 2.0])), 1);
    }

    #[test]
    fn what_a_singular_matrix_loses_is_found() -> anyhow::Result<()> {
        let matrix = DMatrix::from_row_slice(2, 2, &[2.0, -1.0, 4.0, -2.0]);
        let lost = most_shrunk(&matrix)?;
        assert!((lost.norm() - 1.0).abs() < 1e-12 && (&matrix * &lost).norm() < 1e-12, "{lost}");
        assert!((lost[0] + 1.0 / 5f64.sqrt()).abs() < 1e-12 && (lost[1] + 2.0 / 5f64.sqrt()).abs() < 1e-12, "{lost}");
        // Of a diagonal matrix the axis with the smallest element.
        let axis = most_shrunk(&DMatrix::from_diagonal(&DVector::from_vec(vec![3.0, 0.5, 2.0])))?;
        assert!((axis[1] + 1.0).abs() < 1e-12, "{axis}");
        assert!(most_shrunk(&DMatrix::zeros(2, 3)).is_err() && most_shrunk(&DMatrix::zeros(0, 0)).is_err());
        Ok(())
    }

    #[test]
    fn eigenvalues_may_be_complex() -> anyhow::Result<()> {
        let turn = DMatrix::from_row_slice(2, 2, &[0.0, -2.0, 1.0, 0.0]);
        let sizes = eigenvalue_sizes(&turn)?;
        assert!(sizes.iter().all(|size| (size - 2f64.sqrt()).abs() < 1e-12), "{sizes:?}");
        assert!(eigenvalues(&turn)?.iter().all(|(real, imaginary)| real.abs() < 1e-12 && imaginary.abs() > 1.0));
        assert_eq!(eigenvalue_sizes(&DMatrix::from_element(1, 1, -3.0))?, [3.0]);
        assert!(eigenvalues(&DMatrix::zeros(2, 3)).is_err() && eigenvalues(&DMatrix::zeros(0, 0)).is_err());
        Ok(())
    }

    proptest! {
        #[test]
        fn a_product_has_the_rank_of_its_narrow_factors(
            (n, r) in (1usize..6).prop_flat_map(|n| (Just(n), 1..=n)),
            values in prop::collection::vec(-9i8..=9, 25),
        ) {
            // Ones on the diagonal and zeros above it keep the columns of a factor independent.
            let narrow = |turn: usize| DMatrix::from_fn(n, r, |i, j| match i.cmp(&j) {
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => 1.0,
                std::cmp::Ordering::Greater => f64::from(values[(turn + i * r + j) % 25]) / 9.0,
            });
            prop_assert_eq!(rank(&(narrow(0) * narrow(7).transpose())), r);
        }

        #[test]
        fn eigenvalues_add_up_to_the_trace(n in 1usize..6, values in prop::collection::vec(-9i8..=9, 25)) {
            let matrix = DMatrix::from_fn(n, n, |i, j| f64::from(values[i * n + j]));
            let values = eigenvalues(&matrix).expect("eigenvalues");
            let (real, imaginary) = values.iter().fold((0f64, 0f64), |sum, value| (sum.0 + value.0, sum.1 + value.1));
            prop_assert!((real - matrix.trace()).abs() < 1e-6 && imaginary.abs() < 1e-6, "{:?}", values);
        }
    }
}

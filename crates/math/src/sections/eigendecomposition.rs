//! 18.2 Eigendecompositions
//!
//! Vectors that a matrix only stretches, what follows from them, and how fast all others grow that it multiplies often.
//!
//! `cargo run --release -p math -- eigendecomposition`
//! In a second: the eigenvalues 1 and 4; 0.99, 2.97, 4.95 and 9.08, each in its disc; 1 after the normalization.

use std::iter::successors;

use anyhow::Context;
use d2l::notebook::within;
use d2l::plot::Panels;
use d2l::prelude::*;
use nalgebra::{DMatrix, DVector, Vector2};
use rand::Rng;
use rand_distr::StandardNormal;

use crate::matrices::{eigenvalue_sizes, eigenvalues, largest, most_shrunk, rank, to_tensor};
use crate::plane::{circle, series};

/// Settings; the defaults are the book's, which draws one matrix and cites the circular law.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Rows and columns of the random matrix
    #[arg(long, default_value_t = 5, value_parser = within::<2, 200>)]
    pub side: usize,
    /// Norms in a figure: of a vector, and after each time that the matrix multiplied it
    #[arg(long, default_value_t = 100, value_parser = within::<2, 10_000>)]
    pub num_norms: usize,
    /// Rows and columns of the random matrices whose eigenvalues fill a disc
    #[arg(long, default_value_t = 100, value_parser = within::<2, 200>)]
    pub disc_side: usize,
    /// Random matrices to take the mean of their largest eigenvalues over
    #[arg(long, default_value_t = 20, value_parser = count)]
    pub num_matrices: usize,
}

defaults! { Config: Smoke { disc_side: 20, num_matrices: 2 } }

/// The matrix less λ on its diagonal: singular where λ is an eigenvalue.
fn shifted(a: &DMatrix<f64>, lambda: f64) -> DMatrix<f64> {
    a - DMatrix::identity(a.nrows(), a.ncols()) * lambda
}

/// The determinant of the shifted matrix over λ, which is zero at the eigenvalues.
fn characteristic(a: &DMatrix<f64>, eigenvalues: &[f64]) -> Chart {
    let lambdas: Vec<f64> = (0..=100).map(|i| f64::from(i) / 20.0).collect();
    let determinants: Vec<f64> = lambdas.iter().map(|&lambda| shifted(a, lambda).determinant()).collect();
    let chart = Chart::new().x_label("λ").y_label("det(A - λI)").horizontal(0.0);
    let chart = chart.unlabeled_line(&lambdas, &determinants);
    chart.scatter("eigenvalues", eigenvalues, &vec![0.0; eigenvalues.len()], 8.0)
}

/// The real parts of all eigenvalues, in ascending order.
fn real_eigenvalues(a: &DMatrix<f64>) -> anyhow::Result<Vec<f64>> {
    let mut values: Vec<f64> = eigenvalues(a)?.iter().map(|&(real, _)| real).collect();
    values.sort_by(f64::total_cmp);
    Ok(values)
}

/// A unit vector for each eigenvalue that the matrix only stretches by it: what the shifted matrix takes to zero.
fn eigenvectors(a: &DMatrix<f64>, eigenvalues: &[f64]) -> anyhow::Result<Vec<DVector<f64>>> {
    eigenvalues.iter().map(|&value| most_shrunk(&shifted(a, value))).collect()
}

/// The matrix `W Σ W⁻¹` with the columns of W as eigenvectors and what stands on the diagonal of Σ as eigenvalues.
///
/// # Errors
/// Where the columns are not independent.
pub fn with_eigenvalues(w: &DMatrix<f64>, eigenvalues: &[f64]) -> anyhow::Result<DMatrix<f64>> {
    let inverse = w.clone().try_inverse().context("the columns of W are not independent")?;
    Ok(w * DMatrix::from_diagonal(&DVector::from_column_slice(eigenvalues)) * inverse)
}

/// The book's symmetric matrix with its largest elements on the diagonal.
fn diagonal_rules() -> DMatrix<f64> {
    let rows = [[1.0, 0.1, 0.1, 0.1], [0.1, 3.0, 0.2, 0.3], [0.1, 0.2, 5.0, 0.5], [0.1, 0.3, 0.5, 9.0]];
    DMatrix::from_fn(4, 4, |i, j| rows[i][j])
}

/// Gershgorin's discs, a center on the real axis and a radius for each row: each eigenvalue is in one of them.
pub fn discs(a: &DMatrix<f64>) -> Vec<(f64, f64)> {
    let radius = |i: usize| a.row(i).iter().map(|element| element.abs()).sum::<f64>() - a[(i, i)].abs();
    (0..a.nrows()).map(|i| (a[(i, i)], radius(i))).collect()
}

/// Discs in the complex plane, and eigenvalues on the real axis.
fn discs_chart(discs: &[(f64, f64)], eigenvalues: &[f64]) -> Chart {
    let outlines: Vec<_> = discs.iter().map(|&(center, radius)| circle(Vector2::new(center, 0.0), radius)).collect();
    let (xs, ys) = series(&outlines);
    let chart = Chart::new().size(640, 230).x_label("real part").y_label("imaginary part").same_scale();
    chart.line("discs", &xs, &ys).scatter("eigenvalues", eigenvalues, &vec![0.0; eigenvalues.len()], 6.0)
}

/// A matrix of draws from the standard normal distribution.
fn gaussian(rows: usize, columns: usize, stream: &mut Stream) -> DMatrix<f64> {
    DMatrix::from_fn(rows, columns, |_, _| stream.sample(StandardNormal))
}

/// The norms of v, A v, A² v and so on, `count` of them.
///
/// # Errors
/// Where a norm is zero or more than a number can hold.
pub fn norms(a: &DMatrix<f64>, v: DMatrix<f64>, count: usize) -> anyhow::Result<Vec<f64>> {
    let norms: Vec<f64> = successors(Some(v), |v| Some(a * v)).take(count).map(|v| v.norm()).collect();
    if let Some(step) = norms.iter().position(|norm| !norm.is_normal()) {
        let norm = norms[step];
        anyhow::bail!("the norm is {norm:e} after {step} products: take fewer with --num-norms or a smaller --side");
    }
    Ok(norms)
}

/// By how much each norm is larger than the one before.
fn ratios(norms: &[f64]) -> Vec<f64> {
    norms.windows(2).map(|pair| pair[1] / pair[0]).collect()
}

/// The factor of a step, as a geometric mean over the second half of the norms: single ratios never settle where a
/// vector turns while it grows.
fn growth(norms: &[f64]) -> f64 {
    let (middle, last) = ((norms.len() - 1) / 2, norms.len() - 1);
    (norms[last] / norms[middle]).powf(1.0 / (last - middle) as f64)
}

/// Values by iteration, counted from `first`.
fn by_iteration(name: &str, first: usize, values: &[f64]) -> Chart {
    let iterations: Vec<usize> = (first..first + values.len()).collect();
    Chart::new().size(400, 300).x_label("iteration").y_label(name).unlabeled_line(&iterations, values)
}

/// The largest absolute eigenvalue.
fn largest_eigenvalue(a: &DMatrix<f64>) -> anyhow::Result<f64> {
    eigenvalue_sizes(a)?.last().copied().context("a matrix without rows has no eigenvalues")
}

/// The largest absolute eigenvalue of random matrices as a multiple of the root of their side, on average.
fn mean_radius(side: usize, matrices: usize, stream: &mut Stream) -> anyhow::Result<f64> {
    let radii = (0..matrices).map(|_| largest_eigenvalue(&gaussian(side, side, stream)));
    let sum = radii.sum::<anyhow::Result<f64>>()?;
    Ok(sum / matrices as f64 / (side as f64).sqrt())
}

/// All eigenvalues of a random matrix, divided by the root of its side, and the unit circle.
fn in_unit_circle(side: usize, stream: &mut Stream) -> anyhow::Result<Chart> {
    let scaled = gaussian(side, side, stream) / (side as f64).sqrt();
    let (real, imaginary): (Vec<f64>, Vec<f64>) = eigenvalues(&scaled)?.into_iter().unzip();
    let (xs, ys) = series(&[circle(Vector2::zeros(), 1.0)]);
    let chart = Chart::new().size(400, 380).x_label("real part").y_label("imaginary part").same_scale();
    Ok(chart.unlabeled_line(&xs, &ys).scatter("", &real, &imaginary, 5.0))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Finding eigenvalues")?;
    let a = DMatrix::from_row_slice(2, 2, &[2f64, 1.0, 2.0, 3.0]);
    let values = real_eigenvalues(&a)?;
    let alt = "The determinant of A - λI, a parabola that crosses zero at 1 and at 4";
    nb.figure("characteristic", alt, characteristic(&a, &values))?;

    nb.cell("An example")?;
    for (value, vector) in values.iter().zip(eigenvectors(&a, &values)?) {
        nb.say(format!("eigenvalue {value:.4}, eigenvector {:.8?}", vector.as_slice()))?;
    }
    nb.metric("eigenvalue_lower", values[0])?;
    nb.metric("eigenvalue_upper", values[1])?;

    nb.cell("Decomposing matrices")?;
    let w = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, -1.0, 2.0]); // (1, -1) and (1, 2), found by hand
    let by_hand = [1f64, 4.0];
    let rebuilt = with_eigenvalues(&w, &by_hand)?;
    nb.show("W Σ W⁻¹", to_tensor(&rebuilt)?)?;
    nb.metric("decomposition_error", largest(&(rebuilt - &a)))?;

    nb.cell("Operations on eigendecompositions")?;
    let fifth = with_eigenvalues(&w, &by_hand.map(|value| value.powi(5)))?;
    nb.show("A⁵ by eigenvalues", to_tensor(&fifth)?)?;
    nb.show("A⁵ by products", to_tensor(&a.pow(5))?)?;
    let inverse = with_eigenvalues(&w, &by_hand.map(f64::recip))?;
    nb.show("A⁻¹ by eigenvalues", to_tensor(&inverse)?)?;
    nb.say(format!("determinant {}, product of the eigenvalues {}", a.determinant(), by_hand[0] * by_hand[1]))?;
    let nilpotent = DMatrix::from_row_slice(2, 2, &[0.0, 1.0, 0.0, 0.0]);
    let apart_from_zero = eigenvalue_sizes(&nilpotent)?.iter().filter(|&&size| size > 0.0).count();
    nb.say(format!("[[0, 1], [0, 0]] has rank {}, nonzero eigenvalues: {apart_from_zero}", rank(&nilpotent)))?;

    nb.cell("Eigendecompositions of symmetric matrices")?;
    let shear = DMatrix::from_row_slice(2, 2, &[1f64, 1.0, 0.0, 1.0]);
    let [one, other] = [[1f64, 0.0], [0.0, 1.0]].map(|v| &shear * DVector::from_column_slice(&v));
    nb.say(format!("[[1, 1], [0, 1]] takes [1, 0] to {:?} and [0, 1] to {:?}", one.as_slice(), other.as_slice()))?;
    nb.show("its independent eigenvectors", 2 - rank(&shifted(&shear, 1.0)))?;
    let a = diagonal_rules();
    let eigen = a.clone().symmetric_eigen();
    let (w, rebuilt) = (&eigen.eigenvectors, eigen.recompose());
    let (from_identity, from_a) = (largest(&shifted(&(w.transpose() * w), 1.0)), largest(&(rebuilt - &a)));
    nb.say(format!("of a symmetric matrix Wᵀ W is the identity to {from_identity:.0e}, W Σ Wᵀ is A to {from_a:.0e}"))?;
    nb.metric("orthogonality_error", from_identity)?;
    nb.metric("symmetric_error", from_a)?;

    nb.cell("Gershgorin circle theorem")?;
    let (discs, values) = (discs(&a), real_eigenvalues(&a)?);
    let mut table = Table::new(["center", "radius", "from", "to", "eigenvalue"]);
    for (&(center, radius), value) in discs.iter().zip(&values) {
        let numbers = [center, radius, center - radius, center + radius].map(|number| format!("{number:.1}"));
        table.row(numbers.into_iter().chain([format!("{value:.8}")]));
    }
    nb.say(table)?;
    nb.figure("discs", "A disc for each row, with one eigenvalue near its center", discs_chart(&discs, &values))?;
    nb.metric("disc_eigenvalue_least", values[0])?;
    nb.metric("disc_eigenvalue_most", values[3])?;

    nb.cell("Eigenvectors as long-term behavior")?;
    let mut stream = nb.stream(Purpose::Sampling, "iterated maps");
    let a = gaussian(config.side, config.side, &mut stream);
    nb.show("A", to_tensor(&a)?)?;

    nb.cell("Behavior on random data")?;
    let growing = norms(&a, gaussian(config.side, 1, &mut stream), config.num_norms)?;
    let charts = [by_iteration("norm", 0, &growing), by_iteration("norm", 0, &growing).log_y()];
    nb.figure("norms", "The norm after each product, on a plain and on a logarithmic axis", Panels::new(2, charts))?;

    nb.cell("Ratios of norms")?;
    let alt = "By how much each product makes the vector longer";
    nb.figure("ratios", alt, by_iteration("ratio", 1, &ratios(&growing)))?;
    nb.show("last ratio", ratios(&growing)[config.num_norms - 2])?;

    nb.cell("Relating back to eigenvectors")?;
    nb.show("absolute values of the eigenvalues", format!("{:.4?}", eigenvalue_sizes(&a)?))?;
    let principal = largest_eigenvalue(&a)?;
    let turns = eigenvalues(&a)?.iter().any(|&(re, im)| im != 0.0 && (re.hypot(im) / principal - 1.0).abs() < 1e-9);
    nb.show("the largest is one of a complex pair", turns)?;

    nb.cell("An observation")?;
    nb.say(format!("growth by product {:.6}, largest eigenvalue {principal:.6}", growth(&growing)))?;
    nb.metric("growth_error", (growth(&growing) / principal - 1.0).abs())?;
    let turning = DMatrix::from_row_slice(2, 2, &[0.0, -2.0, 1.0, 0.0]);
    let turned = norms(&turning, DMatrix::from_row_slice(2, 1, &[1.0, 0.0]), 7)?;
    nb.say(format!("ratios by [[0, -2], [1, 0]]: {:?}, growth {:.4}", ratios(&turned), growth(&turned[..5])))?;
    nb.show("absolute values of its eigenvalues", format!("{:.4?}", eigenvalue_sizes(&turning)?))?;

    nb.cell("Fixing the normalization")?;
    let a = a / principal;
    let steady = norms(&a, gaussian(config.side, 1, &mut stream), config.num_norms)?;
    let alt = "The norm after each product with the rescaled matrix";
    nb.figure("normalized-norms", alt, by_iteration("norm", 0, &steady))?;
    nb.metric("largest_eigenvalue", largest_eigenvalue(&a)?)?;

    nb.cell("Ratios after the normalization")?;
    let alt = "The ratio of neighboring norms after the normalization";
    nb.figure("normalized-ratios", alt, by_iteration("ratio", 1, &ratios(&steady)))?;
    nb.show("growth by product", growth(&steady))?;

    nb.cell("The circular law")?;
    let radius = mean_radius(config.disc_side, config.num_matrices, &mut stream)?;
    let root = (config.side as f64).sqrt();
    nb.say(format!("side {}: the root is {root:.3}, the largest eigenvalue above {principal:.3}", config.side))?;
    nb.say(format!("side {}: the largest is {radius:.3} times the root, on average", config.disc_side))?;
    let alt = "The eigenvalues of a random matrix, divided by the root of its side, fill the unit circle";
    nb.figure("circular-law", alt, in_unit_circle(config.disc_side, &mut stream)?)?;
    nb.metric("circular_law", radius)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_book_s_example_has_the_values_1_and_4() -> anyhow::Result<()> {
        let a = DMatrix::from_row_slice(2, 2, &[2f64, 1.0, 2.0, 3.0]);
        let values = real_eigenvalues(&a)?;
        assert_eq!(format!("{values:.12?}"), "[1.000000000000, 4.000000000000]");
        // As NumPy prints them, signs with them.
        let vectors = eigenvectors(&a, &values)?;
        assert_eq!(format!("{:.8?}", vectors[0].as_slice()), "[-0.70710678, 0.70710678]");
        assert_eq!(format!("{:.8?}", vectors[1].as_slice()), "[-0.44721360, -0.89442719]");
        for (value, vector) in values.iter().zip(&vectors) {
            assert!((&a * vector - vector * *value).norm() < 1e-12, "{value}");
            assert!(shifted(&a, *value).determinant().abs() < 1e-12, "{value}");
        }
        Ok(())
    }

    #[test]
    fn functions_of_a_matrix_are_those_of_its_eigenvalues() -> anyhow::Result<()> {
        let a = DMatrix::from_row_slice(2, 2, &[2f64, 1.0, 2.0, 3.0]);
        let w = DMatrix::from_row_slice(2, 2, &[1.0, 1.0, -1.0, 2.0]);
        for power in 1..8 {
            let by_eigenvalues = with_eigenvalues(&w, &[1.0, 4f64.powi(power)])?;
            assert!(largest(&(by_eigenvalues - a.pow(power as u32))) < 1e-9, "{power}");
        }
        let root = with_eigenvalues(&w, &[1.0, 2.0])?;
        assert!(largest(&(&root * &root - &a)) < 1e-12);
        assert!(largest(&shifted(&(with_eigenvalues(&w, &[1.0, 0.25])? * &a), 1.0)) < 1e-12);
        let dependent = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 1.0, 2.0]);
        assert!(with_eigenvalues(&dependent, &[1.0, 1.0]).is_err());
        Ok(())
    }

    #[test]
    fn the_book_s_discs_hold_the_eigenvalues_that_it_prints() -> anyhow::Result<()> {
        let values = real_eigenvalues(&diagonal_rules())?;
        assert_eq!(format!("{values:.8?}"), "[0.99228545, 2.97343718, 4.95394089, 9.08033648]");
        for ((center, radius), expected) in discs(&diagonal_rules()).iter().zip([0.3, 0.6, 0.8, 0.9]) {
            assert!((radius - expected).abs() < 1e-12, "{center}: {radius}");
        }
        Ok(())
    }

    /// The draws of NumPy's `randn` after `seed(8675309)`: the book's matrix and its vector below.
    const DRAWS: [f64; 30] = [
        0.589_023_658_022_446_7,
        0.733_118_563_059_149_5,
        -1.162_188_796_386_713_2,
        -0.556_816_012_114_139_1,
        -0.772_488_433_226_939_4,
        -0.168_221_431_051_893_44,
        -0.416_503_910_581_369_04,
        -1.378_431_287_688_172_4,
        0.749_255_876_050_511_6,
        0.178_884_464_974_826_27,
        0.694_011_209_359_245_2,
        -1.978_053_500_289_186_4,
        -0.833_814_343_111_755_4,
        0.564_373_435_334_521_1,
        0.312_012_991_923_985_3,
        -0.873_344_959_727_543_9,
        0.156_012_908_400_673_3,
        -0.387_101_082_137_323,
        -0.239_208_208_703_924_73,
        0.888_501_035_811_086_2,
        1.293_853_710_002_900_6,
        -0.767_741_057_615_864,
        0.201_316_132_177_102_8,
        0.918_008_415_918_794_8,
        0.389_741_151_428_382_45,
        -0.421_047_881_912_376,
        0.170_436_776_839_282_13,
        1.527_708_940_215_021,
        -0.181_059_448_795_351_13,
        -0.036_078_834_094_869_984,
    ];

    #[test]
    fn the_book_s_random_vector_grows_by_its_largest_eigenvalue() -> anyhow::Result<()> {
        let a = DMatrix::from_row_slice(5, 5, &DRAWS[..25]);
        let norms = norms(&a, DMatrix::from_row_slice(5, 1, &DRAWS[25..]), 100)?;
        assert_eq!(format!("{:.12}", ratios(&norms)[98]), "1.974459321485");
        assert_eq!(format!("{:.12}", largest_eigenvalue(&a)?), "1.974459321485");
        assert!((growth(&norms) / largest_eigenvalue(&a)? - 1.0).abs() < 1e-8);
        let a = &a / largest_eigenvalue(&a)?;
        assert!((largest_eigenvalue(&a)? - 1.0).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn a_vector_that_turns_grows_unevenly() -> anyhow::Result<()> {
        let turning = DMatrix::from_row_slice(2, 2, &[0.0, -2.0, 1.0, 0.0]);
        let norms = norms(&turning, DMatrix::from_row_slice(2, 1, &[1.0, 0.0]), 5)?;
        assert_eq!(ratios(&norms), [1.0, 2.0, 1.0, 2.0]);
        assert!((growth(&norms) - 2f64.sqrt()).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn norms_that_overflow_or_vanish_are_told() {
        let one = DMatrix::from_element(1, 1, 1f64);
        for factor in [1e60f64, 1e-60, 0.0] {
            let error = norms(&(&one * factor), one.clone(), 100).expect_err("no such norm").to_string();
            assert!(error.contains("--num-norms"), "{factor}: {error}");
        }
    }

    proptest! {
        #[test]
        fn each_eigenvalue_is_in_a_disc(n in 1usize..6, elements in prop::collection::vec(-9i8..=9, 25)) {
            let a = DMatrix::from_fn(n, n, |i, j| f64::from(elements[i * n + j]));
            for (real, imaginary) in eigenvalues(&a).expect("eigenvalues") {
                // Eigenvalues that come together are found to a few digits only.
                let inside = |&(center, radius): &(f64, f64)| (real - center).hypot(imaginary) <= radius + 0.02;
                prop_assert!(discs(&a).iter().any(inside), "{} {} {:?}", real, imaginary, discs(&a));
            }
        }
    }
}

//! 18.1 Geometry and Linear Algebraic Operations
//!
//! Vectors as points and arrows, angles, a plane between two classes, what matrices make of space, sums over indices.
//!
//! `cargo run --release -p math -- geometry-linear-algebraic-ops`
//! In a second: the angle 0.4190, the determinant 5; the means of two classes tell 78.7% of the test images apart as in
//! the book, and 91.6% with pixels and threshold in their places.

use std::f64::consts::PI;

use anyhow::Context;
use d2l::data::fashion_mnist::{FashionMnist, Images};
use d2l::plot::{HeatMaps, Image, ImageGrid, Panels};
use d2l::prelude::*;
use nalgebra::{DMatrix, DVector, Matrix2, Vector2};

use crate::einsum::{contract, einsum};
use crate::matrices::{most_shrunk, rank};
use crate::plane::{area, arrow, circle, grid, series, transformed, unit_square};

/// Settings; the defaults are the book's, which draws no pairs.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Pairs of random vectors to take cosines of
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub num_pairs: usize,
}

defaults! { Config: Smoke { num_pairs: 100 } }

/// Vectors as points, one arrow in several places, and a sum as two arrows one after the other.
fn pictures_of_vectors() -> Panels {
    let (u, v) = (Vector2::new(3f64, 2.0), Vector2::new(-1f64, 2.0));
    let chart = |title: &str| Chart::new().size(250, 250).title(title).same_scale();
    let arrows = |ends: &[(Vector2<f64>, Vector2<f64>)]| {
        series(&ends.iter().map(|&(from, to)| arrow(from, to, 0.35)).collect::<Vec<_>>())
    };
    let (xs, ys) = series(&[vec![u, v, Vector2::new(-2.0, -1.0), Vector2::new(1.0, -2.0)]]);
    let points = chart("points").x_range(-3.5..3.5).y_range(-3.5..3.5).scatter("", &xs, &ys, 7.0);
    let tails = [Vector2::zeros(), Vector2::new(-3.0, -1.0), Vector2::new(0.0, -3.0)];
    let (xs, ys) = arrows(&tails.map(|tail| (tail, tail + u)));
    let everywhere = chart("one arrow").x_range(-3.5..3.5).y_range(-3.5..3.5).unlabeled_line(&xs, &ys);
    let parts = [("u", Vector2::zeros(), u), ("v", u, u + v), ("u + v", Vector2::zeros(), u + v)];
    let sum = parts.iter().fold(chart("a sum").x_range(-1.0..5.0).y_range(-1.0..5.0), |chart, &(name, from, to)| {
        let (xs, ys) = arrows(&[(from, to)]);
        chart.line(name, &xs, &ys)
    });
    Panels::new(3, [points, everywhere, sum])
}

/// The cosine of the angle between two vectors.
///
/// # Errors
/// Where they have no common length, or one is zero, which has no direction.
pub fn cosine_similarity(v: &Tensor, w: &Tensor) -> Result<f64> {
    let (v, w) = (v.to_dtype(DType::F64)?, w.to_dtype(DType::F64)?);
    let lengths = (v.norm()? * w.norm()?)?.to_scalar::<f64>()?;
    if lengths == 0.0 {
        candle_core::bail!("a vector of zeros has no direction, so there is no angle to another");
    }
    // For parallel vectors rounding can leave a little more than 1, which is no cosine.
    Ok((v.dot(&w)?.to_scalar::<f64>()? / lengths).clamp(-1.0, 1.0))
}

/// The angle between two vectors in radians.
///
/// # Errors
/// Those of [`cosine_similarity`].
pub fn angle(v: &Tensor, w: &Tensor) -> Result<f64> {
    Ok(cosine_similarity(v, w)?.acos())
}

/// The mean absolute cosine of pairs of vectors from the standard normal distribution.
fn mean_cosine(nb: &mut Notebook, pairs: usize, dimensions: usize) -> Result<f64> {
    let (v, w) = (nb.normal((pairs, dimensions))?, nb.normal((pairs, dimensions))?);
    let lengths = (v.sqr()?.sum(1)? * w.sqr()?.sum(1)?)?.sqrt()?; // (pairs)
    let cosines = ((v * w)?.sum(1)? / lengths)?; // (pairs)
    Ok(f64::from(cosines.abs()?.mean_all()?.to_scalar::<f32>()?))
}

/// The line where w · v = 1, the side of it where w · v is larger, and w.
fn half_spaces(w: Vector2<f64>) -> Chart {
    // The line and the area go on beyond the chart, which cuts them off.
    let xs: Vec<f64> = (-60..=60).map(|i| f64::from(i) / 20.0).collect();
    let ys: Vec<f64> = xs.iter().map(|x| (1.0 - w.x * x) / w.y).collect();
    let (arrow_x, arrow_y) = series(&[arrow(Vector2::zeros(), w, 0.15)]);
    let chart = Chart::new().size(380, 360).x_range(-1.0..2.5).y_range(-1.0..2.5).same_scale();
    let chart = chart.area("w · v > 1", &xs, &ys, &vec![9.0; xs.len()]);
    chart.line("w · v = 1", &xs, &ys).line("w", &arrow_x, &arrow_y)
}

/// All images of a class as rows of pixels from 0 to 256, the book's scale: `(images, 784)`.
fn of_class(images: &Images, class: u8, device: &Device) -> Result<Tensor> {
    let labels = images.labels().iter().enumerate();
    let indices: Vec<usize> = labels.filter(|&(_, &label)| label == class).map(|(index, _)| index).collect();
    let (x, _) = images.batch(&indices, device)?; // (images, 1, 28, 28)
    x.flatten_from(1)? * 256.0 // (images, 784)
}

/// The scores w · x of t-shirts and those of trousers.
type Scores = [Vec<f32>; 2];

/// The scores of images, `(images, 784)` for each class, along a direction `(28, 28)`.
fn scores([t_shirts, trousers]: &[Tensor; 2], direction: &Tensor) -> Result<Scores> {
    let w = direction.flatten_all()?; // (784)
    Ok([t_shirts.mv(&w)?.to_vec1()?, trousers.mv(&w)?.to_vec1()?])
}

/// The share of scores on their side of a threshold: those of t-shirts below it, those of trousers above.
fn accuracy([t_shirts, trousers]: &Scores, threshold: f64) -> f64 {
    let above = |scores: &[f32]| scores.iter().filter(|&&score| f64::from(score) > threshold).count();
    let right = t_shirts.len() - above(t_shirts) + above(trousers);
    right as f64 / (t_shirts.len() + trousers.len()) as f64
}

/// How the scores of both classes are spread, with thresholds.
fn spread([t_shirts, trousers]: &Scores, thresholds: [f64; 2]) -> Chart {
    let chart = Chart::new().x_label("w · x").y_label("test images");
    let chart = chart.histogram([("t-shirt", &t_shirts[..]), ("trousers", &trousers[..])], 40);
    thresholds.into_iter().fold(chart, Chart::vertical)
}

/// The book's matrix that turns, stretches and shears.
const A: Matrix2<f64> = Matrix2::new(1.0, 2.0, -1.0, 3.0);
/// The book's matrix that leaves only a line of the plane.
const B: Matrix2<f64> = Matrix2::new(2.0, -1.0, 4.0, -2.0);

/// Matrices of the plane by what they do: what each makes of a grid shows it.
fn linear_maps() -> [(&'static str, Matrix2<f64>); 6] {
    let (sine, cosine) = (PI / 6.0).sin_cos();
    [
        ("nothing", Matrix2::identity()),
        ("rotation", Matrix2::new(cosine, -sine, sine, cosine)),
        ("scaling", Matrix2::new(1.5, 0.0, 0.0, 0.5)),
        ("shear", Matrix2::new(1.0, 1.0, 0.0, 1.0)),
        ("A", A),
        ("B", B),
    ]
}

/// The grid of whole numbers after a matrix, with what becomes of the unit square.
fn grid_after(name: &str, matrix: Matrix2<f64>) -> Chart {
    let (grid_x, grid_y) = series(&transformed(matrix, &grid(4)));
    let (square_x, square_y) = series(&transformed(matrix, &[unit_square()]));
    let chart = Chart::new().size(250, 250).title(name).x_range(-4.0..4.0).y_range(-4.0..4.0).same_scale();
    chart.unlabeled_line(&grid_x, &grid_y).trace("", &square_x, &square_y)
}

/// The book's matrix of four rows and five columns with only two independent ones.
fn rank_two() -> DMatrix<f64> {
    let rows = [[1, 3, 0, -1, 0], [-1, 0, 1, 1, -1], [0, 3, 1, 0, -1], [2, 3, -1, -2, 1]];
    DMatrix::from_fn(4, 5, |i, j| f64::from(rows[i][j]))
}

/// A matrix that is close to having low rank: 1/(i + j + 1), i and j from 0.
fn hilbert(n: usize) -> DMatrix<f64> {
    DMatrix::from_fn(n, n, |i, j| 1.0 / (i + j + 1) as f64)
}

/// How far A x is from b where x comes from elimination, and where it is the inverse times b: for the b of an x of ones.
fn residuals(a: &DMatrix<f64>) -> anyhow::Result<[f64; 2]> {
    let b = a * DVector::from_element(a.ncols(), 1.0);
    let solved = a.clone().lu().solve(&b).context("a singular matrix has no solution")?;
    let multiplied = a.clone().try_inverse().context("a singular matrix has no inverse")? * &b;
    Ok([solved, multiplied].map(|x| (a * x - &b).norm()))
}

/// [`residuals`] of Hilbert matrices beside how much more they stretch in one direction than in another.
fn residual_table() -> anyhow::Result<Table> {
    let mut table = Table::new(["n", "largest to least stretch", "‖Ax - b‖ by elimination", "by the inverse"]);
    for n in [2, 4, 6, 8, 10] {
        let stretches = hilbert(n).singular_values();
        let [solved, multiplied] = residuals(&hilbert(n))?;
        let numbers = [stretches.max() / stretches.min(), solved, multiplied].map(|number| format!("{number:.1e}"));
        table.row([n.to_string()].into_iter().chain(numbers));
    }
    Ok(table)
}

/// How many elements of a matrix of second differences are not zero, and how many of its inverse.
fn nonzero_in_inverse(n: usize) -> anyhow::Result<[usize; 2]> {
    let differences: DMatrix<f64> = DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
        0 => 2.0,
        1 => -1.0,
        _ => 0.0,
    });
    let inverse = differences.clone().try_inverse().context("a singular matrix has no inverse")?;
    Ok([differences, inverse].map(|matrix| matrix.iter().filter(|&&element| element != 0.0).count()))
}

/// Determinants beside what the matrices make of areas.
fn areas() -> Table {
    let mut table = Table::new(["matrix", "determinant", "area of the unit square after it", "of the unit disc / π"]);
    for (name, matrix) in linear_maps() {
        let shapes = transformed(matrix, &[unit_square(), circle(Vector2::zeros(), 1.0)]);
        let areas = [matrix.determinant(), area(&shapes[0]), area(&shapes[1]) / PI];
        // Adding zero takes the sign off what rounds to -0.
        let areas = areas.map(|area| format!("{:.2}", (100.0 * area).round() / 100.0 + 0.0));
        table.row([name.to_string()].into_iter().chain(areas));
    }
    table
}

/// What common expressions are in letters and in candle, and the largest difference between both.
fn common_examples(device: &Device) -> anyhow::Result<(Table, f64)> {
    let a = Tensor::arange(0f32, 9.0, device)?.reshape((3, 3))?;
    let (v, w) = (Tensor::arange(1f32, 4.0, device)?, Tensor::arange(4f32, 7.0, device)?);
    let trace = (&a * Tensor::eye(3, DType::F32, device)?)?.sum_all()?;
    let examples: [(&str, &str, &[&Tensor], Tensor); 5] = [
        ("i, i ->", "v.dot(w)", &[&v, &w], v.dot(&w)?),
        ("i, i ->", "v.sqr().sum_all()", &[&v, &v], v.sqr()?.sum_all()?),
        ("ij, j -> i", "a.mv(v)", &[&a, &v], a.mv(&v)?),
        ("ij, jk -> ik", "a.matmul(b)", &[&a, &a], a.matmul(&a)?),
        ("ii ->", "(a * identity).sum_all()", &[&a], trace),
    ];
    let mut table = Table::new(["letters", "in candle", "largest difference"]);
    let mut largest = 0f64;
    for (letters, in_candle, tensors, expected) in examples {
        let apart = (einsum(letters, tensors)? - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
        table.row([letters.to_string(), in_candle.to_string(), apart.to_string()]);
        largest = largest.max(f64::from(apart));
    }
    Ok((table, largest))
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Geometry of vectors")?;
    let device = nb.device().clone();
    nb.show("v", Tensor::new(&[1f32, 7.0, 0.0, 1.0], &device)?)?;
    nb.figure("vectors", "Vectors as points, as arrows that start anywhere, and added", pictures_of_vectors())?;

    nb.cell("Dot products and angles")?;
    let v = Tensor::new(&[0f32, 1.0, 2.0], &device)?;
    let w = Tensor::new(&[2f32, 3.0, 4.0], &device)?;
    nb.show("angle", format!("{:.4}", angle(&v, &w)?))?;
    nb.show("angle of w and 0.1 w", format!("{:.4}", angle(&w, &(&w * 0.1)?)?))?;
    nb.show("distance of w and 0.1 w", format!("{:.4}", (&w * 0.9)?.norm()?.to_scalar::<f32>()?))?;
    nb.metric("angle", angle(&v, &w)?)?;

    nb.cell("Cosine similarity")?;
    for dimensions in [2, 10, 100, 1000] {
        let cosine = mean_cosine(nb, config.num_pairs, dimensions)?;
        nb.say(format!("random vectors of {dimensions:>4} dimensions: mean absolute cosine {cosine:.3}"))?;
        nb.metric(&format!("cosine_{dimensions}_dimensions"), cosine)?;
    }

    nb.cell("Hyperplanes")?;
    let w = Vector2::new(2f64, 1.0);
    nb.say(format!("w · v = 1 is {:.4} from the origin, along w", 1.0 / w.norm()))?;
    nb.figure("half-spaces", "The line where w · v is 1, at right angles to w, divides the plane", half_spaces(w))?;

    nb.cell("Means of t-shirts and trousers")?;
    let set = nb.load::<FashionMnist>()?;
    let (t_shirts, trousers) = (of_class(&set.train, 0, &device)?, of_class(&set.train, 1, &device)?); // (images, 784)
    let (mean_0, mean_1) = (t_shirts.mean(0)?, trousers.mean(0)?); // (784)
    nb.say(format!("{} t-shirts and {} trousers to learn from", t_shirts.dim(0)?, trousers.dim(0)?))?;
    nb.show("cosine similarity of the means", format!("{:.3}", cosine_similarity(&mean_0, &mean_1)?))?;

    nb.cell("The mean images")?;
    let picture = |mean: &Tensor| Ok::<_, anyhow::Error>(Image::from_tensor(&(mean.reshape((28, 28))? / 256.0)?)?);
    let means = ImageGrid::new(2, [picture(&mean_0)?, picture(&mean_1)?]).titles(["mean t-shirt", "mean trousers"]);
    nb.figure("means", "The mean of all t-shirts and that of all trousers, blurred", means)?;

    nb.cell("The direction between the means")?;
    let upright = (&mean_1 - &mean_0)?.reshape((28, 28))?;
    let turned = upright.t()?.contiguous()?; // what .T leaves of (1, 28, 28) in PyTorch
    let maps = HeatMaps::new(&Tensor::stack(&[&upright, &turned], 0)?.unsqueeze(0)?)?.diverging(); // (1, 2, 28, 28)
    let maps = maps.titles(["trousers less t-shirt", "with rows as columns"]);
    nb.figure("direction", "The difference of the means, and the same with its rows as columns", maps)?;

    nb.cell("Accuracy with an eyeballed threshold")?;
    let tests = [of_class(&set.test, 0, &device)?, of_class(&set.test, 1, &device)?]; // 2 of (images, 784)
    let (as_in_book, by_pixel) = (scores(&tests, &turned)?, scores(&tests, &upright)?);
    let middle = ((&mean_0 + &mean_1)? / 2.0)?.dot(&upright.flatten_all()?)?; // the score halfway between the means
    let (eyeballed, halfway) = (-1_500_000.0, f64::from(middle.to_scalar::<f32>()?));
    for (metric, how, scores, threshold) in [
        ("two_means_acc", "with rows as columns, as in the book", &as_in_book, eyeballed),
        ("two_means_acc_upright", "pixel by pixel", &by_pixel, eyeballed),
        ("two_means_acc_halfway", "pixel by pixel, halfway between the means", &by_pixel, halfway),
    ] {
        nb.say(format!("{how}, above {threshold:.0}: {:.4}", accuracy(scores, threshold)))?;
        nb.metric(metric, accuracy(scores, threshold))?;
    }
    let alt = "Scores of t-shirts and of trousers, pixel by pixel, which overlap, with both thresholds";
    nb.figure("scores", alt, spread(&by_pixel, [eyeballed, halfway]))?;

    nb.cell("Geometry of linear transformations")?;
    nb.say(format!("A takes [2, -1] to {:?}", (A * Vector2::new(2.0, -1.0)).as_slice()))?;
    let charts = linear_maps().map(|(name, matrix)| grid_after(name, matrix));
    nb.figure("grids", "What six matrices make of a grid and of the unit square in it", Panels::new(3, charts))?;

    nb.cell("Linear dependence")?;
    let [one, other] = [Vector2::new(1.0, 1.0), Vector2::new(0.0, -1.0)].map(|point| B * point);
    nb.say(format!("B takes [1, 1] to {:?} and [0, -1] to {:?}", one.as_slice(), other.as_slice()))?;
    let lost = most_shrunk(&DMatrix::from_fn(2, 2, |i, j| B[(i, j)]))?;
    nb.say(format!("B takes {:.4?}, a multiple of [1, 2], to zero", lost.as_slice()))?;

    nb.cell("Rank")?;
    let stretches = rank_two().singular_values();
    nb.say(format!("singular values of C: {:.4?}, so its rank is {}", stretches.as_slice(), rank(&rank_two())))?;
    nb.metric("rank", rank(&rank_two()) as f64)?;

    nb.cell("Invertibility")?;
    let m = Tensor::new(&[[1f32, 2.0], [1.0, 4.0]], &device)?;
    let inverse = Tensor::new(&[[2f32, -1.0], [-0.5, 0.5]], &device)?;
    nb.show("inverse times m", inverse.matmul(&m)?)?;
    nb.show("B has an inverse", B.try_inverse().is_some())?;

    nb.cell("Numerical issues")?;
    nb.say(residual_table()?)?;
    let ([solved, multiplied], [sparse, dense]) = (residuals(&hilbert(10))?, nonzero_in_inverse(100)?);
    nb.say(format!("of 10000 elements {sparse} are not zero in second differences, {dense} in the inverse"))?;
    nb.metric("residual_solve", solved)?;
    nb.metric("residual_inverse", multiplied)?;

    nb.cell("Determinant")?;
    let determinant = Matrix2::new(1f64, -1.0, 2.0, 3.0).determinant();
    nb.show("determinant", determinant)?;
    nb.say(areas())?;
    nb.metric("determinant", determinant)?;

    nb.cell("Common examples from linear algebra")?;
    let (table, largest) = common_examples(&device)?;
    nb.say(table)?;
    nb.metric("difference", largest)?;

    nb.cell("Expressing in code")?;
    let b = Tensor::arange(1f32, 13.0, &device)?.reshape((2, 2, 3))?;
    let a = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &device)?;
    let v = Tensor::new(&[1f32, 2.0], &device)?;
    nb.say(format!("a {:?}, b {:?}, v {:?}", a.dims(), b.dims(), v.dims()))?;

    nb.cell("A matrix times a vector")?;
    nb.show("ij, j -> i", einsum("ij, j -> i", &[&a, &v])?)?;
    nb.show("a.mv(v)", a.mv(&v)?)?;

    nb.cell("A sum over two indices")?;
    nb.show("ijk, il, j -> kl", einsum("ijk, il, j -> kl", &[&b, &a, &v])?)?; // (3, 2)
    let over_j = b.broadcast_mul(&v.unsqueeze(1)?)?.sum(1)?; // (2, 2, 3) * (2, 1) -> (2, 3)
    nb.show("the same by broadcasting and a product", over_j.t()?.matmul(&a)?)?; // (3, 2) (2, 2) -> (3, 2)

    nb.cell("Indices as numbers")?;
    nb.show("c", contract(&[(&b, &[0, 1, 2]), (&a, &[0, 3]), (&v, &[1])], &[2, 3])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(values: &[f32]) -> Result<Tensor> {
        Tensor::new(values, &Device::Cpu)
    }

    #[test]
    fn the_book_s_angle() -> Result<()> {
        assert_eq!(format!("{:.4}", angle(&vector(&[0.0, 1.0, 2.0])?, &vector(&[2.0, 3.0, 4.0])?)?), "0.4190");
        Ok(())
    }

    #[test]
    fn angles_are_those_of_the_plane_and_scale_does_not_matter() -> Result<()> {
        for degrees in [0f64, 30.0, 90.0, 135.0, 180.0] {
            let (sine, cosine) = degrees.to_radians().sin_cos();
            let (v, w) = (vector(&[2.0, 0.0])?, vector(&[(3.0 * cosine) as f32, (3.0 * sine) as f32])?);
            assert!((angle(&v, &w)? - degrees.to_radians()).abs() < 1e-6, "{degrees}");
            assert!((angle(&(v * 7.0)?, &w)? - degrees.to_radians()).abs() < 1e-6, "{degrees}");
        }
        // 1/7 and its multiples round, so that the quotient can come out above 1.
        let v = vector(&[1.0 / 7.0, 3.0 / 7.0, 1.0 / 3.0])?;
        assert!(angle(&v, &(&v * 0.1)?)? < 1e-6);
        assert!((cosine_similarity(&v, &(&v * -3.0)?)? + 1.0).abs() < 1e-6);
        assert!(angle(&v, &(&v * 0.0)?).expect_err("no direction").to_string().contains("zeros"));
        assert!(angle(&v, &vector(&[1.0, 2.0])?).is_err());
        Ok(())
    }

    #[test]
    fn scores_on_the_threshold_are_t_shirts() {
        let scores = [vec![-1.0, 2.0, 5.0], vec![2.0, 3.0]];
        assert_eq!(accuracy(&scores, 2.0), 3.0 / 5.0);
        assert_eq!(accuracy(&scores, 10.0), 3.0 / 5.0);
        assert_eq!(accuracy(&scores, -10.0), 2.0 / 5.0);
    }

    #[test]
    fn the_book_s_matrices_have_their_ranks_and_determinants() {
        assert_eq!(Matrix2::new(1f64, -1.0, 2.0, 3.0).determinant(), 5.0);
        assert_eq!((A.determinant(), B.determinant()), (5.0, 0.0));
        assert_eq!((A * Vector2::new(2.0, -1.0)).as_slice(), [0.0, -5.0]);
        assert_eq!((B * Vector2::new(1.0, 1.0)).as_slice(), [1.0, 2.0]);
        assert_eq!((B * Vector2::new(0.0, -1.0)).as_slice(), [1.0, 2.0]);
        let c = rank_two();
        assert_eq!(rank(&c), 2);
        let triples = (0..5).flat_map(|i| (i + 1..5).flat_map(move |j| (j + 1..5).map(move |k| [i, j, k])));
        assert!(triples.clone().count() == 10 && triples.map(|triple| rank(&c.select_columns(&triple))).all(|r| r < 3));
        assert_eq!(rank(&c.select_columns(&[0, 1])), 2);
    }

    #[test]
    fn elimination_leaves_less_than_the_inverse_does() -> anyhow::Result<()> {
        let [solved, multiplied] = residuals(&hilbert(10))?;
        assert!(solved < 1e-14 && multiplied > 1e-9, "{solved} {multiplied}");
        assert_eq!(nonzero_in_inverse(100)?, [298, 10_000]);
        assert!(residuals(&DMatrix::zeros(2, 2)).is_err());
        Ok(())
    }

    #[test]
    fn the_book_s_sums_over_indices() -> anyhow::Result<()> {
        let b = Tensor::arange(1f32, 13.0, &Device::Cpu)?.reshape((2, 2, 3))?;
        let (a, v) = (Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?, vector(&[1.0, 2.0])?);
        assert_eq!(einsum("ij, j -> i", &[&a, &v])?.to_vec1::<f32>()?, [5.0, 11.0]);
        let expected = [[90.0, 126.0], [102.0, 144.0], [114.0, 162.0]];
        assert_eq!(einsum("ijk, il, j -> kl", &[&b, &a, &v])?.to_vec2::<f32>()?, expected);
        let by_numbers = contract(&[(&b, &[0, 1, 2]), (&a, &[0, 3]), (&v, &[1])], &[2, 3])?;
        assert_eq!(by_numbers.to_vec2::<f32>()?, expected);
        assert_eq!(common_examples(&Device::Cpu)?.1, 0.0);
        Ok(())
    }
}

//! 2.3 Linear Algebra
//!
//! Scalars, vectors, matrices and tensors, what reduces them, and what multiplies them.
//!
//! `cargo run --release -p preliminaries -- linear-algebra`
//! At once: the book's numbers, such as the norms 5, 7 and 6.

use d2l::prelude::*;

pub use super::ndarray::Config;
use super::ndarray::{number, refusal, share_storage};

/// The sum of the absolute values of all elements, a scalar.
pub fn l1_norm(x: &Tensor) -> Result<Tensor> {
    x.abs()?.sum_all()
}

/// The `p`-th root of the sum of all absolute values to the power of `p`, a scalar: the Lp norm, of which L1 and L2 are
/// two.
pub fn lp_norm(x: &Tensor, p: f64) -> Result<Tensor> {
    x.abs()?.powf(p)?.sum_all()?.powf(1.0 / p)
}

/// The root of the summed squares of all elements, a scalar: the L2 norm of a vector, the Frobenius norm of a matrix.
pub fn l2_norm(x: &Tensor) -> Result<Tensor> {
    x.sqr()?.sum_all()?.sqrt()
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Scalars")?;
    let device = nb.device().clone();
    let x = Tensor::new(3f32, &device)?; // ()
    let y = Tensor::new(2f32, &device)?; // ()
    for (name, result) in
        [("x + y", &x + &y), ("x * y", &x * &y), ("x / y", &x / &y), ("x to the power of y", x.pow(&y))]
    {
        nb.show(name, number(&result?)?)?;
    }

    nb.cell("Vectors")?;
    let x = Tensor::arange(0f32, 4.0, &device)?; // (4)
    nb.show("x", &x)?;
    nb.show("x[3]", number(&x.get(3)?)?)?;

    nb.cell("Length, dimensionality and shape")?;
    nb.say(format!("length {}, rank {}, shape {:?}", x.dim(0)?, x.rank(), x.shape()))?;

    nb.cell("Matrices")?;
    let a = Tensor::arange(0f32, 20.0, &device)?.reshape((5, 4))?; // (5, 4)
    nb.show("a", &a)?;
    nb.show("its transpose", a.t()?)?; // (4, 5)
    nb.show("a[2, 3]", number(&a.i((2, 3))?)?)?;

    nb.cell("A symmetric matrix")?;
    let b = Tensor::new(&[[1f32, 2.0, 3.0], [2.0, 0.0, 4.0], [3.0, 4.0, 5.0]], &device)?;
    nb.show("b equals its transpose", b.eq(&b.t()?)?)?;

    nb.cell("Tensors")?;
    let x = Tensor::arange(0f32, 24.0, &device)?.reshape((2, 3, 4))?; // (2, 3, 4)
    nb.show("x", &x)?;

    nb.cell("Tensor arithmetic")?;
    let b = a.copy()?;
    nb.show("b, a copy, shares a's memory", share_storage(&a, &b))?;
    nb.show("a + b", (&a + &b)?)?;
    nb.show("the Hadamard product a * b", (&a * &b)?)?;

    nb.cell("A tensor and a number")?;
    nb.show("2 + x", (2.0 + &x)?)?;
    nb.say(format!("the shape of 2 * x: {:?}", (2.0 * &x)?.shape()))?;

    nb.cell("Sums of all elements")?;
    let x = Tensor::arange(0f32, 4.0, &device)?; // (4)
    nb.show("sum of x", number(&x.sum_all()?)?)?;
    nb.show("sum of a", number(&a.sum_all()?)?)?;

    nb.cell("Sums along an axis")?;
    let (columns, rows) = (a.sum(0)?, a.sum(1)?); // (4), (5)
    nb.say(format!("along axis 0, over the rows: {columns:?}"))?;
    nb.say(format!("along axis 1, over the columns: {rows:?}"))?;
    nb.say(format!("along both: {}", number(&a.sum((0, 1))?)?))?;

    nb.cell("Means")?;
    let count = a.elem_count() as f64;
    nb.say(format!("mean {}, sum over count {}", number(&a.mean_all()?)?, number(&a.sum_all()?)? / count))?;
    nb.say(format!("along axis 0: mean {:?}, sum over count {:?}", a.mean(0)?, (a.sum(0)? / a.dim(0)? as f64)?))?;
    let whole = Tensor::new(&[1u32, 2, 3, 6], &device)?;
    nb.say(format!("of whole numbers, whose mean is 3: {}", number(&whole.mean_all()?)?))?;

    nb.cell("A sum that keeps its axis")?;
    let sum_a = a.sum_keepdim(1)?; // (5, 1)
    nb.show("sum_a", &sum_a)?;
    nb.show("a / sum_a", a.broadcast_div(&sum_a)?)?; // (5, 4) / (5, 1)

    nb.cell("Cumulative sum")?;
    nb.show("down the rows", a.cumsum(0)?)?;

    nb.cell("Dot product")?;
    let y = Tensor::ones(4, DType::F32, &device)?;
    nb.say(format!("x {x:?}, y {y:?}"))?;
    nb.say(format!("x · y = {}, the sum of x * y = {}", number(&x.dot(&y)?)?, number(&(&x * &y)?.sum_all()?)?))?;

    nb.cell("Matrix-vector product")?;
    nb.say(format!("a {:?} times x {:?}: {:?}", a.shape(), x.shape(), a.mv(&x)?))?; // (5, 4) (4) -> (5)
    nb.say(format!("with matmul: {}", refusal(a.matmul(&x))))?;

    nb.cell("Matrix-matrix product")?;
    let b = Tensor::ones((4, 3), DType::F32, &device)?;
    nb.show("a times b", a.matmul(&b)?)?; // (5, 4) (4, 3) -> (5, 3)

    nb.cell("Norms")?;
    let u = Tensor::new(&[3f32, -4.0], &device)?;
    nb.show("L2 norm of u", number(&l2_norm(&u)?)?)?;
    nb.show("L1 norm of u", number(&l1_norm(&u)?)?)?;
    let ones = Tensor::ones((4, 9), DType::F32, &device)?;
    nb.show("Frobenius norm of 4 × 9 ones", number(&l2_norm(&ones)?)?)?;
    nb.show("the same by candle's norm", number(&ones.norm()?)?)?;

    nb.cell("The Lp norm")?;
    for p in [1.0, 2.0, 3.0, 8.0, 32.0] {
        nb.say(format!("p = {p}: {:.4}", number(&lp_norm(&u, p)?)?))?;
    }
    nb.show("largest absolute value", number(&u.abs()?.max_all()?)?)?;

    nb.cell("Where the norm has no gradient")?;
    let zero = Var::zeros(2, DType::F32, &device)?;
    nb.show("gradient of the norm at 0", backward(&zero.norm()?)?.get(&zero)?)?;
    nb.show("gradient of the squared norm at 0", backward(&zero.sqr()?.sum_all()?)?.get(&zero)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_of_vectors_and_matrices() -> Result<()> {
        let u = Tensor::new(&[3f32, -4.0], &Device::Cpu)?;
        assert_eq!(l2_norm(&u)?.to_scalar::<f32>()?, 5.0);
        assert_eq!(l1_norm(&u)?.to_scalar::<f32>()?, 7.0);
        assert_eq!(lp_norm(&u, 1.0)?.to_scalar::<f32>()?, 7.0);
        assert!((lp_norm(&u, 3.0)?.to_scalar::<f32>()? - 91f32.cbrt()).abs() < 1e-5);
        assert_eq!(l2_norm(&Tensor::ones((4, 9), DType::F32, &Device::Cpu)?)?.to_scalar::<f32>()?, 6.0);
        Ok(())
    }

    #[test]
    fn norms_scale_and_obey_the_triangle_inequality() -> Result<()> {
        let u = Tensor::new(&[1f64, -2.0, 0.5], &Device::Cpu)?;
        let v = Tensor::new(&[-3f64, 1.0, 4.0], &Device::Cpu)?;
        for norm in [l1_norm, l2_norm] {
            let of = |x: &Tensor| norm(x)?.to_scalar::<f64>();
            assert!((of(&(&u * -3.0)?)? - 3.0 * of(&u)?).abs() < 1e-12);
            assert!(of(&(&u + &v)?)? <= of(&u)? + of(&v)?);
        }
        Ok(())
    }
}

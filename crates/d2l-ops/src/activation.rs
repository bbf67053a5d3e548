//! Activation functions, each one node whose backward pass is element-wise: `∂x = g f′(x)`.
//!
//! | function | forward | derivative |
//! | --- | --- | --- |
//! | relu | `max(x, 0)` | `1` where `x > 0`, else `0` |
//! | sigmoid | `y = 1 / (1 + e⁻ˣ)` | `y (1 − y)` |
//! | tanh | `y = tanh x` | `1 − y²` |
//! | gelu | `x Φ(x)`, `Φ(x) = (1 + erf(x / √2)) / 2` | `Φ(x) + x φ(x)`, `φ(x) = e^(−x²/2) / √(2π)` |
//! | gelu, tanh form | `x (1 + t) / 2`, `t = tanh(√(2/π) (x + 0.044715 x³))` | `(1 + t) / 2 + x (1 − t²) √(2/π) (1 + 0.134145 x²) / 2` |

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use std::marker::PhantomData;

use candle_core::backend::BackendStorage;
use candle_core::cpu::erf::erf_f64;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType};

use super::kernel::{self, for_float};
use super::math::{self, Elementary};
use super::parallel;
use super::tape;

/// `max(x, 0)`, with gradient 0 at 0 (section 4.1).
///
/// ```
/// # use candle_core::{Device, Tensor};
/// let x = Tensor::new(&[-1.5f32, 0.0, 2.0], &Device::Cpu)?;
/// assert_eq!(d2l_ops::relu(&x)?.to_vec1::<f32>()?, [0.0, 0.0, 2.0]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Where candle cannot compute it, such as on integers.
#[doc(alias = "ReLU")]
pub fn relu(x: &Tensor) -> Result<Tensor> {
    apply::<Relu>(x)
}

/// `1 / (1 + e⁻ˣ)` (section 4.1).
///
/// # Errors
/// As [`relu`].
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    apply::<Sigmoid>(x)
}

/// The hyperbolic tangent (section 4.1).
///
/// # Errors
/// As [`relu`].
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    apply::<Tanh>(x)
}

/// The Gaussian error linear unit `x Φ(x)`, through the error function (Hendrycks and Gimpel, 2016).
///
/// # Errors
/// As [`relu`].
#[doc(alias = "GELU")]
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    apply::<Gelu>(x)
}

/// [`gelu`] in its approximation by a hyperbolic tangent.
///
/// # Errors
/// As [`relu`].
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    apply::<GeluTanh>(x)
}

fn apply<A: Activation>(x: &Tensor) -> Result<Tensor> {
    if kernel::has_kernel(x) { tape::apply1(x, ActivationOp::<A>(PhantomData)) } else { A::composed(x) }
}

trait Activation: Send + Sync + 'static {
    const NAME: &'static str;
    fn value<T: Elementary>(x: T) -> T;
    /// The derivative, from the input and the output.
    fn slope<T: Elementary>(x: T, y: T) -> T;
    /// The same from candle's operations.
    fn composed(x: &Tensor) -> Result<Tensor>;
}

struct Relu;

impl Activation for Relu {
    const NAME: &'static str = "relu";
    #[inline(always)]
    fn value<T: Elementary>(x: T) -> T {
        // Written so that what is not a number stays so.
        if x <= T::zero() { T::zero() } else { x }
    }
    #[inline(always)]
    fn slope<T: Elementary>(_x: T, y: T) -> T {
        if y > T::zero() { T::one() } else { T::zero() }
    }
    fn composed(x: &Tensor) -> Result<Tensor> {
        // candle's own relu has gradient 1 at 0.
        x.gt(0.0)?.where_cond(x, &x.zeros_like()?)
    }
}

struct Sigmoid;

impl Activation for Sigmoid {
    const NAME: &'static str = "sigmoid";
    #[inline(always)]
    fn value<T: Elementary>(x: T) -> T {
        math::sigmoid(x)
    }
    #[inline(always)]
    fn slope<T: Elementary>(_x: T, y: T) -> T {
        y * (T::one() - y)
    }
    fn composed(x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::sigmoid(x)
    }
}

struct Tanh;

impl Activation for Tanh {
    const NAME: &'static str = "tanh";
    #[inline(always)]
    fn value<T: Elementary>(x: T) -> T {
        math::tanh(x)
    }
    #[inline(always)]
    fn slope<T: Elementary>(_x: T, y: T) -> T {
        T::one() - y * y
    }
    fn composed(x: &Tensor) -> Result<Tensor> {
        x.tanh()
    }
}

struct Gelu;

impl Gelu {
    /// The coefficients of a Chebyshev fit, with a relative error below 1.2e-7: `erfc(z) = t exp(−z² + P(t))` with
    /// `t = 1 / (1 + z / 2)` for `z ≥ 0` (Press et al., *Numerical Recipes*, 6.2).
    const ERFC: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];

    /// The normal distribution's cumulative probability.
    #[inline(always)]
    fn cumulative<T: Elementary>(x: T) -> T {
        let z = x * T::of(FRAC_1_SQRT_2);
        if T::epsilon() < T::of(1e-10) {
            return T::of(0.5 * (1.0 + erf_f64(WithDType::to_f64(z))));
        }
        let z_size = z.abs();
        let t = T::one() / (T::one() + T::of(0.5) * z_size);
        let mut polynomial = T::zero();
        for &coefficient in Self::ERFC.iter().rev() {
            polynomial = polynomial.mul_add(t, T::of(coefficient));
        }
        let upper = T::of(0.5) * t * math::exp(polynomial - z_size * z_size);
        if x < T::zero() { upper } else { T::one() - upper }
    }
}

impl Activation for Gelu {
    const NAME: &'static str = "gelu";
    #[inline(always)]
    fn value<T: Elementary>(x: T) -> T {
        x * Self::cumulative(x)
    }
    #[inline(always)]
    fn slope<T: Elementary>(x: T, _y: T) -> T {
        let density = math::exp(T::of(-0.5) * x * x) * T::of(0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
        Self::cumulative(x) + x * density
    }
    fn composed(x: &Tensor) -> Result<Tensor> {
        x.gelu_erf()
    }
}

struct GeluTanh;

impl GeluTanh {
    const CUBE: f64 = 0.044_715;
    /// `√(2/π)`.
    const SCALE: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

    #[inline(always)]
    fn inner<T: Elementary>(x: T) -> T {
        math::tanh(T::of(Self::SCALE) * (x + T::of(Self::CUBE) * x * x * x))
    }
}

impl Activation for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    #[inline(always)]
    fn value<T: Elementary>(x: T) -> T {
        T::of(0.5) * x * (T::one() + Self::inner(x))
    }
    #[inline(always)]
    fn slope<T: Elementary>(x: T, _y: T) -> T {
        let t = Self::inner(x);
        let inner_slope = T::of(Self::SCALE) * (T::one() + T::of(3.0 * Self::CUBE) * x * x);
        T::of(0.5) * (T::one() + t + x * (T::one() - t * t) * inner_slope)
    }
    fn composed(x: &Tensor) -> Result<Tensor> {
        x.gelu()
    }
}

struct ActivationOp<A>(PhantomData<A>);

impl<A: Activation> CustomOp1 for ActivationOp<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!(A::NAME, x.dtype(), T => {
            let y = parallel::map([&kernel::values::<T>(x, layout)?], |[x]| A::value(x));
            Ok((kernel::Float::into_storage(y), layout.shape().clone()))
        })
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        for_float!(A::NAME, x.dtype(), T => {
            Ok(Some(kernel::from_three::<T>([x, y, grad], x.shape(), |x, y, g| {
                parallel::map([x, y, g], |[x, y, g]| g * A::slope(x, y))
            })?))
        })
    }
}

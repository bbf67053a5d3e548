//! Maps of an input and a weight that are linear in each, with a bias for each channel where there is one: one node of
//! the graph, whether it has two arguments or three.
//!
//! Backward, for the gradient `g` of the result: `∂x` and `∂w` are the map's own, `∂b = Σ g` over all but the channels.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::channels;
use super::kernel::{self, Float, for_float};
use super::tape;

/// A map with its gradients, over values that lie in order.
pub(super) trait ChannelMap: Send + Sync + 'static {
    /// The operation's name, for errors.
    const NAME: &'static str;

    /// The result's `(batch, channels, height, width)`.
    fn output_shape(&self) -> (usize, usize, usize, usize);

    /// The result, `bias` being one number a channel.
    fn forward<T: Float>(&self, x: &[T], w: &[T], bias: Option<&[T]>) -> Result<Vec<T>>;

    /// The gradient of `x` from that of the result.
    fn input_gradient<T: Float>(&self, grad: &[T], w: &[T]) -> Result<Vec<T>>;

    /// The gradient of the weight from that of the result.
    fn weight_gradient<T: Float>(&self, x: &[T], grad: &[T]) -> Result<Vec<T>>;
}

/// Applies a map to tensors on the CPU.
pub(super) fn apply(map: impl ChannelMap, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => tape::apply3(x, weight, bias, Node(map)),
        None => tape::apply2(x, weight, Node(map)),
    }
}

struct Node<M>(M);

impl<M: ChannelMap> Node<M> {
    fn forward<T: Float>(&self, x: &[T], w: &[T], bias: Option<&[T]>) -> Result<(CpuStorage, Shape)> {
        Ok((T::into_storage(self.0.forward(x, w, bias)?), self.0.output_shape().into()))
    }

    fn backward<T: Float>(&self, x: &Tensor, w: &Tensor, bias: bool, grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let map = &self.0;
        kernel::read::<T, _>(grad, |g| {
            let grad_x = if x.track_op() {
                let values = kernel::read::<T, _>(w, |w| map.input_gradient(g, w))?;
                Some(Tensor::from_vec(values, x.dims(), x.device())?)
            } else {
                None
            };
            let grad_w = if w.track_op() {
                let values = kernel::read::<T, _>(x, |x| map.weight_gradient(x, g))?;
                Some(Tensor::from_vec(values, w.dims(), x.device())?)
            } else {
                None
            };
            let (_, channels, height, width) = map.output_shape();
            let grad_b =
                bias.then(|| Tensor::new(channels::sums(g, channels, height * width), x.device())).transpose()?;
            Ok([grad_x, grad_w, grad_b])
        })
    }
}

impl<M: ChannelMap> CustomOp2 for Node<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        for_float!(M::NAME, x.dtype(), T => {
            self.forward(&kernel::values::<T>(x, xl)?, &kernel::values::<T>(w, wl)?, None)
        })
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [x, w, _] = for_float!(M::NAME, x.dtype(), T => self.backward::<T>(x, w, false, grad)?);
        Ok((x, w))
    }
}

impl<M: ChannelMap> CustomOp3 for Node<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        w: &CpuStorage,
        wl: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        for_float!(M::NAME, x.dtype(), T => {
            let bias = kernel::values::<T>(b, bl)?;
            self.forward(&kernel::values::<T>(x, xl)?, &kernel::values::<T>(w, wl)?, Some(&bias))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [x, w, b] = for_float!(M::NAME, x.dtype(), T => self.backward::<T>(x, w, b.track_op(), grad)?);
        Ok((x, w, b))
    }
}

//! Layers in a row.

use candle_core::{Result, Tensor};
use candle_nn::ModuleT;

/// Layers that are applied one after the other (sections 3.3 and 5.1).
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use d2l::nn::{Flatten, Linear, ModuleT, Parameters, Sequential};
/// use d2l::random::{Purpose, Random};
///
/// let parameters = Parameters::new(Random::new(7).fork(Purpose::Initialization), &Device::Cpu);
/// let net = Sequential::new().add(Flatten).add(Linear::new(6, 4, &parameters.builder())?);
/// let x = Tensor::zeros((5, 2, 3), DType::F32, &Device::Cpu)?;
/// assert_eq!(net.forward_t(&x, false)?.dims(), [5, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Box<dyn ModuleT>>,
}

impl Sequential {
    /// No layers: the identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a layer, or a closure from a tensor to a tensor.
    #[allow(clippy::should_implement_trait)] // a builder's step; nothing is summed
    pub fn add(mut self, layer: impl ModuleT + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl ModuleT for Sequential {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.layers.iter().try_fold(x.clone(), |x, layer| layer.forward_t(&x, train))
    }
}

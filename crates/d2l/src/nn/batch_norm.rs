//! Batch normalization as a layer.

use candle_core::{Result, Tensor, Var};
use candle_nn::{Init, ModuleT};

use super::VarBuilder;
use crate::ops::{self, BatchNormConfig, RunningStatistics};

/// The names of the running statistics under a layer's prefix.
const BUFFERS: [&str; 2] = ["running_mean", "running_var"];

/// Whether a variable of this full name (`features.1.running_mean`) is a buffer (section 7.5): saved and loaded with
/// the parameters, but not trained.
pub fn is_buffer(name: &str) -> bool {
    BUFFERS.contains(&name.rsplit_once('.').map_or(name, |(_, last)| last))
}

/// Batch normalization of `(batch, channels)` or `(batch, channels, height, width)`, with `weight` (γ, starting at 1)
/// and `bias` (β, starting at 0) and the buffers `running_mean` and `running_var`, `(channels)` each (section 7.5).
///
/// The buffers are variables of the builder's store, updated in place by training steps, so they are saved with it;
/// [`is_buffer`] tells them from parameters.
#[derive(Debug, Clone)]
#[doc(alias = "nn.BatchNorm2d")]
#[doc(alias = "nn.BatchNorm1d")]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running: RunningStatistics,
    config: BatchNormConfig,
}

impl BatchNorm {
    /// A layer with the builder's variables.
    ///
    /// # Errors
    /// Where the builder lacks a variable of that shape.
    pub fn new(channels: usize, config: BatchNormConfig, vb: &VarBuilder) -> Result<Self> {
        let get = |name: &str, value: f64| vb.get_with_hints(channels, name, Init::Const(value));
        let [mean, var] = BUFFERS;
        // A variable of the store is taken as it is, shared with the store; a loaded constant becomes one of its own.
        let running =
            RunningStatistics { mean: Var::from_tensor(&get(mean, 0.0)?)?, var: Var::from_tensor(&get(var, 1.0)?)? };
        Ok(Self { weight: get("weight", 1.0)?, bias: get("bias", 0.0)?, running, config })
    }

    /// γ, `(channels)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// β, `(channels)`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// The layer and the ReLU after it in one pass over the data, for [`Sequential`](super::Sequential).
    pub(super) fn forward_relu_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let config = BatchNormConfig { relu: true, ..self.config };
        ops::batch_norm(x, &self.weight, &self.bias, &self.running, &config, train)
    }

    /// The statistics that inference uses.
    pub fn running(&self) -> &RunningStatistics {
        &self.running
    }
}

impl ModuleT for BatchNorm {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        ops::batch_norm(x, &self.weight, &self.bias, &self.running, &self.config, train)
    }
}

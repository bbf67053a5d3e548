//! Convolutional layers, initialized uniformly in `±1 / √fan_in` as PyTorch does by default.

use candle_core::{Result, Shape, Tensor};
use candle_nn::{Init, Module};

use super::VarBuilder;
use crate::ops::{self, Conv1dConfig, Conv2dConfig, ConvTranspose2dConfig};

/// The uniform distribution in `±1 / √fan_in`.
fn uniform(fan_in: usize) -> Init {
    let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
    Init::Uniform { lo: -bound, up: bound }
}

/// The weight and, where it is asked for, the bias of a layer.
fn variables(
    vb: &VarBuilder,
    shape: impl Into<Shape>,
    outputs: usize,
    weight: Init,
    bias: Option<Init>,
) -> Result<(Tensor, Option<Tensor>)> {
    let weight = vb.get_with_hints(shape, "weight", weight)?;
    let bias = bias.map(|bias| vb.get_with_hints(outputs, "bias", bias)).transpose()?;
    Ok((weight, bias))
}

/// A convolution (section 15.3) over `(batch, in, length)`, `weight` of `(out, in / groups, kernel)` and `bias` of
/// `(out)`.
#[derive(Debug, Clone)]
#[doc(alias = "nn.Conv1d")]
pub struct Conv1d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: Conv1dConfig,
}

impl Conv1d {
    /// A layer with `weight` and `bias` of the builder.
    ///
    /// # Errors
    /// Where the builder lacks a parameter of that shape. What `config` demands of the sizes is checked when the layer runs.
    pub fn new(inputs: usize, outputs: usize, kernel: usize, config: Conv1dConfig, vb: &VarBuilder) -> Result<Self> {
        let init = uniform(inputs / config.groups.max(1) * kernel);
        Self::with_init(inputs, outputs, kernel, config, vb, init, init)
    }

    /// A layer with chosen initial values.
    ///
    /// # Errors
    /// As [`Conv1d::new`].
    pub fn with_init(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        config: Conv1dConfig,
        vb: &VarBuilder,
        weight: Init,
        bias: Init,
    ) -> Result<Self> {
        let shape = (outputs, inputs / config.groups.max(1), kernel);
        let (weight, bias) = variables(vb, shape, outputs, weight, Some(bias))?;
        Ok(Self { weight, bias, config })
    }

    /// A layer with `weight` only.
    ///
    /// # Errors
    /// As [`Conv1d::new`].
    pub fn without_bias(
        inputs: usize,
        outputs: usize,
        kernel: usize,
        config: Conv1dConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let inputs = inputs / config.groups.max(1);
        let (weight, bias) = variables(vb, (outputs, inputs, kernel), outputs, uniform(inputs * kernel), None)?;
        Ok(Self { weight, bias, config })
    }

    /// `(out, in / groups, kernel)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `(out)`, where the layer has one.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for Conv1d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::conv1d(x, &self.weight, self.bias.as_ref(), &self.config)
    }
}

/// A convolution over `(batch, in, height, width)`, `weight` of `(out, in / groups, kernel height, kernel width)` and
/// `bias` of `(out)` (section 6.2).
#[derive(Debug, Clone)]
#[doc(alias = "nn.Conv2d")]
#[doc(alias = "Conv2D")]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: Conv2dConfig,
}

impl Conv2d {
    /// A layer with `weight` and `bias` of the builder; `kernel` is `(height, width)`.
    ///
    /// # Errors
    /// Where the builder lacks a parameter of that shape. What `config` demands of the sizes is checked when the layer runs.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: (usize, usize),
        config: Conv2dConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let init = uniform(inputs / config.groups.max(1) * kernel.0 * kernel.1);
        Self::with_init(inputs, outputs, kernel, config, vb, init, init)
    }

    /// A layer with chosen initial values.
    ///
    /// # Errors
    /// As [`Conv2d::new`].
    pub fn with_init(
        inputs: usize,
        outputs: usize,
        kernel: (usize, usize),
        config: Conv2dConfig,
        vb: &VarBuilder,
        weight: Init,
        bias: Init,
    ) -> Result<Self> {
        let shape = (outputs, inputs / config.groups.max(1), kernel.0, kernel.1);
        let (weight, bias) = variables(vb, shape, outputs, weight, Some(bias))?;
        Ok(Self { weight, bias, config })
    }

    /// A layer with `weight` only, as before a batch normalization.
    ///
    /// # Errors
    /// As [`Conv2d::new`].
    pub fn without_bias(
        inputs: usize,
        outputs: usize,
        kernel: (usize, usize),
        config: Conv2dConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let inputs = inputs / config.groups.max(1);
        let shape = (outputs, inputs, kernel.0, kernel.1);
        let (weight, bias) = variables(vb, shape, outputs, uniform(inputs * kernel.0 * kernel.1), None)?;
        Ok(Self { weight, bias, config })
    }

    /// `(out, in / groups, kernel height, kernel width)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `(out)`, where the layer has one.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::conv2d(x, &self.weight, self.bias.as_ref(), &self.config)
    }
}

/// A transposed convolution over `(batch, in, height, width)`, `weight` of `(in, out / groups, kernel height, kernel
/// width)` and `bias` of `(out)` (section 13.10).
#[derive(Debug, Clone)]
#[doc(alias = "nn.ConvTranspose2d")]
#[doc(alias = "Conv2DTranspose")]
pub struct ConvTranspose2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: ConvTranspose2dConfig,
}

impl ConvTranspose2d {
    /// A layer with `weight` and `bias` of the builder; `kernel` is `(height, width)`.
    ///
    /// # Errors
    /// Where the builder lacks a parameter of that shape. What `config` demands of the sizes is checked when the layer runs.
    pub fn new(
        inputs: usize,
        outputs: usize,
        kernel: (usize, usize),
        config: ConvTranspose2dConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        // PyTorch counts the second axis of the weight as its fan-in here too.
        let init = uniform(outputs / config.groups.max(1) * kernel.0 * kernel.1);
        Self::with_init(inputs, outputs, kernel, config, vb, init, init)
    }

    /// A layer with chosen initial values.
    ///
    /// # Errors
    /// As [`ConvTranspose2d::new`].
    pub fn with_init(
        inputs: usize,
        outputs: usize,
        kernel: (usize, usize),
        config: ConvTranspose2dConfig,
        vb: &VarBuilder,
        weight: Init,
        bias: Init,
    ) -> Result<Self> {
        let shape = (inputs, outputs / config.groups.max(1), kernel.0, kernel.1);
        let (weight, bias) = variables(vb, shape, outputs, weight, Some(bias))?;
        Ok(Self { weight, bias, config })
    }

    /// A layer with `weight` only.
    ///
    /// # Errors
    /// As [`ConvTranspose2d::new`].
    pub fn without_bias(
        inputs: usize,
        outputs: usize,
        kernel: (usize, usize),
        config: ConvTranspose2dConfig,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let by_group = outputs / config.groups.max(1);
        let shape = (inputs, by_group, kernel.0, kernel.1);
        let (weight, bias) = variables(vb, shape, outputs, uniform(by_group * kernel.0 * kernel.1), None)?;
        Ok(Self { weight, bias, config })
    }

    /// `(in, out / groups, kernel height, kernel width)`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `(out)`, where the layer has one.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for ConvTranspose2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::conv_transpose2d(x, &self.weight, self.bias.as_ref(), &self.config)
    }
}

//! Where layers take their parameters from.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::{Init, VarMap};

use crate::random::{Purpose, Random, Stream};

/// Gives a layer its parameters, and its random stream, by the layer's path of names (section 5.2).
///
/// For training it comes from [`Parameters::builder`](super::Parameters::builder).
#[derive(Clone)]
pub struct VarBuilder {
    inner: candle_nn::VarBuilder<'static>,
    random: Random,
}

impl VarBuilder {
    pub(super) fn new(inner: candle_nn::VarBuilder<'static>, random: Random) -> Self {
        Self { inner, random }
    }

    /// Gives the tensors of a file, by name; they are not trained.
    pub fn from_tensors(tensors: HashMap<String, Tensor>, dtype: DType, device: &Device) -> Self {
        candle_nn::VarBuilder::from_tensors(tensors, dtype, device).into()
    }

    /// Gives zeros, whatever it is asked for.
    pub fn zeros(dtype: DType, device: &Device) -> Self {
        candle_nn::VarBuilder::zeros(dtype, device).into()
    }

    /// Gives the variables of candle's store, and makes those that it lacks.
    pub fn from_varmap(variables: &VarMap, dtype: DType, device: &Device) -> Self {
        candle_nn::VarBuilder::from_varmap(variables, dtype, device).into()
    }

    /// The builder of what stands under `name` here: parameters are then called `name.weight` and so on.
    pub fn pp(&self, name: impl ToString) -> Self {
        Self { inner: self.inner.pp(name), random: self.random.clone() }
    }

    /// The path of names that led here, such as `encoder.0`.
    pub fn path(&self) -> String {
        self.inner.prefix()
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        self.inner.device()
    }

    /// The parameters' type.
    pub fn dtype(&self) -> DType {
        self.inner.dtype()
    }

    /// The parameter of that name and shape; a new one is zero.
    ///
    /// # Errors
    /// Where there is one of another shape, or none and none can be made.
    pub fn get(&self, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
        self.inner.get(shape.into(), name)
    }

    /// The parameter of that name and shape; a new one is drawn as `init` says.
    ///
    /// # Errors
    /// As [`VarBuilder::get`].
    pub fn get_with_hints(&self, shape: impl Into<Shape>, name: &str, init: Init) -> Result<Tensor> {
        self.inner.get_with_hints(shape.into(), name, init)
    }

    /// The random stream of the layer that is built here, such as dropout's: it is named by the layer's path and
    /// begins anew at each epoch.
    pub fn stream(&self) -> Stream {
        self.random.stream(Purpose::Dropout, &self.path())
    }
}

/// Streams of such a builder have the seed 0.
impl From<candle_nn::VarBuilder<'static>> for VarBuilder {
    fn from(inner: candle_nn::VarBuilder<'static>) -> Self {
        Self::new(inner, Random::new(0))
    }
}

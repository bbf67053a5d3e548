//! Layers in a row.

use std::any::{Any, TypeId, type_name};
use std::fmt;

use candle_core::{Device, Result, Shape, Tensor, bail};
use candle_nn::ModuleT;

use super::summary::{Summary, short_name};
use super::{BatchNorm, VarBuilder};

/// Layers that are applied one after the other (sections 3.3 and 5.1), each under a name: its place, if not given. A
/// batch normalization and the ReLU after it are computed in one pass.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use d2l::nn::{Flatten, Linear, ModuleT, Parameters, Sequential};
/// use d2l::random::Random;
///
/// let parameters = Parameters::new(&Random::new(7), &Device::Cpu);
/// let net = Sequential::with_parameters(&parameters.builder())
///     .add(Flatten)
///     .layer("output", |vb| Linear::new(6, 4, vb))?;
/// let x = Tensor::zeros((5, 2, 3), DType::F32, &Device::Cpu)?;
/// assert_eq!(net.forward_t(&x, false)?.dims(), [5, 4]);
/// assert_eq!(net.get::<Linear>("output")?.weight().dims(), [4, 6]);
/// assert_eq!(parameters.named()[0].0, "output.weight");
/// println!("{}", net.summary((5, 2, 3), &Device::Cpu)?);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Named>,
    /// What layers with parameters are built from.
    builder: Option<VarBuilder>,
}

pub(super) struct Named {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) layer: Box<dyn Layer>,
    /// Whether the layer is `d2l::ops::relu` itself.
    relu: bool,
}

/// A layer that knows its own type again.
pub(super) trait Layer: ModuleT {
    fn as_any(&self) -> &dyn Any;
}

impl<L: ModuleT + 'static> Layer for L {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Named {
    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.named(self.layer.forward_t(x, train))
    }

    /// A result of this layer; where it is an error, with the layer in the message.
    pub(super) fn named<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.context(format!("in layer {} ({})", self.name, self.kind)))
    }

    pub(super) fn as_sequential(&self) -> Option<&Sequential> {
        self.layer.as_any().downcast_ref()
    }
}

/// Whether a layer is the function [`relu`](crate::ops::relu): each function has a type of its own.
fn is_relu<L: 'static>(_: &L) -> bool {
    fn type_of<F: 'static>(_: F) -> TypeId {
        TypeId::of::<F>()
    }
    TypeId::of::<L>() == type_of(crate::ops::relu)
}

/// What finds a layer of a [`Sequential`]: its place, from 0, or its name.
pub trait Position: fmt::Debug {
    /// The place of the layer in a list of names.
    fn find(&self, names: &[&str]) -> Option<usize>;
}

impl Position for usize {
    fn find(&self, names: &[&str]) -> Option<usize> {
        (*self < names.len()).then_some(*self)
    }
}

impl Position for &str {
    fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().position(|name| name == self)
    }
}

impl Sequential {
    /// No layers: the identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// No layers yet; those that [`Sequential::layer`] appends take their parameters from `vb`.
    pub fn with_parameters(vb: &VarBuilder) -> Self {
        Self { layers: Vec::new(), builder: Some(vb.clone()) }
    }

    /// Appends a layer that `build` makes from the parameters that stand under `name`, which is also the layer's name.
    ///
    /// # Errors
    /// What `build` gives; where this began with [`Sequential::new`] and so has no parameters to give.
    #[doc(alias = "add_module")]
    pub fn layer<L: ModuleT + 'static>(
        self,
        name: impl Into<String>,
        build: impl FnOnce(&VarBuilder) -> Result<L>,
    ) -> Result<Self> {
        let name = name.into();
        let Some(vb) = &self.builder else {
            bail!("layer {name}: begin with Sequential::with_parameters, so that there are parameters to give");
        };
        let layer = build(&vb.pp(&name))?;
        Ok(self.add_named(name, layer))
    }

    /// Appends a layer, or a closure from a tensor to a tensor.
    #[allow(clippy::should_implement_trait)] // a builder's step; nothing is summed
    pub fn add(self, layer: impl ModuleT + 'static) -> Self {
        let place = self.layers.len().to_string();
        self.add_named(place, layer)
    }

    /// Appends a layer without parameters, or a closure, under a name.
    pub fn add_named<L: ModuleT + 'static>(mut self, name: impl Into<String>, layer: L) -> Self {
        let kind = short_name(type_name::<L>());
        let relu = is_relu(&layer);
        self.layers.push(Named { name: name.into(), kind, layer: Box::new(layer), relu });
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

    /// The layers with their names, in order.
    #[doc(alias = "children")]
    pub fn iter(&self) -> impl Iterator<Item = (&str, &dyn ModuleT)> {
        self.layers.iter().map(|named| (named.name.as_str(), &*named.layer as &dyn ModuleT))
    }

    /// The layer at a place or of a name, as what it is: `net.get::<Linear>(2)?.weight()`.
    ///
    /// # Errors
    /// Where there is no such layer, or it is of another type.
    #[allow(clippy::needless_pass_by_value)] // a place or a name, as they are written
    pub fn get<L: ModuleT + 'static>(&self, at: impl Position) -> Result<&L> {
        let names: Vec<&str> = self.layers.iter().map(|named| named.name.as_str()).collect();
        let Some(named) = at.find(&names).and_then(|index| self.layers.get(index)) else {
            bail!("no layer {at:?}: the layers are {}", names.join(", "));
        };
        match named.layer.as_any().downcast_ref() {
            Some(layer) => Ok(layer),
            None => bail!("layer {at:?} is a {}, not a {}", named.kind, short_name(type_name::<L>())),
        }
    }

    /// The output shape and the number of parameters of each layer, found by passing zeros of the shape `input`
    /// through the net, without training it.
    ///
    /// # Errors
    /// Where a layer does not take what it is given; the message names the layer.
    pub fn summary(&self, input: impl Into<Shape>, device: &Device) -> Result<Summary> {
        self.summary_of(&Tensor::zeros(input, candle_core::DType::F32, device)?)
    }

    /// [`Sequential::summary`] for a given input, such as token ids.
    ///
    /// # Errors
    /// As [`Sequential::summary`].
    pub fn summary_of(&self, x: &Tensor) -> Result<Summary> {
        Summary::new(self, x)
    }

    pub(super) fn layers(&self) -> &[Named] {
        &self.layers
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        writeln!(f, "Sequential(")?;
        for named in &self.layers {
            write!(f, "{:indent$}  ({}): ", "", named.name)?;
            match named.as_sequential() {
                Some(inner) => inner.write(f, indent + 2)?,
                None => f.write_str(&named.kind)?,
            }
            writeln!(f)?;
        }
        write!(f, "{:indent$})", "")
    }
}

/// The layers' names and types, nested as they are.
impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl ModuleT for Sequential {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (mut x, mut layers) = (x.clone(), self.layers.iter().peekable());
        while let Some(layer) = layers.next() {
            let norm = layer.layer.as_any().downcast_ref::<BatchNorm>();
            x = match norm {
                // In one pass over the data rather than in two.
                Some(norm) if layers.next_if(|next| next.relu).is_some() => {
                    layer.named(norm.forward_relu_t(&x, train))?
                }
                _ => layer.forward(&x, train)?,
            };
        }
        Ok(x)
    }
}

//! A model's parameters by name, created on first use from a seeded stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::is_buffer;
use crate::random::{self, Stream};
use crate::train::session;

/// The trainable parameters of a model, in the order in which its layers asked for them (section 5.2).
///
/// Layers take them through [`Parameters::builder`], which creates each parameter at its first use; asking twice for
/// one name gives the same parameter, so layers can share weights. Clones share the same parameters.
///
/// ```
/// use candle_core::Device;
/// use d2l::nn::{Linear, Parameters};
/// use d2l::random::{Purpose, Random};
///
/// let parameters = Parameters::new(Random::new(7).fork(Purpose::Initialization), &Device::Cpu);
/// let layer = Linear::new(4, 3, &parameters.builder().pp("output"))?;
/// assert_eq!(parameters.count(), 4 * 3 + 3);
/// assert_eq!(parameters.named()[0].0, "output.weight");
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Parameters {
    store: Arc<Mutex<Store>>,
    device: Device,
}

/// Parameters that may be gone.
pub(crate) struct WeakParameters {
    store: Weak<Mutex<Store>>,
    device: Device,
}

impl WeakParameters {
    pub(crate) fn upgrade(&self) -> Option<Parameters> {
        Some(Parameters { store: self.store.upgrade()?, device: self.device.clone() })
    }
}

struct Store {
    variables: Vec<(String, Var)>,
    stream: Stream,
}

impl Parameters {
    /// An empty set whose initial values come from `stream` and live on `device`.
    pub fn new(stream: Stream, device: &Device) -> Self {
        let store = Arc::new(Mutex::new(Store { variables: Vec::new(), stream }));
        let parameters = Self { store, device: device.clone() };
        session::register_parameters(&parameters);
        parameters
    }

    /// Where layers take their parameters from, in `f32`.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, self.device.clone())
    }

    /// All parameters and buffers (such as the running statistics of batch normalisation) with their names, in the order
    /// of creation: what a checkpoint holds.
    pub fn named(&self) -> Vec<(String, Var)> {
        self.lock().variables.clone()
    }

    /// The parameters that training changes, buffers left out, in the order of creation.
    pub fn variables(&self) -> Vec<Var> {
        self.trained(Var::clone).collect()
    }

    /// How many numbers the trained parameters hold.
    pub fn count(&self) -> usize {
        self.trained(|variable| variable.elem_count()).sum()
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The parameter or buffer of a full name, such as `output.weight`.
    pub fn get(&self, name: &str) -> Option<Var> {
        self.lock().variables.iter().find(|(known, _)| known == name).map(|(_, variable)| variable.clone())
    }

    /// Draws new values, in place, for each parameter for whose name and shape `init` returns a distribution, in the
    /// order of creation. Buffers stay as they are.
    ///
    /// ```
    /// use candle_core::Device;
    /// use d2l::nn::{Linear, Parameters, init};
    /// use d2l::random::{Purpose, Random};
    ///
    /// let parameters = Parameters::new(Random::new(7).fork(Purpose::Initialization), &Device::Cpu);
    /// let layer = Linear::new(4, 3, &parameters.builder())?;
    /// parameters.initialize(|name, shape| {
    ///     Ok(Some(if name.ends_with("weight") { init::xavier_uniform(shape)? } else { init::constant(0.0) }))
    /// })?;
    /// assert_eq!(layer.bias().map(|bias| bias.to_vec1::<f32>()).transpose()?, Some(vec![0.0; 3]));
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// What `init` returns, before any value has changed; what the device gives.
    #[doc(alias = "apply")]
    #[doc(alias = "init_weights")]
    pub fn initialize(&self, mut init: impl FnMut(&str, &Shape) -> Result<Option<Init>>) -> Result<()> {
        let trained = self.named().into_iter().filter(|(name, _)| !is_buffer(name));
        let chosen = trained.map(|(name, variable)| Ok((init(&name, variable.shape())?, variable)));
        let chosen = chosen.collect::<Result<Vec<_>>>()?;
        let stream = &mut self.lock().stream;
        for (init, variable) in chosen {
            if let Some(init) = init {
                variable.set(&random::initial(stream, init, variable.shape(), variable.dtype(), variable.device())?)?;
            }
        }
        Ok(())
    }

    /// A handle that does not keep the parameters alive.
    pub(crate) fn downgrade(&self) -> WeakParameters {
        WeakParameters { store: Arc::downgrade(&self.store), device: self.device.clone() }
    }

    fn trained<R>(&self, each: impl Fn(&Var) -> R) -> impl Iterator<Item = R> {
        let store = self.lock();
        let trained = store.variables.iter().filter(|(name, _)| !is_buffer(name));
        trained.map(|(_, variable)| each(variable)).collect::<Vec<_>>().into_iter()
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // A panic elsewhere leaves the list whole: entries are only ever appended.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Parameters {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let store = &mut *self.lock();
        if let Some((_, variable)) = store.variables.iter().find(|(known, _)| known == name) {
            if variable.shape() != &shape {
                bail!("parameter {name} has shape {:?}, a layer asks for {shape:?}", variable.shape());
            }
            return Ok(variable.as_tensor().clone());
        }
        let values = random::initial(&mut store.stream, init, &shape, dtype, device)?;
        let variable = Var::from_tensor(&values)?;
        store.variables.push((name.to_string(), variable.clone()));
        Ok(variable.as_tensor().clone())
    }

    fn get_unchecked(&self, name: &str, _dtype: DType, _device: &Device) -> Result<Tensor> {
        match self.lock().variables.iter().find(|(known, _)| known == name) {
            Some((_, variable)) => Ok(variable.as_tensor().clone()),
            None => bail!("no parameter {name}: a new one needs a shape"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().variables.iter().any(|(known, _)| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::BatchNorm;
    use crate::ops::BatchNormConfig;
    use crate::random::{Purpose, Random};

    const RANDOM: Init = candle_nn::init::DEFAULT_KAIMING_NORMAL;

    fn parameters(seed: u64) -> Parameters {
        Parameters::new(Random::new(seed).fork(Purpose::Initialization), &Device::Cpu)
    }

    #[test]
    fn one_seed_gives_one_initialisation() -> Result<()> {
        let draw = |seed| parameters(seed).builder().get_with_hints((3, 2), "w", RANDOM)?.to_vec2::<f32>();
        assert_eq!(draw(1)?, draw(1)?);
        assert_ne!(draw(1)?, draw(2)?);
        Ok(())
    }

    #[test]
    fn a_name_asked_for_twice_is_one_parameter_of_one_shape() -> Result<()> {
        let parameters = parameters(1);
        let builder = parameters.builder().pp("layer");
        let (first, second) = (builder.get((2, 2), "w")?, builder.get((2, 2), "w")?);
        assert_eq!(first.id(), second.id());
        assert_eq!(parameters.variables().len(), 1);
        let error = builder.get((3, 2), "w").expect_err("another shape").to_string();
        assert!(error.contains("layer.w"), "{error}");
        Ok(())
    }

    #[test]
    fn buffers_are_kept_and_not_trained() -> Result<()> {
        let parameters = parameters(1);
        BatchNorm::new(3, BatchNormConfig::default(), &parameters.builder().pp("norm"))?;
        assert_eq!((parameters.named().len(), parameters.variables().len(), parameters.count()), (4, 2, 6));
        Ok(())
    }
}

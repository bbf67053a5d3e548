//! A model's parameters by name, created on first use with values that follow from the seed and the name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;

use super::{VarBuilder, is_buffer};
use crate::random::{self, Purpose, Random};

/// The trainable parameters of a model, in the order in which its layers asked for them (section 5.2).
///
/// Layers take them through [`Parameters::builder`], which creates each parameter at its first use; asking twice for
/// one name gives the same parameter, so layers can share weights. Clones share the same parameters.
///
/// ```
/// use candle_core::Device;
/// use d2l::nn::{Linear, Parameters};
/// use d2l::random::Random;
///
/// let parameters = Parameters::new(&Random::new(7), &Device::Cpu);
/// let layer = Linear::new(4, 3, &parameters.builder().pp("output"))?;
/// assert_eq!(parameters.count(), 4 * 3 + 3);
/// assert_eq!(parameters.named()[0].0, "output.weight");
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Parameters {
    variables: Arc<Mutex<Vec<(String, Var)>>>,
    random: Random,
    device: Device,
}

impl Parameters {
    /// An empty set on `device`, whose initial values follow from the seed of `random` and each parameter's name.
    pub fn new(random: &Random, device: &Device) -> Self {
        Self { variables: Arc::default(), random: random.clone(), device: device.clone() }
    }

    /// Where layers take their parameters from, in `f32`.
    pub fn builder(&self) -> VarBuilder {
        let store: Box<dyn SimpleBackend> = Box::new(self.clone());
        let inner = candle_nn::VarBuilder::from_backend(store, DType::F32, self.device.clone());
        VarBuilder::new(inner, self.random.clone())
    }

    /// All parameters and buffers (such as the running statistics of batch normalization) with their names, in the order
    /// of creation: what a checkpoint holds.
    pub fn named(&self) -> Vec<(String, Var)> {
        self.lock().clone()
    }

    /// The parameters that training changes, buffers left out, with their names, in the order of creation.
    pub fn trained(&self) -> Vec<(String, Var)> {
        self.named().into_iter().filter(|(name, _)| !is_buffer(name)).collect()
    }

    /// The same without their names.
    pub fn variables(&self) -> Vec<Var> {
        self.trained().into_iter().map(|(_, variable)| variable).collect()
    }

    /// How many numbers the trained parameters hold.
    pub fn count(&self) -> usize {
        self.trained().iter().map(|(_, variable)| variable.elem_count()).sum()
    }

    /// What the parameters' initial values and the layers' random streams follow from.
    pub fn random(&self) -> &Random {
        &self.random
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The parameter or buffer of a full name, such as `output.weight`.
    pub fn get(&self, name: &str) -> Option<Var> {
        self.lock().iter().find(|(known, _)| known == name).map(|(_, variable)| variable.clone())
    }

    /// Draws new values, in place, for each parameter for whose name and shape `init` returns a distribution, in the
    /// order of creation. Buffers stay as they are.
    ///
    /// ```
    /// use candle_core::Device;
    /// use d2l::nn::{Linear, Parameters, init};
    /// use d2l::random::Random;
    ///
    /// let parameters = Parameters::new(&Random::new(7), &Device::Cpu);
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
        let chosen =
            self.trained().into_iter().map(|(name, variable)| Ok((init(&name, variable.shape())?, name, variable)));
        let chosen = chosen.map(|entry| entry.map(|(init, name, variable)| (name, init, variable)));
        let chosen = chosen.collect::<Result<Vec<_>>>()?;
        for (name, init, variable) in chosen {
            if let Some(init) = init {
                variable.set(&self.initial(&name, init, variable.shape(), variable.dtype(), variable.device())?)?;
            }
        }
        Ok(())
    }

    /// The initial values of a parameter.
    fn initial(&self, name: &str, init: Init, shape: &Shape, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut stream = self.random.stream(Purpose::Initialization, name);
        random::initial(&mut stream, init, shape, dtype, device)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Var)>> {
        // A panic elsewhere leaves the list whole: entries are only ever appended.
        self.variables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Parameters {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let variables = &mut *self.lock();
        if let Some((_, variable)) = variables.iter().find(|(known, _)| known == name) {
            if variable.shape() != &shape {
                bail!("parameter {name} has shape {:?}, a layer asks for {shape:?}", variable.shape());
            }
            return Ok(variable.as_tensor().clone());
        }
        let values = self.initial(name, init, &shape, dtype, device)?;
        let variable = Var::from_tensor(&values)?;
        variables.push((name.to_string(), variable.clone()));
        Ok(variable.as_tensor().clone())
    }

    fn get_unchecked(&self, name: &str, _dtype: DType, _device: &Device) -> Result<Tensor> {
        match self.lock().iter().find(|(known, _)| known == name) {
            Some((_, variable)) => Ok(variable.as_tensor().clone()),
            None => bail!("no parameter {name}: a new one needs a shape"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().iter().any(|(known, _)| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::BatchNorm;
    use crate::ops::BatchNormConfig;

    const RANDOM: Init = candle_nn::init::DEFAULT_KAIMING_NORMAL;

    fn parameters(seed: u64) -> Parameters {
        Parameters::new(&Random::new(seed), &Device::Cpu)
    }

    #[test]
    fn one_seed_gives_one_initialisation() -> Result<()> {
        let draw = |seed| parameters(seed).builder().get_with_hints((3, 2), "w", RANDOM)?.to_vec2::<f32>();
        assert_eq!(draw(1)?, draw(1)?);
        assert_ne!(draw(1)?, draw(2)?);
        Ok(())
    }

    #[test]
    fn initial_values_do_not_hang_on_the_order_of_layers() -> Result<()> {
        let (one, two) = (parameters(1), parameters(1));
        let draw = |parameters: &Parameters, name| {
            parameters.builder().pp(name).get_with_hints((3, 2), "w", RANDOM)?.to_vec2::<f32>()
        };
        let (a, b) = (draw(&one, "a")?, draw(&one, "b")?);
        assert_eq!((draw(&two, "b")?, draw(&two, "a")?), (b.clone(), a.clone()));
        assert_ne!(a, b);
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

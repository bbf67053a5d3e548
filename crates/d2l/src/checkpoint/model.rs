//! A model's parameters, buffers included, saved to and loaded from checkpoints.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Tensor, Var};

use super::{Checkpoint, CheckpointError, Differences, Differing};
use crate::nn::Parameters;

/// What a partial load did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The names whose values were loaded.
    pub loaded: Vec<String>,
    /// What was left: the model's values under these names are as before.
    pub left: Differences,
}

impl Parameters {
    /// Saves all parameters and buffers by name as safetensors; the file is replaced whole or not at all.
    ///
    /// # Errors
    /// Where the file cannot be written.
    #[doc(alias = "save_parameters")]
    #[doc(alias = "state_dict")]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let tensors = self.named().into_iter().map(|(name, variable)| (name, variable.as_detached_tensor()));
        Checkpoint::new(tensors).save(path)
    }

    /// A copy of all parameters and buffers as they are now, which training does not change: to be kept in memory, or
    /// to be saved with metadata.
    ///
    /// # Errors
    /// Where the device has no room for the copy.
    pub fn snapshot(&self) -> candle_core::Result<Checkpoint> {
        let copy = |(name, variable): (String, Var)| Ok((name, variable.as_detached_tensor().copy()?));
        Ok(Checkpoint::new(self.named().into_iter().map(copy).collect::<candle_core::Result<Vec<_>>>()?))
    }

    /// Loads what [`Parameters::save`] wrote. The parameters must exist already, so make the layers first.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, or differs from the model in a name, a shape or a type; the error
    /// lists all differences, and no value has changed. Narrower floats than the model's are no difference, as in
    /// PyTorch, nor is `num_batches_tracked`, which PyTorch's batch normalization counts and none here needs.
    #[doc(alias = "load_parameters")]
    #[doc(alias = "load_state_dict")]
    pub fn load(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        self.restore(&Checkpoint::load(path, self.device())?)
    }

    /// Loads the values whose name, shape and type agree and leaves the others, as fine-tuning does with a new output
    /// layer.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, or has nothing in common with the model.
    pub fn load_matching(&self, path: impl AsRef<Path>) -> Result<Restored, CheckpointError> {
        self.restore_matching(&Checkpoint::load(path, self.device())?)
    }

    /// Sets all values to a checkpoint's; see [`Parameters::load`].
    ///
    /// # Errors
    /// Where the checkpoint differs in a name, a shape or a type; the error lists all differences, and no value has
    /// changed.
    pub fn restore(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let (matching, differences) = compare(self, checkpoint);
        if !differences.is_empty() {
            return Err(CheckpointError::Mismatch { path: checkpoint.origin.clone(), differences });
        }
        self.set_all(&matching, checkpoint)
    }

    /// Sets the values whose name, shape and type agree with a checkpoint's; see [`Parameters::load_matching`].
    ///
    /// # Errors
    /// Where nothing agrees.
    pub fn restore_matching(&self, checkpoint: &Checkpoint) -> Result<Restored, CheckpointError> {
        let (matching, left) = compare(self, checkpoint);
        if matching.is_empty() {
            return Err(CheckpointError::Mismatch { path: checkpoint.origin.clone(), differences: left });
        }
        self.set_all(&matching, checkpoint)?;
        Ok(Restored { loaded: matching.into_iter().map(|(name, _, _)| name).collect(), left })
    }

    fn set_all(&self, matching: &[Matching], checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let named = |name: &str| {
            let name = name.to_owned();
            move |source| CheckpointError::tensor(&checkpoint.origin, &name, source)
        };
        // Whatever can fail comes before the first change. The copy is for a checkpoint that shares a variable's memory.
        let copies = matching.iter().map(|(name, variable, tensor)| {
            let copy = || tensor.to_device(self.device())?.to_dtype(variable.dtype())?.copy();
            copy().map_err(named(name))
        });
        let copies = copies.collect::<Result<Vec<_>, _>>()?;
        matching.iter().zip(copies).try_for_each(|((name, variable, _), copy)| variable.set(&copy).map_err(named(name)))
    }
}

/// A name with the model's variable and the checkpoint's tensor, which agree in shape, and in type or nearly.
type Matching = (String, Var, Tensor);

fn compare(parameters: &Parameters, checkpoint: &Checkpoint) -> (Vec<Matching>, Differences) {
    let mut unused: BTreeMap<&String, &Tensor> = checkpoint.tensors.iter().collect();
    let (mut matching, mut differences) = (Vec::new(), Differences::default());
    for (name, variable) in parameters.named() {
        match unused.remove(&name) {
            None => differences.missing.push(name),
            Some(tensor) if tensor.dims() != variable.dims() => {
                let (file, model) = (tensor.dims().to_vec(), variable.dims().to_vec());
                differences.shapes.push(Differing { name, file, model });
            }
            Some(tensor) if tensor.dtype() != variable.dtype() && !widens(tensor.dtype(), variable.dtype()) => {
                let (file, model) = (tensor.dtype(), variable.dtype());
                differences.dtypes.push(Differing { name, file, model });
            }
            Some(tensor) => matching.push((name, variable, tensor.clone())),
        }
    }
    let unexpected = unused.into_keys().filter(|name| name.rsplit('.').next() != Some("num_batches_tracked"));
    differences.unexpected = unexpected.cloned().collect();
    (matching, differences)
}

/// Whether each value of a type is one of the other too.
fn widens(from: DType, to: DType) -> bool {
    matches!((from, to), (DType::F16 | DType::BF16, DType::F32 | DType::F64) | (DType::F32, DType::F64))
}

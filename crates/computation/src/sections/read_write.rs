//! 5.5 File I/O
//!
//! Tensors, lists and maps of tensors, and a model's parameters: written, read, and refused where they do not fit.
//!
//! `cargo run --release -p computation -- read-write`
//! Less than a second. The loaded model returns exactly what the saved one did; a model saved by PyTorch returns what
//! PyTorch computed, to rounding.

use std::collections::BTreeMap;
use std::path::PathBuf;

use d2l::checkpoint::{self, Checkpoint, CheckpointError, read_pytorch};
use d2l::data::hub::{SampleError, sample};
use d2l::nn::Linear;
use d2l::prelude::*;

pub use super::model_construction::Config;
use super::model_construction::Mlp;

/// A file of the model that `scripts/make_pytorch_mlp.py` saved.
///
/// # Errors
/// Where the program runs outside of the repository.
pub fn pytorch_sample(file: &str) -> Result<PathBuf, SampleError> {
    sample(&format!("pytorch-mlp/{file}"))
}

/// The largest difference between two tensors of the same shape.
pub fn largest_difference(a: &Tensor, b: &Tensor) -> Result<f64> {
    (a - b)?.abs()?.max_all()?.to_dtype(DType::F64)?.to_scalar()
}

/// What is wrong with a checkpoint, without its path.
pub fn complaint(error: &CheckpointError) -> String {
    match error {
        CheckpointError::Damaged { reason, .. } => format!("damaged: {reason}"),
        CheckpointError::Mismatch { differences, .. } => format!("another model: {differences}"),
        other => other.to_string(),
    }
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("A tensor")?;
    let device = nb.device().clone();
    let path = nb.folder().join("x.safetensors");
    let x = Tensor::arange(0f32, 4.0, &device)?; // (4)
    checkpoint::save_tensor(&path, &x)?;
    nb.show("loaded", checkpoint::load_tensor(&path, &device)?)?;

    nb.cell("A list of tensors")?;
    let path = nb.folder().join("list.safetensors");
    let y = Tensor::zeros(4, DType::F32, &device)?;
    checkpoint::save_list(&path, &[x.clone(), y.clone()])?;
    for tensor in checkpoint::load_list(&path, &device)? {
        nb.say(tensor)?;
    }

    nb.cell("A map of tensors")?;
    let path = nb.folder().join("map.safetensors");
    checkpoint::save_map(&path, &BTreeMap::from([("x".into(), x), ("y".into(), y)]))?;
    for (name, tensor) in checkpoint::load_map(&path, &device)? {
        nb.show(&name, tensor)?;
    }

    nb.cell("Saving a model")?;
    let path = nb.folder().join("mlp.safetensors");
    let parameters = nb.parameters();
    let net = Mlp::new(&parameters.builder())?;
    let x = nb.normal((config.batch_size, 20))?; // (batch, 20)
    let y = net.forward(&x)?; // (batch, 10)
    parameters.save(&path)?;
    nb.say(format!("{} tensors in {} bytes", parameters.named().len(), std::fs::metadata(&path)?.len()))?;

    nb.cell("Loading it")?;
    let another_seed = Random::new(nb.random().seed().wrapping_add(1));
    let others = Parameters::new(&another_seed, &device);
    let clone = Mlp::new(&others.builder())?;
    nb.show("difference before", format!("{:.4}", largest_difference(&y, &clone.forward(&x)?)?))?;
    others.load(&path)?;
    let difference = largest_difference(&y, &clone.forward(&x)?)?;
    nb.show("difference after", difference)?;
    nb.metric("difference_after_loading", difference)?;

    nb.cell("Metadata")?;
    let path_with_epoch = nb.folder().join("epoch-3.safetensors");
    parameters.snapshot()?.with_metadata("epoch", 3).save(&path_with_epoch)?;
    let checkpoint = Checkpoint::load(&path_with_epoch, &device)?;
    nb.show("metadata", format!("{:?}", checkpoint.metadata()))?;
    others.restore(&checkpoint)?;

    nb.cell("Files that do not fit")?;
    let bytes = std::fs::read(&path)?;
    let cut = nb.folder().join("cut.safetensors");
    std::fs::write(&cut, &bytes[..bytes.len() / 2])?;
    if let Err(error) = others.load(&cut) {
        nb.say(complaint(&error))?;
    }
    let smaller = nb.parameters();
    Linear::new(20, 10, &smaller.builder().pp("hidden"))?;
    if let Err(error) = smaller.load(&path) {
        nb.say(complaint(&error))?;
    }

    nb.cell("Only what fits")?;
    let tuned = nb.parameters();
    Linear::new(20, 256, &tuned.builder().pp("hidden"))?;
    Linear::new(256, 2, &tuned.builder().pp("output"))?; // two classes instead of ten
    let restored = tuned.load_matching(&path)?;
    nb.show("loaded", restored.loaded.join(", "))?;
    nb.show("left", restored.left)?;

    nb.cell("A model from PyTorch")?;
    others.restore(&read_pytorch(pytorch_sample("mlp.pt")?, None, &device)?)?;
    let example = read_pytorch(pytorch_sample("example.pt")?, None, &device)?;
    let (x, y) = (&example.tensors()["x"], &example.tensors()["y"]); // (2, 20) and (2, 10)
    let difference = largest_difference(y, &clone.forward(x)?)?;
    nb.show("difference from PyTorch", format!("{difference:.1e}"))?;
    nb.metric("difference_from_pytorch", difference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::parameters;

    fn mlp(seed: u64) -> Result<(Parameters, Mlp)> {
        let parameters = parameters(seed);
        let net = Mlp::new(&parameters.builder())?;
        Ok((parameters, net))
    }

    fn bias(parameters: &Parameters) -> Result<Vec<f32>> {
        parameters.get("output.bias").expect("a bias").to_vec1()
    }

    #[test]
    fn a_file_cut_short_or_of_another_model_changes_nothing() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("mlp.safetensors");
        let (parameters, _) = mlp(1)?;
        parameters.save(&path)?;
        let whole = std::fs::read(&path)?;

        let (others, _) = mlp(2)?;
        let before = bias(&others)?;
        let cut = folder.path().join("cut.safetensors");
        std::fs::write(&cut, &whole[..whole.len() - 1])?;
        let error = others.load(&cut).expect_err("cut short");
        assert!(complaint(&error).starts_with("damaged"), "{error}");
        assert!(error.to_string().contains("cut.safetensors"), "{error}");
        assert_eq!(bias(&others)?, before);

        let smaller = crate::testing::parameters(1);
        Linear::new(20, 10, &smaller.builder().pp("hidden"))?;
        let text = complaint(&smaller.load(&path).expect_err("another model"));
        for name in ["output.weight", "output.bias", "hidden.weight", "hidden.bias"] {
            assert!(text.contains(name), "{text}");
        }
        // A save that fails leaves the file that was there.
        let blocked = folder.path().join("folder");
        std::fs::create_dir(&blocked)?;
        assert!(parameters.save(&blocked).is_err());
        assert_eq!(std::fs::read(&path)?, whole);
        others.load(&path)?;
        assert_eq!(bias(&others)?, bias(&parameters)?);
        Ok(())
    }

    #[test]
    fn the_model_from_pytorch_computes_what_it_did_there() -> anyhow::Result<()> {
        let (parameters, net) = mlp(1)?;
        parameters.restore(&read_pytorch(pytorch_sample("mlp.pt")?, None, &Device::Cpu)?)?;
        let example = read_pytorch(pytorch_sample("example.pt")?, None, &Device::Cpu)?;
        let difference = largest_difference(&net.forward(&example.tensors()["x"])?, &example.tensors()["y"])?;
        assert!(difference < 1e-6, "{difference}");
        Ok(())
    }
}

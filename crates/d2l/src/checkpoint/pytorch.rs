//! PyTorch's own files: a zip archive with a pickle of names and shapes, and a file of bytes for each storage.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::panic::catch_unwind;
use std::path::Path;

use candle_core::pickle::{TensorInfo, read_pth_tensor_info};
use candle_core::{Device, Result, Tensor, bail};
use zip::ZipArchive;

use super::{Checkpoint, CheckpointError};

/// Reads the tensors of a `state_dict` that `torch.save` wrote (`.pt` or `.pth`) onto `device`.
///
/// Where the file holds a dictionary of several things, `key` names the `state_dict` in it. Only names, shapes and
/// numbers are read; no code in the file is run. `num_batches_tracked`, which no layer here has, is left out.
///
/// # Errors
/// Where the file cannot be read, is damaged or older than PyTorch 1.6, or where tensors in it are of a type that
/// candle lacks.
#[doc(alias = "torch.load")]
pub fn read_pytorch(
    path: impl AsRef<Path>,
    key: Option<&str>,
    device: &Device,
) -> std::result::Result<Checkpoint, CheckpointError> {
    let path = path.as_ref();
    let mut storages = read_storages(path)?;
    let infos = read_infos(path, key)?;
    let used = |file: &String| infos.iter().any(|info| &info.path == file);
    let unread = storages.keys().filter(|file| !used(file)).count();
    if infos.is_empty() || (key.is_none() && unread > 0) {
        let reason = format!(
            "{} tensors could be read and {unread} could not, which are in a dictionary of their own, whose key must \
             then be named, or of a type that candle lacks, such as bool",
            infos.len()
        );
        return Err(CheckpointError::Unsupported { path: path.into(), reason });
    }
    storages.retain(|file, _| used(file));
    let kept = infos.iter().filter(|info| !info.name.ends_with("num_batches_tracked"));
    let tensors = kept.map(|info| {
        let tensor = tensor(info, &storages).and_then(|tensor| tensor.to_device(device));
        Ok((info.name.clone(), tensor.map_err(|source| CheckpointError::tensor(path, &info.name, source))?))
    });
    let tensors = tensors.collect::<std::result::Result<_, CheckpointError>>()?;
    Ok(Checkpoint { tensors, origin: path.into(), ..Checkpoint::default() })
}

/// The bytes of each storage by its name in the archive. Every file is read to its end, where its checksum is compared.
fn read_storages(path: &Path) -> std::result::Result<BTreeMap<String, Vec<u8>>, CheckpointError> {
    let damaged = |error: &dyn std::fmt::Display| {
        let hint = "PyTorch writes zip archives since its release 1.6; load and save an older file there";
        CheckpointError::damaged(path, format!("{error} ({hint})"))
    };
    let file = File::open(path).map_err(|source| CheckpointError::Read { path: path.into(), source })?;
    let size = file.metadata().map_err(|source| CheckpointError::Read { path: path.into(), source })?.len();
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(|error| damaged(&error))?;
    let mut storages = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| damaged(&error))?;
        let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
        let mut bytes = Vec::new();
        // PyTorch stores without compression: what unpacks to more than the file's size was not written by it.
        entry.take(size + 1).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        if bytes.len() as u64 > size {
            return Err(damaged(&"an entry is larger than the file"));
        }
        if name.rsplit('/').nth(1) == Some("data") {
            storages.insert(name, bytes);
        }
    }
    Ok(storages)
}

/// The names, shapes and places of the tensors.
fn read_infos(path: &Path, key: Option<&str>) -> std::result::Result<Vec<TensorInfo>, CheckpointError> {
    // candle's reader takes list elements from where a well-formed pickle has them, and panics where one has not.
    match catch_unwind(|| read_pth_tensor_info(path, false, key)) {
        Ok(infos) => infos.map_err(|error| CheckpointError::damaged(path, error)),
        Err(_) => Err(CheckpointError::damaged(path, "its pickle is malformed")),
    }
}

/// The tensor with the elements that a storage has for its shape and strides.
fn tensor(info: &TensorInfo, storages: &BTreeMap<String, Vec<u8>>) -> Result<Tensor> {
    let Some(bytes) = storages.get(&info.path) else { bail!("{} is not in the archive", info.path) };
    let (layout, size) = (&info.layout, info.dtype.size_in_bytes());
    let shape = layout.shape();
    let count = shape.dims().iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
    let reach = layout.dims().iter().zip(layout.stride()).try_fold(1usize, |reach, (&dim, &stride)| {
        dim.saturating_sub(1).checked_mul(stride).and_then(|last| reach.checked_add(last))
    });
    let end = reach.and_then(|reach| reach.checked_mul(size)?.checked_add(layout.start_offset()));
    let (Some(count), Some(end)) = (count, end) else { bail!("the shape {shape:?} is too large") };
    if count == 0 {
        return Tensor::zeros(shape, info.dtype, &Device::Cpu);
    }
    if end > bytes.len() {
        bail!("{shape:?} needs {end} bytes of {}, which has {}", info.path, bytes.len());
    }
    if count > bytes.len() / size {
        bail!("{shape:?} repeats elements of {}; save it as contiguous", info.path);
    }
    let part = &bytes[layout.start_offset()..end];
    let storage = Tensor::from_raw_buffer(part, info.dtype, &[part.len() / size], &Device::Cpu)?;
    if layout.is_contiguous() {
        return storage.reshape(shape);
    }
    let mut places = vec![0i64];
    for (&dim, &stride) in layout.dims().iter().zip(layout.stride()) {
        places = places.iter().flat_map(|&place| (0..dim).map(move |i| place + (i * stride) as i64)).collect();
    }
    storage.index_select(&Tensor::from_vec(places, count, &Device::Cpu)?, 0)?.reshape(shape)
}

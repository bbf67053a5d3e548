//! PyTorch's own files: a zip archive with a pickle of names and shapes, and a file of bytes for each storage; and those of
//! before its release 1.6, which have pickles and then the storages one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use candle_core::{DType, Device, Layout, Result, Shape, Tensor, bail};
use zip::ZipArchive;

use super::error::stranger;
use super::pickle::{Fault, Id, Node, Pickle};
use super::{Checkpoint, CheckpointError};

/// Reads the tensors that `torch.save` wrote (`.pt` or `.pth`) onto `device`, all or none: those of a `state_dict` or
/// another dictionary by its keys, those of a list as `0`, `1`, and so on, a single one as `tensor`.
///
/// Where the file holds a dictionary of several things, `key` names the `state_dict` in it. Only names, shapes and
/// numbers are read; no code in the file is run. Truth values come as `u8`, 0 or 1, since candle has no type for them.
///
/// # Errors
/// Where the file cannot be read or is damaged, where there is no such key, and where it holds
/// tensors that are not read so: under a key of their own, or of a type that candle lacks.
#[doc(alias = "torch.load")]
pub fn read_pytorch(
    path: impl AsRef<Path>,
    key: Option<&str>,
    device: &Device,
) -> std::result::Result<Checkpoint, CheckpointError> {
    let path = path.as_ref();
    let archive = Archive::read(path, None)?;
    let tensors = infos(path, &archive.pickle, key)?.into_iter();
    tensors_of(path, tensors, &archive.storages, device)
}

/// [`read_pytorch`] for those tensors whose names `is_wanted` accepts. The numbers of the others are not kept: a part of a
/// large file takes the memory of that part, and of a file from before PyTorch 1.6 for a moment 64 MiB at most besides.
///
/// # Errors
/// As [`read_pytorch`].
pub fn read_pytorch_part(
    path: impl AsRef<Path>,
    key: Option<&str>,
    device: &Device,
    is_wanted: impl Fn(&str) -> bool,
) -> std::result::Result<Checkpoint, CheckpointError> {
    let path = path.as_ref();
    let outline = Archive::read(path, Some(&BTreeSet::new()))?;
    let mut tensors = infos(path, &outline.pickle, key)?;
    tensors.retain(|(name, _)| is_wanted(name));
    let storages = tensors.iter().map(|(_, info)| info.storage.clone()).collect();
    let archive = Archive::read(path, Some(&storages))?;
    tensors_of(path, tensors, &archive.storages, device)
}

/// The names of a file's tensors and where their elements lie.
fn infos(path: &Path, pickle: &[u8], key: Option<&str>) -> std::result::Result<Vec<(String, Info)>, CheckpointError> {
    let pickle = Pickle::parse(pickle).map_err(|fault| fault.of(path))?;
    let entries = entries(&pickle, key).map_err(|reason| CheckpointError::unsupported(path, reason))?;
    let infos = entries.into_iter().map(|(name, rebuilt)| {
        let info = Info::read(&pickle, rebuilt).map_err(|reason| CheckpointError::tensor(path, &name, reason))?;
        Ok((name, info))
    });
    infos.collect()
}

fn tensors_of(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Info)>,
    storages: &BTreeMap<String, Vec<u8>>,
    device: &Device,
) -> std::result::Result<Checkpoint, CheckpointError> {
    let tensors = tensors.into_iter().map(|(name, info)| {
        let tensor = info.tensor(storages).and_then(|tensor| tensor.to_device(device));
        let tensor = tensor.map_err(|reason| CheckpointError::tensor(path, &name, reason))?;
        Ok((name, tensor))
    });
    let tensors = tensors.collect::<std::result::Result<_, CheckpointError>>()?;
    Ok(Checkpoint { tensors, origin: path.into(), ..Checkpoint::default() })
}

/// How files from before PyTorch 1.6 begin: a pickle of a number that they are known by.
const OLD: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46";

/// What a file of PyTorch's holds.
struct Archive {
    pickle: Vec<u8>,
    /// The bytes of each storage by its name.
    storages: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// Reads the storages of these names, or all. Every entry that is read is read to its end, where its checksum is compared.
    fn read(path: &Path, wanted: Option<&BTreeSet<String>>) -> std::result::Result<Self, CheckpointError> {
        let unread = |reason| CheckpointError::Read { path: path.into(), reason };
        let damaged = |error: &dyn std::fmt::Display| CheckpointError::damaged(path, error);
        let mut file = File::open(path).map_err(unread)?;
        let size = file.metadata().map_err(unread)?.len();
        let mut start = Vec::new();
        Read::by_ref(&mut file).take(512).read_to_end(&mut start).map_err(unread)?;
        file.rewind().map_err(unread)?;
        let mut archive = match ZipArchive::new(io::BufReader::new(file)) {
            Ok(archive) => archive,
            Err(_) if start.starts_with(OLD) => {
                let file = File::open(path).map_err(unread)?;
                return Self::read_old(file, size, wanted).map_err(|fault| fault.of(path));
            }
            Err(error) => {
                let what = stranger(&start).filter(|what| !what.is_zip);
                return Err(
                    what.map_or_else(|| damaged(&error), |what| CheckpointError::unsupported(path, what.advice))
                );
            }
        };
        let (mut pickle, mut storages) = (None, BTreeMap::new());
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(|error| damaged(&error))?;
            let name = entry.name().map_err(|error| damaged(&error))?.into_owned();
            let mut parts = name.rsplit('/');
            let (last, folder) = (parts.next(), parts.next());
            if let (Some(storage), Some("data"), Some(wanted)) = (last, folder, wanted)
                && !wanted.contains(storage)
            {
                continue;
            }
            let mut bytes = Vec::new();
            // PyTorch stores without compression: what unpacks to more than the file's size was not written by it.
            entry.take(size + 1).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
            if bytes.len() as u64 > size {
                return Err(damaged(&"an entry is larger than the file"));
            }
            match (last, folder) {
                (Some("data.pkl"), _) => pickle = Some(bytes),
                (Some("byteorder"), _) if bytes != b"little" => {
                    return Err(CheckpointError::unsupported(path, "a machine with the other order of bytes wrote it"));
                }
                (Some(storage), Some("data")) => {
                    storages.insert(storage.to_string(), bytes);
                }
                _ => {}
            }
        }
        let reason = "a zip archive, but none of PyTorch's: there is no data.pkl in it";
        pickle.map(|pickle| Self { pickle, storages }).ok_or_else(|| CheckpointError::unsupported(path, reason))
    }

    /// A file from before PyTorch 1.6: a number to know it by, a version, facts of the machine, the values, the storages'
    /// names, each pickled; then of each storage how many elements it has, and these.
    fn read_old(mut file: File, file_size: u64, wanted: Option<&BTreeSet<String>>) -> std::result::Result<Self, Fault> {
        const SHORT: Fault = Fault::Damaged("its storages are cut short");
        /// More than the names, shapes and places of any net take.
        const LARGEST_START: u64 = 64 << 20;
        let mut start = Vec::new();
        Read::by_ref(&mut file).take(LARGEST_START).read_to_end(&mut start).map_err(|_| SHORT)?;
        let mut rest = &start[..];
        let mut next = || {
            let (pickle, length) = Pickle::parse_first(rest)?;
            let (bytes, others) = rest.split_at(length);
            rest = others;
            Ok((pickle, bytes))
        };
        for _ in 0..3 {
            next()?;
        }
        let ((values, pickle), (names, _)) = (next()?, next()?);
        let mut sizes = BTreeMap::new();
        for storage in values.persistent() {
            let Some(&[_, class, name, ref others @ ..]) = values.items(storage) else { continue };
            // The place, the number of elements and, where a storage is a part of another, which part.
            if others.get(2).is_some_and(|&part| values.items(part).is_some()) {
                let reason = "storages of it are parts of others; load it in PyTorch, and save it anew";
                return Err(Fault::Unsupported(reason.to_string()));
            }
            if let (Some(class), Some(name)) = (values.global(class), values.name(name)) {
                let size = element(class).map_err(|error| Fault::Unsupported(error.to_string()))?.size_in_bytes();
                sizes.insert(name, size);
            }
        }
        let list = names.items(names.root()).ok_or(Fault::Damaged("it does not list its storages"))?;
        let mut storages = BTreeMap::new();
        let mut place = (start.len() - rest.len()) as u64;
        for &name in list {
            let name = names.name(name).ok_or(Fault::Damaged("a storage of it has no name"))?;
            let size = sizes.get(&name).ok_or(Fault::Damaged("a storage of it is no tensor's"))?;
            let mut count = [0; 8];
            file.seek(SeekFrom::Start(place)).and_then(|_| file.read_exact(&mut count)).map_err(|_| SHORT)?;
            let length =
                u64::try_from(i64::from_le_bytes(count)).ok().and_then(|count| count.checked_mul(*size as u64));
            let end = length.and_then(|length| length.checked_add(place + 8)).filter(|&end| end <= file_size);
            let (Some(length), Some(end)) = (length, end) else { return Err(SHORT) };
            if wanted.is_none_or(|wanted| wanted.contains(&name)) {
                let mut elements = vec![0; length as usize];
                file.read_exact(&mut elements).map_err(|_| SHORT)?;
                storages.insert(name, elements);
            }
            place = end;
        }
        Ok(Self { pickle: pickle.to_vec(), storages })
    }
}

impl Fault {
    /// The error for a file.
    fn of(self, path: &Path) -> CheckpointError {
        match self {
            Self::Damaged(reason) => CheckpointError::damaged(path, reason),
            Self::Unsupported(reason) => CheckpointError::unsupported(path, reason),
        }
    }
}

/// The tensors of a file, or of what `key` names in it, with their names; the error says why they are not all.
fn entries(pickle: &Pickle, key: Option<&str>) -> std::result::Result<Vec<(String, Id)>, String> {
    let mut root = pickle.root();
    if let Some(key) = key {
        let Node::Dict(pairs) = pickle.node(root) else {
            return Err(format!("there is no key `{key}`: it holds no dictionary"));
        };
        let found = pairs.iter().find(|(name, _)| pickle.name(*name).is_some_and(|name| name == key));
        root = found.ok_or_else(|| format!("there is no key `{key}`; its keys are {}", keys(pickle, pairs)))?.1;
    }
    let named = match pickle.node(root) {
        Node::Dict(pairs) => pairs
            .iter()
            .map(|&(name, value)| Ok((pickle.name(name).ok_or("a key of its dictionary is no text")?, value)))
            .collect::<std::result::Result<Vec<_>, String>>()?,
        Node::Items(items) => items.iter().enumerate().map(|(index, &item)| (index.to_string(), item)).collect(),
        _ => vec![("tensor".to_string(), root)],
    };
    let (mut tensors, mut folded, mut strange) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in named {
        match (rebuilt(pickle, value), pickle.node(value)) {
            (Some(args), _) => tensors.push((name, args)),
            _ if !pickle.is_persistent_within(value) => {} // an epoch, a rate: no tensor
            (None, Node::Call { function, .. }) => {
                let class = pickle.global(*function).unwrap_or("an unknown class").replace(' ', ".");
                strange.push(format!("{name} ({class})"));
            }
            _ => folded.push(name),
        }
    }
    if !strange.is_empty() {
        let what = strange.join(", ");
        return Err(format!("not only plain tensors: {what}; save the `state_dict` of a model, made of dense tensors"));
    }
    if !folded.is_empty() {
        let what = folded.join(", ");
        return Err(match key {
            None => format!("tensors are under keys of their own, of which one has to be named: {what}"),
            Some(key) => format!("under `{key}`, tensors lie a level deeper, under {what}; save that by itself"),
        });
    }
    if tensors.is_empty() {
        return Err(match pickle.node(root) {
            Node::Dict(pairs) if !pairs.is_empty() => format!("no tensors under its keys {}", keys(pickle, pairs)),
            _ => "no tensors in it".to_string(),
        });
    }
    Ok(tensors)
}

/// The keys of a dictionary, for a message; the first ones of many.
fn keys(pickle: &Pickle, pairs: &[(Id, Id)]) -> String {
    const SHOWN: usize = 12;
    let names: Vec<String> = pairs.iter().filter_map(|&(name, _)| pickle.name(name)).collect();
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}

/// The arguments from which PyTorch rebuilds a tensor, where a value is one; a parameter has it wrapped.
fn rebuilt(pickle: &Pickle, mut value: Id) -> Option<Id> {
    // No wrapper holds itself in a file of PyTorch's, but one may in a file that is made to be a trap.
    for _ in 0..8 {
        let &Node::Call { function, args, .. } = pickle.node(value) else { return None };
        match pickle.global(function)? {
            "torch._utils _rebuild_tensor_v2" => return Some(args),
            "torch._utils _rebuild_parameter" | "torch._utils _rebuild_parameter_with_state" => {
                value = *pickle.items(args)?.first()?;
            }
            "torch._tensor _rebuild_from_type_v2" => {
                let &[function, _, args, ..] = pickle.items(args)? else { return None };
                return (pickle.global(function)? == "torch._utils _rebuild_tensor_v2").then_some(args);
            }
            _ => return None,
        }
    }
    None
}

/// The type of a storage's elements, by the name of its class.
fn element(class: &str) -> Result<DType> {
    Ok(match class.strip_prefix("torch ").unwrap_or(class) {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "ByteStorage" | "BoolStorage" => DType::U8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        other => bail!("candle has no type for a {other}; convert the tensor before it is saved"),
    })
}

/// Where a tensor's elements lie.
struct Info {
    storage: String,
    dtype: DType,
    /// With the offset in bytes.
    layout: Layout,
}

impl Info {
    /// From a storage, an offset, a shape and strides.
    fn read(pickle: &Pickle, args: Id) -> Result<Self> {
        let parts = || {
            let &[storage, offset, dims, strides, ..] = pickle.items(args)? else { return None };
            let &Node::Persistent(storage) = pickle.node(storage) else { return None };
            let &[_, class, name, ..] = pickle.items(storage)? else { return None };
            let sizes =
                |id: Id| pickle.items(id)?.iter().map(|&item| pickle.size(item)).collect::<Option<Vec<usize>>>();
            Some((
                pickle.global(class)?.to_string(),
                pickle.name(name)?,
                pickle.size(offset)?,
                sizes(dims)?,
                sizes(strides)?,
            ))
        };
        let Some((class, storage, offset, dims, strides)) = parts() else {
            bail!("its storage or shape makes no sense")
        };
        let dtype = element(&class)?;
        if dims.len() != strides.len() {
            bail!("it has {} axes and {} strides", dims.len(), strides.len());
        }
        let Some(offset) = offset.checked_mul(dtype.size_in_bytes()) else { bail!("the offset {offset} is too large") };
        Ok(Self { storage, dtype, layout: Layout::new(Shape::from(dims), strides, offset) })
    }

    /// The tensor with the elements that its storage has for its shape and strides.
    fn tensor(&self, storages: &BTreeMap<String, Vec<u8>>) -> Result<Tensor> {
        let Some(bytes) = storages.get(&self.storage) else { bail!("its storage {} is not in the file", self.storage) };
        let (layout, size) = (&self.layout, self.dtype.size_in_bytes());
        let shape = layout.shape();
        let count = shape.dims().iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
        let reach = layout.dims().iter().zip(layout.stride()).try_fold(1usize, |reach, (&dim, &stride)| {
            dim.saturating_sub(1).checked_mul(stride).and_then(|last| reach.checked_add(last))
        });
        let end = reach.and_then(|reach| reach.checked_mul(size)?.checked_add(layout.start_offset()));
        let (Some(count), Some(end)) = (count, end) else { bail!("the shape {shape:?} is too large") };
        if count == 0 {
            return Tensor::zeros(shape, self.dtype, &Device::Cpu);
        }
        if end > bytes.len() {
            bail!("{shape:?} needs {end} bytes of a storage that has {}", bytes.len());
        }
        if count > bytes.len() / size {
            bail!("{shape:?} repeats elements of its storage; save it as contiguous");
        }
        let part = &bytes[layout.start_offset()..end];
        let storage = Tensor::from_raw_buffer(part, self.dtype, &[part.len() / size], &Device::Cpu)?;
        if layout.is_contiguous() {
            return storage.reshape(shape);
        }
        let mut places = vec![0i64];
        for (&dim, &stride) in layout.dims().iter().zip(layout.stride()) {
            places = places.iter().flat_map(|&place| (0..dim).map(move |i| place + (i * stride) as i64)).collect();
        }
        storage.index_select(&Tensor::from_vec(places, count, &Device::Cpu)?, 0)?.reshape(shape)
    }
}

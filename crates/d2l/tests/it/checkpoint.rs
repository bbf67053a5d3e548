//! Checkpoints: what is saved comes back, what is damaged or of another model is told apart, nothing is half done.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::support::reference::Reference;
use crate::support::{assert_close, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Tensor};
use d2l::checkpoint::{self, Checkpoint, CheckpointError, Differing, read_pytorch, read_pytorch_part};
use d2l::nn::{BatchNorm, Linear, ModuleT, Parameters, Sequential};
use d2l::ops::BatchNormConfig;
use d2l::random::Random;
use proptest::prelude::*;
use tempfile::TempDir;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// A net with parameters and buffers; `PyTorch` names them alike.
fn net(seed: u64, inputs: usize) -> candle_core::Result<(Parameters, Sequential)> {
    let parameters = Parameters::new(&Random::new(seed), &Device::Cpu);
    let vb = parameters.builder();
    let net = Sequential::new()
        .add(Linear::new(inputs, 3, &vb.pp("0"))?)
        .add(BatchNorm::new(3, BatchNormConfig::default(), &vb.pp("1"))?)
        .add(Linear::new(3, 2, &vb.pp("2"))?);
    Ok((parameters, net))
}

fn values(parameters: &Parameters) -> Vec<(String, Vec<f32>)> {
    let flat = |var: &candle_core::Var| var.flatten_all().and_then(|t| t.to_vec1()).expect("f32 values");
    parameters.named().iter().map(|(name, var)| (name.clone(), flat(var))).collect()
}

fn files(folder: &TempDir) -> usize {
    fs::read_dir(folder.path()).expect("the folder").count()
}

#[test]
fn tensors_lists_and_maps_come_back() -> TestResult {
    let folder = TempDir::new()?;
    let path = |name: &str| folder.path().join("made").join(name);
    let a = uniform(&mut rng(1), &[2, 3]);
    let b = non_contiguous(&uniform(&mut rng(2), &[4, 2, 3]));
    checkpoint::save_tensor(path("one"), &b)?;
    assert_close(&checkpoint::load_tensor(path("one"), &Device::Cpu)?, &b, 0.0);

    let many: Vec<Tensor> = (0..12).map(|i| Tensor::new(i as f32, &Device::Cpu)).collect::<Result<_, _>>()?;
    checkpoint::save_list(path("list"), &many)?;
    let back = checkpoint::load_list(path("list"), &Device::Cpu)?;
    let back: Vec<f32> = back.iter().map(Tensor::to_scalar).collect::<Result<_, _>>()?;
    assert_eq!(back, (0..12).map(|i| i as f32).collect::<Vec<_>>(), "the tenth element is not the second");

    let map = BTreeMap::from([("x".to_string(), a), ("é y".to_string(), b)]);
    checkpoint::save_map(path("map"), &map)?;
    let back = checkpoint::load_map(path("map"), &Device::Cpu)?;
    assert_eq!(back.keys().collect::<Vec<_>>(), map.keys().collect::<Vec<_>>());
    for (name, tensor) in &map {
        assert_close(&back[name], tensor, 0.0);
    }

    let error = checkpoint::load_tensor(path("map"), &Device::Cpu).expect_err("two tensors").to_string();
    assert!(error.contains("expected one tensor") && error.contains("x, é y"), "{error}");
    let error = checkpoint::load_list(path("map"), &Device::Cpu).expect_err("a map").to_string();
    assert!(error.contains("expected a list of tensors"), "{error}");
    assert!(checkpoint::load_list(path("one"), &Device::Cpu).is_err());
    Ok(())
}

#[test]
fn metadata_and_types_come_back() -> TestResult {
    let folder = TempDir::new()?;
    let path = folder.path().join("typed");
    let types = [DType::U8, DType::U32, DType::I64, DType::F16, DType::BF16, DType::F32, DType::F64];
    let ones = types.map(|dtype| Tensor::ones((2, 1), dtype, &Device::Cpu).map(|t| (dtype.as_str().to_string(), t)));
    let empty = [Ok(("empty".to_string(), Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?))];
    let tensors = ones.into_iter().chain(empty).collect::<Result<Vec<_>, _>>()?;
    Checkpoint::new(tensors).with_metadata("epoch", 3).with_metadata("section", "read-write").save(&path)?;
    let back = Checkpoint::load(&path, &Device::Cpu)?;
    assert_eq!(back.metadata()["epoch"], "3");
    assert_eq!(back.metadata()["section"], "read-write");
    assert_eq!(back.tensors()["empty"].dims(), [0, 3]);
    for dtype in types {
        let tensor = &back.tensors()[dtype.as_str()];
        assert_eq!((tensor.dtype(), tensor.dims()), (dtype, &[2, 1][..]));
        assert_close(tensor, &Tensor::ones((2, 1), DType::F64, &Device::Cpu)?, 0.0);
    }
    Ok(())
}

#[test]
fn a_model_comes_back_with_its_buffers() -> TestResult {
    let folder = TempDir::new()?;
    let path = folder.path().join("model.safetensors");
    let x = uniform(&mut rng(3), &[8, 4]).to_dtype(DType::F32)?;
    let (parameters, trained) = net(1, 4)?;
    trained.forward_t(&x, true)?;
    parameters.save(&path)?;
    let (other, restored) = net(2, 4)?;
    assert_ne!(values(&parameters), values(&other));
    other.load(&path)?;
    assert_eq!(values(&parameters), values(&other));
    assert_close(&restored.forward_t(&x, false)?, &trained.forward_t(&x, false)?, 0.0);
    assert_ne!(other.get("1.running_mean").expect("a buffer").to_vec1::<f32>()?, [0.0; 3]);
    Ok(())
}

#[test]
fn a_snapshot_stays_while_training_goes_on() -> TestResult {
    let (parameters, _) = net(1, 4)?;
    let before = values(&parameters);
    let best = parameters.snapshot()?;
    for (_, variable) in parameters.named() {
        variable.set(&(variable.as_detached_tensor() + 1.0)?)?;
    }
    assert_ne!(values(&parameters), before);
    parameters.restore(&best)?;
    assert_eq!(values(&parameters), before);
    // A checkpoint that shares the variables' memory changes nothing and is no error.
    let shared = parameters.named().into_iter().map(|(name, variable)| (name, variable.as_tensor().clone()));
    parameters.restore(&Checkpoint::new(shared))?;
    assert_eq!(values(&parameters), before);
    Ok(())
}

#[test]
fn another_model_is_refused_with_every_difference_and_nothing_changes() -> TestResult {
    let folder = TempDir::new()?;
    let path = folder.path().join("other.safetensors");
    let mut tensors = net(1, 5)?.0.snapshot()?.tensors().clone();
    tensors.remove("2.bias");
    tensors.remove("1.running_var");
    tensors.insert("3.weight".into(), Tensor::zeros(1, DType::F32, &Device::Cpu)?);
    tensors.insert("2.weight".into(), Tensor::zeros((2, 3), DType::F64, &Device::Cpu)?);
    checkpoint::save_map(&path, &tensors)?;

    let (parameters, _) = net(2, 4)?;
    let before = values(&parameters);
    let error = parameters.load(&path).expect_err("another model");
    let text = error.to_string();
    let CheckpointError::Mismatch { path: named, differences } = error else { panic!("{error}") };
    assert_eq!(named, path);
    assert_eq!(differences.missing, ["1.running_var", "2.bias"]);
    assert_eq!(differences.unexpected, ["3.weight"]);
    let shape = Differing { name: "0.weight".to_string(), file: vec![3, 5], model: vec![3, 4] };
    assert_eq!(differences.shapes, [shape]);
    let dtype = Differing { name: "2.weight".to_string(), file: DType::F64, model: DType::F32 };
    assert_eq!(differences.dtypes, [dtype]);
    for part in [
        "other.safetensors",
        "missing in the file: 1.running_var, 2.bias",
        "unexpected in the file: 3.weight",
        "0.weight ([3, 5] in the file, [3, 4] in the model)",
        "2.weight (F64 in the file, F32 in the model)",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert_eq!(values(&parameters), before);

    // What fits can still be taken.
    let restored = parameters.load_matching(&path)?;
    assert_eq!(restored.loaded, ["0.bias", "1.running_mean", "1.weight", "1.bias"]);
    assert_eq!(restored.left, differences);
    assert_eq!(parameters.get("0.bias").expect("a bias").to_vec1::<f32>()?, tensors["0.bias"].to_vec1::<f32>()?);
    assert_eq!(values(&parameters)[0], before[0], "0.weight is of another shape");

    let stranger = folder.path().join("stranger.safetensors");
    checkpoint::save_tensor(&stranger, &tensors["0.bias"])?;
    let now = values(&parameters);
    assert!(matches!(parameters.load_matching(&stranger), Err(CheckpointError::Mismatch { .. })));
    assert_eq!(values(&parameters), now);
    Ok(())
}

/// Whether a file is refused as a model with an error that names it, the model staying as it is.
fn refused(path: &Path) -> CheckpointError {
    let (parameters, _) = net(2, 4).expect("a net");
    let before = values(&parameters);
    let error = parameters.load(path).expect_err("a damaged file");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert!(parameters.load_matching(path).is_err());
    assert_eq!(values(&parameters), before);
    error
}

#[test]
fn a_file_cut_short_anywhere_is_refused() -> TestResult {
    let folder = TempDir::new()?;
    let whole = folder.path().join("model.safetensors");
    net(1, 4)?.0.save(&whole)?;
    let bytes = fs::read(&whole)?;
    let cut = folder.path().join("cut.safetensors");
    for length in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        fs::write(&cut, &bytes[..length])?;
        let error = refused(&cut);
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{length}: {error}");
        assert!(error.to_string().contains("cut short"), "{error}");
    }
    fs::write(&cut, b"epoch,loss\n1,0.5\n2,0.25\n")?;
    assert!(matches!(refused(&cut), CheckpointError::Damaged { .. }));
    Ok(())
}

#[test]
fn a_file_that_is_not_there_or_a_folder_is_refused() -> TestResult {
    let folder = TempDir::new()?;
    let nowhere = folder.path().join("nowhere.safetensors");
    assert!(matches!(refused(&nowhere), CheckpointError::Read { .. }));
    assert!(matches!(refused(folder.path()), CheckpointError::Read { .. }));
    let inside = folder.path().join("folder");
    fs::create_dir(&inside)?;
    fs::write(inside.join("kept"), "kept")?;
    let (parameters, _) = net(1, 4)?;
    let error = parameters.save(&inside).expect_err("a folder is in the way");
    assert!(matches!(&error, CheckpointError::Write { .. }) && error.to_string().contains("unchanged"), "{error}");
    assert_eq!(fs::read_to_string(inside.join("kept"))?, "kept");
    // A file is where a folder is needed.
    let error = parameters.save(inside.join("kept").join("model")).expect_err("no folder");
    assert!(matches!(error, CheckpointError::Write { .. }), "{error}");
    assert_eq!((files(&folder), fs::read_dir(&inside)?.count()), (1, 1), "no temporary file stays");
    Ok(())
}

#[test]
fn saving_again_replaces_the_file() -> TestResult {
    let folder = TempDir::new()?;
    let path = folder.path().join("model.safetensors");
    net(1, 4)?.0.save(&path)?;
    let (parameters, _) = net(2, 4)?;
    parameters.save(&path)?;
    let (other, _) = net(3, 4)?;
    other.load(&path)?;
    assert_eq!(values(&other), values(&parameters));
    assert_eq!(files(&folder), 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in a file, reading it is an answer or an error, and the model is whole.
    #[test]
    fn damaged_bytes_never_panic(at in 0usize..2000, byte in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..64)) {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("model.safetensors");
        net(1, 4).expect("a net").0.save(&path).expect("saved");
        let mut bytes = fs::read(&path).expect("the file");
        let at = at % bytes.len();
        bytes[at] = byte;
        fs::write(&path, &bytes).expect("written");
        let (parameters, _) = net(2, 4).expect("a net");
        let before = values(&parameters);
        if parameters.load(&path).is_err() {
            assert_eq!(values(&parameters), before);
        }
        fs::write(&path, &noise).expect("written");
        assert!(Checkpoint::load(&path, &Device::Cpu).is_err());
        assert!(read_pytorch(&path, None, &Device::Cpu).is_err());
    }

    #[test]
    fn damaged_pytorch_files_never_panic(at in 0usize..4000, byte in any::<u8>(), cut in 0usize..4000) {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("state.pt");
        let mut bytes = fs::read(reference("state.pt")).expect("the file");
        let at = at % bytes.len();
        let unchanged = bytes[at] == byte;
        bytes[at] = byte;
        fs::write(&path, &bytes).expect("written");
        if let Ok(read) = read_pytorch(&path, None, &Device::Cpu) {
            // A byte between the entries, or of a header that nobody reads.
            let whole = read_pytorch(reference("state.pt"), None, &Device::Cpu).expect("the whole file");
            for (name, tensor) in whole.tensors() {
                assert_close(&read.tensors()[name], tensor, 0.0);
            }
        } else {
            assert!(!unchanged);
        }
        fs::write(&path, &bytes[..cut % bytes.len()]).expect("written");
        assert!(read_pytorch(&path, None, &Device::Cpu).is_err());
    }
}

fn reference(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(file)
}

#[test]
fn pytorch_files_are_read_into_a_model() -> TestResult {
    let expected = Reference::load("checkpoint");
    for (file, key) in [("state.pt", None), ("training.pt", Some("model"))] {
        let (parameters, _) = net(1, 4)?;
        parameters.restore(&read_pytorch(reference(file), key, &Device::Cpu)?)?;
        for (name, variable) in parameters.named() {
            assert_close(&variable, expected.get("state", &name), 0.0);
        }
    }
    Ok(())
}

#[test]
fn pytorch_views_and_types_are_read() -> TestResult {
    let expected = Reference::load("checkpoint");
    let read = read_pytorch(reference("views.pt"), None, &Device::Cpu)?;
    assert_eq!(read.tensors().len(), 7);
    for (name, tensor) in read.tensors() {
        let expected = expected.get("views", name);
        assert_eq!(tensor.dtype(), expected.dtype(), "{name}");
        assert_close(tensor, expected, 0.0);
    }
    Ok(())
}

#[test]
fn a_part_of_a_pytorch_file_is_read_without_the_rest() -> TestResult {
    let folder = TempDir::new()?;
    let is_wanted = |name: &str| name.ends_with("weight");
    for file in ["state.pt", "old.pt"] {
        let whole = read_pytorch(reference(file), None, &Device::Cpu)?;
        let part = read_pytorch_part(reference(file), None, &Device::Cpu, is_wanted)?;
        let wanted: Vec<&String> = whole.tensors().keys().filter(|name| is_wanted(name)).collect();
        assert!(wanted.len() < whole.tensors().len() && part.tensors().keys().eq(wanted), "{file}");
        for (name, tensor) in part.tensors() {
            assert_close(tensor, &whole.tensors()[name], 0.0);
        }
    }
    // In the zip archive every storage has a checksum: a damaged bias is found by who reads it, and by nobody else.
    let mut bytes = fs::read(reference("state.pt"))?;
    let whole = read_pytorch(reference("state.pt"), None, &Device::Cpu)?;
    let (_, bias) = whole.tensors().iter().find(|(name, _)| !is_wanted(name)).ok_or("no bias")?;
    let bias: Vec<u8> = bias.flatten_all()?.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect();
    let place = bytes.windows(bias.len()).position(|window| window == bias).ok_or("no bytes of it")?;
    bytes[place] ^= 1;
    let path = folder.path().join("damaged.pt");
    fs::write(&path, &bytes)?;
    assert!(read_pytorch(&path, None, &Device::Cpu).is_err());
    read_pytorch_part(&path, None, &Device::Cpu, is_wanted)?;
    Ok(())
}

#[test]
fn files_from_before_pytorch_1_6_are_read_and_cut_short_ones_refused() -> TestResult {
    let (old, new) = (reference("old.pt"), reference("state.pt"));
    let read = |path: &Path| read_pytorch(path, None, &Device::Cpu);
    let (old_tensors, new_tensors) = (read(&old)?, read(&new)?);
    assert!(old_tensors.tensors().keys().eq(new_tensors.tensors().keys()));
    for (name, tensor) in old_tensors.tensors() {
        assert_eq!(tensor.dtype(), new_tensors.tensors()[name].dtype(), "{name}");
        assert_close(tensor, &new_tensors.tensors()[name], 0.0);
    }
    let error = Checkpoint::load(&old, &Device::Cpu).expect_err("no safetensors").to_string();
    assert!(error.contains("before its release 1.6"), "{error}");
    let (bytes, folder) = (fs::read(&old)?, TempDir::new()?);
    let cut = folder.path().join("cut.pt");
    for length in [10, 14, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&cut, &bytes[..length])?;
        let error = read(&cut).expect_err("cut short");
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{length}: {error}");
    }
    Ok(())
}

#[test]
fn pytorch_files_that_cannot_be_read_say_why() {
    let error = |file: &str, key| read_pytorch(reference(file), key, &Device::Cpu).expect_err(file).to_string();
    assert!(error("training.pt", None).contains("key"), "{}", error("training.pt", None));
    assert!(error("training.pt", Some("net")).contains("net"), "{}", error("training.pt", Some("net")));
    assert!(error("nowhere.pt", None).contains("nowhere.pt"));
}

/// A file as PyTorch writes it: a pickle, and storages by the names 0, 1, and so on.
fn torch_file(folder: &TempDir, pickle: &[u8], storages: &[&[u8]]) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let path = folder.path().join("made.pt");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path)?);
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("made/data.pkl", options)?;
    archive.write_all(pickle)?;
    for (index, storage) in storages.iter().enumerate() {
        archive.start_file(format!("made/data/{index}"), options)?;
        archive.write_all(storage)?;
    }
    archive.finish()?;
    Ok(path)
}

/// A text of a pickle, in protocol 2 or 4.
fn word(protocol: u8, text: &str) -> Vec<u8> {
    let length = text.len() as u32;
    let (head, tail) = if protocol == 2 {
        ([&b"X"[..], &length.to_le_bytes()].concat(), &b""[..])
    } else {
        (vec![0x8c, length as u8], &b"\x94"[..])
    };
    [&head, text.as_bytes(), tail].concat()
}

/// A class or function of a pickle.
fn global(protocol: u8, module: &str, name: &str) -> Vec<u8> {
    if protocol == 2 {
        format!("c{module}\n{name}\n").into_bytes()
    } else {
        [&word(4, module)[..], &word(4, name), b"\x93\x94"].concat()
    }
}

/// A vector of `count` elements in the storage of a name.
fn vector(protocol: u8, class: &str, storage: &str, count: u8) -> Vec<u8> {
    let reference = [word(protocol, "storage"), global(protocol, "torch", class), word(protocol, storage)].concat();
    let tail = [b'K', 0, b'K', count, 0x85, b'K', 1, 0x85, 0x89, b'N', b't', b'R'];
    let rebuild = global(protocol, "torch._utils", "_rebuild_tensor_v2");
    [&rebuild[..], b"((", &reference, &word(protocol, "cpu"), &[b'K', count, b't', b'Q'], &tail].concat()
}

/// A dictionary of a pickle.
fn dictionary(protocol: u8, entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter().flat_map(|(name, value)| [word(protocol, name), value.clone()].concat());
    let entries: Vec<u8> = entries.collect();
    [&global(protocol, "collections", "OrderedDict")[..], b")R(", &entries, b"u"].concat()
}

fn pickle(protocol: u8, value: &[u8]) -> Vec<u8> {
    [&[0x80, protocol], value, b"."].concat()
}

#[test]
fn pytorch_files_of_every_form_are_read_whole() -> TestResult {
    let folder = TempDir::new()?;
    let floats = [1f32, 2.0].map(f32::to_le_bytes).concat();
    let ints = [-1i32, 7, 9].map(i32::to_le_bytes).concat();
    let read = |path: &Path, key| read_pytorch(path, key, &Device::Cpu).map(|read| read.tensors().clone());
    for protocol in [2, 4] {
        let state = dictionary(
            protocol,
            &[
                ("0.weight", vector(protocol, "FloatStorage", "0", 2)),
                ("position_ids", vector(protocol, "IntStorage", "1", 3)),
                ("mask", vector(protocol, "BoolStorage", "2", 2)),
                ("0.num_batches_tracked", vector(protocol, "LongStorage", "3", 1)),
            ],
        );
        let storages: [&[u8]; 4] = [&floats, &ints, &[1, 0], &5i64.to_le_bytes()];
        let keyed = dictionary(protocol, &[("state_dict", state.clone()), ("epoch", vec![b'K', 3])]);
        for (value, key) in [(&state, None), (&keyed, Some("state_dict"))] {
            let read = read(&torch_file(&folder, &pickle(protocol, value), &storages)?, key)?;
            assert_eq!(read.len(), 4, "protocol {protocol}");
            assert_eq!(read["0.weight"].to_vec1::<f32>()?, [1.0, 2.0]);
            assert_eq!(read["position_ids"].to_vec1::<i32>()?, [-1, 7, 9]);
            assert_eq!(read["mask"].to_vec1::<u8>()?, [1, 0]);
        }
        let one = vector(protocol, "FloatStorage", "0", 2);
        let list = [&b"]("[..], &one, &vector(protocol, "IntStorage", "1", 3), b"e"].concat();
        let tensor = read(&torch_file(&folder, &pickle(protocol, &one), &storages)?, None)?;
        assert_eq!(tensor["tensor"].to_vec1::<f32>()?, [1.0, 2.0]);
        let list = read(&torch_file(&folder, &pickle(protocol, &list), &storages)?, None)?;
        assert_eq!((list["0"].dims(), list["1"].dims()), (&[2][..], &[3][..]));
    }
    assert_eq!(read(&reference("mask.pt"), None)?["mask"].dtype(), DType::U8);
    Ok(())
}

#[test]
fn sound_files_are_not_called_damaged() -> TestResult {
    let folder = TempDir::new()?;
    let floats = [0u8; 8];
    let (one, char) = (vector(2, "FloatStorage", "0", 2), vector(2, "CharStorage", "0", 2));
    let error = |path: &Path, key| read_pytorch(path, key, &Device::Cpu).expect_err("a fault");
    for (value, key, words) in [
        (
            dictionary(2, &[("net", dictionary(2, &[("w", one.clone())])), ("epoch", vec![b'K', 3])]),
            Some("model"),
            "no key `model`; its keys are net, epoch",
        ),
        (dictionary(2, &[("net", dictionary(2, &[("w", one.clone())])), ("b", one.clone())]), None, "to be named: net"),
        (dictionary(2, &[("w", one.clone()), ("q", char)]), None, "no type for a CharStorage"),
        (
            dictionary(2, &[("w", [global(2, "torch", "Sparse"), one.clone(), b"R".to_vec()].concat())]),
            None,
            "w (torch.Sparse)",
        ),
        (dictionary(2, &[("epoch", vec![b'K', 3])]), None, "no tensors under its keys epoch"),
    ] {
        let error = error(&torch_file(&folder, &pickle(2, &value), &[&floats])?, key);
        assert!(!matches!(error, CheckpointError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(words), "{words} is not in: {error}");
    }
    for (content, words) in [
        (&b"\n<!DOCTYPE html><html>sign in</html>"[..], "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"),
    ] {
        let path = folder.path().join("stranger");
        fs::write(&path, content)?;
        for error in [error(&path, None), Checkpoint::load(&path, &Device::Cpu).expect_err("no model")] {
            assert!(matches!(error, CheckpointError::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains("stranger") && error.to_string().contains(words), "{error}");
        }
    }
    let model = folder.path().join("model.safetensors");
    net(1, 4)?.0.save(&model)?;
    assert!(error(&model, None).to_string().contains("Checkpoint::load"));
    let told = Checkpoint::load(reference("state.pt"), &Device::Cpu).expect_err("a zip archive").to_string();
    assert!(told.contains("read_pytorch"), "{told}");
    Ok(())
}

#[test]
fn other_peoples_models_are_taken_as_pytorch_takes_them() -> TestResult {
    let folder = TempDir::new()?;
    let path = folder.path().join("model.safetensors");
    let (parameters, _) = net(1, 4)?;
    let saved = parameters.snapshot()?;
    for dtype in [DType::F16, DType::BF16] {
        let mut tensors = saved.to_dtype(dtype)?.tensors().clone();
        tensors.insert("1.num_batches_tracked".into(), Tensor::new(7i64, &Device::Cpu)?);
        checkpoint::save_map(&path, &tensors)?;
        let (other, _) = net(2, 4)?;
        other.load(&path)?;
        for (name, variable) in other.named() {
            assert_eq!(variable.dtype(), DType::F32);
            assert_close(&variable, &saved.tensors()[&name], 0.01);
        }
        assert!(other.load_matching(&path)?.left.is_empty());
    }
    checkpoint::save_map(&path, saved.to_dtype(DType::F64)?.tensors())?;
    let error = parameters.load(&path).expect_err("wider numbers").to_string();
    assert!(error.contains("Checkpoint::to_dtype"), "{error}");
    parameters.restore(&Checkpoint::load(&path, &Device::Cpu)?.to_dtype(DType::F32)?)?;

    // Truth values, which safetensors files may hold.
    let header = r#"{"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[1, 0, 1]].concat();
    fs::write(&path, bytes)?;
    assert_eq!(checkpoint::load_tensor(&path, &Device::Cpu)?.to_vec1::<u8>()?, [1, 0, 1]);
    Ok(())
}

//! Matrices of eight bits a number with one scale a row, which take a quarter of the place (section 15.7).

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use d2l::data::DataError;
use d2l::prelude::*;
use flate2::read::GzDecoder;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// What follows a matrix's name in that of its scales.
const SCALES: &str = ".scale";

/// The largest file of this kind has ten million bytes; one that unpacks to more than this is another one.
const MAX_BYTES: u64 = 1 << 26;

/// Reads a file of safetensors that gzip has packed. A matrix `name` of whole numbers from -128 to 127 is multiplied row by
/// row by the numbers `name.scale`; tensors of `f32` are as they stand.
///
/// # Errors
/// Where the file cannot be read, unpacks to more than it should or is damaged, where a matrix and its scales do not fit,
/// and where a tensor is of another type; the error names the file and the tensor.
pub fn read_eight_bits(path: &Path) -> Result<BTreeMap<String, Tensor>, DataError> {
    let failed = |reason| DataError::read(path, reason);
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(path).map_err(failed)?).take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    let fault = |what: String| DataError::invalid(format!("{}: {what}", path.display()));
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fault(format!("it unpacks to more than {MAX_BYTES} bytes: it is another file")));
    }
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| fault(format!("cut short, damaged, or no safetensors: {error}")))?;
    let mut views: HashMap<&str, TensorView<'_>> = file.iter().collect();
    let matrices: Vec<&str> =
        views.iter().filter(|(_, view)| view.dtype() == Dtype::I8).map(|(&name, _)| name).collect();
    let mut tensors = BTreeMap::new();
    for name in matrices {
        let scales = views.remove(format!("{name}{SCALES}").as_str());
        let scales = scales.ok_or_else(|| fault(format!("the tensor {name} has no scales, {name}{SCALES}")))?;
        let Some(matrix) = views.remove(name) else { continue };
        let values = multiplied(&matrix, &scales).map_err(|what| fault(format!("the tensor {name}: {what}")))?;
        tensors.insert(name.to_string(), Tensor::from_vec(values, matrix.shape(), &Device::Cpu)?);
    }
    for (name, view) in views {
        let of_f32 = numbers(&view).ok_or_else(|| {
            fault(format!("the tensor {name} is of {:?}; those of eight bits and of f32 are known", view.dtype()))
        });
        tensors.insert(name.to_string(), Tensor::from_vec(of_f32?, view.shape(), &Device::Cpu)?);
    }
    Ok(tensors)
}

/// The numbers of a tensor of `f32`.
fn numbers(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let number = |bytes: &[u8]| Some(f32::from_le_bytes(bytes.try_into().ok()?));
    (view.dtype() == Dtype::F32).then(|| view.data().chunks_exact(4).filter_map(number).collect())
}

/// The numbers of a matrix, each row multiplied by its scale; or what does not fit.
fn multiplied(matrix: &TensorView<'_>, scales: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let shape = matrix.shape();
    let (&[rows, columns], Some(factors)) = (shape, numbers(scales)) else {
        let found = format!("it has the shape {shape:?}, and its scales are of {:?}", scales.dtype());
        return Err(format!("{found}: a matrix and f32 are wanted"));
    };
    if scales.shape() != [rows] {
        let found = format!("it has the shape {shape:?}, and its scales the shape {:?}", scales.shape());
        return Err(format!("{found}: one a row is wanted"));
    }
    // `max`, since there are no chunks of nothing.
    let rows = matrix.data().chunks(columns.max(1)).zip(factors);
    Ok(rows.flat_map(|(row, factor)| row.iter().map(move |&byte| f32::from(byte.cast_signed()) * factor)).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;
    /// Name, type, shape and bytes.
    type Entry<'a> = (&'a str, Dtype, Vec<usize>, Vec<u8>);

    fn bytes(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn read(entries: &[Entry<'_>]) -> Result<BTreeMap<String, Tensor>, DataError> {
        let views = entries.iter().map(|(name, dtype, shape, data)| {
            ((*name).to_string(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor"))
        });
        let file = safetensors::serialize(views, None).expect("a file");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("m.safetensors.gz");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&file).expect("packing");
        std::fs::write(&path, packed.finish().expect("packing")).expect("a file");
        read_eight_bits(&path)
    }

    #[test]
    fn rows_have_their_scales() -> Outcome {
        let tensors = read(&[
            ("m", Dtype::I8, vec![2, 3], vec![1, 255, 127, 128, 0, 2]),
            ("m.scale", Dtype::F32, vec![2], bytes(&[0.5, 2.0])),
            ("v", Dtype::F32, vec![2], bytes(&[7.0, -1.25])),
        ])?;
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["m", "v"]);
        assert_eq!(tensors["m"].to_vec2::<f32>()?, [[0.5, -0.5, 63.5], [-256.0, 0.0, 4.0]]);
        assert_eq!(tensors["v"].to_vec1::<f32>()?, [7.0, -1.25]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_named() -> Outcome {
        let matrix = || ("m", Dtype::I8, vec![2, 3], vec![1; 6]);
        let message = |entries: &[Entry<'_>]| read(entries).err().map(|error| error.to_string()).unwrap_or_default();
        for (entries, expected) in [
            (vec![matrix()], "m.safetensors.gz: the tensor m has no scales, m.scale"),
            (vec![matrix(), ("m.scale", Dtype::F32, vec![3], bytes(&[1.0; 3]))], "one a row is wanted"),
            (vec![matrix(), ("m.scale", Dtype::I32, vec![2], vec![0; 8])], "its scales are of I32"),
            (vec![("v", Dtype::I64, vec![1], vec![0; 8])], "the tensor v is of I64"),
        ] {
            let found = message(&entries);
            assert!(found.contains(expected), "{found}");
        }
        let flat = [("m", Dtype::I8, vec![2], vec![1; 2]), ("m.scale", Dtype::F32, vec![2], bytes(&[1.0; 2]))];
        assert!(message(&flat).contains("a matrix and f32 are wanted"));

        let folder = tempfile::tempdir()?;
        let path = folder.path().join("m.safetensors.gz");
        let message = |content: &[u8]| -> Result<String, std::io::Error> {
            std::fs::write(&path, content)?;
            Ok(read_eight_bits(&path).err().map(|error| error.to_string()).unwrap_or_default())
        };
        assert!(message(b"no gzip")?.contains("m.safetensors.gz"));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"no safetensors")?;
        assert!(message(&packed.finish()?)?.contains("no safetensors"));
        Ok(())
    }
}

//! Rules of minibatches and images that hold for every set: each example once, files read as written, resizing.

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use d2l::data::fashion_mnist::Images;
use d2l::data::idx::Idx;
use d2l::data::{ArrayLoader, Dataset};
use d2l::random::{Purpose, Random};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

/// An IDX file of bytes.
fn idx(dims: &[usize], values: &[u8]) -> Vec<u8> {
    let lengths = dims.iter().flat_map(|&dim| (dim as u32).to_be_bytes());
    [0, 0, 8, dims.len() as u8].into_iter().chain(lengths).chain(values.iter().copied()).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file");
    path
}

/// Images of the given bytes, through the files that they are read from.
fn images(pixels: &[u8], height: usize, width: usize) -> Images {
    let folder = TempDir::new().expect("a folder");
    let count = pixels.len() / (height * width);
    let pixels = write(folder.path(), "images", &idx(&[count, height, width], pixels));
    let labels: Vec<u8> = (0..count).map(|i| (i % 10) as u8).collect();
    let labels = write(folder.path(), "labels", &idx(&[count], &labels));
    Images::read(&pixels, &labels).expect("images")
}

/// The first image as it is served at a side, in gray levels from 0 to 255.
fn served(pixels: &[u8], (height, width): (usize, usize), side: usize) -> Vec<f64> {
    let (x, _) = images(pixels, height, width).resized(Some(side)).batch(&[0], &Device::Cpu).expect("an image");
    assert_eq!(x.dims(), [1, 1, side, side]);
    x.flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("values").iter().map(|&x| f64::from(x) * 255.0).collect()
}

/// For each place of the result the sources and their weights: a triangle as wide as the larger of the two pixels.
fn triangle(from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let weights = |place: usize| {
        let centre = (place as f64 + 0.5) * scale;
        let weight = |source: usize| (1.0 - ((source as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let sum: f64 = (0..from).map(weight).sum();
        (0..from).map(|source| (source, weight(source) / sum)).collect()
    };
    (0..to).map(weights).collect()
}

/// A height, a width and as many bytes.
fn image() -> impl Strategy<Value = ((usize, usize), Vec<u8>)> {
    (1usize..12, 1usize..12)
        .prop_flat_map(|(height, width)| (Just((height, width)), prop::collection::vec(any::<u8>(), height * width)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn an_epoch_has_each_example_once_with_its_label(
        n in 0usize..50, batch_size in 0usize..60, shuffled: bool, seed: u64,
    ) {
        let labels = Tensor::arange(0u32, n as u32, &Device::Cpu).unwrap();
        let features = labels.to_dtype(DType::F32).unwrap().reshape((n, 1)).unwrap();
        let loader = ArrayLoader::from_tensors(&features, &labels, batch_size);
        prop_assert_eq!(loader.is_ok(), n > 0 && batch_size > 0);
        let Ok(mut loader) = loader else { return Ok(()) };
        if shuffled {
            loader = loader.shuffled(Random::new(seed).stream(Purpose::Shuffling, "test"));
        }
        for _ in 0..2 {
            let mut seen = Vec::new();
            let mut sizes = Vec::new();
            for batch in loader.epoch() {
                let (x, y) = batch.unwrap();
                let y = y.to_vec1::<u32>().unwrap();
                let x: Vec<u32> = x.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|&x| x as u32).collect();
                prop_assert_eq!(&x, &y, "an example has another's label");
                sizes.push(y.len());
                seen.extend(y);
            }
            prop_assert_eq!(sizes.len(), loader.batches());
            let last = sizes.pop().unwrap();
            prop_assert!(sizes.iter().all(|&size| size == batch_size) && (1..=batch_size).contains(&last));
            if !shuffled {
                prop_assert!(seen.is_sorted());
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..n as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_set_comes_back_from_its_file_and_never_from_a_part_of_it(
        dims in prop::collection::vec(0usize..6, 3), zipped: bool, cut in any::<prop::sample::Index>(), more: u8,
    ) {
        let folder = TempDir::new().unwrap();
        let values: Vec<u8> = (0..dims.iter().product()).map(|i| (i * 37) as u8).collect();
        let bytes = idx(&dims, &values);
        let packed = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap()
        };
        let name = if zipped { "set.gz" } else { "set" };
        let content = |bytes: &[u8]| if zipped { packed(bytes) } else { bytes.to_vec() };
        let read = |bytes: &[u8]| Idx::read(&write(folder.path(), name, bytes), 3);
        prop_assert_eq!(read(&content(&bytes)).unwrap(), Idx { dims, values });
        let whole = content(&bytes);
        prop_assert!(read(&whole[..cut.index(whole.len())]).is_err(), "a file that was cut short is read");
        prop_assert!(read(&content(&[&bytes[..], &[more]].concat())).is_err(), "a file that is too long is read");
        prop_assert!(Idx::read(&write(folder.path(), name, &whole), 1).is_err(), "labels are read from images");
    }

    #[test]
    fn an_image_is_served_as_it_was_written((size, pixels) in image()) {
        let images = images(&pixels, size.0, size.1);
        let (x, y) = images.batch(&[0, 0], &Device::Cpu).unwrap();
        prop_assert_eq!(x.dims(), [2, 1, size.0, size.1]);
        prop_assert_eq!(y.to_vec1::<u32>().unwrap(), [0, 0]);
        let expected: Vec<f32> = pixels.iter().chain(&pixels).map(|&pixel| f32::from(pixel) / 255.0).collect();
        prop_assert_eq!(x.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
    }

    #[test]
    fn a_resized_image_is_the_weighted_mean_of_its_neighbours(((height, width), pixels) in image(), side in 1usize..24) {
        let (rows, columns) = (triangle(height, side), triangle(width, side));
        let result = served(&pixels, (height, width), side);
        for (i, row) in rows.iter().enumerate() {
            for (j, column) in columns.iter().enumerate() {
                let mean: f64 = row.iter().flat_map(|&(y, v)| column.iter().map(move |&(x, w)| (y * width + x, v * w)))
                    .map(|(at, weight)| f64::from(pixels[at]) * weight).sum();
                // Rounded to whole gray levels after each of the two axes, with weights of 16 bits.
                prop_assert!((result[i * side + j] - mean).abs() <= 1.1, "({}, {}): {} and {}", i, j, result[i * side + j], mean);
            }
        }
    }

    #[test]
    fn a_mirrored_image_is_resized_to_the_mirror_image(((height, width), pixels) in image(), side in 1usize..24) {
        let mirrored: Vec<u8> = pixels.chunks(width).flat_map(|row| row.iter().rev()).copied().collect();
        let (plain, mirrored) = (served(&pixels, (height, width), side), served(&mirrored, (height, width), side));
        let back = mirrored.chunks(side).flat_map(|row| row.iter().rev());
        prop_assert!(plain.iter().zip(back).all(|(a, b)| (a - b).abs() <= 1.1));
    }
}

//! Values and gradients against PyTorch's and torchvision's, which `scripts/reference/vision.py` wrote, and what
//! real weights say of real photographs. Weights and pictures of the nets are drawn by a formula that both sides have.

use std::collections::BTreeMap;

use d2l::checkpoint;
use d2l::data::Source as _;
use d2l::data::hub::{Hub, Mirror};
use d2l::nn::is_buffer;
use d2l::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use vision::anchors::{GroundTruth, Targets, multibox_target};
use vision::augmentation::{CenterCrop, ColorJitter, Compose, ResizeShorter, Transform};
use vision::detection::{multibox_detection, nms};
use vision::hotdog::HotDogs;
use vision::labeled_pictures::TransformedPictures;
use vision::picture::Picture;
use vision::pretrained::{Architecture, Pretrained};
use vision::region_pooling::{Region, roi_align, roi_pool};
use vision::sections::bounding_box::Corners;
use vision::sections::fcn::{self, Fcn};
use vision::sections::image_augmentation::small_resnet18;
use vision::sections::neural_style::preprocess;
use vision::sections::ssd::{TinySsd, ssd_loss};
use vision::style_pictures::StylePictures;
use vision::vgg::Vgg19;

const CPU: Device = Device::Cpu;

// ---- what is known ----

/// The tensors that PyTorch wrote.
struct Known(BTreeMap<String, Tensor>);

impl Known {
    fn read() -> anyhow::Result<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/vision.safetensors");
        Ok(Self(checkpoint::load_map(path, &CPU)?))
    }

    fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("PyTorch wrote no {name}"))
    }

    /// The same in `f32`.
    fn floats(&self, name: &str) -> Result<Tensor> {
        self.get(name).to_dtype(DType::F32)
    }

    /// Rows of four corners.
    fn boxes(&self, name: &str) -> Result<Vec<Corners>> {
        Ok(self.floats(name)?.to_vec2::<f32>()?.iter().map(|row| corners(row)).collect())
    }

    /// A picture from its bytes `(height, width, 3)`.
    fn picture(&self, name: &str) -> anyhow::Result<Picture> {
        let bytes = self.get(&format!("picture.{name}"));
        let (height, width, _) = bytes.dims3()?;
        Ok(Picture::new(width, height, bytes.flatten_all()?.to_vec1()?)?)
    }
}

fn corners(row: &[f32]) -> Corners {
    Corners::new(row[0], row[1], row[2], row[3])
}

fn values(x: &Tensor) -> Result<Vec<f64>> {
    x.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}

/// Whether values are the known ones but for rounding in `f32`.
fn assert_near(what: &str, got: &Tensor, wanted: &Tensor, tolerance: f64) -> Result<()> {
    assert_eq!(got.dims(), wanted.dims(), "{what}");
    let (got, wanted) = (values(got)?, values(wanted)?);
    let largest = wanted.iter().fold(0f64, |largest, x| largest.max(x.abs()));
    for (place, (a, b)) in got.iter().zip(&wanted).enumerate() {
        assert!((a - b).abs() <= tolerance * largest, "{what}, number {place}: {a}, PyTorch has {b}"); // NaN fails, too
    }
    Ok(())
}

// ---- regions and boxes ----

/// Compares a pooling's values and its gradient with torchvision's.
fn check_pooling(case: &str, pool: impl Fn(&Tensor, &[Region]) -> Result<Tensor>) -> anyhow::Result<()> {
    let known = Known::read()?;
    let regions: Vec<Region> = known
        .floats("regions")?
        .to_vec2::<f32>()?
        .iter()
        .map(|row| Region { picture: row[0] as usize, corners: corners(&row[1..]) })
        .collect();
    let x = Var::from_tensor(&known.floats(&format!("{case}.x"))?)?;
    let y = pool(x.as_tensor(), &regions)?;
    assert_near(&format!("{case}: y"), &y, known.get(&format!("{case}.y")), 1e-5)?;
    let grads = backward(&(&y * known.floats(&format!("{case}.seed"))?)?.sum_all()?)?;
    assert_near(&format!("{case}: gradient"), grads.get(&x)?, known.get(&format!("{case}.grad_x")), 1e-5)?;
    Ok(())
}

#[test]
fn pooled_regions_are_torchvisions() -> anyhow::Result<()> {
    check_pooling("roi_pool", |x, regions| roi_pool(x, regions, (2, 3), 0.25))
}

#[test]
fn aligned_regions_are_torchvisions() -> anyhow::Result<()> {
    check_pooling("roi_align", |x, regions| roi_align(x, regions, (2, 3), 0.25, 2))
}

#[test]
fn suppression_keeps_the_boxes_that_torchvision_keeps() -> anyhow::Result<()> {
    let known = Known::read()?;
    let boxes = known.boxes("nms.boxes")?;
    let scores = known.get("nms.scores").to_vec1::<f32>()?;
    for percent in [20u8, 50, 70] {
        let kept = known.get(&format!("nms.kept_{percent}")).to_vec1::<i64>()?;
        let kept: Vec<usize> = kept.into_iter().map(|place| place as usize).collect();
        assert_eq!(nms(&boxes, &scores, f32::from(percent) / 100.0), kept, "{percent} %");
    }
    Ok(())
}

#[test]
fn detections_are_those_of_the_definition_in_pytorch() -> anyhow::Result<()> {
    let known = Known::read()?;
    let (probabilities, offsets) = (known.get("detection.probabilities"), known.get("detection.offsets"));
    let found = multibox_detection(probabilities, offsets, &known.boxes("detection.anchors")?, 0.5)?;
    let expected = known.get("detection.y").to_vec3::<f32>()?;
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.len(), expected.len());
        for (found, row) in found.iter().zip(expected) {
            assert_eq!(found.class.map_or(-1.0, |class| class as f32), row[0], "{found:?}, PyTorch has {row:?}");
            let numbers = std::iter::once(found.confidence).chain(found.corners.to_array());
            let is_near = numbers.zip(&row[1..]).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(is_near, "{found:?}, PyTorch has {row:?}");
        }
    }
    Ok(())
}

// ---- pictures ----

/// By how much the bytes of two pictures differ at most, and the share of bytes that differ.
fn difference(a: &Picture, b: &Picture) -> (u8, f64) {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let differences = || a.pixels().iter().zip(b.pixels()).map(|(a, b)| a.abs_diff(*b));
    let differing = differences().filter(|difference| *difference > 0).count();
    (differences().max().unwrap_or(0), differing as f64 / a.pixels().len() as f64)
}

/// A transform draws how far it goes, so what it makes of a picture with many seeds has to come near what Pillow makes
/// of it by a given factor, but for what so small a step to the next draw changes.
fn check_colors(name: &str, jitter: ColorJitter, percents: [i32; 3]) -> anyhow::Result<()> {
    let known = Known::read()?;
    let original = known.picture("original")?;
    let expected = percents.iter().map(|percent| known.picture(&format!("{name}_{percent}")));
    let expected = expected.collect::<anyhow::Result<Vec<_>>>()?;
    let mut nearest = [(u8::MAX, 1.0); 3];
    for seed in 0..6_000 {
        let changed = jitter.apply(original.clone(), &mut ChaCha8Rng::seed_from_u64(seed))?;
        for (nearest, expected) in nearest.iter_mut().zip(&expected) {
            let difference = difference(&changed, expected);
            if difference.1 < nearest.1 {
                *nearest = difference;
            }
        }
    }
    for (percent, (most, share)) in percents.into_iter().zip(nearest) {
        assert!(most <= 1 && share < 0.25, "{name} by {percent} %: {most} off at most, {share} of all bytes");
    }
    Ok(())
}

#[test]
fn brightness_contrast_and_saturation_are_pillows() -> anyhow::Result<()> {
    let none = ColorJitter::default();
    check_colors("brightness", ColorJitter { brightness: 0.5, ..none }, [60, 95, 140])?;
    check_colors("contrast", ColorJitter { contrast: 0.5, ..none }, [60, 95, 140])?;
    check_colors("saturation", ColorJitter { saturation: 0.5, ..none }, [60, 95, 140])
}

#[test]
fn hues_are_those_of_torchvisions_tensors() -> anyhow::Result<()> {
    check_colors("hue", ColorJitter { hue: 0.5, ..ColorJitter::default() }, [-30, 5, 45])
}

#[test]
fn pictures_of_other_sizes_are_pillows() -> anyhow::Result<()> {
    let known = Known::read()?;
    let original = known.picture("original")?;
    for (width, height) in [(4, 3), (17, 13), (7, 2)] {
        let expected = known.picture(&format!("resized_{width}x{height}"))?;
        let (most, _) = difference(&original.resized(width, height)?, &expected);
        assert!(most <= 1, "{width} x {height}: {most} off");
    }
    Ok(())
}

// ---- nets ----

/// Numbers from -1 to 1: the fractions of a sine that is stretched far.
fn drawn(count: usize, stream: usize) -> Result<Tensor> {
    let places = Tensor::arange(0f64, count as f64, &CPU)?;
    let stretched = (places.affine(12.9898, stream as f64 * 78.233)?.sin()? * 43758.5453)?;
    (&stretched - stretched.floor()?)?.affine(2.0, -1.0)
}

fn uneven(count: usize) -> Result<Tensor> {
    Tensor::arange(0f64, count as f64, &CPU)?.affine(0.7, 0.3)?.sin()?.affine(1.0, 0.1)
}

/// The sum of numbers, each with a weight of its own.
fn seeded(y: &Tensor) -> Result<Tensor> {
    (y * uneven(y.elem_count())?.reshape(y.dims())?)?.sum_all()
}

/// He's uniform distribution for weights, small biases and means, scales and variances around 1.
fn filled(name: &str, shape: &[usize], stream: usize) -> Result<Tensor> {
    let (middle, bound) = match shape {
        [_, inputs @ ..] if !inputs.is_empty() => (0.0, (6.0 / inputs.iter().product::<usize>() as f64).sqrt()),
        _ if name.ends_with("weight") || name.ends_with("running_var") => (1.0, 0.2),
        _ => (0.0, 0.2),
    };
    drawn(shape.iter().product(), stream)?.affine(bound, middle)?.reshape(shape)
}

/// A net's filled parameters and buffers by their names, with what PyTorch knows of the same net.
///
/// All of it is in `f64`: in `f32`, rounding moves some number across the kink of a ReLU, and gradients with it.
struct Checked {
    case: &'static str,
    variables: BTreeMap<String, Var>,
    known: Known,
}

impl Checked {
    /// Builds a net, and holds that its parameters and buffers are called as PyTorch's.
    fn new<N>(case: &'static str, net: impl Fn(&VarBuilder) -> Result<N>) -> anyhow::Result<(Self, N)> {
        let known = Known::read()?;
        // Once for the names and shapes, which are then filled.
        let parameters = Parameters::new(&Random::new(1), &CPU);
        net(&parameters.builder())?;
        let named: BTreeMap<String, Var> = parameters.named().into_iter().collect();
        let expected = String::from_utf8(known.get(&format!("{case}.names")).to_vec1::<u8>()?)?;
        assert_eq!(
            named.keys().map(String::as_str).collect::<Vec<_>>(),
            expected.lines().collect::<Vec<_>>(),
            "{case}"
        );
        let mut variables = BTreeMap::new();
        for (stream, (name, variable)) in named.into_iter().enumerate() {
            let values = filled(&name, variable.dims(), stream)?;
            variables.insert(name, Var::from_tensor(&values)?);
        }
        let tensors = variables.iter().map(|(name, variable)| (name.clone(), variable.as_tensor().clone()));
        let net = net(&VarBuilder::from_tensors(tensors.collect(), DType::F64, &CPU))?;
        Ok((Self { case, variables, known }, net))
    }

    fn known(&self, name: &str) -> &Tensor {
        self.known.get(&format!("{}.{name}", self.case))
    }

    fn assert_near(&self, name: &str, got: &Tensor) -> Result<()> {
        assert_near(&format!("{}: {name}", self.case), got, self.known(name), 1e-6)
    }

    /// Compares a loss and the gradients of all that is trained.
    fn check_gradients(&self, loss: &Tensor) -> Result<()> {
        self.assert_near("loss", loss)?;
        let grads = backward(loss)?;
        let (norms, sums) = (values(self.known("norms"))?, values(self.known("sums"))?);
        let trained: Vec<_> = self.variables.iter().filter(|(name, _)| !is_buffer(name)).collect();
        assert_eq!((norms.len(), sums.len()), (trained.len(), trained.len()), "{}", self.case);
        let largest = norms.iter().fold(0f64, |largest, norm| largest.max(*norm));
        for ((name, variable), (known_norm, known_sum)) in trained.into_iter().zip(norms.iter().zip(&sums)) {
            let grad = grads.get(variable)?.flatten_all()?;
            let norm = grad.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt();
            let sum = seeded(&grad)?.to_scalar::<f64>()?;
            // What normalization takes away again has a gradient of zero, which rounding leaves something of.
            let tolerance = 1e-6 * known_norm + 1e-9 * largest;
            let case = self.case;
            assert!((norm - known_norm).abs() <= tolerance, "{case}: {name}: norm {norm}, PyTorch has {known_norm}");
            assert!((sum - known_sum).abs() <= 3.0 * tolerance, "{case}: {name}: sum {sum}, PyTorch has {known_sum}");
        }
        Ok(())
    }
}

/// The pictures that a net is given.
fn pictures(shape: (usize, usize, usize, usize)) -> Result<Tensor> {
    let (batch, channels, height, width) = shape;
    drawn(batch * channels * height * width, 1000)?.reshape(shape)
}

/// Compares a classifier with PyTorch's; one that normalizes batches is differentiated in training.
fn check_classifier(
    case: &'static str,
    shape: (usize, usize, usize, usize),
    normalizes: bool,
    net: impl Fn(&VarBuilder) -> Result<Sequential>,
    loss: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> anyhow::Result<()> {
    let (checked, net) = Checked::new(case, net)?;
    let x = pictures(shape)?;
    let y = net.forward_t(&x, normalizes)?;
    checked.assert_near("y_differentiated.0", &y)?;
    checked.check_gradients(&loss(&y)?)?;
    checked.assert_near("y.0", &net.forward_t(&x, false)?)?;
    Ok(())
}

#[test]
fn the_residual_net_for_small_pictures_is_pytorchs() -> anyhow::Result<()> {
    let labels = Tensor::new(&[0u32, 3, 5, 9], &CPU)?;
    let loss = |y: &Tensor| cross_entropy(y, &labels, Reduction::Mean);
    check_classifier("resnet", (4, 3, 32, 32), true, |vb| small_resnet18(16, 10, vb), loss)
}

#[test]
fn resnet18_is_torchvisions() -> anyhow::Result<()> {
    check_classifier("resnet18", (4, 3, 64, 96), true, |vb| Architecture::ResNet18.net(10, "fc", false, vb), seeded)
}

#[test]
fn efficientnet_is_the_same_in_pytorch() -> anyhow::Result<()> {
    let net = |vb: &VarBuilder| Architecture::EfficientNetLite0.net(10, "_fc", false, vb);
    check_classifier("efficientnet", (4, 3, 61, 96), true, net, seeded)
}

#[test]
fn squeezenet_is_torchvisions() -> anyhow::Result<()> {
    let net = |vb: &VarBuilder| Architecture::SqueezeNet.net(1000, "classifier.1", false, vb);
    check_classifier("squeezenet", (2, 3, 51, 67), false, net, seeded)
}

#[test]
fn squeezenet_with_a_new_output_is_torchvisions_without_the_last_relu() -> anyhow::Result<()> {
    let net = |vb: &VarBuilder| Architecture::SqueezeNet.net(10, "classifier.1", false, vb);
    check_classifier("squeezenet_new", (2, 3, 51, 67), false, net, seeded)
}

/// What is on each of three pictures, as the script has it.
fn things() -> [Vec<GroundTruth>; 3] {
    let thing =
        |class, left, top, right, bottom| GroundTruth { class, corners: Corners::new(left, top, right, bottom) };
    [
        vec![thing(1, 0.13, 0.22, 0.41, 0.57), thing(0, 0.52, 0.48, 0.93, 0.97)],
        vec![thing(0, 0.07, 0.11, 0.86, 0.94)],
        vec![thing(1, 0.33, 0.08, 0.52, 0.31), thing(1, 0.35, 0.12, 0.55, 0.36), thing(0, 0.61, 0.66, 0.72, 0.78)],
    ]
}

#[test]
fn the_detector_is_pytorchs() -> anyhow::Result<()> {
    let (checked, net) = Checked::new("ssd", |vb| TinySsd::new(2, 0.2, vb))?;
    let x = pictures((3, 3, 64, 96))?;
    let said = net.forward_t(&x, true)?;
    checked.assert_near("y_differentiated.0", &said.scores)?;
    checked.assert_near("y_differentiated.1", &said.offsets)?;
    // Anchors and labels are in `f32`.
    let anchors: Vec<f32> = said.anchors.iter().flat_map(|anchor| anchor.to_array()).collect();
    let anchors = Tensor::from_vec(anchors, (said.anchors.len(), 4), &CPU)?;
    assert_near("anchors", &anchors, checked.known("anchors"), 1e-5)?;

    let targets = multibox_target(&said.anchors, &things(), &CPU)?;
    let Targets { offsets, masks, classes } = &targets;
    assert_eq!(values(classes)?, values(checked.known("classes"))?);
    // Known are the places of what the masks leave, and the offsets there.
    let places = checked.known("places").to_vec2::<i64>()?;
    let (offsets, masks) = (offsets.to_vec2::<f32>()?, masks.to_vec2::<f32>()?);
    assert_eq!(masks.concat().iter().sum::<f32>(), places.len() as f32);
    for (place, known) in places.iter().zip(values(checked.known("targets"))?) {
        let (picture, number) = (place[0] as usize, place[1] as usize);
        assert_eq!(masks[picture][number], 1.0, "{place:?}");
        let offset = f64::from(offsets[picture][number]);
        assert!((offset - known).abs() < 1e-3 * (1.0 + known.abs()), "{place:?}: {offset}, PyTorch has {known}");
    }

    let in_double = |tensor: &Tensor| tensor.to_dtype(DType::F64);
    let (offsets, masks) = (in_double(&targets.offsets)?, in_double(&targets.masks)?);
    checked.check_gradients(&ssd_loss(&said, &Targets { offsets, masks, classes: targets.classes })?)?;
    let said = net.forward_t(&x, false)?;
    checked.assert_near("y.0", &said.scores)?;
    checked.assert_near("y.1", &said.offsets)?;
    Ok(())
}

#[test]
fn the_segmenter_is_pytorchs_on_torchvisions_net() -> anyhow::Result<()> {
    let (checked, net) = Checked::new("fcn", |vb| Fcn::new(Architecture::ResNet18, false, 5, vb))?;
    let x = pictures((2, 3, 64, 96))?;
    let classes: Vec<u32> = (0..2 * 64 * 96).map(|place| place / 7 % 5).collect();
    let classes = Tensor::from_vec(classes, (2, 64, 96), &CPU)?;
    // Of the scores every 61st is known.
    let some = |scores: &Tensor| {
        let places: Vec<u32> = (0..scores.elem_count() as u32).step_by(61).collect();
        scores.flatten_all()?.index_select(&Tensor::new(places, &CPU)?, 0)
    };
    let scores = net.forward_t(&x, true)?;
    checked.assert_near("y_differentiated.0", &some(&scores)?)?;
    checked.check_gradients(&fcn::loss(&scores, &classes)?.sum_all()?)?;
    checked.assert_near("y.0", &some(&net.forward_t(&x, false)?)?)?;
    Ok(())
}

// ---- real weights and photographs ----

/// ImageNet's class of hot dogs.
const HOT_DOG: u32 = 934;

/// Asks a net with its own weights what is on the 60 test pictures of hot dogs, and on the 60 of other things: at least
/// so many of those and at most so many of these are to be called hot dogs. Where weights or pictures are neither in a
/// mirror, such as `D2L_MIRROR` names, nor in the cache, it says so and holds nothing.
fn check_predictions(weights: &str, side: usize, least: usize, most: usize) -> anyhow::Result<()> {
    let cache = tempfile::tempdir()?;
    let mut hub = Hub::from_env()?;
    hub.mirrors.push(Mirror::Folder(hub.cache.clone()));
    (hub.cache, hub.offline) = (cache.path().to_path_buf(), true);
    // Others may be at hand, but not what the numbers are of.
    hub.datasets.retain(|set| set.name == weights);
    let (Ok(pretrained), Ok(photographs)) = (Pretrained::fetch(&hub), HotDogs::fetch(&hub)) else {
        println!("not held: {weights} or the photographs cannot be had");
        return Ok(());
    };
    let architecture = pretrained.architecture;
    let random = Random::new(1);
    let parameters = Parameters::new(&random, &CPU);
    let net = architecture.net(1000, architecture.output(), false, &parameters.builder())?;
    parameters.restore(&pretrained.weights.expect("weights"))?;

    let transform = Compose::new().then(ResizeShorter(side * 256 / 224)).then(CenterCrop(side));
    let draws = random.stream(Purpose::Steps, "none");
    let pictures = TransformedPictures::new(photographs.test, transform, architecture.normalization(), draws);
    let mut pictures = Loader::new(pictures, 10, &CPU)?;
    let (mut called, mut of_each) = ([0, 0], [0, 0]);
    for batch in pictures.epoch() {
        let (x, labels) = batch?;
        let said = net.forward_t(&x, false)?.detach().argmax(D::Minus1)?.to_vec1::<u32>()?;
        for (said, label) in said.into_iter().zip(labels.to_vec1::<u32>()?) {
            called[label as usize] += usize::from(said == HOT_DOG);
            of_each[label as usize] += 1;
        }
    }
    assert_eq!(of_each, [60, 60]);
    assert!(called[0] >= least && called[1] <= most, "{weights}: {called:?}");
    Ok(())
}

#[test]
fn squeezenets_weights_know_hot_dogs() -> anyhow::Result<()> {
    // PyTorch with the same weights calls 27 hot dogs and 3 other things so; another decoder of JPEG moves a few.
    check_predictions("squeezenet1_0", 227, 23, 6)
}

#[test]
fn efficientnets_weights_know_hot_dogs() -> anyhow::Result<()> {
    // PyTorch: 44 and 2.
    check_predictions("efficientnet-lite0", 160, 40, 5)
}

/// The authors' weights give these means on the book's landscape; a wrong order of channels or a wrong scale moves them
/// by far more than the twentieth that is left to decoding and resizing.
#[test]
fn vgg19s_weights_know_their_means() -> anyhow::Result<()> {
    let cache = tempfile::tempdir()?;
    let mut hub = Hub::from_env()?;
    hub.mirrors.push(Mirror::Folder(hub.cache.clone()));
    (hub.cache, hub.offline) = (cache.path().to_path_buf(), true);
    hub.datasets.retain(|set| ["vgg19-oxford", "rainier", "autumn-oak"].contains(&set.name));
    let (Ok(net), Ok(StylePictures { content: picture, .. })) = (Vgg19::fetch(&hub), StylePictures::fetch(&hub)) else {
        println!("not held: the weights of VGG-19 or the photograph cannot be had");
        return Ok(());
    };
    let image = preprocess(&picture, (160, 240), &CPU)?;
    for (layer, features) in [0, 5, 10, 19, 25, 28].into_iter().zip(net.features(&image, &[0, 5, 10, 19, 25, 28])?) {
        // What is known are the means after the ReLU, by which the features have been divided.
        let mean = features.relu()?.mean_all()?.to_scalar::<f32>()?;
        assert!((mean - 1.0).abs() < 0.05, "layer {layer}: {mean}");
    }
    Ok(())
}

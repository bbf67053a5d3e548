//! The nets of chapters 6 and 7 have the book's sizes, take narrower ones, and every parameter learns.

use std::sync::Mutex;

use cnn::sections::alexnet::alexnet_at;
use cnn::sections::densenet::{Features, four_blocks};
use cnn::sections::googlenet::googlenet_at;
use cnn::sections::nin::nin_at;
use cnn::sections::resnet::{Shortcut, eighteen_layers};
use cnn::sections::vgg::vgg_at;
use cnn::{VGG_11, alexnet, densenet, googlenet, lenet, narrower, nin, resnet18, vgg};
use d2l::nn::is_buffer;
use d2l::prelude::*;
use d2l::random::normal;

const CPU: Device = Device::Cpu;

/// Nets of gigabytes are built one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Checks a classifier of ten classes: its number of parameters, its logits for random images, and that each parameter
/// has a finite gradient that is not zero. The counts are PyTorch's for the same nets: `scripts/bench/torch_bench.py`
/// prints those at the book's size.
fn check(
    net: impl FnOnce(&VarBuilder) -> Result<Sequential>,
    (batch, side): (usize, usize),
    count: usize,
) -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock();
    let random = Random::new(1);
    let parameters = Parameters::new(&random, &CPU);
    let net = net(&parameters.builder())?;
    assert_eq!(parameters.count(), count);
    let images = normal(&mut random.stream(Purpose::Sampling, "images"), 0.0, 1.0, (batch, 1, side, side), &CPU)?;
    let logits = net.forward_t(&images, true)?;
    assert_eq!(logits.dims(), [batch, 10]);
    let labels = Tensor::arange(0u32, batch as u32, &CPU)?;
    let grads = backward(&cross_entropy(&logits, &labels, Reduction::Mean)?)?;
    for (name, variable) in parameters.named().into_iter().filter(|(name, _)| !is_buffer(name)) {
        let grad = grads.get(&variable).unwrap_or_else(|error| panic!("{name}: {error}"));
        let size = grad.abs()?.sum_all()?.to_scalar::<f32>()?;
        assert!(size.is_finite(), "the gradient of {name} is not finite");
        assert!(size > 0.0 || bias_before_norm(&name), "the gradient of {name} is zero");
    }
    Ok(())
}

/// Batch normalization takes away whatever the bias of a convolution before it adds: its gradient is zero but for
/// rounding.
fn bias_before_norm(name: &str) -> bool {
    ["conv.bias", "conv1.bias", "conv2.bias", "shortcut.bias"].iter().any(|end| name.ends_with(end))
}

#[test]
fn lenet_has_the_books_size() -> Result<()> {
    check(lenet, (2, 28), 61_706)
}

#[test]
fn alexnet_has_the_books_size_and_narrower_ones() -> Result<()> {
    check(alexnet, (1, 224), 46_764_746)?;
    check(|vb| alexnet_at(67, 8, vb), (2, 67), 344_290)
}

#[test]
fn vgg_has_the_books_size_and_narrower_ones() -> Result<()> {
    check(|vb| vgg(&narrower(VGG_11, 4), vb), (1, 224), 43_093_322)?;
    let narrow = narrower(VGG_11, 16);
    check(|vb| vgg_at(32, &narrow, 64, vb), (2, 32), 43_130)
}

#[test]
fn vgg_11_itself_has_the_books_size() -> Result<()> {
    let _turn = ONE_AT_A_TIME.lock();
    let parameters = Parameters::new(&Random::new(1), &CPU);
    vgg(&VGG_11, &parameters.builder())?;
    assert_eq!(parameters.count(), 128_806_154);
    Ok(())
}

#[test]
fn nin_has_the_books_size_and_narrower_ones() -> Result<()> {
    check(nin, (2, 67), 1_992_166)?;
    check(|vb| nin_at(4, vb), (2, 67), 133_798)
}

#[test]
fn googlenet_has_the_books_size_and_narrower_ones() -> Result<()> {
    check(googlenet, (2, 32), 5_977_530)?;
    check(|vb| googlenet_at(4, vb), (2, 32), 377_478)
}

#[test]
fn resnet_has_the_books_size_and_narrower_ones() -> Result<()> {
    check(resnet18, (2, 64), 11_178_378)?;
    check(|vb| eighteen_layers(4, Shortcut::Added, vb), (2, 32), 702_570)?;
    // Without the three 1×1 convolutions of the shortcuts.
    check(|vb| eighteen_layers(1, Shortcut::None, vb), (2, 64), 11_005_450)
}

#[test]
fn densenet_has_the_books_size_and_narrower_ones() -> Result<()> {
    check(densenet, (2, 64), 758_226)?;
    check(|vb| four_blocks(2, Features::Appended, vb), (2, 32), 192_846)?;
    check(|vb| four_blocks(8, Features::Replaced, vb), (2, 32), 65_461)
}

#[test]
fn images_too_small_for_a_net_are_an_error() {
    let parameters = Parameters::new(&Random::new(1), &CPU);
    let error = vgg_at(31, &VGG_11, 8, &parameters.builder()).map(drop).expect_err("too small").to_string();
    assert!(error.contains("31") && error.contains("32"), "{error}");
    let error = alexnet_at(60, 8, &parameters.builder()).map(drop).expect_err("too small").to_string();
    assert!(error.contains("60") && error.contains("67"), "{error}");
}

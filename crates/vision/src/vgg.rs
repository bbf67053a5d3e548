//! The features of VGG-19 (Simonyan and Zisserman, 2015), as trained on ImageNet (section 13.12).

use std::path::Path;

use d2l::checkpoint::{Checkpoint, read_pytorch_part};
use d2l::data::hub::Hub;
use d2l::data::{DataError, Source};
use d2l::ops::{Conv2dConfig, Pool2dConfig, conv2d, max_pool2d, relu};
use d2l::prelude::*;

use crate::labeled_pictures::Normalization;
use crate::pretrained::read_packed;

/// Torchvision's index of each convolution up to `conv5_1`, the channels that it takes and those that it gives.
const LAYERS: [(usize, usize, usize); 13] = [
    (0, 3, 64),
    (2, 64, 64),
    (5, 64, 128),
    (7, 128, 128),
    (10, 128, 256),
    (12, 256, 256),
    (14, 256, 256),
    (16, 256, 256),
    (19, 256, 512),
    (21, 512, 512),
    (23, 512, 512),
    (25, 512, 512),
    (28, 512, 512),
];

/// The convolutions that a pooling stands before.
const AFTER_POOLING: [usize; 4] = [5, 10, 19, 28];

/// How large the features of the authors' own weights are in the mean, by the layer, on the section's photograph at
/// 240 x 160 pixels. They are larger than torchvision's, which the book's weights of the losses are made for.
const OXFORD_MEANS: &[(usize, f64)] = &[(0, 22.9), (5, 129.0), (10, 132.0), (19, 502.0), (25, 39.6), (28, 40.7)];

/// A convolution whose weights stay as they are.
#[derive(Debug, Clone)]
struct Layer {
    index: usize,
    /// `(outputs, inputs, 3, 3)`.
    weight: Tensor,
    /// `(outputs)`.
    bias: Tensor,
}

/// The first thirteen convolutions of VGG-19, each but the last followed by a ReLU, with poolings that halve height and
/// width four times. The weights are constants: gradients pass through them to the picture.
#[derive(Debug, Clone)]
pub struct Vgg19 {
    layers: Vec<Layer>,
    /// What the features of a layer are divided by; 1 where it is not named.
    scales: &'static [(usize, f64)],
}

impl Vgg19 {
    /// The net from weights with torchvision's names, `features.0.weight` and so on; `path` is for the errors.
    ///
    /// # Errors
    /// Where a tensor is missing or has another shape; the error names the file and the tensor.
    pub fn from_checkpoint(weights: &Checkpoint, path: &Path) -> Result<Self, DataError> {
        let layers = LAYERS.map(|(index, inputs, outputs)| {
            let weight = tensor(weights, path, &format!("features.{index}.weight"), &[outputs, inputs, 3, 3])?;
            let bias = tensor(weights, path, &format!("features.{index}.bias"), &[outputs])?;
            Ok(Layer { index, weight, bias })
        });
        Ok(Self { layers: layers.into_iter().collect::<Result<_, DataError>>()?, scales: &[] })
    }

    /// The net from its authors' own weights, of eight bits each: `features.0.weight` of bytes, with the numbers
    /// `features.0.weight.scale` and `features.0.weight.min`, and so on.
    ///
    /// # Errors
    /// As [`Vgg19::from_checkpoint`].
    pub fn from_eight_bits(weights: &Checkpoint, path: &Path) -> Result<Self, DataError> {
        let number = |name: String| -> Result<f64, DataError> {
            Ok(f64::from(tensor(weights, path, &name, &[1])?.get(0)?.to_scalar::<f32>()?))
        };
        let layers = LAYERS.map(|(index, inputs, outputs)| {
            let name = format!("features.{index}.weight");
            let (scale, least) = (number(format!("{name}.scale"))?, number(format!("{name}.min"))?);
            let weight = tensor(weights, path, &name, &[outputs, inputs, 3, 3])?.affine(scale, least)?;
            let weight = if index == 0 { of_normalized_rgb(&weight)? } else { weight };
            Ok(Layer { index, weight, bias: tensor(weights, path, &format!("features.{index}.bias"), &[outputs])? })
        });
        Ok(Self { layers: layers.into_iter().collect::<Result<_, DataError>>()?, scales: OXFORD_MEANS })
    }

    /// A net of random weights, the same ones for a seed (He et al., 2015), and of no biases.
    ///
    /// # Errors
    /// What making the tensors gives.
    pub fn random(seed: u64) -> Result<Self> {
        let mut stream = Random::new(seed).stream(Purpose::Initialization, "vgg19");
        let layers = LAYERS.map(|(index, inputs, outputs)| {
            let bound = (6.0 / (9 * inputs) as f64).sqrt();
            let shape = (outputs, inputs, 3, 3);
            let weight = d2l::random::uniform(&mut stream, -bound, bound, shape, &Device::Cpu)?;
            Ok(Layer { index, weight, bias: Tensor::zeros(outputs, DType::F32, &Device::Cpu)? })
        });
        Ok(Self { layers: layers.into_iter().collect::<Result<_>>()?, scales: &[] })
    }

    /// The net on another device.
    ///
    /// # Errors
    /// What the device gives.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let layers = self.layers.iter().map(|Layer { index, weight, bias }| {
            Ok(Layer { index: *index, weight: weight.to_device(device)?, bias: bias.to_device(device)? })
        });
        Ok(Self { layers: layers.collect::<Result<_>>()?, scales: self.scales })
    }

    /// What the convolutions with torchvision's indices in `wanted` give, before their ReLU, in the order of `wanted`,
    /// computed no further than the last of them. For pictures `(batch, 3, height, width)`, normalized as
    /// [`Normalization::IMAGENET`] has it, those are `(batch, channels, height / 2ⁿ, width / 2ⁿ)` after `n` poolings.
    ///
    /// # Errors
    /// Where no convolution has an index, or a picture is too small: 16 pixels a side are enough.
    pub fn features(&self, x: &Tensor, wanted: &[usize]) -> Result<Vec<Tensor>> {
        if let Some(odd) = wanted.iter().find(|&&index| self.layers.iter().all(|layer| layer.index != index)) {
            candle_core::bail!("VGG-19 has no convolution at {odd} up to conv5_1, which is at 28");
        }
        let Some(&last) = wanted.iter().max() else { return Ok(Vec::new()) };
        let padded = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
        let mut outputs: Vec<(usize, Tensor)> = Vec::new();
        let mut x = x.clone();
        for Layer { index, weight, bias } in self.layers.iter().take_while(|layer| layer.index <= last) {
            if *index > 0 {
                x = relu(&x)?;
            }
            if AFTER_POOLING.contains(index) {
                x = max_pool2d(&x, &Pool2dConfig::new((2, 2)))?;
            }
            x = conv2d(&x, weight, Some(bias), &padded)?;
            if wanted.contains(index) {
                let scale = self.scales.iter().find(|(layer, _)| layer == index);
                outputs.push((*index, scale.map_or_else(|| Ok(x.clone()), |(_, scale)| &x / *scale)?));
            }
        }
        let of = |index: &usize| outputs.iter().find(|(layer, _)| layer == index).map(|(_, output)| output.clone());
        Ok(wanted.iter().filter_map(of).collect())
    }
}

/// A tensor of a file, in `f32`.
fn tensor(weights: &Checkpoint, path: &Path, name: &str, shape: &[usize]) -> Result<Tensor, DataError> {
    let path = path.display();
    match weights.tensors().get(name) {
        None => Err(DataError::invalid(format!("{path}: no weights of VGG-19: the tensor {name} is missing"))),
        Some(found) if found.dims() != shape => {
            let dims = found.dims();
            Err(DataError::invalid(format!("{path}: the tensor {name} is {dims:?}, where VGG-19's is {shape:?}")))
        }
        Some(found) => Ok(found.to_dtype(DType::F32)?),
    }
}

/// Turns the first layer's weights `(outputs, 3, height, width)` for blue, green and red from 0 to 255, less their
/// means, into those for red, green and blue that were divided by their deviations as well.
fn of_normalized_rgb(weight: &Tensor) -> Result<Tensor> {
    let reversed = weight.index_select(&Tensor::new(&[2u32, 1, 0], weight.device())?, 1)?;
    let std = Tensor::new(&Normalization::IMAGENET.std, weight.device())?.reshape((1, 3, 1, 1))?;
    reversed.broadcast_mul(&std)
}

impl Source for Vgg19 {
    const SAMPLE_NOTICE: &'static str = "no pretrained weights could be had, so the features are those of a net of \
         random weights, which has learned nothing of pictures.";

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        match hub.fetch("vgg19") {
            Ok(path) => {
                let names: Vec<String> = LAYERS
                    .iter()
                    .flat_map(|(index, ..)| ["weight", "bias"].map(|part| format!("features.{index}.{part}")))
                    .collect();
                // Most of the file is layers that come later.
                let is_wanted = |name: &str| names.iter().any(|wanted| wanted == name);
                let weights = read_pytorch_part(&path, None, &Device::Cpu, is_wanted).map_err(DataError::other)?;
                Self::from_checkpoint(&weights, &path)
            }
            Err(error) => {
                // If no other weights can be had, the error of the book's says more.
                let path = hub.fetch("vgg19-oxford").map_err(|_| error)?;
                Self::from_eight_bits(&read_packed(&path)?, &path)
            }
        }
    }

    fn stand_in(&self) -> Option<&'static str> {
        (!self.scales.is_empty()).then_some(
            "torchvision's weights of VGG-19 could not be had: the authors' own with eight bits each are used, and the \
             features divided by their mean so that the book's weights of the losses fit.",
        )
    }

    /// A net of random weights.
    fn sample() -> Result<Self, DataError> {
        Ok(Self::random(19)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn features_have_the_shapes_of_their_layers() -> Outcome {
        let net = Vgg19::random(1)?;
        let mut stream = Random::new(2).stream(Purpose::Sampling, "picture");
        let x = d2l::random::normal(&mut stream, 0.0, 1.0, (1, 3, 32, 48), &Device::Cpu)?;
        let features = net.features(&x, &[0, 5, 10, 19, 28, 25])?;
        let shapes: Vec<&[usize]> = features.iter().map(Tensor::dims).collect();
        let expected: [&[usize]; 6] =
            [&[1, 64, 32, 48], &[1, 128, 16, 24], &[1, 256, 8, 12], &[1, 512, 4, 6], &[1, 512, 2, 3], &[1, 512, 4, 6]];
        assert_eq!(shapes, expected);
        assert!(features[4].flatten_all()?.to_vec1::<f32>()?.iter().any(|&value| value < 0.0), "no ReLU comes after");
        assert!(net.features(&x, &[1]).expect_err("a ReLU").to_string().contains("at 1"));
        assert!(net.features(&x, &[])?.is_empty());
        Ok(())
    }

    #[test]
    fn features_are_divided_by_their_scales() -> Outcome {
        let net = Vgg19::random(1)?;
        let x = Tensor::ones((1, 3, 16, 16), DType::F32, &Device::Cpu)?;
        let (plain, scaled) = (net.features(&x, &[0, 5])?, Vgg19 { scales: &[(0, 4.0)], ..net }.features(&x, &[0, 5])?);
        let values = |x: &Tensor| x.flatten_all()?.to_vec1::<f32>();
        assert_eq!(values(&scaled[0])?, values(&plain[0])?.iter().map(|value| value / 4.0).collect::<Vec<_>>());
        assert_eq!(values(&scaled[1])?, values(&plain[1])?, "what comes later does not depend on it");
        Ok(())
    }

    #[test]
    fn weights_of_another_net_are_refused() -> Outcome {
        let path = Path::new("nets/alexnet.pth");
        let first = Tensor::zeros((64, 3, 11, 11), DType::F32, &Device::Cpu)?;
        let other = Checkpoint::new([("features.0.weight", first)]);
        for error in [Vgg19::from_checkpoint(&other, path), Vgg19::from_checkpoint(&Checkpoint::default(), path)] {
            let error = error.expect_err("another net").to_string();
            assert!(error.contains("nets/alexnet.pth") && error.contains("features.0.weight"), "{error}");
        }
        let error = Vgg19::from_eight_bits(&other, path).expect_err("no scale").to_string();
        assert!(error.contains("nets/alexnet.pth") && error.contains("features.0.weight.scale"), "{error}");
        Ok(())
    }

    #[test]
    fn channels_turn_around_and_take_their_deviations() -> Outcome {
        let blue_green_red = Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu)?.reshape((1, 3, 1, 1))?;
        let [red, green, blue] = Normalization::IMAGENET.std;
        let turned = of_normalized_rgb(&blue_green_red)?.flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(turned, [3.0 * red, 2.0 * green, blue]);
        Ok(())
    }

    /// The first layer's bytes are its channels' numbers; from the second on all are 3, and the weights `3 / 2 - 1`.
    #[test]
    fn eight_bits_become_weights() -> Outcome {
        let channels = Tensor::new(&[0u8, 1, 2], &Device::Cpu)?.reshape((1, 3, 1, 1))?;
        let mut tensors = Vec::new();
        for (index, inputs, outputs) in LAYERS {
            let name = format!("features.{index}.weight");
            let number = |value: f32| Tensor::new(&[value], &Device::Cpu);
            let bytes = match index {
                0 => channels.broadcast_as((outputs, 3, 3, 3))?,
                _ => Tensor::full(3u8, (outputs, inputs, 3, 3), &Device::Cpu)?,
            };
            tensors.push((format!("{name}.scale"), number(0.5)?));
            tensors.push((format!("{name}.min"), number(-1.0)?));
            tensors.push((name, bytes.contiguous()?));
            tensors.push((format!("features.{index}.bias"), Tensor::ones(outputs, DType::F32, &Device::Cpu)?));
        }
        let net = Vgg19::from_eight_bits(&Checkpoint::new(tensors), Path::new("tiny"))?;
        assert!(net.stand_in().is_some());
        let [red, green, blue] = Normalization::IMAGENET.std;
        let first = net.layers[0].weight.i((63, .., 2, 1))?.to_vec1::<f32>()?;
        assert_eq!(first, [0.0 * red, -0.5 * green, -blue]);
        assert_eq!(net.layers[1].weight.i((5, 7, 0, 2))?.to_scalar::<f32>()?, 0.5);
        assert_eq!(net.layers[12].bias.get(511)?.to_scalar::<f32>()?, 1.0);
        Ok(())
    }
}

//! What a trained classifier has learned: the outputs of its layers, what a unit sees, which classes it confuses and
//! where it is most wrong.

use anyhow::{Context, Result};
use d2l::data::fashion_mnist::{ImageLoader, LABELS};
use d2l::nn::Sequential;
use d2l::ops::{Reduction, backward, cross_entropy};
use d2l::prelude::{D, IndexOp, ModuleT, Tensor, Var};

/// The output of each layer of a net in inference, in order, with the layer's name.
pub fn outputs(net: &Sequential, x: &Tensor) -> Result<Vec<(String, Tensor)>> {
    let mut x = x.clone();
    net.iter()
        .map(|(name, layer)| {
            x = layer.forward_t(&x, false)?;
            Ok((name.to_string(), x.clone()))
        })
        .collect()
}

/// How strongly each pixel of the image `x` `(1, channels, height, width)` moves the unit in the middle of a layer's
/// output, whose channels are summed: the size of the gradient as a share of the largest, `(height, width)`. Zero
/// outside of the unit's receptive field.
///
/// # Errors
/// Where the net has no such layer, or the layer's output is not `(1, channels, height, width)`.
pub fn receptive_field(net: &Sequential, layer: &str, x: &Tensor) -> Result<Tensor> {
    let x = Var::from_tensor(x)?;
    let outputs = outputs(net, x.as_tensor())?;
    let (_, y) = outputs.iter().find(|(name, _)| name == layer).with_context(|| format!("no layer {layer}"))?;
    let (_, _, height, width) = y.dims4()?;
    let unit = y.i((0, .., height / 2, width / 2))?.sum_all()?;
    let grads = backward(&unit)?;
    let gradient = grads.get(&x).with_context(|| format!("layer {layer}"))?;
    let size = gradient.abs()?.sum(1)?.squeeze(0)?; // (height, width)
    Ok(size.broadcast_div(&size.max_all()?)?)
}

/// The height and width of the part of a map `(height, width)` that is not zero.
pub fn extent(map: &Tensor) -> Result<(usize, usize)> {
    let positive = |sums: Vec<f32>| {
        let inside = |&(_, &sum): &(usize, &f32)| sum > 0.0;
        let first = sums.iter().enumerate().find(inside).map(|(i, _)| i);
        let last = sums.iter().enumerate().rfind(inside).map(|(i, _)| i);
        first.zip(last).map_or(0, |(first, last)| last - first + 1)
    };
    let map = map.abs()?;
    Ok((positive(map.sum(1)?.to_vec1()?), positive(map.sum(0)?.to_vec1()?)))
}

/// How often images of the class of a row were taken for the class of a column: `(10, 10)`.
pub fn confusion_matrix(net: &impl ModuleT, images: &mut ImageLoader) -> Result<Vec<Vec<u32>>> {
    let mut counts = vec![vec![0; LABELS.len()]; LABELS.len()];
    for batch in images.epoch() {
        let (x, y) = batch?;
        let predicted = net.forward_t(&x, false)?.detach().argmax(D::Minus1)?.to_vec1::<u32>()?; // (batch)
        for (label, predicted) in y.to_vec1::<u32>()?.into_iter().zip(predicted) {
            counts[label as usize][predicted as usize] += 1;
        }
    }
    Ok(counts)
}

/// An image that a net takes for something else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mistake {
    /// The image's place in the set.
    pub index: usize,
    /// Its class.
    pub label: u32,
    /// The class that the net gives it.
    pub predicted: u32,
    /// The cross-entropy: how improbable the net finds the true class, as the negative logarithm.
    pub loss: f32,
}

/// The wrong predictions of a loader that is not shuffled, the worst first.
pub fn mistakes(net: &impl ModuleT, images: &mut ImageLoader) -> Result<Vec<Mistake>> {
    let mut found = Vec::new();
    let mut index = 0;
    for batch in images.epoch() {
        let (x, y) = batch?;
        let scores = net.forward_t(&x, false)?.detach(); // (batch, 10)
        let losses = cross_entropy(&scores, &y, Reduction::None)?.to_vec1::<f32>()?;
        let predicted = scores.argmax(D::Minus1)?.to_vec1::<u32>()?;
        for ((label, predicted), loss) in y.to_vec1::<u32>()?.into_iter().zip(predicted).zip(losses) {
            if label != predicted {
                found.push(Mistake { index, label, predicted, loss });
            }
            index += 1;
        }
    }
    found.sort_by(|a, b| b.loss.total_cmp(&a.loss));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use d2l::data::Loader;
    use d2l::data::Source;
    use d2l::data::fashion_mnist::FashionMnist;
    use d2l::nn::{Conv2d, Parameters, VarBuilder};
    use d2l::ops::Conv2dConfig;
    use d2l::prelude::{DType, Device};
    use d2l::random::Random;

    use super::*;

    fn two_convolutions() -> Result<Sequential> {
        let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
        let same = Conv2dConfig { padding: (1, 1), ..Conv2dConfig::default() };
        let conv = |vb: &VarBuilder| Conv2d::new(1, 1, (3, 3), same, vb);
        Ok(Sequential::with_parameters(&parameters.builder()).layer("first", conv)?.layer("second", conv)?)
    }

    #[test]
    fn two_windows_of_three_see_five_pixels() -> Result<()> {
        let (net, x) = (two_convolutions()?, Tensor::ones((1, 1, 9, 9), DType::F32, &Device::Cpu)?);
        for (layer, side) in [("first", 3), ("second", 5)] {
            let field = receptive_field(&net, layer, &x)?;
            assert_eq!(extent(&field)?, (side, side));
            assert_eq!(field.max_all()?.to_scalar::<f32>()?, 1.0);
        }
        assert!(receptive_field(&net, "third", &x).expect_err("no such layer").to_string().contains("third"));
        assert_eq!(outputs(&net, &x)?.len(), 2);
        Ok(())
    }

    #[test]
    fn a_net_that_says_bag_is_right_about_bags() -> Result<()> {
        let net = |x: &Tensor| {
            let bag = Tensor::new(&[[0f32, 0., 0., 0., 0., 0., 0., 0., 3., 0.]], x.device())?;
            bag.broadcast_as((x.dim(0)?, 10))?.contiguous()
        };
        let test = FashionMnist::sample()?.test.first(100)?;
        let bags = test.labels().iter().filter(|&&label| label == 8).count();
        let mut images = Loader::new(test, 32, &Device::Cpu)?;
        let counts = confusion_matrix(&net, &mut images)?;
        assert_eq!(counts[8][8] as usize, bags);
        assert_eq!(counts.iter().map(|row| row[8]).sum::<u32>(), 100);
        let mistakes = mistakes(&net, &mut images)?;
        assert_eq!(mistakes.len(), 100 - bags);
        assert!(mistakes.iter().all(|mistake| mistake.predicted == 8 && mistake.label != 8));
        Ok(())
    }
}

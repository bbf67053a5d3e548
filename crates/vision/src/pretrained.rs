//! Nets that others have trained on ImageNet, each with the names of torchvision's parameters (sections 13.2, 13.11 and 13.14).

use std::io::Read as _;
use std::path::Path;

use d2l::checkpoint::{Checkpoint, read_pytorch};
use d2l::data::hub::{Hub, HubError};
use d2l::data::{DataError, Source};
use d2l::nn::{Conv2d, Flatten, GlobalAvgPool2d, Linear};
use d2l::ops::{Conv2dConfig, relu};
use d2l::prelude::*;

use crate::efficientnet::efficientnet_body;
use crate::labeled_pictures::Normalization;
use crate::resnet::resnet_body;
use crate::squeezenet::squeezenet_body;

/// Which net's weights there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// He et al. (2016), with torchvision's weights: the book's.
    ResNet18,
    /// The same with twice as many blocks, for section 13.14.
    ResNet34,
    /// The smallest EfficientNet (Tan and Le, 2019) without what small devices lack, as TensorFlow's authors trained it.
    EfficientNetLite0,
    /// Iandola et al. (2016), with the pruned weights of Han, Mao and Dally: a fiftieth of AlexNet's size.
    SqueezeNet,
}

impl Architecture {
    /// The layers before the output: pictures `(batch, 3, height, width)` to features `(batch, channels, rows, columns)`, a
    /// cell for [`Architecture::stride`] pixels each way. With `keep_statistics` the normalizations keep the statistics that
    /// come with the weights, also in training.
    ///
    /// # Errors
    /// Where the parameters exist with other shapes.
    pub fn body(self, keep_statistics: bool, vb: &VarBuilder) -> Result<Body> {
        let layers = match self {
            Self::ResNet18 => resnet_body([2, 2, 2, 2], vb)?,
            Self::ResNet34 => resnet_body([3, 4, 6, 3], vb)?,
            Self::EfficientNetLite0 => efficientnet_body(vb)?,
            Self::SqueezeNet => squeezenet_body(vb)?,
        };
        Ok(Body { layers, keep_statistics })
    }

    /// Channels of the features.
    pub fn channels(self) -> usize {
        if self == Self::EfficientNetLite0 { 1280 } else { 512 }
    }

    /// Pixels each way for a cell of the features.
    pub fn stride(self) -> usize {
        if self == Self::SqueezeNet { 16 } else { 32 }
    }

    /// The net for so many classes: pictures `(batch, 3, side, side)` to logits `(batch, classes)`. `output` names the
    /// layer before the logits; the weights' own is [`Architecture::output`]. `keep_statistics` is [`Architecture::body`]'s.
    ///
    /// # Errors
    /// Where the parameters exist with other shapes.
    pub fn net(self, classes: usize, output: &str, keep_statistics: bool, vb: &VarBuilder) -> Result<Sequential> {
        let body = self.body(keep_statistics, vb)?;
        let vb = vb.pp(output);
        Ok(match self {
            // Its output is a convolution, whose scores of all places are averaged.
            Self::SqueezeNet => {
                let scores = Conv2d::new(512, classes, (1, 1), Conv2dConfig::default(), &vb)?;
                Sequential::new().add(body).add(scores).add(relu_of(classes)).add(GlobalAvgPool2d).add(Flatten)
            }
            _ => {
                let output = Linear::new(self.channels(), classes, &vb)?;
                Sequential::new().add(body).add(GlobalAvgPool2d).add(Flatten).add(output)
            }
        })
    }

    /// The name of the weights' output layer.
    pub fn output(self) -> &'static str {
        match self {
            Self::ResNet18 | Self::ResNet34 => "fc",
            Self::EfficientNetLite0 => "_fc",
            Self::SqueezeNet => "classifier.1",
        }
    }

    /// What its input has to be.
    pub fn normalization(self) -> Normalization {
        match self {
            Self::ResNet18 | Self::ResNet34 => Normalization::IMAGENET,
            Self::EfficientNetLite0 => Normalization { mean: [127.0; 3], std: [128.0; 3], reversed: false },
            Self::SqueezeNet => Normalization::CAFFE,
        }
    }

    /// What a run says of this net in the place of the book's.
    fn stand_in(self, books: Self) -> Option<&'static str> {
        match (books, self) {
            (Self::ResNet34, Self::ResNet18) => {
                Some("the weights of ResNet-34 could not be had: those of ResNet-18 are used, of half its parameters.")
            }
            (Self::ResNet34, Self::EfficientNetLite0) => Some(
                "the weights of ResNet-34 could not be had: EfficientNet-Lite0 is used instead, of a fifth of its \
                 parameters.",
            ),
            (Self::ResNet34, Self::SqueezeNet) => Some(
                "the weights of ResNet-34 could not be had: SqueezeNet is used instead, of a seventeenth of its parameters.",
            ),
            (_, Self::EfficientNetLite0) => Some(
                "the weights of ResNet-18 could not be had: EfficientNet-Lite0 is fine-tuned instead, of less than half its \
                 parameters.",
            ),
            (_, Self::SqueezeNet) => Some(
                "the weights of ResNet-18 could not be had: SqueezeNet is fine-tuned instead, of a ninth of its parameters.",
            ),
            _ => None,
        }
    }
}

/// The layers before the output.
pub struct Body {
    layers: Sequential,
    keep_statistics: bool,
}

impl Body {
    /// The layers themselves.
    pub fn layers(&self) -> &Sequential {
        &self.layers
    }
}

impl ModuleT for Body {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.layers.forward_t(x, train && !self.keep_statistics)
    }
}

/// SqueezeNet cuts negative scores off before it averages them; for a new output of a few classes that would only keep it
/// from learning. The dropout before its output is left out: it changes nothing where the net is only asked.
fn relu_of(classes: usize) -> impl Fn(&Tensor) -> Result<Tensor> {
    move |x| if classes == 1000 { relu(x) } else { Ok(x.clone()) }
}

/// The weights of a net, if any could be had.
#[derive(Debug, Clone)]
pub struct Pretrained {
    /// Whose they are.
    pub architecture: Architecture,
    /// None at smoke scale and where they could not be had.
    pub weights: Option<Checkpoint>,
}

impl Pretrained {
    /// Of the nets from `first` on, the first whose weights can be had.
    fn fetch_from(first: Architecture, hub: &Hub) -> Result<Self, DataError> {
        let read =
            |name: &str| hub.fetch(name).map(|path| read_pytorch(path, None, &Device::Cpu).map_err(DataError::other));
        let nets = [
            (Architecture::ResNet34, "resnet34"),
            (Architecture::ResNet18, "resnet18"),
            (Architecture::EfficientNetLite0, "efficientnet-lite0"),
        ];
        // If no other weights can be had, the error of the book's says more.
        let mut of_the_books: Option<HubError> = None;
        for (architecture, name) in nets.into_iter().skip_while(|(net, _)| *net != first) {
            match read(name) {
                Ok(weights) => return Ok(Self { architecture, weights: Some(weights?) }),
                Err(error) => _ = of_the_books.get_or_insert(error),
            }
        }
        let path = hub.fetch("squeezenet1_0").map_err(|error| of_the_books.unwrap_or(error))?;
        Ok(Self { architecture: Architecture::SqueezeNet, weights: Some(read_packed(&path)?) })
    }
}

/// Reads a safetensors file that gzip has packed.
pub(crate) fn read_packed(path: &Path) -> Result<Checkpoint, DataError> {
    let file = std::fs::File::open(path).map_err(|reason| DataError::read(path, reason))?;
    let mut unpacked = Vec::new();
    // The weights have some million bytes; a file that is more than proven by its hash is not read at all.
    let mut reader = flate2::read::GzDecoder::new(file).take(1 << 26);
    reader.read_to_end(&mut unpacked).map_err(|reason| DataError::read(path, reason))?;
    let tensors = candle_core::safetensors::load_buffer(&unpacked, &Device::Cpu)?;
    Ok(Checkpoint::new(tensors))
}

const SAMPLE_NOTICE: &str = "no pretrained weights could be had, so the net starts from random values, as an untrained one \
     does, and is no better.";

impl Source for Pretrained {
    const SAMPLE_NOTICE: &'static str = SAMPLE_NOTICE;

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Self::fetch_from(Architecture::ResNet18, hub)
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.weights.as_ref().and_then(|_| self.architecture.stand_in(Architecture::ResNet18))
    }

    /// No weights at all.
    fn sample() -> Result<Self, DataError> {
        Ok(Self { architecture: Architecture::EfficientNetLite0, weights: None })
    }
}

/// [`Pretrained`] from the larger net on that section 13.14 takes.
#[derive(Debug, Clone)]
pub struct LargerPretrained(pub Pretrained);

impl Source for LargerPretrained {
    const SAMPLE_NOTICE: &'static str = SAMPLE_NOTICE;

    fn fetch(hub: &Hub) -> Result<Self, DataError> {
        Pretrained::fetch_from(Architecture::ResNet34, hub).map(Self)
    }

    fn stand_in(&self) -> Option<&'static str> {
        self.0.weights.as_ref().and_then(|_| self.0.architecture.stand_in(Architecture::ResNet34))
    }

    /// No weights at all.
    fn sample() -> Result<Self, DataError> {
        Pretrained::sample().map(Self)
    }
}

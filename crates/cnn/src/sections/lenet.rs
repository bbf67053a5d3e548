//! 6.6 Convolutional Neural Networks (LeNet)
//!
//! Two convolutions and three linear layers on Fashion-MNIST, trained, and then looked into: filters, feature maps,
//! receptive fields, confusions and the worst mistakes.
//!
//! `cargo run --release -p cnn -- lenet`
//! Ten epochs: training loss 0.46 to 0.48, training accuracy 0.82, test accuracy 0.79 to 0.82; a minute on two cores.

use d2l::data::fashion_mnist::{FashionMnist, LABELS, label_names};
use d2l::nn::{AvgPool2d, Conv2d, Flatten, Linear, init};
use d2l::ops::{Conv2dConfig, Pool2dConfig, sigmoid};
use d2l::plot::{HeatMaps, Image, ImageGrid};
use d2l::prelude::*;

use crate::deep_net::cost;
use crate::inspection::{confusion_matrix, extent, mistakes, outputs, receptive_field};

/// Hyperparameters; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// Examples a minibatch
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate
    #[arg(long, default_value_t = 0.9, value_parser = positive)]
    pub lr: f64,
    /// Passes over the training images
    #[arg(long, default_value_t = 10, value_parser = count)]
    pub num_epochs: usize,
}

defaults! { Config: Smoke { batch_size: 32, num_epochs: 5 } }

/// LeNet (`LeCun` et al., 1998): from images `(batch, 1, 28, 28)` to logits `(batch, 10)`.
pub fn lenet(vb: &VarBuilder) -> Result<Sequential> {
    let same = Conv2dConfig { padding: (2, 2), ..Conv2dConfig::default() };
    let halve = AvgPool2d(Pool2dConfig::new((2, 2)));
    Sequential::with_parameters(vb)
        .layer("conv1", |vb| Conv2d::new(1, 6, (5, 5), same, vb))? // (batch, 6, 28, 28)
        .add_named("sigmoid1", sigmoid)
        .add_named("pool1", halve) // (batch, 6, 14, 14)
        .layer("conv2", |vb| Conv2d::new(6, 16, (5, 5), Conv2dConfig::default(), vb))? // (batch, 16, 10, 10)
        .add_named("sigmoid2", sigmoid)
        .add_named("pool2", halve) // (batch, 16, 5, 5)
        .add_named("flatten", Flatten) // (batch, 400)
        .layer("linear1", |vb| Linear::new(16 * 5 * 5, 120, vb))? // (batch, 120)
        .add_named("sigmoid3", sigmoid)
        .layer("linear2", |vb| Linear::new(120, 84, vb))? // (batch, 84)
        .add_named("sigmoid4", sigmoid)
        .layer("output", |vb| Linear::new(84, 10, vb)) // (batch, 10)
}

/// Draws the weights of linear and convolutional layers as Glorot and Bengio (2010) do; biases and what scales a
/// normalization stay as they are.
#[doc(alias = "init_weights")]
pub fn xavier(parameters: &Parameters) -> Result<()> {
    parameters.initialize(|_, shape| if shape.rank() > 1 { init::xavier_uniform(shape).map(Some) } else { Ok(None) })
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("LeNet")?;
    let parameters = nb.parameters();
    let net = lenet(&parameters.builder())?;
    cost(nb, &net, 28)?;

    nb.cell("Training")?;
    let (shuffle, set) = (nb.stream(Purpose::Shuffling, "training images"), nb.load::<FashionMnist>()?);
    let (mut images, mut test) = set.loaders(config.batch_size, None, shuffle, nb.device())?;
    xavier(&parameters)?;
    let mut optimizer = Sgd::new(&parameters, config.lr);
    let trainer = nb.trainer(config.num_epochs).with(&parameters);
    let history = trainer.fit_classifier(&net, &mut images, &mut test, &mut optimizer)?;
    nb.training(&history)?;

    nb.cell("Saving and loading")?;
    let file = nb.folder().join("lenet.safetensors");
    parameters.save(&file)?;
    let others = nb.parameters();
    let loaded = lenet(&others.builder())?;
    nb.show("test accuracy before loading", format!("{:.3}", evaluate_accuracy(&loaded, &mut test)?))?;
    others.load(&file)?;
    nb.show("test accuracy after", format!("{:.3}", evaluate_accuracy(&loaded, &mut test)?))?;

    nb.cell("Filters and feature maps")?;
    let filters = net.get::<Conv2d>("conv1")?.weight(); // (6, 1, 5, 5)
    let figure =
        HeatMaps::new(&filters.reshape((1, 6, 5, 5))?)?.titles((1..=6).map(|i| format!("filter {i}"))).diverging();
    nb.figure("filters", "The six filters of the first convolution, 5 by 5 weights each", figure)?;
    let (x, _) = test.dataset().batch(&[0], nb.device())?; // (1, 1, 28, 28)
    let outputs = outputs(&net, &x)?;
    for (layer, rows) in [("sigmoid1", 1), ("sigmoid2", 2)] {
        let Some((_, maps)) = outputs.iter().find(|(name, _)| name == layer) else { continue };
        let (_, channels, height, width) = maps.dims4()?;
        let maps = maps.reshape((rows, channels / rows, height, width))?;
        let alt = format!("What the channels of {layer} make of the first test image, an ankle boot");
        let titles = (1..=channels).map(|i| format!("{i}"));
        nb.figure(&format!("feature-maps-{layer}"), &alt, HeatMaps::new(&maps)?.titles(titles))?;
    }

    nb.cell("Receptive fields")?;
    let layers = ["conv1", "pool1", "conv2", "pool2"];
    let fields = layers.iter().map(|layer| receptive_field(&net, layer, &x)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut sizes = Table::new(["layer", "pixels that its middle unit sees"]);
    for (layer, field) in layers.iter().zip(&fields) {
        let (height, width) = extent(field)?;
        sizes.row([layer.to_string(), format!("{height} x {width}")]);
    }
    nb.say(sizes)?;
    let fields = Tensor::stack(&fields, 0)?.unsqueeze(0)?; // (1, 4, 28, 28)
    let alt = "How strongly each pixel moves the middle unit of four layers, as a share of the strongest";
    nb.figure("receptive-fields", alt, HeatMaps::new(&fields)?.titles(layers))?;

    nb.cell("Confusions")?;
    let counts = confusion_matrix(&net, &mut test)?;
    let mut recall = Table::new(["class", "recognised", "most often taken for"]);
    for (label, row) in counts.iter().enumerate() {
        let share = f64::from(row[label]) / f64::from(row.iter().sum::<u32>().max(1));
        let wrong = (0..row.len()).filter(|&other| other != label).max_by_key(|&other| row[other]);
        let wrong = wrong.map_or_else(String::new, |other| format!("{} ({})", LABELS[other], row[other]));
        recall.row([LABELS[label].to_string(), format!("{share:.3}"), wrong]);
    }
    nb.say(recall)?;
    let matrix = Tensor::new(counts, nb.device())?.to_dtype(DType::F32)?; // (10, 10)
    let figure = HeatMaps::new(&matrix)?.x_words(LABELS).y_words(LABELS).x_label("predicted").y_label("true class");
    nb.figure("confusion-matrix", "Test images by true class (rows) and predicted class (columns)", figure)?;

    nb.cell("The worst mistakes")?;
    let wrong = mistakes(&net, &mut Loader::new(test.dataset().clone(), 256, nb.device())?)?;
    nb.say(format!("{} of {} test images are taken for something else", wrong.len(), test.examples()))?;
    let worst = &wrong[..wrong.len().min(9)];
    let picture = |index| Ok(Image::from_tensor(&test.dataset().batch(&[index], nb.device())?.0.squeeze(0)?)?);
    let pictures = worst.iter().map(|mistake| picture(mistake.index)).collect::<anyhow::Result<Vec<_>>>()?;
    let truth: Vec<u32> = worst.iter().map(|mistake| mistake.label).collect();
    let predicted: Vec<u32> = worst.iter().map(|mistake| mistake.predicted).collect();
    let grid = ImageGrid::new(9, pictures).predictions(&label_names(&truth)?, &label_names(&predicted)?);
    nb.figure("worst-mistakes", "The nine test images with the largest loss, true label above the predicted one", grid)
}

#[cfg(test)]
mod tests {
    use d2l::random;

    use super::*;

    #[test]
    fn sigmoids_leave_little_gradient_for_the_first_layer() -> Result<()> {
        let random = Random::new(1);
        let parameters = Parameters::new(&random, &Device::Cpu);
        let net = lenet(&parameters.builder())?;
        xavier(&parameters)?;
        let mut stream = random.stream(Purpose::Sampling, "images");
        let x = random::uniform(&mut stream, 0.0, 1.0, (32, 1, 28, 28), &Device::Cpu)?;
        let labels = Tensor::from_vec((0..32u32).map(|i| i % 10).collect(), 32, &Device::Cpu)?;
        // How many times smaller the first layer's gradient is than the last one's, by root mean squares.
        let fading = |has_sigmoids: bool| -> Result<f64> {
            let mut layers = net.iter().filter(|(name, _)| has_sigmoids || !name.starts_with("sigmoid"));
            let logits = layers.try_fold(x.clone(), |x, (_, layer)| layer.forward_t(&x, true))?;
            let grads = backward(&cross_entropy(&logits, &labels, Reduction::Mean)?)?;
            let size = |name: &str| -> Result<f64> {
                let weight = parameters.get(name).expect("a parameter");
                Ok(f64::from(grads.get(&weight)?.sqr()?.mean_all()?.to_scalar::<f32>()?).sqrt())
            };
            Ok(size("output.weight")? / size("conv1.weight")?)
        };
        let (with, without) = (fading(true)?, fading(false)?);
        assert!(with > 100.0 && without < 10.0, "{with} with sigmoids, {without} without");
        Ok(())
    }
}

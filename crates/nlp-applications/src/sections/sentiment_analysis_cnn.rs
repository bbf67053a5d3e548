//! 15.3 Sentiment Analysis: Using Convolutional Neural Networks
//!
//! Convolutions along a review look for phrases of three to five words, and the strongest trace of each phrase decides.
//!
//! `cargo run --release -p nlp-applications -- sentiment-analysis-cnn` takes 10,000 reviews and 200 tokens of each: test accuracy
//! 0.80 in two minutes. `--scale book` takes all 25,000 and 500; the authors' runs end at 0.86 to 0.87.

use std::collections::HashMap;

use candle_core::bail;
use d2l::nn::{Conv1d, Dropout, Embedding, Init, Linear};
use d2l::ops::{Conv1dConfig, Conv2dConfig, concat, conv2d, embedding, max, relu, sum};
use d2l::optim::Adam;
use d2l::prelude::*;

use super::sentiment_analysis_rnn::{show_predictions, xavier_but_embeddings};
use crate::sentiment::{ReviewData, ReviewSettings, show_mistakes};

/// Hyperparameters; the defaults are the book's, but for the vectors.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    #[command(flatten)]
    #[serde(flatten)]
    pub reviews: ReviewSettings,
    /// Output channels of each convolution
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub num_channels: usize,
    /// The share of the features that training drops
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    pub dropout: f64,
    /// Learning rate
    #[arg(long, default_value_t = 0.001, value_parser = positive)]
    pub lr: f64,
}

defaults! { Config, on a CPU Laptop:
    Book { batch_size: 64, num_steps: 500, examples: 25000, test_examples: 25000, num_epochs: 5 }
    Laptop { num_steps: 200, examples: 10000, test_examples: 5000 }
    Smoke { batch_size: 16, num_steps: 40, num_channels: 8, examples: 160, test_examples: 80, num_epochs: 3, lr: 0.01 }
}

/// Slides the window `kernel` `(width)` along `x` `(steps)` and sums the products under it: `(steps − width + 1)`.
///
/// # Errors
/// Where the window is empty or longer than `x`.
pub fn corr1d(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let (steps, width) = (x.dims1()?, kernel.dims1()?);
    if width == 0 || width > steps {
        bail!("a window of {width} does not fit into a sequence of {steps}");
    }
    let sums = (0..=steps - width).map(|start| (x.narrow(0, start, width)? * kernel)?.sum_all());
    Tensor::stack(&sums.collect::<Result<Vec<_>>>()?, 0)
}

/// [`corr1d`] of each channel of `x` `(channels, steps)` with its own window of `kernel` `(channels, width)`, added up:
/// `(steps − width + 1)`.
///
/// # Errors
/// As [`corr1d`], and where there are no channels or not as many in both.
pub fn corr1d_multi_in(x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
    let (channels, windows) = (x.dim(0)?, kernel.dim(0)?);
    if channels == 0 || channels != windows {
        bail!("{windows} windows for {channels} channels: each needs one");
    }
    let outputs = (0..channels).map(|channel| corr1d(&x.i(channel)?, &kernel.i(channel)?));
    sum(&Tensor::stack(&outputs.collect::<Result<Vec<_>>>()?, 0)?, 0)
}

/// How many words the convolutions see at once.
const KERNEL_SIZES: [usize; 3] = [3, 4, 5];

/// `TextCNN` (Kim, 2014): from ids `(batch, steps)`, at least as many as the widest kernel, to logits `(batch, 2)`.
///
/// The strongest output of each channel over time goes on, as in the book's text; its PyTorch code takes the mean.
#[doc(alias = "TextCNN")]
pub struct TextCnn {
    embedding: Embedding,
    /// `(vocabulary, dimension)`: a constant, which is none of the parameters.
    constant_embedding: Tensor,
    convs: Vec<Conv1d>,
    dropout: Dropout,
    decoder: Linear,
}

impl TextCnn {
    /// A net with as many output channels for each of the kernel sizes, on the vectors of a vocabulary, `(vocabulary,
    /// dimension)`. Its parameters are `embedding.weight`, zero until [`TextCnn::start_from_vectors`], `convs.0.…` and so on,
    /// and `decoder.…`.
    ///
    /// # Errors
    /// Where `dropout` is not in `[0, 1]` or the parameters exist with other shapes.
    pub fn new(
        vectors: &Tensor,
        kernel_sizes: &[usize],
        num_channels: usize,
        dropout: f64,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let (vocabulary, dimension) = vectors.dims2()?;
        let (conv, vb_convs) = (Conv1dConfig::default(), vb.pp("convs"));
        let convs = kernel_sizes.iter().enumerate();
        let convs =
            convs.map(|(place, &size)| Conv1d::new(2 * dimension, num_channels, size, conv, &vb_convs.pp(place)));
        Ok(Self {
            embedding: Embedding::with_init(vocabulary, dimension, &vb.pp("embedding"), Init::Const(0.0))?,
            constant_embedding: vectors.detach(),
            convs: convs.collect::<Result<_>>()?,
            dropout: Dropout::new(dropout, &vb.pp("dropout"))?,
            decoder: Linear::new(kernel_sizes.len() * num_channels, 2, &vb.pp("decoder"))?,
        })
    }

    /// Gives the trained table the values of the constant one; `parameters` are those that the net was built from.
    ///
    /// # Errors
    /// Where they are not.
    pub fn start_from_vectors(&self, parameters: &Parameters) -> Result<()> {
        let table = self.embedding.weight().id();
        match parameters.trained().iter().find(|(_, parameter)| parameter.as_tensor().id() == table) {
            Some((_, parameter)) => parameter.set(&self.constant_embedding),
            None => bail!("these are the parameters of another net"),
        }
    }
}

impl ModuleT for TextCnn {
    fn forward_t(&self, ids: &Tensor, train: bool) -> Result<Tensor> {
        let tables = [self.embedding.forward(ids)?, embedding(ids, &self.constant_embedding)?];
        let x = concat(&tables, 2)?; // (batch, steps, 2 * dimension)
        // The numbers of a vector are the channels; in the order of memory once, rather than for each convolution.
        let x = x.transpose(1, 2)?.contiguous()?; // (batch, 2 * dimension, steps)
        // The largest of what ReLU leaves is what it leaves of the largest.
        let pooled = self.convs.iter().map(|conv| relu(&max(&conv.forward(&x)?, 2)?)); // (batch, channels) each
        let encoding = concat(&pooled.collect::<Result<Vec<_>>>()?, 1)?; // (batch, kernels * channels)
        self.decoder.forward(&self.dropout.forward_t(&encoding, train)?) // (batch, 2)
    }
}

/// Compares what sliding gives with the layer of one dimension and with a convolution of two, whose window is as high as its
/// only channel.
fn same_by_layers(nb: &mut Notebook, x: &Tensor, kernel: &Tensor, expected: &Tensor) -> anyhow::Result<()> {
    let (channels, width) = kernel.dims2()?;
    let (x, weight) = (x.unsqueeze(0)?, kernel.unsqueeze(0)?); // (1, channels, steps), (1, channels, width)
    let weights = HashMap::from([("weight".to_string(), weight.clone())]);
    let vb = VarBuilder::from_tensors(weights, DType::F32, nb.device());
    let layer = Conv1d::without_bias(channels, 1, width, Conv1dConfig::default(), &vb)?;
    let by_layer = layer.forward(&x)?.flatten_all()?; // (steps - width + 1)
    nb.show("Conv1d", &by_layer)?;
    let (plane, window) = (x.unsqueeze(1)?, weight.unsqueeze(1)?); // (1, 1, channels, steps), (1, 1, channels, width)
    let by_plane = conv2d(&plane, &window, None, &Conv2dConfig::default())?.flatten_all()?;
    nb.show("conv2d", &by_plane)?;
    for (name, other) in [("difference_from_conv1d", by_layer), ("difference_from_conv2d", by_plane)] {
        nb.metric(name, f64::from((&other - expected)?.abs()?.max(0)?.to_scalar::<f32>()?))?;
    }
    Ok(())
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("Reading the dataset")?;
    let ReviewData { mut train, mut test, tests, vocab } = config.reviews.load(nb)?;
    let device = nb.device().clone();

    nb.cell("One-dimensional convolutional layer")?;
    let x = Tensor::arange(0f32, 7.0, &device)?; // (steps)
    nb.show("y", corr1d(&x, &Tensor::new(&[1f32, 2.0], &device)?)?)?;

    nb.cell("Several input channels")?;
    let x = Tensor::stack(&[x.clone(), (&x + 1.0)?, (&x + 2.0)?], 0)?; // (channels, steps)
    let kernel = Tensor::new(&[[1f32, 2.0], [3.0, 4.0], [-1.0, -3.0]], &device)?; // (channels, width)
    let y = corr1d_multi_in(&x, &kernel)?; // (steps − width + 1)
    nb.show("y", &y)?;

    nb.cell("The same by layers")?;
    same_by_layers(nb, &x, &kernel, &y)?;

    nb.cell("Max-over-time pooling layer")?;
    let outputs = Var::from_tensor(&Tensor::new(&[[0f32, 3.0, 1.0, 3.0], [-2.0, -1.0, -4.0, 0.0]], &device)?)?;
    let pooled = max(&outputs, 1)?; // (channels)
    nb.show("the largest of each channel", &pooled)?;
    nb.show("its gradient", backward(&pooled)?.get(&outputs)?)?;

    nb.cell("Loading pretrained word vectors")?;
    let vectors = config.reviews.load_vectors(&vocab, nb)?; // (vocabulary, dimension)

    nb.cell("The TextCNN model")?;
    let parameters = nb.parameters();
    let net = TextCnn::new(&vectors, &KERNEL_SIZES, config.num_channels, config.dropout, &parameters.builder())?;
    xavier_but_embeddings(&parameters)?;
    net.start_from_vectors(&parameters)?;
    nb.say(format!("{} trained parameters, {} of them vectors", parameters.count(), vectors.elem_count()))?;

    nb.cell("Training and evaluating the model")?;
    let mut optimizer = Adam::new(&parameters, config.lr);
    let trainer = nb.trainer(config.reviews.num_epochs).with(&parameters);
    let history = trainer.fit_classifier(&net, &mut train, &mut test, &mut optimizer)?;
    nb.training(&history)?;
    nb.say(format!("{:.0} reviews a second", history.per_second()))?;

    nb.cell("Predicting the sentiment")?;
    show_predictions(nb, &net, &vocab, config.reviews.sentence.as_deref())?;

    nb.cell("Mistakes")?;
    show_mistakes(nb, &net, &tests, test.dataset())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CPU: Device = Device::Cpu;

    fn normal(shape: (usize, usize), name: &str) -> Result<Tensor> {
        d2l::random::normal(&mut Random::new(3).stream(Purpose::Sampling, name), 0.0, 1.0, shape, &CPU)
    }

    fn net(dropout: f64) -> Result<(TextCnn, Parameters)> {
        let parameters = Parameters::new(&Random::new(1), &CPU);
        let net = TextCnn::new(&normal((10, 3), "vectors")?, &KERNEL_SIZES, 6, dropout, &parameters.builder())?;
        xavier_but_embeddings(&parameters)?;
        net.start_from_vectors(&parameters)?;
        Ok((net, parameters))
    }

    fn ids(batch: usize, steps: usize) -> Result<Tensor> {
        let ids: Vec<u32> = (0..batch * steps).map(|place| (place * 7 % 10) as u32).collect();
        Tensor::from_vec(ids, (batch, steps), &CPU)
    }

    #[test]
    fn windows_slide_as_in_the_book() -> Result<()> {
        let x = Tensor::arange(0f32, 7.0, &CPU)?;
        let y = corr1d(&x, &Tensor::new(&[1f32, 2.0], &CPU)?)?;
        assert_eq!(y.to_vec1::<f32>()?, [2.0, 5.0, 8.0, 11.0, 14.0, 17.0]);
        let x = Tensor::stack(&[x.clone(), (&x + 1.0)?, (&x + 2.0)?], 0)?;
        let kernel = Tensor::new(&[[1f32, 2.0], [3.0, 4.0], [-1.0, -3.0]], &CPU)?;
        assert_eq!(corr1d_multi_in(&x, &kernel)?.to_vec1::<f32>()?, [2.0, 8.0, 14.0, 20.0, 26.0, 32.0]);
        Ok(())
    }

    #[test]
    fn windows_that_do_not_fit_are_errors() -> Result<()> {
        let (x, kernel) = (normal((2, 3), "x")?, normal((2, 4), "kernel")?);
        let message = |result: Result<Tensor>| result.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message(corr1d(&x.i(0)?, &kernel.i(0)?)).contains("a window of 4 does not fit into a sequence of 3"));
        assert!(message(corr1d_multi_in(&x, &kernel.narrow(0, 0, 1)?)).contains("1 windows for 2 channels"));
        Ok(())
    }

    #[test]
    fn every_parameter_gets_a_gradient_and_one_table_stays() -> Result<()> {
        let (net, parameters) = net(0.5)?;
        let before = net.constant_embedding.to_vec2::<f32>()?;
        assert_eq!(net.embedding.weight().to_vec2::<f32>()?, before);
        let mut optimizer = Adam::new(&parameters, 0.1);
        let (x, y) = (ids(5, 9)?, Tensor::new(&[0u32, 1, 1, 0, 1], &CPU)?);
        let logits = net.forward_t(&x, true)?;
        assert_eq!(logits.dims(), [5, 2]);
        let loss = cross_entropy(&logits, &y, Reduction::Mean)?;
        d2l_testing::gradients::reach_all(&parameters, &loss, |_| false)?;
        optimizer.minimize(&cross_entropy(&net.forward_t(&x, true)?, &y, Reduction::Mean)?)?;
        assert_ne!(net.embedding.weight().to_vec2::<f32>()?, before);
        assert_eq!(net.constant_embedding.to_vec2::<f32>()?, before);
        Ok(())
    }

    #[test]
    fn the_net_has_as_many_parameters_as_the_books() -> Result<()> {
        for (dimension, expected) in [(50, 120_300), (100, 240_300)] {
            let parameters = Parameters::new(&Random::new(1), &CPU);
            TextCnn::new(&normal((20, dimension), "vectors")?, &KERNEL_SIZES, 100, 0.5, &parameters.builder())?;
            // The trained table, three convolutions, and an output of 300 features.
            assert_eq!(parameters.count(), 20 * dimension + expected + 602);
        }
        Ok(())
    }

    #[test]
    fn where_a_phrase_stands_does_not_matter() -> Result<()> {
        let (net, _) = net(0.5)?;
        // The same words among others that are all the same; nothing is dropped outside of training.
        let logits = |row: &[[u32; 12]; 1]| net.forward_t(&Tensor::new(row, &CPU)?, false)?.to_vec2::<f32>();
        let early = logits(&[[0, 0, 0, 0, 7, 8, 9, 0, 0, 0, 0, 0]])?.concat();
        let late = logits(&[[0, 0, 0, 0, 0, 7, 8, 9, 0, 0, 0, 0]])?.concat();
        let backwards = logits(&[[0, 0, 0, 0, 0, 9, 8, 7, 0, 0, 0, 0]])?.concat();
        let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(apart(&early, &late) < 1e-5, "{early:?} {late:?}");
        assert!(apart(&early, &backwards) > 1e-3, "{early:?} {backwards:?}");
        Ok(())
    }

    #[test]
    fn fewer_words_than_the_widest_kernel_are_an_error() -> Result<()> {
        let (net, _) = net(0.0)?;
        assert_eq!(net.forward_t(&ids(2, 5)?, false)?.dims(), [2, 2]);
        assert!(net.forward_t(&ids(2, 4)?, false).is_err());
        Ok(())
    }

    #[test]
    fn tables_of_another_net_are_an_error() -> Result<()> {
        let ((net, _), other) = (net(0.0)?, Parameters::new(&Random::new(1), &CPU));
        assert!(net.start_from_vectors(&other).is_err());
        Ok(())
    }

    proptest! {
        #[test]
        fn sliding_is_what_the_layer_does(channels in 1usize..4, width in 1usize..5, more in 0usize..6) {
            let differ = || -> Result<f32> {
                let (x, kernel) = (normal((channels, width + more), "x")?, normal((channels, width), "kernel")?);
                let config = Conv1dConfig::default();
                let layer = d2l::ops::conv1d(&x.unsqueeze(0)?, &kernel.unsqueeze(0)?, None, &config)?;
                (corr1d_multi_in(&x, &kernel)? - layer.flatten_all()?)?.abs()?.max(0)?.to_scalar()
            };
            prop_assert!(differ().is_ok_and(|difference| difference < 1e-4));
        }
    }
}

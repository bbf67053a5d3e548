//! The table of workloads, and what a step of training is in each.

use std::fs;

use attention::{TransformerSizes, bahdanau, transformer};
use candle_core::Error;
use cnn::{VGG_11, alexnet, densenet, googlenet, lenet, narrower, nin, resnet18, vgg};
use d2l::data::fashion_mnist::Images;
use d2l::data::hub;
use d2l::nn::{Embedding, Gru, Lstm, RecurrentConfig, Rnn, init};
use d2l::ops::{
    ConvTranspose2dConfig, RnnActivation, binary_cross_entropy_with_logits, conv_transpose2d, squared_loss,
};
use d2l::optim::Adam;
use d2l::prelude::*;
use d2l::random;
use gan::adversarial::{Both, Game, update_discriminator, update_generator};
use gan::sections::dcgan;
use math::sections::naive_bayes::NaiveBayes;
use nlp_applications::bert_heads::BertInputs;
use nlp_applications::sections::natural_language_inference_attention::DecomposableAttention;
use nlp_applications::sections::natural_language_inference_bert::BertClassifier;
use nlp_applications::sections::sentiment_analysis_cnn::TextCnn;
use nlp_applications::sections::sentiment_analysis_rnn::BiRnn;
use nlp_pretraining::sections::bert::{Bert, BertEncoder, BertSizes};
use nlp_pretraining::sections::bert_dataset::BertBatch;
use nlp_pretraining::sections::bert_pretraining::pretraining_losses;
use nlp_pretraining::sections::word2vec_pretraining::{SkipGram, normalized_loss};
use nlp_pretraining::skip_gram_examples::SkipGramBatch;
use recommender::ranking_losses::bpr_loss;
use recommender::sections::deepfm::{DeepFactorizationMachine, MLP_DIMS};
use recommender::sections::mf::MatrixFactorization;
use recommender::sections::neumf::NeuMf;
use recommender::sections::seqrec::{Caser, CaserSizes};
use rnn::sections::rnn_scratch::Cell;
use rnn::{
    Decoder, Encoder, EncoderDecoder, GruCell, LanguageModel, LstmCell, RecurrentLanguageModel, RecurrentLayer,
    RecurrentSizes, RnnCell, RnnModelScratch, State, masked_cross_entropy, seq2seq,
};
use vision::anchors::{GroundTruth, multibox_prior, multibox_target};
use vision::augmentation::{Compose, RandomHorizontalFlip, RandomResizedCrop};
use vision::detection::nms;
use vision::labeled_pictures::{LabeledPictures, Normalization, TransformedPictures};
use vision::pretrained::Architecture;
use vision::sections::bounding_box::Corners;
use vision::sections::fcn::{self, Fcn};
use vision::sections::image_augmentation::small_resnet18;
use vision::sections::kaggle_dog;
use vision::sections::neural_style::{Target, Weights, compute_losses, extract_features};
use vision::sections::ssd::{RATIOS, TinySsd, anchor_sizes, ssd_loss};
use vision::vgg::Vgg19;

use crate::nets::mlp::mlp;
use crate::nets::softmax_regression::softmax_regression;

/// One of the book's trainings, or a part of one that has no net.
#[derive(Clone, Copy)]
pub struct Workload {
    /// As on the command line.
    pub name: &'static str,
    /// What is trained or done, on what.
    pub about: &'static str,
    build: fn(&Random) -> Result<Training>,
}

impl Workload {
    /// The net with new parameters and its synthetic minibatch, both from `seed`.
    ///
    /// # Errors
    /// Where a tensor cannot be made, or a picture that comes with the repository is not there.
    pub fn training(&self, seed: u64) -> Result<Training> {
        (self.build)(&Random::new(seed))
    }
}

/// All workloads, in book order.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "softmax",
        about: "softmax regression, 28×28, batch 256",
        build: |random| classifier(random, (256, 28), 0.1, softmax_regression),
    },
    Workload {
        name: "mlp",
        about: "MLP 784-256-10, batch 256",
        build: |random| classifier(random, (256, 28), 0.1, mlp),
    },
    Workload {
        name: "lenet",
        about: "LeNet, 28×28, batch 256",
        build: |random| classifier(random, (256, 28), 0.9, lenet),
    },
    Workload {
        name: "alexnet",
        about: "AlexNet, 224×224, batch 16",
        build: |random| classifier(random, (16, 224), 0.01, alexnet),
    },
    Workload {
        name: "vgg",
        about: "VGG-11, channels over 4, 224×224, batch 16",
        build: |random| classifier(random, (16, 224), 0.01, |vb| vgg(&narrower(VGG_11, 4), vb)),
    },
    Workload {
        name: "nin", about: "NiN, 224×224, batch 16", build: |random| classifier(random, (16, 224), 0.01, nin)
    },
    Workload {
        name: "googlenet",
        about: "GoogLeNet, 96×96, batch 32",
        build: |random| classifier(random, (32, 96), 0.01, googlenet),
    },
    Workload {
        name: "resnet",
        about: "ResNet-18, 96×96, batch 32",
        build: |random| classifier(random, (32, 96), 0.01, resnet18),
    },
    Workload {
        name: "densenet",
        about: "DenseNet, 96×96, batch 32",
        build: |random| classifier(random, (32, 96), 0.01, densenet),
    },
    Workload {
        name: "rnn-scratch",
        about: "character RNN from scratch, 32 × 35, 512 hidden",
        build: from_scratch::<RnnCell>,
    },
    Workload {
        name: "gru-scratch",
        about: "character GRU from scratch, 32 × 35, 512 hidden",
        build: from_scratch::<GruCell>,
    },
    Workload {
        name: "lstm-scratch",
        about: "character LSTM from scratch, 32 × 35, 512 hidden",
        build: from_scratch::<LstmCell>,
    },
    Workload {
        name: "rnn",
        about: "character RNN, 32 × 35, 256 hidden",
        build: |random| {
            concise(random, |vb| Rnn::new(VOCABULARY, 256, RnnActivation::Tanh, RecurrentConfig::default(), vb))
        },
    },
    Workload {
        name: "gru",
        about: "character GRU, 32 × 35, 256 hidden",
        build: |random| concise(random, |vb| Gru::new(VOCABULARY, 256, RecurrentConfig::default(), vb)),
    },
    Workload {
        name: "lstm",
        about: "character LSTM, 32 × 35, 256 hidden",
        build: |random| concise(random, |vb| Lstm::new(VOCABULARY, 256, RecurrentConfig::default(), vb)),
    },
    Workload {
        name: "seq2seq",
        about: "seq2seq, GRU 2 × 32, 64 × 10",
        build: |random| translation(random, |vb| seq2seq(SOURCE, TARGET, &RECURRENT, vb)),
    },
    Workload {
        name: "bahdanau",
        about: "Bahdanau attention, GRU 2 × 32, 64 × 10",
        build: |random| translation(random, |vb| bahdanau(SOURCE, TARGET, &RECURRENT, vb)),
    },
    Workload {
        name: "transformer",
        about: "Transformer, 2 × 32, 4 heads, 64 × 10",
        build: |random| translation(random, |vb| transformer(SOURCE, TARGET, &ATTENTION, vb)),
    },
    Workload {
        name: "optimizer-sgd",
        about: "update of gradient descent, ResNet-18's 11 million",
        build: |random| update(random, |parameters| Sgd::new(parameters, 0.01)),
    },
    Workload {
        name: "optimizer-momentum",
        about: "update with momentum, ResNet-18's 11 million",
        build: |random| update(random, |parameters| Sgd::new(parameters, 0.01).momentum(0.9)),
    },
    Workload {
        name: "optimizer-adam",
        about: "update of Adam, ResNet-18's 11 million",
        build: |random| update(random, |parameters| Adam::new(parameters, 0.001)),
    },
    Workload { name: "augment-jpegs", about: "1,000 JPEGs of 256×256 decoded and augmented", build: augmentation },
    Workload {
        name: "resnet18-cifar",
        about: "ResNet-18 for small pictures, 32×32 in color, batch 128",
        build: |random| colors_classifier(random, (128, 32), 0.001, |vb| small_resnet18(1, 10, vb)),
    },
    Workload { name: "multibox-target", about: "labels of 5,444 anchors, 32 pictures", build: labels_of_anchors },
    Workload { name: "nms", about: "non-maximum suppression of 5,444 boxes", build: suppression },
    Workload { name: "ssd", about: "TinySSD, 256×256 in color, batch 32", build: detector },
    Workload { name: "fcn", about: "FCN on ResNet-18, 320×480 in color, batch 4", build: segmenter },
    Workload {
        name: "style-transfer",
        about: "the pixels of a 300×450 picture, through VGG-19",
        build: style_transfer,
    },
    Workload { name: "conv-transpose", about: "21 channels, kernel 64×64, stride 32, batch 4", build: enlargement },
    Workload { name: "frozen-head", about: "two layers on 1,000 features, batch 32", build: frozen_head },
    Workload {
        name: "skip-gram",
        about: "skip-gram, 6,719 words, 100 wide, 60 words for each of 512",
        build: word_vectors,
    },
    Workload { name: "bert", about: "BERT, 2 × 128, both tasks, 64 × 64", build: masked_words },
    Workload {
        name: "embedding-adam",
        about: "4,096 rows of 400,000 × 50, gradient and Adam",
        build: rows_of_a_large_table,
    },
    Workload {
        name: "bidirectional-lstm",
        about: "bidirectional LSTM, 2 × 100, 64 × 500",
        build: reviews_from_both_ends,
    },
    Workload { name: "text-cnn", about: "TextCNN, 3 × 100 channels, 64 × 500", build: reviews_by_phrases },
    Workload {
        name: "decomposable-attention",
        about: "decomposable attention, 200 hidden, 256 × 50",
        build: aligned_sentences,
    },
    Workload { name: "bert-finetuning", about: "BERT, 2 × 256, fine-tuned on pairs, 32 × 128", build: finetuning },
    Workload {
        name: "matrix-factorization",
        about: "factors of 943 users and 1,682 movies, 30 wide, batch 512",
        build: factorization,
    },
    Workload {
        name: "neumf",
        about: "NeuMF, 10 factors and three layers of 10, batch 1,024",
        build: neural_factorization,
    },
    Workload { name: "caser", about: "Caser on the last five movies, batch 4,096", build: next_movies },
    Workload { name: "deepfm", about: "DeepFM, 34 fields of 100 categories, batch 2,048", build: clicks },
    Workload { name: "dcgan-step", about: "DCGAN, 64×64 in color, batch 64, both nets", build: adversaries },
    Workload { name: "naive-bayes-train", about: "naive Bayes, 60,000 pictures of 28×28 counted", build: counting },
];

/// The characters of *The Time Machine*, and the unknown one.
const VOCABULARY: usize = 28;
/// The tokens of the book's English sentences, and of their French translations below.
const SOURCE: usize = 184;
const TARGET: usize = 201;
/// The words of reviews and of pairs of sentences, each with a vector of so many numbers.
const WORDS: usize = 20_000;
const DIMENSION: usize = 50;
/// The people and the movies of MovieLens 100K.
const USERS: usize = 943;
const MOVIES: usize = 1682;
const RECURRENT: RecurrentSizes = RecurrentSizes { embed: 32, hidden: 32, layers: 2, dropout: 0.1 };
const ATTENTION: TransformerSizes =
    TransformerSizes { hidden: 32, feed_forward: 64, heads: 4, layers: 2, dropout: 0.1, max_len: 1000 };
/// The book's smallest anchors, as a share of the picture's height.
const SMALLEST: f32 = 0.2;

/// A net, its optimizer and a minibatch.
pub struct Training {
    parameters: usize,
    step: Box<dyn FnMut() -> Result<Tensor>>,
}

impl Training {
    fn new(variables: &[Var], step: impl FnMut() -> Result<Tensor> + 'static) -> Self {
        Self { parameters: variables.iter().map(|variable| variable.elem_count()).sum(), step: Box::new(step) }
    }

    /// How many numbers are trained.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Forward, loss, backward, clipping where the book clips, and the optimizer's update; returns the loss. Without a
    /// net, all of the work and a number that it came to.
    ///
    /// # Errors
    /// Where an operation fails.
    pub fn step(&mut self) -> Result<Tensor> {
        (self.step)()
    }
}

fn parameters(random: &Random) -> Parameters {
    Parameters::new(random, &Device::Cpu)
}

/// The stream that a minibatch is drawn from.
fn minibatch(random: &Random) -> Stream {
    random.stream(Purpose::Sampling, "minibatch")
}

/// Numbers below `limit` as a tensor of `u32`.
fn integers(stream: &mut Stream, limit: usize, shape: &[usize]) -> Result<Tensor> {
    random::uniform(stream, 0.0, limit as f64, shape, &Device::Cpu)?.to_dtype(DType::U32)
}

/// Ten classes of square images with one channel, by stochastic gradient descent.
fn classifier(
    random: &Random,
    (batch, side): (usize, usize),
    learning_rate: f64,
    net: impl FnOnce(&VarBuilder) -> Result<Sequential>,
) -> Result<Training> {
    let optimizer = |parameters: &Parameters| Sgd::new(parameters, learning_rate);
    images_classifier(random, (batch, 1, side, side), optimizer, net)
}

/// Ten classes of square images with three channels, by Adam.
fn colors_classifier(
    random: &Random,
    (batch, side): (usize, usize),
    learning_rate: f64,
    net: impl FnOnce(&VarBuilder) -> Result<Sequential>,
) -> Result<Training> {
    let optimizer = |parameters: &Parameters| Adam::new(parameters, learning_rate);
    images_classifier(random, (batch, 3, side, side), optimizer, net)
}

/// Ten classes of images of a shape, of which the first axis is the batch.
fn images_classifier<O: Optimizer + 'static>(
    random: &Random,
    shape: (usize, usize, usize, usize),
    optimizer: impl FnOnce(&Parameters) -> O,
    net: impl FnOnce(&VarBuilder) -> Result<Sequential>,
) -> Result<Training> {
    let parameters = parameters(random);
    let net = net(&parameters.builder())?;
    let mut stream = minibatch(random);
    let images = random::normal(&mut stream, 0.0, 1.0, shape, &Device::Cpu)?;
    let labels = integers(&mut stream, 10, &[shape.0])?;
    let mut optimizer = optimizer(&parameters);
    Ok(Training::new(&parameters.variables(), move || {
        let loss = cross_entropy(&net.forward_t(&images, true)?, &labels, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// The update of an optimizer alone, of the parameters of ResNet-18 by gradients that stay the same.
fn update<O: Optimizer + 'static>(random: &Random, optimizer: impl FnOnce(&Parameters) -> O) -> Result<Training> {
    let parameters = parameters(random);
    resnet18(&parameters.builder())?;
    let mut stream = minibatch(random);
    let mut loss = Tensor::zeros((), DType::F32, &Device::Cpu)?;
    for (_, parameter) in parameters.trained() {
        let gradient = random::normal(&mut stream, 0.0, 1.0, parameter.shape(), &Device::Cpu)?;
        loss = (loss + (parameter.as_tensor() * gradient)?.sum_all()?)?;
    }
    let gradients = backward(&loss)?;
    let (mut optimizer, loss) = (optimizer(&parameters), loss.detach());
    let variables: Vec<Var> = parameters.trained().into_iter().map(|(_, variable)| variable).collect();
    Ok(Training::new(&variables, move || {
        optimizer.step(&gradients)?;
        Ok(loss.clone())
    }))
}

/// A language model from a ready layer.
fn concise<L: RecurrentLayer + 'static>(
    random: &Random,
    layer: impl FnOnce(&VarBuilder) -> Result<L>,
) -> Result<Training> {
    let parameters = parameters(random);
    let vb = parameters.builder();
    let net = RecurrentLanguageModel::new(layer(&vb.pp("layer"))?, 256, VOCABULARY, &vb)?;
    language_model(random, net, &parameters)
}

/// A language model from a cell that a section writes out.
fn from_scratch<C: Cell + 'static>(random: &Random) -> Result<Training> {
    let parameters = parameters(random);
    let net = RnnModelScratch::<C>::new(VOCABULARY, 512, &parameters.builder())?;
    language_model(random, net, &parameters)
}

/// Next characters, by stochastic gradient descent with clipping; the state goes on from step to step.
fn language_model(random: &Random, net: impl LanguageModel + 'static, parameters: &Parameters) -> Result<Training> {
    let (batch, steps, mut stream) = (32, 35, minibatch(random));
    let inputs = integers(&mut stream, VOCABULARY, &[batch, steps])?;
    let labels = integers(&mut stream, VOCABULARY, &[batch, steps])?;
    let mut optimizer = Sgd::new(parameters, 1.0).clip_norm(1.0);
    let mut state = State::new();
    Ok(Training::new(&parameters.variables(), move || {
        let (logits, next) = net.forward(&inputs, &state)?; // (steps · batch, vocabulary)
        state = next.iter().map(Tensor::detach).collect();
        let loss = cross_entropy(&logits, &labels.t()?.flatten_all()?, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// Translation pairs, by Adam with clipping.
fn translation<E, D>(random: &Random, net: impl FnOnce(&VarBuilder) -> Result<EncoderDecoder<E, D>>) -> Result<Training>
where
    E: Encoder + 'static,
    D: Decoder<Encoded = E::Output> + 'static,
{
    let (batch, steps) = (64, 10);
    let parameters = parameters(random);
    let net = net(&parameters.builder())?;
    let mut stream = minibatch(random);
    let source = integers(&mut stream, SOURCE, &[batch, steps])?;
    let target = integers(&mut stream, TARGET, &[batch, steps])?;
    let mut lengths = || (integers(&mut stream, steps - 2, &[batch])? + 3.0)?.to_dtype(DType::U32); // 3 to 10
    let (source_lens, target_lens) = (lengths()?, lengths()?);
    let begin = Tensor::ones((batch, 1), DType::U32, &Device::Cpu)?;
    let mut optimizer = Adam::new(&parameters, 0.005).clip_norm(1.0);
    Ok(Training::new(&parameters.variables(), move || {
        // Teacher forcing: the decoder reads the target, one token later.
        let inputs = Tensor::cat(&[&begin, &target.narrow(1, 0, steps - 1)?], 1)?;
        let logits = net.forward_t(&source, &inputs, &source_lens, true)?; // (batch, steps, vocabulary)
        let loss = masked_cross_entropy(&logits, &target, &target_lens)?.sum_all()?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// A pass over 1,000 JPEG files: each decoded, cropped at random, mirrored or not, and made planes of floats. There are
/// 32 files, which come again and again.
fn augmentation(random: &Random) -> Result<Training> {
    let folder = hub::sample("detection/bananas_train").map_err(Error::wrap)?;
    let files = LabeledPictures::read_folders(&folder, &["images"]).map_err(Error::wrap)?;
    let mut pictures = files.clone();
    while pictures.len() < 1000 {
        pictures = pictures.joined(files.clone());
    }
    let transform = Compose::new().then(RandomResizedCrop::new(224)).then(RandomHorizontalFlip);
    let draws = random.stream(Purpose::Steps, "augmentation");
    let pictures = TransformedPictures::new(pictures.first(1000), transform, Normalization::UNIT, draws);
    let mut pictures = Loader::new(pictures, 32, &Device::Cpu).map_err(Error::wrap)?.prefetched();
    let (random, mut epoch) = (random.clone(), 0);
    Ok(Training::new(&[], move || {
        epoch += 1;
        random.begin_epoch(epoch); // other parts of the pictures at each step
        let mut count = 0;
        for batch in pictures.epoch() {
            count += batch?.0.dim(0)?;
        }
        Tensor::new(count as f32, &Device::Cpu)
    }))
}

/// The anchors of [`TinySsd`] on a picture of 256 x 256.
fn tiny_ssd_anchors() -> Vec<Corners> {
    let scales = [32, 16, 8, 4, 1].into_iter().zip(anchor_sizes(SMALLEST));
    scales.flat_map(|(side, sizes)| multibox_prior(side, side, &sizes, &RATIOS)).collect()
}

/// Boxes inside the picture, of a tenth to four tenths of its side.
fn boxes(stream: &mut Stream, count: usize) -> Result<Vec<Corners>> {
    let numbers = random::uniform(stream, 0.0, 1.0, count * 4, &Device::Cpu)?.to_vec1::<f32>()?;
    let corners = |&[x, y, width, height]: &[f32; 4]| {
        let (left, top) = (0.6 * x, 0.6 * y);
        Corners::new(left, top, left + 0.1 + 0.3 * width, top + 0.1 + 0.3 * height)
    };
    Ok(numbers.as_chunks::<4>().0.iter().map(corners).collect())
}

/// One thing on each picture, all of the same class.
fn a_thing_each(stream: &mut Stream, pictures: usize) -> Result<Vec<[GroundTruth; 1]>> {
    Ok(boxes(stream, pictures)?.into_iter().map(|corners| [GroundTruth { class: 0, corners }]).collect())
}

/// What the detector below is to say of each anchor of each picture of a minibatch.
fn labels_of_anchors(random: &Random) -> Result<Training> {
    let (anchors, things) = (tiny_ssd_anchors(), a_thing_each(&mut minibatch(random), 32)?);
    Ok(Training::new(&[], move || {
        let targets = multibox_target(&anchors, &things, &Device::Cpu)?;
        // How many anchors stand for the thing on the first picture: their class is 1, that of background 0.
        targets.classes.get(0)?.to_dtype(DType::F32)?.sum_all()
    }))
}

/// Which of a picture's boxes remain.
fn suppression(random: &Random) -> Result<Training> {
    let mut stream = minibatch(random);
    let boxes = boxes(&mut stream, 5444)?;
    let scores = random::uniform(&mut stream, 0.0, 1.0, boxes.len(), &Device::Cpu)?.to_vec1::<f32>()?;
    Ok(Training::new(&[], move || Tensor::new(nms(&boxes, &scores, 0.5).len() as f32, &Device::Cpu)))
}

/// One kind of thing, one on each picture, by stochastic gradient descent with weight decay.
fn detector(random: &Random) -> Result<Training> {
    let parameters = parameters(random);
    let net = TinySsd::new(1, SMALLEST, &parameters.builder())?;
    let mut stream = minibatch(random);
    let pictures = random::uniform(&mut stream, 0.0, 1.0, (32, 3, 256, 256), &Device::Cpu)?;
    let things = a_thing_each(&mut stream, 32)?;
    let mut optimizer = Sgd::new(&parameters, 0.2).weight_decay(5e-4);
    Ok(Training::new(&parameters.variables(), move || {
        let predictions = net.forward_t(&pictures, true)?;
        let targets = multibox_target(&predictions.anchors, &things, &Device::Cpu)?;
        let loss = ssd_loss(&predictions, &targets)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// A class of 21 for every pixel, by stochastic gradient descent with weight decay.
fn segmenter(random: &Random) -> Result<Training> {
    let parameters = parameters(random);
    let net = Fcn::new(Architecture::ResNet18, false, 21, &parameters.builder())?;
    let mut stream = minibatch(random);
    let pictures = random::normal(&mut stream, 0.0, 1.0, (4, 3, 320, 480), &Device::Cpu)?;
    let classes = random::uniform(&mut stream, 0.0, 21.0, (4, 320, 480), &Device::Cpu)?.to_dtype(DType::U32)?;
    let mut optimizer = Sgd::new(&parameters, 0.001).weight_decay(0.001);
    Ok(Training::new(&parameters.variables(), move || {
        let loss = fcn::loss(&net.forward_t(&pictures, true)?, &classes)?.sum_all()?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// The pixels of a picture, whose content is one picture's and whose style another's, by Adam.
fn style_transfer(random: &Random) -> Result<Training> {
    let net = Vgg19::random(1)?;
    let mut stream = minibatch(random);
    let mut picture = || random::normal(&mut stream, 0.0, 1.0, (1, 3, 300, 450), &Device::Cpu);
    let (content, style) = (picture()?, picture()?);
    let target = Target::new(&extract_features(&net, &content)?, &extract_features(&net, &style)?)?;
    let image = Var::from_tensor(&content)?;
    let mut optimizer = Adam::new([&image], 0.3);
    let weights = Weights { content: 1.0, style: 1e3, tv: 10.0 };
    let trained = image.clone();
    Ok(Training::new(std::slice::from_ref(&trained), move || {
        let loss = compute_losses(&image, &extract_features(&net, &image)?, &target, weights)?.total()?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// The transposed convolution of section 13.11, there and back.
fn enlargement(random: &Random) -> Result<Training> {
    let mut stream = minibatch(random);
    let scores = Var::from_tensor(&random::normal(&mut stream, 0.0, 1.0, (4, 21, 10, 15), &Device::Cpu)?)?;
    let weight = Var::from_tensor(&random::normal(&mut stream, 0.0, 0.01, (21, 21, 64, 64), &Device::Cpu)?)?;
    let mut optimizer = Sgd::new([&weight], 1e-6);
    let config = ConvTranspose2dConfig { padding: (16, 16), stride: (32, 32), ..ConvTranspose2dConfig::default() };
    let trained = weight.clone();
    Ok(Training::new(std::slice::from_ref(&trained), move || {
        let loss = conv_transpose2d(&scores, &weight, None, &config)?.mean_all()?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// New layers on features that stay, by stochastic gradient descent with momentum and weight decay.
fn frozen_head(random: &Random) -> Result<Training> {
    let parameters = parameters(random);
    let head = kaggle_dog::head(&parameters.builder())?;
    let mut stream = minibatch(random);
    let features = random::normal(&mut stream, 0.0, 1.0, (32, 1000), &Device::Cpu)?;
    let labels = random::uniform(&mut stream, 0.0, 120.0, 32, &Device::Cpu)?.to_dtype(DType::U32)?;
    let mut optimizer = Sgd::new(&parameters, 1e-4).momentum(0.9).weight_decay(1e-4);
    Ok(Training::new(&parameters.variables(), move || {
        let loss = cross_entropy(&head.forward_t(&features, true)?, &labels, Reduction::Sum)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// Words with ten contexts and fifty noise words each, by Adam.
fn word_vectors(random: &Random) -> Result<Training> {
    let (batch, words, len) = (512, 6719, 60);
    let parameters = parameters(random);
    let net = SkipGram::new(words, 100, &parameters.builder())?;
    parameters.initialize(|_, shape| Ok(Some(init::xavier_uniform(shape)?)))?;
    let mut stream = minibatch(random);
    let labels: Vec<f32> = (0..batch * len).map(|place| if place % len < 10 { 1.0 } else { 0.0 }).collect();
    let minibatch = SkipGramBatch {
        centers: integers(&mut stream, words, &[batch, 1])?,
        contexts_negatives: integers(&mut stream, words, &[batch, len])?,
        masks: Tensor::ones((batch, len), DType::F32, &Device::Cpu)?,
        labels: Tensor::from_vec(labels, (batch, len), &Device::Cpu)?,
    };
    let mut optimizer = Adam::new(&parameters, 0.01);
    Ok(Training::new(&parameters.variables(), move || {
        let losses = normalized_loss(&net.forward(&minibatch)?, &minibatch.labels, &minibatch.masks)?; // (batch)
        let loss = losses.mean_all()?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// Masked words and next sentences, by Adam.
fn masked_words(random: &Random) -> Result<Training> {
    let (batch, steps, predictions, words) = (64, 64, 10, 20_256);
    let sizes = BertSizes { hidden: 128, feed_forward: 256, heads: 2, layers: 2, dropout: 0.2, max_len: 1000 };
    let parameters = parameters(random);
    let net = Bert::new(words, &sizes, &parameters.builder())?;
    let mut stream = minibatch(random);
    let segments: Vec<u32> = (0..batch * steps).map(|place| u32::from(place % steps >= 16)).collect();
    let minibatch = BertBatch {
        tokens: integers(&mut stream, words, &[batch, steps])?,
        segments: Tensor::from_vec(segments, (batch, steps), &Device::Cpu)?,
        valid_lens: (integers(&mut stream, 33, &[batch])? + 32.0)?, // 32 to 64
        pred_positions: (integers(&mut stream, 31, &[batch, predictions])? + 1.0)?, // 1 to 31
        mlm_weights: Tensor::ones((batch, predictions), DType::F32, &Device::Cpu)?,
        mlm_labels: integers(&mut stream, words, &[batch, predictions])?,
        nsp_labels: integers(&mut stream, 2, &[batch])?,
    };
    let mut optimizer = Adam::new(&parameters, 0.001);
    Ok(Training::new(&parameters.variables(), move || {
        let (mlm, nsp) = pretraining_losses(&net, &minibatch, true)?;
        let loss = (mlm + nsp)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// The lengths of vectors that are looked up in a table as large as GloVe's, by Adam.
fn rows_of_a_large_table(random: &Random) -> Result<Training> {
    let (rows, width, ids) = (400_000, 50, 4096);
    let parameters = parameters(random);
    let table = Embedding::new(rows, width, &parameters.builder())?;
    let ids = integers(&mut minibatch(random), rows, &[ids])?;
    let mut optimizer = Adam::new(&parameters, 0.001);
    Ok(Training::new(&parameters.variables(), move || {
        let loss = table.forward(&ids)?.sqr()?.mean_all()?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// Classes of texts or of pairs of texts, by Adam.
fn texts_classifier(
    parameters: &Parameters,
    learning_rate: f64,
    labels: Tensor,
    logits: impl Fn() -> Result<Tensor> + 'static,
) -> Training {
    let mut optimizer = Adam::new(parameters, learning_rate);
    Training::new(&parameters.variables(), move || {
        let loss = cross_entropy(&logits()?, &labels, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    })
}

/// A vector for each word.
fn drawn_vectors(stream: &mut Stream) -> Result<Tensor> {
    random::normal(stream, 0.0, 1.0, (WORDS, DIMENSION), &Device::Cpu)
}

/// Reviews that an LSTM reads from both ends; the vectors of words stay as they are.
fn reviews_from_both_ends(random: &Random) -> Result<Training> {
    let (parameters, mut stream) = (parameters(random), minibatch(random));
    let net = BiRnn::new(&drawn_vectors(&mut stream)?, 100, 2, &parameters.builder())?;
    let (ids, labels) = (integers(&mut stream, WORDS, &[64, 500])?, integers(&mut stream, 2, &[64])?);
    Ok(texts_classifier(&parameters, 0.01, labels, move || net.forward_t(&ids, true)))
}

/// Reviews that convolutions look for phrases in, with the vectors of words as they are and as they are trained.
fn reviews_by_phrases(random: &Random) -> Result<Training> {
    let (parameters, mut stream) = (parameters(random), minibatch(random));
    let net = TextCnn::new(&drawn_vectors(&mut stream)?, &[3, 4, 5], 100, 0.5, &parameters.builder())?;
    net.start_from_vectors(&parameters)?;
    let (ids, labels) = (integers(&mut stream, WORDS, &[64, 500])?, integers(&mut stream, 2, &[64])?);
    Ok(texts_classifier(&parameters, 0.001, labels, move || net.forward_t(&ids, true)))
}

/// Pairs of sentences whose words are aligned.
fn aligned_sentences(random: &Random) -> Result<Training> {
    let (parameters, mut stream) = (parameters(random), minibatch(random));
    let net = DecomposableAttention::new(WORDS, DIMENSION, 200, 0.2, &parameters.builder())?;
    let mut sentences = || integers(&mut stream, WORDS, &[256, 50]);
    let (premises, hypotheses) = (sentences()?, sentences()?);
    let labels = integers(&mut stream, 3, &[256])?;
    Ok(texts_classifier(&parameters, 0.001, labels, move || net.forward_t(&premises, &hypotheses, true)))
}

/// Pairs of sentences of different lengths for a BERT of the size of the book's small one.
fn finetuning(random: &Random) -> Result<Training> {
    let (batch, steps) = (32, 128);
    let sizes = BertSizes { hidden: 256, feed_forward: 512, heads: 4, layers: 2, dropout: 0.1, max_len: 512 };
    let (parameters, mut stream) = (parameters(random), minibatch(random));
    let vb = parameters.builder();
    let net = BertClassifier::new(BertEncoder::new(WORDS, &sizes, &vb.pp("encoder"))?, 3, &vb)?;
    let segments: Vec<u32> = (0..batch * steps).map(|place| u32::from(place % steps >= 32)).collect();
    let inputs = BertInputs {
        tokens: integers(&mut stream, WORDS, &[batch, steps])?,
        segments: Tensor::from_vec(segments, (batch, steps), &Device::Cpu)?,
        valid_lens: (integers(&mut stream, 65, &[batch])? + 64.0)?, // 64 to 128
    };
    let labels = integers(&mut stream, 3, &[batch])?;
    Ok(texts_classifier(&parameters, 1e-4, labels, move || net.forward_t(&inputs, true)))
}

/// Ratings of movies by people, by Adam with weight decay.
fn factorization(random: &Random) -> Result<Training> {
    let (parameters, mut stream) = (parameters(random), minibatch(random));
    let net = MatrixFactorization::new(30, USERS, MOVIES, &parameters.builder())?;
    let (users, movies) = (integers(&mut stream, USERS, &[512])?, integers(&mut stream, MOVIES, &[512])?);
    let stars = (integers(&mut stream, 5, &[512])? + 1.0)?.to_dtype(DType::F32)?; // 1 to 5
    let mut optimizer = Adam::new(&parameters, 0.002).weight_decay(1e-5);
    Ok(Training::new(&parameters.variables(), move || {
        let loss = squared_loss(&net.forward(&users, &movies)?, &stars, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// Movies that people chose, each beside one that they did not, by Adam with weight decay. `scores` gives those of both.
fn ranking(
    parameters: &Parameters,
    learning_rate: f64,
    scores: impl Fn() -> Result<(Tensor, Tensor)> + 'static,
) -> Training {
    let mut optimizer = Adam::new(parameters, learning_rate).weight_decay(1e-5);
    Training::new(&parameters.variables(), move || {
        let (chosen, others) = scores()?; // (batch)
        let loss = bpr_loss(&chosen, &others, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    })
}

/// People with a movie that they chose and another one, by a product of factors beside a perceptron.
fn neural_factorization(random: &Random) -> Result<Training> {
    let (parameters, mut stream) = (parameters(random), minibatch(random));
    let net = NeuMf::new(USERS, MOVIES, 10, &[10; 3], &parameters.builder())?;
    let users = integers(&mut stream, USERS, &[1024])?;
    let (chosen, others) = (integers(&mut stream, MOVIES, &[1024])?, integers(&mut stream, MOVIES, &[1024])?);
    Ok(ranking(&parameters, 0.01, move || Ok((net.forward(&users, &chosen)?, net.forward(&users, &others)?))))
}

/// The same by convolutions over the last movies that they chose.
fn next_movies(random: &Random) -> Result<Training> {
    let sizes = CaserSizes {
        num_users: USERS,
        num_items: MOVIES,
        sequence_length: 5,
        num_factors: 10,
        num_horizontal: 16,
        num_vertical: 4,
    };
    let (parameters, mut stream) = (parameters(random), minibatch(random));
    let net = Caser::new(&sizes, 0.05, &parameters.builder())?;
    Caser::initialize(&parameters)?;
    let users = integers(&mut stream, USERS, &[4096])?;
    let mut movies = |shape: &[usize]| integers(&mut stream, MOVIES, shape);
    let (sequences, chosen, others) = (movies(&[4096, 5])?, movies(&[4096])?, movies(&[4096])?);
    Ok(ranking(&parameters, 0.04, move || {
        let wants = net.wants(&users, &sequences, true)?; // (batch, 20)
        Ok((net.score(&wants, &chosen)?, net.score(&wants, &others)?))
    }))
}

/// Rows of categories, with a click or without, by Adam.
fn clicks(random: &Random) -> Result<Training> {
    const FIELDS: usize = 34;
    let (batch, categories) = (2048, 100);
    let (parameters, mut stream) = (parameters(random), minibatch(random));
    let net = DeepFactorizationMachine::new(&[categories; FIELDS], 10, &MLP_DIMS, 0.1, &parameters.builder())?;
    let firsts: Vec<u32> = (0..FIELDS).map(|field| (field * categories) as u32).collect();
    let firsts = Tensor::from_vec(firsts, (1, FIELDS), &Device::Cpu)?;
    let rows = integers(&mut stream, categories, &[batch, FIELDS])?.broadcast_add(&firsts)?; // (batch, 34)
    let labels = integers(&mut stream, 2, &[batch])?.to_dtype(DType::F32)?;
    let mut optimizer = Adam::new(&parameters, 0.01);
    Ok(Training::new(&parameters.variables(), move || {
        let loss = binary_cross_entropy_with_logits(&net.forward_t(&rows, true)?, &labels, Reduction::Mean)?;
        optimizer.minimize(&loss)?;
        Ok(loss)
    }))
}

/// Lit pixels by class, in as many pictures as MNIST has to learn from.
fn counting(_: &Random) -> Result<Training> {
    let images = pictures_of_digits(60_000).map_err(|error| Error::Msg(format!("{error:#}")))?;
    Ok(Training::new(&[], move || NaiveBayes::fit(&images)?.p_xy.mean_all()?.to_dtype(DType::F32)))
}

/// Pictures of 28 by 28 with bytes of any size, of ten classes in turn.
fn pictures_of_digits(count: u32) -> anyhow::Result<Images> {
    let folder = tempfile::tempdir()?;
    let (pixels, labels) = (folder.path().join("pixels"), folder.path().join("labels"));
    let header = |axes: &[u32]| -> Vec<u8> {
        let kind = 0x0800 + axes.len() as u32;
        [kind].iter().chain(axes).flat_map(|number| number.to_be_bytes()).collect()
    };
    let bytes = (0..count * 784).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8);
    fs::write(&pixels, header(&[count, 28, 28]).into_iter().chain(bytes).collect::<Vec<u8>>())?;
    let classes = (0..count).map(|place| (place % 10) as u8);
    fs::write(&labels, header(&[count]).into_iter().chain(classes).collect::<Vec<u8>>())?;
    Ok(Images::read(&pixels, &labels)?)
}

/// Pictures that are told from made ones, then made better, by Adam: an update of each net.
fn adversaries(random: &Random) -> Result<Training> {
    let Game { nets, parameters, mut optimizers } = Game::new(
        Both::of(|| parameters(random)),
        |vb| dcgan::discriminator(64, 0.2, vb),
        |vb| dcgan::generator(100, 64, vb),
        |parameters| parameters.map(|parameters| Adam::new(parameters, 0.005).betas(0.5, 0.999)),
    )?;
    let mut stream = minibatch(random);
    let x = random::uniform(&mut stream, -1.0, 1.0, (64, 3, 64, 64), &Device::Cpu)?;
    let z = random::normal(&mut stream, 0.0, 1.0, (64, 100, 1, 1), &Device::Cpu)?;
    let variables = [parameters.discriminator.variables(), parameters.generator.variables()].concat();
    Ok(Training::new(&variables, move || {
        let judgment = update_discriminator(&x, &z, &nets, &mut optimizers.discriminator)?;
        judgment.loss + update_generator(&z, &nets, &mut optimizers.generator)?
    }))
}

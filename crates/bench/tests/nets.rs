//! Every net has the shape, the size and the gradients that it should.
//!
//! The parameter counts are PyTorch's for the same nets: `scripts/bench/torch_bench.py` prints them.

use cnn::alexnet::alexnet;
use bench::nets::attention_scoring::{AdditiveAttention, DotProductAttention};
use bench::nets::bahdanau::bahdanau;
use cnn::densenet::densenet;
use bench::nets::encoder_decoder::{Decoder, Encoder, EncoderDecoder};
use cnn::googlenet::googlenet;
use bench::nets::gru_scratch::GruScratch;
use bench::nets::language_model::{LanguageModel, one_hot};
use cnn::lenet::lenet;
use bench::nets::lstm_scratch::LstmScratch;
use bench::nets::mlp::mlp;
use bench::nets::multi_head_attention::MultiHeadAttention;
use cnn::nin::nin;
use bench::nets::positional_encoding::PositionalEncoding;
use bench::nets::recurrent_language_model::{RecurrentLanguageModel, RecurrentLayer};
use cnn::resnet::resnet18;
use bench::nets::rnn_scratch::RnnScratch;
use bench::nets::seq2seq::{self, masked_cross_entropy, seq2seq, sequence_mask};
use bench::nets::softmax_regression::softmax_regression;
use bench::nets::transformer::{self, transformer};
use cnn::vgg::{VGG_11, narrower, vgg};
use d2l::nn::{Gru, Lstm, Parameters, RecurrentConfig, Rnn, Sequential, VarBuilder};
use d2l::ops::{Reduction, RnnActivation, cross_entropy};
use d2l::prelude::*;
use d2l::random::{self, Purpose, Random};

const CPU: Device = Device::Cpu;

fn parameters(random: &mut Random) -> Parameters {
    Parameters::new(random.fork(Purpose::Initialization), &CPU)
}

/// Checks that each variable has a finite gradient that is not zero, unless its name says that it must vanish.
fn check_gradients(variables: &[(String, Var)], loss: &Tensor, vanishes: impl Fn(&str) -> bool) -> Result<()> {
    let grads = loss.backward()?;
    for (name, variable) in variables {
        let grad = grads.get(variable.as_tensor()).unwrap_or_else(|| panic!("{name} has no gradient"));
        let largest = grad.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        let sum = grad.sum_all()?.to_scalar::<f32>()?;
        assert!(sum.is_finite(), "the gradient of {name} is not finite");
        assert!(largest > 0.0 || vanishes(name), "the gradient of {name} is zero");
    }
    Ok(())
}

/// The parameters that training changes, with their names.
fn trained(parameters: &Parameters) -> Vec<(String, Var)> {
    parameters.named().into_iter().filter(|(name, _)| !d2l::nn::is_buffer(name)).collect()
}

/// Checks a classifier of ten classes on random images.
fn check_classifier(
    net: impl FnOnce(&VarBuilder, &mut Random) -> Result<Sequential>,
    (batch, side): (usize, usize),
    count: usize,
    vanishes: impl Fn(&str) -> bool,
) -> Result<()> {
    let mut random = Random::new(1);
    let parameters = parameters(&mut random);
    let net = net(&parameters.builder(), &mut random)?;
    assert_eq!(parameters.count(), count);
    let images = random::normal(random.sampling(), 0.0, 1.0, (batch, 1, side, side), &CPU)?;
    let logits = net.forward_t(&images, true)?;
    assert_eq!(logits.dims(), [batch, 10]);
    let labels = Tensor::arange(0u32, batch as u32, &CPU)?;
    check_gradients(&trained(&parameters), &cross_entropy(&logits, &labels, Reduction::Mean)?, vanishes)
}

/// Batch normalisation takes away whatever the bias of a convolution before it adds: its gradient is zero but for
/// rounding.
fn bias_before_norm(name: &str) -> bool {
    name.ends_with(".bias") && ["conv.", "conv1.", "conv2.", "shortcut."].iter().any(|layer| name.contains(layer))
}

#[test]
fn linear_nets() -> Result<()> {
    check_classifier(|vb, _| softmax_regression(vb), (3, 28), 7_850, |_| false)?;
    check_classifier(|vb, _| mlp(vb), (3, 28), 203_530, |_| false)
}

#[test]
fn lenet_() -> Result<()> {
    check_classifier(|vb, _| lenet(vb), (2, 28), 61_706, |_| false)
}

#[test]
fn alexnet_() -> Result<()> {
    check_classifier(alexnet, (1, 224), 46_764_746, |_| false)
}

#[test]
fn vgg_() -> Result<()> {
    check_classifier(|vb, random| vgg(&narrower(VGG_11, 4), vb, random), (1, 224), 43_093_322, |_| false)
}

#[test]
fn nin_() -> Result<()> {
    check_classifier(nin, (2, 67), 1_992_166, |_| false)
}

#[test]
fn googlenet_() -> Result<()> {
    check_classifier(|vb, _| googlenet(vb), (2, 32), 5_977_530, |_| false)
}

#[test]
fn resnet_() -> Result<()> {
    check_classifier(|vb, _| resnet18(vb), (2, 64), 11_178_378, bias_before_norm)
}

#[test]
fn densenet_() -> Result<()> {
    check_classifier(|vb, _| densenet(vb), (2, 64), 758_226, bias_before_norm)
}

/// Checks a language model over 28 characters, and that its state carries on.
fn check_language_model(net: &impl LanguageModel, variables: &[(String, Var)], count: usize) -> Result<()> {
    assert_eq!(variables.iter().map(|(_, variable)| variable.elem_count()).sum::<usize>(), count);
    let tokens = random::uniform(&mut Random::new(2).fork(Purpose::Sampling), 0.0, 28.0, (2, 6), &CPU)?;
    let tokens = tokens.to_dtype(DType::U32)?;
    let (logits, _) = net.forward(&tokens, &[])?;
    assert_eq!(logits.dims(), [12, 28]);
    let (first, state) = net.forward(&tokens.narrow(1, 0, 4)?, &[])?;
    let (second, _) = net.forward(&tokens.narrow(1, 4, 2)?, &state)?;
    let apart = Tensor::cat(&[first, second], 0)?;
    let difference = (&logits - apart)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(difference < 1e-6, "in two parts the logits differ by {difference}");
    check_gradients(variables, &cross_entropy(&logits, &tokens.t()?.flatten_all()?, Reduction::Mean)?, |_| false)
}

fn numbered(variables: Vec<Var>) -> Vec<(String, Var)> {
    variables.into_iter().enumerate().map(|(i, variable)| (format!("parameter {i}"), variable)).collect()
}

#[test]
fn language_models_from_scratch() -> Result<()> {
    let mut stream = Random::new(1).fork(Purpose::Initialization);
    let net = RnnScratch::new(28, 512, &mut stream, &CPU)?;
    check_language_model(&net, &numbered(net.variables()), 291_356)?;
    let net = GruScratch::new(28, 512, &mut stream, &CPU)?;
    check_language_model(&net, &numbered(net.variables()), 845_340)?;
    let net = LstmScratch::new(28, 512, &mut stream, &CPU)?;
    check_language_model(&net, &numbered(net.variables()), 1_122_332)
}

fn check_layer<L: RecurrentLayer>(layer: impl FnOnce(&VarBuilder) -> Result<L>, count: usize) -> Result<()> {
    let parameters = parameters(&mut Random::new(1));
    let vb = parameters.builder();
    let net = RecurrentLanguageModel::new(layer(&vb.pp("layer"))?, 256, 28, &vb)?;
    check_language_model(&net, &trained(&parameters), count)
}

#[test]
fn language_models_from_layers() -> Result<()> {
    let config = RecurrentConfig::default();
    check_layer(|vb| Rnn::new(28, 256, RnnActivation::Tanh, config, vb), 80_412)?;
    check_layer(|vb| Gru::new(28, 256, config, vb), 226_844)?;
    check_layer(|vb| Lstm::new(28, 256, config, vb), 300_060)
}

const RECURRENT: seq2seq::Sizes = seq2seq::Sizes { embed: 32, hidden: 32, layers: 2, dropout: 0.1 };
const ATTENTION: transformer::Sizes =
    transformer::Sizes { hidden: 32, feed_forward: 64, heads: 4, layers: 2, dropout: 0.1, max_len: 1000 };

/// Checks a translation model in training, and that it predicts the same token by token as all at once.
fn check_translation<E: Encoder, D: Decoder<Encoded = E::Output>>(
    net: impl FnOnce(&VarBuilder) -> Result<EncoderDecoder<E, D>>,
    count: usize,
) -> Result<()> {
    let mut random = Random::new(1);
    let parameters = parameters(&mut random);
    let net = net(&parameters.builder())?;
    assert_eq!(parameters.count(), count);
    let source = Tensor::new(&[[5u32, 9, 3, 1], [2, 8, 3, 1]], &CPU)?; // (2, 4)
    let source_lens = Tensor::new(&[4u32, 3], &CPU)?;
    let target = Tensor::new(&[[1u32, 7, 4], [1, 6, 3]], &CPU)?; // (2, 3)
    let logits = net.forward(&source, &target, &source_lens, Some(&mut random.fork(Purpose::Dropout)))?;
    assert_eq!(logits.dims(), [2, 3, 201]);
    let loss = masked_cross_entropy(&logits, &target, &Tensor::new(&[3u32, 2], &CPU)?)?.sum_all()?;
    check_gradients(&trained(&parameters), &loss, |_| false)?;

    let at_once = net.forward(&source, &target, &source_lens, None)?;
    let mut state = net.decoder.init_state(net.encoder.forward(&source, &source_lens, None)?, &source_lens)?;
    for step in 0..3 {
        let next = net.decoder.forward(&target.narrow(1, step, 1)?, &mut state, None)?; // (2, 1, 201)
        let difference = (next - at_once.narrow(1, step, 1)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-4, "token {step} alone differs by {difference}");
    }
    Ok(())
}

#[test]
fn translation_with_attention() -> Result<()> {
    check_translation(|vb| bahdanau(184, 201, &RECURRENT, vb), 49_449)?;
    check_translation(|vb| transformer(184, 201, &ATTENTION, vb), 60_937)
}

#[test]
fn translation_without_attention() -> Result<()> {
    let mut random = Random::new(1);
    let parameters = parameters(&mut random);
    let net = seq2seq(184, 201, &RECURRENT, &parameters.builder())?;
    assert_eq!(parameters.count(), 47_369);
    let source = Tensor::new(&[[5u32, 9, 3, 1], [2, 8, 3, 1]], &CPU)?;
    let (lens, target) = (Tensor::new(&[4u32, 3], &CPU)?, Tensor::new(&[[1u32, 7, 4], [1, 6, 3]], &CPU)?);
    let logits = net.forward(&source, &target, &lens, Some(&mut random.fork(Purpose::Dropout)))?;
    assert_eq!(logits.dims(), [2, 3, 201]);
    let loss = masked_cross_entropy(&logits, &target, &Tensor::new(&[3u32, 2], &CPU)?)?.sum_all()?;
    check_gradients(&trained(&parameters), &loss, |_| false)
}

#[test]
fn the_loss_leaves_padding_out() -> Result<()> {
    let lens = Tensor::new(&[2u32, 0], &CPU)?;
    assert_eq!(sequence_mask(&lens, 3)?.to_vec2::<f32>()?, [[1.0, 1.0, 0.0], [0.0; 3]]);
    let logits = Tensor::zeros((2, 3, 4), DType::F32, &CPU)?;
    let labels = Tensor::zeros((2, 3), DType::U32, &CPU)?;
    let loss = masked_cross_entropy(&logits, &labels, &lens)?.to_vec1::<f32>()?;
    assert!((loss[0] - 4f32.ln() * 2.0 / 3.0).abs() < 1e-6 && loss[1] == 0.0, "{loss:?}");
    Ok(())
}

#[test]
fn equal_scores_give_the_mean_of_the_valid_values() -> Result<()> {
    let (queries, keys) = (Tensor::ones((1, 1, 2), DType::F32, &CPU)?, Tensor::ones((1, 3, 2), DType::F32, &CPU)?);
    let values = Tensor::new(&[[[1f32], [3.0], [8.0]]], &CPU)?; // (1, 3, 1)
    let lens = Tensor::new(&[2u32], &CPU)?;
    let dot = DotProductAttention { dropout: 0.0 };
    let (output, weights) = dot.forward(&queries, &keys, &values, Some(&lens), None)?;
    assert_eq!((output.dims(), weights.dims()), (&[1, 1, 1][..], &[1, 1, 3][..]));
    assert!((output.sum_all()?.to_scalar::<f32>()? - 2.0).abs() < 1e-6);
    let parameters = parameters(&mut Random::new(1));
    let additive = AdditiveAttention::new((2, 2), 4, 0.1, &parameters.builder())?;
    let (output, weights) = additive.forward(&queries, &keys, &values, Some(&lens), None)?;
    assert!((output.sum_all()?.to_scalar::<f32>()? - 2.0).abs() < 1e-6);
    assert_eq!(weights.flatten_all()?.to_vec1::<f32>()?, [0.5, 0.5, 0.0]);
    Ok(())
}

#[test]
fn heads_need_to_share_the_features_evenly() -> Result<()> {
    let parameters = parameters(&mut Random::new(1));
    let x = Tensor::ones((2, 3, 6), DType::F32, &CPU)?;
    let attention = MultiHeadAttention::new(6, 3, 0.0, &parameters.builder().pp("a"))?;
    assert_eq!(attention.forward(&x, &x, &x, None, None)?.dims(), [2, 3, 6]);
    let attention = MultiHeadAttention::new(6, 4, 0.0, &parameters.builder().pp("b"))?;
    assert!(attention.forward(&x, &x, &x, None, None).is_err());
    Ok(())
}

#[test]
fn positions_are_waves() -> Result<()> {
    let positions = PositionalEncoding::new(4, 10, 0.0, &CPU)?;
    let at = |first| positions.forward(&Tensor::zeros((1, 1, 4), DType::F32, &CPU)?, first, None)?.flatten_all();
    assert_eq!(at(0)?.to_vec1::<f32>()?, [0.0, 1.0, 0.0, 1.0]);
    let third = at(2)?.to_vec1::<f32>()?;
    for (value, wanted) in third.iter().zip([2f32.sin(), 2f32.cos(), 0.02f32.sin(), 0.02f32.cos()]) {
        assert!((value - wanted).abs() < 1e-6, "{third:?}");
    }
    Ok(())
}

#[test]
fn one_hot_puts_steps_first_and_knows_its_vocabulary() -> Result<()> {
    let tokens = Tensor::new(&[[2u32, 0]], &CPU)?; // (1, 2)
    assert_eq!(one_hot(&tokens, 3)?.to_vec3::<f32>()?, [[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]]);
    assert!(one_hot(&tokens, 2).is_err());
    Ok(())
}

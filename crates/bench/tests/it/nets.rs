//! Every net has the shape, the size and the gradients that it should.
//!
//! The parameter counts are PyTorch's for the same nets: `scripts/bench/torch_bench.py` prints them.

use attention::{TransformerSizes, bahdanau, transformer};
use bench::nets::mlp::mlp;
use bench::nets::softmax_regression::softmax_regression;
use d2l::nn::{Gru, Lstm, RecurrentConfig, Rnn};
use d2l::ops::RnnActivation;
use d2l::prelude::*;
use d2l::random;
use rnn::sections::rnn_scratch::Cell;
use rnn::{
    Decoder, Encoder, EncoderDecoder, GruCell, LanguageModel, LstmCell, RecurrentLanguageModel, RecurrentLayer,
    RecurrentSizes, RnnCell, RnnModelScratch, masked_cross_entropy, one_hot, seq2seq,
};

const CPU: Device = Device::Cpu;

fn parameters() -> Parameters {
    Parameters::new(&Random::new(1), &CPU)
}

/// Checks that each variable has a finite gradient that is not zero, unless its name says that it must vanish.
fn check_gradients(variables: &[(String, Var)], loss: &Tensor, vanishes: impl Fn(&str) -> bool) -> Result<()> {
    let grads = backward(loss)?;
    for (name, variable) in variables {
        let grad = grads.get(variable).unwrap_or_else(|error| panic!("{name}: {error}"));
        let largest = grad.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        let sum = grad.sum_all()?.to_scalar::<f32>()?;
        assert!(sum.is_finite(), "the gradient of {name} is not finite");
        assert!(largest > 0.0 || vanishes(name), "the gradient of {name} is zero");
    }
    Ok(())
}

/// Checks a classifier of ten classes on random images.
fn check_classifier(
    net: impl FnOnce(&VarBuilder) -> Result<Sequential>,
    (batch, side): (usize, usize),
    count: usize,
    vanishes: impl Fn(&str) -> bool,
) -> Result<()> {
    let parameters = parameters();
    let net = net(&parameters.builder())?;
    assert_eq!(parameters.count(), count);
    let images = random::normal(
        &mut Random::new(1).stream(Purpose::Sampling, "images"),
        0.0,
        1.0,
        (batch, 1, side, side),
        &CPU,
    )?;
    let logits = net.forward_t(&images, true)?;
    assert_eq!(logits.dims(), [batch, 10]);
    let labels = Tensor::arange(0u32, batch as u32, &CPU)?;
    check_gradients(&parameters.trained(), &cross_entropy(&logits, &labels, Reduction::Mean)?, vanishes)
}

#[test]
fn linear_nets_train_every_parameter() -> Result<()> {
    check_classifier(softmax_regression, (3, 28), 7_850, |_| false)?;
    check_classifier(mlp, (3, 28), 203_530, |_| false)
}

/// Checks a language model over 28 characters, and that its state carries on.
fn check_language_model(net: &impl LanguageModel, variables: &[(String, Var)], count: usize) -> Result<()> {
    assert_eq!(variables.iter().map(|(_, variable)| variable.elem_count()).sum::<usize>(), count);
    let tokens = random::uniform(&mut Random::new(2).stream(Purpose::Sampling, "test"), 0.0, 28.0, (2, 6), &CPU)?;
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

fn check_cell<C: Cell>(count: usize) -> Result<()> {
    let parameters = parameters();
    let net = RnnModelScratch::<C>::new(28, 512, &parameters.builder())?;
    check_language_model(&net, &parameters.trained(), count)
}

#[test]
fn language_models_from_scratch_train_every_parameter() -> Result<()> {
    check_cell::<RnnCell>(291_356)?;
    check_cell::<GruCell>(845_340)?;
    check_cell::<LstmCell>(1_122_332)
}

fn check_layer<L: RecurrentLayer>(layer: impl FnOnce(&VarBuilder) -> Result<L>, count: usize) -> Result<()> {
    let parameters = parameters();
    let vb = parameters.builder();
    let net = RecurrentLanguageModel::new(layer(&vb.pp("layer"))?, 256, 28, &vb)?;
    check_language_model(&net, &parameters.trained(), count)
}

#[test]
fn language_models_from_layers_train_every_parameter() -> Result<()> {
    let config = RecurrentConfig::default();
    check_layer(|vb| Rnn::new(28, 256, RnnActivation::Tanh, config, vb), 80_412)?;
    check_layer(|vb| Gru::new(28, 256, config, vb), 226_844)?;
    check_layer(|vb| Lstm::new(28, 256, config, vb), 300_060)
}

const RECURRENT: RecurrentSizes = RecurrentSizes { embed: 32, hidden: 32, layers: 2, dropout: 0.1 };
const ATTENTION: TransformerSizes =
    TransformerSizes { hidden: 32, feed_forward: 64, heads: 4, layers: 2, dropout: 0.1, max_len: 1000 };

/// Checks a translation model in training, and that it predicts the same token by token as all at once.
fn check_translation<E: Encoder, D: Decoder<Encoded = E::Output>>(
    net: impl FnOnce(&VarBuilder) -> Result<EncoderDecoder<E, D>>,
    count: usize,
) -> Result<()> {
    let parameters = parameters();
    let net = net(&parameters.builder())?;
    assert_eq!(parameters.count(), count);
    let source = Tensor::new(&[[5u32, 9, 3, 1], [2, 8, 3, 1]], &CPU)?; // (2, 4)
    let source_lens = Tensor::new(&[4u32, 3], &CPU)?;
    let target = Tensor::new(&[[1u32, 7, 4], [1, 6, 3]], &CPU)?; // (2, 3)
    let logits = net.forward_t(&source, &target, &source_lens, true)?;
    assert_eq!(logits.dims(), [2, 3, 201]);
    let loss = masked_cross_entropy(&logits, &target, &Tensor::new(&[3u32, 2], &CPU)?)?.sum_all()?;
    check_gradients(&parameters.trained(), &loss, |_| false)?;

    let at_once = net.forward_t(&source, &target, &source_lens, false)?;
    let mut state = net.decoder.init_state(net.encoder.forward_t(&source, &source_lens, false)?, &source_lens)?;
    for step in 0..3 {
        let next = net.decoder.forward_t(&target.narrow(1, step, 1)?, &mut state, false)?; // (2, 1, 201)
        let difference = (next - at_once.narrow(1, step, 1)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-4, "token {step} alone differs by {difference}");
    }
    Ok(())
}

#[test]
fn translation_with_attention_trains_every_parameter() -> Result<()> {
    check_translation(|vb| bahdanau(184, 201, &RECURRENT, vb), 49_449)?;
    check_translation(|vb| transformer(184, 201, &ATTENTION, vb), 60_937)
}

#[test]
fn translation_without_attention_trains_every_parameter() -> Result<()> {
    let parameters = parameters();
    let net = seq2seq(184, 201, &RECURRENT, &parameters.builder())?;
    assert_eq!(parameters.count(), 47_369);
    let source = Tensor::new(&[[5u32, 9, 3, 1], [2, 8, 3, 1]], &CPU)?;
    let (lens, target) = (Tensor::new(&[4u32, 3], &CPU)?, Tensor::new(&[[1u32, 7, 4], [1, 6, 3]], &CPU)?);
    let logits = net.forward_t(&source, &target, &lens, true)?;
    assert_eq!(logits.dims(), [2, 3, 201]);
    let loss = masked_cross_entropy(&logits, &target, &Tensor::new(&[3u32, 2], &CPU)?)?.sum_all()?;
    check_gradients(&parameters.trained(), &loss, |_| false)
}

#[test]
fn one_hot_puts_steps_first_and_knows_its_vocabulary() -> Result<()> {
    let tokens = Tensor::new(&[[2u32, 0]], &CPU)?; // (1, 2)
    assert_eq!(one_hot(&tokens, 3)?.to_vec3::<f32>()?, [[[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]]);
    assert!(one_hot(&tokens, 2).is_err());
    Ok(())
}

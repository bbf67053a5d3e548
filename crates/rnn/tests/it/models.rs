//! The models: every parameter learns, and both ways to write a net agree where they should.

use anyhow::Result;
use d2l::data::{FraEng, TranslationLoader};
use d2l::nn::{Gru, Lstm, Parameters, RecurrentConfig, Rnn};
use d2l::ops::{Reduction, RnnActivation, cross_entropy};
use d2l::prelude::{Device, Tensor, Var};
use d2l::random::{Purpose, Random};
use rnn::encoder_decoder::{Decoder, EncoderDecoder, Training};
use rnn::gru::GruScratch;
use rnn::language_model::{LanguageModel, State};
use rnn::lstm::LstmScratch;
use rnn::rnn_concise::RecurrentLanguageModel;
use rnn::rnn_scratch::RnnScratch;
use rnn::seq2seq::{
    Seq2SeqDecoder, Seq2SeqEncoder, Sizes, masked_cross_entropy, predict_seq2seq, seq2seq, train_seq2seq,
};

fn parameters() -> Parameters {
    Parameters::new(Random::new(5).fork(Purpose::Initialization), &Device::Cpu)
}

/// Ids below `vocabulary` as `(rows, steps)`.
fn ids(rows: usize, steps: usize, vocabulary: u32) -> Result<Tensor> {
    let ids: Vec<u32> = (0..(rows * steps) as u32).map(|i| (i * 7 + i / 3) % vocabulary).collect();
    Ok(Tensor::from_vec(ids, (rows, steps), &Device::Cpu)?)
}

fn assert_all_learn(name: &str, loss: &Tensor, variables: &[Var]) -> Result<()> {
    let grads = loss.backward()?;
    for (index, variable) in variables.iter().enumerate() {
        let grad = grads.get(variable).unwrap_or_else(|| panic!("{name}: parameter {index} has no gradient"));
        let size = grad.abs()?.sum_all()?.to_scalar::<f32>()?;
        assert!(size.is_finite() && size > 0.0, "{name}: parameter {index} {:?}: {size}", variable.dims());
    }
    Ok(())
}

fn check_language_model(name: &str, net: &impl LanguageModel, variables: &[Var]) -> Result<()> {
    let (x, y) = (ids(3, 5, 6)?, ids(3, 5, 5)?);
    let (logits, state) = net.forward(&x, &[])?;
    assert_eq!(logits.dims(), [15, 6], "{name}");
    let labels = y.t()?.flatten_all()?;
    assert_all_learn(name, &cross_entropy(&logits, &labels, Reduction::Mean)?, variables)?;
    // Two halves with the state between them give what the whole does.
    let halves = [x.narrow(1, 0, 2)?.contiguous()?, x.narrow(1, 2, 3)?.contiguous()?];
    let (first, between) = net.forward(&halves[0], &[])?;
    let (second, last) = net.forward(&halves[1], &between)?;
    let joined = Tensor::cat(&[first, second], 0)?;
    if name != "bidirectional" {
        assert!((joined - &logits)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5, "{name}");
        for (a, b) in state.iter().zip(&last) {
            assert!((a - b)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5, "{name}");
        }
    }
    Ok(())
}

#[test]
fn language_models_learn_with_every_parameter_and_carry_their_state() -> Result<()> {
    let (stream, device) = (&mut Random::new(2).fork(Purpose::Initialization), &Device::Cpu);
    let net = RnnScratch::new(6, 4, stream, device)?;
    check_language_model("rnn from scratch", &net, &net.variables())?;
    let net = GruScratch::new(6, 4, stream, device)?;
    check_language_model("gru from scratch", &net, &net.variables())?;
    let net = LstmScratch::new(6, 4, stream, device)?;
    check_language_model("lstm from scratch", &net, &net.variables())?;

    let one = RecurrentConfig::default();
    let all = parameters();
    let vb = all.builder();
    let net = RecurrentLanguageModel::new(Rnn::new(6, 4, RnnActivation::Tanh, one, &vb.pp("layer"))?, 4, 6, &vb)?;
    check_language_model("rnn", &net, &all.variables())?;
    let all = parameters();
    let vb = all.builder();
    let net = RecurrentLanguageModel::new(Gru::new(6, 4, one, &vb.pp("layer"))?, 4, 6, &vb)?;
    check_language_model("gru", &net, &all.variables())?;
    for (name, config, outputs) in [
        ("lstm", one, 4),
        ("deep", RecurrentConfig { layers: 2, ..one }, 4),
        ("bidirectional", RecurrentConfig { layers: 2, bidirectional: true, ..one }, 8),
    ] {
        let all = parameters();
        let vb = all.builder();
        let net = RecurrentLanguageModel::new(Lstm::new(6, 4, config, &vb.pp("layer"))?, outputs, 6, &vb)?;
        check_language_model(name, &net, &all.variables())?;
    }
    Ok(())
}

/// The same parameters in the layer: `w_ih = w_x`, `w_hh = w_h`, `b_ih = b`, `b_hh = 0`, gates in the layer's order.
fn transfer(scratch: &[Var], gates: &[usize], layer: &Parameters) -> Result<()> {
    let part = |kind: usize| gates.iter().map(|gate| scratch[3 * gate + kind].as_tensor().clone()).collect::<Vec<_>>();
    let output = scratch.len() - 2;
    for (name, variable) in layer.named() {
        let value = match name.as_str() {
            "layer.weight_ih_l0" => Tensor::cat(&part(0), 0)?,
            "layer.weight_hh_l0" => Tensor::cat(&part(1), 0)?,
            "layer.bias_ih_l0" => Tensor::cat(&part(2), 0)?,
            "layer.bias_hh_l0" => variable.zeros_like()?,
            "output.weight" => scratch[output].as_tensor().clone(),
            "output.bias" => scratch[output + 1].as_tensor().clone(),
            other => panic!("an unknown parameter {other}"),
        };
        variable.set(&value)?;
    }
    Ok(())
}

#[test]
fn from_scratch_and_from_layers_the_same_weights_give_the_same_logits() -> Result<()> {
    let stream = &mut Random::new(9).fork(Purpose::Initialization);
    let x = ids(2, 6, 5)?;
    let compare =
        |scratch: &dyn Fn(&Tensor) -> Result<(Tensor, State)>, layer: &dyn LanguageModelObject| -> Result<()> {
            let ((a, _), (b, _)) = (scratch(&x)?, layer.run(&x)?);
            let difference = (a - b)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-5, "{difference}");
            Ok(())
        };
    // Larger weights than the usual 0.01, so that the states matter.
    let grow = |variables: &[Var]| variables.iter().try_for_each(|v| v.set(&((v.as_tensor() * 60.0)? + 0.1)?));

    let scratch = RnnScratch::new(5, 3, stream, &Device::Cpu)?;
    grow(&scratch.variables())?;
    let all = parameters();
    let vb = all.builder();
    let layer = Rnn::new(5, 3, RnnActivation::Tanh, RecurrentConfig::default(), &vb.pp("layer"))?;
    let net = RecurrentLanguageModel::new(layer, 3, 5, &vb)?;
    transfer(&scratch.variables(), &[0], &all)?;
    compare(&|x| Ok(scratch.forward(x, &[])?), &net)?;

    let scratch = LstmScratch::new(5, 3, stream, &Device::Cpu)?;
    grow(&scratch.variables())?;
    let all = parameters();
    let vb = all.builder();
    let net = RecurrentLanguageModel::new(Lstm::new(5, 3, RecurrentConfig::default(), &vb.pp("layer"))?, 3, 5, &vb)?;
    transfer(&scratch.variables(), &[0, 1, 3, 2], &all)?; // scratch: i f o g; the layer: i f g o
    compare(&|x| Ok(scratch.forward(x, &[])?), &net)
}

/// A language model behind a reference.
trait LanguageModelObject {
    fn run(&self, x: &Tensor) -> Result<(Tensor, State)>;
}

impl<M: LanguageModel> LanguageModelObject for M {
    fn run(&self, x: &Tensor) -> Result<(Tensor, State)> {
        Ok(self.forward(x, &[])?)
    }
}

#[test]
fn translation_models_learn_with_every_parameter() -> Result<()> {
    let sizes = Sizes { embed: 4, hidden: 5, layers: 2, dropout: 0.0 };
    let all = parameters();
    let net = seq2seq(7, 6, &sizes, &all.builder())?;
    let lens = Tensor::new(&[4u32, 2, 3], &Device::Cpu)?;
    let logits = net.forward(&ids(3, 4, 7)?, &ids(3, 4, 6)?, &lens, None)?;
    assert_eq!(logits.dims(), [3, 4, 6]);
    let loss = masked_cross_entropy(&logits, &ids(3, 4, 5)?, &lens)?.sum_all()?;
    assert_all_learn("seq2seq", &loss, &all.variables())
}

fn pairs(rows: usize) -> Result<TranslationLoader> {
    let shuffle = Random::new(3).fork(Purpose::Shuffling);
    FraEng::sample()?.load(8, 7, Some(rows), shuffle, &Device::Cpu)
}

/// A decoder that says what it looks at: the encoder's outputs in equal parts.
struct Looking(Seq2SeqDecoder);

impl Decoder for Looking {
    type Encoded = (Tensor, Tensor);
    type State = (Tensor, Vec<Tensor>);

    fn init_state(&self, encoded: Self::Encoded, lens: &Tensor) -> d2l::prelude::Result<Self::State> {
        Ok((self.0.init_state(encoded, lens)?, Vec::new()))
    }

    fn forward(&self, x: &Tensor, state: &mut Self::State, training: Training) -> d2l::prelude::Result<Tensor> {
        state.1 = vec![(Tensor::ones((1, 1, 7), d2l::prelude::DType::F32, x.device())? / 7.0)?];
        self.0.forward(x, &mut state.0, training)
    }

    fn attention_weights(&self, state: &Self::State) -> Vec<Tensor> {
        state.1.clone()
    }
}

#[test]
fn a_trained_model_translates_what_it_has_seen_and_gives_attention_weights_when_asked() -> Result<()> {
    let mut loader = pairs(12)?;
    let (source, target) = (loader.source_vocab.clone(), loader.target_vocab.clone());
    let sizes = Sizes { embed: 16, hidden: 16, layers: 1, dropout: 0.0 };
    let all = parameters();
    let vb = all.builder();
    let net = EncoderDecoder {
        encoder: Seq2SeqEncoder::new(source.len(), &sizes, &vb.pp("encoder"))?,
        decoder: Looking(Seq2SeqDecoder::new(target.len(), &sizes, &vb.pp("decoder"))?),
    };
    let mut dropout = Random::new(1).fork(Purpose::Dropout);
    let history = train_seq2seq(&net, &all, &mut loader, (0.02, 60), &mut dropout, &mut ())?;
    let losses = history.train_loss();
    assert!(losses[59] < losses[0] / 4.0, "{losses:?}");
    assert_eq!(history.epochs[0].examples, history.epochs[59].examples);
    for asked in [false, true] {
        let (text, weights) = predict_seq2seq(&net, "Go .", (&source, &target), 7, &Device::Cpu, asked)?;
        assert!(text.split(' ').count() <= 7, "{text}");
        assert_eq!(weights.is_empty(), !asked);
        assert!(weights.iter().all(|step| step.len() == 1 && step[0].dims() == [1, 1, 7]));
    }
    Ok(())
}

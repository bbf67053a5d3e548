//! The models: every parameter learns, and both ways to write a net agree where they should.

use anyhow::Result;
use d2l::data::{FraEng, Source, TranslationLoader};
use d2l::nn::{Gru, Lstm, Parameters, RecurrentConfig, Rnn};
use d2l::ops::{Reduction, RnnActivation, backward, cross_entropy};
use d2l::prelude::{Device, Tensor, Trainer, Var};
use d2l::random::{Purpose, Random};
use rnn::sections::rnn_scratch::Cell;
use rnn::{
    Decoder, EncoderDecoder, GruCell, LanguageModel, LstmCell, RecurrentLanguageModel, RecurrentSizes, RnnCell,
    RnnModelScratch, Seq2SeqDecoder, Seq2SeqEncoder, Translator, masked_cross_entropy, seq2seq, train_seq2seq,
};

fn parameters() -> Parameters {
    Parameters::new(&Random::new(5), &Device::Cpu)
}

/// Ids below `vocabulary` as `(rows, steps)`.
fn ids(rows: usize, steps: usize, vocabulary: u32) -> Result<Tensor> {
    let ids: Vec<u32> = (0..(rows * steps) as u32).map(|i| (i * 7 + i / 3) % vocabulary).collect();
    Ok(Tensor::from_vec(ids, (rows, steps), &Device::Cpu)?)
}

fn assert_all_learn(name: &str, loss: &Tensor, variables: &[Var]) -> Result<()> {
    let grads = backward(loss)?;
    for (index, variable) in variables.iter().enumerate() {
        let grad = grads.get(variable).unwrap_or_else(|error| panic!("{name}: parameter {index}: {error}"));
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

fn check_cell<C: Cell>(name: &str) -> Result<()> {
    let all = parameters();
    let net = RnnModelScratch::<C>::new(6, 4, &all.builder())?;
    check_language_model(name, &net, &all.variables())
}

#[test]
fn language_models_learn_with_every_parameter_and_carry_their_state() -> Result<()> {
    check_cell::<RnnCell>("rnn from scratch")?;
    check_cell::<GruCell>("gru from scratch")?;
    check_cell::<LstmCell>("lstm from scratch")?;

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
fn transfer(scratch: &Parameters, gates: &[&str], layer: &Parameters) -> Result<()> {
    let of = |name: &str| scratch.get(name).unwrap_or_else(|| panic!("no {name}")).as_tensor().clone();
    let part = |kind: &str| gates.iter().map(|gate| of(&format!("{gate}.{kind}"))).collect::<Vec<_>>();
    for (name, variable) in layer.named() {
        let value = match name.as_str() {
            "layer.weight_ih_l0" => Tensor::cat(&part("w_x"), 0)?,
            "layer.weight_hh_l0" => Tensor::cat(&part("w_h"), 0)?,
            "layer.bias_ih_l0" => Tensor::cat(&part("b"), 0)?,
            "layer.bias_hh_l0" => variable.zeros_like()?,
            "output.weight" => of("output.w"),
            "output.bias" => of("output.b"),
            other => panic!("an unknown parameter {other}"),
        };
        variable.set(&value)?;
    }
    Ok(())
}

/// Holds a model from scratch against one around a layer with the same weights.
fn compare<C: Cell>(gates: &[&str], scratch: &Parameters, net: &impl LanguageModel, layer: &Parameters) -> Result<()> {
    let x = ids(2, 6, 5)?;
    let model = RnnModelScratch::<C>::new(5, 3, &scratch.builder())?;
    // Larger weights than the usual 0.01, so that the states matter.
    scratch.variables().iter().try_for_each(|v| v.set(&((v.as_tensor() * 60.0)? + 0.1)?))?;
    transfer(scratch, gates, layer)?;
    let ((a, _), (b, _)) = (model.forward(&x, &[])?, net.forward(&x, &[])?);
    let difference = (a - b)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(difference < 1e-5, "{difference}");
    Ok(())
}

#[test]
fn from_scratch_and_from_layers_the_same_weights_give_the_same_logits() -> Result<()> {
    let (scratch, all) = (parameters(), parameters());
    let vb = all.builder();
    let layer = Rnn::new(5, 3, RnnActivation::Tanh, RecurrentConfig::default(), &vb.pp("layer"))?;
    compare::<RnnCell>(&["hidden"], &scratch, &RecurrentLanguageModel::new(layer, 3, 5, &vb)?, &all)?;

    let (scratch, all) = (parameters(), parameters());
    let vb = all.builder();
    let layer = Lstm::new(5, 3, RecurrentConfig::default(), &vb.pp("layer"))?;
    let gates = ["input", "forget", "candidate", "output_gate"]; // the layer's order
    compare::<LstmCell>(&gates, &scratch, &RecurrentLanguageModel::new(layer, 3, 5, &vb)?, &all)
}

#[test]
fn translation_models_learn_with_every_parameter() -> Result<()> {
    let sizes = RecurrentSizes { embed: 4, hidden: 5, layers: 2, dropout: 0.0 };
    let all = parameters();
    let net = seq2seq(7, 6, &sizes, &all.builder())?;
    let lens = Tensor::new(&[4u32, 2, 3], &Device::Cpu)?;
    let logits = net.forward_t(&ids(3, 4, 7)?, &ids(3, 4, 6)?, &lens, false)?;
    assert_eq!(logits.dims(), [3, 4, 6]);
    let loss = masked_cross_entropy(&logits, &ids(3, 4, 5)?, &lens)?.sum_all()?;
    assert_all_learn("seq2seq", &loss, &all.variables())
}

fn pairs(rows: usize) -> Result<TranslationLoader> {
    let shuffle = Random::new(3).stream(Purpose::Shuffling, "test");
    Ok(FraEng::sample()?.load(8, 7, Some(rows), shuffle, &Device::Cpu)?)
}

/// A decoder that says what it looks at: the encoder's outputs in equal parts.
struct Looking(Seq2SeqDecoder);

impl Decoder for Looking {
    type Encoded = (Tensor, Tensor);
    type State = (Tensor, Vec<Tensor>);

    fn init_state(&self, encoded: Self::Encoded, lens: &Tensor) -> d2l::prelude::Result<Self::State> {
        Ok((self.0.init_state(encoded, lens)?, Vec::new()))
    }

    fn forward_t(&self, x: &Tensor, state: &mut Self::State, train: bool) -> d2l::prelude::Result<Tensor> {
        state.1 = vec![(Tensor::ones((1, 1, 7), d2l::prelude::DType::F32, x.device())? / 7.0)?];
        self.0.forward_t(x, &mut state.0, train)
    }

    fn attention_weights(&self, state: &Self::State) -> Vec<Tensor> {
        state.1.clone()
    }
}

#[test]
fn a_trained_model_translates_what_it_has_seen_and_gives_its_attention_weights() -> Result<()> {
    let mut loader = pairs(12)?;
    let (source, target) = (loader.dataset().source_vocab.clone(), loader.dataset().target_vocab.clone());
    let sizes = RecurrentSizes { embed: 16, hidden: 16, layers: 1, dropout: 0.0 };
    let all = parameters();
    let vb = all.builder();
    let net = EncoderDecoder {
        encoder: Seq2SeqEncoder::new(source.len(), &sizes, &vb.pp("encoder"))?,
        decoder: Looking(Seq2SeqDecoder::new(target.len(), &sizes, &vb.pp("decoder"))?),
    };
    let history = train_seq2seq(Trainer::new(60), &net, &all, &mut loader, 0.02)?;
    let losses = history.metric("train_loss");
    assert!(losses[59] < losses[0] / 4.0, "{losses:?}");
    assert_eq!(history.epochs()[0].examples, history.epochs()[59].examples);
    let (source_vocab, target_vocab) = (&*source, &*target);
    let translator = Translator { net: &net, source_vocab, target_vocab, num_steps: 7, device: &Device::Cpu };
    let translation = translator.translate("Go .")?;
    assert!(translation.words.len() <= 7 && translation.words.len() == translation.weights.len());
    assert!(!translation.text().contains("<eos>"), "{}", translation.text());
    assert!(translation.weights.iter().all(|step| step.len() == 1 && step[0].dims() == [1, 1, 7]));
    Ok(())
}

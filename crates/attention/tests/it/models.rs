//! The translation models: every parameter learns, decoding token by token is the full pass, a trained one is saved and
//! loaded.

use anyhow::Result;
use attention::{SavedTransformer, TransformerSizes, bahdanau, transformer};
use d2l::data::{FraEng, Source, TranslationLoader};
use d2l::nn::{Parameters, VarBuilder};
use d2l::notebook::Provenance;
use d2l::ops::backward;
use d2l::prelude::{Device, Tensor, Trainer};
use d2l::random::{Purpose, Random};
use rnn::{Decoder, Encoder, EncoderDecoder, RecurrentSizes, masked_cross_entropy, train_seq2seq};

const CPU: Device = Device::Cpu;
const RECURRENT: RecurrentSizes = RecurrentSizes { embed: 6, hidden: 8, layers: 2, dropout: 0.1 };
const SIZES: TransformerSizes =
    TransformerSizes { hidden: 8, feed_forward: 12, heads: 2, layers: 2, dropout: 0.1, max_len: 20 };

fn parameters() -> Parameters {
    Parameters::new(&Random::new(5), &CPU)
}

/// Checks the gradients while training, and the logits of all steps at once against those in parts.
fn check<E: Encoder, D: Decoder<Encoded = E::Output>>(
    net: impl FnOnce(&VarBuilder) -> d2l::prelude::Result<EncoderDecoder<E, D>>,
) -> Result<()> {
    let parameters = parameters();
    let net = net(&parameters.builder())?;
    let source = Tensor::new(&[[5u32, 6, 3, 1], [2, 8, 3, 1], [4, 4, 4, 4]], &CPU)?; // (3, 4)
    let source_lens = Tensor::new(&[4u32, 3, 0], &CPU)?;
    let target = Tensor::new(&[[1u32, 7, 4, 2], [1, 6, 3, 0], [1, 5, 5, 6]], &CPU)?; // (3, 4)
    let logits = net.forward_t(&source, &target, &source_lens, true)?;
    assert_eq!(logits.dims(), [3, 4, 8]);
    let loss = masked_cross_entropy(&logits, &target, &Tensor::new(&[4u32, 2, 3], &CPU)?)?.sum_all()?;
    let grads = backward(&loss)?;
    for (name, variable) in parameters.named() {
        let grad = grads.get(&variable).unwrap_or_else(|error| panic!("{name}: {error}"));
        let size = grad.abs()?.sum_all()?.to_scalar::<f32>()?;
        assert!(size.is_finite() && size > 0.0, "{name}: {size}");
    }

    let at_once = net.forward_t(&source, &target, &source_lens, false)?;
    let encoded = || net.encoder.forward_t(&source, &source_lens, false);
    for parts in [vec![1, 1, 1, 1], vec![2, 2], vec![3, 1], vec![1, 3]] {
        let mut state = net.decoder.init_state(encoded()?, &source_lens)?;
        let mut first = 0;
        for steps in parts {
            let next = net.decoder.forward_t(&target.narrow(1, first, steps)?, &mut state, false)?; // (3, steps, 8)
            let difference = (next - at_once.narrow(1, first, steps)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-5, "{steps} steps after {first} differ by {difference}");
            first += steps;
        }
        let weights = net.decoder.attention_weights(&state);
        assert!(!weights.is_empty());
        for weights in weights {
            let sums = weights.sum(d2l::prelude::D::Minus1)?.flatten_all()?.to_vec1::<f32>()?;
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
        }
    }
    Ok(())
}

#[test]
fn every_parameter_learns_and_the_cache_gives_the_logits_of_the_full_pass() -> Result<()> {
    check(|vb| bahdanau(9, 8, &RECURRENT, vb))?;
    check(|vb| transformer(9, 8, &SIZES, vb))
}

#[test]
fn a_copied_state_goes_its_own_way() -> Result<()> {
    let parameters = parameters();
    let net = transformer(9, 8, &SIZES, &parameters.builder())?;
    let lens = Tensor::new(&[3u32], &CPU)?;
    let encoded = net.encoder.forward_t(&Tensor::new(&[[5u32, 6, 3]], &CPU)?, &lens, false)?;
    let mut state = net.decoder.init_state(encoded, &lens)?;
    let next = |state: &mut _, id: u32| -> Result<Vec<f32>> {
        let logits = net.decoder.forward_t(&Tensor::new(&[[id]], &CPU)?, state, false)?;
        Ok(logits.flatten_all()?.to_vec1()?)
    };
    next(&mut state, 1)?;
    let mut copy = state.clone();
    let first = next(&mut state, 4)?;
    next(&mut copy, 7)?;
    assert_ne!(next(&mut state.clone(), 2)?, next(&mut copy, 2)?, "they have read other tokens");
    let mut again =
        net.decoder.init_state(net.encoder.forward_t(&Tensor::new(&[[5u32, 6, 3]], &CPU)?, &lens, false)?, &lens)?;
    next(&mut again, 1)?;
    assert_eq!(next(&mut again, 4)?, first);
    Ok(())
}

#[test]
fn the_decoder_cannot_look_ahead_nor_the_encoder_at_padding() -> Result<()> {
    let parameters = parameters();
    let net = transformer(9, 8, &SIZES, &parameters.builder())?;
    let lens = Tensor::new(&[2u32], &CPU)?;
    let logits = |source: [u32; 3], target: [u32; 3]| -> Result<Vec<Vec<f32>>> {
        let (source, target) = (Tensor::new(&[source], &CPU)?, Tensor::new(&[target], &CPU)?);
        Ok(net.forward_t(&source, &target, &lens, false)?.get(0)?.to_vec2()?)
    };
    let base = logits([5, 6, 1], [1, 4, 2])?;
    let later = logits([5, 6, 1], [1, 4, 7])?;
    assert_eq!(base[..2], later[..2]);
    assert_ne!(base[2], later[2]);
    assert_eq!(base, logits([5, 6, 8], [1, 4, 2])?);
    assert_ne!(base, logits([5, 7, 1], [1, 4, 2])?);
    Ok(())
}

#[test]
fn more_steps_than_positions_are_an_error() -> Result<()> {
    let parameters = parameters();
    let net = transformer(9, 8, &SIZES, &parameters.builder())?;
    let tokens = Tensor::zeros((1, 21), d2l::prelude::DType::U32, &CPU)?;
    let error = net.encoder.forward_t(&tokens, &Tensor::new(&[21u32], &CPU)?, false).expect_err("20 positions");
    assert!(error.to_string().contains("20 positions"), "{error}");
    Ok(())
}

fn pairs(rows: usize) -> Result<TranslationLoader> {
    let shuffle = Random::new(3).stream(Purpose::Shuffling, "test");
    Ok(FraEng::sample()?.load(8, 7, Some(rows), shuffle, &CPU)?)
}

#[test]
fn a_trained_model_translates_what_it_has_seen_and_so_does_its_file() -> Result<()> {
    let mut loader = pairs(12)?;
    let (source_vocab, target_vocab) = (loader.dataset().source_vocab.clone(), loader.dataset().target_vocab.clone());
    let sizes = TransformerSizes { hidden: 16, feed_forward: 32, dropout: 0.0, ..SIZES };
    let parameters = parameters();
    let net = transformer(source_vocab.len(), target_vocab.len(), &sizes, &parameters.builder())?;
    let losses = train_seq2seq(Trainer::new(60), &net, &parameters, &mut loader, 0.01)?.metric("train_loss");
    assert!(losses[59] < losses[0] / 4.0, "{losses:?}");
    let translator = SavedTransformer { net, parameters, source_vocab, target_vocab, sizes, num_steps: 7 };
    let greedy = translator.translator().translate("Go .")?;
    assert!(greedy.weights.iter().enumerate().all(|(step, weights)| {
        weights.len() == 4 && weights[0].dims() == [1, 2, 1, step + 1] && weights[3].dims() == [1, 2, 1, 7]
    }));
    assert_eq!(translator.translate("Go .", 1)?.0, greedy.text());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.safetensors");
    let provenance = Provenance::default();
    translator.save(&path, &provenance)?;
    let (loaded, came_from) = SavedTransformer::load(&path, &CPU)?;
    assert_eq!(came_from, provenance);
    for sentence in ["go .", "an unheard-of word"] {
        for width in [1, 3] {
            assert_eq!(translator.translate(sentence, width)?, loaded.translate(sentence, width)?);
        }
    }
    assert_eq!(loaded.unknown_words("go unheard-of ."), ["unheard-of"]);
    assert!(loaded.translate(" ", 2).is_err_and(|error| error.to_string().contains("no word")));
    Ok(())
}

#[test]
fn files_that_are_no_translator_are_told_apart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let message = |path: &std::path::Path| match SavedTransformer::load(path, &CPU) {
        Ok(_) => String::new(),
        Err(error) => format!("{error:#}"),
    };
    let missing = folder.path().join("missing.safetensors");
    assert!(message(&missing).contains("missing.safetensors"));
    let other = folder.path().join("other.safetensors");
    d2l::checkpoint::save_tensor(&other, &Tensor::new(1f32, &CPU)?)?;
    assert!(message(&other).contains("no saved translator"), "{}", message(&other));
    Ok(())
}

//! What real weights know, where they are at hand.

use d2l::data::Source as _;
use d2l::data::hub::{Hub, Mirror};
use d2l::prelude::*;
use nlp_applications::bert_pairs::plain_text;
use nlp_applications::pretrained_bert::PretrainedBert;
use nlp_applications::snli::{CONTRADICTION, ENTAILMENT, InferencePairs, NEUTRAL};
use nlp_pretraining::sections::bert::{BertEncoder, tokens_and_segments};

const CPU: Device = Device::Cpu;

/// The mean of the vectors that an encoder gives a sentence's tokens, marks among them.
fn sentence_vector(bert: &PretrainedBert, encoder: &BertEncoder, sentence: &str) -> anyhow::Result<Vec<f32>> {
    let marks = bert.tokenizer.marks();
    let ids = bert.tokenizer.encode(&plain_text(sentence))?;
    let (tokens, segments) = tokens_and_segments(&ids, None, [marks.cls, marks.sep]);
    let [tokens, segments] = [tokens, segments].map(|row| Tensor::new(row, &CPU)?.unsqueeze(0)); // (1, steps)
    let encoded = encoder.forward_t(&tokens?, &segments?, None, false)?.detach(); // (1, steps, hidden)
    Ok(encoded.squeeze(0)?.mean(0)?.to_vec1()?) // (hidden)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// A forward pass in NumPy gave the model these means of cosines on the first 300 test pairs, and to 0.885 of all pairs of an
/// entailment and a contradiction the larger one to the entailment. Where weights or pairs are neither in a mirror, such as
/// `D2L_MIRROR` names, nor in the cache, it says so and holds nothing.
#[test]
fn weights_tell_what_follows() -> anyhow::Result<()> {
    let cache = tempfile::tempdir()?;
    let mut hub = Hub::from_env()?;
    hub.mirrors.push(Mirror::Folder(hub.cache.clone()));
    (hub.cache, hub.offline) = (cache.path().to_path_buf(), true);
    // Others may be at hand, but not what the numbers are of.
    hub.datasets.retain(|set| set.name.starts_with("minilm-l3/") || set.name == "SNLI/test");
    let (Ok(bert), Ok(pairs)) = (PretrainedBert::fetch(&hub), hub.fetch("SNLI/test")) else {
        println!("not held: the model of three layers or SNLI's test pairs cannot be had");
        return Ok(());
    };
    assert!(bert.stand_in().is_some() && bert.tokenizer.has_pieces() && !bert.has_hidden());
    assert_eq!((bert.tokenizer.len(), bert.sizes().layers, bert.sizes().hidden), (12_288, 3, 384));
    let parameters = Parameters::new(&Random::new(1), &CPU);
    let encoder = bert.encoder(0.1, &parameters.builder().pp("encoder"))?;
    bert.restore(&parameters)?;

    let InferencePairs { premises, hypotheses, labels, .. } = InferencePairs::read(&pairs)?.first(300);
    let mut cosines: [Vec<f64>; 3] = [const { Vec::new() }; 3];
    for ((premise, hypothesis), label) in premises.iter().zip(&hypotheses).zip(labels) {
        let [a, b] = [premise, hypothesis].map(|sentence| sentence_vector(&bert, &encoder, sentence));
        cosines[label as usize].push(cosine(&a?, &b?));
    }
    let of = |label: u32| &cosines[label as usize];
    for (label, expected) in [(ENTAILMENT, 0.644), (NEUTRAL, 0.565), (CONTRADICTION, 0.314)] {
        let mean = of(label).iter().sum::<f64>() / of(label).len() as f64;
        assert!((mean - expected).abs() < 0.003, "{label}: {mean}, and NumPy has {expected}");
    }
    let larger = of(ENTAILMENT).iter().flat_map(|a| of(CONTRADICTION).iter().map(move |b| a > b));
    let (sum, count) = larger.fold((0, 0), |(sum, count), is_larger| (sum + usize::from(is_larger), count + 1));
    let area = sum as f64 / f64::from(count);
    assert!((area - 0.885).abs() < 0.003, "{area}");
    Ok(())
}

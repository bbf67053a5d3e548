//! Rules of translation that hold for all inputs: BLEU against a second implementation, masks against plain loops.

use d2l::prelude::*;
use d2l::random::normal;
use proptest::prelude::*;
use rnn::sections::seq2seq::{bleu, masked_cross_entropy, sequence_mask};

/// BLEU as the formula says it, by crossing out each n-gram of the label that a predicted one has used.
fn plain_bleu(prediction: &[&str], label: &[&str], k: usize) -> f64 {
    if prediction.len() < k || prediction.is_empty() {
        return 0.0;
    }
    let mut score =
        if prediction.len() < label.len() { (1.0 - label.len() as f64 / prediction.len() as f64).exp() } else { 1.0 };
    for n in 1..=k {
        let mut left: Vec<&[&str]> = label.windows(n).collect();
        let grams = prediction.windows(n);
        let total = grams.len();
        let mut matches = 0;
        for gram in grams {
            if let Some(at) = left.iter().position(|other| *other == gram) {
                left.swap_remove(at);
                matches += 1;
            }
        }
        score *= (f64::from(matches) / total as f64).powf(1.0 / f64::from(1u32 << n));
    }
    score
}

fn sentence() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "."]), 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn bleu_agrees_with_a_second_implementation(prediction in sentence(), label in sentence(), k in 1usize..5) {
        let (score, plain) = (bleu(&prediction.join(" "), &label.join(" "), k), plain_bleu(&prediction, &label, k));
        prop_assert!((score - plain).abs() < 1e-12, "{} and {}", score, plain);
        prop_assert!((0.0..=1.0 + 1e-12).contains(&score));
        let itself = bleu(&label.join(" "), &label.join(" "), k);
        prop_assert_eq!(itself, if label.len() < k.max(1) { 0.0 } else { 1.0 });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_mask_keeps_the_valid_steps_and_fills_the_others(
        batch in 1usize..4, steps in 1usize..6, features in 0usize..3, lens in prop::collection::vec(0u32..8, 4),
    ) {
        // No features: a matrix.
        let shape = if features == 0 { vec![batch, steps] } else { vec![batch, steps, features] };
        let width = features.max(1);
        let x = Tensor::arange(1f32, (batch * steps * width) as f32 + 1.0, &Device::Cpu).unwrap().reshape(shape).unwrap();
        let valid = Tensor::from_slice(&lens[..batch], batch, &Device::Cpu).unwrap();
        let masked: Vec<f32> = sequence_mask(&x, &valid, -7.0).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for (place, &value) in masked.iter().enumerate() {
            let (row, step) = (place / (steps * width), place / width % steps);
            prop_assert_eq!(value, if step < lens[row] as usize { place as f32 + 1.0 } else { -7.0 });
        }
    }

    #[test]
    fn the_loss_of_a_sequence_is_the_sum_over_its_valid_steps_by_all_its_steps(
        batch in 1usize..4, steps in 1usize..5, vocabulary in 1usize..6, lens in prop::collection::vec(0u32..7, 4), seed: u64,
    ) {
        let mut stream = Random::new(seed).stream(Purpose::Sampling, "test");
        let logits = normal(&mut stream, 0.0, 2.0, (batch, steps, vocabulary), &Device::Cpu).unwrap();
        let labels: Vec<u32> = (0..batch * steps).map(|i| (i % vocabulary) as u32).collect();
        let labels = Tensor::from_vec(labels, (batch, steps), &Device::Cpu).unwrap();
        let valid = Tensor::from_slice(&lens[..batch], batch, &Device::Cpu).unwrap();
        let losses: Vec<f32> = masked_cross_entropy(&logits, &labels, &valid).unwrap().to_vec1().unwrap();
        for (row, &loss) in losses.iter().enumerate() {
            let each = cross_entropy(&logits.get(row).unwrap(), &labels.get(row).unwrap(), Reduction::None).unwrap();
            let each: Vec<f32> = each.to_vec1().unwrap();
            let expected = each.iter().take(lens[row] as usize).sum::<f32>() / steps as f32;
            prop_assert!((loss - expected).abs() <= 1e-5 * (1.0 + expected.abs()), "{} and {}", loss, expected);
        }
    }
}

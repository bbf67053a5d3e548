//! Rules of masks that hold for every length: attention's softmax and dropout.

use candle_core::{D, DType, Device, Tensor};
use d2l::ops::{dropout, masked_softmax, softmax};
use d2l::random::{Purpose, Random, normal};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn a_masked_row_is_the_softmax_of_its_valid_part_and_nothing_beyond(
        batch in 1usize..4, queries in 1usize..4, keys in 1usize..8, lens in prop::collection::vec(0u32..10, 12),
        by_query: bool, seed: u64,
    ) {
        let mut stream = Random::new(seed).stream(Purpose::Sampling, "test");
        let x = normal(&mut stream, 0.0, 3.0, (batch, queries, keys), &Device::Cpu).unwrap();
        let count = if by_query { batch * queries } else { batch };
        let shape = if by_query { vec![batch, queries] } else { vec![batch] };
        let valid = Tensor::from_slice(&lens[..count], shape, &Device::Cpu).unwrap();
        let weights = masked_softmax(&x, Some(&valid)).unwrap();
        for i in 0..batch {
            for j in 0..queries {
                let len = (lens[if by_query { i * queries + j } else { i }] as usize).min(keys);
                let row: Vec<f32> = weights.get(i).and_then(|w| w.get(j)).unwrap().to_vec1().unwrap();
                let sum: f32 = row.iter().sum();
                prop_assert!((sum - 1.0).abs() < 1e-5, "the weights sum to {}", sum);
                if len == 0 {
                    prop_assert!(row.iter().all(|&w| (w - 1.0 / keys as f32).abs() < 1e-6), "{:?}", row);
                    continue;
                }
                prop_assert!(row[len..].iter().all(|&w| w == 0.0), "what is not valid has weight: {:?}", row);
                let part = x.get(i).and_then(|x| x.get(j)).and_then(|x| x.narrow(0, 0, len)).unwrap();
                let expected: Vec<f32> = softmax(&part, D::Minus1).unwrap().to_vec1().unwrap();
                prop_assert!(row.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{:?} {:?}", row, expected);
            }
        }
    }

    #[test]
    fn what_is_behind_the_mask_changes_no_weight(keys in 2usize..8, len in 1u32..8, seed: u64, other in -50f32..50.0) {
        let len = len.min(keys as u32 - 1);
        let mut stream = Random::new(seed).stream(Purpose::Sampling, "test");
        let x = normal(&mut stream, 0.0, 1.0, (1, keys), &Device::Cpu).unwrap();
        let tail = Tensor::full(other, (1, keys - len as usize), &Device::Cpu).unwrap();
        let changed = Tensor::cat(&[&x.narrow(1, 0, len as usize).unwrap(), &tail], 1).unwrap();
        let lens = Tensor::new(&[len], &Device::Cpu).unwrap();
        let weights = |x: &Tensor| masked_softmax(x, Some(&lens)).unwrap().to_vec2::<f32>().unwrap();
        prop_assert_eq!(weights(&x), weights(&changed));
    }

    #[test]
    fn dropout_drops_or_scales_and_does_nothing_else(n in 0usize..300, p in 0.0f64..=1.0, seed: u64) {
        let x = Tensor::arange(1f32, n as f32 + 1.0, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
        let mut stream = Random::new(seed).stream(Purpose::Dropout, "test");
        let dropped: Vec<f32> = dropout(&x, p, &mut stream).unwrap().to_vec1().unwrap();
        for (i, &y) in dropped.iter().enumerate() {
            let scaled = (i + 1) as f32 / (1.0 - p) as f32;
            prop_assert!(y == 0.0 || (y - scaled).abs() <= 1e-5 * scaled, "{} of {} with p {}", y, i + 1, p);
        }
        let again: Vec<f32> = dropout(&x, p, &mut Random::new(seed).stream(Purpose::Dropout, "test")).unwrap().to_vec1().unwrap();
        prop_assert_eq!(dropped, again, "the same stream gives another mask");
    }
}

#[test]
fn shares_outside_of_0_to_1_are_errors() {
    let x = Tensor::ones(3, DType::F32, &Device::Cpu).expect("a tensor");
    for p in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error =
            dropout(&x, p, &mut Random::new(1).stream(Purpose::Dropout, "test")).expect_err("no share").to_string();
        assert!(error.contains("[0, 1]"), "{p}: {error}");
    }
}

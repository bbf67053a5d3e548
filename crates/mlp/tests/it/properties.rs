//! Rules of k-fold cross-validation that hold for every set and every k.

use std::collections::HashSet;

use d2l::prelude::*;
use mlp::sections::kaggle_house_price::fold;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn no_house_is_in_both_parts_and_each_is_validated_on_once(n in 1usize..40, k in 2usize..9) {
        let prices = Tensor::arange(0f32, n as f32, &Device::Cpu).unwrap().reshape((n, 1)).unwrap();
        let features = Tensor::cat(&[&prices, &(&prices * 2.0).unwrap()], 1).unwrap();
        let houses = (features, prices);
        let size = n / k;
        let mut validated = Vec::new();
        for i in 0..k {
            let parts = fold(k, i, &houses);
            prop_assert_eq!(parts.is_ok(), size > 0, "{} houses in {} parts", n, k);
            let Ok(parts) = parts else { continue };
            let [train, valid] = parts.map(|(features, prices)| {
                let prices: Vec<u32> =
                    prices.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|&p| p as u32).collect();
                let rows = features.to_vec2::<f32>().unwrap();
                assert!(rows.iter().zip(&prices).all(|(row, &p)| *row == [p as f32, 2.0 * p as f32]), "another's price");
                prices
            });
            prop_assert_eq!((train.len(), valid.len()), ((k - 1) * size, size));
            let (trained, held_out): (HashSet<u32>, HashSet<u32>) =
                (train.iter().copied().collect(), valid.iter().copied().collect());
            prop_assert!(trained.is_disjoint(&held_out), "a house is trained and validated on");
            prop_assert_eq!(trained.len() + held_out.len(), k * size, "a house is there twice");
            validated.extend(valid);
        }
        prop_assert_eq!(validated, (0..(k * size) as u32).collect::<Vec<_>>());
        prop_assert!(fold(k, k, &houses).is_err(), "there is no part {}", k);
    }
}

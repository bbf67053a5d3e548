//! How much pictures differ, which is what a generator loses when it collapses (section 17.2).

use d2l::ops::matmul;
use d2l::prelude::*;

/// How much pictures `(n, …)` differ: the root of the mean squared difference of two of them, averaged over all pairs. It
/// is 0 where all are the same.
pub fn diversity(pictures: &Tensor) -> Result<f64> {
    let x = pictures.flatten_from(1)?.to_dtype(DType::F64)?; // (n, numbers)
    let (count, numbers) = x.dims2()?;
    let products = matmul(&x, &x.t()?)?.to_vec2::<f64>()?; // (n, n)
    let squared = |i: usize, j: usize| products[i][i] + products[j][j] - 2.0 * products[i][j];
    let pairs = (0..count).flat_map(|i| (0..i).map(move |j| (i, j)));
    let sum: f64 = pairs.map(|(i, j)| (squared(i, j).max(0.0) / numbers as f64).sqrt()).sum();
    Ok(sum / (count * count.saturating_sub(1) / 2).max(1) as f64)
}

/// What the last epoch's figures say of a training: the diversity of generated pictures as a share of that of real ones, and
/// the shares of real and of generated pictures that the discriminator takes for what they are.
pub fn verdict(diversity: f64, real: f64, generated: f64) -> &'static str {
    if diversity < 0.2 {
        "collapsed: the generated pictures are all alike"
    } else if real.min(generated) > 0.98 {
        "the discriminator has won: it is always right, and too sure of it to tell the generator which way is better"
    } else if f64::midpoint(real, generated) < 0.55 {
        "the discriminator guesses: what the generator makes is perfect, or its opponent too weak"
    } else {
        "both nets still learn: the discriminator is ahead, and is wrong often enough to be of use to the generator"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: Device = Device::Cpu;

    #[test]
    fn diversity_is_the_mean_distance_of_pairs() -> Result<()> {
        let pictures = Tensor::new(&[[0f32, 0.0], [0.0, 2.0], [2.0, 2.0]], &CPU)?;
        // The distances are √2, √2 and 2 where each number counts by its mean square.
        let wanted = (2.0 * 2f64.sqrt() + 2.0) / 3.0;
        assert!((diversity(&pictures)? - wanted).abs() < 1e-12);
        assert_eq!(diversity(&Tensor::ones((4, 3, 2, 2), DType::F32, &CPU)?)?, 0.0);
        assert_eq!(diversity(&Tensor::ones((1, 3, 2, 2), DType::F32, &CPU)?)?, 0.0);
        Ok(())
    }

    #[test]
    fn verdicts_tell_collapse_and_defeat() {
        assert!(verdict(0.05, 0.7, 0.7).starts_with("collapsed"));
        assert!(verdict(0.8, 0.99, 1.0).starts_with("the discriminator has won"));
        assert!(verdict(0.8, 0.9, 0.15).starts_with("the discriminator guesses"));
        assert!(verdict(0.8, 0.9, 1.0).starts_with("both nets"));
    }
}

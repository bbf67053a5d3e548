//! Synthetic data with known answers.

use candle_core::{DType, Result, Tensor};

use crate::random::{Stream, normal};

/// Draws `n` examples of a noisy linear relation `y = X w + b + ε` with standard normal `X` and `ε ~ N(0, 0.01²)`
/// (section 3.2): features `(n, d)` and labels `(n, 1)` for weights `(d)`, on the weights' device.
///
/// # Errors
/// Where `w` is not a vector of `f32`.
pub fn synthetic_data(w: &Tensor, b: f64, n: usize, stream: &mut Stream) -> Result<(Tensor, Tensor)> {
    let features = normal(stream, 0.0, 1.0, (n, w.dims1()?), w.device())?;
    let noise = normal(stream, 0.0, 0.01, (n, 1), w.device())?;
    let labels = ((features.matmul(&w.to_dtype(DType::F32)?.unsqueeze(1)?)? + b)? + noise)?;
    Ok((features, labels))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::random::{Purpose, Random};

    #[test]
    fn labels_follow_the_relation_up_to_the_noise() -> Result<()> {
        let mut stream = Random::new(3).stream(Purpose::Sampling, "test");
        let w = Tensor::new(&[2f32, -3.4], &Device::Cpu)?;
        let (x, y) = synthetic_data(&w, 4.2, 1000, &mut stream)?;
        assert_eq!((x.dims(), y.dims()), (&[1000, 2][..], &[1000, 1][..]));
        let rest = ((y - x.matmul(&w.unsqueeze(1)?)?)? - 4.2)?.flatten_all()?.to_vec1::<f32>()?;
        let std = (rest.iter().map(|r| r * r).sum::<f32>() / 1000.0).sqrt();
        assert!((std - 0.01).abs() < 0.001, "{std}");
        Ok(())
    }
}

//! Seeded random numbers: candle's own generator cannot be seeded on the CPU, so nothing here uses it.
//!
//! One seed gives a ChaCha stream for each purpose, so that adding a layer does not reshuffle the data. What owns a
//! generator for its lifetime, such as a loader or a dropout layer, takes a child stream with [`Random::fork`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::train::session;

/// A seeded generator whose numbers are the same on every machine.
///
/// Its place can be read and set from outside while something else draws from it, so that a training that was broken off
/// can go on with the numbers that would have come next.
#[derive(Debug)]
pub struct Stream(Generator);

#[derive(Debug)]
enum Generator {
    Own(Box<ChaCha8Rng>),
    /// One that a session of training looks after.
    Shared(Arc<Mutex<ChaCha8Rng>>),
}

/// A lock that a panic elsewhere does not close: a generator is whole after every draw.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream {
    fn new(generator: ChaCha8Rng) -> Self {
        if !session::is_open() {
            return Self(Generator::Own(Box::new(generator)));
        }
        let shared = Arc::new(Mutex::new(generator));
        session::register_stream(&shared);
        Self(Generator::Shared(shared))
    }

    /// Draws by `draw` from the generator itself, which costs one lock at most for many numbers.
    pub(crate) fn with<R>(&mut self, draw: impl FnOnce(&mut ChaCha8Rng) -> R) -> R {
        match &mut self.0 {
            Generator::Own(generator) => draw(generator),
            Generator::Shared(shared) => draw(&mut locked(shared)),
        }
    }
}

impl From<ChaCha8Rng> for Stream {
    fn from(generator: ChaCha8Rng) -> Self {
        Self::new(generator)
    }
}

/// A copy draws the same numbers, on its own.
impl Clone for Stream {
    fn clone(&self) -> Self {
        match &self.0 {
            Generator::Own(generator) => Self(Generator::Own(generator.clone())),
            Generator::Shared(shared) => Self(Generator::Own(Box::new(locked(shared).clone()))),
        }
    }
}

impl RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        self.with(RngCore::next_u32)
    }

    fn next_u64(&mut self) -> u64 {
        self.with(RngCore::next_u64)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.with(|generator| generator.fill_bytes(bytes));
    }
}

/// What random numbers are for; each purpose has streams of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial values of parameters.
    Initialization,
    /// The order of examples.
    Shuffling,
    /// Dropout masks.
    Dropout,
    /// Synthetic data and draws from a model.
    Sampling,
}

/// All random streams of one seed.
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    forks: [u64; 4],
    sampling: Stream,
}

impl Random {
    /// The streams of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, forks: [0; 4], sampling: stream(seed, Purpose::Sampling, 0) }
    }

    /// The seed that the streams come from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The stream for draws that nothing owns, such as synthetic data.
    pub fn sampling(&mut self) -> &mut Stream {
        &mut self.sampling
    }

    /// A new stream for a purpose: independent of all others, the same for the same seed and the same count of forks.
    pub fn fork(&mut self, purpose: Purpose) -> Stream {
        let count = &mut self.forks[purpose as usize];
        *count += 1;
        stream(self.seed, purpose, *count)
    }
}

fn stream(seed: u64, purpose: Purpose, index: u64) -> Stream {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream((purpose as u64) << 32 | index);
    Stream::new(generator)
}

/// Draws from `N(mean, std²)` as an `f32` tensor of any shape (section 2.1).
///
/// # Errors
/// What the device gives.
pub fn normal(stream: &mut Stream, mean: f64, std: f64, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    let values: Vec<f32> = stream.with(|generator| {
        let draw = |_| {
            let z: f64 = StandardNormal.sample(generator);
            (mean + std * z) as f32
        };
        (0..shape.elem_count()).map(draw).collect()
    });
    Tensor::from_vec(values, shape, device)
}

/// Draws uniformly from `[low, high)` as an `f32` tensor of any shape (section 2.1).
///
/// # Errors
/// What the device gives.
pub fn uniform(stream: &mut Stream, low: f64, high: f64, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    let values: Vec<f32> = stream.with(|generator| {
        let draw = |_| (low + (high - low) * generator.random::<f64>()) as f32;
        (0..shape.elem_count()).map(draw).collect()
    });
    Tensor::from_vec(values, shape, device)
}

/// Draws a parameter's initial values as candle's hint asks, in any float type.
pub(crate) fn initial(
    stream: &mut Stream,
    init: candle_nn::Init,
    shape: &Shape,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    use candle_nn::Init;
    use candle_nn::init::NormalOrUniform;
    let drawn = match init {
        Init::Const(value) => Tensor::full(value as f32, shape, device),
        Init::Randn { mean, stdev } => normal(stream, mean, stdev, shape, device),
        Init::Uniform { lo, up } => uniform(stream, lo, up, shape, device),
        Init::Kaiming { dist, fan, non_linearity } => {
            let std = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
            match dist {
                NormalOrUniform::Normal => normal(stream, 0.0, std, shape, device),
                NormalOrUniform::Uniform => uniform(stream, -std * 3f64.sqrt(), std * 3f64.sqrt(), shape, device),
            }
        }
    };
    drawn?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(mut stream: Stream) -> u64 {
        stream.random()
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let draw = |seed| first(Random::new(seed).fork(Purpose::Shuffling));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn forks_of_one_purpose_leave_the_others_alone() {
        let mut random = Random::new(7);
        let (a, b) = (first(random.fork(Purpose::Initialization)), first(random.fork(Purpose::Initialization)));
        assert_ne!(a, b);
        assert_eq!(first(random.fork(Purpose::Shuffling)), first(Random::new(7).fork(Purpose::Shuffling)));
    }

    #[test]
    fn draws_have_the_moments_asked_for() -> Result<()> {
        let mut stream = Random::new(1).fork(Purpose::Sampling);
        let values = normal(&mut stream, 2.0, 0.5, 100_000, &Device::Cpu)?.to_vec1::<f32>()?;
        let mean = values.iter().sum::<f32>() / 1e5;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 1e5;
        assert!((mean - 2.0).abs() < 0.01 && (variance - 0.25).abs() < 0.01, "mean {mean}, variance {variance}");
        let values = uniform(&mut stream, -1.0, 3.0, 100_000, &Device::Cpu)?.to_vec1::<f32>()?;
        assert!(values.iter().all(|v| (-1.0..3.0).contains(v)));
        assert!((values.iter().sum::<f32>() / 1e5 - 1.0).abs() < 0.02);
        Ok(())
    }
}

//! Seeded random numbers: candle's own generator cannot be seeded on the CPU, so nothing here uses it.
//!
//! A stream follows from the seed, what its numbers are for, and a name: from nothing that happened before. So adding a
//! layer changes neither the data's order nor another layer's initial values. Streams of a training begin anew at each
//! epoch, at a place that the epoch gives, so that a training that was broken off goes on with the same numbers although
//! nobody kept the place where it stood.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{DType, Device, Result, Shape, Tensor};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What random numbers are for; each purpose has streams of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial values of parameters.
    Initialization,
    /// The order of examples; anew at each epoch.
    Shuffling,
    /// Dropout masks; anew at each epoch.
    Dropout,
    /// Synthetic data and draws from a model, before or after a training.
    Sampling,
    /// What the steps of a training draw, such as the input of a generator or wrong answers to tell from right ones;
    /// anew at each epoch.
    Steps,
}

impl Purpose {
    /// Whether streams for it begin anew at each epoch of a training.
    fn follows_epochs(self) -> bool {
        matches!(self, Self::Shuffling | Self::Dropout | Self::Steps)
    }
}

/// All random streams of one seed. Clones share the epoch that [`Random::begin_epoch`] sets.
///
/// ```
/// use d2l::random::{Purpose, Random};
/// use rand::Rng;
///
/// let random = Random::new(7);
/// let mut order = random.stream(Purpose::Shuffling, "training examples");
/// random.begin_epoch(1);
/// let first: u64 = order.random();
/// random.begin_epoch(2);
/// assert_ne!(first, order.random::<u64>());
/// random.begin_epoch(1);
/// assert_eq!(first, order.random::<u64>());
/// ```
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    clock: Arc<Clock>,
}

/// The epoch of the training that goes on.
#[derive(Debug, Default)]
struct Clock {
    /// 0 outside of trainings.
    epoch: AtomicU64,
    /// How often an epoch has begun: of two trainings, both begin with epoch 1.
    ticks: AtomicU64,
}

impl Random {
    /// The streams of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, clock: Arc::default() }
    }

    /// The seed that the streams come from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The stream of a purpose and a name, from its beginning: the same numbers wherever and whenever it is made.
    pub fn stream(&self, purpose: Purpose, name: &str) -> Stream {
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        generator.set_stream(stream_number(purpose, name));
        let clock = purpose.follows_epochs().then(|| self.clock.clone());
        Stream { generator, clock, ticks: 0 }
    }

    /// Moves the streams that follow epochs to where `epoch` begins, from 1; 0 is the time outside of trainings. A
    /// [`Trainer`](crate::train::Trainer) calls it.
    pub fn begin_epoch(&self, epoch: usize) {
        self.clock.epoch.store(epoch as u64, Ordering::Relaxed);
        self.clock.ticks.fetch_add(1, Ordering::Release);
    }
}

/// A number for a purpose and a name, by the hash of Fowler, Noll and Vo: small, and the same on every machine.
fn stream_number(purpose: Purpose, name: &str) -> u64 {
    let bytes = std::iter::once(purpose as u8).chain(name.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A generator whose numbers are the same on every machine, from [`Random::stream`].
#[derive(Debug, Clone)]
pub struct Stream {
    generator: ChaCha8Rng,
    clock: Option<Arc<Clock>>,
    /// The clock's count when the generator was last put in its place.
    ticks: u64,
}

/// The words that an epoch can draw before it meets the next one's: 2⁴⁰, of the 2⁶⁸ of a stream.
const WORDS_AN_EPOCH: u128 = 1 << 40;

impl Stream {
    /// Draws by `draw` from the generator itself, in the place of the epoch that goes on.
    pub(crate) fn with<R>(&mut self, draw: impl FnOnce(&mut ChaCha8Rng) -> R) -> R {
        if let Some(clock) = &self.clock {
            let ticks = clock.ticks.load(Ordering::Acquire);
            if ticks != self.ticks {
                self.ticks = ticks;
                let epoch = clock.epoch.load(Ordering::Relaxed);
                self.generator.set_word_pos(u128::from(epoch) * WORDS_AN_EPOCH);
            }
        }
        draw(&mut self.generator)
    }
}

impl From<ChaCha8Rng> for Stream {
    fn from(generator: ChaCha8Rng) -> Self {
        Self { generator, clock: None, ticks: 0 }
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
    fn seed_purpose_and_name_give_a_stream() {
        let draw = |seed, purpose, name| first(Random::new(seed).stream(purpose, name));
        let one = draw(7, Purpose::Shuffling, "a");
        assert_eq!(one, draw(7, Purpose::Shuffling, "a"));
        assert_ne!(one, draw(8, Purpose::Shuffling, "a"));
        assert_ne!(one, draw(7, Purpose::Dropout, "a"));
        assert_ne!(one, draw(7, Purpose::Shuffling, "b"));
    }

    #[test]
    fn an_epoch_has_the_same_numbers_whatever_was_drawn_before() {
        let random = Random::new(7);
        let mut masks = random.stream(Purpose::Dropout, "hidden");
        let mut draw = |epoch, count: usize| {
            random.begin_epoch(epoch);
            (0..count).map(|_| masks.random()).collect::<Vec<u32>>()
        };
        let (first, second) = (draw(1, 3), draw(2, 5));
        assert_ne!(first, second[..3]);
        assert_eq!(draw(2, 4), second[..4]);
        assert_eq!(draw(1, 3), first, "a second training begins as the first");
        let mut late = random.stream(Purpose::Dropout, "hidden");
        assert_eq!(late.random::<u32>(), first[0], "a stream that is made within an epoch is of that epoch");
    }

    #[test]
    fn samples_go_on_through_epochs() {
        let random = Random::new(7);
        let mut samples = random.stream(Purpose::Sampling, "features");
        let before: u32 = samples.random();
        random.begin_epoch(1);
        assert_ne!(before, samples.random::<u32>());
    }

    #[test]
    fn draws_have_the_moments_asked_for() -> Result<()> {
        let mut stream = Random::new(1).stream(Purpose::Sampling, "moments");
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

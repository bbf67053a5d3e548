//! Training: one loop for all, and what its steps need.
//!
//! A [`Trainer`] owns the epochs, the history, progress, Ctrl-C, divergence and checkpoints. It is told what it trains and
//! handed a closure that does one step, so that what stands in a program is what the book writes in its inner loop:
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use d2l::data::ArrayLoader;
//! use d2l::nn::{Linear, Module, Parameters};
//! use d2l::ops::{Reduction, mse_loss};
//! use d2l::optim::{Optimizer, Sgd};
//! use d2l::random::{Purpose, Random};
//! use d2l::train::Trainer;
//!
//! let random = Random::new(42);
//! let x = Tensor::arange(0f32, 1.0, &Device::Cpu)?.reshape((1, 1))?.broadcast_as((8, 1))?;
//! let mut loader = ArrayLoader::from_tensors(&x, &(&x + 3.0)?, 4)?
//!     .shuffled(random.stream(Purpose::Shuffling, "training examples"));
//! let parameters = Parameters::new(&random, &Device::Cpu);
//! let net = Linear::new(1, 1, &parameters.builder())?;
//! let mut optimizer = Sgd::new(&parameters, 0.3);
//! let history = Trainer::new(20)
//!     .random(&random)
//!     .with(&parameters)
//!     .with(&optimizer)
//!     .run(&mut loader, |step, (x, y)| {
//!         let loss = mse_loss(&net.forward(&x)?, &y, Reduction::Mean)?;
//!         optimizer.minimize(&loss)?;
//!         step.loss(&loss, y.elem_count())
//!     })?;
//! assert!(history.last("train_loss") < Some(1e-3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A loop reports to a [`Monitor`] and knows nothing of notebooks, so it serves in any program.

mod accumulator;
mod accuracy;
mod checkpoints;
mod classifier;
mod error;
mod history;
mod interrupt;
mod keeping;
mod loss;
mod monitor;
mod step;
mod timer;
mod trained;
mod trainer;

pub use accumulator::Accumulator;
pub use accuracy::{count_correct, evaluate_accuracy};
pub use checkpoints::{Checkpoints, STOP_AFTER, STOPPED};
pub use error::{BoxError, StepResult, TrainError};
pub use history::{EpochRecord, History, Point, Unit};
pub use interrupt::{interrupt, interrupted};
pub use loss::evaluate_loss;
pub use monitor::{Monitor, Outline, Progress};
pub use step::{EpochEnd, Step};
pub use timer::Timer;
pub use trained::{Kept, Trained};
pub use trainer::Trainer;

pub(crate) use keeping::Share;

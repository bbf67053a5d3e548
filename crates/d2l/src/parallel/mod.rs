//! Training on several ranks: threads of this process, or processes that MPI starts (section 12.5).
//!
//! Every rank has the same net with the same weights, takes its [`shard`] of each minibatch and computes gradients on it;
//! the gradients are added up over the ranks, and each rank takes the same step. The loss is a sum over the shard divided by
//! the number of examples of the whole minibatch, so that it does not matter whether shards are of one size:
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use d2l::data::ArrayLoader;
//! use d2l::nn::{Linear, Module, Parameters};
//! use d2l::ops::{Reduction, mse_loss};
//! use d2l::optim::{Optimizer, Sgd};
//! use d2l::parallel::{self, DataParallel, shard};
//! use d2l::random::{Purpose, Random};
//! use d2l::train::Trainer;
//!
//! let losses = parallel::spawn(2, |communicator| {
//!     // The same seed on every rank: the same weights, and the same order of examples.
//!     let random = Random::new(42);
//!     let x = Tensor::arange(0f32, 1.0, &Device::Cpu)?.reshape((1, 1))?.broadcast_as((9, 1))?;
//!     let mut loader = ArrayLoader::from_tensors(&x, &(&x + 3.0)?, 3)?
//!         .shuffled(random.stream(Purpose::Shuffling, "training examples"));
//!     let parameters = Parameters::new(&random, &Device::Cpu);
//!     let net = Linear::new(1, 1, &parameters.builder())?;
//!     let mut optimizer = Sgd::new(&parameters, 0.3);
//!     let data_parallel = DataParallel::new(communicator, &parameters)?;
//!     let trainer = Trainer::new(20).ranks(communicator).random(&random).with(&parameters).with(&optimizer);
//!     let history = trainer.run(&mut loader, |step, (x, y)| {
//!         let batch = x.dim(0)?;
//!         let (x, y) = (shard(&x, communicator)?, shard(&y, communicator)?);
//!         let loss = (mse_loss(&net.forward(&x)?, &y, Reduction::Sum)? / batch as f64)?;
//!         optimizer.step(&data_parallel.backward(&loss)?)?;
//!         step.metric("train_loss", loss.to_scalar::<f32>()?.into(), 1.0)
//!     })?;
//!     data_parallel.compare()?; // the same bits on all ranks
//!     Ok(history.last("train_loss"))
//! })?;
//! assert!(losses.iter().all(|loss| *loss < Some(1e-3)));
//! # Ok::<(), d2l::parallel::ParallelError>(())
//! ```
//!
//! [`Single`] runs the same program on one rank, [`spawn`] on threads, and the crate `d2l-mpi` on as many processes as
//! `mpirun` starts, on one machine or many.

mod communicator;
mod data_parallel;
mod error;
mod message;
mod shard;
mod single;
mod threads;
mod trainer;

pub use communicator::{Collective, Communicator, DEADLINE};
pub use data_parallel::DataParallel;
pub use error::ParallelError;
pub use shard::{shard, shard_range, split_batch};
pub use single::Single;
pub use threads::{Threads, spawn};

use message::broadcast_bytes;

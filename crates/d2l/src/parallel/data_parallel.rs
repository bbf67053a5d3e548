//! The same net on every rank, each computing gradients on its shard of the minibatch (section 12.6).

use std::ops::Range;

use candle_core::{DType, Device, Tensor, Var};

use super::message::gather;
use super::{Communicator, ParallelError};
use crate::nn::is_buffer;
use crate::ops::{Gradients, backward};
use crate::train::Trained;

/// How many numbers are exchanged at a time: 4 MB, the most that stay in the cache of a core while they are added up.
const BUCKET: usize = 1 << 20;

/// Parameters that are the same on all ranks, and stay so: whose gradients are added up over the ranks (section 12.6).
///
/// See the [module](super) for an example.
#[doc(alias = "DistributedDataParallel")]
pub struct DataParallel<'a> {
    communicator: &'a dyn Communicator,
    /// What is trained.
    parameters: Vec<Named>,
    /// What is not, such as the running statistics of batch normalization.
    buffers: Vec<Named>,
}

type Named = (String, Var);

impl<'a> DataParallel<'a> {
    /// Parameters on all ranks. They get the values that rank 0 has, buffers included.
    ///
    /// # Errors
    /// Where the ranks' parameters differ in number, name or shape; where a parameter is not `f32`; where a rank is missing.
    pub fn new(communicator: &'a dyn Communicator, trained: &(impl Trained + ?Sized)) -> Result<Self, ParallelError> {
        let (buffers, parameters) = trained.kept().variables.into_iter().partition(|(name, _)| is_buffer(name));
        let this = Self { communicator, parameters, buffers };
        if let Some((name, variable)) = this.all().find(|(_, variable)| variable.dtype() != DType::F32) {
            let dtype = variable.dtype();
            return Err(ParallelError::Setup(format!("ranks exchange numbers of type f32, and {name} is {dtype:?}")));
        }
        this.compare_shapes()?;
        this.broadcast(&this.parameters)?;
        this.broadcast(&this.buffers)?;
        Ok(this)
    }

    /// What the ranks speak through.
    pub fn communicator(&self) -> &'a dyn Communicator {
        self.communicator
    }

    /// The gradients of `loss`, a sum over this rank's shard, added up over the ranks: for
    /// [`Optimizer::step`](crate::optim::Optimizer::step), which then takes the same step everywhere.
    ///
    /// # Errors
    /// As [`DataParallel::sum`]; where an operation has no gradient.
    pub fn backward(&self, loss: &Tensor) -> Result<Gradients, ParallelError> {
        let mut grads = backward(loss)?;
        self.sum(&mut grads)?;
        Ok(grads)
    }

    /// [`DataParallel::backward`] on a rank whose shard is empty, since a minibatch has fewer examples than there are
    /// ranks: it adds nothing to the others' gradients.
    ///
    /// # Errors
    /// Where a rank is missing.
    pub fn backward_empty(&self) -> Result<Gradients, ParallelError> {
        let mut grads = backward(&Tensor::new(0f32, &Device::Cpu)?)?;
        for (_, variable) in &self.parameters {
            grads.set(variable, variable.zeros_like()?);
        }
        self.sum(&mut grads)?;
        Ok(grads)
    }

    /// Adds up the parameters' gradients over the ranks, in buckets of a million numbers. A table's gradient by rows becomes
    /// one of the whole table, since the ranks look up different rows.
    ///
    /// Norms are clipped after it, with [`clip_gradients`](crate::optim::clip_gradients), to be those of the whole
    /// minibatch.
    ///
    /// # Errors
    /// Where a parameter has no gradient; where a rank is missing.
    pub fn sum(&self, grads: &mut Gradients) -> Result<(), ParallelError> {
        if self.communicator.size() == 1 {
            return Ok(());
        }
        let exchange = |variable: &Var, grad: Vec<f32>| Tensor::from_vec(grad, variable.shape(), variable.device());
        for bucket in buckets(&self.parameters) {
            let mut values = Vec::with_capacity(bucket.len());
            for (name, variable) in bucket {
                let Some(grad) = grads.find(variable).filter(|grad| grad.dims() == variable.dims()) else {
                    let message = format!(
                        "on rank {} the loss does not depend on parameter {name} {:?}, which therefore has no gradient",
                        self.communicator.rank(),
                        variable.dims()
                    );
                    return Err(ParallelError::Setup(message));
                };
                values.push(numbers(grad)?);
            }
            self.all_reduce(&mut values)?;
            for ((_, variable), values) in bucket.iter().zip(values) {
                grads.set(variable, exchange(variable, values)?);
            }
        }
        Ok(())
    }

    /// Gives every rank the buffers of rank 0, such as the running statistics of batch normalization, which follow each
    /// rank's own shards: before an evaluation on several ranks.
    ///
    /// # Errors
    /// Where a rank is missing.
    pub fn broadcast_buffers(&self) -> Result<(), ParallelError> {
        self.broadcast(&self.buffers)
    }

    /// Finds out whether the parameters' values have the same bits on all ranks. Buffers may differ.
    ///
    /// # Errors
    /// [`ParallelError::Disagree`], with the first parameter that differs, where they do not; where a rank is missing.
    pub fn compare(&self) -> Result<(), ParallelError> {
        let value = |(_, variable): &Named| {
            let numbers = numbers(variable)?;
            Ok(hash(numbers.iter().map(|number| u64::from(number.to_bits()))))
        };
        let own = self.parameters.iter().map(value).collect::<candle_core::Result<Vec<u64>>>()?;
        let ranks = gather(self.communicator, &own)?;
        for (rank, values) in ranks.iter().enumerate() {
            if let Some(at) = values.iter().zip(&ranks[0]).position(|(a, b)| a != b) {
                let what = format!("the values of parameter {} differ", self.parameters[at].0);
                return Err(ParallelError::Disagree { rank, what });
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Named> {
        self.parameters.iter().chain(&self.buffers)
    }

    /// Finds out whether the ranks have parameters of the same names and shapes, in the same order.
    fn compare_shapes(&self) -> Result<(), ParallelError> {
        let described = |(name, variable): &Named| {
            let name = name.bytes().map(u64::from).chain([u64::MAX]);
            let dims = variable.dims().iter().map(|&dim| dim as u64).collect::<Vec<_>>();
            name.chain(dims).chain([u64::MAX]).collect::<Vec<u64>>()
        };
        let numbers: usize = self.all().map(|(_, variable)| variable.elem_count()).sum();
        let own = [self.all().count() as u64, numbers as u64, hash(self.all().flat_map(described))];
        let ranks = gather(self.communicator, &own)?;
        let Some(rank) = ranks.iter().position(|other| *other != ranks[0]) else { return Ok(()) };
        let (other, first) = (&ranks[rank], &ranks[0]);
        let what = if other[..2] == first[..2] {
            format!("its {} parameters have other names, another order or other shapes", other[0])
        } else {
            let [other, first] = [other, first].map(|of| format!("{} parameters of {} numbers", of[0], of[1]));
            format!("it has {other}, rank 0 has {first}")
        };
        Err(ParallelError::Disagree { rank, what })
    }

    /// Gives every rank the values that rank 0 has.
    fn broadcast(&self, variables: &[Named]) -> Result<(), ParallelError> {
        if self.communicator.size() == 1 {
            return Ok(());
        }
        for bucket in buckets(variables) {
            let values = bucket.iter().map(|(_, variable)| numbers(variable));
            let mut values = values.collect::<candle_core::Result<Vec<_>>>()?;
            each_bucket(&mut values, |bucket| self.communicator.broadcast(0, bucket))?;
            for ((_, variable), values) in bucket.iter().zip(values) {
                variable.set(&Tensor::from_vec(values, variable.shape(), variable.device())?)?;
            }
        }
        Ok(())
    }

    fn all_reduce(&self, values: &mut [Vec<f32>]) -> Result<(), ParallelError> {
        each_bucket(values, |bucket| self.communicator.all_reduce(bucket))
    }
}

/// Variables that follow each other and fit into one bucket together; one that is larger stands alone.
fn buckets(variables: &[Named]) -> impl Iterator<Item = &[Named]> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let Range { start, mut end } = next..next;
        let mut numbers = 0;
        while let Some((_, variable)) = variables.get(end) {
            numbers += variable.elem_count();
            if end > start && numbers > BUCKET {
                break;
            }
            end += 1;
        }
        next = end;
        (end > start).then(|| &variables[start..end])
    })
}

/// Calls `exchange` with the numbers of several tensors in one bucket, or with those of one in as many as it takes.
fn each_bucket(
    values: &mut [Vec<f32>],
    exchange: impl Fn(&mut [f32]) -> Result<(), ParallelError>,
) -> Result<(), ParallelError> {
    if let [values] = values {
        return values.chunks_mut(BUCKET).try_for_each(exchange);
    }
    let mut bucket = values.concat();
    exchange(&mut bucket)?;
    let mut rest = &bucket[..];
    for values in values {
        let (own, others) = rest.split_at(values.len());
        values.copy_from_slice(own);
        rest = others;
    }
    Ok(())
}

/// A tensor's elements in row-major order.
fn numbers(tensor: &Tensor) -> candle_core::Result<Vec<f32>> {
    tensor.detach().flatten_all()?.to_vec1()
}

/// The hash of Fowler, Noll and Vo, of whole numbers: the same on every machine.
fn hash(numbers: impl IntoIterator<Item = u64>) -> u64 {
    let step = |hash: u64, number: u64| (hash ^ number).wrapping_mul(0x0100_0000_01b3);
    numbers.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::nn::{BatchNorm, Embedding, Linear, Module, ModuleT, Parameters};
    use crate::ops::{BatchNormConfig, Reduction, mse_loss, sum, tanh};
    use crate::optim::{Optimizer, Sgd};
    use crate::parallel::{Single, Threads, shard, spawn};
    use crate::random::Random;
    use crate::train::BoxError;

    type Outcome = Result<(), BoxError>;

    const BATCH: usize = 13;

    /// A smooth net's parameters after 12 steps, each rank on its shard of minibatches that no number of ranks divides.
    fn train(communicator: &dyn Communicator) -> Result<Vec<f32>, BoxError> {
        // Rank 0's values go to the others, which begin with their own.
        let random = Random::new(5 + communicator.rank() as u64);
        let parameters = Parameters::new(&random, &Device::Cpu);
        let builder = parameters.builder();
        let hidden = Linear::new(4, 8, &builder.pp("hidden"))?;
        let output = Linear::new(8, 2, &builder.pp("output"))?;
        let data_parallel = DataParallel::new(communicator, &parameters)?;
        let mut optimizer = Sgd::new(&parameters, 0.3).momentum(0.9);
        for step in 0..12 {
            let values = |count: usize, at: f32| -> Vec<f32> {
                (0..BATCH * count).map(|i| (i as f32 * 0.37 + step as f32 + at).sin()).collect()
            };
            let x = Tensor::from_vec(values(4, 0.0), (BATCH, 4), &Device::Cpu)?;
            let y = Tensor::from_vec(values(2, 0.5), (BATCH, 2), &Device::Cpu)?;
            let (x, y) = (shard(&x, communicator)?, shard(&y, communicator)?);
            let predicted = output.forward(&tanh(&hidden.forward(&x)?)?)?;
            let loss = (mse_loss(&predicted, &y, Reduction::Sum)? / BATCH as f64)?;
            optimizer.step(&data_parallel.backward(&loss)?)?;
        }
        data_parallel.compare()?;
        let values = parameters.variables().into_iter().map(|variable| numbers(&variable));
        Ok(values.collect::<candle_core::Result<Vec<_>>>()?.concat())
    }

    #[test]
    fn any_number_of_ranks_trains_as_one_on_the_whole_batch() -> Outcome {
        let whole = train(&Single)?;
        for ranks in 1..=4 {
            let weights = spawn(ranks, train)?;
            assert!(weights.iter().all(|other| *other == weights[0]), "the same bits on {ranks} ranks");
            for (a, b) in weights[0].iter().zip(&whole) {
                assert!((a - b).abs() < 1e-5, "{ranks} ranks: {a} and {b}");
            }
        }
        Ok(())
    }

    #[test]
    fn more_ranks_than_examples_are_no_fault() -> Outcome {
        let gradients = spawn(3, |communicator| {
            let w = Var::ones((1, 2), DType::F32, &Device::Cpu)?;
            let data_parallel = DataParallel::new(communicator, &[&w])?;
            let x = shard(&Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?, communicator)?;
            let grads = match x.dim(0)? {
                0 => data_parallel.backward_empty()?,
                _ => data_parallel.backward(&sum(&x.broadcast_mul(&w)?, (0, 1))?)?,
            };
            Ok(numbers(grads.get(&w)?)?)
        })?;
        assert_eq!(gradients, vec![[4.0, 6.0]; 3]);
        Ok(())
    }

    #[test]
    fn a_table_has_the_rows_of_all_ranks() -> Outcome {
        let gradients = spawn(2, |communicator| {
            let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
            let table = Embedding::new(3, 2, &parameters.builder())?;
            let data_parallel = DataParallel::new(communicator, &parameters)?;
            let ids = Tensor::new(&[[0u32, 2], [2, 2]][communicator.rank()], &Device::Cpu)?;
            let grads = data_parallel.backward(&sum(&table.forward(&ids)?, (0, 1))?)?;
            let (_, table) = &parameters.trained()[0];
            Ok(numbers(grads.get(table)?)?)
        })?;
        assert_eq!(gradients, vec![[1.0, 1.0, 0.0, 0.0, 3.0, 3.0]; 2]);
        Ok(())
    }

    #[test]
    fn large_and_small_parameters_go_in_buckets() -> Outcome {
        let sizes = [3, 4, BUCKET, 5, BUCKET + 7, 2, 1];
        let variables = sizes.map(|size| Var::ones(size, DType::F32, &Device::Cpu)).into_iter();
        let variables = variables.collect::<candle_core::Result<Vec<Var>>>()?;
        let named: Vec<Named> = variables.iter().map(|variable| (String::new(), variable.clone())).collect();
        let counts: Vec<usize> = buckets(&named).map(<[Named]>::len).collect();
        assert_eq!(counts, [2, 1, 1, 1, 2]);
        spawn(2, |communicator| {
            let own = variables.iter().map(|variable| Var::from_tensor(&variable.as_tensor().copy()?));
            let own = own.collect::<candle_core::Result<Vec<Var>>>()?;
            let data_parallel = DataParallel::new(communicator, &own)?;
            let mut grads = backward(&Tensor::new(0f32, &Device::Cpu)?)?;
            for (at, variable) in own.iter().enumerate() {
                grads.set(variable, (variable.ones_like()? * (at + 10 * communicator.rank()) as f64)?);
            }
            data_parallel.sum(&mut grads)?;
            for (at, variable) in own.iter().enumerate() {
                let values = numbers(grads.get(variable)?)?;
                assert!(values.iter().all(|&value| value == (2 * at + 10) as f32), "parameter {at}");
            }
            Ok(())
        })?;
        Ok(())
    }

    #[test]
    fn ranks_with_other_parameters_disagree_and_do_not_hang() {
        let shapes = |sizes: [usize; 2]| {
            let started = Instant::now();
            let outcome = Threads::new(2).deadline(Duration::from_secs(60)).run(|communicator| {
                let random = Random::new(1);
                let parameters = Parameters::new(&random, &Device::Cpu);
                Linear::new(4, sizes[communicator.rank()], &parameters.builder().pp("layer"))?;
                Ok(DataParallel::new(communicator, &parameters).map(|_| ()).map_err(|error| error.to_string()))
            });
            assert!(started.elapsed() < Duration::from_secs(30));
            outcome.expect("both come to their ends")
        };
        assert_eq!(shapes([3, 3]), [Ok(()), Ok(())]);
        let texts = shapes([3, 5]);
        let expected =
            "rank 1 disagrees with rank 0: it has 2 parameters of 25 numbers, rank 0 has 2 parameters of 15 numbers";
        assert_eq!(texts, [Err(expected.to_string()), Err(expected.to_string())]);
        // As many numbers in other shapes.
        let outcome = spawn(2, |communicator| {
            let shape = [(2, 3), (3, 2)][communicator.rank()];
            let w = Var::zeros(shape, DType::F32, &Device::Cpu)?;
            Ok(DataParallel::new(communicator, &[&w]).map(|_| ()).map_err(|error| error.to_string()))
        });
        for text in outcome.expect("both come to their ends") {
            assert!(text.expect_err("shapes differ").contains("other shapes"));
        }
    }

    #[test]
    fn weights_that_drift_apart_are_found_and_named() -> Outcome {
        let seen = spawn(3, |communicator| {
            let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
            let layer = Linear::new(2, 2, &parameters.builder().pp("layer"))?;
            let data_parallel = DataParallel::new(communicator, &parameters)?;
            data_parallel.compare()?;
            if communicator.rank() == 2
                && let Some(bias) = parameters.get("layer.bias")
            {
                bias.set(&(bias.as_tensor() + 1e-7)?)?;
            }
            assert_eq!(layer.weight().dims(), [2, 2]);
            Ok(data_parallel.compare().map_err(|error| error.to_string()))
        })?;
        let expected = "rank 2 disagrees with rank 0: the values of parameter layer.bias differ";
        assert_eq!(seen, vec![Err(expected.to_string()); 3]);
        Ok(())
    }

    #[test]
    fn a_parameter_without_a_gradient_ends_all_ranks_with_its_name() {
        let outcome = spawn(2, |communicator| {
            let (a, b) = (Var::ones(2, DType::F32, &Device::Cpu)?, Var::ones(2, DType::F32, &Device::Cpu)?);
            let data_parallel = DataParallel::new(communicator, &[&a, &b])?;
            let used = if communicator.rank() == 0 { a.mul(&b)? } else { a.sqr()? };
            Ok(data_parallel.backward(&sum(&used, 0)?).map(|_| ())?)
        });
        let text = outcome.expect_err("b is not used").to_string();
        assert!(text.starts_with("rank 1") && text.contains("parameter 1 [2]"), "{text}");
        let wide = spawn(1, |communicator| {
            let w = Var::ones(2, DType::F64, &Device::Cpu)?;
            Ok(DataParallel::new(communicator, &[&w]).map(|_| ())?)
        });
        assert!(wide.expect_err("f64").to_string().contains("F64"));
    }

    #[test]
    fn buffers_follow_each_rank_until_they_are_broadcast() -> Outcome {
        let statistics = spawn(2, |communicator| {
            let parameters = Parameters::new(&Random::new(1), &Device::Cpu);
            let norm = BatchNorm::new(1, BatchNormConfig::default(), &parameters.builder().pp("norm"))?;
            let data_parallel = DataParallel::new(communicator, &parameters)?;
            let x = Tensor::new(&[[1f32], [3.0 + communicator.rank() as f32]], &Device::Cpu)?;
            norm.forward_t(&x, true)?;
            let mean = || -> candle_core::Result<f32> {
                let mean = parameters.get("norm.running_mean").map(|mean| mean.to_vec1::<f32>()).transpose()?;
                Ok(mean.unwrap_or_default()[0])
            };
            let own = mean()?;
            data_parallel.compare()?;
            data_parallel.broadcast_buffers()?;
            Ok([own, mean()?])
        })?;
        assert!(statistics[0][0] < statistics[1][0]);
        assert_eq!([statistics[0][1], statistics[1][1]], [statistics[0][0]; 2]);
        Ok(())
    }
}

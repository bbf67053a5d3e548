//! Results and gradients are the same bits whatever the number of threads.

use crate::support::{rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::ops::{self, Reduction};
use d2l::optim::{Adam, Optimizer};

fn step_of_everything() -> Result<Vec<f32>> {
    let mut rng = rng(1);
    let mut var = |shape: &[usize]| Var::from_tensor(&uniform(&mut rng, shape).to_dtype(DType::F32)?);
    let (x, w, b) = (var(&[300, 130])?, var(&[120, 130])?, var(&[120])?);
    let (gamma, beta, heads, table) = (var(&[120])?, var(&[120])?, var(&[6, 70, 20])?, var(&[50, 20])?);
    let hidden = ops::relu(&ops::layer_norm(&ops::linear(&x, &w, Some(&b))?, &gamma, &beta, 1e-5)?)?;
    let labels = Tensor::arange(0u32, 300, &Device::Cpu)?.broadcast_div(&Tensor::new(&[3u32], &Device::Cpu)?)?;
    let hidden = ops::dropout(&hidden, 0.3, &mut crate::support::rng(2))?;
    let loss = ops::cross_entropy(&hidden, &labels, Reduction::Mean)?;
    let lens = Tensor::arange(30u32, 36, &Device::Cpu)?;
    let weights = ops::masked_softmax(&ops::matmul(&heads, &heads.t()?)?, Some(&lens))?;
    let values = ops::embedding(&Tensor::arange(0u32, 50, &Device::Cpu)?, &table)?;
    let attended = ops::matmul(&weights, &ops::matmul(&heads, &ops::matmul(&values.t()?, &values)?)?)?;
    let loss = (loss + ops::mean(&ops::sum(&attended.sqr()?, 0)?, (0, 1))?)?;
    let vars = vec![x, w, b, gamma, beta, heads, table];
    Adam::new(vars.clone(), 0.01).minimize(&loss)?;
    let mut results = vec![loss.to_scalar()?];
    for var in vars {
        results.extend(var.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(results)
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let results = pool.install(step_of_everything).expect("a step");
        results.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
    };
    let expected = run(1);
    for threads in [2, 3, 5] {
        assert!(run(threads) == expected, "{threads} threads give other results than one");
    }
}

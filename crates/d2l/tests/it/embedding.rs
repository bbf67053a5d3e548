//! `ops::embedding` against finite differences and PyTorch.

use crate::support::reference::Reference;
use crate::support::{check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::ops::{backward, embedding, matmul, relu};
use d2l::optim::{Adagrad, Adam, Optimizer, Sgd, clip_gradients};
use proptest::prelude::*;
use rand::Rng;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn gradients_agree_with_finite_differences(rows in 1usize..6, width in 1usize..5, n in 1usize..4, m in 0usize..4, seed: u64, turned: bool) {
        let mut rng = rng(seed);
        let weight = uniform(&mut rng, &[rows, width]);
        let weight = if turned { non_contiguous(&weight) } else { weight };
        let ids: Vec<u32> = (0..n * m).map(|_| rng.random_range(0..rows as u32)).collect();
        let ids = Tensor::from_vec(ids, (n, m), &Device::Cpu)?.t()?;
        check_gradients(&[weight], |t| embedding(&ids, &t[0]));
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let reference = Reference::load("embedding");
    for case in ["sequence", "batch", "single", "pages"] {
        let ids = reference.get(case, "ids");
        reference.check_all_types(case, &["weight"], |t| embedding(ids, &t[0]));
        let ids = ids.to_dtype(DType::U32).expect("ids");
        reference.check_all_types(case, &["weight"], |t| embedding(&ids, &t[0]));
    }
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let weight = Tensor::zeros((3, 2), DType::F32, &Device::Cpu)?;
    let ids = Tensor::new(&[[0u32, 1], [3, 2]], &Device::Cpu)?;
    let error = embedding(&ids, &weight).expect_err("bad").to_string();
    assert!(error.contains("id 3 at position 2 is out of range for 3 rows"), "{error}");
    let error = embedding(&ids, &weight.flatten_all()?).expect_err("bad").to_string();
    assert!(error.contains("weight must be (vocabulary, dimension), got [6]"), "{error}");
    Ok(())
}

/// Trains a table of 40 rows by lookups of some, once by their rows and once with a gradient of the whole table, and
/// holds the two against each other bit by bit.
fn rows_and_whole_tables_step_alike<O: Optimizer>(name: &str, optimizer: impl Fn(&Var) -> O) -> Result<()> {
    let mut rng = rng(7);
    let start = uniform(&mut rng, &[40, 3]).to_dtype(DType::F32)?;
    let (by_rows, whole) = (Var::from_tensor(&start)?, Var::from_tensor(&start.copy()?)?);
    let (mut first, mut second) = (optimizer(&by_rows), optimizer(&whole));
    for step in 0..5u32 {
        let ids = Tensor::new(&[[3 * step, 7], [39, 7], [0, 3 * step + 1]], &Device::Cpu)?;
        let loss = |table: &Tensor| embedding(&ids, table)?.sqr()?.sum_all();
        let grads = backward(&loss(&by_rows)?)?;
        let rows = grads.rows(&by_rows).expect("lookups alone");
        assert!(rows.ids().is_sorted() && rows.ids().contains(&39), "{:?}", rows.ids());
        first.step(&grads)?;
        let mut grads = backward(&loss(&whole)?)?;
        let all = grads.get(&whole)?.clone();
        grads.set(&whole, all);
        assert!(grads.rows(&whole).is_none());
        second.step(&grads)?;
        assert_eq!(by_rows.to_vec2::<f32>()?, whole.to_vec2::<f32>()?, "{name}, step {step}");
    }
    Ok(())
}

#[test]
fn optimizers_step_by_rows_as_by_the_whole_table() -> Result<()> {
    rows_and_whole_tables_step_alike("sgd", |w| Sgd::new([w], 0.1))?;
    rows_and_whole_tables_step_alike("sgd with decay", |w| Sgd::new([w], 0.1).weight_decay(0.1))?;
    rows_and_whole_tables_step_alike("sgd with momentum", |w| Sgd::new([w], 0.1).momentum(0.9))?;
    rows_and_whole_tables_step_alike("adagrad", |w| Adagrad::new([w], 0.1))?;
    rows_and_whole_tables_step_alike("adam", |w| Adam::new([w], 0.1))?;
    rows_and_whole_tables_step_alike("adam with decay", |w| Adam::new([w], 0.1).weight_decay(0.1))
}

#[test]
fn large_tables_are_updated_across_the_borders_of_blocks() -> Result<()> {
    // 7,001 numbers a row: blocks of the update begin and end within rows.
    let start = uniform(&mut rng(3), &[9, 7001]).to_dtype(DType::F32)?;
    let (by_rows, whole) = (Var::from_tensor(&start)?, Var::from_tensor(&start.copy()?)?);
    let ids = Tensor::new(&[8u32, 2, 3, 2], &Device::Cpu)?;
    for (table, is_whole) in [(&by_rows, false), (&whole, true)] {
        let mut grads = backward(&embedding(&ids, table)?.sqr()?.sum_all()?)?;
        if is_whole {
            let all = grads.get(table)?.clone();
            grads.set(table, all);
        }
        Adam::new([table], 0.1).step(&grads)?;
    }
    assert_eq!(by_rows.to_vec2::<f32>()?, whole.to_vec2::<f32>()?);
    Ok(())
}

#[test]
fn a_table_that_is_used_otherwise_too_has_a_whole_gradient() -> Result<()> {
    let table = Var::new(&[[1f32, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu)?;
    let ids = Tensor::new(&[2u32, 2, 0], &Device::Cpu)?;
    let lookups = embedding(&ids, &table)?.sum_all()?;
    for rest in [
        table.sum_all()?,
        relu(&table)?.sum_all()?,
        matmul(&table, &Tensor::ones((2, 1), DType::F32, &Device::Cpu)?)?.sum_all()?,
    ] {
        let grads = backward(&(&lookups + rest)?)?;
        assert!(grads.rows(&table).is_none());
        assert_eq!(grads.get(&table)?.to_vec2::<f32>()?, [[2.0, 2.0], [1.0, 1.0], [3.0, 3.0]]);
    }
    let twice = (embedding(&ids, &table)? + embedding(&Tensor::new(&[0u32, 1, 1], &Device::Cpu)?, &table)?)?;
    let grads = backward(&twice.sum_all()?)?;
    assert_eq!(grads.rows(&table).map(|rows| rows.ids().to_vec()), Some(vec![0, 1, 2]));
    assert_eq!(grads.get(&table)?.to_vec2::<f32>()?, [[2.0, 2.0], [2.0, 2.0], [2.0, 2.0]]);
    // candle's own backward pass knows no rows.
    let store = twice.sum_all()?.backward()?;
    assert_eq!(store.get(&table).map(Tensor::to_vec2::<f32>).transpose()?, Some(vec![vec![2.0; 2]; 3]));
    // A table that is itself computed hands its gradient on.
    let grads = backward(&embedding(&ids, &(table.as_tensor() * 2.0)?)?.sum_all()?)?;
    assert_eq!(grads.get(&table)?.to_vec2::<f32>()?, [[2.0, 2.0], [0.0, 0.0], [4.0, 4.0]]);
    Ok(())
}

#[test]
fn clipping_scales_the_rows() -> Result<()> {
    let table = Var::new(&[[3f32], [9.0], [4.0]], &Device::Cpu)?;
    let mut grads = backward(&(embedding(&Tensor::new(&[0u32, 2], &Device::Cpu)?, &table)?.sqr()? / 2.0)?.sum_all()?)?;
    assert_eq!(clip_gradients(&mut grads, std::slice::from_ref(&table), 1.0)?, 5.0);
    assert_eq!(grads.rows(&table).map(|rows| rows.ids().to_vec()), Some(vec![0, 2]));
    let clipped = grads.get(&table)?.flatten_all()?.to_vec1::<f32>()?;
    assert!((clipped[0] - 0.6).abs() < 1e-6 && clipped[1] == 0.0 && (clipped[2] - 0.8).abs() < 1e-6, "{clipped:?}");
    Ok(())
}

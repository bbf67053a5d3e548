//! The optimizers, clipping and schedules against PyTorch's.

use crate::support::assert_close;
use crate::support::reference::Reference;
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::data::Repeat;
use d2l::ops::backward;
use d2l::optim::{
    Adadelta, Adagrad, Adam, AdamW, AmsGrad, Optimizer, ParameterGroup, RmsProp, Sgd, clip_gradients, schedule,
};
use d2l::train::{BoxError, Checkpoints, Trained, Trainer};

/// A step on the reference's objective.
fn minimize(optimizer: &mut impl Optimizer, x: &Tensor, vars: &[Var]) -> Result<()> {
    let out = x.matmul(&vars[0])?.broadcast_add(&vars[1])?;
    optimizer.minimize(&(out.sqr()?.sum_all()? * 0.5)?)
}

/// Runs an optimizer on the reference's objective for 100 steps and holds the parameters then against PyTorch's.
fn check_after_100<O: Optimizer>(case: &str, optimizer: impl Fn(Vec<Var>) -> O) -> Result<()> {
    let reference = Reference::load("optim");
    for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-5)] {
        println!("{case} in {dtype:?}");
        let start = [reference.get("start", "w").to_dtype(dtype)?, reference.get("start", "b").to_dtype(dtype)?];
        let vars = start.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
        let x = reference.get("start", "x").to_dtype(dtype)?;
        let mut optimizer = optimizer(vars.clone());
        for _ in 0..100 {
            minimize(&mut optimizer, &x, &vars)?;
        }
        for (var, name) in vars.iter().zip(["w", "b"]) {
            assert_close(var, &reference.get(case, name).get(0)?, tolerance);
        }
    }
    Ok(())
}

/// Runs an optimizer on the reference's objective and holds every step's parameters against PyTorch's.
fn check<O: Optimizer>(case: &str, optimizer: impl Fn(Vec<Var>) -> O) -> Result<()> {
    let reference = Reference::load("optim");
    for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, 1e-4), (DType::F16, 6e-2)] {
        println!("{case} in {dtype:?}");
        let start = [reference.get("start", "w").to_dtype(dtype)?, reference.get("start", "b").to_dtype(dtype)?];
        let vars = start.iter().map(Var::from_tensor).collect::<Result<Vec<_>>>()?;
        let x = reference.get("start", "x").to_dtype(dtype)?;
        let mut optimizer = optimizer(vars.clone());
        let steps = reference.get(case, "b");
        for step in 0..steps.dim(0)? {
            minimize(&mut optimizer, &x, &vars)?;
            assert_close(&vars[0], &reference.get(case, "w").get(step)?, tolerance);
            assert_close(&vars[1], &steps.get(step)?, tolerance);
        }
    }
    Ok(())
}

#[test]
fn sgd_steps_as_pytorch_does() -> Result<()> {
    check("sgd", |vars| Sgd::new(vars, 0.01))?;
    check("sgd_decay", |vars| Sgd::new(vars, 0.01).weight_decay(0.1))?;
    check("sgd_momentum", |vars| Sgd::new(vars, 0.01).momentum(0.9).weight_decay(0.1))?;
    check("sgd_nesterov", |vars| Sgd::new(vars, 0.01).momentum(0.9).nesterov(true))
}

#[test]
fn adaptive_optimizers_step_as_pytorch_does() -> Result<()> {
    check("adam", |vars| Adam::new(vars, 0.001))?;
    check("adam_options", |vars| Adam::new(vars, 0.1).betas(0.8, 0.95).eps(1e-6).weight_decay(0.1))?;
    check("amsgrad", |vars| AmsGrad::new(vars, 0.001))?;
    check("amsgrad_options", |vars| AmsGrad::new(vars, 0.1).betas(0.8, 0.95).weight_decay(0.1))?;
    check("adamw", |vars| AdamW::new(vars, 0.001))?;
    check("adamw_options", |vars| AdamW::new(vars, 0.1).betas(0.8, 0.95).weight_decay(0.3))?;
    check("rmsprop", |vars| RmsProp::new(vars, 0.01))?;
    check("rmsprop_options", |vars| RmsProp::new(vars, 0.02).alpha(0.9).eps(1e-6).momentum(0.5).weight_decay(0.1))?;
    check("adagrad", |vars| Adagrad::new(vars, 0.01))?;
    check("adagrad_options", |vars| Adagrad::new(vars, 0.1).eps(1e-6).weight_decay(0.1))?;
    check("adadelta", |vars| Adadelta::new(vars, 1.0))?;
    check("adadelta_options", |vars| Adadelta::new(vars, 0.5).rho(0.8).eps(1e-4).weight_decay(0.1))
}

#[test]
fn all_optimizers_are_where_pytorch_is_after_100_steps() -> Result<()> {
    check_after_100("sgd_100", |vars| Sgd::new(vars, 0.01).momentum(0.9).weight_decay(0.1))?;
    check_after_100("nesterov_100", |vars| Sgd::new(vars, 0.01).momentum(0.9).nesterov(true))?;
    check_after_100("adam_100", |vars| Adam::new(vars, 0.01).weight_decay(0.1))?;
    check_after_100("amsgrad_100", |vars| AmsGrad::new(vars, 0.01).weight_decay(0.1))?;
    check_after_100("sgd_groups_100", |vars| Sgd::new(groups(&vars), 0.01).momentum(0.9))?;
    check_after_100("adam_groups_100", |vars| Adam::new(groups(&vars), 0.01))?;
    check_after_100("adamw_100", |vars| AdamW::new(vars, 0.01))?;
    check_after_100("rmsprop_100", |vars| RmsProp::new(vars, 0.001).alpha(0.9).momentum(0.5).weight_decay(0.1))?;
    check_after_100("adagrad_100", |vars| Adagrad::new(vars, 0.1).weight_decay(0.1))?;
    check_after_100("adadelta_100", |vars| Adadelta::new(vars, 1.0).rho(0.9).weight_decay(0.1))
}

/// The weight with a decay of its own, the bias at half the learning rate.
fn groups(vars: &[Var]) -> Vec<ParameterGroup> {
    vec![
        ParameterGroup { weight_decay: Some(0.2), ..ParameterGroup::from(vars[..1].to_vec()) },
        ParameterGroup { learning_rate_factor: 0.5, ..ParameterGroup::from(vars[1..].to_vec()) },
    ]
}

/// Six steps of training, in one go and broken off after three, end on the same bits.
fn resumes<O: Optimizer + Trained>(optimizer: impl Fn(Vec<Var>) -> O) -> std::result::Result<(), BoxError> {
    let reference = Reference::load("optim");
    let folder = tempfile::tempdir()?;
    let train = |epochs: usize, resume: bool, place: &str| -> std::result::Result<Vec<f32>, BoxError> {
        let starts = ["w", "b"].map(|name| reference.get("start", name).to_dtype(DType::F32));
        let vars = starts.into_iter().map(|start| Var::from_tensor(&start?)).collect::<Result<Vec<_>>>()?;
        let x = reference.get("start", "x").to_dtype(DType::F32)?;
        let mut optimizer = optimizer(vars.clone());
        let checkpoints = Checkpoints::new(&folder.path().join(place), "test", resume)?;
        let trainer = Trainer::new(epochs).with(&vars).with(&optimizer).checkpoints(checkpoints);
        trainer.run(&mut Repeat(1), |step, ()| {
            minimize(&mut optimizer, &x, &vars)?;
            step.count(1);
            Ok(())
        })?;
        Ok(vars[0].flatten_all()?.to_vec1()?)
    };
    let whole = train(6, false, "whole")?;
    train(3, false, "parts")?;
    assert_eq!(train(6, true, "parts")?, whole);
    Ok(())
}

#[test]
fn every_optimizers_state_resumes_on_the_same_bits() -> std::result::Result<(), BoxError> {
    resumes(|vars| Sgd::new(groups(&vars), 0.01).momentum(0.9).nesterov(true))?;
    resumes(|vars| Adam::new(groups(&vars), 0.1).weight_decay(0.1))?;
    resumes(|vars| AmsGrad::new(vars, 0.1))?;
    resumes(|vars| AdamW::new(vars, 0.1))?;
    resumes(|vars| RmsProp::new(vars, 0.02).momentum(0.5))?;
    resumes(|vars| Adagrad::new(vars, 0.1))?;
    resumes(|vars| Adadelta::new(vars, 1.0))
}

#[test]
fn groups_step_as_pytorch_does() -> Result<()> {
    check("sgd_groups", |vars| Sgd::new(groups(&vars), 0.01).momentum(0.9))?;
    check("adam_groups", |vars| Adam::new(groups(&vars), 0.1))?;
    check("adamw_groups", |vars| AdamW::new(groups(&vars), 0.1))?;
    check("rmsprop_groups", |vars| RmsProp::new(groups(&vars), 0.02))?;
    check("adagrad_groups", |vars| Adagrad::new(groups(&vars), 0.1))?;
    check("adadelta_groups", |vars| Adadelta::new(groups(&vars), 1.0))
}

#[test]
fn clipping_is_that_of_pytorch() -> Result<()> {
    let reference = Reference::load("optim");
    let vars = [Var::from_tensor(reference.get("start", "w"))?, Var::from_tensor(reference.get("start", "b"))?];
    let out = reference.get("start", "x").matmul(&vars[0])?.broadcast_add(&vars[1])?;
    let mut grads = backward(&(out.sqr()?.sum_all()? * 0.5)?)?;
    let norm = clip_gradients(&mut grads, &vars, 0.5)?;
    assert_close(&Tensor::new(norm, &Device::Cpu)?, reference.get("clipped", "norm"), 1e-12);
    for (var, name) in vars.iter().zip(["w", "b"]) {
        // PyTorch adds 1e-6 to the norm that it divides by.
        assert_close(grads.get(var).expect("a gradient"), reference.get("clipped", name), 1e-6);
    }
    Ok(())
}

#[test]
fn schedules_are_those_of_pytorch() -> Result<()> {
    let reference = Reference::load("optim");
    let check = |name: &str, rate: &dyn Fn(usize) -> f64| -> Result<()> {
        let expected = reference.get("schedule", name);
        let rates: Vec<f64> = (0..expected.elem_count()).map(rate).collect();
        assert_close(&Tensor::new(rates, &Device::Cpu)?, expected, 1e-12);
        Ok(())
    };
    check("step", &|epoch| schedule::step(0.3, epoch, 5, 0.3))?;
    check("multi_step", &|epoch| schedule::multi_step(0.3, epoch, &[4, 9, 17], 0.5))?;
    check("factor", &|epoch| schedule::factor(0.3, epoch, 0.8, 0.0))?;
    let cosine = schedule::Cosine { initial: 0.3, last: 0.01, ..schedule::Cosine::default() };
    check("cosine", &|epoch| cosine.at(epoch))?;
    let warm = schedule::Cosine { warmup_steps: 5, warmup_begin: 0.1, ..cosine };
    check("warm_up_cosine", &|epoch| warm.at(epoch))
}

#[test]
fn clipping_scales_all_gradients_by_their_common_norm() -> Result<()> {
    for dtype in [DType::F32, DType::F64, DType::F16] {
        let var = |values: &[f64]| Var::from_tensor(&Tensor::new(values, &Device::Cpu)?.to_dtype(dtype)?);
        let (a, b, unused) = (var(&[3.0, 0.0])?, var(&[4.0])?, var(&[100.0])?);
        let loss = ((a.sqr()?.sum_all()? + b.sqr()?.sum_all()?)? * 0.5)?;
        let vars = [a.clone(), b.clone()];
        let mut grads = backward(&loss)?;
        assert!((clip_gradients(&mut grads, &vars, 10.0)? - 5.0).abs() < 1e-6);
        assert_close(grads.get(&b).expect("a gradient"), &Tensor::new(&[4.0], &Device::Cpu)?, 0.0);
        assert!((clip_gradients(&mut grads, &vars, 1.0)? - 5.0).abs() < 1e-6);
        assert_close(grads.get(&a).expect("a gradient"), &Tensor::new(&[0.6, 0.0], &Device::Cpu)?, 1e-3);
        assert_close(grads.get(&b).expect("a gradient"), &Tensor::new(&[0.8], &Device::Cpu)?, 1e-3);
        let missing = clip_gradients(&mut grads, &[a.clone(), unused], 1.0).expect_err("no gradient").to_string();
        assert!(missing.contains("does not depend"), "{missing}");
        assert!(clip_gradients(&mut grads, &vars, 0.0).expect_err("bad").to_string().contains("max_norm"));
    }
    Ok(())
}

#[test]
fn groups_have_their_own_settings() -> Result<()> {
    let var = |value: f64| Var::new(&[value], &Device::Cpu);
    let (plain, fast, decayed) = (var(1.0)?, var(1.0)?, var(1.0)?);
    let groups = [
        ParameterGroup::from([&plain]),
        ParameterGroup::from([&fast]).learning_rate_factor(10.0),
        ParameterGroup::from([&decayed]).weight_decay(0.5),
    ];
    let mut optimizer = Sgd::new(groups, 0.1);
    let loss = ((plain.as_tensor() + fast.as_tensor())? + decayed.as_tensor())?.sum_all()?;
    let grads = backward(&loss)?;
    optimizer.step(&grads)?;
    let value = |var: &Var| -> Result<f64> { var.get(0)?.to_scalar() };
    assert!((value(&plain)? - 0.9).abs() < 1e-12);
    assert!((value(&fast)? - 0.0).abs() < 1e-12);
    assert!((value(&decayed)? - 0.85).abs() < 1e-12);
    optimizer.set_learning_rate(0.2);
    optimizer.step(&grads)?;
    assert!((value(&plain)? - 0.7).abs() < 1e-12);
    assert!((optimizer.learning_rate() - 0.2).abs() < 1e-12);
    Ok(())
}

#[test]
fn a_parameter_without_a_gradient_is_an_error_and_nothing_is_changed() -> Result<()> {
    let var = |value: f64| Var::new(&[value], &Device::Cpu);
    let (used, unused) = (var(1.0)?, var(1.0)?);
    let named = vec![("hidden.weight".to_owned(), used.clone()), ("output.bias".to_owned(), unused)];
    let error = Sgd::new(named, 0.1).minimize(&used.sum_all()?).expect_err("no gradient").to_string();
    assert!(error.contains("does not depend on parameter output.bias [1]"), "{error}");
    assert_eq!(used.to_vec1::<f64>()?, [1.0]);
    Ok(())
}

#[test]
fn a_layer_sees_the_update_and_large_parameters_are_updated_throughout() -> Result<()> {
    let var = Var::zeros((300, 301), DType::F32, &Device::Cpu)?;
    let held_by_a_layer = var.as_tensor().clone();
    let grads = backward(&var.sum_all()?)?;
    Sgd::new(vec![("weight".to_owned(), var)], 1.0).step(&grads)?;
    assert_close(&held_by_a_layer, &Tensor::full(-1.0f32, (300, 301), &Device::Cpu)?, 0.0);
    Ok(())
}

#[test]
fn bad_settings_are_named() -> Result<()> {
    let var = Var::zeros(2, DType::F32, &Device::Cpu)?;
    let mut grads = backward(&var.sum_all()?)?;
    let message = |mut optimizer: Sgd| optimizer.step(&grads).expect_err("a bad setting").to_string();
    let sgd = |rate| Sgd::new(vec![var.clone()], rate);
    assert!(message(sgd(-1.0)).contains("Sgd: learning_rate must be finite and not negative, got -1"));
    assert!(message(sgd(f64::NAN)).contains("learning_rate"));
    assert!(message(sgd(1.0).weight_decay(-0.1)).contains("weight_decay"));
    assert!(message(sgd(1.0).momentum(1.0)).contains("momentum must be in [0, 1), got 1"));
    assert!(message(sgd(1.0).nesterov(true)).contains("nesterov needs a momentum"));
    let error = Adam::new(vec![var.clone()], 1.0).betas(0.9, 1.0).step(&grads).expect_err("a bad setting").to_string();
    assert!(error.contains("Adam: beta 2 must be in [0, 1), got 1"), "{error}");
    grads.set(&var, Tensor::zeros(3, DType::F32, &Device::Cpu)?);
    assert!(sgd(1.0).step(&grads).expect_err("a bad gradient").to_string().contains("has a gradient"));
    Ok(())
}

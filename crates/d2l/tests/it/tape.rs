//! Gradients that go beside candle's store: in graphs of this crate's operations and candle's, they are the same.

use std::thread;

use crate::support::{assert_close, check_gradients, rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::ops::{add, backward, linear, matmul, mean, relu, tanh};

#[test]
fn graphs_of_both_kinds_agree_with_finite_differences() {
    let mut rng = rng(1);
    let inputs = [uniform(&mut rng, &[3, 4]), uniform(&mut rng, &[4, 4])];
    // A result used by both kinds, an argument used twice, candle's operations before, between and after.
    check_gradients(&inputs, |t| {
        let x = (&t[0] * 1.5)?; // candle's
        let h = tanh(&linear(&x, &t[1], None)?)?;
        let twice = add(&h, &h)?;
        let both = (h.sqr()? + &twice)?; // candle's
        let h = tanh(&matmul(&both, &t[1].t()?)?)?;
        add(&h, &twice)? * h // candle's
    });
}

/// A weight's products wait for each other, whole gradients are added up, and candle's own uses come on top.
#[test]
fn a_variable_used_by_many_gets_the_sum() {
    let mut rng = rng(2);
    let inputs = [uniform(&mut rng, &[5, 3]), uniform(&mut rng, &[3, 3])];
    check_gradients(&inputs, |t| {
        let mut h = t[0].clone();
        for _ in 0..4 {
            h = tanh(&add(&linear(&h, &t[1], None)?, &matmul(&h, &t[1])?)?)?;
        }
        let weights = add(&tanh(&t[1])?, &relu(&(&t[1] + 2.0)?)?)?;
        matmul(&h, &weights)? + h.matmul(&t[1])?
    });
}

fn variables() -> Result<[Var; 2]> {
    let mut rng = rng(3);
    Ok([Var::from_tensor(&uniform(&mut rng, &[4, 3]))?, Var::from_tensor(&uniform(&mut rng, &[3, 3]))?])
}

fn loss([x, w]: &[Var; 2]) -> Result<Tensor> {
    let h = tanh(&linear(x, w, None)?)?;
    mean(&(tanh(&linear(&h, w, None)?)? * w.as_tensor().sum_all()?.broadcast_as((4, 3))?)?, (0, 1))
}

#[test]
fn both_ways_back_agree_and_can_be_gone_again() -> Result<()> {
    let variables = variables()?;
    let loss = loss(&variables)?;
    let (first, ours, again) = (loss.backward()?, backward(&loss)?, loss.backward()?);
    for variable in &variables {
        let expected = first.get(variable).expect("a gradient");
        assert_close(ours.get(variable).expect("a gradient"), expected, 1e-15);
        assert_close(again.get(variable).expect("a gradient"), expected, 1e-15);
    }
    Ok(())
}

#[test]
fn no_gradient_goes_past_detach_or_to_what_is_not_used() -> Result<()> {
    let [x, w] = variables()?;
    let unused = relu(&w)?;
    let grads = backward(&add(&tanh(&x)?, &linear(&x, &w, None)?.detach())?)?;
    assert!(grads.get(&x).is_ok() && grads.get(&w).is_err());
    drop(unused);
    Ok(())
}

#[test]
fn threads_that_share_a_variable_do_not_mix_their_gradients() -> Result<()> {
    let w = Var::from_tensor(&uniform(&mut rng(4), &[8, 8]))?;
    let gradient = |scale: f64| -> Result<Tensor> {
        let x = (Tensor::ones((4, 8), DType::F64, &Device::Cpu)? * scale)?;
        let loss = add(&linear(&x, &w, None)?, &matmul(&x, &w)?)?;
        Ok(loss.backward()?.get(&w).expect("a gradient").clone())
    };
    let expected: Vec<Tensor> = (1..=4).map(|i| gradient(f64::from(i))).collect::<Result<_>>()?;
    thread::scope(|scope| {
        for (i, expected) in (1..=4).zip(&expected) {
            let gradient = &gradient;
            scope.spawn(move || {
                for _ in 0..200 {
                    assert_close(&gradient(f64::from(i)).expect("a gradient"), expected, 0.0);
                }
            });
        }
    });
    Ok(())
}

/// As deep as a long text through a recurrent net, on the small stack of a thread.
#[test]
fn deep_graphs_do_not_overflow_the_stack() -> Result<()> {
    let x = Var::from_tensor(&uniform(&mut rng(5), &[2, 2]))?;
    let mut y = x.as_tensor().clone();
    for _ in 0..2000 {
        y = add(&tanh(&y)?, &y)?;
    }
    let grads = backward(&y)?;
    assert!(grads.get(&x).expect("a gradient").sum_all()?.to_scalar::<f64>()?.is_finite());
    Ok(())
}

//! `ops::rnn`, `ops::gru`, `ops::lstm` against finite differences, and their results' independence of the threads.
//! Values are held against `PyTorch` in `recurrent_layers.rs`, which runs through them.

use crate::support::{check_gradients, non_contiguous, rng, uniform};
use candle_core::{DType, Device, Result, Tensor, Var};
use d2l::ops::{RecurrentWeights, RnnActivation, Steps, gru, lstm, rnn};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Rnn(RnnActivation),
    Gru,
    Lstm,
}

const KINDS: [Kind; 4] = [Kind::Rnn(RnnActivation::Tanh), Kind::Rnn(RnnActivation::Relu), Kind::Gru, Kind::Lstm];

impl Kind {
    fn gates(self) -> usize {
        match self {
            Self::Rnn(_) => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// `x`, `w_ih`, `w_hh`, `b_ih`, `b_hh`, `h0` and, of the LSTM, `c0`.
    fn inputs(self, seed: u64, (steps, batch, inputs, hidden): (usize, usize, usize, usize)) -> Vec<Tensor> {
        let (mut rng, wide) = (rng(seed), self.gates() * hidden);
        let mut shapes = vec![
            vec![steps, batch, inputs],
            vec![wide, inputs],
            vec![wide, hidden],
            vec![wide],
            vec![wide],
            vec![batch, hidden],
        ];
        if matches!(self, Self::Lstm) {
            shapes.push(vec![batch, hidden]);
        }
        shapes.iter().map(|shape| uniform(&mut rng, shape)).collect()
    }

    /// Outputs and final states in one row.
    fn run(self, t: &[Tensor], steps: Steps) -> Result<Tensor> {
        let weights = RecurrentWeights { w_ih: &t[1], w_hh: &t[2], b_ih: &t[3], b_hh: &t[4] };
        let results = match self {
            Self::Rnn(activation) => {
                let (outputs, h) = rnn(&t[0], &weights, Some(&t[5]), activation, steps)?;
                vec![outputs, h]
            }
            Self::Gru => {
                let (outputs, h) = gru(&t[0], &weights, Some(&t[5]), steps)?;
                vec![outputs, h]
            }
            Self::Lstm => {
                let (outputs, (h, c)) = lstm(&t[0], &weights, Some((&t[5], &t[6])), steps)?;
                vec![outputs, h, c]
            }
        };
        Tensor::cat(&results.iter().map(Tensor::flatten_all).collect::<Result<Vec<_>>>()?, 0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn gradients_agree_with_finite_differences(
        kind in 0usize..3,
        steps in 1usize..4,
        batch in 1usize..11,
        inputs in 1usize..4,
        hidden in 1usize..4,
        seed: u64,
        turned: bool,
        reverse: bool,
        differ: bool,
    ) {
        // Without the positive part: it bends at 0, which a difference may straddle.
        let kind = [Kind::Rnn(RnnActivation::Tanh), Kind::Gru, Kind::Lstm][kind];
        let mut tensors = kind.inputs(seed, (steps, batch, inputs, hidden));
        if turned {
            for place in [0, 1, 2, 5] {
                tensors[place] = non_contiguous(&tensors[place]);
            }
        }
        let lengths: Vec<u32> = (0..batch).map(|row| 1 + (seed.wrapping_add(row as u64 * 5) % steps as u64) as u32).collect();
        let lengths = Tensor::new(lengths, &Device::Cpu).expect("a vector");
        let steps = Steps { reverse, lengths: differ.then_some(&lengths) };
        check_gradients(&tensors, |t| kind.run(t, steps));
    }
}

#[test]
fn gradients_of_the_positive_part_agree_with_finite_differences() {
    let kind = Kind::Rnn(RnnActivation::Relu);
    check_gradients(&kind.inputs(3, (4, 9, 3, 5)), |t| kind.run(t, Steps::default()));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() -> Result<()> {
    for kind in KINDS {
        // Enough work for several threads to be given parts of it.
        let inputs = kind.inputs(5, (9, 37, 70, 150));
        let inputs: Vec<Tensor> = inputs.iter().map(|t| t.to_dtype(DType::F32)).collect::<Result<_>>()?;
        let run = |threads: usize| -> Result<Vec<Vec<f32>>> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
            pool.install(|| {
                let vars: Vec<Var> = inputs.iter().map(Var::from_tensor).collect::<Result<_>>()?;
                let graph: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
                let result = kind.run(&graph, Steps::default())?;
                let grads = result.sqr()?.backward()?;
                let grads = vars.iter().map(|var| grads.get(var.as_tensor()).expect("a gradient").clone());
                std::iter::once(result.clone()).chain(grads).map(|t| t.flatten_all()?.to_vec1()).collect()
            })
        };
        let one = run(1)?;
        assert!(one == run(2)? && one == run(3)?, "{kind:?}");
    }
    Ok(())
}

#[test]
fn bad_arguments_are_named() -> Result<()> {
    let good = Kind::Gru.inputs(1, (3, 2, 4, 5));
    for (place, expected) in [
        (0, "gru: x must be (steps, batch, inputs), got [3]"),
        (1, "gru: w_ih must be [15, 4], got [3]"),
        (2, "gru: w_hh must be (3 · hidden, hidden), got [3]"),
        (3, "gru: b_ih must be [15], got [3]"),
        (4, "gru: b_hh must be [15], got [3]"),
        (5, "gru: h0 must be [2, 5], got [3]"),
    ] {
        let mut bad = good.clone();
        bad[place] = Tensor::zeros(3, DType::F64, &Device::Cpu)?;
        let message = Kind::Gru.run(&bad, Steps::default()).expect_err("bad sizes").to_string();
        assert!(message.contains(expected), "{message}");
    }
    let mut other_type = good.clone();
    other_type[2] = good[2].to_dtype(DType::F32)?;
    let message = Kind::Gru.run(&other_type, Steps::default()).expect_err("two types").to_string();
    assert!(message.contains("gru: w_hh must be F64 as x is, got F32"), "{message}");
    for (lengths, expected) in [
        (Tensor::new(&[1u32, 2, 3], &Device::Cpu)?, "gru: lengths must be (2) whole numbers"),
        (Tensor::new(&[1f32, 2.0], &Device::Cpu)?, "gru: lengths must be (2) whole numbers"),
        (Tensor::new(&[0u32, 2], &Device::Cpu)?, "gru: lengths must be in 1..=3, got 0"),
        (Tensor::new(&[4i64, 2], &Device::Cpu)?, "gru: lengths must be in 1..=3, got 4"),
    ] {
        let steps = Steps { lengths: Some(&lengths), ..Steps::default() };
        let message = Kind::Gru.run(&good, steps).expect_err("bad lengths").to_string();
        assert!(message.contains(expected), "{message}");
    }
    let mut bad = Kind::Lstm.inputs(1, (3, 2, 4, 5));
    bad[6] = Tensor::zeros((2, 4), DType::F64, &Device::Cpu)?;
    let message = Kind::Lstm.run(&bad, Steps::default()).expect_err("bad sizes").to_string();
    assert!(message.contains("lstm: c0 must be [2, 5], got [2, 4]"), "{message}");
    Ok(())
}

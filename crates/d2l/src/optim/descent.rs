//! What all optimizers share: parameters with their state, and the walk over them at each step.

use std::sync::{Arc, Mutex};

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};

use super::Optimizer;
use crate::ops::kernel::{self, Float, for_float};
use crate::ops::parallel;
use crate::random::locked;
use crate::train::session::{self, Trained};

/// Parameters that share their settings (section 4.5).
#[derive(Debug, Clone)]
pub struct ParameterGroup {
    /// The variables to train.
    pub parameters: Vec<Var>,
    /// The group's learning rate is the optimizer's times this; 1 by default.
    pub learning_rate_factor: f64,
    /// The group's weight decay; the optimizer's by default.
    pub weight_decay: Option<f64>,
}

impl From<Vec<Var>> for ParameterGroup {
    fn from(parameters: Vec<Var>) -> Self {
        Self { parameters, learning_rate_factor: 1.0, weight_decay: None }
    }
}

/// What an optimizer is made from: variables, named variables, or groups of them.
#[derive(Debug, Clone)]
pub struct ParameterGroups(Vec<ParameterGroup>);

impl From<Vec<Var>> for ParameterGroups {
    fn from(parameters: Vec<Var>) -> Self {
        Self(vec![parameters.into()])
    }
}

impl From<Vec<(String, Var)>> for ParameterGroups {
    fn from(parameters: Vec<(String, Var)>) -> Self {
        parameters.into_iter().map(|(_, var)| var).collect::<Vec<_>>().into()
    }
}

impl From<Vec<ParameterGroup>> for ParameterGroups {
    fn from(groups: Vec<ParameterGroup>) -> Self {
        Self(groups)
    }
}

/// The settings of one parameter's step.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub learning_rate: f64,
    pub weight_decay: f64,
    /// 1 at a parameter's first step.
    pub number: i32,
}

/// An optimizer's formula, with `N` running values for each element of a parameter, all zero at first.
pub trait Rule<const N: usize>: Sync {
    /// The optimizer's name, for errors.
    const NAME: &'static str;

    /// The first setting that is out of its range, as a message.
    fn fault(&self) -> Option<String>;

    /// Updates a part of a parameter and its state in place.
    fn update<T: Float>(&self, step: Step, w: &mut [T], g: &[T], state: [&mut [T]; N]);

    /// The same from candle's operations: the new parameter and the new state.
    fn compose(&self, step: Step, w: &Tensor, g: &Tensor, state: &[Tensor; N]) -> Result<(Tensor, [Tensor; N])>;
}

/// The fault of a share that is not in `[0, 1)`.
pub(super) fn share_fault(name: &str, share: f64) -> Option<String> {
    (!(0.0..1.0).contains(&share)).then(|| format!("{name} must be in [0, 1), got {share}"))
}

/// `keep · old + (1 − keep) · new`, composed.
pub(super) fn average(old: &Tensor, new: &Tensor, keep: f64) -> Result<Tensor> {
    (old * keep)? + (new * (1.0 - keep))?
}

#[derive(Debug)]
struct Parameter<const N: usize> {
    var: Var,
    learning_rate_factor: f64,
    weight_decay: Option<f64>,
    steps: i32,
    /// Empty until the first step.
    state: Option<[Tensor; N]>,
}

/// What a checkpoint of a training keeps of an optimizer: its parameters, their running values, their counts of steps.
impl<const N: usize> Trained for Mutex<Vec<Parameter<N>>> {
    fn variables(&self) -> Vec<Var> {
        locked(self).iter().map(|parameter| parameter.var.clone()).collect()
    }

    fn state(&self) -> Vec<(i32, Vec<Tensor>)> {
        let state = |parameter: &Parameter<N>| {
            (parameter.steps, parameter.state.iter().flatten().cloned().collect::<Vec<Tensor>>())
        };
        locked(self).iter().map(state).collect()
    }

    fn restore(&self, state: Vec<(i32, Vec<Tensor>)>) -> Result<()> {
        let mut parameters = locked(self);
        if state.len() != parameters.len() {
            bail!("an optimizer of {} parameters cannot go on with the state of {}", parameters.len(), state.len());
        }
        for (parameter, (steps, tensors)) in parameters.iter_mut().zip(state) {
            parameter.steps = steps;
            parameter.state = if tensors.is_empty() && N > 0 {
                None
            } else {
                Some(tensors.try_into().map_err(|_| candle_core::Error::Msg("another optimizer's state".into()))?)
            };
        }
        Ok(())
    }
}

/// An optimizer that changes each parameter by a formula of its own gradient and `N` running values.
#[derive(Debug)]
pub struct Descent<R, const N: usize> {
    /// Shared with the session of training that keeps it in checkpoints, if there is one.
    parameters: Arc<Mutex<Vec<Parameter<N>>>>,
    learning_rate: f64,
    weight_decay: f64,
    pub(super) rule: R,
}

impl<R: Rule<N>, const N: usize> Descent<R, N> {
    pub(super) fn from_rule(groups: &ParameterGroups, learning_rate: f64, weight_decay: f64, rule: R) -> Self {
        let parameter = |group: &ParameterGroup, var: &Var| Parameter {
            var: var.clone(),
            learning_rate_factor: group.learning_rate_factor,
            weight_decay: group.weight_decay,
            steps: 0,
            state: None,
        };
        let parameters =
            groups.0.iter().flat_map(|group| group.parameters.iter().map(|var| parameter(group, var))).collect();
        let parameters = Arc::new(Mutex::new(parameters));
        session::register_optimizer(&parameters);
        Self { parameters, learning_rate, weight_decay, rule }
    }

    /// Sets the weight decay of all groups that do not set their own.
    #[doc(alias = "wd")]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    fn check(&self) -> Result<()> {
        let mut fault = self.rule.fault();
        for (name, value) in [("learning_rate", self.learning_rate), ("weight_decay", self.weight_decay)] {
            if !(value.is_finite() && value >= 0.0) {
                fault = Some(format!("{name} must be finite and not negative, got {value}"));
            }
        }
        match fault {
            Some(fault) => bail!("{}: {fault}", R::NAME),
            None => Ok(()),
        }
    }
}

impl<R: Rule<N>, const N: usize> Optimizer for Descent<R, N> {
    fn step(&mut self, grads: &GradStore) -> Result<()> {
        self.check()?;
        for parameter in locked(&self.parameters).iter_mut() {
            let Some(grad) = grads.get(parameter.var.as_tensor()) else { continue };
            let (w, have) = (parameter.var.as_tensor(), (grad.dims(), grad.dtype()));
            if have != (w.dims(), w.dtype()) {
                bail!("{}: a parameter {:?} of {:?} has a gradient {have:?}", R::NAME, w.dims(), w.dtype());
            }
            let state = match parameter.state.take() {
                Some(state) => state,
                None => zeros(w)?,
            };
            parameter.steps += 1;
            let step = Step {
                learning_rate: self.learning_rate * parameter.learning_rate_factor,
                weight_decay: parameter.weight_decay.unwrap_or(self.weight_decay),
                number: parameter.steps,
            };
            parameter.state = Some(if kernel::has_kernel(w) {
                for_float!(R::NAME, w.dtype(), T => update::<T, R, N>(&self.rule, step, w, grad, &state)?);
                state
            } else {
                let (new, state) = self.rule.compose(step, &w.detach(), grad, &state)?;
                parameter.var.set(&new)?;
                state
            });
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }
}

fn zeros<const N: usize>(like: &Tensor) -> Result<[Tensor; N]> {
    let tensors = (0..N).map(|_| like.zeros_like()).collect::<Result<Vec<_>>>()?;
    tensors.try_into().map_err(|_| candle_core::Error::Msg("an optimizer's state has another size".into()))
}

/// Updates a parameter and its state in their own buffers, in blocks.
fn update<T: Float, R: Rule<N>, const N: usize>(
    rule: &R,
    step: Step,
    w: &Tensor,
    grad: &Tensor,
    state: &[Tensor; N],
) -> Result<()> {
    borrow_all::<T>(state, Vec::with_capacity(N), &mut |mut state| {
        kernel::write_with::<T>(w, grad, |w, g| {
            let len = parallel::BLOCK;
            let blocks = w.len().div_ceil(len);
            let mut states: Vec<_> = state.iter_mut().map(|state| state.chunks_mut(len)).collect();
            let mut tasks = Vec::with_capacity(blocks);
            for (w, g) in w.chunks_mut(len).zip(g.chunks(len)) {
                let state: Vec<&mut [T]> = states.iter_mut().filter_map(Iterator::next).collect();
                let Ok(state) = <[&mut [T]; N]>::try_from(state) else {
                    bail!("{}: a parameter and its state differ in size", R::NAME);
                };
                tasks.push((w, g, state));
            }
            parallel::run(tasks, |(w, g, state)| kernel::vectorized(|| rule.update(step, w, g, state)));
            Ok(())
        })
    })
}

/// Calls `body` with the buffers of all `tensors`.
fn borrow_all<T: Float>(
    tensors: &[Tensor],
    buffers: Vec<&mut [T]>,
    body: &mut dyn FnMut(Vec<&mut [T]>) -> Result<()>,
) -> Result<()> {
    match tensors {
        [] => body(buffers),
        [first, rest @ ..] => kernel::write::<T>(first, |buffer| {
            // Moved, so that the borrows may shrink to this one's.
            let mut buffers: Vec<&mut [T]> = buffers;
            buffers.push(buffer);
            borrow_all(rest, buffers, body)
        }),
    }
}

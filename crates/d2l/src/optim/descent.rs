//! What all optimizers share: parameters with their state, and the walk over them at each step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{Result, Tensor, Var, bail};

use super::{Optimizer, clip_gradients};
use crate::nn::Parameters;
use crate::ops::kernel::{self, Float, for_float};
use crate::ops::{Gradients, RowGradient, backward, parallel};

/// Parameters that share their settings (section 4.5).
#[derive(Debug, Clone)]
pub struct ParameterGroup {
    /// The variables to train, with their names.
    pub parameters: Vec<(String, Var)>,
    /// The group's learning rate is the optimizer's times this; 1 by default.
    pub learning_rate_factor: f64,
    /// The group's weight decay; the optimizer's by default.
    pub weight_decay: Option<f64>,
}

impl ParameterGroup {
    /// Parameters with the optimizer's own settings.
    pub fn new(parameters: Vec<(String, Var)>) -> Self {
        Self { parameters, learning_rate_factor: 1.0, weight_decay: None }
    }

    /// Multiplies the optimizer's learning rate for this group.
    pub fn learning_rate_factor(mut self, factor: f64) -> Self {
        self.learning_rate_factor = factor;
        self
    }

    /// Sets the group's own weight decay.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = Some(weight_decay);
        self
    }
}

/// Variables without names are called by their places, from 0.
impl From<Vec<Var>> for ParameterGroup {
    fn from(variables: Vec<Var>) -> Self {
        Self::new(variables.into_iter().enumerate().map(|(place, var)| (place.to_string(), var)).collect())
    }
}

/// What an optimizer is made from: a model's parameters, variables, or groups of them.
#[derive(Debug, Clone)]
pub struct ParameterGroups(Vec<ParameterGroup>);

impl<T: Into<ParameterGroup>> From<T> for ParameterGroups {
    fn from(group: T) -> Self {
        Self(vec![group.into()])
    }
}

impl<const N: usize> From<[&Var; N]> for ParameterGroup {
    fn from(variables: [&Var; N]) -> Self {
        variables.map(Var::clone).to_vec().into()
    }
}

impl From<Vec<(String, Var)>> for ParameterGroup {
    fn from(parameters: Vec<(String, Var)>) -> Self {
        Self::new(parameters)
    }
}

/// The parameters that are trained: buffers are left out.
impl From<&Parameters> for ParameterGroup {
    fn from(parameters: &Parameters) -> Self {
        Self::new(parameters.trained())
    }
}

impl From<Vec<ParameterGroup>> for ParameterGroups {
    fn from(groups: Vec<ParameterGroup>) -> Self {
        Self(groups)
    }
}

impl<const N: usize> From<[ParameterGroup; N]> for ParameterGroups {
    fn from(groups: [ParameterGroup; N]) -> Self {
        Self(groups.into())
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

    /// Whether a step leaves elements whose gradient is zero, and their state, as they are.
    fn leaves_zeros(&self, _step: Step) -> bool {
        false
    }

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
    name: String,
    var: Var,
    learning_rate_factor: f64,
    weight_decay: Option<f64>,
    steps: i32,
    /// Empty until the first step.
    state: Option<[Tensor; N]>,
}

/// What changes while an optimizer works.
#[derive(Debug)]
struct Progress<const N: usize> {
    parameters: Vec<Parameter<N>>,
    learning_rate: f64,
}

/// For one parameter the count of its steps and its running values, none before the first step.
pub(crate) type ParameterState = (i32, Vec<Tensor>);

/// What a checkpoint keeps of an optimizer, behind a handle that the trainer holds while the training's step works with
/// the optimizer itself.
pub(crate) trait State {
    /// The parameters that the optimizer changes, by name.
    fn parameters(&self) -> Vec<(String, Var)>;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate from the next step on.
    fn set_learning_rate(&self, learning_rate: f64);

    /// The state of each parameter; the tensors change in place at the next step.
    fn state(&self) -> Vec<ParameterState>;

    /// Puts back what [`State::state`] and [`State::learning_rate`] gave.
    fn restore(&self, learning_rate: f64, state: Vec<ParameterState>) -> Result<()>;
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each parameter is whole after its update, so a panic elsewhere leaves nothing half done that could be read.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<const N: usize> State for Mutex<Progress<N>> {
    fn parameters(&self) -> Vec<(String, Var)> {
        locked(self).parameters.iter().map(|parameter| (parameter.name.clone(), parameter.var.clone())).collect()
    }

    fn learning_rate(&self) -> f64 {
        locked(self).learning_rate
    }

    fn set_learning_rate(&self, learning_rate: f64) {
        locked(self).learning_rate = learning_rate;
    }

    fn state(&self) -> Vec<ParameterState> {
        let state = |parameter: &Parameter<N>| {
            (parameter.steps, parameter.state.iter().flatten().cloned().collect::<Vec<Tensor>>())
        };
        locked(self).parameters.iter().map(state).collect()
    }

    fn restore(&self, learning_rate: f64, state: Vec<ParameterState>) -> Result<()> {
        let mut progress = locked(self);
        let parameters = &mut progress.parameters;
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
        progress.learning_rate = learning_rate;
        Ok(())
    }
}

/// The gradient of a parameter.
enum Gradient<'a> {
    Whole(&'a Tensor),
    /// Of a table of which rows were looked up.
    Rows(&'a RowGradient),
}

/// An optimizer that changes each parameter by a formula of its own gradient and `N` running values.
#[derive(Debug)]
pub struct Descent<R, const N: usize> {
    progress: Arc<Mutex<Progress<N>>>,
    weight_decay: f64,
    max_norm: Option<f64>,
    pub(super) rule: R,
}

impl<R: Rule<N>, const N: usize> Descent<R, N> {
    pub(super) fn from_rule(groups: &ParameterGroups, learning_rate: f64, weight_decay: f64, rule: R) -> Self {
        let parameter = |group: &ParameterGroup, (name, var): &(String, Var)| Parameter {
            name: name.clone(),
            var: var.clone(),
            learning_rate_factor: group.learning_rate_factor,
            weight_decay: group.weight_decay,
            steps: 0,
            state: None,
        };
        let parameters =
            groups.0.iter().flat_map(|group| group.parameters.iter().map(|named| parameter(group, named))).collect();
        let progress = Arc::new(Mutex::new(Progress { parameters, learning_rate }));
        Self { progress, weight_decay, max_norm: None, rule }
    }

    /// Sets the weight decay of all groups that do not set their own.
    #[doc(alias = "wd")]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Scales the gradients down before each step of [`Optimizer::minimize`] where their norm together is above
    /// `max_norm` (section 8.5).
    pub fn clip_norm(mut self, max_norm: f64) -> Self {
        self.max_norm = Some(max_norm);
        self
    }

    /// A handle on what changes while the optimizer works.
    pub(crate) fn state(&self) -> Arc<dyn State>
    where
        R: 'static,
    {
        self.progress.clone()
    }

    fn check(&self, learning_rate: f64) -> Result<()> {
        let mut fault = self.rule.fault();
        for (name, value) in [("learning_rate", learning_rate), ("weight_decay", self.weight_decay)] {
            if !(value.is_finite() && value >= 0.0) {
                fault = Some(format!("{name} must be finite and not negative, got {value}"));
            }
        }
        match fault {
            Some(fault) => bail!("{}: {fault}", R::NAME),
            None => Ok(()),
        }
    }

    /// The gradient of each parameter, in order.
    fn gradients<'a>(parameters: &[Parameter<N>], grads: &'a Gradients) -> Result<Vec<Gradient<'a>>> {
        let gradient = |parameter: &Parameter<N>| {
            let w = parameter.var.as_tensor();
            if let Some(rows) = grads.rows(w).filter(|rows| kernel::has_kernel(w) && rows.dtype() == w.dtype()) {
                return Ok(Gradient::Rows(rows));
            }
            let Some(grad) = grads.find(w) else {
                bail!(
                    "{}: the loss does not depend on parameter {} {:?}, which therefore has no gradient: look for a \
                     layer that the model does not use or a detached tensor on the way, or give the optimizer only \
                     what it is to train",
                    R::NAME,
                    parameter.name,
                    w.dims()
                );
            };
            if (grad.dims(), grad.dtype()) != (w.dims(), w.dtype()) {
                let (have, want) = ((grad.dims(), grad.dtype()), (w.dims(), w.dtype()));
                bail!("{}: parameter {} {want:?} has a gradient {have:?}", R::NAME, parameter.name);
            }
            Ok(Gradient::Whole(grad))
        };
        parameters.iter().map(gradient).collect()
    }
}

impl<R: Rule<N>, const N: usize> Optimizer for Descent<R, N> {
    fn step(&mut self, grads: &Gradients) -> Result<()> {
        let progress = &mut *locked(&self.progress);
        self.check(progress.learning_rate)?;
        // All of them first, so that an error leaves every parameter as it was.
        let gradients = Self::gradients(&progress.parameters, grads)?;
        for (parameter, grad) in progress.parameters.iter_mut().zip(gradients) {
            let w = parameter.var.as_tensor();
            let state = match parameter.state.take() {
                Some(state) => state,
                None => zeros(w)?,
            };
            parameter.steps += 1;
            let step = Step {
                learning_rate: progress.learning_rate * parameter.learning_rate_factor,
                weight_decay: parameter.weight_decay.unwrap_or(self.weight_decay),
                number: parameter.steps,
            };
            parameter.state = Some(match grad {
                Gradient::Rows(rows) => {
                    for_float!(R::NAME, w.dtype(), T => update_rows::<T, R, N>(&self.rule, step, w, rows, &state)?);
                    state
                }
                Gradient::Whole(grad) if kernel::has_kernel(w) => {
                    for_float!(R::NAME, w.dtype(), T => update::<T, R, N>(&self.rule, step, w, grad, &state)?);
                    state
                }
                Gradient::Whole(grad) => {
                    let (new, state) = self.rule.compose(step, &w.detach(), grad, &state)?;
                    parameter.var.set(&new)?;
                    state
                }
            });
        }
        Ok(())
    }

    fn minimize(&mut self, loss: &Tensor) -> Result<()> {
        let mut grads = backward(loss)?;
        if let Some(max_norm) = self.max_norm {
            let variables: Vec<Var> =
                locked(&self.progress).parameters.iter().map(|parameter| parameter.var.clone()).collect();
            clip_gradients(&mut grads, &variables, max_norm)?;
        }
        self.step(&grads)
    }

    fn learning_rate(&self) -> f64 {
        locked(&self.progress).learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        locked(&self.progress).learning_rate = learning_rate;
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

/// [`update`] of a table that has a gradient for some rows: of them alone where the others stay as they are, else of all,
/// without a gradient as large as the table.
fn update_rows<T: Float, R: Rule<N>, const N: usize>(
    rule: &R,
    step: Step,
    w: &Tensor,
    rows: &RowGradient,
    state: &[Tensor; N],
) -> Result<()> {
    let (ids, (_, width)) = (rows.ids(), rows.shape());
    if width == 0 {
        return Ok(());
    }
    borrow_all::<T>(state, Vec::with_capacity(N), &mut |mut state| {
        kernel::write_with::<T>(w, rows.values(), |w, g| {
            let bounds: Vec<(usize, usize)> = if rule.leaves_zeros(step) {
                // Rows that follow each other are one piece.
                let runs = ids.chunk_by(|a, b| a + 1 == *b);
                runs.map(|run| (run[0] as usize * width, (run[0] as usize + run.len()) * width)).collect()
            } else {
                let len = parallel::BLOCK;
                (0..w.len().div_ceil(len)).map(|block| (block * len, ((block + 1) * len).min(w.len()))).collect()
            };
            let zeros = vec![T::zero(); if rule.leaves_zeros(step) { 0 } else { parallel::BLOCK }];
            let mut states: Vec<_> = state.iter_mut().map(|state| pieces(state, &bounds).into_iter()).collect();
            let mut tasks = Vec::with_capacity(bounds.len());
            for (&(start, end), w) in bounds.iter().zip(pieces(w, &bounds)) {
                let state: Vec<&mut [T]> = states.iter_mut().filter_map(Iterator::next).collect();
                let Ok(state) = <[&mut [T]; N]>::try_from(state) else {
                    bail!("{}: a parameter and its state differ in size", R::NAME);
                };
                tasks.push(((start, end), w, state));
            }
            parallel::run(tasks, |((start, end), w, state)| {
                let first = ids.partition_point(|&id| (id as usize + 1) * width <= start);
                let last = ids.partition_point(|&id| (id as usize) * width < end);
                if first == last {
                    return kernel::vectorized(|| rule.update(step, w, &zeros[..w.len()], state));
                }
                let mut piece = vec![T::zero(); end - start];
                for (&id, g) in ids[first..last].iter().zip(g[first * width..].chunks_exact(width)) {
                    // A block may begin and end within a row.
                    let at = id as usize * width;
                    let (from, to) = (at.max(start), (at + width).min(end));
                    piece[from - start..to - start].copy_from_slice(&g[from - at..to - at]);
                }
                kernel::vectorized(|| rule.update(step, w, &piece, state));
            });
            Ok(())
        })
    })
}

/// The parts of a slice between ascending bounds.
fn pieces<'a, T>(mut slice: &'a mut [T], bounds: &[(usize, usize)]) -> Vec<&'a mut [T]> {
    let mut taken = 0;
    let piece = |&(start, end): &(usize, usize)| {
        let rest = std::mem::take(&mut slice);
        let (piece, rest) = rest[start - taken..].split_at_mut(end - start);
        (taken, slice) = (end, rest);
        piece
    };
    bounds.iter().map(piece).collect()
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

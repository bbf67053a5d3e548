//! What a trainer is told to look after.

use std::sync::Arc;

use candle_core::Var;

use crate::nn::Parameters;
use crate::optim::{Descent, State};

/// What a trainer keeps in checkpoints and watches for values that are not finite.
#[derive(Clone, Default)]
pub struct Kept {
    pub(crate) variables: Vec<(String, Var)>,
    pub(super) optimizers: Vec<Arc<dyn State>>,
}

impl Kept {
    /// Variables with their names.
    pub fn variables(variables: impl IntoIterator<Item = (String, Var)>) -> Self {
        Self { variables: variables.into_iter().collect(), optimizers: Vec::new() }
    }

    /// Adds what `other` keeps, under names that begin with `prefix`. A variable that is there already is kept once.
    pub(super) fn add(&mut self, prefix: &str, other: Self) {
        for (name, variable) in other.variables {
            if self.variables.iter().all(|(_, known)| known.id() != variable.id()) {
                self.variables.push((format!("{prefix}.{name}"), variable));
            }
        }
        self.optimizers.extend(other.optimizers);
    }
}

/// Something that a training changes: parameters, an optimizer, variables.
///
/// A model or an optimizer of a program's own is told to a trainer by its variables, [`Kept::variables`].
pub trait Trained {
    /// What is to be kept of it.
    fn kept(&self) -> Kept;
}

/// Parameters with buffers, such as the running statistics of batch normalization.
impl Trained for Parameters {
    fn kept(&self) -> Kept {
        Kept::variables(self.named())
    }
}

/// The parameters that the optimizer changes, its running values, counts of steps and learning rate.
impl<R: crate::optim::Rule<N> + 'static, const N: usize> Trained for Descent<R, N> {
    fn kept(&self) -> Kept {
        let state = self.state();
        Kept { variables: state.parameters(), optimizers: vec![state] }
    }
}

impl Trained for Var {
    fn kept(&self) -> Kept {
        Kept::variables([("value".to_string(), self.clone())])
    }
}

impl Trained for [Var] {
    fn kept(&self) -> Kept {
        Kept::variables(self.iter().enumerate().map(|(place, variable)| (place.to_string(), variable.clone())))
    }
}

impl Trained for Vec<Var> {
    fn kept(&self) -> Kept {
        self.as_slice().kept()
    }
}

impl<const N: usize> Trained for [&Var; N] {
    fn kept(&self) -> Kept {
        self.map(Var::clone).as_slice().kept()
    }
}

impl Trained for [(String, Var)] {
    fn kept(&self) -> Kept {
        Kept::variables(self.iter().cloned())
    }
}

//! Stochastic gradient descent, with momentum (sections 11.4 to 11.6).
//!
//! `g ← g + λ w`; with momentum `v ← μ v + g` and `g ← v`, or `g ← g + μ v` with Nesterov's; `w ← w − η g`.

use candle_core::{Result, Tensor};

use super::descent::{Descent, ParameterGroups, Rule, Step, share_fault};
use crate::ops::kernel::Float;

/// Stochastic gradient descent.
#[doc(alias = "SGD")]
#[doc(alias = "sgd")]
pub type Sgd = Descent<SgdRule, 1>;

/// The settings of [`Sgd`].
#[derive(Debug, Clone, Copy, Default)]
pub struct SgdRule {
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    /// Plain stochastic gradient descent; momentum and weight decay are added by the methods of their names.
    pub fn new(parameters: impl Into<ParameterGroups>, learning_rate: f64) -> Self {
        Self::from_rule(&parameters.into(), learning_rate, 0.0, SgdRule::default())
    }

    /// The share of the last step's direction that is kept, in `[0, 1)`; 0 by default.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.rule.momentum = momentum;
        self
    }

    /// Looks ahead along the momentum, after Nesterov; off by default.
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.rule.nesterov = nesterov;
        self
    }
}

impl Rule<1> for SgdRule {
    const NAME: &'static str = "Sgd";

    fn fault(&self) -> Option<String> {
        let lone = self.nesterov && self.momentum == 0.0;
        share_fault("momentum", self.momentum).or_else(|| lone.then(|| "nesterov needs a momentum".into()))
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: Step, w: &mut [T], g: &[T], [v]: [&mut [T]; 1]) {
        let (rate, decay, momentum) = (T::of(step.learning_rate), T::of(step.weight_decay), T::of(self.momentum));
        if self.momentum == 0.0 {
            return w.iter_mut().zip(g).for_each(|(w, &g)| *w -= rate * (g + decay * *w));
        }
        for ((w, &g), v) in w.iter_mut().zip(g).zip(v) {
            let g = g + decay * *w;
            *v = momentum * *v + g;
            *w -= rate * if self.nesterov { g + momentum * *v } else { *v };
        }
    }

    fn leaves_zeros(&self, step: Step) -> bool {
        self.momentum == 0.0 && step.weight_decay == 0.0
    }

    fn compose(&self, step: Step, w: &Tensor, g: &Tensor, [v]: &[Tensor; 1]) -> Result<(Tensor, [Tensor; 1])> {
        let g = (g + (w * step.weight_decay)?)?;
        let v = ((v * self.momentum)? + &g)?;
        let direction = if self.nesterov { (g + (&v * self.momentum)?)? } else { v.clone() };
        Ok(((w - (direction * step.learning_rate)?)?, [v]))
    }
}

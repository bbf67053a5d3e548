//! Adagrad (section 11.7).
//!
//! `g ← g + λ w`; `s ← s + g²`; `w ← w − η g / (√s + ε)`.

use candle_core::{Result, Tensor};

use super::descent::{Descent, ParameterGroups, Rule, Step};
use crate::ops::kernel::Float;

/// Steps scaled by the sum of all squared gradients so far.
pub type Adagrad = Descent<AdagradRule, 1>;

/// The settings of [`Adagrad`].
#[derive(Debug, Clone, Copy)]
pub struct AdagradRule {
    eps: f64,
}

impl Adagrad {
    /// Adagrad; the usual learning rate is 0.01.
    pub fn new(parameters: impl Into<ParameterGroups>, learning_rate: f64) -> Self {
        Self::from_rule(&parameters.into(), learning_rate, 0.0, AdagradRule { eps: 1e-10 })
    }

    /// What is added to the denominator; 1e-10 by default.
    pub fn eps(mut self, eps: f64) -> Self {
        self.rule.eps = eps;
        self
    }
}

impl Rule<1> for AdagradRule {
    const NAME: &'static str = "Adagrad";

    fn fault(&self) -> Option<String> {
        None
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: Step, w: &mut [T], g: &[T], [s]: [&mut [T]; 1]) {
        let (rate, decay, eps) = (T::of(step.learning_rate), T::of(step.weight_decay), T::of(self.eps));
        for ((w, &g), s) in w.iter_mut().zip(g).zip(s.iter_mut()) {
            let g = g + decay * *w;
            *s += g * g;
            *w -= rate * g / (s.sqrt() + eps);
        }
    }

    fn leaves_zeros(&self, step: Step) -> bool {
        step.weight_decay == 0.0
    }

    fn compose(&self, step: Step, w: &Tensor, g: &Tensor, [s]: &[Tensor; 1]) -> Result<(Tensor, [Tensor; 1])> {
        let g = (g + (w * step.weight_decay)?)?;
        let s = (s + g.sqr()?)?;
        let direction = (g / (s.sqrt()? + self.eps)?)?;
        Ok(((w - (direction * step.learning_rate)?)?, [s]))
    }
}

//! Adadelta (section 11.9).
//!
//! `g ← g + λ w`; `s ← ρ s + (1 − ρ) g²`; `d = g √(u + ε) / √(s + ε)`; `u ← ρ u + (1 − ρ) d²`; `w ← w − η d`.

use candle_core::{Result, Tensor};

use super::descent::{Descent, ParameterGroups, Rule, Step, average, share_fault};
use crate::ops::kernel::Float;

/// Steps scaled by the running mean of the steps themselves over that of the gradients.
pub type Adadelta = Descent<AdadeltaRule, 2>;

/// The settings of [`Adadelta`].
#[derive(Debug, Clone, Copy)]
pub struct AdadeltaRule {
    rho: f64,
    eps: f64,
}

impl Adadelta {
    /// Adadelta; the usual learning rate is 1.
    pub fn new(parameters: impl Into<ParameterGroups>, learning_rate: f64) -> Self {
        Self::from_rule(&parameters.into(), learning_rate, 0.0, AdadeltaRule { rho: 0.9, eps: 1e-6 })
    }

    /// The share of the running means that is kept at a step, in `[0, 1)`; 0.9 by default.
    pub fn rho(mut self, rho: f64) -> Self {
        self.rule.rho = rho;
        self
    }

    /// What is added below both roots; 1e-6 by default.
    pub fn eps(mut self, eps: f64) -> Self {
        self.rule.eps = eps;
        self
    }
}

impl Rule<2> for AdadeltaRule {
    const NAME: &'static str = "Adadelta";

    fn fault(&self) -> Option<String> {
        share_fault("rho", self.rho)
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: Step, w: &mut [T], g: &[T], [s, u]: [&mut [T]; 2]) {
        let (rate, decay, eps) = (T::of(step.learning_rate), T::of(step.weight_decay), T::of(self.eps));
        let (rho, new) = (T::of(self.rho), T::of(1.0 - self.rho));
        for ((w, &g), (s, u)) in w.iter_mut().zip(g).zip(s.iter_mut().zip(u.iter_mut())) {
            let g = g + decay * *w;
            *s = rho * *s + new * g * g;
            let direction = g * (*u + eps).sqrt() / (*s + eps).sqrt();
            *u = rho * *u + new * direction * direction;
            *w -= rate * direction;
        }
    }

    fn compose(&self, step: Step, w: &Tensor, g: &Tensor, [s, u]: &[Tensor; 2]) -> Result<(Tensor, [Tensor; 2])> {
        let g = (g + (w * step.weight_decay)?)?;
        let s = average(s, &g.sqr()?, self.rho)?;
        let direction = ((g * (u + self.eps)?.sqrt()?)? / (&s + self.eps)?.sqrt()?)?;
        let u = average(u, &direction.sqr()?, self.rho)?;
        Ok(((w - (direction * step.learning_rate)?)?, [s, u]))
    }
}

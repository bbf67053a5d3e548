//! `RMSProp` (section 11.8).
//!
//! `g ← g + λ w`; `v ← α v + (1 − α) g²`; `d = g / (√v + ε)`; with momentum `b ← μ b + d` and `d ← b`; `w ← w − η d`.

use candle_core::{Result, Tensor};

use super::descent::{Descent, ParameterGroups, Rule, Step, average, share_fault};
use crate::ops::kernel::Float;

/// Steps scaled by a running mean of the gradient's square.
#[doc(alias = "RMSprop")]
pub type RmsProp = Descent<RmsPropRule, 2>;

/// The settings of [`RmsProp`].
#[derive(Debug, Clone, Copy)]
pub struct RmsPropRule {
    alpha: f64,
    eps: f64,
    momentum: f64,
}

impl RmsProp {
    /// `RMSProp` without momentum; the usual learning rate is 0.01.
    pub fn new(parameters: impl Into<ParameterGroups>, learning_rate: f64) -> Self {
        let rule = RmsPropRule { alpha: 0.99, eps: 1e-8, momentum: 0.0 };
        Self::from_rule(&parameters.into(), learning_rate, 0.0, rule)
    }

    /// The share of the running mean that is kept at a step, in `[0, 1)`; 0.99 by default. The book's `gamma`.
    #[doc(alias = "gamma")]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.rule.alpha = alpha;
        self
    }

    /// What is added to the denominator; 1e-8 by default.
    pub fn eps(mut self, eps: f64) -> Self {
        self.rule.eps = eps;
        self
    }

    /// The share of the last step's direction that is kept, in `[0, 1)`; 0 by default.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.rule.momentum = momentum;
        self
    }
}

impl Rule<2> for RmsPropRule {
    const NAME: &'static str = "RmsProp";

    fn fault(&self) -> Option<String> {
        share_fault("alpha", self.alpha).or_else(|| share_fault("momentum", self.momentum))
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: Step, w: &mut [T], g: &[T], [v, b]: [&mut [T]; 2]) {
        let (rate, decay, eps) = (T::of(step.learning_rate), T::of(step.weight_decay), T::of(self.eps));
        let (alpha, new, momentum) = (T::of(self.alpha), T::of(1.0 - self.alpha), T::of(self.momentum));
        for ((w, &g), (v, b)) in w.iter_mut().zip(g).zip(v.iter_mut().zip(b.iter_mut())) {
            let g = g + decay * *w;
            *v = alpha * *v + new * g * g;
            *b = momentum * *b + g / (v.sqrt() + eps);
            *w -= rate * *b;
        }
    }

    fn compose(&self, step: Step, w: &Tensor, g: &Tensor, [v, b]: &[Tensor; 2]) -> Result<(Tensor, [Tensor; 2])> {
        let g = (g + (w * step.weight_decay)?)?;
        let v = average(v, &g.sqr()?, self.alpha)?;
        let b = ((b * self.momentum)? + (g / (v.sqrt()? + self.eps)?)?)?;
        Ok(((w - (&b * step.learning_rate)?)?, [v, b]))
    }
}

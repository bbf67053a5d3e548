//! Adam, `AdamW` (Loshchilov and Hutter, 2017) and AMSGrad (section 11.10).
//!
//! `g ← g + λ w` (Adam) or `w ← (1 − η λ) w` (`AdamW`); `m ← β₁ m + (1 − β₁) g`; `v ← β₂ v + (1 − β₂) g²`;
//! `w ← w − η m̂ / (√v̂ + ε)` with `m̂ = m / (1 − β₁ᵗ)` and `v̂ = v / (1 − β₂ᵗ)` at a parameter's step `t`.
//! AMSGrad (Reddi, Kale and Kumar, 2018) takes the largest `v` so far in the place of `v`.

use candle_core::{Result, Tensor};

use super::descent::{Descent, ParameterGroups, Rule, Step, average, share_fault};
use crate::ops::kernel::Float;

/// Adam: steps scaled by running means of the gradient and of its square.
pub type Adam = Descent<AdamRule<false>, 2>;

/// Adam with a weight decay apart from the gradient; 0.01 by default.
pub type AdamW = Descent<AdamRule<true>, 2>;

/// The settings of [`Adam`] and, with `DECOUPLED` decay, of [`AdamW`].
#[derive(Debug, Clone, Copy)]
pub struct AdamRule<const DECOUPLED: bool> {
    betas: (f64, f64),
    eps: f64,
}

impl Adam {
    /// Adam without weight decay; the usual learning rate is 0.001.
    pub fn new(parameters: impl Into<ParameterGroups>, learning_rate: f64) -> Self {
        Self::from_rule(&parameters.into(), learning_rate, 0.0, AdamRule::default())
    }
}

impl AdamW {
    /// Adam with a decoupled weight decay of 0.01; the usual learning rate is 0.001.
    pub fn new(parameters: impl Into<ParameterGroups>, learning_rate: f64) -> Self {
        Self::from_rule(&parameters.into(), learning_rate, 0.01, AdamRule::default())
    }
}

impl<const DECOUPLED: bool> Descent<AdamRule<DECOUPLED>, 2> {
    /// The shares of the running means that are kept at a step, in `[0, 1)`; (0.9, 0.999) by default.
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.rule.betas = (first, second);
        self
    }

    /// What is added to the denominator; 1e-8 by default.
    pub fn eps(mut self, eps: f64) -> Self {
        self.rule.eps = eps;
        self
    }
}

impl<const DECOUPLED: bool> Default for AdamRule<DECOUPLED> {
    fn default() -> Self {
        Self { betas: (0.9, 0.999), eps: 1e-8 }
    }
}

impl<const DECOUPLED: bool> AdamRule<DECOUPLED> {
    /// The factor of the weights, the decay that goes into the gradient, and the corrections of both means.
    fn factors(&self, step: Step) -> (f64, f64, f64, f64) {
        let (shrink, decay) =
            if DECOUPLED { (1.0 - step.learning_rate * step.weight_decay, 0.0) } else { (1.0, step.weight_decay) };
        let correction = |beta: f64| 1.0 - beta.powi(step.number);
        (shrink, decay, step.learning_rate / correction(self.betas.0), correction(self.betas.1).sqrt().recip())
    }
}

impl<const DECOUPLED: bool> Rule<2> for AdamRule<DECOUPLED> {
    const NAME: &'static str = if DECOUPLED { "AdamW" } else { "Adam" };

    fn fault(&self) -> Option<String> {
        share_fault("beta 1", self.betas.0).or_else(|| share_fault("beta 2", self.betas.1))
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: Step, w: &mut [T], g: &[T], [m, v]: [&mut [T]; 2]) {
        let (shrink, decay, rate, scale) = self.factors(step);
        let (shrink, decay, rate, scale) = (T::of(shrink), T::of(decay), T::of(rate), T::of(scale));
        let (eps, beta1, beta2) = (T::of(self.eps), T::of(self.betas.0), T::of(self.betas.1));
        let (new1, new2) = (T::of(1.0 - self.betas.0), T::of(1.0 - self.betas.1));
        for ((w, &g), (m, v)) in w.iter_mut().zip(g).zip(m.iter_mut().zip(v.iter_mut())) {
            let g = g + decay * *w;
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
            *w = shrink * *w - rate * *m / (v.sqrt() * scale + eps);
        }
    }

    fn compose(&self, step: Step, w: &Tensor, g: &Tensor, [m, v]: &[Tensor; 2]) -> Result<(Tensor, [Tensor; 2])> {
        let (shrink, decay, rate, scale) = self.factors(step);
        let g = (g + (w * decay)?)?;
        let m = average(m, &g, self.betas.0)?;
        let v = average(v, &g.sqr()?, self.betas.1)?;
        let direction = (&m / ((v.sqrt()? * scale)? + self.eps)?)?;
        Ok((((w * shrink)? - (direction * rate)?)?, [m, v]))
    }
}

/// AMSGrad (Reddi, Kale and Kumar, 2018): Adam with the largest `v` so far in the denominator, corrected for
/// the start as Adam's is.
pub type AmsGrad = Descent<AmsGradRule, 3>;

/// The settings of [`AmsGrad`].
#[derive(Debug, Clone, Copy, Default)]
pub struct AmsGradRule(AdamRule<false>);

impl AmsGrad {
    /// AMSGrad without weight decay; the usual learning rate is 0.001.
    pub fn new(parameters: impl Into<ParameterGroups>, learning_rate: f64) -> Self {
        Self::from_rule(&parameters.into(), learning_rate, 0.0, AmsGradRule::default())
    }

    /// The shares of the running means that are kept at a step, in `[0, 1)`; (0.9, 0.999) by default.
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.rule.0.betas = (first, second);
        self
    }

    /// What is added to the denominator; 1e-8 by default.
    pub fn eps(mut self, eps: f64) -> Self {
        self.rule.0.eps = eps;
        self
    }
}

impl Rule<3> for AmsGradRule {
    const NAME: &'static str = "AMSGrad";

    fn fault(&self) -> Option<String> {
        self.0.fault()
    }

    #[inline(always)]
    fn update<T: Float>(&self, step: Step, w: &mut [T], g: &[T], [m, v, largest]: [&mut [T]; 3]) {
        let (_, decay, rate, scale) = self.0.factors(step);
        let (decay, rate, scale) = (T::of(decay), T::of(rate), T::of(scale));
        let (eps, beta1, beta2) = (T::of(self.0.eps), T::of(self.0.betas.0), T::of(self.0.betas.1));
        let (new1, new2) = (T::of(1.0 - self.0.betas.0), T::of(1.0 - self.0.betas.1));
        let state = m.iter_mut().zip(v.iter_mut()).zip(largest.iter_mut());
        for ((w, &g), ((m, v), largest)) in w.iter_mut().zip(g).zip(state) {
            let g = g + decay * *w;
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
            *largest = if *v > *largest { *v } else { *largest };
            *w -= rate * *m / (largest.sqrt() * scale + eps);
        }
    }

    fn compose(
        &self,
        step: Step,
        w: &Tensor,
        g: &Tensor,
        [m, v, largest]: &[Tensor; 3],
    ) -> Result<(Tensor, [Tensor; 3])> {
        let (_, decay, rate, scale) = self.0.factors(step);
        let g = (g + (w * decay)?)?;
        let m = average(m, &g, self.0.betas.0)?;
        let v = average(v, &g.sqr()?, self.0.betas.1)?;
        let largest = largest.maximum(&v)?;
        let direction = (&m / ((largest.sqrt()? * scale)? + self.0.eps)?)?;
        Ok(((w - (direction * rate)?)?, [m, v, largest]))
    }
}

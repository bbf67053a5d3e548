//! Learning rates over the course of training (section 11.11), as functions of the epoch or step.
//!
//! ```
//! use d2l::optim::schedule;
//! let rates: Vec<f64> = (0..4).map(|epoch| schedule::step(0.1, epoch, 2, 0.5)).collect();
//! assert_eq!(rates, [0.1, 0.1, 0.05, 0.05]);
//! ```

use std::f64::consts::PI;

/// `initial`, multiplied by `factor` once for every `size` epochs that have passed; a `size` of 0 counts as 1.
#[doc(alias = "StepLR")]
pub fn step(initial: f64, epoch: usize, size: usize, factor: f64) -> f64 {
    initial * factor.powi((epoch / size.max(1)) as i32)
}

/// `initial`, multiplied by `factor` once for each of the `milestones` that the epoch has reached; after the last of them
/// it holds its value.
#[doc(alias = "MultiFactorScheduler")]
#[doc(alias = "MultiStepLR")]
pub fn multi_step(initial: f64, epoch: usize, milestones: &[usize], factor: f64) -> f64 {
    initial * factor.powi(milestones.iter().filter(|&&milestone| milestone <= epoch).count() as i32)
}

/// `initial` times `factor` to the power of the epoch, and no less than `least`, which it holds from then on.
#[doc(alias = "FactorScheduler")]
#[doc(alias = "ExponentialLR")]
pub fn factor(initial: f64, epoch: usize, factor: f64, least: f64) -> f64 {
    (initial * factor.powf(epoch as f64)).max(least)
}

/// `initial` over the square root of the number of epochs or steps begun: it falls forever.
#[doc(alias = "SquareRootScheduler")]
pub fn square_root(initial: f64, epoch: usize) -> f64 {
    initial / ((epoch + 1) as f64).sqrt()
}

/// `initial · (β t + 1)^-α` at epoch or step `t` (section 11.4): with `α` of ½ it falls forever and slowly enough for
/// convex objectives.
pub fn polynomial(initial: f64, step: usize, beta: f64, alpha: f64) -> f64 {
    initial * (beta * step as f64 + 1.0).powf(-alpha)
}

/// A half cosine from `initial` down to `last`, after a linear warm-up; after its steps it holds `last`. The defaults are
/// the book's.
#[doc(alias = "CosineScheduler")]
#[derive(Debug, Clone, Copy)]
pub struct Cosine {
    /// The highest learning rate; 0.01 by default.
    pub initial: f64,
    /// The learning rate from `steps` on; 0 by default.
    pub last: f64,
    /// The number of epochs or steps, those of the warm-up included; 20 by default.
    pub steps: usize,
    /// The epochs or steps until `initial` is reached; 0 by default.
    pub warmup_steps: usize,
    /// The learning rate that the warm-up starts from; 0 by default.
    pub warmup_begin: f64,
}

impl Default for Cosine {
    fn default() -> Self {
        Self { initial: 0.01, last: 0.0, steps: 20, warmup_steps: 0, warmup_begin: 0.0 }
    }
}

impl Cosine {
    /// The learning rate at an epoch or step, the first being 0.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup_steps {
            return self.warmup_begin + (self.initial - self.warmup_begin) * step as f64 / self.warmup_steps as f64;
        }
        if step >= self.steps {
            return self.last;
        }
        let progress = (step - self.warmup_steps) as f64 / (self.steps - self.warmup_steps) as f64;
        self.last + (self.initial - self.last) * (1.0 + (PI * progress).cos()) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-12, "{actual} instead of {expected}");
    }

    #[test]
    fn steps_fall_at_their_epochs() {
        assert_close(step(0.5, 9, 10, 0.1), 0.5);
        assert_close(step(0.5, 20, 10, 0.1), 0.005);
        for (epoch, expected) in [(14, 0.5), (15, 0.25), (29, 0.25), (30, 0.125)] {
            assert_close(multi_step(0.5, epoch, &[15, 30], 0.5), expected);
        }
    }

    #[test]
    fn roots_and_powers_fall_as_they_should() {
        assert_close(square_root(0.1, 0), 0.1);
        assert_close(square_root(0.1, 3), 0.05);
        assert_close(factor(2.0, 3, 0.5, 1e-2), 0.25);
        assert_close(factor(2.0, 1000, 0.9, 1e-2), 1e-2);
        assert_close(polynomial(0.1, 30, 0.1, 0.5), 0.05);
    }

    #[test]
    fn the_cosine_goes_up_then_down_and_stays() {
        let cosine = Cosine { initial: 0.3, last: 0.01, steps: 20, warmup_steps: 5, warmup_begin: 0.1 };
        for (epoch, expected) in [(0, 0.1), (1, 0.14), (5, 0.3), (20, 0.01), (30, 0.01)] {
            assert_close(cosine.at(epoch), expected);
        }
        let plain = Cosine { initial: 0.3, last: 0.01, ..Cosine::default() };
        assert_close(plain.at(0), 0.3);
        assert_close(plain.at(10), 0.155);
        // Nothing is left after a warm-up that fills all steps.
        assert_close(Cosine { warmup_steps: 20, ..plain }.at(20), 0.01);
    }
}

//! 3.4 Softmax Regression
//!
//! Softmax and cross-entropy on a few numbers, with the gradient that training follows.
//!
//! `cargo run --release -p linear-nets -- softmax-regression`
//! At once: the gradient of the loss by autograd is the prediction minus the one-hot label, to seven digits.

use d2l::prelude::*;

/// This section has no settings.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {}

defaults! { Config }

/// Turns each row of scores `(batch, classes)` into probabilities.
pub fn softmax(scores: &Tensor) -> Result<Tensor> {
    let exp = scores.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(1)?) // (batch, classes) / (batch, 1)
}

/// The cross-entropy of each row between a label distribution and predicted probabilities, both `(batch, classes)`.
pub fn cross_entropy(labels: &Tensor, probabilities: &Tensor) -> Result<Tensor> {
    (labels * probabilities.log()?)?.sum(1)?.neg() // (batch)
}

/// The entropy of a distribution in nats; an outcome that never happens adds nothing.
pub fn entropy(distribution: &[f64]) -> f64 {
    distribution.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum()
}

pub fn run(_: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    nb.cell("From scores to probabilities")?;
    let scores = Var::new(&[[2f32, 1.0, -1.0], [0.5, 0.5, 3.0]], nb.device())?; // (2, 3)
    let probabilities = softmax(&scores)?;
    nb.show("scores", scores.as_tensor())?;
    nb.show("softmax(scores)", &probabilities)?;
    nb.show("row sums", probabilities.sum(1)?)?;

    nb.cell("The order of the scores stays")?;
    nb.show("largest score", scores.argmax(1)?)?;
    nb.show("largest probability", probabilities.argmax(1)?)?;

    nb.cell("Adding a constant changes nothing")?;
    let shifted = softmax(&(scores.as_tensor() + 10.0)?)?;
    let difference = (&shifted - &probabilities)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.say(format!("largest difference after adding 10 to every score: {difference:.1e}"))?;

    nb.cell("One-hot labels and cross-entropy")?;
    let labels = Tensor::new(&[[1f32, 0.0, 0.0], [0.0, 1.0, 0.0]], nb.device())?; // classes 0 and 1
    let loss = cross_entropy(&labels, &probabilities)?;
    nb.show("loss of each example", &loss)?;
    nb.say("the second example's class has a small probability, so its loss is large")?;

    nb.cell("The gradient is prediction minus label")?;
    let grads = backward(&loss.sum_all()?)?;
    let by_autograd = grads.get(&scores)?;
    let by_formula = (&probabilities - &labels)?;
    nb.show("by autograd", by_autograd)?;
    nb.show("softmax(scores) - labels", &by_formula)?;
    let difference = (by_autograd - &by_formula)?.abs()?.max_all()?.to_scalar::<f32>()?;
    nb.metric("gradient_difference", f64::from(difference))?;

    nb.cell("Entropy and surprisal")?;
    let mut table = Table::new(["distribution", "entropy in nats", "surprisal of the first outcome"]);
    for distribution in [[0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1], [0.97, 0.01, 0.01, 0.01]] {
        let surprisal = -f64::ln(distribution[0]);
        table.row([format!("{distribution:?}"), format!("{:.4}", entropy(&distribution)), format!("{surprisal:.4}")]);
    }
    nb.say(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_softmax_sum_to_one_and_keep_the_ratio_of_exponentials() -> Result<()> {
        let x = Tensor::new(&[[0f32, 2f32.ln(), 5f32.ln()]], &Device::Cpu)?;
        let y = softmax(&x)?.to_vec2::<f32>()?;
        for (value, expected) in y[0].iter().zip([0.125, 0.25, 0.625]) {
            assert!((value - expected).abs() < 1e-6, "{y:?}");
        }
        Ok(())
    }

    #[test]
    fn the_loss_is_the_negative_logarithm_of_the_labels_probability() -> Result<()> {
        let labels = Tensor::new(&[[0f32, 1.0]], &Device::Cpu)?;
        let loss = cross_entropy(&labels, &Tensor::new(&[[0.75f32, 0.25]], &Device::Cpu)?)?.to_vec1::<f32>()?;
        assert!((loss[0] - 4f32.ln()).abs() < 1e-6, "{loss:?}");
        Ok(())
    }

    #[test]
    fn the_uniform_distribution_has_the_largest_entropy() {
        assert!((entropy(&[0.25; 4]) - 4f64.ln()).abs() < 1e-12);
        assert!(entropy(&[0.7, 0.1, 0.1, 0.1]) < 4f64.ln());
        assert!(entropy(&[1.0, 0.0]).abs() < 1e-12);
    }
}

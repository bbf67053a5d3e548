//! 16.5 Personalized Ranking for Recommender Systems
//!
//! Two losses that compare an item that a user chose with one that they did not: what they come to, and how hard they pull.
//!
//! `cargo run --release -p recommender -- ranking`
//! At once: scores that are equal cost ln 2 = 0.693 and the margin. Past the margin the hinge loss lets a pair go, BPR never
//! does. Between two probabilities BPR cannot come below 0.313.

use d2l::ops::sigmoid;
use d2l::plot::Panels;
use d2l::prelude::*;

use crate::ranking_losses::{bpr_loss, hinge_loss};

/// Settings; the defaults are the book's.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Config {
    /// How far the hinge loss wants an item that was chosen above one that was not
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub margin: f64,
}

defaults! { Config }

/// A loss of the scores of items that were chosen and of others.
type PairLoss<'a> = &'a dyn Fn(&Tensor, &Tensor, Reduction) -> Result<Tensor>;

/// The losses of pairs whose scores are so far apart, and their derivatives by the distance.
pub fn losses_and_slopes(loss: PairLoss<'_>, distances: &[f32], device: &Device) -> Result<(Vec<f32>, Vec<f32>)> {
    let positive = Var::new(distances, device)?; // (pairs)
    let losses = loss(&positive, &positive.zeros_like()?, Reduction::None)?; // (pairs)
    // Each loss depends on its own pair alone, so the gradient of the sum holds the derivatives.
    let grads = backward(&losses.sum_all()?)?;
    Ok((losses.to_vec1()?, grads.get(&positive)?.to_vec1()?))
}

/// Shows the losses of four pairs from the one that is ordered worst, and keeps their mean.
fn show_pairs(nb: &mut Notebook, name: &str, loss: PairLoss<'_>) -> anyhow::Result<()> {
    let positive = Tensor::new(&[-1f32, 0.5, 0.5, 2.0], nb.device())?;
    let negative = Tensor::new(&[1f32, 0.5, 0.0, -1.0], nb.device())?;
    nb.show("scores of items that were chosen", &positive)?;
    nb.show("scores of others", &negative)?;
    nb.show("losses", loss(&positive, &negative, Reduction::None)?)?; // (4)
    let mean = f64::from(loss(&positive, &negative, Reduction::Mean)?.to_scalar::<f32>()?);
    nb.say(format!("mean {mean:.4}, sum {:.4}", loss(&positive, &negative, Reduction::Sum)?.to_scalar::<f32>()?))?;
    nb.metric(name, mean)
}

pub fn run(config: &Config, nb: &mut Notebook) -> anyhow::Result<()> {
    let margin = config.margin;
    let hinge = |positive: &Tensor, negative: &Tensor, reduction| hinge_loss(positive, negative, margin, reduction);

    nb.cell("Bayesian personalized ranking loss and its implementation")?;
    show_pairs(nb, "bpr_loss", &bpr_loss)?;

    nb.cell("Hinge loss and its implementation")?;
    show_pairs(nb, "hinge_loss", &hinge)?;

    nb.cell("How hard a pair is pulled apart")?;
    let distances: Vec<f32> = (-40..=40).map(|tenth| tenth as f32 / 10.0).collect();
    let (bpr, bpr_slopes) = losses_and_slopes(&bpr_loss, &distances, nb.device())?;
    let (hinges, hinge_slopes) = losses_and_slopes(&hinge, &distances, nb.device())?;
    let chart = |label: &str, bpr: &[f32], hinge: &[f32]| {
        let chart = Chart::new().size(400, 270).x_label("how far the item that was chosen is above").y_label(label);
        chart.line("BPR", &distances, bpr).line("hinge", &distances, hinge)
    };
    let panels = Panels::new(2, [chart("loss", &bpr, &hinges), chart("derivative", &bpr_slopes, &hinge_slopes)]);
    nb.figure("ranking-losses", "BPR and hinge loss by the distance of two scores, and their derivatives", panels)?;
    let mut table = Table::new(["distance", "BPR", "its derivative", "hinge", "its derivative"]);
    for at in (0..distances.len()).step_by(10) {
        let row = [bpr[at], bpr_slopes[at], hinges[at], hinge_slopes[at]].map(|value| format!("{value:.3}"));
        table.row(std::iter::once(format!("{:.0}", distances[at])).chain(row));
    }
    nb.say(table)?;

    nb.cell("Scores that are probabilities")?;
    let logits = Tensor::new(&[1f32, 4.0, 16.0], nb.device())?; // (3)
    let (above, below) = (sigmoid(&logits)?, sigmoid(&logits.neg()?)?); // (3)
    nb.show("distances", (&above - &below)?)?;
    let losses = bpr_loss(&above, &below, Reduction::None)?.to_vec1::<f32>()?; // (3)
    nb.say(format!("losses: {losses:.4?}"))?;
    let of_logits = bpr_loss(&logits, &logits.neg()?, Reduction::None)?.to_vec1::<f32>()?; // (3)
    nb.say(format!("losses of the logits themselves: {of_logits:.4?}"))?;
    nb.metric("least_loss_of_probabilities", f64::from(losses[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_formulas() -> Result<()> {
        let distances = [-2f32, 0.0, 3.0];
        let (losses, slopes) = losses_and_slopes(&bpr_loss, &distances, &Device::Cpu)?;
        for ((distance, loss), slope) in distances.into_iter().zip(losses).zip(slopes) {
            let sigmoid = 1.0 / (1.0 + (-distance).exp());
            assert!((loss + sigmoid.ln()).abs() < 1e-5 && (slope - (sigmoid - 1.0)).abs() < 1e-5, "{loss} {slope}");
        }
        let hinge = |positive: &Tensor, negative: &Tensor, reduction| hinge_loss(positive, negative, 2.5, reduction);
        let (losses, slopes) = losses_and_slopes(&hinge, &distances, &Device::Cpu)?;
        assert_eq!((losses, slopes), (vec![4.5, 2.5, 0.0], vec![-1.0, -1.0, 0.0]));
        Ok(())
    }

    #[test]
    fn between_probabilities_the_loss_has_a_floor() -> Result<()> {
        // The distance is 1 at most: ln(1 + 1/e).
        let (above, below) = (Tensor::new(1f32, &Device::Cpu)?, Tensor::new(0f32, &Device::Cpu)?);
        let floor = bpr_loss(&above, &below, Reduction::Mean)?.to_scalar::<f32>()?;
        assert!((f64::from(floor) - (1.0 + (-1f64).exp()).ln()).abs() < 1e-6 && (floor - 0.3133).abs() < 1e-4);
        Ok(())
    }
}

//! What a training is shown by: curves, a table, predictions.

use std::ops::Range;

use anyhow::Result;
use candle_core::D;
use candle_nn::ModuleT;

use super::progress::title;
use super::{Notebook, Table};
use crate::data::Dataset;
use crate::data::fashion_mnist::{ImageLoader, label_names};
use crate::ops::unrecorded;
use crate::plot::{self, Chart, Image, ImageGrid};
use crate::train::{EpochRecord, History};

impl Notebook {
    /// Shows a training: a table of its epochs, its curves as the figure `training-curve`, and a small plot on a
    /// terminal. Keeps its metrics, such as `train_loss`, by epoch.
    ///
    /// # Errors
    /// Where the figure cannot be written or the metrics were given before.
    #[doc(alias = "Animator")]
    pub fn training(&mut self, history: &History) -> Result<()> {
        self.show_training("training-curve", "", history)
    }

    /// [`Notebook::training`] for one of several trainings of a section, such as `scratch`: the figure is
    /// `training-curve-scratch`, the metrics are `train_loss_scratch` and so on.
    ///
    /// # Errors
    /// As [`Notebook::training`].
    pub fn training_of(&mut self, which: &str, history: &History) -> Result<()> {
        self.show_training(&format!("training-curve-{which}"), &format!("_{which}"), history)
    }

    fn show_training(&mut self, name: &str, suffix: &str, history: &History) -> Result<()> {
        let names: Vec<String> = COLUMNS_FIRST.iter().map(ToString::to_string).collect();
        let mut names: Vec<String> =
            names.into_iter().filter(|name| history.names().contains(&name.as_str())).collect();
        for name in history.names() {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_string());
            }
        }
        self.say(epoch_table(&names, history.epochs()))?;
        let last = history.epochs().len() as f64;
        // What the steps gave has points within epochs, as in the book; what is evaluated has one an epoch.
        let curve = |name: &String| {
            let (fine, coarse) = (history.fine_curve(name), history.curve(name));
            if fine.0.is_empty() { coarse } else { fine }
        };
        let curves: Vec<_> = names.iter().map(curve).collect();
        let values = height(curves.iter().flat_map(|(_, ys)| ys.iter().copied()));
        let mut chart = Chart::new().x_label("epoch").x_range(0.0..last.max(1.0)).y_range(values);
        for (name, (xs, ys)) in names.iter().zip(&curves) {
            chart = chart.line(title(name), xs, ys);
        }
        if self.on_terminal() {
            self.print(&plot::terminal(&chart)?)?;
        }
        let titles: Vec<String> = names.iter().map(|name| spoken(name)).collect();
        self.figure(name, &format!("{} by epoch", listed(&titles)), chart)?;
        for name in &names {
            self.metric(&format!("{name}{suffix}"), history.metric(name))?;
        }
        Ok(())
    }

    /// Shows the epochs of a training that the reader broke off.
    pub(super) fn show_unfinished(&mut self) -> Result<()> {
        let Some(training) = self.ledger.unfinished().filter(|training| !training.epochs.is_empty()) else {
            return Ok(());
        };
        let mut names: Vec<String> = Vec::new();
        for (name, _) in training.epochs.iter().flat_map(|epoch| &epoch.metrics) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        self.say(epoch_table(&names, &training.epochs))?;
        let curve = |name: &String| {
            let points = training.epochs.iter().filter_map(|epoch| Some((epoch.epoch as f64, epoch.get(name)?)));
            points.unzip::<f64, f64, Vec<f64>, Vec<f64>>()
        };
        let chart = names.iter().fold(Chart::new().x_label("epoch"), |chart, name| {
            let (xs, ys) = curve(name);
            chart.line(title(name), &xs, &ys)
        });
        self.figure("training-so-far", "The training up to where it was interrupted", chart)?;
        for name in &names {
            let values = training.epochs.iter().filter_map(|epoch| epoch.get(name)).collect();
            self.record.metrics.entry(name.clone()).or_insert(super::Metric::ByEpoch(values));
        }
        Ok(())
    }

    /// Draws a net's predictions as the figure `name`: above, the first `count` images of a set; below, the first that
    /// the net gets wrong, as many at most. Each has its true label over the predicted one, in red where they differ.
    ///
    /// # Errors
    /// What the net gives; where the figure cannot be written.
    #[doc(alias = "predict_ch3")]
    pub fn predictions(&mut self, name: &str, net: &impl ModuleT, images: &ImageLoader, count: usize) -> Result<()> {
        const AT_A_TIME: usize = 128;
        let (mut first, mut mistakes): (Vec<Predicted>, Vec<Predicted>) = (Vec::new(), Vec::new());
        let mut seen = 0;
        while seen < images.examples() && mistakes.len() < count {
            let indices: Vec<usize> = (seen..(seen + AT_A_TIME).min(images.examples())).collect();
            let (x, y) = images.dataset().batch(&indices, self.device())?;
            let predicted = unrecorded(|| net.forward_t(&x, false))?.argmax(D::Minus1)?.to_vec1::<u32>()?;
            for (row, (label, predicted)) in y.to_vec1::<u32>()?.into_iter().zip(predicted).enumerate() {
                let shown = || Ok::<_, anyhow::Error>((Image::from_tensor(&x.get(row)?)?, label, predicted));
                if first.len() < count {
                    first.push(shown()?);
                }
                // Counted up to the last mistake that is shown, or to the end.
                if mistakes.len() < count {
                    seen = indices[row] + 1;
                    if label != predicted {
                        mistakes.push(shown()?);
                    }
                }
            }
        }
        let right = first.iter().filter(|(_, label, predicted)| label == predicted).count();
        let (of, wrong) = (first.len(), mistakes.len());
        self.say(format!("{right} of the first {of} predictions are right; of the first {seen}, {wrong} are wrong"))?;
        first.extend(mistakes);
        let (labels, predicted): (Vec<u32>, Vec<u32>) =
            first.iter().map(|&(_, label, predicted)| (label, predicted)).unzip();
        let grid = ImageGrid::new(count, first.into_iter().map(|(image, ..)| image))
            .predictions(&label_names(&labels)?, &label_names(&predicted)?);
        let alt = format!(
            "The first {of} test images and, below, the first that are classified wrong: labels above predictions"
        );
        self.figure(name, &alt, grid)
    }
}

/// An image, its label and what a net took it for.
type Predicted = (Image, u32, u32);

/// The book's range of a training's curves; where one leaves it, wider with a margin, and up to a round tenth, so that
/// trainings that go alike have axes that can be compared.
fn height(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = values.fold((0.3f64, 0.9f64), |(low, high), y| (low.min(y), high.max(y)));
    let margin = 0.03 * (high - low);
    let down = ((low - margin) * 10.0).floor() / 10.0;
    // What cannot be negative has an axis from just below zero.
    let down = if low >= 0.0 { down.max(-margin) } else { down };
    (if low < 0.3 { down } else { low })..(if high > 0.9 { ((high + margin) * 10.0).ceil() / 10.0 } else { high })
}

/// The columns that come first in a table, and the curves, where there are such.
const COLUMNS_FIRST: [&str; 3] = ["train_loss", "train_acc", "test_acc"];

fn epoch_table(names: &[String], epochs: &[EpochRecord]) -> Table {
    let mut table = Table::new(std::iter::once("epoch".to_string()).chain(names.iter().map(|name| title(name))));
    for epoch in epochs {
        let value = |name: &String| {
            let digits = if name.ends_with("_acc") { 3 } else { 4 };
            epoch.get(name).map_or_else(String::new, |value| format!("{value:.digits$}"))
        };
        table.row(std::iter::once(epoch.epoch.to_string()).chain(names.iter().map(value)));
    }
    table
}

/// A metric's name in full words, for those who cannot see a figure.
fn spoken(metric: &str) -> String {
    title(metric).replace("train", "training").replace("acc", "accuracy")
}

/// `Training loss, training accuracy and test accuracy`.
fn listed(names: &[String]) -> String {
    let text = match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_curve_is_cut_off() {
        assert_eq!(height([0.4, 0.8].into_iter()), 0.3..0.9);
        let wide = height([1.2, 0.1].into_iter());
        assert!(wide.start < 0.1 && wide.end > 1.2 && wide.start >= 0.0 && wide.end <= 1.3, "{wide:?}");
    }

    #[test]
    fn trainings_that_go_alike_have_one_axis() {
        assert_eq!(height([1.13, 0.45].into_iter()), height([1.09, 0.44].into_iter()));
    }
}

//! What a trained classifier is shown by: curves, a table, predictions.

use anyhow::Result;
use candle_core::D;
use candle_nn::ModuleT;

use super::{Notebook, Table};
use crate::data::Dataset;
use crate::data::fashion_mnist::{ImageLoader, label_names};
use crate::plot::{self, Chart, Image, ImageGrid};
use crate::train::{Animator, History};

impl Notebook {
    /// Shows a training: a table of its epochs, its curves as the figure `name`, and a small plot on a terminal. Keeps
    /// the metrics `train_loss`, `train_acc` and `test_acc` by epoch.
    ///
    /// # Errors
    /// Where the figure cannot be written or the metrics were given before.
    pub fn training(&mut self, name: &str, history: &History) -> Result<()> {
        self.show_training(name, "", history)
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
        let mut table = Table::new(["epoch", "train loss", "train acc", "test acc"]);
        let last = history.epochs.len() as f64;
        // The book's range, wider where a curve leaves it.
        let shown = [history.train_loss(), history.train_accuracy(), history.test_accuracy()].concat();
        let (low, high) = shown.iter().fold((0.3f64, 0.9f64), |(low, high), &y| (low.min(y), high.max(y)));
        let chart = Chart::new().x_label("epoch").x_range(1.0..last.max(2.0)).y_range(low..high);
        let mut animator = Animator::new(chart, ["train loss", "train acc", "test acc"]);
        for epoch in &history.epochs {
            let share = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
            table.row([
                epoch.epoch.to_string(),
                format!("{:.4}", epoch.train_loss),
                share(epoch.train_accuracy),
                share(epoch.test_accuracy),
            ]);
            animator.add(epoch.epoch as f64, [Some(epoch.train_loss), epoch.train_accuracy, epoch.test_accuracy]);
        }
        self.say(table)?;
        let chart = animator.chart();
        if self.on_terminal() {
            self.print(&plot::terminal(&chart)?)?;
        }
        self.figure(name, "Training loss, training accuracy and test accuracy by epoch", chart)?;
        self.metric(&format!("train_loss{suffix}"), history.train_loss())?;
        self.metric(&format!("train_acc{suffix}"), history.train_accuracy())?;
        self.metric(&format!("test_acc{suffix}"), history.test_accuracy())?;
        self.record.examples_per_second = Some(history.examples_per_second());
        Ok(())
    }

    /// Draws a net's predictions for the first `count` images of a set as the figure `name`: the true label above the
    /// predicted one, in red where they differ.
    ///
    /// # Errors
    /// What the net gives; where the figure cannot be written.
    #[doc(alias = "predict_ch3")]
    pub fn predictions(&mut self, name: &str, net: &impl ModuleT, images: &ImageLoader, count: usize) -> Result<()> {
        let indices: Vec<usize> = (0..count.min(images.examples())).collect();
        let (x, y) = images.dataset().batch(&indices, self.device())?;
        let predicted = net.forward_t(&x, false)?.argmax(D::Minus1)?.to_vec1::<u32>()?;
        let labels = y.to_vec1::<u32>()?;
        let pictures = indices.iter().map(|&i| Ok(Image::from_tensor(&x.get(i)?)?)).collect::<Result<Vec<_>>>()?;
        let right = labels.iter().zip(&predicted).filter(|(label, predicted)| label == predicted).count();
        let grid = ImageGrid::new(9, pictures).predictions(&label_names(&labels)?, &label_names(&predicted)?);
        self.say(format!("{right} of {} predictions are right; true label above, predicted below", indices.len()))?;
        self.figure(name, "Test images with their true labels above the predicted ones", grid)
    }
}

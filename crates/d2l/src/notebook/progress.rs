//! Progress while a net trains or a file is fetched.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::tell;
use crate::data::hub::Event;
use crate::train::{EpochSummary, Monitor, Progress, interrupted};

/// A bar where the output is a terminal, one plain line an epoch where it is not; all on standard error.
pub struct TrainingProgress {
    enabled: bool,
    bar: Option<ProgressBar>,
    epochs: usize,
    unit: &'static str,
    perplexity: bool,
}

/// The most epochs that get a line each; of more, every so many-th.
const LINES: usize = 50;

impl TrainingProgress {
    /// Shows nothing where it is not enabled.
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, bar: None, epochs: 0, unit: "examples", perplexity: false }
    }

    /// Counts tokens, for nets whose examples are tokens.
    pub fn tokens(mut self) -> Self {
        self.unit = "tokens";
        self
    }

    /// Shows the perplexity, the exponential of the loss, in its place (section 8.4).
    pub fn perplexity(mut self) -> Self {
        self.perplexity = true;
        self
    }

    fn describe(&self, loss: f64, accuracy: Option<f64>) -> String {
        let accuracy = accuracy.map(|accuracy| format!("  train acc {accuracy:.3}")).unwrap_or_default();
        if self.perplexity {
            format!("perplexity {:.2}{accuracy}", loss.exp())
        } else {
            format!("train loss {loss:.4}{accuracy}")
        }
    }
}

impl Monitor for TrainingProgress {
    fn start(&mut self, epochs: usize, batches: usize) {
        self.epochs = epochs;
        if self.enabled && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new((epochs * batches) as u64);
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3}%  {msg}  {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            self.bar = Some(bar);
        }
    }

    fn batch(&mut self, progress: &Progress) {
        let Some(bar) = &self.bar else { return };
        bar.inc(1);
        // Formatting at every step would cost a small net some of its speed.
        if bar.position() % 16 == 1 {
            bar.set_prefix(format!("epoch {}/{}", progress.epoch, self.epochs));
            let shown = self.describe(progress.loss, progress.accuracy);
            bar.set_message(format!("{shown}  {:.0} {}/s", progress.examples_per_second, self.unit));
        }
    }

    fn epoch(&mut self, epoch: &EpochSummary) {
        let shown = epoch.epoch.is_multiple_of(self.epochs.div_ceil(LINES).max(1));
        if !self.enabled || self.bar.is_some() || !shown {
            return;
        }
        let test = epoch.test_accuracy.map(|accuracy| format!("  test acc {accuracy:.3}")).unwrap_or_default();
        let shown = self.describe(epoch.train_loss, epoch.train_accuracy);
        let (number, epochs, rate, unit) = (epoch.epoch, self.epochs, epoch.examples_per_second(), self.unit);
        tell(format!("epoch {number}/{epochs}  {shown}{test}  {rate:.0} {unit}/s"));
    }

    fn interrupted(&self) -> bool {
        interrupted()
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A listener that shows what the hub does: a bar for a download where the output is a terminal, and a line for each file
/// fetched; nothing where it is not enabled.
pub fn downloads(enabled: bool) -> impl Fn(&Event<'_>) + Send + Sync {
    let current: Mutex<Option<ProgressBar>> = Mutex::new(None);
    move |event| {
        if !enabled {
            return;
        }
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::Received { name, bytes, total: Some(total) } = event {
            if std::io::stderr().is_terminal() {
                current.get_or_insert_with(|| download_bar(name, *total)).set_position(*bytes);
            }
            return;
        }
        if let Some(bar) = current.take() {
            bar.finish_and_clear();
        }
        match event {
            Event::Waiting { name } => tell(format!("{name}: another process is fetching it; waiting")),
            Event::Retrying { name, reason, pause } => {
                tell(format!("{name}: {reason}; trying again in {:.1} s", pause.as_secs_f64()));
            }
            Event::Fetched { name, source } => tell(format!("{name}: fetched from {source}")),
            Event::Asking { .. } | Event::Failed { .. } | Event::Received { .. } => {}
        }
    }
}

fn download_bar(name: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left");
    ProgressBar::new(total)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
        .with_prefix(name.to_string())
}

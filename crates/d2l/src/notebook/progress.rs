//! Progress while a net trains or a file is fetched.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::console::tell;
use crate::data::hub::Event;
use crate::train::{EpochRecord, History, Monitor, Outline, Progress, interrupted};

/// A bar where the output is a terminal, one plain line an epoch where it is not; all on standard error.
pub struct TrainingProgress {
    enabled: bool,
    bar: Option<ProgressBar>,
    epochs: usize,
    unit: &'static str,
}

/// The most epochs that get a line each; of more, every so many-th.
const LINES: usize = 50;

impl TrainingProgress {
    /// Shows nothing where it is not enabled.
    pub(super) fn new(enabled: bool) -> Self {
        Self { enabled, bar: None, epochs: 0, unit: "examples" }
    }
}

/// The metrics in a line, `train_loss` as `train loss`. A perplexity stands for the loss that it is made of.
fn describe(metrics: &[(String, f64)]) -> String {
    let perplexity = metrics.iter().any(|(name, _)| name == "perplexity");
    let shown = metrics.iter().filter(|(name, _)| !(perplexity && name == "train_loss"));
    let shown: Vec<String> = shown.map(|(name, value)| format!("{} {value:.4}", title(name))).collect();
    shown.join("  ")
}

/// A metric's name in words.
pub(super) fn title(metric: &str) -> String {
    metric.replace('_', " ")
}

impl Monitor for TrainingProgress {
    fn start(&mut self, outline: &Outline) {
        (self.epochs, self.unit) = (outline.epochs, outline.unit.name());
        if self.enabled && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new((outline.epochs * outline.steps) as u64);
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3}%  {msg}  {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            self.bar = Some(bar);
        }
    }

    fn resume(&mut self, history: &History) {
        let done = history.epochs().len();
        if let Some(bar) = &self.bar {
            bar.set_position(bar.length().unwrap_or(0) * done as u64 / self.epochs.max(1) as u64);
        }
    }

    fn step(&mut self, progress: &Progress<'_>) {
        let Some(bar) = &self.bar else { return };
        bar.inc(1);
        // Formatting at every step would cost a small net some of its speed.
        if bar.position() % 16 == 1 {
            bar.set_prefix(format!("epoch {}/{}", progress.epoch, self.epochs));
            bar.set_message(format!("{}  {:.0} {}/s", describe(progress.metrics), progress.per_second, self.unit));
        }
    }

    fn epoch(&mut self, epoch: &EpochRecord) {
        let shown = epoch.epoch.is_multiple_of(self.epochs.div_ceil(LINES).max(1));
        if !self.enabled || self.bar.is_some() || !shown {
            return;
        }
        let (number, epochs, rate, unit) = (epoch.epoch, self.epochs, epoch.per_second(), self.unit);
        tell(format!("epoch {number}/{epochs}  {}  {rate:.0} {unit}/s", describe(&epoch.metrics)));
    }

    fn interrupted(&self) -> bool {
        interrupted()
    }

    fn finish(&mut self, _: bool) {
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

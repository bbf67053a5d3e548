//! What a training came to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a training counts its speed in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Images, houses, sentences.
    #[default]
    Examples,
    /// Characters or words of a text.
    Tokens,
}

impl Unit {
    /// The word for many of them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Examples => "examples",
            Self::Tokens => "tokens",
        }
    }
}

/// What an epoch came to: its metrics by name, in the order in which they were first given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Mean losses and accuracies over the epoch's steps, and what was evaluated at its end.
    pub metrics: Vec<(String, f64)>,
    /// How many steps it had.
    pub steps: usize,
    /// How many examples, or tokens, were trained on.
    pub examples: usize,
    /// How long the steps took, evaluation left out.
    pub duration: Duration,
}

impl EpochRecord {
    /// A metric by its name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }

    /// Examples, or tokens, trained on a second.
    pub fn per_second(&self) -> f64 {
        self.examples as f64 / self.duration.as_secs_f64()
    }
}

/// A point of a training's curves, within an epoch or at its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Where it stands, in epochs: 0.2 after the first fifth of the first one.
    pub epoch: f64,
    /// Seconds of training until then, evaluation left out.
    pub seconds: f64,
    /// The metrics' means over the epoch so far.
    pub metrics: Vec<(String, f64)>,
}

/// A whole training: its metrics by name, by epoch and at points within epochs (section 3.6).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    pub(super) epochs: Vec<EpochRecord>,
    pub(super) points: Vec<Point>,
    pub(super) unit: Unit,
}

impl History {
    /// One record an epoch.
    pub fn epochs(&self) -> &[EpochRecord] {
        &self.epochs
    }

    /// The points of the curves, five an epoch.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The names of all metrics, in the order in which they were first given.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for (name, _) in self.epochs.iter().flat_map(|epoch| &epoch.metrics) {
            if !names.contains(&name.as_str()) {
                names.push(name.as_str());
            }
        }
        names
    }

    /// A metric of each epoch that has it.
    pub fn metric(&self, name: &str) -> Vec<f64> {
        self.epochs.iter().filter_map(|epoch| epoch.get(name)).collect()
    }

    /// A metric with the epochs that have it: the two coordinates of a curve.
    pub fn curve(&self, name: &str) -> (Vec<f64>, Vec<f64>) {
        self.epochs.iter().filter_map(|epoch| Some((epoch.epoch as f64, epoch.get(name)?))).unzip()
    }

    /// A metric at the points within epochs: the two coordinates of a finer curve.
    pub fn fine_curve(&self, name: &str) -> (Vec<f64>, Vec<f64>) {
        let value = |point: &Point| point.metrics.iter().find(|(known, _)| known == name).map(|&(_, value)| value);
        self.points.iter().filter_map(|point| Some((point.epoch, value(point)?))).unzip()
    }

    /// A metric of the last epoch that has it.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.epochs.iter().rev().find_map(|epoch| epoch.get(name))
    }

    /// How many examples, or tokens, were trained on.
    pub fn examples(&self) -> usize {
        self.epochs.iter().map(|epoch| epoch.examples).sum()
    }

    /// How many steps there were.
    pub fn steps(&self) -> usize {
        self.epochs.iter().map(|epoch| epoch.steps).sum()
    }

    /// How long the steps took, evaluation left out.
    pub fn duration(&self) -> Duration {
        self.epochs.iter().map(|epoch| epoch.duration).sum()
    }

    /// What the speed is counted in.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Examples, or tokens, trained on a second, over all epochs.
    pub fn per_second(&self) -> f64 {
        self.examples() as f64 / self.duration().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_by_name() {
        let epoch = |epoch, metrics: &[(&str, f64)]| EpochRecord {
            epoch,
            metrics: metrics.iter().map(|&(name, value)| (name.to_string(), value)).collect(),
            steps: 1,
            examples: 10,
            duration: Duration::from_secs(2),
        };
        let epochs = vec![epoch(1, &[("train_loss", 0.5)]), epoch(2, &[("train_loss", 0.25), ("bleu", 0.1)])];
        let history = History { epochs, ..History::default() };
        assert_eq!(history.names(), ["train_loss", "bleu"]);
        assert_eq!(history.metric("train_loss"), [0.5, 0.25]);
        assert_eq!(history.curve("bleu"), (vec![2.0], vec![0.1]));
        assert_eq!((history.last("bleu"), history.last("test_acc")), (Some(0.1), None));
        assert_eq!((history.examples(), history.per_second()), (20, 5.0));
    }
}

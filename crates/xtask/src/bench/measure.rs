//! The rounds of one workload, and what they come to.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::Workload;
use super::worker::Worker;
use crate::run::median;

/// How long a round should take.
const ROUND_MS: f64 = 1000.0;
/// No round has more steps, however short they are.
const MOST_STEPS: usize = 2000;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    /// Steps in a round; by default as many as take about a second.
    pub steps: Option<usize>,
}

/// The result for one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub about: String,
    /// How many numbers are trained, on both sides.
    pub parameters: u64,
    /// The median over the rounds of the median step.
    pub ours_ms: f64,
    pub torch_ms: f64,
    /// The median over the rounds of our median step over PyTorch's.
    pub ratio: f64,
    pub ratio_min: f64,
    pub ratio_max: f64,
    pub ours_peak_mb: Option<f64>,
    pub torch_peak_mb: Option<f64>,
    pub rounds: usize,
    /// In each round.
    pub steps: usize,
}

/// Warms both workers up and lets them take turns.
pub fn measure(workload: &Workload, ours: &mut impl Worker, torch: &mut impl Worker, plan: Plan) -> Result<Row> {
    let name = &workload.name;
    let (parameters, theirs) = (ours.greeting().parameters, torch.greeting().parameters);
    if parameters != theirs {
        bail!("{name} trains {parameters} numbers here and {theirs} in PyTorch: the nets must be the same");
    }
    let (threads, theirs) = (ours.greeting().threads, torch.greeting().threads);
    if threads != theirs {
        bail!("{name} runs on {threads} threads here and {theirs} in PyTorch");
    }
    let slower = warm_up(ours)?.max(warm_up(torch)?);
    let steps = plan.steps.unwrap_or_else(|| ((ROUND_MS / slower) as usize).clamp(2, MOST_STEPS));
    let (mut ours_ms, mut torch_ms, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ours_peak_mb, mut torch_peak_mb) = (None, None);
    for round in 0..plan.rounds {
        // Who comes first changes, so that a machine that grows slower or faster favors nobody.
        let (mine, theirs) = if round % 2 == 0 {
            let mine = ours.round(steps)?;
            (mine, torch.round(steps)?)
        } else {
            let theirs = torch.round(steps)?;
            (ours.round(steps)?, theirs)
        };
        (ours_peak_mb, torch_peak_mb) = (mine.peak_mb, theirs.peak_mb);
        let (mine, theirs) = (median(mine.ms), median(theirs.ms));
        ours_ms.push(mine);
        torch_ms.push(theirs);
        ratios.push(mine / theirs);
    }
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(0.0, f64::max);
    Ok(Row {
        name: name.clone(),
        about: workload.about.clone(),
        parameters,
        ours_ms: rounded(median(ours_ms)),
        torch_ms: rounded(median(torch_ms)),
        ratio: rounded(median(ratios)),
        ratio_min: rounded(least),
        ratio_max: rounded(most),
        ours_peak_mb: ours_peak_mb.map(f64::round),
        torch_peak_mb: torch_peak_mb.map(f64::round),
        rounds: plan.rounds,
        steps,
    })
}

/// Takes steps for about half a round; returns the time of one.
fn warm_up(worker: &mut impl Worker) -> Result<f64> {
    worker.round(1)?;
    let ms = median(worker.round(1)?.ms);
    let steps = ((ROUND_MS / 2.0 / ms) as usize).clamp(1, MOST_STEPS);
    Ok(median(worker.round(steps)?.ms))
}

/// To a thousandth: a record that people read and compare.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The geometric mean; 1 of nothing.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let logarithms: Vec<f64> = values.into_iter().map(f64::ln).collect();
    (logarithms.iter().sum::<f64>() / logarithms.len().max(1) as f64).exp()
}

/// The title of the columns of [`Row::line`].
pub fn heading() -> String {
    format!(
        "{:<14} {:>10} {:>10} {:>7}  {:<13} {:>8} {:>8}",
        "workload", "ours ms", "torch ms", "ratio", "spread", "ours MB", "torch MB"
    )
}

impl Row {
    /// One line of the table in a terminal.
    pub fn line(&self) -> String {
        let spread = self.spread();
        format!(
            "{:<14} {:>10} {:>10} {:>7.3}  {:<13} {:>8} {:>8}",
            self.name,
            milliseconds(self.ours_ms),
            milliseconds(self.torch_ms),
            self.ratio,
            spread,
            megabytes(self.ours_peak_mb),
            megabytes(self.torch_peak_mb)
        )
    }

    /// The least and the largest ratio of a round.
    pub fn spread(&self) -> String {
        format!("{:.2} to {:.2}", self.ratio_min, self.ratio_max)
    }
}

/// Three digits, more before the point.
pub fn milliseconds(ms: f64) -> String {
    let decimals = [10.0, 100.0].iter().filter(|&&limit| ms < limit).count();
    format!("{ms:.decimals$}")
}

/// Whole MB, or a dash.
pub fn megabytes(mb: Option<f64>) -> String {
    mb.map_or_else(|| "–".to_owned(), |mb| format!("{mb:.0}"))
}

#[cfg(test)]
mod tests {
    use super::super::worker::{Greeting, Round};
    use super::*;

    /// Takes these times in turn, one a round, and remembers how many steps each round had.
    struct Fake {
        greeting: Greeting,
        ms: Vec<f64>,
        asked: Vec<usize>,
    }

    impl Worker for Fake {
        fn greeting(&self) -> &Greeting {
            &self.greeting
        }

        fn round(&mut self, steps: usize) -> Result<Round> {
            let ms = self.ms[self.asked.len() % self.ms.len()];
            self.asked.push(steps);
            Ok(Round { ms: vec![ms; steps], loss: Some(1.0), peak_mb: Some(100.0 * self.asked.len() as f64) })
        }
    }

    fn fake(parameters: u64, ms: &[f64]) -> Fake {
        let greeting = Greeting { name: "mlp".into(), parameters, threads: 2, start_mb: None, torch: None };
        Fake { greeting, ms: ms.to_vec(), asked: Vec::new() }
    }

    fn workload() -> Workload {
        Workload { name: "mlp".into(), about: "a perceptron".into() }
    }

    #[test]
    fn medians_and_spread_are_over_rounds() {
        // Three calls to warm up, then the rounds.
        let mut ours = fake(5, &[9.0, 9.0, 9.0, 10.0, 30.0, 12.0]);
        let mut torch = fake(5, &[9.0, 9.0, 9.0, 20.0, 20.0, 10.0]);
        let row = measure(&workload(), &mut ours, &mut torch, Plan { rounds: 3, steps: Some(4) }).unwrap();
        assert_eq!((row.ours_ms, row.torch_ms), (12.0, 20.0));
        assert_eq!((row.ratio, row.ratio_min, row.ratio_max), (1.2, 0.5, 1.5));
        assert_eq!((row.parameters, row.rounds, row.steps), (5, 3, 4));
        assert_eq!((row.ours_peak_mb, row.torch_peak_mb), (Some(600.0), Some(600.0)));
        assert_eq!(ours.asked[3..], [4, 4, 4]);
        assert_eq!(row.line(), "mlp                  12.0       20.0   1.200  0.50 to 1.50       600      600");
        assert_eq!(heading().chars().count(), row.line().chars().count());
    }

    #[test]
    fn a_round_takes_about_a_second() {
        let steps = |ms: f64| {
            let (mut ours, mut torch) = (fake(5, &[ms]), fake(5, &[ms / 2.0]));
            measure(&workload(), &mut ours, &mut torch, Plan { rounds: 1, steps: None }).unwrap().steps
        };
        assert_eq!((steps(100.0), steps(700.0), steps(0.01)), (10, 2, MOST_STEPS));
    }

    #[test]
    fn nets_of_different_size_are_not_compared() {
        let error = measure(&workload(), &mut fake(5, &[1.0]), &mut fake(6, &[1.0]), Plan { rounds: 1, steps: None });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("mlp trains 5 numbers here and 6 in PyTorch"), "{error}");
    }

    #[test]
    fn the_geometric_mean_of_a_half_and_two_is_one() {
        assert!((geometric_mean([0.5, 2.0]) - 1.0).abs() < 1e-12);
        assert!((geometric_mean([0.25, 1.0]) - 0.5).abs() < 1e-12);
        assert_eq!(geometric_mean([]), 1.0);
    }

    #[test]
    fn rows_have_the_names_that_others_read() {
        let mut ours = fake(5, &[2.0]);
        let row = measure(&workload(), &mut ours, &mut fake(5, &[4.0]), Plan { rounds: 2, steps: Some(1) }).unwrap();
        let json = serde_json::to_value(&row).unwrap();
        for (key, value) in [("ours_ms", 2.0), ("torch_ms", 4.0), ("ratio", 0.5), ("ours_peak_mb", 500.0)] {
            assert_eq!(json[key], value, "{key}");
        }
        assert!(json["name"] == "mlp" && json["torch_peak_mb"].is_f64());
        assert_eq!(serde_json::from_value::<Row>(json).unwrap(), row);
    }
}

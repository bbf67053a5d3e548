//! Training curves.

use crate::plot::Chart;

/// Collects curves while a net trains and draws them as one chart (section 3.6).
///
/// The book redraws its figure each epoch; here a progress bar shows the run as it goes, and the figure is drawn once.
#[derive(Debug, Clone)]
pub struct Animator {
    chart: Chart,
    curves: Vec<Curve>,
}

#[derive(Debug, Clone)]
struct Curve {
    label: String,
    points: Vec<(f64, f64)>,
}

impl Animator {
    /// No points yet, for curves with these labels, to be drawn into a chart that has its axes set.
    pub fn new<const N: usize>(chart: Chart, labels: [&str; N]) -> Self {
        let curves = labels.map(|label| Curve { label: label.to_string(), points: Vec::new() }).into();
        Self { chart, curves }
    }

    /// Adds a point at `x` to each curve that has a value there.
    ///
    /// # Panics
    /// Where there are more values than curves.
    pub fn add<const N: usize>(&mut self, x: f64, values: [Option<f64>; N]) {
        assert!(N <= self.curves.len(), "{N} values for {} curves", self.curves.len());
        for (curve, value) in self.curves.iter_mut().zip(values) {
            curve.points.extend(value.map(|y| (x, y)));
        }
    }

    /// The chart with the points so far.
    pub fn chart(&self) -> Chart {
        self.curves.iter().fold(self.chart.clone(), |chart, curve| {
            let (xs, ys): (Vec<f64>, Vec<f64>) = curve.points.iter().copied().unzip();
            chart.line(&curve.label, &xs, &ys)
        })
    }
}

//! Charts of masses, distribution functions and draws, and how far draws are from what they were drawn from.

use std::ops::RangeInclusive;

use d2l::plot::Chart;

/// The masses of a variable that takes the whole numbers `values`.
pub fn mass_chart(values: RangeInclusive<u64>, mass: impl Fn(u64) -> f64) -> Chart {
    let masses: Vec<f64> = values.clone().map(mass).collect();
    Chart::new().x_label("x").y_label("mass").stems("", &values.collect::<Vec<_>>(), &masses)
}

/// The distribution function of such a variable, from `low`, below all values, to one above them.
pub fn step_chart(low: i64, values: RangeInclusive<u64>, cumulative: impl Fn(u64) -> f64) -> Chart {
    let mut points = vec![(low as f64, 0.0)];
    points.extend(values.map(|k| (k as f64, cumulative(k))));
    let end = points.last().map(|&(x, y)| (x + 1.0, y));
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.into_iter().chain(end).unzip();
    Chart::new().x_label("x").y_label("probability of at most x").steps("", &xs, &ys)
}

/// `chart` with bars of the draws' density below its curve or its masses: `bins` of this width from `low`, whose areas are
/// the shares of the draws in them. An empty label keeps them out of the legend.
pub fn with_draws(chart: Chart, label: &str, draws: &[f64], low: f64, width: f64, bins: usize) -> Chart {
    let mut heights = vec![0.0; bins];
    for draw in draws {
        let bin = ((draw - low) / width).floor();
        // Draws beyond the bins have no bar, but count among all.
        if bin >= 0.0 && bin < bins as f64 {
            heights[bin as usize] += 1.0 / (draws.len() as f64 * width);
        }
    }
    let middles: Vec<f64> = (0..bins).map(|bin| low + (bin as f64 + 0.5) * width).collect();
    // Nothing, filled with the first color, which the curve or the masses have already.
    let nothing: [f64; 0] = [];
    chart.area("", &nothing, &nothing, &nothing).bars(label, &middles, &heights, width)
}

/// By how much the share of the draws that are at most x differs from its probability, at that of the `points` where it
/// does most.
///
/// ```
/// use math::distribution_charts::distance;
///
/// let half_of_each = distance(&[0.0, 1.0, 1.0, 1.0], &[0.0, 1.0], |x| if x < 1.0 { 0.5 } else { 1.0 });
/// assert_eq!(half_of_each, 0.25);
/// ```
pub fn distance(draws: &[f64], points: &[f64], cumulative: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = draws.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = |x: f64| sorted.partition_point(|&draw| draw <= x) as f64 / sorted.len() as f64;
    points.iter().map(|&x| (share(x) - cumulative(x)).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use d2l::plot::Figure;

    use super::*;

    #[test]
    fn charts_can_be_drawn() -> anyhow::Result<()> {
        let mass = mass_chart(0..=3, |k| [0.1, 0.2, 0.3, 0.4][k as usize]);
        assert!(with_draws(mass, "draws", &[0.0, 3.0, 3.0, 99.0], -0.5, 1.0, 4).to_svg()?.contains("draws"));
        assert!(step_chart(-1, 1..=2, |k| k as f64 / 2.0).to_svg()?.starts_with("<svg"));
        Ok(())
    }

    #[test]
    fn the_distance_is_the_largest_difference() {
        let cumulative = |x: f64| x.clamp(0.0, 1.0);
        let points: Vec<f64> = (-10..=20).map(|i| f64::from(i) / 10.0).collect();
        let draws: Vec<f64> = (0..1000).map(|i| (f64::from(i) + 0.5) / 1000.0).collect();
        assert!(distance(&draws, &points, cumulative) < 1e-3);
        let shifted: Vec<f64> = draws.iter().map(|x| x + 0.3).collect();
        assert!((distance(&shifted, &points, cumulative) - 0.3).abs() < 1e-3);
    }
}

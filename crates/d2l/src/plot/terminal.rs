//! A chart in characters, for the terminal at the end of a training.

use super::chart::Chart;
use super::series::{Mark, stairs};
use super::{PlotError, scene::Point};

const WIDTH: usize = 60;
const HEIGHT: usize = 15;
/// One sign for each series, in order: without colors dots of braille could not tell lines apart.
const SIGNS: [char; 8] = ['•', '+', '×', 'o', '*', '#', '=', '~'];

/// Draws the lines and points of `chart` in some 60 x 15 characters without colors, with the ends of both axes and a
/// line that names the series. Bars and areas are left out, and of stems all but the dots.
///
/// ```
/// use d2l::plot::{self, Chart};
///
/// let chart = Chart::new().x_label("epoch").line("train loss", &[1, 2, 3], &[0.9, 0.6, 0.5]);
/// assert!(plot::terminal(&chart)?.contains("• train loss"));
/// # Ok::<(), plot::PlotError>(())
/// ```
///
/// # Errors
/// Where a series has more values on one axis than on the other, or a chosen range is empty.
pub fn terminal(chart: &Chart) -> Result<String, PlotError> {
    let (x, y) = chart.axes(6, 5)?;
    let mut cells = vec![vec![' '; WIDTH]; HEIGHT];
    let place = |(px, py): Point| -> Option<Point> {
        (chart.x.shows(px) && chart.y.shows(py))
            .then(|| (x.fraction(px) * (WIDTH - 1) as f64, (1.0 - y.fraction(py)) * (HEIGHT - 1) as f64))
    };
    let mut mark = |(column, row): Point, sign: char| {
        let (column, row) = (column.round(), row.round());
        if (0.0..WIDTH as f64).contains(&column) && (0.0..HEIGHT as f64).contains(&row) {
            cells[row as usize][column as usize] = sign;
        }
    };
    let left_out = |mark: &Mark| matches!(mark, Mark::Histogram { .. } | Mark::Bars { .. } | Mark::Area(_));
    let drawn = chart.series.iter().filter(|series| !left_out(&series.mark));
    let mut legend = Vec::new();
    for (series, sign) in drawn.zip(SIGNS.into_iter().cycle()) {
        let points = series.points();
        let points = if matches!(series.mark, Mark::Steps(_)) { stairs(&points) } else { points };
        let points: Vec<Option<Point>> = points.into_iter().map(place).collect();
        for &point in points.iter().flatten() {
            mark(point, sign);
        }
        if matches!(series.mark, Mark::Line(_) | Mark::Trace(_) | Mark::Contour(_) | Mark::Steps(_)) {
            for pair in points.windows(2) {
                let [Some(from), Some(to)] = *pair else { continue };
                let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).clamp(1.0, 1000.0).ceil();
                for step in 1..steps as usize {
                    let t = step as f64 / steps;
                    mark((from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1)), sign);
                }
            }
        }
        if let Some(label) = &series.label {
            legend.push(format!("{sign} {label}"));
        }
    }

    let (top, bottom) = (short(y.high), short(y.low));
    let margin = top.chars().count().max(bottom.chars().count());
    let mut lines: Vec<String> = chart.y.label.iter().cloned().collect();
    for (row, line) in cells.iter().enumerate() {
        let edge = if row == 0 {
            &top
        } else if row + 1 == HEIGHT {
            &bottom
        } else {
            ""
        };
        let line: String = line.iter().collect();
        lines.push(format!("{edge:>margin$} │{}", line.trim_end()));
    }
    lines.push(format!("{:margin$} └{}", "", "─".repeat(WIDTH)));
    let (first, last) = (short(x.low), short(x.high));
    let middle = WIDTH.saturating_sub(first.chars().count() + last.chars().count());
    let label = chart.x.label.as_deref().unwrap_or_default();
    lines.push(format!("{:margin$}  {first}{label:^middle$}{last}", ""));
    if !legend.is_empty() {
        lines.push(format!("{:margin$}  {}", "", legend.join("   ")));
    }
    Ok(lines.join("\n") + "\n")
}

/// Three significant digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = if size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).max(0) as usize };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

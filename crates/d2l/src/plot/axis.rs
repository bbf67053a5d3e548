//! An axis: its range, and ticks at round numbers.

use std::ops::Range;

use super::PlotError;

/// Beyond this a value counts as infinite: differences must stay representable.
const LARGEST: f64 = 1e300;
/// Below this a difference is none, and so it is below `ROUNDING` of the values themselves.
const SMALLEST: f64 = 1e-290;
const ROUNDING: f64 = 1e-9;
/// matplotlib's margin around the data.
const MARGIN: f64 = 0.05;

/// What the caller asked of an axis.
#[derive(Debug, Clone, Default)]
pub(super) struct AxisOptions {
    pub label: Option<String>,
    pub range: Option<Range<f64>>,
    pub log: bool,
    pub whole: bool,
    /// Marks stand on zero: unless a range is chosen, a linear axis holds it, and ends there if no value lies beyond.
    pub from_zero: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    log: bool,
    whole: bool,
    pub ticks: Vec<(f64, String)>,
    /// The power of ten that the tick labels leave out.
    pub exponent: Option<i32>,
}

impl AxisOptions {
    /// Whether a value has a place on the axis.
    pub fn shows(&self, value: f64) -> bool {
        value.abs() < LARGEST && (!self.log || value > SMALLEST)
    }

    /// The axis for `values`, with at most `intervals` intervals between ticks; `name` is for the error.
    pub fn fit(
        &self,
        name: &'static str,
        values: impl Iterator<Item = f64>,
        intervals: usize,
    ) -> Result<Axis, PlotError> {
        let (low, high) = match self.range {
            Some(Range { start: low, end: high }) => {
                if !(self.shows(low) && self.shows(high) && low < high && differ(low, high)) {
                    return Err(PlotError::Range { axis: name, low, high });
                }
                (low, high)
            }
            None => self.range_of(values),
        };
        let (ticks, exponent) = if self.log {
            (log_ticks(low, high, intervals), None)
        } else {
            linear_ticks(low, high, intervals, self.whole)
        };
        Ok(Axis { low, high, log: self.log, whole: self.whole, ticks, exponent })
    }

    fn range_of(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let (low, high) = values
            .filter(|&value| self.shows(value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return if self.log { (1.0, 10.0) } else { (0.0, 1.0) };
        }
        if self.log {
            let margin = (MARGIN * (high / low).log10()).max(0.1);
            return ((low / 10_f64.powf(margin)).max(SMALLEST), (high * 10_f64.powf(margin)).min(LARGEST));
        }
        let (low, high) = if self.from_zero { (low.min(0.0), high.max(0.0)) } else { (low, high) };
        let largest = low.abs().max(high.abs());
        let margin = if differ(low, high) {
            MARGIN * (high - low)
        } else if largest > SMALLEST {
            0.1 * largest
        } else {
            1.0
        };
        if self.from_zero && low == 0.0 {
            (0.0, high + margin)
        } else if self.from_zero && high == 0.0 {
            (low - margin, 0.0)
        } else {
            (low - margin, high + margin)
        }
    }
}

fn differ(low: f64, high: f64) -> bool {
    high - low > (ROUNDING * low.abs().max(high.abs())).max(SMALLEST)
}

/// The range, or one around it where it is a single value, or 0 to 1 where it is empty.
pub(super) fn widened(low: f64, high: f64) -> (f64, f64) {
    if low > high {
        (0.0, 1.0)
    } else if differ(low, high) {
        (low, high)
    } else {
        let margin = 0.5 * low.abs().max(1.0);
        (low - margin, high + margin)
    }
}

impl Axis {
    /// Where `value` stands: 0 at the start of the axis, 1 at its end.
    pub fn fraction(&self, value: f64) -> f64 {
        if self.log {
            (value / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// Where marks stand that begin at zero: there, or, as a logarithmic axis has none, at the axis's start.
    pub fn base(&self) -> f64 {
        if self.log { 0.0 } else { self.fraction(0.0) }
    }

    /// The axis, its range widened about the middle to `length` if it is shorter; no logarithmic one.
    pub fn stretched(self, length: f64, intervals: usize) -> Self {
        let more = (length - (self.high - self.low)) / 2.0;
        if !more.is_finite() || more <= 0.0 {
            return self;
        }
        let (low, high) = (self.low - more, self.high + more);
        let (ticks, exponent) = linear_ticks(low, high, intervals, self.whole);
        Self { low, high, ticks, exponent, ..self }
    }
}

/// The smallest of `factors`, which rise to 10, times a power of ten that is at least `least`.
pub(super) fn round_step(least: f64, factors: &[f64]) -> f64 {
    let magnitude = 10_f64.powf(least.log10().floor());
    factors.iter().find(|&factor| factor * magnitude >= least * (1.0 - 1e-9)).unwrap_or(&10.0) * magnitude
}

pub(super) fn linear_ticks(low: f64, high: f64, intervals: usize, whole: bool) -> (Vec<(f64, String)>, Option<i32>) {
    let least = (high - low) / intervals as f64;
    let factors: &[f64] = if whole { &[1.0, 2.0, 5.0, 10.0] } else { &[1.0, 2.0, 2.5, 5.0, 10.0] };
    let step = round_step(least, factors);
    let step = if whole { step.max(1.0) } else { step };

    let power = low.abs().max(high.abs()).log10().floor() as i32;
    let exponent = (!(-3..=4).contains(&power)).then_some(power);
    let unit = 10_f64.powi(exponent.unwrap_or(0));
    let decimals = decimals_of(step / unit);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    let ticks = (first..=last).map(|index| index as f64 * step);
    (ticks.map(|value| (value, number(value / unit, decimals))).collect(), exponent)
}

fn log_ticks(low: f64, high: f64, intervals: usize) -> Vec<(f64, String)> {
    let inside = |value: &f64| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value);
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let stride = ((last - first) as usize).div_ceil(intervals).max(1);
    let decades: Vec<_> = (first..=last)
        .filter(|power| power.rem_euclid(stride as i32) == 0)
        .map(|power| (10_f64.powi(power), format!("10{}", superscript(power))))
        .filter(|(value, _)| inside(value))
        .collect();
    if decades.len() > 2 {
        return decades;
    }
    let between: Vec<_> = (first..=last)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|factor| (factor * 10_f64.powi(power), power)))
        .filter(|(value, _)| inside(value))
        .map(|(value, power)| (value, number(value, -power.min(0) as usize)))
        .collect();
    if between.len() > 1 { between } else { linear_ticks(low, high, intervals, false).0 }
}

/// How many decimals tell multiples of `step` apart.
fn decimals_of(step: f64) -> usize {
    (0..17)
        .find(|&decimals| {
            let shifted = step * 10_f64.powi(decimals);
            shifted.round() >= 1.0 && (shifted - shifted.round()).abs() < 1e-6 * shifted
        })
        .unwrap_or(17) as usize
}

/// The number with so many decimals and a true minus sign, which is as wide as a digit; no zero is negative.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().any(|c| ('1'..='9').contains(&c)) => format!("\u{2212}{digits}"),
        Some(digits) => digits.to_owned(),
        None => text,
    }
}

pub(super) fn superscript(power: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    power.to_string().chars().map(|c| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_zero(values: &[f64]) -> Result<(f64, f64), PlotError> {
        let options = AxisOptions { from_zero: true, ..AxisOptions::default() };
        let axis = options.fit("y", values.iter().copied(), 5)?;
        Ok((axis.low, axis.high))
    }

    #[test]
    fn an_axis_from_zero_has_a_margin_only_where_values_lie() -> Result<(), PlotError> {
        assert_eq!(from_zero(&[1.0, 2.0])?, (0.0, 2.1));
        assert_eq!(from_zero(&[-2.0, -1.0])?, (-2.1, 0.0));
        assert_eq!(from_zero(&[-1.0, 1.0])?, (-1.1, 1.1));
        assert_eq!(from_zero(&[0.0])?, (0.0, 1.0));
        assert_eq!(from_zero(&[])?, (0.0, 1.0));
        Ok(())
    }

    #[test]
    fn stretching_keeps_the_middle_and_never_shortens() -> Result<(), PlotError> {
        let axis = AxisOptions { range: Some(0.0..2.0), ..AxisOptions::default() }.fit("x", std::iter::empty(), 4)?;
        let longer = axis.clone().stretched(6.0, 4);
        assert_eq!((longer.low, longer.high), (-2.0, 4.0));
        assert_eq!(longer.ticks.iter().map(|tick| tick.0).collect::<Vec<_>>(), [-2.0, 0.0, 2.0, 4.0]);
        for length in [1.0, f64::NAN, f64::INFINITY] {
            let same = axis.clone().stretched(length, 4);
            assert_eq!((same.low, same.high), (0.0, 2.0));
        }
        Ok(())
    }
}

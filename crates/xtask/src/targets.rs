//! The figures that a section should reach: `targets.json` of a chapter, held against medians.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::chapters::{Chapter, Workspace, read};
use crate::report::suggestion;
use crate::run::Metric;

/// Section → metric → bands.
pub type Targets = BTreeMap<String, SectionTargets>;

/// Metric → bands.
pub type SectionTargets = BTreeMap<String, Bands>;

/// From `min` to `max`, both included; at least one is given.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    min: Option<f64>,
    max: Option<f64>,
}

/// One band for the value, of the last epoch if there are several; or one for each epoch.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Bands {
    Last(Band),
    ByEpoch(Vec<Band>),
}

/// A median held against its band.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// `train_loss`, or `train_loss[2]` for a band of the second epoch.
    pub metric: String,
    pub median: f64,
    pub band: Band,
}

impl Band {
    /// A value that is not a number holds in no band.
    pub fn holds(self, value: f64) -> bool {
        !value.is_nan() && self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => write!(f, "{min}"),
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "≥ {min}"),
            (None, Some(max)) => write!(f, "≤ {max}"),
            (None, None) => write!(f, "any"),
        }
    }
}

impl Row {
    pub fn ok(&self) -> bool {
        self.band.holds(self.median)
    }
}

impl Bands {
    /// The band of the last epoch, or the only one.
    pub fn last(&self) -> Option<Band> {
        match self {
            Self::Last(band) => Some(*band),
            Self::ByEpoch(bands) => bands.last().copied(),
        }
    }

    fn all(&self) -> &[Band] {
        match self {
            Self::Last(band) => std::slice::from_ref(band),
            Self::ByEpoch(bands) => bands,
        }
    }
}

/// A chapter's targets; none if it has no `targets.json`.
pub fn load(workspace: &Workspace, chapter: &Chapter) -> Result<Targets> {
    let path = workspace.targets_path(&chapter.name);
    if !path.is_file() {
        return Ok(Targets::new());
    }
    let shown = workspace.relative(&path);
    let targets = parse(shown, &read(&path)?)?;
    for section in targets.keys() {
        chapter.section(section).with_context(|| format!("{}", shown.display()))?;
    }
    Ok(targets)
}

fn parse(path: &Path, text: &str) -> Result<Targets> {
    let shape = "wants {\"section\": {\"metric\": {\"min\": 0.8, \"max\": 0.9}}}, or a list of such bands by epoch";
    let targets: Targets = serde_json::from_str(text).with_context(|| format!("{} {shape}", path.display()))?;
    for (section, metrics) in &targets {
        for (metric, bands) in metrics {
            let idle = |band: &Band| {
                (band.min.is_none() && band.max.is_none()) || band.min.zip(band.max).is_some_and(|(min, max)| min > max)
            };
            if bands.all().is_empty() || bands.all().iter().any(idle) {
                bail!(
                    "{}: a band of {section}, {metric} holds for every value or none: give `min` or `max`",
                    path.display()
                );
            }
        }
    }
    Ok(targets)
}

/// Holds the medians of a section against its targets.
pub fn hold(section: &str, targets: &SectionTargets, medians: &BTreeMap<String, Metric>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, bands) in targets {
        let Some(metric) = medians.get(name) else {
            let known = suggestion(name, medians.keys().map(String::as_str));
            bail!("{section} has a target for `{name}`, but no such metric{known}");
        };
        match (bands, metric) {
            (Bands::Last(band), metric) => {
                let median = metric.last().with_context(|| format!("`{name}` of {section} has no value"))?;
                rows.push(Row { metric: name.clone(), median, band: *band });
            }
            (Bands::ByEpoch(bands), Metric::ByEpoch(values)) if bands.len() == values.len() => {
                let row = |(epoch, (band, median)): (usize, (&Band, &f64))| Row {
                    metric: format!("{name}[{}]", epoch + 1),
                    median: *median,
                    band: *band,
                };
                rows.extend(bands.iter().zip(values).enumerate().map(row));
            }
            (Bands::ByEpoch(bands), metric) => {
                let values = if let Metric::ByEpoch(values) = metric { values.len() } else { 1 };
                bail!(
                    "`{name}` of {section} has {} bands for {values} value(s): give one for each, or a single band",
                    bands.len()
                );
            }
        }
    }
    Ok(rows)
}

/// Rows as a Markdown table: metric, median, band, whether it holds.
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec!["| metric | median | band | ok |\n| --- | ---: | --- | --- |\n".to_owned()];
    lines.extend(rows.iter().map(|row| {
        let ok = if row.ok() { "yes" } else { "NO" };
        format!("| {} | {} | {} | {ok} |\n", row.metric, number(row.median), row.band)
    }));
    lines.concat()
}

/// A result as tables show it: four decimals, or the scientific form where those would say nothing.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && (10.0..1e6).contains(&size) {
        return format!("{value}");
    }
    if size != 0.0 && !(0.001..1e6).contains(&size) { format!("{value:.3e}") } else { format!("{value:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Result<Targets> {
        parse(Path::new("targets.json"), text)
    }

    fn held(text: &str, metric: Metric) -> Result<Vec<bool>> {
        let rows = hold("s", &targets(text).unwrap()["s"], &[("loss".to_owned(), metric)].into())?;
        Ok(rows.iter().map(Row::ok).collect())
    }

    #[test]
    fn a_single_band_holds_for_the_last_value() {
        let text = r#"{"s": {"loss": {"min": 0.4, "max": 0.45}}}"#;
        assert_eq!(held(text, Metric::Value(0.45)).unwrap(), [true]);
        assert_eq!(held(text, Metric::Value(0.46)).unwrap(), [false]);
        assert_eq!(held(text, Metric::Value(f64::NAN)).unwrap(), [false]);
        assert_eq!(held(text, Metric::ByEpoch(vec![0.9, 0.41])).unwrap(), [true]);
        assert!(held(text, Metric::ByEpoch(vec![])).is_err());
    }

    #[test]
    fn a_list_has_one_band_for_each_epoch() {
        let text = r#"{"s": {"loss": [{"max": 0.9}, {"max": 0.5}]}}"#;
        assert_eq!(held(text, Metric::ByEpoch(vec![0.95, 0.5])).unwrap(), [false, true]);
        assert!(held(text, Metric::ByEpoch(vec![0.9])).unwrap_err().to_string().contains("2 bands for 1 value"));
        assert!(held(text, Metric::Value(0.9)).is_err());
    }

    #[test]
    fn mistakes_in_the_file_are_errors() {
        for text in [
            r#"{"s": {"loss": {"mim": 1}}}"#,
            r#"{"s": {"loss": {}}}"#,
            r#"{"s": {"loss": []}}"#,
            r#"{"s": {"loss": {"min": 2, "max": 1}}}"#,
            r#"{"s": 3}"#,
        ] {
            assert!(targets(text).is_err(), "{text}");
        }
        let error = held(r#"{"s": {"los": {"max": 1}}}"#, Metric::Value(0.1)).unwrap_err().to_string();
        assert!(error.contains("did you mean “loss”"), "{error}");
    }

    #[test]
    fn tables_show_numbers_that_say_something() {
        assert_eq!(number(0.45), "0.4500");
        assert_eq!(number(0.0), "0.0000");
        assert_eq!(number(0.000_012), "1.200e-5");
        let rows = [Row { metric: "loss".into(), median: 0.5, band: Band { min: None, max: Some(0.45) } }];
        assert!(table(&rows).ends_with("| loss | 0.5000 | ≤ 0.45 | NO |\n"));
    }
}

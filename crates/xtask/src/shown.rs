//! What a page shows of its section: code, what a cell printed and drew, how the run came about, what it reached.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::book;
use crate::cells::Source;
use crate::chapters::{Section, Workspace, read};
use crate::pages::fenced;
use crate::run::{CellOutput, Data, Metric, Run};
use crate::targets::{self, SectionTargets, number};

pub fn code(text: &str) -> String {
    fenced("rust", text)
}

pub fn output(section: &Section, cell: &CellOutput) -> String {
    let mut parts = Vec::new();
    let printed = cell.text.replace("\r\n", "\n");
    if !printed.trim().is_empty() {
        let lines: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
        parts.push(fenced("text", lines.join("\n").trim_start_matches('\n')));
    }
    for figure in &cell.figures {
        let alt = figure.alt.replace('[', "\\[").replace(']', "\\]");
        parts.push(format!("![{alt}]({}/{})\n", section.name, figure.file));
    }
    parts.join("\n")
}

/// How the output came about: the command, the book's text beside it, the settings.
pub fn account(section: &Section, source: &Source, run: &Run) -> String {
    let data = match run.data {
        Data::Full => " on the full data",
        Data::StandIn => " on data that stand in for the publisher's, which could not be had,",
        Data::Sample => " on a sample of the data",
        Data::None => "",
    };
    let threads = if run.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", run.threads) };
    let Section { chapter, name, .. } = section;
    let mut command = format!("cargo run --release -p {chapter} -- {name} --seed {}", run.seed);
    for flag in &run.flags {
        command.push(' ');
        command.push_str(flag);
    }
    let took = match run.seeds.len() {
        0 | 1 => format!("it took {}", seconds(run.least_seconds())),
        runs => format!("the fastest of {runs} runs took {}", seconds(run.least_seconds())),
    };
    let sentence = format!(
        "\nRecorded with seed {} at scale {}{data} on {threads} ({}); {took}.{}\n",
        run.seed,
        run.scale,
        run.device,
        settings(&run.config, &source.book_settings)
    );
    let sentence = match book::text_of(section, &run.number) {
        Some(url) => format!("\nThe book's text of this section: [{} {}]({url}).\n{sentence}", run.number, run.title),
        None => sentence,
    };
    fenced("sh", &command) + &sentence
}

/// Where each metric's name is explained, a line each with a tab between.
const METRICS: &str = "book/metrics.tsv";

/// The metrics of a run in a table, each with what it is.
pub fn results(workspace: &Workspace, run: &Run, targets: Option<&SectionTargets>) -> Result<String, String> {
    let text = read(&workspace.root.join(METRICS)).map_err(|error| format!("{error:#}"))?;
    let explained: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    metrics_table(run, targets, &explained)
}

fn metrics_table(
    run: &Run,
    targets: Option<&SectionTargets>,
    explained: &BTreeMap<&str, &str>,
) -> Result<String, String> {
    let seeds = if run.seeds.len() == 1 { "1 seed".to_owned() } else { format!("{} seeds", run.seeds.len()) };
    let (title, rule) = if targets.is_some() { (" target |", " --- |") } else { ("", "") };
    let mut lines = vec![
        format!("| metric | | this run | median of {seeds} |{title}\n"),
        format!("| --- | --- | ---: | ---: |{rule}\n"),
    ];
    for (name, metric) in &run.metrics {
        let label = match metric {
            Metric::ByEpoch(values) if values.len() > 1 => format!("`{name}`, last of {}", values.len()),
            _ => format!("`{name}`"),
        };
        let show = |metric: Option<&Metric>| metric.and_then(Metric::last).map_or("–".to_owned(), number);
        let target = targets.map_or_else(String::new, |targets| {
            let band = targets.get(name).and_then(targets::Bands::last);
            band.map_or_else(|| "  |".to_owned(), |band| format!(" {band} |"))
        });
        let what =
            explained.get(name.as_str()).ok_or_else(|| format!("{METRICS} does not explain `{name}`: add a line"))?;
        lines.push(format!("| {label} | {what} | {} | {} |{target}\n", show(Some(metric)), show(run.median.get(name))));
    }
    Ok(lines.concat() + &trainings(run))
}

/// The trainings of a run in a table of their own, with how fast each was; nothing where there is none.
fn trainings(run: &Run) -> String {
    if run.trainings.is_empty() {
        return String::new();
    }
    let threads = if run.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", run.threads) };
    let rows = run.trainings.iter().map(|(name, training)| {
        let speed = match training.per_second {
            0.0 => "–".to_owned(),
            speed => format!("{speed:.0} {} a second", training.unit),
        };
        format!("| `{name}` | {} | {} | {speed} |\n", training.epochs, seconds(training.seconds))
    });
    let head = format!("\n| training | epochs | time | speed on {threads} |\n| --- | ---: | ---: | --- |\n");
    std::iter::once(head).chain(rows).collect()
}

/// The settings of a run, each that is not the book's with the book's beside it.
fn settings(config: &Value, book: &BTreeMap<String, String>) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => Some(format!("“{text}”")),
        Value::Null | Value::Object(_) => None,
        value => Some(value.to_string()),
    };
    let entries = config.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name, shown(value)?)));
    let entries: Vec<String> = entries
        .map(|(name, value)| {
            let number = |text: &str| text.replace('_', "").parse::<f64>().ok();
            let is_same = |book: &str| {
                book == value.trim_matches(['“', '”']) || (number(book).is_some() && number(book) == number(&value))
            };
            match book.get(name).filter(|book| !is_same(book)) {
                Some(book) => format!("`{name}` {value} (**the book: {book}**)"),
                None => format!("`{name}` {value}"),
            }
        })
        .collect();
    if entries.is_empty() { String::new() } else { format!(" Settings: {}.", entries.join(", ")) }
}

fn seconds(value: f64) -> String {
    match value {
        value if value < 0.1 => "less than 0.1 s".to_owned(),
        value if value < 10.0 => format!("{value:.1} s"),
        value => format!("{value:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_training_stands_with_its_speed() {
        let mut run: Run = serde_json::from_value(serde_json::json!({
            "section": "first", "seed": 42, "scale": "book", "device": "cpu", "threads": 2, "data": "full",
            "metrics": {}, "seconds": 9.0, "fingerprint": "", "cells": [], "trainings": {
                "scratch": {"epochs": 10, "seconds": 66.68, "per_second": 8998.4, "unit": "examples"},
                "search": {"epochs": 1, "seconds": 0.02, "per_second": 0.0, "unit": "examples"}},
        }))
        .unwrap();
        let table = "\n| training | epochs | time | speed on 2 threads |\n| --- | ---: | ---: | --- |\n\
                     | `scratch` | 10 | 67 s | 8998 examples a second |\n| `search` | 1 | less than 0.1 s | – |\n";
        assert_eq!(trainings(&run), table);
        run.trainings.clear();
        assert_eq!(trainings(&run), "");
    }

    #[test]
    fn settings_that_are_not_the_books_are_marked() {
        let config = serde_json::json!({"lr": 0.03, "examples": 60000, "file": null, "word": "in the", "side": 96});
        let book = [("lr", "0.01"), ("examples", "60_000"), ("word", "in the"), ("side", "224")];
        let book = book.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(
            settings(&config, &book),
            " Settings: `examples` 60000, `lr` 0.03 (**the book: 0.01**), `side` 96 (**the book: 224**), \
             `word` “in the”."
        );
        assert_eq!(settings(&serde_json::json!({}), &BTreeMap::new()), "");
        assert_eq!([0.04, 1.26, 12.6].map(seconds), ["less than 0.1 s", "1.3 s", "13 s"]);
    }
}

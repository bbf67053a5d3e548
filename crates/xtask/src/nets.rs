//! The page that compares the nets of the book, `notebooks-md/deep-nets.md`: what each costs and how well it does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use crate::bench::{Record, Row};
use crate::chapters::{Chapter, Section, Workspace};
use crate::pages::Content;
use crate::parity;
use crate::report::Problem;
use crate::run::{Metric, Run, read_run};
use crate::weave::{Mode, weave_table};

/// What a section that has such a net keeps of it.
const COST: &str = "multiply_adds";

/// Writes the tables into the page, or compares them; returns what does not fit together. No page, no problem.
pub fn weave_page(workspace: &Workspace, chapters: &[Chapter], mode: Mode) -> Result<Vec<Problem>> {
    let page = workspace.pages_dir().join("deep-nets.md");
    if !page.is_file() {
        return Ok(Vec::new());
    }
    let mut runs = Vec::new();
    for section in chapters.iter().flat_map(|chapter| &chapter.sections) {
        let folder = workspace.record_dir(section);
        if folder.join("run.json").is_file() {
            let run = read_run(&folder)?;
            if run.median.contains_key(COST) {
                runs.push((section, run));
            }
        }
    }
    let bench = Record::read(workspace)?;
    let tables = whole(&runs, bench.as_ref())? + "\n" + &trained(workspace, &runs)?;
    weave_table(workspace, &page, &Content::Table("nets"), &tables, "run `cargo xtask weave`", mode)
}

/// The nets at the book's sizes.
fn whole(runs: &[(&Section, Run)], bench: Option<&Record>) -> Result<String> {
    let mut table = String::from(
        "\n### At the book's sizes\n\n| net | parameters | multiply-adds an image | a step of training | ms | MB | \
         PyTorch, ms | PyTorch, MB |\n| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |\n",
    );
    for (section, run) in runs {
        let [parameters, cost] = ["parameters", COST].map(|name| median(run, name).map_or_else(String::new, millions));
        let row = bench.and_then(|bench| bench.rows.iter().find(|row| row.name == section.name));
        let step = row.map_or_else(|| " | | | |".to_owned(), step);
        writeln!(table, "| {} | {parameters} | {cost} | {step} |", link(section))?;
    }
    Ok(table)
}

/// A row of the benchmark.
fn step(row: &Row) -> String {
    let mb = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0}"));
    let (ours, torch) = (mb(row.ours_peak_mb), mb(row.torch_peak_mb));
    format!("{} | {:.0} | {ours} | {:.0} | {torch}", row.about, row.ours_ms, row.torch_ms)
}

/// The trainings of the recorded runs.
fn trained(workspace: &Workspace, runs: &[(&Section, Run)]) -> Result<String> {
    let torch = parity::torch_spreads(workspace, "test_acc")?;
    // PyTorch's column only where somebody ran it at these settings.
    let of = |section: &Section| torch.get(&format!("{}/{}", section.chapter, section.name));
    let has_torch = runs.iter().any(|(section, _)| of(section).is_some());
    let (head, rule) = if has_torch { (" PyTorch |", " --- |") } else { ("", "") };
    let mut table = format!(
        "\n### As trained here\n\n| net | images | epochs | side | parameters | multiply-adds an image | images/s | s | test \
         accuracy: least, median, most |{head}\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |{rule}\n",
    );
    for (section, run) in runs {
        for (name, training) in &run.trainings {
            let Some(cost) = median(run, &format!("{COST}_{name}")) else { continue };
            let is_main = name == "training";
            let (net, accuracy) = if is_main {
                (link(section), "test_acc".to_owned())
            } else {
                (format!("{}: {name}", link(section)), format!("test_acc_{name}"))
            };
            let setting = |name: &str| run.config.get(name).map_or_else(String::new, ToString::to_string);
            let side = if name == "lenet" { "28".to_owned() } else { setting("side") };
            let parameters = median(run, &format!("parameters_{name}")).map_or_else(String::new, millions);
            let reached = spread(run.seeds.iter().map(|seed| &seed.metrics), &accuracy);
            let torch = of(section).filter(|_| is_main).map_or("", String::as_str);
            let torch = if has_torch { format!(" {torch} |") } else { String::new() };
            writeln!(
                table,
                "| {net} | {} | {} | {side} | {parameters} | {} | {:.0} | {:.0} | {reached} |{torch}",
                setting("examples"),
                training.epochs,
                millions(cost),
                training.per_second,
                training.seconds,
            )?;
        }
    }
    Ok(table)
}

fn link(section: &Section) -> String {
    format!("[{}]({}/{}.md)", section.name, section.chapter, section.name)
}

fn median(run: &Run, name: &str) -> Option<f64> {
    run.median.get(name).and_then(Metric::last)
}

/// A large number with the word for it: `46.8 million`.
fn millions(value: f64) -> String {
    if value < 1e5 { format!("{value}") } else { format!("{} million", significant(value / 1e6)) }
}

/// A number with three significant digits.
fn significant(value: f64) -> String {
    let decimals = match value {
        ..1.0 => 3,
        1.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// The least, the median and the most of what runs reached in their last epoch.
fn spread<'a>(runs: impl Iterator<Item = &'a BTreeMap<String, Metric>>, name: &str) -> String {
    let values: Vec<f64> = runs.filter_map(|run| run.get(name).and_then(Metric::last)).collect();
    parity::least_median_most(values)
        .map_or_else(String::new, |values| values.map(|value| format!("{value:.3}")).join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn a_net_stands_with_its_cost_and_its_accuracy() {
        let fixture = Fixture::new();
        let seed =
            |seed: u64, accuracy: f64| json!({"seed": seed, "seconds": 3.0, "metrics": {"test_acc": [0.1, accuracy]}});
        let run = json!({
            "chapter": "demo", "section": "first", "number": "3.1", "title": "First", "seed": 42, "scale": "laptop",
            "device": "cpu", "threads": 2, "data": "full", "config": {"examples": 20000, "side": 64}, "metrics": {},
            "seconds": 3.0, "fingerprint": "", "cells": [],
            "trainings": {"training": {"epochs": 2, "seconds": 60.4, "per_second": 700.2, "unit": "examples"}},
            "seeds": [seed(42, 0.5), seed(43, 0.7), seed(44, 0.6)],
            "median": {"parameters": 46_764_746.0, "multiply_adds": 1.0e9, "parameters_training": 99.0,
                "multiply_adds_training": 1_234_567.0, "test_acc": [0.1, 0.6]},
        });
        fixture.write("notebooks-md/demo/first/run.json", &run.to_string());
        fixture.write("notebooks-md/deep-nets.md", "# Nets\n<!-- nets -->\n<!-- /nets -->\n");
        let chapters = fixture.workspace.chapters().unwrap();
        let stale = weave_page(&fixture.workspace, &chapters, Mode::Check).unwrap();
        assert_eq!(stale.len(), 1, "{stale:?}");
        assert!(weave_page(&fixture.workspace, &chapters, Mode::Write).unwrap().is_empty());
        let page = fixture.read("notebooks-md/deep-nets.md");
        assert!(page.contains("| [first](demo/first.md) | 46.8 million | 1000 million | "), "{page}");
        let row = "| [first](demo/first.md) | 20000 | 2 | 64 | 99 | 1.23 million | 700 | 60 | 0.500, 0.600, 0.700 |\n";
        assert!(page.contains(row) && !page.contains("most | PyTorch |"), "{page}");
    }
}

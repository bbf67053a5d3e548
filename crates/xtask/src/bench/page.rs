//! The page of the benchmark, `notebooks-md/performance.md`: the recorded table between its markers.

use anyhow::Result;

use super::measure::{Row, megabytes, milliseconds};
use super::record::Record;
use crate::chapters::Workspace;
use crate::pages::{Content, fenced};
use crate::report::Problem;
use crate::weave::{Mode, weave_table};

/// Writes the recorded table into the page, or compares it; returns what does not fit together. No page, no problem.
pub fn weave_page(workspace: &Workspace, mode: Mode) -> Result<Vec<Problem>> {
    let path = workspace.pages_dir().join("performance.md");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let record = Record::read(workspace)?;
    let fresh = record.as_ref().map_or_else(String::new, table);
    let remedy = if record.is_some() { "run `cargo xtask weave`" } else { "run `cargo xtask bench --record`" };
    weave_table(workspace, &path, &Content::Table("bench"), &fresh, remedy, mode)
}

/// The command, the machine and the rows.
fn table(record: &Record) -> String {
    let Record { machine, threads, rounds, .. } = record;
    let command = fenced("sh", &format!("cargo xtask bench --rounds {rounds} --threads {threads}"));
    let conditions = format!(
        "\nRecorded on {} on {} ({} cores, {threads} threads used), {}, with {} and PyTorch {}; {rounds} rounds.\n\n",
        machine.date, machine.cpu, machine.cores, machine.os, machine.rustc, machine.torch
    );
    let heading = "| workload | ours, ms | PyTorch, ms | ratio | of the rounds | ours, MB | PyTorch, MB |\n\
                   | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    let rows: String = record.rows.iter().map(line).collect();
    let mean = format!("\nGeometric mean of the ratios: **{:.2}**.", record.geometric_mean);
    let start = record.torch_start_mb.map_or_else(String::new, |mb| {
        format!(" Of PyTorch's memory, Python and its libraries take {mb:.0} MB before there is a net.")
    });
    [&command, &conditions, heading, &rows, &mean, &start, "\n"].concat()
}

fn line(row: &Row) -> String {
    format!(
        "| {} | {} | {} | {:.2} | {} | {} | {} |\n",
        row.about,
        milliseconds(row.ours_ms),
        milliseconds(row.torch_ms),
        row.ratio,
        row.spread(),
        megabytes(row.ours_peak_mb),
        megabytes(row.torch_peak_mb)
    )
}

#[cfg(test)]
mod tests {
    use super::super::machine::Machine;
    use super::*;
    use crate::fixture::Fixture;

    fn record() -> Record {
        let row = Row {
            name: "mlp".into(),
            about: "MLP, batch 256".into(),
            parameters: 5,
            ours_ms: 2.0,
            torch_ms: 4.0,
            ratio: 0.5,
            ratio_min: 0.45,
            ratio_max: 0.61,
            ours_peak_mb: Some(40.0),
            torch_peak_mb: None,
            rounds: 7,
            steps: 250,
        };
        let machine = Machine {
            cpu: "Some CPU".into(),
            cores: 2,
            os: "Linux".into(),
            rustc: "rustc 1.99.0".into(),
            torch: "2.15.0".into(),
            date: "2026-11-24".into(),
        };
        Record { machine, threads: 2, rounds: 7, torch_start_mb: Some(300.0), geometric_mean: 0.5, rows: vec![row] }
    }

    fn problems(fixture: &Fixture, mode: Mode) -> Vec<String> {
        weave_page(&fixture.workspace, mode).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_page_shows_the_record_and_nothing_else() {
        let fixture = Fixture::new();
        assert!(problems(&fixture, Mode::Check).is_empty(), "no page");
        fixture.write("notebooks-md/performance.md", "# Speed\n<!-- bench -->\n<!-- /bench -->\nWords.\n");
        assert!(problems(&fixture, Mode::Check).is_empty(), "nothing recorded, nothing shown");
        record().write(&fixture.workspace).unwrap();
        let found = problems(&fixture, Mode::Check);
        assert!(
            found.len() == 1 && found[0].starts_with("notebooks-md/performance.md:2: the table is not"),
            "{found:?}"
        );
        assert!(problems(&fixture, Mode::Write).is_empty());
        let page = fixture.read("notebooks-md/performance.md");
        assert!(page.contains("| MLP, batch 256 | 2.00 | 4.00 | 0.50 | 0.45 to 0.61 | 40 | – |\n"), "{page}");
        assert!(
            page.contains("Recorded on 2026-11-24 on Some CPU (2 cores, 2 threads used), Linux, with rustc 1.99.0")
        );
        assert!(page.contains("ratios: **0.50**. Of PyTorch's memory, Python and its libraries take 300 MB"));
        assert!(page.starts_with("# Speed\n<!-- bench -->\n") && page.ends_with("<!-- /bench -->\nWords.\n"));
        assert!(problems(&fixture, Mode::Check).is_empty());
        fixture.edit("notebooks-md/performance.md", |page| page.replace("| 2.00 |", "| 1.00 |"));
        assert_eq!(problems(&fixture, Mode::Check).len(), 1);
    }

    #[test]
    fn other_markers_are_told() {
        let fixture = Fixture::new();
        fixture.write("notebooks-md/performance.md", "<!-- run -->\n<!-- /run -->\n");
        assert!(problems(&fixture, Mode::Check)[0].contains("shows the table `bench` only"));
    }
}

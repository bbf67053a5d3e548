//! The promise that a run's results depend on its seed and on nothing else, held against a chapter's own program.
//!
//! Each chapter's `tests/it/determinism.rs` names its program and a section; only there Cargo says where the program is.

use std::process::Command;

use tempfile::TempDir;

/// The text of the results in a run's record: numbers are written so that two are the same only if all their bits are.
fn metrics(program: &str, arguments: &[&str], seed: u32, threads: u32) -> String {
    let out = TempDir::new().expect("a folder");
    let output = Command::new(program)
        .args(arguments)
        .args(["--scale", "smoke", "--no-progress", "--seed", &seed.to_string(), "--threads", &threads.to_string()])
        .arg("--out")
        .arg(out.path())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let record = std::fs::read_to_string(out.path().join(arguments[0]).join("run.json")).expect("a record");
    let (_, after) = record.split_once("\"metrics\": ").expect("metrics");
    let (metrics, _) = after.split_once("\"seconds\"").expect("what follows the metrics");
    assert!(metrics.contains(|c: char| c.is_ascii_digit()), "the section has no results");
    metrics.to_string()
}

/// Runs a section with 1, 2 and 4 threads and once more with 2, and then with another seed.
pub fn only_the_seed_matters(program: &str, arguments: &[&str]) {
    let expected = metrics(program, arguments, 42, 1);
    for (run, threads) in [("first", 2), ("second", 2), ("only", 4)] {
        let got = metrics(program, arguments, 42, threads);
        assert_eq!(expected, got, "the {run} run with {threads} threads differs from that with one");
    }
    assert_ne!(expected, metrics(program, arguments, 43, 2), "another seed gives the same results");
}

//! A training with Adam, dropout and recurrent layers that is killed goes on from its checkpoint to the same numbers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn program(out: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rnn"));
    command.args(["seq2seq", "--scale", "smoke", "--num-epochs", "100", "--no-progress", "--out"]).arg(out);
    command.args(flags).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The results and the cells of a run, as text: numbers are written so that they differ where their bits do. Speeds are
/// left out.
fn results(out: &Path) -> (serde_json::Value, String) {
    let text = std::fs::read_to_string(out.join("seq2seq/run.json")).expect("a record");
    let metrics = text.split_once("\"metrics\": ").expect("metrics").1.split_once("\"seconds\"").expect("an end").0;
    let mut run: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut cells = run["cells"].take();
    for cell in cells.as_array_mut().expect("cells") {
        let text = cell["text"].as_str().expect("text");
        let kept: Vec<&str> = text.lines().filter(|line| !line.contains("tokens a second")).collect();
        cell["text"] = kept.join("\n").into();
    }
    (cells, metrics.to_string())
}

#[test]
fn a_killed_translation_goes_on_to_the_same_numbers() {
    let (whole, parts, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    assert!(program(whole.path(), &[]).status().unwrap().success());

    let folder = kept.path().to_str().unwrap();
    let checkpoint = kept.path().join("rnn-seq2seq.training.safetensors");
    let mut child = program(parts.path(), &["--checkpoint", folder]).spawn().unwrap();
    let started = Instant::now();
    while !checkpoint.exists() {
        assert!(started.elapsed() < Duration::from_secs(300), "no checkpoint came");
        assert!(child.try_wait().unwrap().is_none(), "the program ended before its first checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!parts.path().join("seq2seq/run.json").exists());

    let output = program(parts.path(), &["--checkpoint", folder, "--resume"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("going on after epoch"), "{said}");
    assert_eq!(results(whole.path()), results(parts.path()));

    // Another folder, by a slip: the run starts anew and says so.
    let empty = TempDir::new().unwrap();
    let flags = ["--checkpoint", empty.path().to_str().unwrap(), "--resume"];
    let output = program(parts.path(), &flags).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("the run starts anew"), "{said}");
    assert_eq!(results(whole.path()), results(parts.path()));
}

#[test]
fn every_training_resumes_on_the_same_bits() {
    d2l_testing::resuming::every_training_resumes(env!("CARGO_BIN_EXE_rnn"));
}

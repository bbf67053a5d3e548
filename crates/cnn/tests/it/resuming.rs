//! A training that is killed goes on from its checkpoint to the same numbers; Ctrl-C ends it with what there is.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The chapter's program on LeNet with batch normalization, whose running statistics must be kept too.
fn program(folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cnn"));
    command.args(["batch-norm", "--scale", "smoke", "--num-epochs", "4", "--no-progress", "--out"]).arg(folder);
    command.args(flags).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn run(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("batch-norm/run.json")).expect("a record");
    serde_json::from_slice(&text).expect("JSON")
}

/// Waits until there is a file.
fn await_file(child: &mut Child, file: &Path) {
    let started = Instant::now();
    while !file.exists() {
        assert!(started.elapsed() < Duration::from_secs(300), "{} never came", file.display());
        assert!(child.try_wait().expect("a child").is_none(), "the program ended before {}", file.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn checkpoint(folder: &Path, training: &str) -> PathBuf {
    folder.join(format!("cnn-batch-norm.{training}.safetensors"))
}

#[test]
fn a_killed_run_goes_on_to_the_same_numbers() {
    let (whole, parts, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    assert!(program(whole.path(), &[]).status().unwrap().success());

    let folder = kept.path().to_str().unwrap();
    // Killed once in each of the two trainings.
    for (training, flags) in
        [("scratch", &["--checkpoint", folder][..]), ("concise", &["--checkpoint", folder, "--resume"])]
    {
        let mut child = program(parts.path(), flags).spawn().unwrap();
        await_file(&mut child, &checkpoint(kept.path(), training));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!parts.path().join("batch-norm/run.json").exists());
    }
    // As a process that is killed within a write leaves it, and the same of another section.
    let part = |section: &str| kept.path().join(format!(".{section}.scratch.safetensors.part-x7Qe"));
    for section in ["cnn-batch-norm", "cnn-lenet"] {
        std::fs::write(part(section), "half").unwrap();
    }
    let output = program(parts.path(), &["--checkpoint", folder, "--resume"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("going on after epoch"));
    assert!(!part("cnn-batch-norm").exists() && part("cnn-lenet").exists());
    assert_eq!(run(whole.path())["metrics"], run(parts.path())["metrics"]);
    assert_eq!(run(whole.path())["cells"], run(parts.path())["cells"]);
}

#[test]
fn another_run_or_a_spoiled_file_is_refused() {
    let (out, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let folder = kept.path().to_str().unwrap();
    let mut child = program(out.path(), &["--checkpoint", folder]).spawn().unwrap();
    await_file(&mut child, &checkpoint(kept.path(), "scratch"));
    child.kill().unwrap();
    child.wait().unwrap();
    let refused = |flags: &[&str], words: &[&str]| {
        let output = program(out.path(), flags).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.iter().all(|word| said.contains(word)), "{flags:?}: {said}");
    };
    refused(&["--checkpoint", folder], &["--resume", "cnn-batch-norm.scratch"]);
    refused(&["--checkpoint", folder, "--resume", "--seed", "7"], &["--seed 42", "7"]);
    refused(&["--checkpoint", folder, "--resume", "--lr", "0.5"], &["--lr 1.0", "0.5"]);
    refused(&["--resume"], &["--checkpoint"]);
    let file = checkpoint(kept.path(), "scratch");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    refused(&["--checkpoint", folder, "--resume"], &["cnn-batch-norm.scratch", "damaged"]);
    let blocked = out.path().join("a-file");
    std::fs::write(&blocked, "").unwrap();
    refused(&["--checkpoint", blocked.to_str().unwrap()], &["--checkpoint", "a-file", "choose another folder"]);
}

#[test]
fn an_interrupted_run_ends_with_its_results_so_far() {
    let (out, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    // More epochs than anyone waits for.
    let flags = ["--num-epochs", "100000", "--checkpoint", kept.path().to_str().unwrap()];
    let mut command = Command::new(env!("CARGO_BIN_EXE_cnn"));
    command.args(["batch-norm", "--scale", "smoke", "--no-progress", "--out"]).arg(out.path()).args(flags);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    await_file(&mut child, &checkpoint(kept.path(), "scratch"));
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("train loss") && said.contains("Interrupted") && said.contains("--resume"), "{said}");
    let run = run(out.path());
    assert_eq!(run["interrupted"], true);
    assert!(!run["metrics"]["train_loss"].as_array().unwrap().is_empty());
    assert!(out.path().join("batch-norm/training-so-far.svg").exists());
}

#[test]
fn every_training_resumes_on_the_same_bits() {
    d2l_testing::resuming::every_training_resumes(env!("CARGO_BIN_EXE_cnn"));
}

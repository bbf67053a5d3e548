//! The saved Transformer: nothing half-trained replaces it, and no run uses one that is not what it asks for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn program(out: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attention"));
    command.args(["transformer", "--scale", "smoke", "--no-progress", "--out"]).arg(out).args(flags);
    command
}

/// What a run prints that must succeed.
fn printed(out: &Path, flags: &[&str]) -> String {
    let output = program(out, flags).output().expect("the program starts");
    assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn model(out: &Path) -> PathBuf {
    out.join("transformer/transformer.safetensors")
}

/// Starts a run of more epochs than anyone waits for and interrupts it once a checkpoint is newer than `since`; gives
/// what it said on standard error.
#[cfg(unix)]
fn interrupted(out: &Path, kept: &Path, flags: &[&str]) -> String {
    let newest = || {
        let files = std::fs::read_dir(kept).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()?.modified().ok()).max()
    };
    let before = newest();
    let endless = ["--num-epochs", "100000", "--checkpoint", kept.to_str().expect("a name")];
    let mut child = program(out, &[&endless[..], flags].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    while newest() <= before {
        assert!(started.elapsed() < Duration::from_secs(300), "no checkpoint came");
        assert!(child.try_wait().expect("a child").is_none(), "the program ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(130));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_leaves_the_saved_model_and_goes_on_where_asked() {
    let (out, kept) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    printed(out.path(), &[]);
    let saved = std::fs::read(model(out.path())).expect("the model");
    let translate = ["--seed", "7", "--translate", "i'm home ."];
    interrupted(out.path(), kept.path(), &translate);
    assert!(std::fs::read(model(out.path())).expect("the model") == saved, "half-trained weights took its place");
    let told = interrupted(out.path(), kept.path(), &[&translate[..], &["--resume"]].concat());
    assert!(told.contains("going on after epoch"), "{told}");
    assert!(std::fs::read(model(out.path())).expect("the model") == saved, "half-trained weights took its place");
    // What was trained whole still serves who asks for it.
    let told = printed(out.path(), &["--translate", "i'm home ."]);
    assert!(!told.contains("trained first") && !told.contains("train loss"), "{told}");
}

#[test]
fn a_model_of_other_settings_is_not_used_in_silence() {
    let out = TempDir::new().expect("a folder");
    let translate = ["--translate", "i'm home .", "--num-epochs", "1"];
    let told = printed(out.path(), &translate);
    assert!(told.contains("is not there yet: the model is trained first"), "{told}");
    let file = model(out.path());
    let named = ["--model", file.to_str().expect("a name")];
    for (flags, difference) in [
        (["--num-hiddens", "16"], "--num-hiddens 32 (this run: 16)"),
        (["--seed", "7"], "--seed 42 (this run: 7)"),
        (["--num-epochs", "2"], "--num-epochs 1 (this run: 2)"),
    ] {
        let flags = if flags[0] == "--num-epochs" { flags.to_vec() } else { [&flags[..], &translate[2..]].concat() };
        let flags = [&flags[..], &translate[..2]].concat();
        let output = program(out.path(), &[&flags[..], &named].concat()).output().expect("the program starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(difference) && told.contains("--model"), "{told}");
        let elsewhere = TempDir::new().expect("a folder");
        std::fs::create_dir_all(elsewhere.path().join("transformer")).expect("a folder");
        std::fs::copy(&file, model(elsewhere.path())).expect("a copy");
        let told = printed(elsewhere.path(), &flags);
        assert!(told.contains(difference) && told.contains("trained first"), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn what_a_run_leaves_is_as_readable_as_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let out = TempDir::new().expect("a folder");
    printed(out.path(), &["--num-epochs", "1"]);
    let mode = |path: &Path| path.metadata().expect("a file").permissions().mode();
    let new = out.path().join("new");
    std::fs::write(&new, "").expect("a file");
    let mut files = 0;
    for entry in std::fs::read_dir(out.path().join("transformer")).expect("the run's folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), mode(&new), "{}", path.display());
        files += 1;
    }
    assert!(files >= 5, "a record, the output, figures and the model");
}

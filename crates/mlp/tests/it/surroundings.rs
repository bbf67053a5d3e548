//! A disk that has room for the results but not for the checkpoints: told before training.

use std::process::Command;

use tempfile::TempDir;

#[test]
fn a_disk_without_room_for_checkpoints_is_refused_before_training() {
    let (out, kept) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    // Files of at most 2 MB: the results fit, the state of 200,000 parameters does not.
    let script = r#"trap "" XFSZ; ulimit -f 4000
        exec "$0" mlp-concise --scale smoke --num-epochs 1 --out "$1" --checkpoint "$2""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_mlp")]).args([out.path(), kept.path()]);
    let output = command.output().expect("a run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--checkpoint: ") && said.contains("choose another folder"), "{said}");
    assert!(!said.contains("epoch 1/") && !said.contains("panicked"), "{said}");
    assert_eq!(kept.path().read_dir().expect("the folder").count(), 0, "something is left");
}

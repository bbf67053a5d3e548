//! Wrong flags and strange surroundings: each gives a clear message before any training, or the result that it should.
//!
//! All chapters share one runner, so what holds for this chapter's program holds for all of them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_linear-nets");
const SECTION: &str = "softmax-regression-concise";

/// The program on a short training, its output in `out`.
fn program(out: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg(SECTION).arg("--out").arg(out).args(flags);
    for default in [["--scale", "smoke"], ["--num-epochs", "1"]] {
        if !flags.contains(&default[0]) {
            command.args(default);
        }
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Checks that a run was refused before it trained, in these words and without a panic.
fn refused(what: &str, output: &Output, words: &[&str]) {
    let said = text(&output.stderr);
    let code = output.status.code();
    assert!(matches!(code, Some(1 | 2)), "{what}: ended with {code:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{what}: `{word}` is not in: {said}");
    }
    assert!(!said.contains("panicked") && !said.contains("epoch 1/"), "{what}: {said}");
}

/// The results in a run's record, as they are written there.
fn metrics(out: &Path) -> String {
    let record = std::fs::read_to_string(out.join(SECTION).join("run.json")).expect("a record");
    let after = record.split_once("\"metrics\": ").expect("metrics").1;
    after.split_once("\"seconds\"").expect("what follows").0.to_string()
}

#[test]
fn a_wrong_flag_is_named_with_what_is_right() {
    // The flags, and words that the message must have.
    let cases: &[(&[&str], &[&str])] = &[
        (&["--lr", "-0.1"], &["--lr", "above zero"]),
        (&["--lr", "0"], &["--lr", "above zero"]),
        (&["--lr", "nan"], &["--lr", "above zero"]),
        (&["--lr", "inf"], &["--lr", "above zero"]),
        (&["--lr", "fast"], &["--lr", "not a number"]),
        (&["--lr", "1e39"], &["epoch 1", "smaller learning rate"]),
        (&["--num-epochs", "0"], &["--num-epochs", "at least 1"]),
        (&["--num-epochs", "1.5"], &["--num-epochs"]),
        (&["--batch-size", "0"], &["--batch-size", "at least 1"]),
        (&["--batch-size", "-1"], &["--batch-size", "at least 1"]),
        (&["--seed", "-1"], &["'-1' for '--seed"]),
        (&["--threads", "-1"], &["--threads", "1..=1024"]),
        (&["--threads", "0"], &["--threads", "1..=1024"]),
        (&["--threads", "65535"], &["--threads", "1..=1024"]),
        (&["--scale", "tiny"], &["--scale", "book, laptop, smoke"]),
        (&["--device", "tpu"], &["--device", "cpu, cuda, cuda:<index> or metal"]),
        (&["--device", "cpu:3"], &["--device", "cpu, cuda"]),
        (&["--device", "cuda:first"], &["first is not the index of a GPU"]),
        #[cfg(not(feature = "cuda"))]
        (&["--device", "cuda"], &["--device cuda:0", "built without support", "--features cuda", "leave the flag out"]),
        #[cfg(not(feature = "metal"))]
        (&["--device", "metal"], &["--device metal", "built without support", "--features metal"]),
        (&["--resume"], &["--checkpoint"]),
        (&["--learning-rate", "1"], &["--learning-rate"]),
    ];
    for (flags, words) in cases {
        let out = TempDir::new().expect("a folder");
        refused(&format!("{flags:?}"), &program(out.path(), flags).output().expect("a run"), words);
        assert!(!out.path().join(SECTION).join("run.json").exists(), "{flags:?} left a record");
    }
    let unknown = Command::new(PROGRAM).arg("softmax-regresion-scratch").output().expect("a run");
    refused("a misspelt section", &unknown, &["softmax-regresion-scratch", "softmax-regression-scratch"]);
}

#[test]
fn a_folder_that_takes_no_files_is_refused_before_training() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").expect("a file");
    // Not a folder without permission: the superuser, who runs the tests in many a container, may write to one.
    let below = file.join("below");
    let output = program(&below, &[]).output().expect("a run");
    refused("results below a file", &output, &["--out", "a-file", "choose another"]);

    let below = below.to_str().expect("a path");
    let out = TempDir::new().expect("a folder");
    let output = program(out.path(), &["--checkpoint", below]).output().expect("a run");
    refused("checkpoints below a file", &output, &["--checkpoint", "a-file", "choose another folder"]);

    // A shell whose programs can make files, but put no byte into them: as on a full disk.
    let full = |flags: &str| {
        let script = format!(r#"trap "" XFSZ; ulimit -f 0; exec "$0" {SECTION} --scale smoke {flags} --out "$1""#);
        Command::new("sh").args(["-c", &script, PROGRAM]).arg(out.path()).output().expect("a run")
    };
    refused("a full disk", &full(""), &["--out", out.path().to_str().expect("a path"), "choose another"]);

    let stdout = File::options().write(true).open("/dev/full");
    if let Ok(stdout) = stdout {
        let output = program(out.path(), &[]).stdout(stdout).output().expect("a run");
        refused("output to a full disk", &output, &["No space left"]);
    } else {
        eprintln!("not checked: output to a full disk, since there is no /dev/full");
    }
}

/// What it is, variables to set, and variables to take away.
type Surroundings = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

#[test]
fn strange_surroundings_change_no_result() {
    let plain = TempDir::new().expect("a folder");
    assert!(program(plain.path(), &[]).output().expect("a run").status.success());
    let expected = metrics(plain.path());
    let cases: &[Surroundings] = &[
        ("no home", &[], &["HOME", "USER", "XDG_CACHE_HOME"]),
        ("a home without space", &[("HOME", "/dev/full"), ("XDG_CACHE_HOME", "/dev/full/cache")], &[]),
        ("a home that is not there", &[("HOME", "/no/such/home")], &[]),
        ("no folder for temporary files", &[("TMPDIR", "/no/such/folder")], &[]),
        ("no color", &[("NO_COLOR", "1")], &[]),
        ("a dumb terminal", &[("TERM", "dumb")], &[]),
        ("an unknown terminal", &[("TERM", "no-such-terminal"), ("COLUMNS", "1"), ("LINES", "0")], &[]),
        ("no terminal", &[], &["TERM", "COLUMNS", "LINES"]),
        ("the plain locale", &[("LC_ALL", "C"), ("LANG", "C")], &[]),
        ("a locale that is not UTF-8", &[("LC_ALL", "fr_FR.ISO-8859-1")], &[]),
        ("a locale that is not there", &[("LC_ALL", "xx_XX.UTF-8")], &[]),
        ("a thread count that is none", &[("RAYON_NUM_THREADS", "many")], &[]),
        ("no threads", &[("RAYON_NUM_THREADS", "0")], &[]),
        ("too many threads", &[("RAYON_NUM_THREADS", "99999999")], &[]),
        ("another time zone", &[("TZ", "Antarctica/Nowhere")], &[]),
    ];
    for (what, set, unset) in cases {
        // A folder whose name is no UTF-8, as an old locale gives.
        let folder = TempDir::new().expect("a folder");
        let out = folder.path().join(OsStr::from_bytes(b"caf\xe9 with spaces"));
        let mut command = program(&out, &[]);
        command.envs(set.iter().copied()).stdin(Stdio::null());
        unset.iter().for_each(|name| {
            command.env_remove(name);
        });
        let output = command.output().expect("a run");
        let said = text(&output.stderr);
        assert!(output.status.success(), "{what}: {said}");
        assert_eq!(metrics(&out), expected, "{what} changes the results");
        let printed = String::from_utf8(output.stdout).expect("UTF-8, whatever the locale");
        assert!(printed.contains("── Training"), "{what}: {printed}");
        assert!(
            !printed.contains('\x1b') && !said.contains('\x1b'),
            "{what}: codes for a terminal where there is none"
        );
    }
}

#[test]
fn a_batch_larger_than_the_set_is_the_whole_set() {
    let run = |size: &str| {
        let out = TempDir::new().expect("a folder");
        let output = program(out.path(), &["--batch-size", size]).output().expect("a run");
        assert!(output.status.success(), "{}", text(&output.stderr));
        metrics(out.path())
    };
    assert_eq!(run("4294967295"), run("6000"));
}

#[test]
fn nobody_listening_is_no_panic() {
    let out = TempDir::new().expect("a folder");
    // As in `linear-nets … | head -1`.
    for arguments in [&[SECTION, "--scale", "smoke"][..], &["--help"], &[]] {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        if arguments.len() > 1 {
            command.arg("--out").arg(out.path());
        }
        let mut child = command.spawn().expect("a run");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let output = child.wait_with_output().expect("an end"); // the pipe is closed by now
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("panicked"), "{arguments:?}: {}", text(&output.stderr));
    }
    // As in `linear-nets … 2>&1 >/dev/null | true`: what is said beside the results is lost, the results are not.
    let mut child = program(out.path(), &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a run");
    drop(child.stderr.take());
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "ended with {:?} when standard error was closed", output.status.code());
    assert!(text(&output.stdout).contains("test_acc"));
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let output = program(out.path(), &[]).stderr(full).output().expect("a run");
        assert!(output.status.success(), "ended with {:?} when standard error was full", output.status.code());
        assert!(text(&output.stdout).contains("test_acc"));
    } else {
        eprintln!("not checked: messages to a full disk, since there is no /dev/full");
    }
}

#[test]
fn color_comes_on_a_terminal_and_not_with_no_color() {
    // `script` gives the program a terminal.
    let on_terminal = |no_color: bool| {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("'{PROGRAM}' {SECTION} --lr -1"), "/dev/null"]).env_remove("NO_COLOR");
        command.env("TERM", "xterm-256color").stdin(Stdio::null());
        if no_color {
            command.env("NO_COLOR", "1");
        }
        command.output().map(|output| text(&output.stdout))
    };
    match (on_terminal(false), on_terminal(true)) {
        (Ok(colored), Ok(plain)) => {
            assert!(colored.contains("above zero") && colored.contains("\x1b["), "{colored:?}");
            assert!(plain.contains("above zero") && !plain.contains("\x1b["), "{plain:?}");
        }
        _ => eprintln!("not checked: colors on a terminal, since the program `script` is not here"),
    }
}

#[test]
fn each_cell_of_a_jupyter_notebook_counts_its_tensors_beyond_those_before() -> anyhow::Result<()> {
    use d2l::prelude::{Device, Tensor};
    let out = TempDir::new()?;
    let options = d2l::notebook::Options { out: Some(out.path().into()), ..Default::default() };
    let (_, mut nb) =
        linear_nets::CHAPTER.open::<linear_nets::sections::linear_regression::Config>("linear-regression", &options)?;
    let number = || -> anyhow::Result<usize> {
        let id = format!("{:?}", Tensor::new(0u8, &Device::Cpu)?.id());
        Ok(id.trim_start_matches("TensorId(").trim_end_matches(')').parse()?)
    };
    // Other tests count on meanwhile, never back.
    let mut before = number()?;
    for cells in 1..3 {
        nb.open_cell()?;
        let now = number()?;
        assert!(now - before > cells << 20, "{before}, {now}");
        before = now;
    }
    Ok(())
}

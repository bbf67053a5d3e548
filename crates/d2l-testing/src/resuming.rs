//! The promise that a killed training goes on from its checkpoint to the same bits, held against every section of a
//! chapter's own program.

use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::{iter, thread};

use d2l::train::STOP_AFTER;
use tempfile::TempDir;

use crate::flags::sections;

/// How a run of a section ended.
enum End {
    /// It came to its end, with these results as they are written in its record.
    Whole(String),
    /// It was stopped after a checkpoint.
    Stopped,
}

/// Runs a section at smoke scale; ended without a word after so many checkpoints where that is asked.
fn run(program: &str, section: &str, out: &Path, flags: &[&str], stop_after: Option<usize>) -> End {
    let mut command = Command::new(program);
    command.args([section, "--scale", "smoke", "--no-progress", "--out"]).arg(out).args(flags);
    command.env_remove(STOP_AFTER);
    if let Some(count) = stop_after {
        command.env(STOP_AFTER, count.to_string());
    }
    let Output { status, stderr, .. } = command.output().expect("the program starts");
    if stop_after.is_some() && status.code() == Some(d2l::train::STOPPED) {
        return End::Stopped;
    }
    assert!(status.success(), "{section} {flags:?}: {}", String::from_utf8_lossy(&stderr));
    let record = std::fs::read_to_string(out.join(section).join("run.json")).expect("a record");
    let metrics = record.split_once("\"metrics\": ").expect("metrics").1;
    let metrics = metrics.split_once("\"seconds\"").expect("what follows").0;
    // A speed is another in each run.
    End::Whole(metrics.lines().filter(|line| !line.contains("per_second")).collect::<Vec<_>>().join("\n"))
}

/// For each section that trains: a run is ended after its first checkpoint, resumed and ended after the next one, and so
/// on, `times` in all, then resumed to its end; the results must be those of a run that nobody disturbed, the
/// measured speeds left out, whose names have `per_second`.
///
/// # Panics
/// Where they are not, or no section of the program trains.
pub fn every_training_resumes(program: &str) {
    // Two at a time: at smoke scale a net keeps hardly more than one core at work.
    let sections = Mutex::new(sections(program).into_iter());
    let next = || sections.lock().unwrap_or_else(PoisonError::into_inner).next();
    let trained = thread::scope(|scope| {
        let work = || iter::from_fn(next).filter(|section| resumes(program, section)).count();
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).iter().sum::<usize>()
    });
    assert!(trained > 0, "no section of this program trains");
}

/// Holds that one section's training goes on to the same results; false where it has none.
fn resumes(program: &str, section: &str) -> bool {
    let folder = TempDir::new().expect("a folder");
    let (whole, parts, kept) = (folder.path().join("whole"), folder.path().join("parts"), folder.path().join("kept"));
    let kept = kept.to_str().expect("a folder's name");
    let start = ["--checkpoint", kept];
    if let End::Whole(_) = run(program, section, &parts, &start, Some(1)) {
        return false;
    }
    let End::Whole(expected) = run(program, section, &whole, &[], None) else { unreachable!("nobody stops it") };
    let resume = ["--checkpoint", kept, "--resume"];
    // Once more within the same training, then across several checkpoints, where trainings follow each other.
    for stop_after in [1, 3] {
        if let End::Whole(_) = run(program, section, &parts, &resume, Some(stop_after)) {
            break;
        }
    }
    let End::Whole(resumed) = run(program, section, &parts, &resume, None) else { unreachable!("nobody stops it") };
    assert_eq!(resumed, expected, "{section}: the results of a resumed run are not those of a whole one");
    true
}

//! Runs sections and keeps what they printed and drew beside their pages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{fs, mem, thread};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::cells::Source;
use crate::chapters::{Section, Workspace};
use crate::run::{DEFAULT_SEED, Data, Run, Runner, SeedRun, medians, read_json, read_run};
use crate::sources;

/// What to run.
#[derive(Debug)]
pub struct Options {
    pub seeds: u64,
    /// How many runs go on side by side.
    pub jobs: usize,
    /// Given to every run, after the seed.
    pub flags: Vec<String>,
}

impl Options {
    /// The default seed and those after it.
    fn all_seeds(&self) -> impl Iterator<Item = u64> + use<> {
        DEFAULT_SEED..DEFAULT_SEED + self.seeds.max(1)
    }
}

/// Runs the chosen sections for each seed and keeps their records.
pub fn record(
    workspace: &Workspace,
    sections: &[Section],
    options: &Options,
    runner: &mut (impl Runner + Sync),
) -> Result<()> {
    for chapter in sections.chunk_by(|a, b| a.chapter == b.chapter) {
        runner.prepare(&chapter[0].chapter)?;
        let recordings =
            chapter.iter().map(|section| Recording::begin(workspace, section)).collect::<Result<Vec<_>>>()?;
        let runs: Vec<(&Recording, u64)> =
            recordings.iter().flat_map(|recording| options.all_seeds().map(move |seed| (recording, seed))).collect();
        let runner = &*runner;
        side_by_side(options.jobs, &runs, |(recording, seed)| recording.run(workspace, *seed, options, runner))?;
    }
    Ok(())
}

/// Does the work for each item, so many at a time, until all are done or one fails.
fn side_by_side<T: Sync>(jobs: usize, items: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    // The longest a job waits is for the last item, so the items are handed out one by one.
    let job = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(item) {
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..jobs.min(items.len()).max(1)).map(|_| scope.spawn(job)).collect();
        let outcomes = jobs.into_iter().map(|job| job.join().unwrap_or_else(|_| Err(anyhow!("a job panicked"))));
        outcomes.collect()
    })
}

/// A section whose runs go on, side by side or one after the other.
struct Recording<'a> {
    section: &'a Section,
    /// Of what the page shows, before the first run.
    fingerprints: BTreeMap<String, String>,
    out: TempDir,
    /// The runs that have ended, by seed.
    runs: Mutex<BTreeMap<u64, (PathBuf, Run)>>,
}

impl<'a> Recording<'a> {
    fn begin(workspace: &Workspace, section: &'a Section) -> Result<Self> {
        let fingerprints = sources::fingerprints(workspace, section)?;
        let out = tempfile::tempdir().context("cannot make a temporary folder")?;
        Ok(Self { section, fingerprints, out, runs: Mutex::default() })
    }

    /// Runs one seed; the last run to end keeps the record of all.
    fn run(&self, workspace: &Workspace, seed: u64, options: &Options, runner: &impl Runner) -> Result<()> {
        let kept = run_seed(self.section, seed, options, runner, self.out.path())?;
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(seed, kept);
        if runs.len() < options.all_seeds().count() {
            return Ok(());
        }
        self.keep(workspace, mem::take(&mut *runs).into_values().collect(), options)
    }

    fn keep(&self, workspace: &Workspace, mut runs: Vec<(PathBuf, Run)>, options: &Options) -> Result<()> {
        let section = self.section;
        // Without results, one run says all.
        if runs.first().is_some_and(|(_, run)| run.metrics.is_empty()) {
            runs.truncate(1);
        }
        let fingerprint = Source::read(&workspace.source_path(section))?.fingerprint;
        let own = runs.iter().find(|(_, run)| run.fingerprint != fingerprint).map(|(_, run)| run.fingerprint.clone());
        let changed = sources::changed(&self.fingerprints, &sources::fingerprints(workspace, section)?);
        if own.is_some() || !changed.is_empty() {
            let source = workspace.source_path(section);
            let own = own.map(|then| format!("{} (the program has {then})", workspace.relative(&source).display()));
            let what = own.into_iter().chain(changed).collect::<Vec<_>>().join(", ");
            bail!("{what} changed while it ran: record {} again", section.name);
        }
        keep(&workspace.record_dir(section), &runs, &options.flags, &self.fingerprints)?;
        let seconds: f64 = runs.iter().map(|(_, run)| run.seconds).sum();
        let seeds = if runs.len() == 1 { "1 seed".to_owned() } else { format!("{} seeds", runs.len()) };
        eprintln!("recorded {} {}: {seeds}, {seconds:.1} s", section.chapter, section.name);
        Ok(())
    }
}

/// Runs a section for a seed, and checks what it left.
fn run_seed(
    section: &Section,
    seed: u64,
    options: &Options,
    runner: &impl Runner,
    out: &Path,
) -> Result<(PathBuf, Run)> {
    let base = out.join(seed.to_string());
    let mut flags = options.flags.clone();
    if options.jobs > 1 {
        flags.extend(["--threads".to_owned(), "1".to_owned()]);
    }
    runner.run(section, seed, &flags, &base)?;
    let dir = base.join(&section.name);
    let run = read_run(&dir)?;
    if run.section != section.name || run.seed != seed {
        bail!("asked for {} with seed {seed}, got {} with seed {}", section.name, run.section, run.seed);
    }
    Ok((dir, run))
}

/// Runs sections that have metrics for all seeds, as many runs side by side as the options say; gives the runs of each.
pub fn run_all_seeds(sections: &[&Section], options: &Options, runner: &(impl Runner + Sync)) -> Result<Vec<Vec<Run>>> {
    let out = tempfile::tempdir().context("cannot make a temporary folder")?;
    let asked = sections.iter().enumerate();
    let asked: Vec<(usize, u64)> =
        asked.flat_map(|(place, _)| options.all_seeds().map(move |seed| (place, seed))).collect();
    let runs = Mutex::new(BTreeMap::new());
    side_by_side(options.jobs, &asked, |&(place, seed)| {
        let out = out.path().join(&sections[place].name);
        let (_, run) = run_seed(sections[place], seed, options, runner, &out)?;
        runs.lock().unwrap_or_else(PoisonError::into_inner).insert((place, seed), run);
        Ok(())
    })?;
    let mut of_sections: Vec<Vec<Run>> = sections.iter().map(|_| Vec::new()).collect();
    for ((place, _), run) in runs.into_inner().unwrap_or_else(PoisonError::into_inner) {
        of_sections[place].push(run);
    }
    Ok(of_sections)
}

/// Puts a new record in the place of the old one, which stays whole until the new one is.
fn keep(
    record_dir: &Path,
    runs: &[(PathBuf, Run)],
    flags: &[String],
    fingerprints: &BTreeMap<String, String>,
) -> Result<()> {
    if let Some((_, run)) = runs.iter().find(|(_, run)| run.data == Data::Sample) {
        bail!(
            "{} ran on a sample of its data, and pages show none: fetch the full data set, then record again",
            run.section
        );
    }
    let (first_dir, first) = runs.first().context("there is no run to keep")?;
    let parent = record_dir.parent().context("a record has a folder above it")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let staging = tempfile::Builder::new().prefix(".recording-").tempdir_in(parent)?;
    let fresh = staging.path().join("new");
    fs::create_dir(&fresh)?;

    for figure in first.cells.iter().flat_map(|cell| &cell.figures) {
        if figure.file.contains(['/', '\\']) {
            bail!("figure {} of {} must be a plain file name", figure.file, first.section);
        }
        let from = first_dir.join(&figure.file);
        fs::copy(&from, fresh.join(&figure.file))
            .with_context(|| format!("{} names the figure {}, which is not there", first.section, from.display()))?;
    }
    let mut text = serde_json::to_string_pretty(&combined(first_dir, runs, flags, fingerprints)?)?;
    text.push('\n');
    fs::write(fresh.join("run.json"), text)?;

    let old = staging.path().join("old");
    if record_dir.exists() {
        fs::rename(record_dir, &old).with_context(|| format!("cannot replace {}", record_dir.display()))?;
    }
    if let Err(error) = fs::rename(&fresh, record_dir) {
        if old.exists() {
            fs::rename(&old, record_dir)?;
        }
        return Err(error).with_context(|| format!("cannot write {}", record_dir.display()));
    }
    Ok(())
}

/// The first run's `run.json` with what all of them say added.
fn combined(
    first_dir: &Path,
    runs: &[(PathBuf, Run)],
    flags: &[String],
    fingerprints: &BTreeMap<String, String>,
) -> Result<Value> {
    let mut value = read_json(first_dir)?;
    let seed_runs: Vec<SeedRun> = runs
        .iter()
        .map(|(_, run)| SeedRun { seed: run.seed, metrics: run.metrics.clone(), seconds: run.seconds })
        .collect();
    let record = value.as_object_mut().context("run.json must hold an object")?;
    record.insert("seeds".into(), serde_json::to_value(&seed_runs)?);
    record.insert("median".into(), serde_json::to_value(medians(seed_runs.iter().map(|run| &run.metrics))?)?);
    record.insert("flags".into(), serde_json::to_value(flags)?);
    record.insert("fingerprints".into(), serde_json::to_value(fingerprints)?);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{FakeRunner, Fixture};
    use crate::run::Metric;

    type Spoil = fn(&mut FakeRunner<'_>);

    fn options(seeds: u64) -> Options {
        Options { seeds, jobs: 1, flags: vec!["--scale".into(), "book".into()] }
    }

    fn entries(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn keeps_the_first_run_its_figures_and_the_medians() {
        let fixture = Fixture::new();
        let section = fixture.section("first");
        fixture.write("notebooks-md/demo/first/gone.svg", "an old figure");
        let mut runner = FakeRunner::new(&fixture);
        record(&fixture.workspace, std::slice::from_ref(&section), &options(3), &mut runner).unwrap();

        let dir = fixture.workspace.record_dir(&section);
        assert_eq!(entries(&dir), ["curve.svg", "run.json"]);
        let kept = read_run(&dir).unwrap();
        assert_eq!((kept.seed, kept.seeds.len()), (42, 3));
        assert_eq!(kept.median["train_loss"], Metric::ByEpoch(vec![0.9, 0.44]));
        assert_eq!(kept.flags, ["--scale", "book"]);
        assert_eq!(entries(dir.parent().unwrap()), ["first", "first.md", "second-thing.md"], "nothing is left over");

        let before = fs::read(dir.join("run.json")).unwrap();
        record(&fixture.workspace, &[section], &options(3), &mut runner).unwrap();
        assert_eq!(fs::read(dir.join("run.json")).unwrap(), before, "the same runs give the same bytes");
    }

    #[test]
    fn a_section_without_metrics_runs_once() {
        let fixture = Fixture::new();
        let section = fixture.section("second-thing");
        record(&fixture.workspace, std::slice::from_ref(&section), &options(3), &mut FakeRunner::new(&fixture))
            .unwrap();
        assert_eq!(read_run(&fixture.workspace.record_dir(&section)).unwrap().seeds.len(), 1);
    }

    #[test]
    fn a_sample_a_failed_run_or_a_missing_figure_leaves_the_old_record() {
        let fixture = Fixture::new();
        let section = fixture.section("first");
        fixture.write("notebooks-md/demo/first/run.json", "old");
        let spoil: [(&str, Spoil); 4] = [
            ("sample", |runner| runner.data = "sample"),
            ("figure", |runner| runner.draws = false),
            ("fails", |runner| runner.fails_from = 43),
            ("changed while it ran", |runner| runner.fingerprint = Some("0".repeat(16))),
        ];
        for (word, spoil) in spoil {
            let mut runner = FakeRunner::new(&fixture);
            spoil(&mut runner);
            let error =
                record(&fixture.workspace, std::slice::from_ref(&section), &options(2), &mut runner).unwrap_err();
            assert!(format!("{error:#}").contains(word), "{error:#}");
            let dir = fixture.workspace.record_dir(&section);
            assert_eq!(fs::read_to_string(dir.join("run.json")).unwrap(), "old");
            assert_eq!(entries(dir.parent().unwrap()), ["first", "first.md", "second-thing.md"]);
        }
    }
}

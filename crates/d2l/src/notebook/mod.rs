//! What a section talks to: cells, output, figures, results, random streams, data.
//!
//! [`Notebook::cell`] opens a cell; the code from there to the next cell is that cell's code on the section's page, and
//! what is printed and drawn until then is its output.

mod artifact;
mod chapter;
mod driver;
mod hyperparameters;
mod jupyter;
mod ledger;
mod options;
mod progress;
mod table;
mod training;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use candle_core::{Device, Shape, Tensor};

use crate::checkpoint;
use crate::data::Source;
use crate::data::hub::Hub;
use crate::nn::Parameters;
use crate::plot::Figure;
use crate::random::{self, Purpose, Random, Stream};
use crate::train::{Checkpoints, Trainer, Unit, interrupted};
use jupyter::Kernel;
use ledger::Ledger;

pub use artifact::Provenance;
#[doc(hidden)]
pub use chapter::run_with;
pub use chapter::{Chapter, Section};
pub use d2l_record::{CellRecord, DataOrigin, FigureRecord, Metric, RunRecord, Scale, TrainingRecord};
pub use driver::{Invocation, exit_code, threads};
pub use hyperparameters::Hyperparameters;
pub use options::{DeviceChoice, Options, at_least, count, finite, non_negative, positive, probability, share, within};
pub use progress::{TrainingProgress, downloads};
pub use table::Table;

/// A section's run: prints, draws, keeps results and random streams, and writes the record of it all.
pub struct Notebook {
    record: RunRecord,
    device: Device,
    random: Random,
    /// For draws that nothing owns, such as synthetic data.
    sampling: Stream,
    folder: PathBuf,
    started: Instant,
    quiet: bool,
    progress: bool,
    /// Where trainings are kept, if anywhere.
    checkpoints: Option<Checkpoints>,
    /// The trainings so far.
    ledger: Ledger,
    /// The Jupyter kernel in which the cells run, where one does: it is shown the figures.
    kernel: Option<Kernel>,
}

impl Notebook {
    fn new(chapter: &Chapter, section: &Section, options: &Options, scale: Scale) -> Result<Self> {
        let (number, title) = section.heading();
        let out = options.out.clone().unwrap_or_else(|| Path::new("runs").join(chapter.name));
        let folder = out.join(section.name());
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("--out: the folder {} cannot be made; choose another", folder.display()))?;
        // More than a run's figures and results take: better refused now than after a training.
        checkpoint::try_room(&folder, 1 << 20)
            .with_context(|| format!("--out: the folder {} cannot be written; choose another", folder.display()))?;
        let program = format!("{}-{}", chapter.name, section.name());
        let checkpoints =
            options.checkpoint.as_deref().map(|folder| Checkpoints::new(folder, &program, options.resume));
        let mut checkpoints = checkpoints.transpose()?;
        if let Some(checkpoints) = &mut checkpoints {
            checkpoints.identify("--seed", &options.seed);
            checkpoints.identify("--scale", &scale.name());
            checkpoints.identify("source", &section.fingerprint());
        }
        let random = Random::new(options.seed);
        Ok(Self {
            record: RunRecord {
                chapter: chapter.name.to_string(),
                section: section.name(),
                number: number.to_string(),
                title: title.to_string(),
                seed: options.seed,
                scale,
                device: options.device.to_string(),
                threads: driver::threads(options.threads),
                data: DataOrigin::None,
                config: serde_json::Value::Null,
                metrics: BTreeMap::new(),
                seconds: 0.0,
                examples_per_second: None,
                tokens_per_second: None,
                fingerprint: section.fingerprint(),
                interrupted: false,
                cells: Vec::new(),
                trainings: BTreeMap::new(),
                seeds: Vec::new(),
                median: BTreeMap::new(),
                flags: Vec::new(),
                fingerprints: BTreeMap::new(),
            },
            device: options.device.open()?,
            sampling: random.stream(Purpose::Sampling, "draws"),
            random,
            folder,
            started: Instant::now(),
            quiet: options.quiet,
            progress: !options.no_progress && !options.quiet,
            checkpoints,
            ledger: Ledger::default(),
            kernel: None,
        })
    }

    /// Opens a cell: what follows in the source is its code, what is printed and drawn its output.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn cell(&mut self, title: &str) -> Result<()> {
        self.print(&format!("\n── {title}\n"))?;
        self.record.cells.push(CellRecord { title: title.to_string(), ..CellRecord::default() });
        Ok(())
    }

    /// Prints a line.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn say(&mut self, line: impl Display) -> Result<()> {
        let text = format!("{}\n", line.to_string().trim_end());
        self.print(&text)?;
        if let Some(cell) = self.record.cells.last_mut() {
            cell.text.push_str(&text);
        }
        Ok(())
    }

    /// Prints a value under its name: a tensor, a number, anything with a text form.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn show(&mut self, name: &str, value: impl Display) -> Result<()> {
        let value = value.to_string();
        let separator = if value.trim_end().contains('\n') { "\n" } else { " " };
        self.say(format!("{name} ={separator}{value}"))
    }

    /// Saves a figure as `name` with the extension that suits it, and says where. `alt` tells what it shows to readers
    /// who cannot see it.
    ///
    /// # Errors
    /// Where the figure has data that do not fit together or the file cannot be written.
    pub fn figure(&mut self, name: &str, alt: &str, figure: impl Figure) -> Result<()> {
        let file = format!("{name}.{}", figure.preferred_extension());
        let path = self.folder.join(&file);
        if self.record.data == DataOrigin::Sample {
            figure.with_note("drawn from the sample, not the full data").save(&path)?;
        } else {
            figure.save(&path)?;
        }
        let told = match &mut self.kernel {
            Some(kernel) => kernel.figure(&path, alt)?,
            None => format!("[figure: {}]\n", path.display()),
        };
        self.print(&told)?;
        if let Some(cell) = self.record.cells.last_mut() {
            // In pages it is an attribute, which takes no control characters; a word of the user's may have one.
            let alt = alt.replace(char::is_control, " ");
            cell.figures.push(FigureRecord { file, alt });
        }
        Ok(())
    }

    /// Writes a file of the run, such as predictions to hand in, and says where. Readers see the old or the new file,
    /// never a part.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&mut self, file: &str, content: &[u8]) -> Result<()> {
        let path = self.folder.join(file);
        write_whole(&path, content)?;
        self.print(&format!("[file: {}]\n", path.display()))
    }

    /// Keeps a result by its name: a number, or one for each epoch.
    ///
    /// # Errors
    /// Where the name was given a result before; where a number is not finite, which is no result.
    pub fn metric(&mut self, name: &str, value: impl Into<Metric>) -> Result<()> {
        let value = value.into();
        let numbers = match &value {
            Metric::Value(number) => std::slice::from_ref(number),
            Metric::ByEpoch(numbers) => numbers,
        };
        if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
            anyhow::bail!("the result {name} is {number}, not a number: what it was computed from has diverged");
        }
        let before = self.record.metrics.insert(name.to_string(), value);
        anyhow::ensure!(before.is_none(), "the metric {name} was given twice");
        Ok(())
    }

    /// Where to compute.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How large the run is.
    pub fn scale(&self) -> Scale {
        self.record.scale
    }

    /// The folder for the run's files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All random streams of this run's seed.
    pub fn random(&self) -> &Random {
        &self.random
    }

    /// The random stream of a purpose and a name, such as a loader's order of examples.
    pub fn stream(&self, purpose: Purpose, name: &str) -> Stream {
        self.random.stream(purpose, name)
    }

    /// The stream for synthetic data and draws, which goes on from draw to draw.
    pub fn sampling(&mut self) -> &mut Stream {
        &mut self.sampling
    }

    /// An empty set of parameters with initial values from this run's seed.
    pub fn parameters(&self) -> Parameters {
        Parameters::new(&self.random, &self.device)
    }

    /// Draws from the standard normal distribution.
    ///
    /// # Errors
    /// What the device gives.
    pub fn normal(&mut self, shape: impl Into<Shape>) -> candle_core::Result<Tensor> {
        random::normal(&mut self.sampling, 0.0, 1.0, shape, &self.device)
    }

    /// Draws uniformly from `[0, 1)`.
    ///
    /// # Errors
    /// What the device gives.
    pub fn uniform(&mut self, shape: impl Into<Shape>) -> candle_core::Result<Tensor> {
        random::uniform(&mut self.sampling, 0.0, 1.0, shape, &self.device)
    }

    /// A training of this run: it shows its progress, stops at Ctrl-C, keeps checkpoints where `--checkpoint` says so and
    /// goes on from them with `--resume`; how fast it was stands in `run.json`. It has to be told what it trains, see
    /// [`Trainer::with`], and its name, see [`Trainer::named`], where a section has several.
    pub fn trainer<'a>(&self, num_epochs: usize) -> Trainer<'a> {
        self.equipped(Trainer::new(num_epochs))
    }

    /// [`Notebook::trainer`] for a training of so many steps.
    pub fn step_trainer<'a>(&self, num_steps: usize) -> Trainer<'a> {
        self.equipped(Trainer::steps(num_steps))
    }

    fn equipped<'a>(&self, trainer: Trainer<'a>) -> Trainer<'a> {
        let progress = TrainingProgress::new(self.progress);
        let trainer = trainer.random(&self.random).monitor(self.ledger.entry(progress));
        match &self.checkpoints {
            Some(checkpoints) => trainer.checkpoints(checkpoints.clone()),
            None => trainer,
        }
    }

    /// Loads a set; its sample at smoke scale or, with a notice, where the whole set cannot be had.
    ///
    /// # Errors
    /// Where the sample cannot be read; where a setting of the hub in the environment means nothing.
    pub fn load<S: Source>(&mut self) -> Result<S> {
        let set = self.full_or_sample(|hub| Ok(S::fetch(hub)?), || Ok(S::sample()?), S::SAMPLE_NOTICE)?;
        if let Some(what) = set.stand_in() {
            self.came_from(DataOrigin::StandIn);
            self.notice(&format!("STAND-IN DATA: {what}"))?;
        }
        Ok(set)
    }

    /// Says that this run works on data of the reader's own.
    pub fn uses_own_data(&mut self) {
        self.came_from(DataOrigin::Full);
    }

    fn came_from(&mut self, origin: DataOrigin) {
        self.record.data = self.record.data.max(origin);
    }

    /// A set from the hub; its sample at smoke scale or, with a notice, where the set cannot be had.
    fn full_or_sample<T>(
        &mut self,
        full: impl FnOnce(&Hub) -> Result<T>,
        sample: impl FnOnce() -> Result<T>,
        notice: &str,
    ) -> Result<T> {
        if self.scale() == Scale::Smoke {
            self.came_from(DataOrigin::Sample);
            return sample();
        }
        let hub = Hub::from_env()?.with_listener(progress::downloads(self.progress));
        match full(&hub) {
            Ok(set) => {
                self.came_from(DataOrigin::Full);
                Ok(set)
            }
            Err(reason) => {
                self.came_from(DataOrigin::Sample);
                self.notice(&format!("SAMPLE DATA: {notice}\n{reason:#}"))?;
                sample()
            }
        }
    }

    /// Prints text that is no part of a cell's output and cannot be missed.
    fn notice(&mut self, text: &str) -> Result<()> {
        let text: Vec<String> = text.lines().map(|line| format!("!! {line}\n")).collect();
        self.print(&text.concat())
    }

    fn heading(&mut self) -> Result<()> {
        let heading = format!("{} {}", self.record.number, self.record.title);
        self.print(&format!("{heading}\n{}\n", "=".repeat(heading.chars().count())))
    }

    fn print(&mut self, text: &str) -> Result<()> {
        if !self.quiet {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
        Ok(())
    }

    fn configured(&mut self, config: serde_json::Value) {
        // A run that goes on may go on for longer.
        let identifying = config.as_object().into_iter().flatten().filter(|(name, _)| *name != "num_epochs");
        if let Some(checkpoints) = &mut self.checkpoints {
            for (name, value) in identifying {
                checkpoints.identify(&format!("--{}", name.replace('_', "-")), value);
            }
        }
        self.record.config = config;
    }

    fn on_terminal(&self) -> bool {
        !self.quiet && std::io::stdout().is_terminal()
    }

    /// Prints the results and where the files are, and writes `output.txt` and `run.json`.
    fn finish(mut self) -> Result<RunRecord> {
        self.record.seconds = self.started.elapsed().as_secs_f64();
        self.ledger.check_names()?;
        self.record.examples_per_second = self.ledger.per_second(Unit::Examples);
        self.record.tokens_per_second = self.ledger.per_second(Unit::Tokens);
        self.record.trainings = self.ledger.trainings();
        if !self.record.metrics.is_empty() {
            let sample = self.record.data == DataOrigin::Sample;
            let mut table = Table::new(["result", if sample { "value (sample)" } else { "value" }]);
            for (name, metric) in &self.record.metrics {
                table.row([name.clone(), metric.last().map_or("none".into(), significant)]);
            }
            self.print(&format!("\n{table}"))?;
        }
        if self.record.data == DataOrigin::Sample {
            self.notice("These are results on the sample, not on the full data.")?;
        }
        if interrupted() {
            self.record.interrupted = true;
            let how = match &self.checkpoints {
                Some(checkpoints) => {
                    format!("go on with the same flags and --checkpoint {} --resume", checkpoints.folder().display())
                }
                None => "with --checkpoint DIR a run can go on later".to_string(),
            };
            self.notice(&format!("Interrupted: these are the results so far; {how}."))?;
        }
        let text = self.record.cells.iter().map(|cell| format!("── {}\n{}\n", cell.title, cell.text));
        write_whole(&self.folder.join("output.txt"), text.collect::<String>().as_bytes())?;
        let json = self.folder.join("run.json");
        write_whole(&json, format!("{}\n", serde_json::to_string_pretty(&self.record)?).as_bytes())?;
        let seconds = self.record.seconds;
        self.print(&format!("\n{seconds:.1} s; figures, text and results are in {}\n", self.folder.display()))?;
        Ok(self.record)
    }
}

/// Writes a file so that readers see the old or the new content, never a part.
fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    checkpoint::replace(path, |part| part.write_all(content))
        .with_context(|| format!("{} cannot be written; choose another folder with --out", path.display()))
}

/// A number with four digits that count.
fn significant(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || (0.001..1.0).contains(&size) => format!("{value:.4}"),
        size if (1.0..1e6).contains(&size) => {
            format!("{value:.*}", 3usize.saturating_sub(size.log10() as usize))
        }
        _ => format!("{value:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::significant;

    #[test]
    fn four_digits_count() {
        let cases = [(0.0, "0.0000"), (0.83231, "0.8323"), (5.07e-5, "5.070e-5"), (3829.57, "3830"), (12.345, "12.35")];
        for (value, expected) in cases {
            assert_eq!(significant(value), expected);
        }
        assert_eq!(significant(-2.5e7), "-2.500e7");
        assert_eq!(significant(f64::NAN), "NaN");
    }
}

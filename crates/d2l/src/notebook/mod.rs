//! What a section talks to: cells, output, figures, results, random streams, data.
//!
//! [`Notebook::cell`] opens a cell; the code from there to the next cell is that cell's code on the section's page, and
//! what is printed and drawn until then is its output.

mod chapter;
mod driver;
mod fingerprint;
mod jupyter;
mod options;
mod progress;
mod record;
mod scale;
mod table;
mod training;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use candle_core::{Device, Shape, Tensor};

use crate::checkpoint;
use crate::data::fashion_mnist::FashionMnist;
use crate::data::hub::Hub;
use crate::data::{FraEng, TimeMachine};
use crate::nn::Parameters;
use crate::plot::Figure;
use crate::random::{self, Purpose, Random, Stream};
use crate::train::{History, interrupted, session};

pub use crate::ops::Allocator;
#[doc(hidden)]
pub use chapter::run_with;
pub use chapter::{Chapter, Section};
pub use driver::{Invocation, exit_code, threads};
pub use options::{DeviceChoice, Options, finite, non_negative, positive, probability};
pub use progress::{TrainingProgress, downloads};
pub use record::{CellRecord, DataOrigin, FigureRecord, Metric, RunRecord};
pub use scale::{Hyperparameters, Scale};
pub use table::Table;

/// A section's run: prints, draws, keeps results and random streams, and writes the record of it all.
pub struct Notebook {
    record: RunRecord,
    device: Device,
    random: Random,
    folder: PathBuf,
    started: Instant,
    /// Tokens trained on, and the time that took.
    trained: (usize, Duration),
    quiet: bool,
    progress: bool,
    /// Where checkpoints go, for the hint on how to go on.
    checkpoint: Option<PathBuf>,
    /// Closed with the notebook.
    _session: Option<session::Open>,
    /// Whether figures also go to standard output, in the form that a Jupyter kernel for Rust shows.
    inline_figures: bool,
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
        let session = options.checkpoint.as_deref().map(|checkpoints| {
            session::open(checkpoints, &format!("{}-{}", chapter.name, section.name()), options.resume)
        });
        let session = session.transpose()?;
        session::identify("--seed", &options.seed);
        session::identify("--scale", &scale.name());
        session::identify("source", &section.fingerprint());
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
            },
            device: options.device.open()?,
            random: Random::new(options.seed),
            folder,
            started: Instant::now(),
            trained: (0, Duration::ZERO),
            quiet: options.quiet,
            progress: !options.no_progress && !options.quiet,
            checkpoint: options.checkpoint.clone(),
            _session: session,
            inline_figures: false,
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
        if self.inline_figures {
            self.print(&jupyter::content(&path)?)?;
        } else {
            self.print(&format!("[figure: {}]\n", path.display()))?;
        }
        if let Some(cell) = self.record.cells.last_mut() {
            cell.figures.push(FigureRecord { file, alt: alt.to_string() });
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
    /// Where the name was given a result before.
    pub fn metric(&mut self, name: &str, value: impl Into<Metric>) -> Result<()> {
        let before = self.record.metrics.insert(name.to_string(), value.into());
        anyhow::ensure!(before.is_none(), "the metric {name} was given twice");
        Ok(())
    }

    /// Keeps how fast tokens were trained on: over several trainings, all their tokens by all their time.
    pub fn trained_tokens(&mut self, history: &History) {
        self.trained.0 += history.epochs.iter().map(|epoch| epoch.examples).sum::<usize>();
        self.trained.1 += history.epochs.iter().map(|epoch| epoch.duration).sum::<Duration>();
        self.record.tokens_per_second = Some(self.trained.0 as f64 / self.trained.1.as_secs_f64());
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

    /// The stream for synthetic data and draws.
    pub fn sampling(&mut self) -> &mut Stream {
        self.random.sampling()
    }

    /// A new random stream, such as a loader's or a dropout layer's.
    pub fn fork(&mut self, purpose: Purpose) -> Stream {
        self.random.fork(purpose)
    }

    /// An empty set of parameters with initial values from this run's seed.
    pub fn parameters(&mut self) -> Parameters {
        Parameters::new(self.random.fork(Purpose::Initialization), &self.device)
    }

    /// Draws from the standard normal distribution.
    ///
    /// # Errors
    /// What the device gives.
    pub fn normal(&mut self, shape: impl Into<Shape>) -> candle_core::Result<Tensor> {
        random::normal(self.random.sampling(), 0.0, 1.0, shape, &self.device)
    }

    /// Draws uniformly from `[0, 1)`.
    ///
    /// # Errors
    /// What the device gives.
    pub fn uniform(&mut self, shape: impl Into<Shape>) -> candle_core::Result<Tensor> {
        random::uniform(self.random.sampling(), 0.0, 1.0, shape, &self.device)
    }

    /// What a training loop reports to: a progress bar, or a line an epoch.
    pub fn progress(&self) -> TrainingProgress {
        TrainingProgress::new(self.progress)
    }

    /// Fashion-MNIST, whole; the committed sample at smoke scale or, with a notice, where the whole set cannot be had.
    ///
    /// # Errors
    /// Where files are damaged.
    pub fn fashion_mnist(&mut self) -> Result<FashionMnist> {
        let notice = "Fashion-MNIST could not be had, so this run uses the 6,000 training and 1,000 test images that come \
                      with the repository, and its results are worse than the book's.";
        self.full_or_sample(FashionMnist::fetch, FashionMnist::sample, notice)
    }

    /// The training and the test file of section 4.10: the reader's `own` where given, else the published ones; at smoke
    /// scale or, with a notice, where those cannot be had, files of invented houses.
    ///
    /// # Errors
    /// Where a setting of the hub in the environment means nothing.
    pub fn house_prices(&mut self, own: Option<[PathBuf; 2]>) -> Result<[PathBuf; 2]> {
        if let Some(files) = own {
            self.record.data = DataOrigin::Full;
            return Ok(files);
        }
        let sample = |part| {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("../../data/samples/house_prices/kaggle_house_pred_{part}.csv"))
        };
        self.full_or_sample(
            |hub| Ok([hub.fetch("kaggle_house_train")?, hub.fetch("kaggle_house_test")?]),
            || Ok(["train", "test"].map(sample)),
            "the house prices could not be had, so this run uses 240 training and 120 test houses that are invented: its \
             results say nothing of real houses, and its submission.csv is not for Kaggle.",
        )
    }

    /// The Time Machine (section 8.2); the committed sample text at smoke scale or, with a notice, where the novel cannot
    /// be had.
    ///
    /// # Errors
    /// Where files are damaged.
    pub fn time_machine(&mut self) -> Result<TimeMachine> {
        let notice = "The Time Machine could not be had, so this run uses a story that comes with the repository, a tenth \
                      as long, and its results are not the book's.";
        self.full_or_sample(TimeMachine::fetch, TimeMachine::sample, notice)
    }

    /// Pairs of English and French sentences (section 9.5); the committed sample at smoke scale or, with a notice, where
    /// the whole set cannot be had.
    ///
    /// # Errors
    /// Where files are damaged.
    pub fn fra_eng(&mut self) -> Result<FraEng> {
        let notice = "the sentence pairs could not be had, so this run uses 442 pairs that come with the repository, and \
                      its results are not the book's.";
        self.full_or_sample(FraEng::fetch, FraEng::sample, notice)
    }

    /// A set from the hub; its sample at smoke scale or, with a notice, where the set cannot be had.
    fn full_or_sample<T>(
        &mut self,
        full: impl FnOnce(&Hub) -> Result<T>,
        sample: impl FnOnce() -> Result<T>,
        notice: &str,
    ) -> Result<T> {
        if self.scale() == Scale::Smoke {
            self.record.data = DataOrigin::Sample;
            return sample();
        }
        let hub = Hub::from_env()?.with_listener(progress::downloads(self.progress));
        match full(&hub) {
            Ok(set) => {
                self.record.data = DataOrigin::Full;
                Ok(set)
            }
            Err(reason) => {
                self.record.data = DataOrigin::Sample;
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
        for (name, value) in config.as_object().into_iter().flatten().filter(|(name, _)| *name != "num_epochs") {
            session::identify(&format!("--{}", name.replace('_', "-")), value);
        }
        self.record.config = config;
    }

    fn on_terminal(&self) -> bool {
        !self.quiet && std::io::stdout().is_terminal()
    }

    /// Prints the results and where the files are, and writes `output.txt` and `run.json`.
    fn finish(mut self) -> Result<RunRecord> {
        self.record.seconds = self.started.elapsed().as_secs_f64();
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
            let how = match &self.checkpoint {
                Some(folder) => format!("go on with the same flags and --checkpoint {} --resume", folder.display()),
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
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("{} cannot be written; choose another folder with --out", path.display()))
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

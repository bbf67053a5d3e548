//! The flags that every section takes.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use candle_core::Device;
use clap::Args;

use super::Scale;
use super::driver::MAX_THREADS;

/// The flags that every section takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every section")]
pub struct Options {
    /// Where to compute: cpu, cuda, cuda:1 or metal
    #[arg(long, global = true, default_value = "cpu", value_name = "DEVICE")]
    pub device: DeviceChoice,
    /// Seed of every random stream; the same seed gives the same results
    #[arg(long, global = true, default_value_t = 42, allow_negative_numbers = true)]
    pub seed: u64,
    /// Threads to compute with [default: the machine's cores]
    #[arg(long, global = true, value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_THREADS)))]
    pub threads: Option<u16>,
    /// How large a run is [default: book, or laptop where the book's settings take long on a CPU]
    #[arg(long, global = true, value_enum)]
    pub scale: Option<Scale>,
    /// Folder for figures and run.json, one folder a section inside it [default: runs/CHAPTER]
    #[arg(long, global = true, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Show no progress while training
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Keep a checkpoint of each training in this folder, written anew after every epoch
    #[arg(long, global = true, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Go on from the checkpoints of a run that was broken off
    #[arg(long, global = true, requires = "checkpoint")]
    pub resume: bool,
    /// Print nothing at all: for tests.
    #[arg(skip)]
    pub quiet: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            device: DeviceChoice::Cpu,
            seed: 42,
            threads: None,
            scale: None,
            out: None,
            no_progress: false,
            checkpoint: None,
            resume: false,
            quiet: false,
        }
    }
}

/// Parses a whole number of at least 1: for sizes and epochs, as `#[arg(value_parser = count)]`.
///
/// # Errors
/// Where the text is no such number.
pub fn count(text: &str) -> Result<usize, String> {
    at_least::<1>(text)
}

/// Parses a whole number of at least `LEAST`, as `#[arg(value_parser = at_least::<2>)]`.
///
/// # Errors
/// Where the text is no such number.
pub fn at_least<const LEAST: usize>(text: &str) -> Result<usize, String> {
    // Sizes beyond it overflow when they are multiplied, and no machine has such memory.
    within::<LEAST, { u32::MAX as usize }>(text)
}

/// Parses a whole number from `LEAST` to `MOST`, as `#[arg(value_parser = within::<32, 512>)]`.
///
/// # Errors
/// Where the text is no such number.
pub fn within<const LEAST: usize, const MOST: usize>(text: &str) -> Result<usize, String> {
    let number: i128 = text.parse().map_err(|_| "not a whole number".to_string())?;
    match usize::try_from(number) {
        Ok(number) if (LEAST..=MOST).contains(&number) => Ok(number),
        _ if number < LEAST as i128 => Err(format!("must be at least {LEAST}")),
        _ => Err(format!("must be at most {MOST}")),
    }
}

/// Parses a number above zero: for learning rates, as `#[arg(value_parser = positive)]`.
///
/// # Errors
/// Where the text is no number, or one that is not finite and above zero.
pub fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("must be above zero".to_string()) }
}

/// Parses a number that is not negative: for weight decay, as `#[arg(value_parser = non_negative)]`.
///
/// # Errors
/// Where the text is no number, or one that is not finite or below zero.
pub fn non_negative(text: &str) -> Result<f64, String> {
    let number = finite(text)?;
    if number >= 0.0 { Ok(number) } else { Err("must not be below zero".to_string()) }
}

/// Parses any number but the infinite ones and what is none: for slopes, as `#[arg(value_parser = finite)]`.
///
/// # Errors
/// Where the text is no number, or one that is not finite.
pub fn finite(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    if number.is_finite() { Ok(number) } else { Err("must be finite".to_string()) }
}

/// Parses a number from 0 to 1: for dropout, as `#[arg(value_parser = probability)]`.
///
/// # Errors
/// Where the text is no number, or one outside of that range.
pub fn probability(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("must be from 0 to 1".to_string()) }
}

/// Parses a number from 0 up to but not including 1: for momentum and other shares that are kept, as
/// `#[arg(value_parser = share)]`.
///
/// # Errors
/// Where the text is no number, or one outside of that range.
pub fn share(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    if (0.0..1.0).contains(&number) { Ok(number) } else { Err("must be from 0 to below 1".to_string()) }
}

/// A device as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU by its index.
    Cuda(usize),
    /// The GPU of a Mac.
    Metal,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':').unwrap_or((text, "0")) {
            ("cpu", "0") => Ok(Self::Cpu),
            ("metal", "0") => Ok(Self::Metal),
            ("cuda", index) => index.parse().map(Self::Cuda).map_err(|_| format!("{index} is not the index of a GPU")),
            _ => Err("expected cpu, cuda, cuda:<index> or metal".to_string()),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl DeviceChoice {
    /// Whether it is the processor.
    pub fn is_cpu(self) -> bool {
        self == Self::Cpu
    }

    /// Opens the device.
    ///
    /// # Errors
    /// Where this build has no support for it, or the machine has no such device.
    pub fn open(self) -> Result<Device> {
        let (feature, built_in) = match self {
            Self::Cpu => return Ok(Device::Cpu),
            Self::Cuda(_) => ("cuda", cfg!(feature = "cuda")),
            Self::Metal => ("metal", cfg!(feature = "metal")),
        };
        if !built_in {
            bail!(
                "--device {self}: this program was built without support for it; run it with \
                 `cargo run --release --features {feature} …`, or leave the flag out to compute on the CPU"
            );
        }
        let opened = match self {
            Self::Cuda(index) => Device::new_cuda(index),
            _ => Device::new_metal(0),
        };
        opened.with_context(|| format!("--device {self} cannot be opened; leave the flag out to compute on the CPU"))
    }
}

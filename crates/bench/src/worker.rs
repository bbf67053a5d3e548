//! A worker times steps of one workload as it is told, so that rounds can be taken by turns with another program's.
//!
//! It writes one line of JSON with what it is about to do, then reads a number of steps a line and answers each with a
//! line of their times. It ends with its input. `scripts/bench` speaks the same.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::memory::peak_mb;
use crate::workloads::{Training, Workload};

/// The first line.
#[derive(Debug, Serialize)]
pub struct Greeting<'a> {
    /// The workload's name.
    pub name: &'a str,
    /// How many numbers are trained.
    pub parameters: usize,
    /// The threads that compute.
    pub threads: usize,
    /// The process's peak memory before there was a net.
    pub start_mb: Option<f64>,
}

/// The answer to a number of steps.
#[derive(Debug, Serialize)]
pub struct Round {
    /// The time of each step, in milliseconds.
    pub ms: Vec<f64>,
    /// The loss of the last step: what is timed is training, so it must be a number.
    pub loss: f64,
    /// The process's peak memory so far.
    pub peak_mb: Option<f64>,
}

/// Takes `steps` steps and times each.
///
/// # Errors
/// Where a step fails.
pub fn time_steps(training: &mut Training, steps: usize) -> Result<Round> {
    let mut ms = Vec::with_capacity(steps);
    let mut loss = f64::NAN;
    for _ in 0..steps {
        let start = Instant::now();
        let last = training.step()?;
        ms.push(start.elapsed().as_secs_f64() * 1e3);
        loss = f64::from(last.to_scalar::<f32>()?);
    }
    Ok(Round { ms, loss, peak_mb: peak_mb() })
}

/// Answers the lines of `input` until it ends.
///
/// # Errors
/// Where a line is not a number of steps, a step fails, or an answer cannot be written.
pub fn serve(
    workload: &Workload,
    seed: u64,
    threads: usize,
    input: impl BufRead,
    mut output: impl Write,
) -> Result<()> {
    let start_mb = peak_mb();
    let mut training = workload.training(seed)?;
    let mut answer = |line: String| -> Result<()> {
        writeln!(output, "{line}")?;
        Ok(output.flush()?)
    };
    let greeting = Greeting { name: workload.name, parameters: training.parameters(), threads, start_mb };
    answer(serde_json::to_string(&greeting)?)?;
    for line in input.lines() {
        let line = line.context("the commands cannot be read")?;
        let steps = match line.trim().parse() {
            Ok(steps) if steps > 0 => steps,
            _ => bail!("a command must be a number of steps, at least 1, got {line:?}"),
        };
        answer(serde_json::to_string(&time_steps(&mut training, steps)?)?)?;
    }
    Ok(())
}

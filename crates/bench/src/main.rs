//! Times the book's workloads: `bench list`, `bench run <name>`, and `bench worker <name>` for `cargo xtask bench`.

use std::io;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bench::worker::{serve, time_steps};
use bench::workloads::{WORKLOADS, Workload};
use clap::{Parser, Subcommand};
use d2l::notebook::threads;

d2l_program::program_main!(Invocation::from_args());

/// Times steps of the book's trainings on synthetic data.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Invocation {
    #[command(subcommand)]
    command: Command,
    /// Threads to compute with [default: the machine's cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Seed of the parameters and the data
    #[arg(long, global = true, default_value_t = 42)]
    seed: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the workloads
    List,
    /// Time steps of one workload and print them as JSON
    Run {
        /// A name from the list
        workload: String,
        /// Steps to time
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Steps before them
        #[arg(long, default_value_t = 3)]
        warmup: u32,
    },
    /// Read a number of steps a line and print their times as a line of JSON
    Worker {
        /// A name from the list
        workload: String,
    },
}

impl Invocation {
    fn from_args() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            // A closed pipe is the only way to fail here, and nobody is left to tell.
            let _ = error.print();
            ExitCode::from(error.exit_code() as u8)
        })
    }

    fn threads(&self) -> usize {
        threads(self.threads)
    }

    fn run(self) -> ExitCode {
        d2l::notebook::exit_code(self.outcome())
    }

    fn outcome(&self) -> Result<()> {
        match &self.command {
            Command::List => list(io::stdout().lock()),
            Command::Run { workload, steps, warmup } => {
                let workload = find(workload)?;
                let mut training = workload.training(self.seed)?;
                time_steps(&mut training, *warmup as usize)?;
                let round = time_steps(&mut training, *steps as usize)?;
                print_line(&serde_json::json!({
                    "name": workload.name,
                    "parameters": training.parameters(),
                    "threads": self.threads(),
                    "median_ms": median(&round.ms),
                    "ms": round.ms,
                    "loss": round.loss,
                    "peak_mb": round.peak_mb,
                }))
            }
            Command::Worker { workload } => {
                serve(find(workload)?, self.seed, self.threads(), io::stdin().lock(), io::stdout().lock())
            }
        }
    }
}

fn find(name: &str) -> Result<&'static Workload> {
    let found = WORKLOADS.iter().find(|workload| workload.name == name);
    found.with_context(|| format!("there is no workload {name}: `bench list` names them"))
}

fn list(mut out: impl io::Write) -> Result<()> {
    let width = WORKLOADS.iter().map(|workload| workload.name.len()).max().unwrap_or(0);
    for Workload { name, about, .. } in WORKLOADS {
        writeln!(out, "{name:<width$}  {about}")?;
    }
    Ok(())
}

fn print_line(value: &serde_json::Value) -> Result<()> {
    use io::Write;
    Ok(writeln!(io::stdout(), "{value}")?)
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let half = times.len() / 2;
    if times.len() % 2 == 1 { times[half] } else { f64::midpoint(times[half - 1], times[half]) }
}

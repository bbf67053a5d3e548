//! Fetches and verifies data sets: what `cargo xtask data get` and `… verify` start. It stands here and not in `xtask`,
//! so that the latter builds without candle and an HTTP client.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use d2l::data::hub::{Cached, Hub, HubError};
use d2l::notebook::{downloads, exit_code};

/// Fetches and verifies the data sets of the book; start it through `cargo xtask data`.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch sets that the cache does not have.
    Get { names: Vec<String> },
    /// Hash what the cache has.
    Verify { names: Vec<String> },
}

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse().command))
}

fn run(command: &Command) -> anyhow::Result<()> {
    let hub = Hub::from_env()?.with_listener(downloads(true));
    let (Command::Get { names } | Command::Verify { names }) = command;
    let all = || hub.datasets.iter().map(|set| set.name.to_owned()).collect();
    let names: Vec<String> = if names.is_empty() { all() } else { names.clone() };
    let mut wrong = 0;
    for name in &names {
        let line = match command {
            Command::Get { .. } => get(&hub, name),
            Command::Verify { .. } => verify(&hub, name)?,
        };
        match line {
            Ok(line) => writeln!(io::stdout(), "{name}: {line}")?,
            Err(line) => {
                wrong += 1;
                writeln!(io::stdout(), "{name}: {line}")?;
            }
        }
    }
    anyhow::ensure!(wrong == 0, "{wrong} of {} sets are not there as they should be: see above", names.len());
    Ok(())
}

fn get(hub: &Hub, name: &str) -> Result<String, String> {
    let fetched = match hub.cached(name) {
        Ok(Cached::Changed(_)) => hub.fetch_extracted(name),
        _ => hub.fetch(name),
    };
    fetched.map(|path| path.display().to_string()).map_err(|error| error.to_string())
}

/// What is to be said of a set; the inner error where something is to be done.
fn verify(hub: &Hub, name: &str) -> Result<Result<String, String>, HubError> {
    let fetch = format!("`cargo xtask data get {name}`");
    Ok(match hub.cached(name)? {
        Cached::Whole => Ok("whole and unchanged".to_owned()),
        Cached::Nothing => Ok(format!("not here; {fetch} fetches it")),
        Cached::Another(path) => Err(format!("{} is not the published file: {fetch} fetches it anew", path.display())),
        Cached::Changed(folder) => {
            Err(format!("{} no longer holds what was unpacked: {fetch} unpacks it anew", folder.display()))
        }
    })
}

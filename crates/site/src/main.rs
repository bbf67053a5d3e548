//! `cargo xtask book` starts this with the folder that it has laid out.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Renders laid out pages as a site; start it through `cargo xtask book`.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder with book.toml and src/.
    sources: PathBuf,
    /// Where the site goes; what is there is replaced.
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match site::build(&arguments.sources, &arguments.out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

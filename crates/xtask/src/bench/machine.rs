//! What the benchmark ran on.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// The machine and the tools that a record was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// What the system runs at once: cores, or the two threads of each.
    pub cores: usize,
    pub os: String,
    pub rustc: String,
    pub torch: String,
    /// Of the record, as 2026-11-24.
    pub date: String,
}

impl Machine {
    /// This machine, today.
    pub fn here(torch: String) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
        Ok(Self {
            cpu: cpu().unwrap_or_else(|| format!("an {} processor", std::env::consts::ARCH)),
            cores: available_parallelism().map_or(1, usize::from),
            os: os().unwrap_or_else(|| std::env::consts::OS.to_owned()),
            rustc: first_line("rustc", &["--version"]).context("rustc does not tell its version")?,
            torch,
            date: date(now.as_secs() / (24 * 60 * 60)),
        })
    }
}

fn cpu() -> Option<String> {
    let from_system = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| value_of(&text, "model name", ':'));
    from_system.or_else(|| first_line("sysctl", &["-n", "machdep.cpu.brand_string"]))
}

fn os() -> Option<String> {
    let name = fs::read_to_string("/etc/os-release").ok().and_then(|text| value_of(&text, "PRETTY_NAME", '='));
    name.map(|name| name.trim_matches('"').to_owned()).or_else(|| first_line("uname", &["-sr"]))
}

/// The value of the first line `key <sign> value`.
fn value_of(text: &str, key: &str, sign: char) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once(sign)?;
        (name.trim() == key).then(|| value.trim())
    })?;
    Some(value.to_owned())
}

/// The first line that a program prints.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> String {
    // Years are counted from the first of March, so that a leap day ends one.
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097); // 400 years
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        let dates = [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_781, "2026-11-24")];
        for (days, wanted) in dates {
            assert_eq!(date(days), wanted);
        }
    }

    #[test]
    fn values_are_found_by_their_key() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name : Other\n";
        assert_eq!(value_of(text, "model name", ':').as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(value_of(text, "flags", ':'), None);
    }

    #[test]
    fn this_machine_has_a_name() {
        let machine = Machine::here("2.0".into()).unwrap();
        assert!(!machine.cpu.is_empty() && machine.cores > 0 && machine.rustc.starts_with("rustc "));
    }
}

//! How much memory the process took.

/// The most memory that was resident at once since the process started, in MB (10⁶ bytes); `None` where the system
/// does not tell.
pub fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    high_water(&status)
}

/// The value of `VmHWM` in the text of `/proc/self/status`, which is in KiB.
fn high_water(status: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_high_water_mark() {
        assert_eq!(high_water("VmPeak:\t  10 kB\nVmHWM:\t   2000 kB\nVmRSS:\t 5 kB\n"), Some(2.048));
        assert_eq!(high_water("VmPeak:\t  10 kB\n"), None);
        assert!(!cfg!(target_os = "linux") || peak_mb().is_some_and(|mb| mb > 1.0));
    }
}

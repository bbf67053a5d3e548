//! Looks at the machine and says what of the book will work here, and what to do about what will not.

use std::env;
use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::chapters::Workspace;
use crate::data::{self, State};
use crate::report::say;
use d2l_hub::DATASETS;

/// How long to wait for a publisher's machine to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A build of one chapter in release mode, and what the test build of the workspace takes.
const BUILD_GB: f64 = 2.0;
const TESTS_GB: f64 = 6.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works, with a limit.
    Limited,
    /// Will not work.
    Bad,
}

#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    what: &'static str,
    found: String,
    /// What to do, where something is to be done.
    advice: Option<String>,
}

impl Finding {
    fn new(verdict: Verdict, what: &'static str, found: impl Into<String>) -> Self {
        Self { verdict, what, found: found.into(), advice: None }
    }

    fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    fn text(&self) -> String {
        let mark = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Limited => "!",
            Verdict::Bad => "NO",
        };
        let advice = self.advice.as_ref().map_or_else(String::new, |advice| format!("\n{:17}→ {advice}", ""));
        format!("{mark:>2}  {:12} {}{advice}", self.what, self.found)
    }
}

/// Prints what it finds; false if something will not work.
pub fn doctor(workspace: &Workspace) -> Result<bool> {
    let cache = data::cache(workspace);
    let mut all_good = true;
    let checks: [&dyn Fn() -> Finding; 10] =
        [&rust, &c_compiler, &cores, &memory, &cpu, &gpu, &mpi, &|| disk(&workspace.root), &|| sets(&cache), &|| {
            network(&cache)
        }];
    for check in checks {
        let finding = check();
        all_good &= finding.verdict != Verdict::Bad;
        say(finding.text())?;
    }
    say(if all_good {
        "\nNext: cargo run --release -p linear-nets -- softmax-regression-concise"
    } else {
        "\nPut right what is marked NO, then run `cargo xtask doctor` again."
    })?;
    Ok(all_good)
}

/// What a program prints first, if it is there and ends well.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
}

fn rust() -> Finding {
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    match first_line(&rustc, &["--version"]) {
        Some(version) if is_at_least(&version, wanted) => Finding::new(Verdict::Good, "Rust", version),
        Some(version) => Finding::new(Verdict::Bad, "Rust", format!("{version}, but {wanted} is needed"))
            .advice("rustup update stable"),
        None => Finding::new(Verdict::Bad, "Rust", "no rustc on the path").advice("install Rust with rustup"),
    }
}

/// Whether `rustc 1.95.0 (…)` is at least `1.89`.
fn is_at_least(version: &str, wanted: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        let number = text.split_whitespace().find(|word| word.starts_with(|sign: char| sign.is_ascii_digit()));
        number.unwrap_or("0").split(['.', '-']).map_while(|part| part.parse().ok()).collect()
    };
    numbers(version) >= numbers(wanted)
}

fn c_compiler() -> Finding {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    match first_line(&compiler, &["--version"]) {
        Some(version) => Finding::new(Verdict::Good, "C compiler", version),
        None => Finding::new(Verdict::Bad, "C compiler", format!("`{compiler}` does not run")).advice(
            "install one: `apt-get install build-essential`, `xcode-select --install`, or Visual Studio's tools",
        ),
    }
}

fn cores() -> Finding {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let found = format!("{count} {}", if count == 1 { "core" } else { "cores" });
    if count == 1 {
        return Finding::new(Verdict::Limited, "Cores", found)
            .advice("times in the README are for two: expect about twice as much");
    }
    Finding::new(Verdict::Good, "Cores", found)
}

fn memory() -> Finding {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let Some(available) = memory_gb(&text) else {
        return Finding::new(Verdict::Good, "Memory", "unknown on this system; 4 GB are enough for every section");
    };
    let found = format!("{available:.1} GB available");
    if available < 3.0 {
        return Finding::new(Verdict::Limited, "Memory", found)
            .advice("build with `CARGO_BUILD_JOBS=1`; nets of chapter 7 and the release build of polars want 3 GB");
    }
    Finding::new(Verdict::Good, "Memory", found)
}

fn memory_gb(meminfo: &str) -> Option<f64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0 / 1024.0)
}

#[cfg(target_arch = "x86_64")]
fn cpu() -> Finding {
    let has = [
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("AVX-512", is_x86_feature_detected!("avx512f")),
    ];
    let present: Vec<&str> = has.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    let found =
        format!("x86-64 with {}", if present.is_empty() { "none of AVX2, FMA".to_owned() } else { present.join(", ") });
    if has[0].1 && has[1].1 {
        return Finding::new(Verdict::Good, "CPU", found);
    }
    Finding::new(Verdict::Limited, "CPU", found)
        .advice("everything runs, several times slower than the times in the README")
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu() -> Finding {
    Finding::new(Verdict::Good, "CPU", env::consts::ARCH)
}

fn gpu() -> Finding {
    if cfg!(target_os = "macos") {
        return Finding::new(
            Verdict::Good,
            "GPU",
            "Metal: add `--features metal` before `--` and `--device metal` after it",
        );
    }
    match (first_line("nvidia-smi", &["-L"]), first_line("nvcc", &["--version"])) {
        (Some(gpu), Some(_)) => Finding::new(Verdict::Good, "GPU", gpu)
            .advice("to use it, add `--features cuda` before `--` and `--device cuda` after it"),
        (Some(gpu), None) => Finding::new(Verdict::Limited, "GPU", format!("{gpu}, but no nvcc"))
            .advice("install the CUDA toolkit to use it; without it everything runs on the CPU"),
        (None, _) => Finding::new(Verdict::Good, "GPU", "none found; every section runs on the CPU"),
    }
}

/// What training on several processes needs: `mpirun` to start them, the compiler wrapper that knows where the library is,
/// and libclang, which reads the library's header when `d2l-mpi` is built.
fn mpi() -> Finding {
    let wrapper = env::var("MPICC").unwrap_or_else(|_| "mpicc".to_owned());
    let wrapper = first_line(&wrapper, &["-show"]);
    mpi_finding(first_line("mpirun", &["--version"]), wrapper.is_some(), libclang(&libclang_folders()).is_some())
}

fn mpi_finding(mpirun: Option<String>, has_wrapper: bool, has_libclang: bool) -> Finding {
    let (packages, install) = if cfg!(target_os = "macos") {
        (["open-mpi", "open-mpi", "llvm"], "brew install")
    } else {
        (["openmpi-bin", "libopenmpi-dev", "libclang-dev"], "apt-get install")
    };
    let parts = [("mpirun", mpirun.is_some()), ("mpicc", has_wrapper), ("libclang", has_libclang)];
    let lacking = parts.into_iter().zip(packages).filter(|((_, is_there), _)| !is_there);
    let (names, mut packages): (Vec<&str>, Vec<&str>) = lacking.map(|((name, _), package)| (name, package)).unzip();
    packages.dedup();
    let advice = format!("to train on several processes: `{install} {}`", packages.join(" "));
    match mpirun {
        Some(version) if names.is_empty() => Finding::new(Verdict::Good, "MPI", version)
            .advice("`cargo test -p d2l-mpi --features mpi` tries training on several processes"),
        None if !has_wrapper => {
            Finding::new(Verdict::Good, "MPI", "not found; chapter 12 trains on threads").advice(advice)
        }
        mpirun => {
            let found = mpirun.unwrap_or_else(|| "a library".to_owned());
            Finding::new(Verdict::Limited, "MPI", format!("{found}, but no {}", names.join(" and no "))).advice(advice)
        }
    }
}

/// Where systems keep libclang, unless `LIBCLANG_PATH` says so.
fn libclang_folders() -> Vec<PathBuf> {
    if let Some(folder) = env::var_os("LIBCLANG_PATH") {
        return vec![folder.into()];
    }
    let fixed = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/opt/homebrew/opt/llvm/lib",
        "/usr/local/opt/llvm/lib",
        "/Library/Developer/CommandLineTools/usr/lib",
    ];
    // Of versions and of processors, such as /usr/lib/llvm-14/lib and /usr/lib/x86_64-linux-gnu.
    let below = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    fixed.map(PathBuf::from).into_iter().chain(below.flat_map(|folder| [folder.join("lib"), folder])).collect()
}

fn libclang(folders: &[PathBuf]) -> Option<PathBuf> {
    let is_library = |name: &str| {
        let rest = name.strip_prefix("libclang").filter(|rest| rest.starts_with(['.', '-']));
        rest.is_some_and(|rest| !rest.starts_with("-cpp") && (rest.contains(".so") || rest.contains(".dylib")))
    };
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    files.map(|file| file.path()).find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_library))
}

fn disk(root: &Path) -> Finding {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let place = target.ancestors().find(|path| path.exists()).unwrap_or(root);
    let shown = place.to_string_lossy();
    let output = Command::new("df").args(["-Pk", &shown]).output().ok().filter(|output| output.status.success());
    let Some(free) = output.and_then(|output| free_gb(&String::from_utf8_lossy(&output.stdout))) else {
        return Finding::new(Verdict::Good, "Disk", format!("free space unknown; {BUILD_GB:.0} GB build a chapter"));
    };
    let found = format!("{free:.0} GB free for builds, in {shown}");
    let advice = format!(
        "a chapter takes {BUILD_GB:.0} GB, the tests of all {TESTS_GB:.0} GB: CARGO_TARGET_DIR names another place"
    );
    match free {
        ..BUILD_GB => Finding::new(Verdict::Bad, "Disk", found).advice(advice),
        ..TESTS_GB => Finding::new(Verdict::Limited, "Disk", found).advice(advice),
        _ => Finding::new(Verdict::Good, "Disk", found),
    }
}

/// The fourth field of the last line of `df -Pk`.
fn free_gb(df: &str) -> Option<f64> {
    Some(df.lines().last()?.split_whitespace().nth(3)?.parse::<f64>().ok()? / 1024.0 / 1024.0)
}

fn sets(cache: &Path) -> Finding {
    let missing: Vec<_> = DATASETS.iter().filter(|set| data::state(cache, set) != State::Here).collect();
    let found = format!("{} of {} sets in {}", DATASETS.len() - missing.len(), DATASETS.len(), cache.display());
    if missing.is_empty() {
        return Finding::new(Verdict::Good, "Data", found);
    }
    let bytes = data::size(missing.iter().map(|set| set.size).sum());
    Finding::new(Verdict::Good, "Data", found)
        .advice(format!("sections fetch what they need; `cargo xtask data get` fetches the rest now ({bytes})"))
}

/// Where sets can come from: nothing is missing, a mirror, the publishers, or nowhere.
fn network(cache: &Path) -> Finding {
    let missing: Vec<_> = DATASETS.iter().filter(|set| data::state(cache, set) == State::Missing).collect();
    if missing.is_empty() {
        return Finding::new(Verdict::Good, "Network", "not asked: every set is here");
    }
    if let Some(mirrors) = env::var("D2L_MIRROR").ok().filter(|mirrors| !mirrors.is_empty()) {
        let is_there = |mirror: &str| mirror.contains("://") || Path::new(mirror).is_dir();
        return match mirrors.split(',').map(str::trim).find(|mirror| !is_there(mirror)) {
            Some(gone) => {
                Finding::new(Verdict::Limited, "Network", format!("D2L_MIRROR names {gone}, which is no folder"))
                    .advice("correct it: folders or http(s) addresses, separated by commas")
            }
            None => Finding::new(Verdict::Good, "Network", format!("mirrors: {mirrors}")),
        };
    }
    if env::var("D2L_OFFLINE").is_ok_and(|value| value == "1") {
        return Finding::new(Verdict::Limited, "Network", "not asked: D2L_OFFLINE is 1").advice(WITHOUT_DATA);
    }
    let proxy = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];
    if let Some(proxy) = proxy.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty())) {
        return Finding::new(
            Verdict::Good,
            "Network",
            format!("through the proxy {proxy}; `cargo xtask data get` tries it"),
        );
    }
    let mut hosts: Vec<&str> = missing.iter().flat_map(|set| set.urls).filter_map(|url| host(url)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let away: Vec<&str> = hosts.iter().copied().filter(|host| !answers(host)).collect();
    if away.is_empty() {
        return Finding::new(Verdict::Good, "Network", "the publishers of the data answer");
    }
    let others: Vec<&str> =
        ["apt-get", "pip"].into_iter().filter(|client| first_line(client, &["--version"]).is_some()).collect();
    let found = format!("no answer from {}", away.join(", "));
    let packages = if others.is_empty() {
        String::new()
    } else {
        format!("; some sets also come as packages, through {}", others.join(" or "))
    };
    Finding::new(Verdict::Limited, "Network", found).advice(format!("{WITHOUT_DATA}{packages}"))
}

const WITHOUT_DATA: &str =
    "sections without their data run on samples and say so; D2L_MIRROR can name a folder or an address with the sets";

fn host(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split('/').next()
}

fn answers(host: &str) -> bool {
    let Ok(addresses) = (host, 80).to_socket_addrs() else { return false };
    addresses.take(2).any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(is_at_least("rustc 1.95.0 (59807616e 2026-04-14)", "1.89"));
        assert!(is_at_least("rustc 1.89.0-nightly", "1.89"));
        assert!(!is_at_least("rustc 1.9.0", "1.89"));
    }

    #[test]
    fn reads_what_the_system_says() {
        assert_eq!(memory_gb("MemTotal: 9 kB\nMemAvailable:    2097152 kB\n"), Some(2.0));
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 99 1 5242880 3% /\n";
        assert_eq!(free_gb(df), Some(5.0));
        assert_eq!(free_gb(""), None);
        assert_eq!(host("http://a.b/c/d"), Some("a.b"));
    }

    #[test]
    fn advice_stands_below_what_it_is_for() {
        let finding = Finding::new(Verdict::Bad, "Rust", "1.0").advice("update");
        assert_eq!(finding.text(), "NO  Rust         1.0\n                 → update");
    }

    #[test]
    fn what_mpi_lacks_is_named_with_its_package() {
        let version = || Some("mpirun (Open MPI) 4.1.4".to_owned());
        let all = mpi_finding(version(), true, true);
        assert_eq!((all.verdict, &all.found[..]), (Verdict::Good, "mpirun (Open MPI) 4.1.4"));
        let none = mpi_finding(None, false, true);
        assert!(none.verdict == Verdict::Good && none.found.starts_with("not found"));
        let some = mpi_finding(version(), true, false);
        assert!(some.verdict == Verdict::Limited && some.found.ends_with("but no libclang"), "{}", some.found);
        let advice = some.advice.unwrap();
        assert!(if cfg!(target_os = "macos") { advice.contains("llvm") } else { advice.contains("libclang-dev`") });
    }

    #[test]
    fn libclang_is_told_from_its_neighbours() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_path_buf(), folder.path().join("none")];
        for other in ["libclang-cpp.so.14", "libclangBasic.a", "libclang.txt"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        assert_eq!(libclang(&folders), None);
        fs::write(folder.path().join("libclang-14.so.1"), "").unwrap();
        assert_eq!(libclang(&folders), Some(folder.path().join("libclang-14.so.1")));
    }

    #[test]
    fn a_folder_without_sets_is_said_to_be_so() {
        let folder = tempfile::tempdir().unwrap();
        let finding = sets(folder.path());
        assert!(finding.found.starts_with("0 of ") && finding.advice.unwrap().contains("data get"));
    }
}

//! The hub against servers that fail in every way a server can, and against other processes.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::server::{Answer, Server, header};
use d2l_hub::{
    Cached, DATASETS, Dataset, Event, Folder, Hash, HttpSettings, Hub, HubError, Mirror, Package, PackageFile,
};
use flate2::{Compression, GzBuilder};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// 100,000 bytes that do not compress.
fn content() -> Vec<u8> {
    let mut bytes = vec![0; 100_000];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut bytes);
    bytes
}

fn hex(hash: &[u8]) -> &'static str {
    hash.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")).leak()
}

fn sha256(bytes: &[u8]) -> &'static str {
    hex(&Sha256::digest(bytes))
}

const PATH: &str = "folder/set.bin";

/// A set called `set` with the bytes of [`content`], published at these addresses.
fn set(urls: &[&str]) -> Dataset {
    let urls: Vec<&'static str> = urls.iter().map(|url| &*format!("{url}/set.bin").leak()).collect();
    Dataset {
        name: "set",
        path: PATH,
        urls: urls.leak(),
        size: content().len() as u64,
        hashes: vec![Hash::Sha256(sha256(&content()))].leak(),
        book_sha1: None,
        package: None,
    }
}

/// A hub in a folder of its own that gives up soon.
struct Bench {
    folder: TempDir,
    hub: Hub,
    /// Kinds of events, as they came, without those for single blocks.
    events: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    fn new(set: Dataset) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&events);
        let mut hub = impatient(Hub::new(folder.path().join("data"))).with_listener(move |event| {
            if !matches!(event, Event::Received { .. }) {
                log.lock().expect("the log").push(format!("{event:?}"));
            }
        });
        hub.datasets = vec![set];
        Self { folder, hub, events }
    }

    fn with(answers: Vec<Answer>) -> (Self, Server) {
        let server = Server::start(answers);
        (Self::new(set(&[&server.url])), server)
    }

    fn file(&self) -> PathBuf {
        self.hub.cache.join(PATH)
    }

    fn assert_fetches(&self) {
        let path = self.hub.fetch("set").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(path, self.file());
        assert!(fs::read(path).expect("the file") == content(), "the content differs");
        self.assert_no_leftovers();
    }

    /// The message of a fetch that must fail and leave nothing behind.
    fn failure(&self) -> String {
        let error = self.hub.fetch("set").expect_err("a failure").to_string();
        assert!(!self.file().exists(), "a bad file is left");
        self.assert_no_leftovers();
        error
    }

    fn assert_no_leftovers(&self) {
        let names: Vec<_> = fs::read_dir(self.file().parent().expect("its folder"))
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        assert!(names.iter().all(|name| !name.contains(".part")), "left behind: {names:?}");
    }
}

fn impatient(mut hub: Hub) -> Hub {
    hub.http = HttpSettings {
        retries: 2,
        backoff: Duration::from_millis(5),
        max_backoff: Duration::from_millis(20),
        connect_timeout: Duration::from_secs(2),
        stall_timeout: Duration::from_secs(5),
    };
    hub
}

fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
}

// ---- downloads ----

#[test]
fn a_sound_file_comes_once() {
    let (bench, server) = Bench::with(vec![Answer::ok(&content())]);
    assert!(!bench.hub.is_cached("set").expect("a known set"));
    bench.assert_fetches();
    bench.assert_fetches(); // the server would refuse a second connection
    assert!(bench.hub.is_cached("set").expect("a known set"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_wrong_file_is_refused_with_both_hashes() {
    let mut other = content();
    other[5] ^= 1;
    let (bench, server) = Bench::with(vec![Answer::ok(&other)]);
    let error = bench.failure();
    assert_contains(&error, &[&server.url, sha256(&content()), sha256(&other), "D2L_MIRROR", PATH]);
}

#[test]
fn a_short_body_is_retried_and_then_refused() {
    let cut = || Answer::ok(&content()).cut_after(40_000);
    let (bench, server) = Bench::with(vec![cut(), cut(), cut()]);
    assert_contains(&bench.failure(), &["the connection broke after 40000 bytes"]);
    assert_eq!(server.requests().len(), 3);
    assert!(server.requests().iter().all(|request| header(request, "range").is_none()), "no ETag, no resuming");
}

#[test]
fn a_web_page_or_an_oversized_file_is_not_downloaded() {
    let (bench, _server) = Bench::with(vec![Answer::ok(b"<html>Please sign in").header("Content-Type", "text/html")]);
    assert_contains(&bench.failure(), &["a web page came"]);
    let (bench, _server) = Bench::with(vec![Answer::ok(&[0; 400_000])]);
    assert_contains(&bench.failure(), &["refused: more than", "about 100000"]);
}

#[test]
fn busy_servers_are_asked_again_and_missing_files_are_not() {
    let busy = ["503 Service Unavailable", "429 Too Many Requests"].map(Answer::status);
    let (bench, server) = Bench::with(busy.into_iter().chain([Answer::ok(&content())]).collect());
    bench.assert_fetches();
    assert_eq!(server.requests().len(), 3);
    assert_eq!(bench.events.lock().expect("the log").iter().filter(|e| e.starts_with("Retrying")).count(), 2);

    let (bench, server) = Bench::with(vec![Answer::status("404 Not Found"), Answer::ok(&content())]);
    assert_contains(&bench.failure(), &["HTTP status 404"]);
    assert_eq!(server.requests().len(), 1);

    let asks_for_an_hour = Answer::status("503 Service Unavailable").header("Retry-After", "3600");
    let (bench, _server) = Bench::with(vec![asks_for_an_hour, Answer::ok(&content())]);
    bench.assert_fetches();
}

#[test]
fn redirects_are_followed_a_few_times() {
    let server = Server::start_with(|url| vec![Answer::redirect(&format!("{url}/there")), Answer::ok(&content())]);
    Bench::new(set(&[&server.url])).assert_fetches();
    let server = Server::start_with(|url| vec![Answer::redirect(&format!("{url}/loop")); 30]);
    assert_contains(&Bench::new(set(&[&server.url])).failure(), &["redirected too often"]);
    assert!(server.requests().len() <= 6);
}

#[test]
fn a_broken_download_is_resumed_for_the_same_etag() {
    let cut = Answer::ok(&content()).header("ETag", "\"a\"").cut_after(40_000);
    let (bench, server) = Bench::with(vec![cut, Answer::rest(&content()).header("ETag", "\"a\"")]);
    bench.assert_fetches();
    let resumed = &server.requests()[1];
    assert_eq!(header(resumed, "range"), Some("bytes=40000-"));
    assert_eq!(header(resumed, "if-range"), Some("\"a\""));
}

#[test]
fn a_changed_file_is_not_glued_to_the_old_half() {
    let old = vec![9; 100_000];
    let cut = || Answer::ok(&old).header("ETag", "\"old\"").cut_after(40_000);
    // The proper answer to If-Range: the whole new file.
    let (bench, server) = Bench::with(vec![cut(), Answer::ok(&content()).header("ETag", "\"new\"")]);
    bench.assert_fetches();
    assert_eq!(server.requests().len(), 2);
    // A server that ignores If-Range, one that sends another part than asked for, and one that has a shorter file now.
    for odd in [
        Answer::rest(&content()).header("ETag", "\"new\""),
        Answer::rest(&content()).header("Content-Range", "bytes 0-99999/100000"),
        Answer::status("416 Range Not Satisfiable"),
    ] {
        let (bench, server) = Bench::with(vec![cut(), odd, Answer::ok(&content())]);
        bench.assert_fetches();
        assert_eq!(header(&server.requests()[2], "range"), None);
    }
    // A server that gives other bytes the old tag: only the hash can tell.
    let (bench, _server) = Bench::with(vec![cut(), Answer::rest(&content()).header("ETag", "\"old\"")]);
    assert_contains(&bench.failure(), &["not the file: 100000 bytes"]);
    // A weak tag does not stand for bytes.
    let weak = Answer::ok(&old).header("ETag", "W/\"old\"").cut_after(40_000);
    let (bench, server) = Bench::with(vec![weak, Answer::ok(&content())]);
    bench.assert_fetches();
    assert_eq!(header(&server.requests()[1], "range"), None);
}

#[test]
fn stalled_connections_are_given_up() {
    let stalls = || Answer::ok(&content()).stall_after(10);
    let (mut bench, _server) = Bench::with(vec![stalls(), Answer::ok(&content()).trickle(), Answer::ok(&content())]);
    bench.hub.http.stall_timeout = Duration::from_millis(300);
    let start = Instant::now();
    bench.assert_fetches();
    assert!(start.elapsed() < Duration::from_secs(5));
    let (mut bench, _server) = Bench::with(vec![stalls(); 3]);
    bench.hub.http.stall_timeout = Duration::from_millis(100);
    assert_contains(&bench.failure(), &["hardly a byte"]);
}

// ---- sources ----

#[test]
fn each_source_is_asked_in_turn_and_listed() {
    let (missing, down) = (Server::start(vec![Answer::status("404 Not Found")]), Server::start(vec![]));
    let mut bench = Bench::new(set(&[&missing.url, &down.url]));
    let mirror = bench.folder.path().join("mirror");
    bench.hub.mirrors = vec![Mirror::Folder(mirror.clone())];
    let error = bench.failure();
    assert_contains(
        &error,
        &[&mirror.display().to_string(), "no such file", &missing.url, "404", &down.url, "no connection"],
    );
    assert_eq!(error.lines().count(), 6, "{error}");
}

#[test]
fn a_corrupt_mirror_is_passed_over() {
    let bad_mirror = Server::start(vec![Answer::ok(b"bad")]);
    let (mut bench, server) = Bench::with(vec![Answer::ok(&content())]);
    let mirror = bench.folder.path().join("mirror");
    fs::create_dir_all(mirror.join("folder")).expect("a mirror");
    fs::write(mirror.join(PATH), b"corrupt").expect("a corrupt file");
    bench.hub.mirrors = vec![Mirror::Folder(mirror.clone()), Mirror::Url(bad_mirror.url.clone())];
    bench.assert_fetches();
    assert!(bad_mirror.requests()[0].starts_with("GET /folder/set.bin "));
    assert_eq!(server.requests().len(), 1);
    assert_eq!(fs::read(mirror.join(PATH)).expect("the mirror's file"), b"corrupt", "a mirror is only read");
}

#[test]
fn a_corrupt_cached_file_is_replaced_or_named() {
    let (bench, _server) = Bench::with(vec![Answer::ok(&content())]);
    fs::create_dir_all(bench.file().parent().expect("its folder")).expect("the folder");
    fs::write(bench.file(), b"corrupt").expect("a corrupt file");
    assert!(!bench.hub.is_cached("set").expect("a known set"));
    bench.assert_fetches();
    fs::write(bench.file(), b"corrupt").expect("a corrupt file");
    let error = bench.hub.fetch("set").expect_err("no source is left").to_string();
    assert_contains(&error, &[&bench.file().display().to_string(), "7 bytes", sha256(b"corrupt")]);
}

#[test]
fn offline_uses_folders_only() {
    let server = Server::start(vec![Answer::ok(&content())]);
    let package = PackageFile { package: Package::Debian("none"), member: "none" };
    let mut bench = Bench::new(Dataset { package: Some(package), ..set(&[&server.url]) });
    let mirror = bench.folder.path().join("mirror");
    bench.hub.offline = true;
    bench.hub.mirrors = vec![Mirror::Url(server.url.clone()), Mirror::Folder(mirror.clone())];
    assert_eq!(bench.failure().matches("D2L_OFFLINE").count(), 3, "mirror, publisher and package");
    fs::create_dir_all(mirror.join("folder")).expect("a mirror");
    fs::write(mirror.join(PATH), content()).expect("the mirror's file");
    bench.assert_fetches();
    assert!(server.requests().is_empty());
}

#[test]
fn gzip_files_are_accepted_by_content() {
    let pack = |time: u32| {
        let mut encoder = GzBuilder::new().mtime(time).filename("set").write(Vec::new(), Compression::default());
        encoder.write_all(&content()).expect("compressed bytes");
        encoder.finish().expect("a gzip file")
    };
    let hashes = vec![
        Hash::Sha256(sha256(&pack(1))),
        Hash::Gunzipped { sha256: sha256(&content()), size: content().len() as u64 },
    ];
    let packed = Dataset { size: 2 * pack(1).len() as u64, hashes: hashes.leak(), ..set(&[]) };
    let attempt = |bytes: &[u8]| {
        let server = Server::start(vec![Answer::ok(bytes)]);
        let bench = Bench::new(Dataset { urls: set(&[&server.url]).urls, ..packed });
        bench.hub.fetch("set").map(|path| fs::read(path).expect("the file"))
    };
    for time in [1, 2] {
        assert_eq!(attempt(&pack(time)).expect("the right content"), pack(time));
    }
    let two_members = [pack(2), pack(2)].concat();
    let mut flipped = pack(2);
    flipped[50_000] ^= 1;
    for bad in [&two_members[..], &[&pack(2)[..], b"more"].concat(), &flipped, &pack(2)[..60_000], &content()] {
        assert_contains(
            &attempt(bad).expect_err("another content").to_string(),
            &["not the file", "decompressed SHA-256"],
        );
    }
}

#[test]
fn sha1_serves_where_it_is_all_that_is_known() {
    let server = Server::start(vec![Answer::ok(&content()), Answer::ok(b"other")]);
    let hashes = vec![Hash::Sha1(hex(&Sha1::digest(content())))];
    let by_sha1 = Dataset { hashes: hashes.leak(), ..set(&[&server.url]) };
    Bench::new(by_sha1).assert_fetches();
    let wrong = Bench::new(by_sha1).failure();
    assert_contains(&wrong, &["wanted SHA-1", hex(&Sha1::digest(b"other"))]);
}

#[test]
fn the_first_digits_of_a_hash_serve_where_the_publisher_gives_no_more() {
    let server = Server::start(vec![Answer::ok(&content()), Answer::ok(b"other")]);
    let hashes = vec![Hash::Sha256Start(&sha256(&content())[..8])];
    let by_digits = Dataset { hashes: hashes.leak(), ..set(&[&server.url]) };
    Bench::new(by_digits).assert_fetches();
    let wrong = Bench::new(by_digits).failure();
    assert_contains(&wrong, &["wanted SHA-256", sha256(b"other"), "..."]);
}

/// An archive of a text and of a folder with a picture.
fn archived() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, content) in [("set/a.txt", &b"one and two"[..]), ("set/pictures/b.bin", b"picture")] {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
        writer.write_all(content).expect("its content");
    }
    writer.finish().expect("an archive").into_inner()
}

/// A hub whose only set is this archive, and the server that gives it once.
fn archive_bench(bytes: &[u8]) -> (Bench, Server) {
    let server = Server::start(vec![Answer::ok(bytes)]);
    let hashes = vec![Hash::Sha256(sha256(bytes))];
    let size = bytes.len() as u64;
    let archive = Dataset { path: "folder/set.zip", hashes: hashes.leak(), size, ..set(&[&server.url]) };
    (Bench::new(archive), server)
}

#[test]
fn archives_are_unpacked_once() {
    let bytes = archived();
    let (bench, _server) = archive_bench(&bytes);
    let half_unpacked = bench.hub.cache.join("folder/set");
    fs::create_dir_all(&half_unpacked).expect("a folder that an unfinished program might leave");
    let folder = bench.hub.fetch_extracted("set").expect("an unpacked set");
    assert_eq!(folder, half_unpacked);
    assert_eq!(fs::read(folder.join("a.txt")).expect("its file"), b"one and two");
    // The folder is proven by its marker: the archive itself may go.
    fs::remove_file(bench.hub.cache.join("folder/set.zip")).expect("the archive");
    bench.hub.fetch_extracted("set").expect("still there");
    assert_contains(
        &Bench::new(set(&[&Server::start(vec![Answer::ok(&content())]).url]))
            .hub
            .fetch_extracted("set")
            .expect_err("no archive")
            .to_string(),
        &["set.bin", "not an archive"],
    );
}

#[test]
fn a_part_of_an_archive_has_a_folder_of_its_own() {
    let bytes = archived();
    let (bench, _server) = archive_bench(&bytes);
    let part = bench.hub.fetch_part("set", "texts", |name| name.contains("a.txt")).expect("the texts");
    assert_eq!(part, bench.hub.cache.join("folder/set-texts"));
    assert!(part.join("a.txt").is_file() && !part.join("pictures").exists());
    let whole = bench.hub.fetch_extracted("set").expect("all of it, from the same archive");
    assert!(whole.join("a.txt").is_file() && whole.join("pictures/b.bin").is_file());
}

#[test]
fn a_damaged_unpacked_set_is_unpacked_anew() {
    let bytes = archived();
    let (bench, _server) = archive_bench(&bytes);
    let folder = bench.hub.fetch_extracted("set").expect("an unpacked set");
    let (text, picture) = (folder.join("a.txt"), folder.join("pictures/b.bin"));
    let marker = folder.join(".unpacked-from");
    let damages: [&dyn Fn(); 6] = [
        &|| fs::remove_file(&text).expect("deleted"),
        &|| fs::write(&text, b"one").expect("cut"),
        &|| fs::write(&picture, b"pixture").expect("changed, as long as before"),
        &|| {
            fs::remove_file(&picture).expect("deleted");
            fs::create_dir(&picture).expect("a folder in its place");
        },
        // What earlier versions wrote: nothing is known of such a folder.
        &|| fs::write(&marker, sha256(&bytes)).expect("a marker"),
        &|| fs::write(&marker, fs::read_to_string(&marker).expect("it").replace("11 ", "eleven ")).expect("a marker"),
    ];
    for damage in damages {
        assert!(bench.hub.is_cached("set").expect("a known set"));
        damage();
        bench.hub.fetch_extracted("set").expect("unpacked anew");
        assert_eq!(fs::read(&text).expect("its text"), b"one and two");
        assert_eq!(fs::read(&picture).expect("its picture"), b"picture");
    }
    fs::write(&text, b"one").expect("cut");
    assert_eq!(bench.hub.cached("set").expect("a known set"), Cached::Changed(folder), "what `data verify` says");
    fs::remove_file(bench.hub.cache.join("folder/set.zip")).expect("the archive");
    let error = bench.hub.fetch_extracted("set").expect_err("neither the archive nor a server that gives it again");
    assert!(matches!(error, HubError::Unavailable { .. }), "{error}");
}

// ---- the cache folder ----

#[test]
fn an_unusable_folder_is_named() {
    let (mut bench, server) = Bench::with(vec![Answer::ok(&content())]);
    let file = bench.folder.path().join("a-file");
    fs::write(&file, b"").expect("a file where a folder should be");
    let mut folders = vec![file.join("data")];
    if cfg!(target_os = "linux") {
        folders.push("/proc/data".into()); // read-only even to root
    }
    for folder in folders {
        bench.hub.cache.clone_from(&folder);
        let error = bench.hub.fetch("set").expect_err("no folder");
        assert!(matches!(error, HubError::Write { .. }), "{error}");
        assert_contains(&error.to_string(), &[&folder.display().to_string(), "cannot be written", "D2L_DATA_DIR"]);
    }
    assert!(server.requests().is_empty(), "nothing is downloaded that could not be kept");
}

#[test]
fn unknown_names_are_answered_with_the_known_ones() {
    let hub = Hub::new("unused");
    assert_contains(&hub.fetch("airfoyl").expect_err("a typing error").to_string(), &["`airfoyl`", "airfoil", "ptb"]);
    assert!(hub.is_cached("airfoyl").is_err());
}

#[test]
fn fetch_all_goes_on_after_a_failure() {
    let server = Server::start(vec![Answer::status("404 Not Found"), Answer::ok(&content())]);
    let mut bench = Bench::new(set(&[&server.url]));
    bench.hub.datasets.push(Dataset { name: "second", path: "second.bin", ..set(&[&server.url]) });
    let results = bench.hub.fetch_all();
    assert!(results[0].1.is_err() && results[1].1.is_ok(), "{results:?}");
}

#[test]
fn mirror_lists_are_read_and_checked() {
    let mirrors = Mirror::parse_list(" /a folder, https://host/base/ ,,http://[::1]:80").expect("a sound list");
    let expected = ["/a folder", "https://host/base", "http://[::1]:80"];
    assert_eq!(mirrors.iter().map(Mirror::to_string).collect::<Vec<_>>(), expected);
    assert_contains(
        &Mirror::parse_list("ftp://host").expect_err("no such scheme").to_string(),
        &["D2L_MIRROR=ftp://host"],
    );
}

#[test]
fn the_registry_is_consistent() {
    let distinct = |of: fn(&Dataset) -> &str| DATASETS.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!((distinct(|set| set.name), distinct(|set| set.path)), (DATASETS.len(), DATASETS.len()));
    for set in DATASETS {
        assert!(set.book_sha1.is_none_or(|sha1| sha1.len() == 40), "{}", set.name);
        let file = set.path.rsplit('/').next().unwrap_or_default();
        assert!(set.urls.iter().all(|url| url.ends_with(file)), "{}", set.name);
        for hash in set.hashes {
            let (digits, length) = match hash {
                Hash::Sha256(hash) | Hash::Gunzipped { sha256: hash, .. } => (hash, 64),
                Hash::Sha1(hash) => (hash, 40),
                Hash::Sha256Start(digits) => {
                    assert!(set.path.contains(digits), "the publisher's name of {} has its digits", set.name);
                    (digits, 8)
                }
            };
            let is_hexadecimal = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            assert!(digits.len() == length && is_hexadecimal, "{}", set.name);
        }
    }
}

// ---- other processes ----

/// Not a test: what the child processes of the tests below run. It fetches `set` as the environment says.
#[test]
#[ignore = "run by other tests, as a process of its own"]
fn child() {
    let var = |name: &str| env::var(name).ok();
    let stop_when_complete = var("STOP_WHEN_COMPLETE").is_some();
    let mut hub = impatient(Hub::from_env().expect("sound settings")).with_listener(move |event| {
        println!("{event:?}");
        if let Event::Received { bytes, .. } = event
            && stop_when_complete
            && *bytes == content().len() as u64
        {
            println!("complete");
            loop {
                thread::park();
            }
        }
    });
    let package = var("DEBIAN").map(|_| Package::Debian("set")).or(var("PYTHON").map(|_| Package::Python("set==1")));
    let file = |member| package.map(|package| PackageFile { package, member });
    let urls: Vec<String> = var("URL").into_iter().collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let first = Dataset { package: file("share/set.bin"), ..set(&urls) };
    hub.datasets =
        vec![first, Dataset { name: "second", path: "folder/second.bin", package: file("share/second.bin"), ..first }];
    match hub.fetch("set") {
        Ok(_) => println!("fetched"),
        Err(error) => println!("{error}"),
    }
}

/// A process that runs [`child`] with this cache folder.
fn spawn_child(cache: &Path, variables: &[(&str, &str)]) -> Child {
    let program = env::current_exe().expect("this program");
    spawn(Command::new(program).args(["--exact", "hub::child", "--ignored", "--nocapture"]), cache, variables)
}

fn spawn(command: &mut Command, cache: &Path, variables: &[(&str, &str)]) -> Child {
    command
        .env("D2L_DATA_DIR", cache)
        .env_remove("D2L_MIRROR")
        .env_remove("D2L_OFFLINE")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process")
}

fn output(child: Child) -> String {
    let Output { status, stdout, .. } = child.wait_with_output().expect("the child's end");
    assert!(status.success());
    String::from_utf8(stdout).expect("text")
}

#[test]
fn two_processes_download_once() {
    let (bench, server) = Bench::with(vec![Answer::ok(&content()).late(Duration::from_secs(1))]);
    let children = [(); 2].map(|()| spawn_child(&bench.hub.cache, &[("URL", &server.url)]));
    let outputs = children.map(output);
    for text in &outputs {
        assert_contains(text, &["\nfetched"]);
    }
    assert_eq!(outputs.iter().filter(|text| text.contains("Waiting")).count(), 1, "{outputs:?}");
    assert_eq!(server.requests().len(), 1);
    bench.assert_fetches();
}

#[test]
fn a_lock_is_not_waited_for_without_end() {
    let (mut bench, _server) = Bench::with(vec![]);
    let lock = bench.hub.cache.join(".locks").join(PATH);
    fs::create_dir_all(lock.parent().expect("its folder")).expect("the folder");
    let file = fs::File::create(&lock).expect("the lock file");
    file.lock().expect("the lock");
    bench.hub.lock_patience = Duration::from_millis(100);
    assert_contains(&bench.failure(), &[&lock.display().to_string(), "locked by another process"]);
}

#[test]
fn a_process_killed_before_renaming_leaves_nothing_that_is_trusted() {
    let (bench, server) = Bench::with(vec![Answer::ok(&content()), Answer::ok(&content())]);
    let mut child = spawn_child(&bench.hub.cache, &[("URL", &server.url), ("STOP_WHEN_COMPLETE", "1")]);
    let stdout = io::BufReader::new(child.stdout.take().expect("its output"));
    assert!(io::BufRead::lines(stdout).any(|line| line.is_ok_and(|line| line == "complete")));
    child.kill().expect("a living child");
    child.wait().expect("its end");
    let part = bench.file().with_file_name(format!("set.bin.part-{}", child.id()));
    assert!(fs::read(&part).expect("the part file") == content(), "killed too early to show anything");
    assert!(!bench.file().exists() && !bench.hub.is_cached("set").expect("a known set"));
    bench.assert_fetches();
    assert!(!part.exists());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_environment_is_followed() {
    let (bench, server) = Bench::with(vec![]);
    let mirror = bench.folder.path().join("mirror");
    fs::create_dir_all(mirror.join("folder")).expect("a mirror");
    fs::write(mirror.join(PATH), content()).expect("the mirror's file");
    let list = format!("{}, {}", server.url, mirror.display());
    let variables = [("URL", &*server.url), ("D2L_MIRROR", &list), ("D2L_OFFLINE", "1")];
    assert_contains(&output(spawn_child(&bench.hub.cache, &variables)), &["reason: Offline", "\nfetched"]);
    bench.assert_fetches();
}

#[test]
fn without_certificates_only_https_fails() {
    let (bench, server) = Bench::with(vec![Answer::ok(&content())]);
    let none = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    let listening = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let https = format!("https://{}", listening.local_addr().expect("its address"));
    let accepting = thread::spawn(move || listening.accept().map(|_| thread::sleep(Duration::from_millis(50))));
    let with = |url: &str| output(spawn_child(&bench.hub.cache, &[none[0], none[1], ("URL", url)]));
    if cfg!(target_os = "linux") {
        assert_contains(&with(&https), &["CA certificates", "ca-certificates"]);
        accepting.join().expect("the listener").expect("a connection");
    }
    assert_contains(&with(&server.url), &["\nfetched"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_full_disk_is_one_clear_error() {
        let (bench, server) = Bench::with(vec![Answer::ok(&content())]);
        let program = env::current_exe().expect("this program");
        // A bound on the size of files stands in for a full disk: writing fails in the same way.
        let mut shell = Command::new("sh");
        shell
            .args(["-c", r#"trap "" XFSZ; ulimit -f 16; exec "$0" --exact hub::child --ignored --nocapture"#])
            .arg(program);
        let text = output(spawn(&mut shell, &bench.hub.cache, &[("URL", &server.url)]));
        assert_contains(&text, &["set.bin.part-", "cannot be written", "free some space"]);
        assert!(!bench.file().exists());
        bench.assert_no_leftovers();
    }

    /// A folder of scripts that stand in for the clients of the registries, first in the search path.
    fn with_clients(bench: &Bench, scripts: &[(&str, &str)]) -> String {
        let folder = bench.folder.path().join("bin");
        fs::create_dir(&folder).expect("a folder of programs");
        for (name, script) in scripts {
            let path = folder.join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable script");
        }
        format!("{}:{}", folder.display(), env::var("PATH").unwrap_or_default())
    }

    fn assert_brings_both(bench: &Bench, kind: &str, path: &str) {
        let text = output(spawn_child(&bench.hub.cache, &[(kind, "1"), ("PATH", path)]));
        assert_contains(&text, &["Asking", "\nfetched"]);
        bench.assert_fetches();
        assert!(fs::read(bench.hub.cache.join("folder/second.bin")).expect("its neighbour") == content());
    }

    #[test]
    fn a_debian_package_brings_all_its_sets() {
        let bench = Bench::new(set(&[]));
        let mut builder = tar::Builder::new(Vec::new());
        for name in ["./share/second.bin", "./share/other.bin", "./share/set.bin"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content().len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, &content()[..]).expect("an entry");
        }
        let package = bench.folder.path().join("a-package");
        fs::write(&package, builder.into_inner().expect("an archive")).expect("a package");
        let apt_get = format!("[ \"$1\" = download ] && cp '{}' set_1_all.deb", package.display());
        let path = with_clients(&bench, &[("apt-get", &apt_get), ("dpkg-deb", "cat \"$2\"")]);
        assert_brings_both(&bench, "DEBIAN", &path);
    }

    #[test]
    fn a_wheel_brings_all_its_sets() {
        let bench = Bench::new(set(&[]));
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for name in ["share/set.bin", "share/other.bin", "share/second.bin"] {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).expect("an entry");
            writer.write_all(&content()).expect("its content");
        }
        let package = bench.folder.path().join("a-package");
        fs::write(&package, writer.finish().expect("an archive").into_inner()).expect("a package");
        let python = format!("[ \"$3\" = download ] && cp '{}' set-1-py3-none-any.whl", package.display());
        let path = with_clients(&bench, &[("python3", &python)]);
        assert_brings_both(&bench, "PYTHON", &path);
    }

    #[test]
    fn a_failing_client_is_quoted() {
        let bench = Bench::new(set(&[]));
        let path = with_clients(&bench, &[("apt-get", "echo 'E: Unable to locate package set' >&2; exit 100")]);
        let text = output(spawn_child(&bench.hub.cache, &[("DEBIAN", "1"), ("PATH", &path)]));
        assert_contains(&text, &["Debian package set", "E: Unable to locate package set", "apt-get update"]);
        let text = output(spawn_child(&bench.hub.cache, &[("PYTHON", "1"), ("PATH", "/nowhere")]));
        assert_contains(&text, &["Python package set==1", "python3 is not on this machine"]);
    }
}

// ---- the world outside ----

#[test]
#[ignore = "needs a network: fetches every registered set, from wherever it can be had"]
fn every_registered_set_can_be_fetched() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut hub = Hub::from_env().expect("sound settings").with_listener(|event| {
        if !matches!(event, Event::Received { .. }) {
            println!("{event:?}");
        }
    });
    hub.cache = folder.path().to_owned();
    let failures: Vec<_> = hub.fetch_all().into_iter().filter_map(|(_, result)| result.err()).collect();
    assert!(failures.is_empty(), "{}", failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    for set in DATASETS.iter().filter(|set| !set.hashes.iter().any(|hash| matches!(hash, Hash::Sha1(_)))) {
        let bytes = fs::read(hub.cache.join(set.path)).expect("the fetched file");
        assert!(set.book_sha1.is_none_or(|sha1| sha1 == hex(&Sha1::digest(bytes))), "{}", set.name);
    }
    for (name, file) in [("fra-eng", "fra.txt"), ("ptb", "ptb.train.txt")] {
        assert!(hub.fetch_extracted(name).expect("a sound archive").join(file).is_file());
    }
}

// ---- folders ----

/// Two files, the list of which has the hash that `sha256sum` gives.
fn folder_of(place: &Path) -> Folder {
    fs::create_dir_all(place.join("pictures/part")).expect("a folder");
    fs::write(place.join("pictures/list.csv"), "a,1\n").expect("a file");
    fs::write(place.join("pictures/part/1.jpg"), "picture").expect("a file");
    let list = format!("{}  list.csv\n{}  part/1.jpg\n", sha256(b"a,1\n"), sha256(b"picture"));
    Folder { name: "pictures", path: "pictures", files: 2, sha256: sha256(list.as_bytes()) }
}

#[test]
fn a_folder_is_used_where_it_lies_if_every_file_is_as_it_should_be() {
    let (cache, mirror) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let mut hub = Hub::new(cache.path());
    hub.folders = vec![folder_of(mirror.path())];
    let error = hub.folder("pictures").expect_err("no mirror").to_string();
    assert!(error.contains("D2L_MIRROR") && error.contains(&cache.path().display().to_string()), "{error}");
    hub.mirrors = vec![Mirror::Folder(mirror.path().to_owned())];
    assert_eq!(hub.folder("pictures").expect("it is there"), mirror.path().join("pictures"));

    let extra = mirror.path().join("pictures/part/2.jpg");
    fs::write(&extra, "one more").expect("a file");
    let error = hub.folder("pictures").expect_err("a file too many").to_string();
    assert!(error.contains("more than 2 files"), "{error}");
    fs::remove_file(extra).expect("a file");
    fs::write(mirror.path().join("pictures/part/1.jpg"), "another").expect("a file");
    let error = hub.folder("pictures").expect_err("another picture").to_string();
    assert!(error.contains("wanted 2 files whose list"), "{error}");
    assert!(hub.folder("sounds").expect_err("no such name").to_string().contains("the hub knows pictures"));
}

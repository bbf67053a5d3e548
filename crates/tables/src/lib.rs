//! Tables: comma-separated files as [polars] data frames, and data frames as tensors.
//!
//! Readers of CSV files guess: a stray word turns a column of numbers into text, a row cut short into one with missing
//! values, a file in another encoding into other words, and all of that shows much later. Here it is an error that names
//! the file, the line, what is wrong and what to do.
//!
//! ```
//! use candle_core::Device;
//! use tables::{dummies, read_csv, to_tensor};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("houses.csv");
//! std::fs::write(&file, "Alley,Rooms\nPave,2\nNA,4\n")?;
//! let houses = dummies(&read_csv(&file)?)?;
//! assert_eq!(houses.get_column_names(), ["Rooms", "Alley_Pave", "Alley_missing"]);
//! assert_eq!(to_tensor(&houses, &Device::Cpu)?.to_vec2::<f32>()?, [[2.0, 1.0, 0.0], [4.0, 0.0, 1.0]]);
//!
//! std::fs::write(&file, "Alley,Rooms\nPave,2\nNA\n")?;
//! let error = read_csv(&file).expect_err("a row that was cut short").to_string();
//! assert!(error.ends_with("houses.csv, line 3: the number of fields is 1, in the header it is 2"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv;
mod error;
mod frame;

pub use csv::{Csv, Kind, MISSING, read_csv};
pub use error::TableError;
pub use frame::{dummies, to_tensor};
pub use polars;

type Result<T> = std::result::Result<T, TableError>;

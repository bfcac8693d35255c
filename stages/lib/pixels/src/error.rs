//! What can be wrong with images, as something a person can mend.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::SchemaError;
use deepmcat_stage::{Failure, ThreadsError};

/// An error of reading images.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table is.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The file system refused; the source names the file.
    #[error("an image cannot be read\nhint: if it is missing, run ingest again")]
    Io(#[from] std::io::Error),
    /// An image of the dataset that is no grey PNG.
    #[error("{}: {reason}\nhint: the dataset was changed after ingest; run ingest again", path.display())]
    Image {
        /// The PNG.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A pixel table of another data set or network.
    #[error("{}: {reason}\nhint: run pack again", path.display())]
    OtherPixels {
        /// The table.
        path: PathBuf,
        /// What it holds.
        reason: String,
    },
    /// The system starts no such number of threads.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Schema(error) => error.is_usage(),
            Self::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
            _ => true,
        }
    }
}

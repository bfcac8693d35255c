//! What ends the stage.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::{Epoch, SchemaError};
use deepmcat_stage::{Failure, ThreadsError};

/// An error of the report stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table is.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// An image is absent or damaged.
    #[error(transparent)]
    Pixels(#[from] deepmcat_pixels::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Threads could not be started.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// A run that has no clusters yet.
    #[error("{}: no epoch has clusters and metrics yet\nhint: deepmcat run {} makes them", run.display(), run.display())]
    NothingYet {
        /// The run folder.
        run: PathBuf,
    },
    /// An epoch that has no clusters.
    #[error("{}: epoch {epoch} has no clusters and metrics\nhint: the last that has them is {last}", run.display())]
    NoEpoch {
        /// The run folder.
        run: PathBuf,
        /// The epoch asked for.
        epoch: Epoch,
        /// The last one that is there.
        last: Epoch,
    },
    /// Tables of different data sets.
    #[error("{}: image {image} is not in the manifest\nhint: give the data set that was clustered", path.display())]
    OtherImages {
        /// The assignments.
        path: PathBuf,
        /// The first such image.
        image: u32,
    },
    /// A picture that could not be encoded.
    #[error("a picture of the report could not be made: {0}")]
    Picture(String),
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) | Self::NoEpoch { .. } | Self::NothingYet { .. } | Self::OtherImages { .. } => true,
            Self::Schema(error) => error.is_usage(),
            Self::Pixels(_) | Self::Threads(_) | Self::Io(_) | Self::Picture(_) => false,
        }
    }
}

//! What ends the stage.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::SchemaError;
use deepmcat_stage::{Failure, ThreadsError};

/// An error of the map stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table is.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The features are.
    #[error(transparent)]
    Features(#[from] deepmcat_features::Error),
    /// Threads could not be started.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// Tables that are not of one fit.
    #[error("{} and {} are not of one result: {what}\nhint: give the features, assignments and clusters of one epoch", one.display(), other.display())]
    OtherFit {
        /// A folder.
        one: PathBuf,
        /// Another.
        other: PathBuf,
        /// Where they differ.
        what: String,
    },
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) | Self::OtherFit { .. } => true,
            Self::Schema(error) => error.is_usage(),
            Self::Features(error) => error.is_usage(),
            Self::Threads(_) => false,
        }
    }
}

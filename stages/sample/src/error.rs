//! What can go wrong when sampling.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::SchemaError;
use deepmcat_stage::Failure;

/// An error of the stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Nothing to draw from.
    #[error("{}: no image is assigned\nhint: run `deepmcat cluster` on a data set with images", path.display())]
    Empty {
        /// The assignments.
        path: PathBuf,
    },
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) | Self::Empty { .. } => true,
            Self::Schema(error) => error.is_usage(),
        }
    }
}

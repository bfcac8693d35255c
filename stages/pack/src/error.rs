//! What ends the stage.

use deepmcat_common::{ConfigError, Failure};
use deepmcat_schemas::SchemaError;

/// An error of the pack stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An image or the table is.
    #[error(transparent)]
    Images(#[from] deepmcat_nn::Error),
}

impl From<SchemaError> for Error {
    fn from(error: SchemaError) -> Self {
        Self::Images(error.into())
    }
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) => true,
            Self::Images(error) => error.is_usage(),
        }
    }
}

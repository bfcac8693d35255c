//! What ends the stage.

use deepmcat_common::{ConfigError, Failure};
use deepmcat_schemas::SchemaError;

/// An error of the embed stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Images, weights or arithmetic are.
    #[error(transparent)]
    Network(#[from] deepmcat_nn::Error),
}

impl From<SchemaError> for Error {
    fn from(error: SchemaError) -> Self {
        Self::Network(error.into())
    }
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) => true,
            Self::Network(error) => error.is_usage(),
        }
    }
}

//! What can go wrong when encoding, as something a person can mend.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::{ImageId, SchemaError};
use deepmcat_stage::{Failure, ThreadsError};

/// An error of the stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// An image.
    #[error(transparent)]
    Pixels(#[from] deepmcat_pixels::Error),
    /// The system starts no such number of threads.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// The file system refused; the source names the file.
    #[error("a file cannot be read")]
    Io(#[from] std::io::Error),
    /// Nothing to encode with.
    #[error("no encoder was given\nhint: --set encoder.file=efficientnet-lite0, an ONNX file, or --from FILE")]
    NoEncoder,
    /// Nothing to encode.
    #[error("{}: no images\nhint: run ingest on an archive with images", path.display())]
    Empty {
        /// The manifest.
        path: PathBuf,
    },
    /// ONNX Runtime is not there.
    #[error(
        "{}: ONNX Runtime cannot be loaded: {reason}\nhint: make setup fetches it; or set ORT_DYLIB_PATH to a libonnxruntime", path.display()
    )]
    NoRuntime {
        /// Where it was looked for.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// A network that cannot be used, or not with these settings.
    #[error("{}: {reason}", path.display())]
    Network {
        /// The ONNX file.
        path: PathBuf,
        /// What is wrong, with a hint where there is one.
        reason: String,
    },
    /// A table of features that does not fit.
    #[error("{}: {reason}\nhint: a Parquet or Arrow table needs a column image_id, key or path as the manifest has it and one list of numbers a row; an NPY file a row an image, in the manifest's order", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A feature that is no number.
    #[error(
        "the feature of image {image} is not finite\nhint: another encoder, or other values of encoder.mean and encoder.deviation"
    )]
    NonFinite {
        /// The image.
        image: ImageId,
    },
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Schema(error) => error.is_usage(),
            Self::Pixels(error) => error.is_usage(),
            Self::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
            Self::NonFinite { .. } => false,
            _ => true,
        }
    }
}

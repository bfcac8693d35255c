//! What ends the stage. What is wrong with the input is told apart from a fit that failed.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::SchemaError;
use deepmcat_stage::Failure;

/// An error of the cluster stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table is.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The device that the configuration asks for is not there.
    #[error(transparent)]
    Device(#[from] deepmcat_machine::Error),
    /// Fewer clusters than they are to be merged to.
    #[error(
        "--merge-from {from}: fewer than the {k} clusters that are to be left\nhint: give more than cluster.k, or leave --merge-from out"
    )]
    Merge {
        /// Clusters of k-means.
        from: u32,
        /// Clusters asked for.
        k: u32,
    },
    /// More clusters than smoothing can tell apart.
    #[error("smoothed features give at most {most} clusters, not {k}\nhint: set final.smooth (--smooth) to 0")]
    Smooth {
        /// Most clusters.
        most: usize,
        /// Clusters asked for.
        k: usize,
    },
    /// Fewer images than clusters.
    #[error("{}: {images} images cannot fill {k} clusters\nhint: set cluster.k to at most {images}, or ingest more images", path.display())]
    TooFewImages {
        /// The features.
        path: PathBuf,
        /// Images, n.
        images: usize,
        /// Clusters asked for.
        k: usize,
    },
    /// The features are wrong.
    #[error(transparent)]
    Features(#[from] deepmcat_features::Error),
    /// libtorch refused; its first line, without the C++ trace behind it.
    #[error("libtorch: {0}\nhint: if memory ran out, use compute.device = \"cpu\" or embed.float16 = true")]
    Torch(String),
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Self::Torch(deepmcat_machine::message(error))
    }
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) | Self::Merge { .. } | Self::Smooth { .. } | Self::TooFewImages { .. } => true,
            Self::Features(error) => error.is_usage(),
            Self::Schema(error) => error.is_usage(),
            Self::Device(error) => error.is_usage(),
            Self::Torch(_) => false,
        }
    }
}

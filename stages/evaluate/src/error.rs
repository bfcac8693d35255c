//! What can go wrong when evaluating.

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
    /// polars refused a table that fits its schema: a defect of this stage.
    #[error("{}: the assignments could not be counted", path.display())]
    Count {
        /// The assignments.
        path: PathBuf,
        /// What polars said.
        #[source]
        source: polars::error::PolarsError,
    },
    /// Assignments of other images than the manifest's.
    #[error("{}: {missing} of {images} images are not in {}\nhint: the assignments belong to another dataset; rerun embed and cluster", path.display(), other.display())]
    OtherImages {
        /// The assignments.
        path: PathBuf,
        /// The table they were joined with.
        other: PathBuf,
        /// Images without a partner.
        missing: usize,
        /// Images in all.
        images: usize,
    },
    /// Assignments and clusters that are not of the same fit.
    #[error("{}: its clusters are not those of {}\nhint: give --assignments and --clusters of the same epoch and run", path.display(), clusters.display())]
    OtherFit {
        /// The assignments.
        path: PathBuf,
        /// The clusters.
        clusters: PathBuf,
    },
    /// The figures cannot be printed: a full disk.
    #[error("the figures cannot be written to standard output")]
    Print(#[source] std::io::Error),
    /// Nothing to measure.
    #[error("{}: no image is assigned\nhint: run `deepmcat cluster` on a data set with images", path.display())]
    Empty {
        /// The assignments.
        path: PathBuf,
    },
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) | Self::OtherImages { .. } | Self::OtherFit { .. } | Self::Empty { .. } => true,
            Self::Schema(error) => error.is_usage(),
            Self::Count { .. } | Self::Print(_) => false,
        }
    }
}

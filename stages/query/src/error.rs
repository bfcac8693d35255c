//! What can go wrong when a run is asked.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::{Epoch, SchemaError};
use deepmcat_stage::Failure;

/// An error of a question.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A folder of the run; the source names it.
    #[error("the run folder could not be read")]
    Io(#[from] std::io::Error),
    /// Nothing is clustered yet.
    #[error("{0}: no epoch has assignments yet\nhint: deepmcat run {0}", run.display())]
    NoAssignments {
        /// The run folder.
        run: PathBuf,
    },
    /// An epoch that is not there.
    #[error("epoch {epoch} has no assignments\nhint: {there}")]
    NoEpoch {
        /// The epoch.
        epoch: Epoch,
        /// Which epochs there are.
        there: String,
    },
    /// No epoch lies in the range asked for.
    #[error("no epoch of --epochs has assignments\nhint: {there}")]
    NoEpochs {
        /// Which epochs there are.
        there: String,
    },
    /// An image that is not there.
    #[error(
        "no image `{image}` in this run\nhint: give an image_id from 0 to {last}, or a key of dataset/manifest.parquet"
    )]
    NoImage {
        /// As the user wrote it.
        image: String,
        /// The last image.
        last: usize,
    },
    /// A clustering that is not there.
    #[error(
        "no epoch of the query has a clustering {clustering}\nhint: give --clustering from 0 to cluster.clusterings - 1; the result has only 0"
    )]
    NoClustering {
        /// As the user wrote it.
        clustering: usize,
    },
    /// Assignments of images that the manifest does not have.
    #[error(
        "{}: image {image} is not among the {images} of the manifest\nhint: the assignments belong to another data set; deepmcat run \
         makes them again",
        path.display()
    )]
    OtherImages {
        /// The assignments.
        path: PathBuf,
        /// The image.
        image: u32,
        /// Images of the manifest.
        images: usize,
    },
    /// A query that is not one question.
    #[error(
        "`{begins}`: a query only reads\nhint: begin it with SELECT or WITH; DuckDB does more: deepmcat sql RUN --duckdb"
    )]
    NotSelect {
        /// What it begins with.
        begins: String,
    },
    /// A query that cannot be answered.
    #[error("the query cannot be answered: {reason}\nhint: {hint}")]
    Query {
        /// What polars said.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// A column that no format can hold.
    #[error("column `{column}` is of type {found}, which cannot be printed\nhint: CAST({column} AS VARCHAR)")]
    Type {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// Columns of unequal length: a defect of this program.
    #[error("the columns of the answer do not fit together: {0}")]
    Rows(String),
    /// Parquet on a terminal.
    #[error("Parquet cannot be read on a terminal\nhint: name a file: --out FILE.parquet")]
    Terminal,
    /// The answer cannot be printed: a full disk.
    #[error("the answer cannot be written to standard output")]
    Print(#[source] std::io::Error),
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Schema(error) => error.is_usage(),
            Self::Io(_) | Self::Print(_) | Self::Rows(_) => false,
            _ => true,
        }
    }
}

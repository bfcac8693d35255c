//! What can go wrong when images are put into categories.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::SchemaError;
use deepmcat_schemas::jobs::JobError;
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
    /// The job that made the result.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The log of decisions, or a run without a result.
    #[error(transparent)]
    Decisions(#[from] deepmcat_decisions::Error),
    /// The features of the result.
    #[error(transparent)]
    Features(#[from] deepmcat_features::Error),
    /// The device that the configuration asks for is not there.
    #[error(transparent)]
    Device(#[from] deepmcat_machine::Error),
    /// The file system; the source names the file.
    #[error("a file could not be read or written")]
    Io(#[from] std::io::Error),
    /// The file that says how the result was made is of another stage.
    #[error("{}: not the job of a clustering\nhint: run `deepmcat run` on that run, which writes it again", path.display())]
    OtherJob {
        /// The file.
        path: PathBuf,
    },
    /// Nothing has a name that counts.
    #[error("{}: no cluster and no image has a name{}\nhint: deepmcat names RUN ask -n 50 > todo.csv, fill it in, deepmcat names RUN import todo.csv; or categorize RUN --from-labels", path.display(), if *.older > 0 { format!(" that counts: {older} are of an earlier result (deepmcat names RUN carry)") } else { String::new() })]
    NoNames {
        /// The table of names.
        path: PathBuf,
        /// Names of clusters of an earlier result.
        older: usize,
    },
    /// No label to make categories from.
    #[error("{}: no image of the result has a label\nhint: set ingest.rules to class rules for this archive, or name clusters: deepmcat names RUN ask", path.display())]
    NoLabels {
        /// The data set.
        path: PathBuf,
    },
    /// Tables that are not of one result.
    #[error("{}: {missing} of its images are not in {}\nhint: the tables are of different runs; finish the run first: deepmcat run RUN", path.display(), other.display())]
    OtherImages {
        /// The assignments.
        path: PathBuf,
        /// What lacks images.
        other: PathBuf,
        /// How many.
        missing: usize,
    },
    /// Features of another width than the centroids, or the model.
    #[error("{}: made from features of {found} dimensions, but those of the images have {expected}\nhint: they are of different results; finish the run first: deepmcat run RUN", path.display())]
    OtherWidth {
        /// The clusters, or the model.
        path: PathBuf,
        /// Width of the features.
        expected: usize,
        /// Width there.
        found: usize,
    },
    /// No header to judge.
    #[error("{}: no image has a SeriesDescription\nhint: headers exist in DICOM archives only; the table dataset/sources has them", path.display())]
    NoHeaders {
        /// The data set.
        path: PathBuf,
    },
    /// No model where one should be.
    #[error("{}: no model is here\nhint: deepmcat categorize RUN makes RUN/model; deepmcat apply RUN --export FOLDER makes one that works without the run", path.display())]
    NoModel {
        /// The folder.
        path: PathBuf,
    },
    /// A model whose tables are not of one making.
    #[error("{}: the model is damaged: {what}\nhint: export it again: deepmcat apply RUN --export FOLDER", path.display())]
    BadModel {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// libtorch refused; its first line, without the C++ trace behind it.
    #[error("libtorch: {0}\nhint: if memory ran out, use compute.device = \"cpu\"")]
    Torch(String),
    /// stdout cannot be written.
    #[error("the figures could not be printed: stdout cannot be written")]
    Print(#[source] std::io::Error),
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Self::Torch(deepmcat_machine::message(error))
    }
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Job(_)
            | Self::OtherJob { .. }
            | Self::NoNames { .. }
            | Self::NoLabels { .. }
            | Self::OtherImages { .. }
            | Self::OtherWidth { .. }
            | Self::NoHeaders { .. }
            | Self::NoModel { .. }
            | Self::BadModel { .. } => true,
            Self::Schema(error) => error.is_usage(),
            Self::Decisions(error) => error.is_usage(),
            Self::Features(error) => error.is_usage(),
            Self::Device(error) => error.is_usage(),
            Self::Io(_) | Self::Torch(_) | Self::Print(_) => false,
        }
    }
}

//! What ends the stages that work on weights, as something a person can mend.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::{ImageId, SchemaError};
use deepmcat_stage::Failure;

/// An error of the network or of what feeds it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table, or a checkpoint that cannot be written.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// An image cannot be read.
    #[error(transparent)]
    Pixels(#[from] deepmcat_pixels::Error),
    /// The machine has not what is asked for.
    #[error(transparent)]
    Machine(#[from] deepmcat_machine::Error),
    /// The file system refused; the source names the file.
    #[error("a checkpoint cannot be read\nhint: if it is missing, run the stage that writes it first")]
    Io(#[from] std::io::Error),
    /// libtorch refused; its first line, without the C++ trace behind it.
    #[error("libtorch: {0}\nhint: if memory ran out, lower embed.batch or train.batch")]
    Torch(String),
    /// A table names an image that the manifest does not hold.
    #[error(
        "image {id} is not in the manifest, which holds {images} images\nhint: the samples were drawn from another dataset; run embed, cluster and sample again"
    )]
    UnknownImage {
        /// The image.
        id: ImageId,
        /// Rows of the manifest.
        images: usize,
    },
    /// Draws with different numbers of pseudo-labels.
    #[error("{}: draws differ in how many clusterings they have\nhint: run cluster and sample of that epoch again", path.display())]
    Clusterings {
        /// The samples.
        path: PathBuf,
    },
    /// There is nothing to work on.
    #[error("{}: holds no row\nhint: run the stage that writes it on an input that gives images", path.display())]
    Empty {
        /// The table.
        path: PathBuf,
    },
    /// The file is there but is no safetensors file.
    #[error("{}: not a readable safetensors file: {reason}\nhint: it is damaged; delete its folder and run train for that epoch again", path.display())]
    Unreadable {
        /// The checkpoint file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// A checkpoint of another format version.
    #[error("{}: expected {expected}, found {found}\nhint: run train with this version of deepmcat again", path.display())]
    Version {
        /// The checkpoint file.
        path: PathBuf,
        /// Wanted, as `checkpoint v1`.
        expected: String,
        /// Found.
        found: String,
    },
    /// A checkpoint's tensor does not fit the network that the configuration asks for.
    #[error("{}: tensor `{tensor}`: expected {expected}, found {found}\nhint: the checkpoint was made with other [network] settings; use those, or train again", path.display())]
    Tensor {
        /// The checkpoint file.
        path: PathBuf,
        /// The tensor's name, as PyTorch has it.
        tensor: String,
        /// Wanted type and shape.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Arithmetic left the finite numbers.
    #[error("{what} is not finite\nhint: lower train.rate or train.head_rate, or use compute.precision = \"float32\"")]
    NonFinite {
        /// Which value, and where.
        what: String,
    },
    /// The thread that prepares batches ended without a word: a defect.
    #[error("the thread that prepares batches ended early\nhint: report this, with the stage's log")]
    Producer,
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Self::Torch(deepmcat_machine::message(error))
    }
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Schema(error) => error.is_usage(),
            Self::Pixels(error) => error.is_usage(),
            Self::Machine(error) => error.is_usage(),
            Self::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
            Self::Torch(_) | Self::NonFinite { .. } | Self::Producer => false,
            _ => true,
        }
    }
}

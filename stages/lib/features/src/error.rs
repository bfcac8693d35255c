//! What can be wrong with features.

use std::path::PathBuf;

use deepmcat_schemas::{ImageId, SchemaError};

/// An error of features.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table is wrong.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A part of the features with vectors of another width than the first part's.
    #[error("{}: features of {found} dimensions, expected {expected} as in part 0\nhint: the parts are of different runs of embed; run all its shards again", path.display())]
    Dimensions {
        /// The part.
        path: PathBuf,
        /// Width in the first part.
        expected: usize,
        /// Width here.
        found: usize,
    },
    /// An image with two feature vectors.
    #[error("{}: image {image} has more than one row\nhint: the parts are of different runs of embed; run all its shards again", path.display())]
    Duplicate {
        /// The folder of features.
        path: PathBuf,
        /// The first such image.
        image: ImageId,
    },
    /// A feature table that lacks images of the first.
    #[error("{} lacks features of some images of {}\nhint: give tables of features of one data set, the one with the fewest images first", other.display(), one.display())]
    OtherImages {
        /// The first folder.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// Features that are not numbers, or too large to be squared.
    #[error("{}: {rows} feature vectors are not finite, the first of them of image {image}\nhint: training has diverged; lower train.rate or use compute.precision = \"float32\", and train again from the previous checkpoint", path.display())]
    NonFinite {
        /// The part that holds the first of them.
        path: PathBuf,
        /// The image of that row.
        image: ImageId,
        /// How many rows, in all parts.
        rows: usize,
    },
    /// libtorch refused; its first line, without the C++ trace behind it.
    #[error("libtorch: {0}\nhint: if memory ran out, use compute.device = \"cpu\" or embed.float16 = true")]
    Torch(String),
}

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        Self::Torch(deepmcat_machine::message(error))
    }
}

impl Error {
    /// True for what a person has to mend first.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Dimensions { .. } | Self::Duplicate { .. } | Self::OtherImages { .. } => true,
            Self::Schema(error) => error.is_usage(),
            Self::NonFinite { .. } | Self::Torch(_) => false,
        }
    }
}

//! What can go wrong with an audit.

use std::path::PathBuf;

use deepmcat_schemas::SchemaError;
use deepmcat_stage::Failure;

/// An error of the program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table or file.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The file system; the source names the file.
    #[error("a file could not be read or written")]
    Io(#[from] std::io::Error),
    /// Nothing to audit.
    #[error("{}: no categories are here\nhint: deepmcat categorize RUN makes them", path.display())]
    NoCategories {
        /// The run folder.
        path: PathBuf,
    },
    /// Categories of other images than the data set has.
    #[error("{}: its categories are of images that are not in the data set\nhint: update them: deepmcat categorize RUN", path.display())]
    OtherImages {
        /// The run folder.
        path: PathBuf,
    },
    /// Every image was named by a person, or is novel.
    #[error("{}: there is nothing to draw: every image was named by a person, or is unlike all others", path.display())]
    NothingToDraw {
        /// The run folder.
        path: PathBuf,
    },
    /// Answers without a draw.
    #[error("{}: no images have been drawn yet\nhint: deepmcat audit RUN draw > audit.csv", path.display())]
    NoSample {
        /// The run folder.
        path: PathBuf,
    },
    /// The categories are others than those that were drawn.
    #[error("{}: {changed} of the drawn images have another category or confidence now\nhint: names were given since; draw again: deepmcat audit RUN draw", path.display())]
    Changed {
        /// The run folder.
        path: PathBuf,
        /// How many.
        changed: usize,
    },
    /// A file that is no CSV.
    #[error("{}: not a readable CSV file\nhint: save it as CSV in UTF-8, with the columns image,answer", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: csv::Error,
    },
    /// A CSV without a column.
    #[error("{}: no column `{column}`\nhint: fill in the file that `deepmcat audit RUN draw` wrote", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// An image that was not drawn.
    #[error("{}: line {line}: image `{image}` was not drawn\nhint: an audit counts drawn images only; the last draw is RUN/audit-sample", path.display())]
    NotDrawn {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The image's key.
        image: String,
    },
    /// Two answers for one image.
    #[error("{}: line {line}: image `{image}` has two answers", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The line of the second.
        line: u64,
        /// The image's key.
        image: String,
    },
    /// Drawn images without an answer.
    #[error("{}: {missing} of {drawn} drawn images have no answer\nhint: answer all, because the missing ones may be the wrong ones; `no` where you cannot tell", path.display())]
    Unanswered {
        /// The file.
        path: PathBuf,
        /// How many.
        missing: usize,
        /// Of how many.
        drawn: usize,
    },
    /// stdout cannot be written.
    #[error("the answer could not be printed: stdout cannot be written")]
    Print(#[source] std::io::Error),
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Schema(error) => error.is_usage(),
            Self::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
            Self::Print(_) => false,
            _ => true,
        }
    }
}

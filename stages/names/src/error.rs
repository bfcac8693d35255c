//! What can go wrong with names.

use std::path::PathBuf;

use deepmcat_schemas::SchemaError;
use deepmcat_stage::Failure;

/// An error of the program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log, or the result that it is about.
    #[error(transparent)]
    Decisions(#[from] deepmcat_decisions::Error),
    /// A table or file.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The file system; the source names the file.
    #[error("a file could not be read or written")]
    Io(#[from] std::io::Error),
    /// A file that is no CSV.
    #[error("{}: not a readable CSV file\nhint: save it as CSV in UTF-8, with the columns what,category", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: csv::Error,
    },
    /// Names of what this run does not have.
    #[error("{}: {count} rows match nothing in this run, the first on line {line}: `{word}`\nhint: a row begins with the number of a cluster of the result, or with an image's key in dataset/manifest.parquet; nothing was imported", path.display())]
    Unknown {
        /// The CSV.
        path: PathBuf,
        /// Rows.
        count: usize,
        /// The line of the first.
        line: u64,
        /// What stands there.
        word: String,
    },
    /// Two names for one thing.
    #[error("{}: `{word}` is called `{one}` on line {line} and `{other}` on line {again}\nhint: leave one of them; nothing was imported", path.display())]
    Twice {
        /// The CSV.
        path: PathBuf,
        /// The cluster or image.
        word: String,
        /// Its first name.
        one: String,
        /// The line of that.
        line: u64,
        /// Its second name.
        other: String,
        /// The line of that.
        again: u64,
    },
    /// stdout cannot be written.
    #[error("the answer could not be printed: stdout cannot be written")]
    Print(#[source] std::io::Error),
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Decisions(error) => error.is_usage(),
            Self::Schema(error) => error.is_usage(),
            Self::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
            Self::Csv { .. } | Self::Unknown { .. } | Self::Twice { .. } => true,
            Self::Print(_) => false,
        }
    }
}

//! What can go wrong with decisions.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_schemas::{Epoch, SchemaError};

/// An error of the log or of the result that it is about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration of the run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The file system; the source names the file.
    #[error("the log of decisions could not be read or written; confirmed decisions are kept")]
    Io(#[from] std::io::Error),
    /// A run without a result.
    #[error("{}: this run has no result yet: no assignments of epoch {epoch}\nhint: finish it first: deepmcat run {}", run.display(), run.display())]
    NoResult {
        /// The run folder.
        run: PathBuf,
        /// The epoch that gives the result.
        epoch: Epoch,
    },
    /// A line of the log that is no decision, with others behind it.
    #[error("{}: line {line} is not a decision ({reason})\nhint: the file was changed by another program or is of a newer deepmcat; correct that line, or restore the file from a copy. Nothing was written", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A log that became shorter while it was open.
    #[error("{}: the log of decisions is shorter than it was\nhint: another program writes it; restore it from a copy", path.display())]
    Shorter {
        /// The log.
        path: PathBuf,
    },
    /// A name that is none.
    #[error("`{name}` cannot be a category: {reason}\nhint: give a name of 1 to 200 characters on one line")]
    BadName {
        /// The name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// More decisions to undo than there are.
    #[error("{asked} decisions to undo, but there are only {there}\nhint: deepmcat names RUN log lists them")]
    NothingToUndo {
        /// How many were asked for.
        asked: usize,
        /// How many there are.
        there: usize,
    },
    /// Others have decided since.
    #[error(
        "decision {last} was made in the meantime, and {seen} was the last one seen\nhint: look at it, then decide again"
    )]
    Stale {
        /// The last decision that was seen.
        seen: u64,
        /// The last one that there is.
        last: u64,
    },
    /// A run whose images have no key in common with another's.
    #[error("{}: none of its images is in {}\nhint: names are carried over by image keys, which two runs share if they were ingested from the same archive with the same key (ingest.key_file)", from.display(), run.display())]
    OtherImages {
        /// The run that names come from.
        from: PathBuf,
        /// The run that they go to.
        run: PathBuf,
    },
}

impl Error {
    /// True for what trying again cannot mend.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Schema(error) => error.is_usage(),
            Self::Io(_) => false,
            _ => true,
        }
    }
}

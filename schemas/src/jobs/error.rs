//! What can be wrong with the file of a job.

use std::path::PathBuf;

use super::OutOfRange;

/// An error of reading a job: always the user's to mend.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The file cannot be read; the source names it.
    #[error(
        "the job cannot be read\nhint: jobs are in RUN/nodes once `deepmcat run` or `deepmcat export` has written them"
    )]
    Io(#[from] std::io::Error),
    /// The file is no TOML, or no job.
    #[error("{}: {message}\nhint: `deepmcat run` writes jobs; change a copy of one, and no names in it", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What was expected.
        message: String,
    },
    /// A setting that its stage cannot work with.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A job of another version of its stage's results.
    #[error("{}: asks for results of version {found}, but this program gives {own}\nhint: let `deepmcat run` write it again", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The version that it asks for.
        found: String,
        /// This program's.
        own: u32,
    },
    /// A job of another stage.
    #[error("{}: is a job of {stage}\nhint: deepmcat-{stage} --job {}", path.display(), path.display())]
    OtherStage {
        /// The file.
        path: PathBuf,
        /// The stage that does it.
        stage: &'static str,
    },
    /// A job whose paths start nowhere.
    #[error("{}: not in the folder `nodes` of a run, so it is not known where its paths start\nhint: --run RUN", path.display())]
    NoRun {
        /// The file.
        path: PathBuf,
    },
}

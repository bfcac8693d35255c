//! What ends the stage. A bad input file never does: it becomes a [`crate::Reject`].

use std::path::{Path, PathBuf};

use deepmcat_common::{ConfigError, Failure};
use deepmcat_schemas::SchemaError;

/// An error of the ingest stage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table cannot be written.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The file system refused.
    #[error("{context}")]
    Io {
        /// What was being done.
        context: String,
        /// The operating system's answer, which names the file.
        #[source]
        source: std::io::Error,
    },
    /// An INPUT that is not there.
    #[error("{}: no such file or folder\nhint: give a folder or a file that exists and that you may read", path.display())]
    NoInput {
        /// As the user wrote it.
        path: PathBuf,
    },
    /// An INPUT that lies in another: its files would count twice.
    #[error("{}: lies inside the input {}\nhint: leave the inner one out", inner.display(), outer.display())]
    Overlap {
        /// The inner input.
        inner: PathBuf,
        /// The outer input.
        outer: PathBuf,
    },
    /// The data set would be written into what is read.
    #[error("{}: the data set would lie inside the input {}\nhint: give --out another folder", out.display(), input.display())]
    OutInsideInput {
        /// `--out`.
        out: PathBuf,
        /// The input around it.
        input: PathBuf,
    },
    /// `--out` holds something else.
    #[error("{}: {found}, not a data set of deepmcat\nhint: nothing was changed; give --out a new or an empty folder", out.display())]
    NotADataset {
        /// `--out`.
        out: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// Another ingest writes there.
    #[error("{}: another ingest is writing there\nhint: wait for it, or give another --out folder", out.display())]
    Busy {
        /// `--out`.
        out: PathBuf,
    },
    /// A class rule that cannot be used.
    #[error(
        "{origin}: line {line}: {message}\nhint: a rule has `field`, `pattern` and either `class` or `exclude = true`"
    )]
    Rule {
        /// The rules file or the built-in name.
        origin: String,
        /// Line in it, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The rules are neither built in nor a file.
    #[error(
        "class rules `{name}`: neither built in ({built_in}) nor a file that can be read\nhint: check the path given as ingest.rules"
    )]
    NoRules {
        /// As the user wrote it.
        name: String,
        /// The built-in names.
        built_in: String,
        /// Why the file cannot be read.
        #[source]
        source: std::io::Error,
    },
    /// The key file is unusable.
    #[error("{}: {found}, expected at least 16 bytes\nhint: make one with `head -c 32 /dev/urandom > {}`", path.display(), path.display())]
    KeyFile {
        /// `--key-file`.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// Two images have the same 64-bit key.
    #[error(
        "{source_file}: its image key {key} is that of another image too\nhint: give another --key-file or run.seed"
    )]
    Collision {
        /// Source of one of the two.
        source_file: String,
        /// The key.
        key: String,
    },
    /// Nothing came of the input.
    #[error(
        "no image in {inputs} input files ({reasons})\nhint: rejects.parquet in the --out folder says why for each file"
    )]
    NoImages {
        /// Files found.
        inputs: usize,
        /// Rejects by reason.
        reasons: String,
    },
    /// The thread pool cannot be made.
    #[error("cannot start {threads} threads\nhint: lower compute.threads")]
    Threads {
        /// As configured; 0: all cores.
        threads: u32,
        /// The pool's answer.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}

impl Error {
    /// An I/O error with the file it is about.
    pub(crate) fn io(path: &Path, action: &str, source: std::io::Error) -> Self {
        Self::Io { context: format!("{}: cannot be {action}", path.display()), source }
    }
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::NoInput { .. }
            | Self::Overlap { .. }
            | Self::OutInsideInput { .. }
            | Self::NotADataset { .. }
            | Self::Busy { .. }
            | Self::Rule { .. }
            | Self::NoRules { .. }
            | Self::KeyFile { .. }
            | Self::Collision { .. }
            | Self::NoImages { .. } => true,
            Self::Schema(error) => error.is_usage(),
            Self::Io { .. } | Self::Threads { .. } => false,
        }
    }
}

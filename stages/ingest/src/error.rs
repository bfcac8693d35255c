//! What ends the stage. A bad input file never does: it becomes a [`crate::Reject`].

use std::path::{Path, PathBuf};

use deepmcat_config::ConfigError;
use deepmcat_schemas::SchemaError;
use deepmcat_stage::Failure;

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
    /// Two inputs, or two images, have the same 64-bit key: by chance, once in some million archives.
    #[error("two {what} have the same key {key}\nhint: give another --key-file (ingest.key_file)")]
    Collision {
        /// `inputs` or `images`.
        what: &'static str,
        /// The key.
        key: String,
    },
    /// The data set that is there was made with another key: all names in it would change.
    #[error(
        "{}: the data set there was made with another key, and all names in it would change; nothing was changed\nhint: give the key file that it was made with (ingest.key_file, --key-file), or --fresh to make it again under new names",
        out.display()
    )]
    OtherKey {
        /// `--out`.
        out: PathBuf,
    },
    /// The archive gives no image any more: it is not mounted, or the rules exclude all. The data set stays.
    #[error(
        "no image in {inputs} input files ({reasons}), and the data set in {} has {images}; it was left unchanged\nhint: is the archive mounted? do the class rules exclude everything? To start over, remove the data set's folder",
        out.display()
    )]
    NothingLeft {
        /// `--out`.
        out: PathBuf,
        /// Files found.
        inputs: usize,
        /// Rejects by reason.
        reasons: String,
        /// Images of the data set that stays.
        images: usize,
    },
    /// One of several inputs holds no file any more: it is not mounted. The data set stays.
    #[error(
        "{}: there is no file in it now, and {files} inputs of the data set in {} came from it; the data set was left unchanged\nhint: is it mounted? If its files are meant to go, leave it out of the inputs",
        input.display(),
        out.display()
    )]
    EmptyNow {
        /// The input.
        input: PathBuf,
        /// `--out`.
        out: PathBuf,
        /// Files of it that the data set knows.
        files: usize,
    },
    /// The figures cannot be printed.
    #[error("the counts cannot be written to standard output")]
    Print(#[source] std::io::Error),
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
            | Self::OtherKey { .. }
            | Self::NothingLeft { .. }
            | Self::EmptyNow { .. }
            | Self::NoImages { .. } => true,
            Self::Schema(error) => error.is_usage(),
            Self::Io { .. } | Self::Threads { .. } | Self::Print(_) => false,
        }
    }
}

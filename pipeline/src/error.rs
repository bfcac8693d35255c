//! What can go wrong in the runner.

use std::path::PathBuf;

use deepmcat_config::{BUILT_IN_ENCODER, ConfigError, RULES};
use deepmcat_schemas::{Epoch, SchemaError, jobs};
use deepmcat_stage::Failure;

/// An error of the runner.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A table.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The file system; the source names the file.
    #[error("the run folder could not be read or written{}", hint(.0))]
    Io(#[from] std::io::Error),
    /// Two servers in one run.
    #[error("two addresses of servers\nhint: make a run for each")]
    TwoServers,
    /// A machine that no run works on.
    #[error("{bad} of the things that a run needs are missing\nhint: the lines marked BAD say what to do")]
    Unwell {
        /// How many findings are bad.
        bad: usize,
    },
    /// Training has come to nothing.
    #[error(
        "epoch {epoch}: {why}; finished work is kept\nhint: training cannot recover from this; use a lower rate: deepmcat run {} --set train.rate=...", path.display()
    )]
    Collapsed {
        /// The run folder.
        path: PathBuf,
        /// The epoch.
        epoch: Epoch,
        /// What is wrong with it.
        why: String,
    },
    /// A signal ended the run.
    #[error("stopped; finished work is kept\nhint: continue with: deepmcat run {}", path.display())]
    Stopped {
        /// The run folder.
        path: PathBuf,
        /// The signal.
        signal: i32,
    },
    /// `--only` without what it needs.
    #[error("{node} needs {needs}, which is not done ({state})\nhint: --until {node} also runs what it needs")]
    LeftOut {
        /// The node.
        node: String,
        /// The node that it needs.
        needs: String,
        /// Why that is not done.
        state: String,
    },
    /// The result of a run, or its decisions.
    #[error(transparent)]
    Decisions(#[from] deepmcat_decisions::Error),
    /// Neither a run nor a model.
    #[error("{}: neither a run with categories nor a model\nhint: deepmcat categorize RUN puts the images of a finished run into categories", path.display())]
    NoModel {
        /// The folder.
        path: PathBuf,
    },
    /// Categories that are not of the run's result.
    #[error("{}: its categories are of an earlier result\nhint: update them: deepmcat names RUN carry, then deepmcat categorize RUN", path.display())]
    OldCategories {
        /// The run folder.
        path: PathBuf,
    },
    /// What a model consists of is not there.
    #[error("{}: missing, and the model needs it\nhint: {hint}", path.display())]
    NoPart {
        /// The file or folder.
        path: PathBuf,
        /// What brings it back.
        hint: &'static str,
    },
    /// A folder that a model would replace.
    #[error("{}: exists already\nhint: name another folder, or remove it", path.display())]
    ModelExists {
        /// The folder.
        path: PathBuf,
    },
    /// `apply` into a run that learns.
    #[error("{}: a run that does not apply a model is here\nhint: name another --out", path.display())]
    NotApplied {
        /// The run folder.
        path: PathBuf,
    },
    /// `init` on a run that exists.
    #[error("{}: there is a run here already\nhint: continue it with `deepmcat run`, or name another --run", path.display())]
    RunExists {
        /// The run folder.
        path: PathBuf,
    },
    /// An input that is not there.
    #[error("{}: no such file or folder\nhint: correct the path; in a run it is input.paths of run.toml", path.display())]
    NoInput {
        /// The input.
        path: PathBuf,
    },
    /// A file that a setting names and that is not there.
    #[error(
        "{}: no such file\nhint: {setting} names it; give {}the path of a file", path.display(),
        match *setting {
            jobs::RULES => format!("one of {}, or ", RULES.join(", ")),
            jobs::ENCODER => format!("{BUILT_IN_ENCODER}, which make setup fetches, or "),
            _ => String::new(),
        }
    )]
    NoFile {
        /// The file.
        path: PathBuf,
        /// `section.key`.
        setting: &'static str,
    },
    /// A path that TOML cannot hold.
    #[error(
        "{}: the path is not UTF-8, and run.toml cannot hold it\nhint: name a folder above it whose path is UTF-8, or a link to it",
        path.display()
    )]
    NotUtf8 {
        /// The path, as far as it can be shown.
        path: PathBuf,
    },
    /// stdout cannot be written.
    #[error("the answer could not be printed: stdout cannot be written")]
    Print(#[source] std::io::Error),
    /// A run without input.
    #[error("{}: input.paths is empty\nhint: name the folders to categorise there, or a server in input.server", path.display())]
    EmptyInput {
        /// run.toml.
        path: PathBuf,
    },
    /// Another runner works on the run.
    #[error("{}: another deepmcat (process {holder}) works on this run\nhint: wait for it, or stop it first", path.display())]
    Locked {
        /// The run folder.
        path: PathBuf,
        /// Its process number, as it wrote it.
        holder: String,
    },
    /// A stage binary that is not installed.
    #[error(
        "deepmcat-{stage}: no such program beside deepmcat or on PATH\nhint: build all stages (`make build`), or check the spelling: deepmcat --help"
    )]
    NoStage {
        /// The stage.
        stage: String,
    },
    /// A stage binary that does not start.
    #[error("{}: could not be started", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A node that the DAG does not have.
    #[error("no node `{node}` in this run\nhint: {there}; `deepmcat dag RUN` lists all nodes")]
    NoNode {
        /// As the user wrote it.
        node: String,
        /// What there is in its place.
        there: String,
    },
    /// A word that cannot be a node of any run.
    #[error(
        "`{node}` is not a node\nhint: STAGE, STAGE@EPOCH, STAGE@raw or STAGE@encoder, where STAGE is one of {stages}"
    )]
    BadNode {
        /// As the user wrote it.
        node: String,
        /// The names of all stages.
        stages: String,
    },
    /// A stage that ended well and did not write what it has to.
    #[error("{node} ended without an error but did not write {}\nhint: its log is {}", path.display(), log.display())]
    NoOutput {
        /// The node.
        node: String,
        /// Below the run folder.
        path: PathBuf,
        /// Its log.
        log: PathBuf,
    },
    /// A stage that failed.
    #[error("{node} failed: {how}\n{tail}\nhint: the whole log is {}", log.display())]
    NodeFailed {
        /// The node.
        node: String,
        /// Exit code or signal.
        how: String,
        /// Last lines of its log.
        tail: String,
        /// Its log.
        log: PathBuf,
        /// True where trying again cannot help.
        usage: bool,
    },
    /// A receipt that is no receipt.
    #[error("{}: not a receipt\nhint: delete it; the node then runs again", path.display())]
    BadReceipt {
        /// The file.
        path: PathBuf,
        /// What JSON said.
        #[source]
        source: serde_json::Error,
    },
    /// Receipts of another version of deepmcat.
    #[error("{}: the receipts of this run are of another version of deepmcat, which identified nodes by other settings\nhint: start again: remove {}/receipts, and `deepmcat run` computes everything again", run.display(), run.display())]
    OtherReceipts {
        /// The run folder.
        run: PathBuf,
    },
}

/// What to do about the file system's commonest answers.
fn hint(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => {
            "\nhint: the disk is full; finished work is kept. Make room (`deepmcat gc` lists what may be removed), then run again"
        }
        ReadOnlyFilesystem | PermissionDenied => {
            "\nhint: the folder may not be written; finished work is kept. Restore its permission, then run again"
        }
        _ => "",
    }
}

impl Failure for Error {
    fn is_usage(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::TwoServers
            | Self::RunExists { .. }
            | Self::NoModel { .. }
            | Self::OldCategories { .. }
            | Self::NoPart { .. }
            | Self::ModelExists { .. }
            | Self::NotApplied { .. }
            | Self::NoInput { .. }
            | Self::NoFile { .. }
            | Self::NotUtf8 { .. }
            | Self::BadNode { .. }
            | Self::EmptyInput { .. }
            | Self::NoStage { .. }
            | Self::NoNode { .. }
            | Self::LeftOut { .. }
            | Self::OtherReceipts { .. } => true,
            Self::Schema(error) => error.is_usage(),
            Self::Decisions(error) => error.is_usage(),
            Self::NodeFailed { usage, .. } => *usage,
            Self::Unwell { .. }
            | Self::Collapsed { .. }
            | Self::Io(_)
            | Self::Print(_)
            | Self::NoOutput { .. }
            | Self::Stopped { .. }
            | Self::Locked { .. }
            | Self::Start { .. }
            | Self::BadReceipt { .. } => false,
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped { signal, .. } => 128 + u8::try_from(*signal).unwrap_or_default(),
            error if error.is_usage() => 2,
            _ => 1,
        }
    }
}

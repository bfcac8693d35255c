//! What can be wrong with a configuration.

use std::path::PathBuf;

use deepmcat_schemas::jobs::OutOfRange;

/// An error of resolving a configuration: always the user's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No preset has this name.
    #[error("unknown preset `{name}`\nhint: one of {known}")]
    UnknownPreset {
        /// As the user wrote it.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The file cannot be read; the source names it.
    #[error("the configuration cannot be read")]
    Io(#[from] std::io::Error),
    /// The text is not TOML, or a value has the wrong type; the message names the line.
    #[error("{origin}: {message}")]
    Invalid {
        /// File, preset or `--set`.
        origin: String,
        /// Line and what was expected.
        message: String,
    },
    /// A key that no setting has.
    #[error("{origin}: unknown setting `{key}`\nhint: {}", match suggestion {
        Some(setting) => format!("did you mean `{setting}`?"),
        None => "remove it; this version has no such setting".to_owned(),
    })]
    UnknownKey {
        /// File, preset or `--set`.
        origin: String,
        /// `section.key` as the user wrote it.
        key: String,
        /// The setting with the nearest name.
        suggestion: Option<String>,
    },
    /// `--set` without `section.key=value`.
    #[error("--set {text}: expected SECTION.KEY=VALUE\nhint: for example --set cluster.k=24")]
    BadSet {
        /// As the user wrote it.
        text: String,
    },
    /// A value that no stage can work with.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A configuration file is needed and there is none.
    #[error("{}: no run.toml here\nhint: make one with `deepmcat init FOLDER --run RUN`", path.display())]
    NoRun {
        /// The run folder.
        path: PathBuf,
    },
}

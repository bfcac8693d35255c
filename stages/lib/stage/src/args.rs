//! Arguments that every stage takes.

use std::path::PathBuf;

use deepmcat_config::{Config, ConfigError};

/// Configuration and verbosity, the same for every stage.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CommonArgs {
    /// Configuration file, for example RUN/run.toml [default: the settings of the preset]
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// Preset to start from: paper, balanced, large, small, small-data, quick, demo, ci [default: paper]
    #[arg(long, value_name = "NAME", help_heading = "Configuration")]
    pub preset: Option<String>,
    /// Override one setting, for example --set cluster.k=24 (may be repeated)
    #[arg(long, value_name = "SECTION.KEY=VALUE", help_heading = "Configuration")]
    pub set: Vec<String>,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: Verbosity,
}

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Verbosity {
    /// Say more on stderr
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say only warnings and errors on stderr
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Logs as text, or as one JSON object a line
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: timestamp, level, message and fields.
    Json,
}

impl CommonArgs {
    /// The resolved configuration: preset, then file, then `--set`.
    ///
    /// # Errors
    /// When the preset or a key is unknown, the file is absent or no TOML, or a value is out of range.
    pub fn config(&self) -> Result<Config, ConfigError> {
        deepmcat_config::resolve(self.preset.as_deref(), self.config.as_deref(), &self.set).map(|(config, _)| config)
    }
}

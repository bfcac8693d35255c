//! What every stage binary shares: arguments, configuration, logs, progress, random numbers, exit codes.

mod args;
pub mod config;
mod exit;
mod json_log;
mod machine;
mod parent;
mod progress;
pub mod random;
mod shard;
mod stdout;
mod timings;

pub use args::{CommonArgs, LogFormat, Verbosity};
pub use config::{
    Augment, Cluster, Compute, Config, ConfigError, Embed, FeatureLayer, Final, Frames, Ingest, Input, LastLayer,
    Network, Pipeline, Precision, Retention, Run, Sample, Schedule, Start, Train,
};
pub use config::{RULES, result_version};
pub use exit::{Failure, main, main_with, print_error};
pub use machine::has_bfloat16;
pub use parent::{CARD, PARENT_WATCH};
pub use progress::Progress;
pub use shard::Shard;
pub use stdout::print;
pub use timings::Timings;

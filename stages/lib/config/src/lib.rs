//! The configuration: typed sections, resolved from a preset, a file and `--set`, with comments kept.
//!
//! `data/presets/paper.toml` holds every setting with its meaning and the paper's value; it is the only place
//! where a default is written. The other presets and a user's file name what differs.

mod error;
mod presets;
mod processor;
mod reads;
mod resolve;
mod sections;

pub use error::ConfigError;
pub use presets::{PRESETS, preset};
pub use processor::has_bfloat16;
pub use reads::{RULES, result_version};
pub use resolve::resolve;
pub use sections::{
    Augment, Cluster, Compute, Config, Embed, FeatureLayer, Final, Frames, Ingest, Input, LastLayer, Network, Pipeline,
    Precision, Retention, Run, Sample, Schedule, Start, Train,
};

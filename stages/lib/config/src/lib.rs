//! The configuration of a run: typed sections, resolved from a preset, a file and `--set`, with comments kept; and the
//! jobs that they come to.
//!
//! `data/presets/paper.toml` holds every setting with its meaning and the paper's value; it is the only place
//! where a default is written. The other presets and a user's file name what differs.

mod error;
mod jobs;
mod presets;
mod processor;
mod resolve;
mod sections;
mod track;

pub use error::ConfigError;
pub use jobs::{BUILT_IN_ENCODER, RULES, built_in_encoder, encoders, onnx_runtime};
pub use presets::{PRESETS, preset};
pub use processor::has_bfloat16;
pub use resolve::resolve;
pub use sections::{
    Augment, Compute, Config, Embed, Encoder, Fetch, Final, Ingest, Input, Network, Pipeline, Precision, Retention,
    Run, Train,
};
pub use track::Track;

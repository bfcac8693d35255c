//! The command line of `deepmcat-train`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_schemas::Epoch;
use deepmcat_stage::CommonArgs;

/// Trains the network for one epoch on pseudo-labels, in the order of the samples; or draws the initial weights.
///
/// The last layer is new at each epoch or kept (train.head); the optimiser of the rest goes on from the checkpoint that --weights names.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deepmcat-train",
    version,
    after_help = "Examples:\n  deepmcat-train --init --out run/checkpoints/initial --config run/run.toml\n  \
                  deepmcat-train --dataset run/dataset --samples run/samples/epoch=7 --weights run/checkpoints/epoch=6 \
                  --epoch 7 --out run/checkpoints/epoch=7 --training run/training/epoch=7 --config run/run.toml"
)]
pub struct Args {
    /// Only draw the initial weights
    #[arg(long, conflicts_with_all = ["dataset", "samples", "weights", "training"])]
    pub init: bool,
    /// Folder of the data set
    #[arg(long, value_name = "DATASET", required_unless_present = "init")]
    pub dataset: Option<PathBuf>,
    /// Folder of the pixel table that deepmcat-pack wrote; without it, PNGs are decoded
    #[arg(long, value_name = "FOLDER", conflicts_with = "init")]
    pub pixels: Option<PathBuf>,
    /// Folder of the samples: the training order and its pseudo-labels
    #[arg(long, value_name = "FOLDER", required_unless_present = "init")]
    pub samples: Option<PathBuf>,
    /// Checkpoint folder to start from
    #[arg(long, value_name = "CHECKPOINT", required_unless_present = "init")]
    pub weights: Option<PathBuf>,
    /// Epoch, which numbers every draw; with --init the first one of the network [there by default: 0]
    #[arg(long, value_name = "T", required_unless_present = "init")]
    pub epoch: Option<Epoch>,
    /// Checkpoint folder to write
    #[arg(long, value_name = "CHECKPOINT")]
    pub out: PathBuf,
    /// Folder of the training table to write: loss of every step
    #[arg(long, value_name = "FOLDER", required_unless_present = "init")]
    pub training: Option<PathBuf>,
    /// Features that the pseudo-labels are from, to be brought up to date as embed.memory says
    #[arg(long, value_name = "FOLDER", requires = "next_features", conflicts_with = "init")]
    pub features: Option<PathBuf>,
    /// Folder of the feature table to write: those of --features after the epoch
    #[arg(long, value_name = "FOLDER", requires = "features")]
    pub next_features: Option<PathBuf>,
    /// Configuration and verbosity.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

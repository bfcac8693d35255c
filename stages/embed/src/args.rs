//! The command line of `deepmcat-embed`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_schemas::Epoch;
use deepmcat_stage::{CommonArgs, Shard};

/// Turns the images of a data set into l2-normalised features: one row an image, in the manifest's order.
///
/// The network runs in evaluation mode. Images are augmented as embed.augment says, with draws of their own at each
/// epoch; --clean shows the network the whole image instead. --raw uses no network: 32 x 32 pixels, z-scored.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deepmcat-embed",
    version,
    after_help = "Example: deepmcat-embed --dataset run/dataset --weights run/checkpoints/epoch=6 --epoch 7 \
                  --out run/features/epoch=7 --config run/run.toml"
)]
pub struct Args {
    /// Folder of the data set
    #[arg(long, value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Folder of the pixel table that deepmcat-pack wrote; without it, PNGs are decoded
    #[arg(long, value_name = "FOLDER", conflicts_with = "raw")]
    pub pixels: Option<PathBuf>,
    /// Checkpoint folder of the network; of several (may be repeated) the features stand side by side
    #[arg(long, value_name = "CHECKPOINT", required_unless_present = "raw", conflicts_with = "raw")]
    pub weights: Vec<PathBuf>,
    /// Epoch, which numbers the draws of the augmentation
    #[arg(long, value_name = "T", default_value_t = Epoch(0))]
    pub epoch: Epoch,
    /// Folder of the feature table
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Do not augment, whatever embed.augment says
    #[arg(long)]
    pub clean: bool,
    /// The baseline: 32 x 32 z-scored pixels as features
    #[arg(long)]
    pub raw: bool,
    /// Only this part of the images, counted from 0: 2/8 writes part-2.arrow
    #[arg(long, value_name = "I/N", default_value = "0/1")]
    pub shard: Shard,
    /// Configuration and verbosity.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

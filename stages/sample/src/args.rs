//! Arguments of `deepmcat-sample`.

use std::path::PathBuf;

use deepmcat_common::CommonArgs;
use deepmcat_schemas::Epoch;

/// Draws the images an epoch trains on, so that pseudo-labels are uniform.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-sample",
    version,
    after_help = "Example:\n  deepmcat sample --assignments RUN/assignments/epoch=7 --epoch 7 --out RUN/samples/epoch=7"
)]
pub struct Args {
    /// Assignments of this epoch: a folder of part-N.parquet
    #[arg(long)]
    pub assignments: PathBuf,
    /// The epoch: draws depend on it
    #[arg(long)]
    pub epoch: Epoch,
    /// Folder to write part-0.parquet to
    #[arg(long)]
    pub out: PathBuf,
    /// Configuration and verbosity.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

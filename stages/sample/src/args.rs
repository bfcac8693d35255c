//! Arguments of `deepmcat-sample`.

use std::path::PathBuf;

use deepmcat_schemas::Epoch;
use deepmcat_stage::CommonArgs;

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
    /// Draw only from this share of each cluster's images, those nearest to its centroid [default: all]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub sure: Option<f64>,
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

fn share(text: &str) -> Result<f64, String> {
    let expected = || format!("a number above 0, at most 1, not `{text}`");
    text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0).ok_or_else(expected)
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

//! Arguments of `deepmcat-sample`.

use std::path::PathBuf;

use deepmcat_schemas::Epoch;
use deepmcat_schemas::jobs::Sample;
use deepmcat_stage::{CommonArgs, Front, NoMeans};

use crate::Error;

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
    /// Draw only from this share of each cluster, the images nearest to its centroid [default: all]
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

impl Front for Args {
    type Job = Sample;
    type Means = NoMeans;
    type Error = Error;

    fn job(self) -> Result<(Sample, NoMeans), Error> {
        let mut job = self.common.config()?.sample(self.epoch, self.assignments, self.out);
        job.sample.sure = self.sure.unwrap_or(job.sample.sure);
        Ok((job, NoMeans {}))
    }

    fn run(job: Sample, _means: NoMeans) -> Result<(), Error> {
        crate::run(job)
    }
}

//! The command line of `deepmcat-pack`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_schemas::jobs::Pack;
use deepmcat_stage::{CommonArgs, Front, Threads};

use crate::Error;

/// Decodes every image of a data set and resizes it to what network.input needs, once for all epochs.
///
/// embed and train read this table if --pixels names it; otherwise they decode the PNGs themselves.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deepmcat-pack",
    version,
    after_help = "Example: deepmcat-pack --dataset run/dataset --out run/pixels --config run/run.toml"
)]
pub struct Args {
    /// Folder of the data set
    #[arg(long, value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Folder of the pixel table
    #[arg(long, value_name = "FOLDER")]
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

impl Front for Args {
    type Job = Pack;
    type Means = Threads;
    type Error = Error;

    fn job(self) -> Result<(Pack, Threads), Error> {
        let config = self.common.config()?;
        Ok((config.pack(self.dataset, self.out), Threads { threads: config.compute.threads as usize }))
    }

    fn run(job: Pack, means: Threads) -> Result<(), Error> {
        crate::run(job, means)
    }
}

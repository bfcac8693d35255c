//! The command line of `deepmcat-encode`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_schemas::jobs::Encode;
use deepmcat_stage::{CommonArgs, Front, Part};

use crate::Error;

/// Turns the images of a data set into l2-normalised features with a frozen encoder.
///
/// The setting encoder.file names the encoder: `efficientnet-lite0`, which `make setup` fetches, or an ONNX file (see the
/// other settings of its section). It can also name a table of features made elsewhere: Parquet or Arrow with a column
/// `image_id`, `key` or `path`, as in the manifest, and a column of lists of numbers; or NPY with one row per image, in the
/// manifest's order.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deepmcat-encode",
    version,
    after_help = "Examples:\n  deepmcat-encode --dataset run/dataset --set encoder.file=dinov2.onnx --out features\n  \
                  deepmcat-encode --dataset run/dataset --from vectors.parquet --out features"
)]
pub struct Args {
    /// Folder of the data set
    #[arg(long, value_name = "DATASET")]
    pub dataset: PathBuf,
    /// ONNX file, or table of features [default: the setting encoder.file]
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Folder of the feature table
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Which part of the work this process does.
    #[command(flatten)]
    pub part: Part,
    /// Configuration and verbosity.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// What the stage may use.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)] // its name is that of the group in it
pub struct Means {
    /// Threads.
    #[command(flatten)]
    pub threads: deepmcat_stage::Threads,
    /// Which part of the work this process does.
    #[command(flatten)]
    pub part: Part,
}

impl Front for Args {
    type Job = Encode;
    type Means = Means;
    type Error = Error;

    fn job(self) -> Result<(Encode, Means), Error> {
        let config = self.common.config()?;
        let encoder = self.from.or_else(|| config.encoder.file()).ok_or(Error::NoEncoder)?;
        let threads = deepmcat_stage::Threads { threads: config.compute.threads as usize };
        Ok((config.encode(encoder, self.dataset, self.out), Means { threads, part: self.part }))
    }

    fn run(job: Encode, means: Means) -> Result<(), Error> {
        crate::run(&job, &means)
    }
}

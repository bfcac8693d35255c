//! The command line of `deepmcat-embed`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_schemas::Epoch;
use deepmcat_schemas::jobs::embed::Inputs;
use deepmcat_schemas::jobs::{Embed, Job, Raw};
use deepmcat_stage::{CommonArgs, Front, Part};

use crate::Error;

/// Turns the images of a data set into l2-normalised features: one row for each image, in the manifest's order.
///
/// The network runs in evaluation mode. With embed.augment each image is augmented, differently at each epoch; without
/// it the network sees the whole image. --raw uses no network: 32 x 32 pixels, z-scored.
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
    /// Checkpoint folder of the network (may be repeated: the features of several are put side by side)
    #[arg(long, value_name = "CHECKPOINT", required_unless_present = "raw", conflicts_with = "raw")]
    pub weights: Vec<PathBuf>,
    /// Epoch, which numbers the draws of the augmentation
    #[arg(long, value_name = "T", default_value_t = Epoch(0))]
    pub epoch: Epoch,
    /// Folder of the feature table
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The baseline: 32 x 32 z-scored pixels as features
    #[arg(long)]
    pub raw: bool,
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
    /// Threads and device.
    #[command(flatten)]
    pub machine: deepmcat_stage::Means,
    /// Which part of the work this process does.
    #[command(flatten)]
    pub part: Part,
}

/// What the stage does.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // one a process
pub enum Task {
    /// Features by networks.
    Embed(Embed),
    /// The baseline.
    Raw(Raw),
}

impl TryFrom<Job> for Task {
    type Error = Job;

    fn try_from(job: Job) -> Result<Self, Job> {
        match job {
            Job::Embed(job) => Ok(Self::Embed(job)),
            Job::Raw(job) => Ok(Self::Raw(job)),
            other => Err(other),
        }
    }
}

impl Front for Args {
    type Job = Task;
    type Means = Means;
    type Error = Error;

    fn job(self) -> Result<(Task, Means), Error> {
        let config = self.common.config()?;
        let means = Means { machine: deepmcat_stage::Means::of(&config.compute), part: self.part };
        let inputs = Inputs { dataset: self.dataset, pixels: self.pixels, weights: self.weights };
        let task = if self.raw {
            Task::Raw(config.raw(inputs.dataset, self.out))
        } else {
            Task::Embed(config.embed(self.epoch, inputs, self.out))
        };
        Ok((task, means))
    }

    fn run(task: Task, means: Means) -> Result<(), Error> {
        crate::run(task, &means)
    }
}

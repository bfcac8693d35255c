//! The command line of `deepmcat-train`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_schemas::Epoch;
use deepmcat_schemas::jobs::train::{Inputs, Outputs};
use deepmcat_schemas::jobs::{Init, Job, Train};
use deepmcat_stage::{CommonArgs, Front};

use crate::Error;

/// Trains the network for one epoch on pseudo-labels, in the order of the samples; or draws the initial weights.
///
/// The last layer is new at each epoch or kept (train.head); the optimiser of the other layers continues from the
/// checkpoint of --weights.
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
    /// Epoch, which numbers every random draw; with --init the first epoch of the network [default with --init: 0]
    #[arg(long, value_name = "T", required_unless_present = "init")]
    pub epoch: Option<Epoch>,
    /// Checkpoint folder to write
    #[arg(long, value_name = "CHECKPOINT")]
    pub out: PathBuf,
    /// Folder of the training table to write: loss of every step
    #[arg(long, value_name = "FOLDER", required_unless_present = "init")]
    pub training: Option<PathBuf>,
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
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)] // its name is that of the group in it
pub struct Means {
    /// Threads and device.
    #[command(flatten)]
    pub machine: deepmcat_stage::Means,
    /// Threads of the network's arithmetic; views are rendered by all [default: --threads]
    #[arg(long, value_name = "N")]
    pub network_threads: Option<i32>,
}

/// What the stage does.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // one a process
pub enum Task {
    /// Draws weights.
    Init(Init),
    /// Trains for an epoch.
    Train(Train),
}

impl TryFrom<Job> for Task {
    type Error = Job;

    fn try_from(job: Job) -> Result<Self, Job> {
        match job {
            Job::Init(job) => Ok(Self::Init(job)),
            Job::Train(job) => Ok(Self::Train(job)),
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
        let network_threads = i32::try_from(config.train.threads).ok().filter(|&threads| threads > 0);
        let means = Means { machine: deepmcat_stage::Means::of(&config.compute), network_threads };
        let (Some(dataset), Some(samples), Some(weights), Some(epoch), Some(training)) =
            (self.dataset, self.samples, self.weights, self.epoch, self.training)
        else {
            // The parser lets none of them be missing without --init.
            return Ok((Task::Init(config.init(self.epoch.unwrap_or_default(), self.out)), means));
        };
        let inputs = Inputs { dataset, pixels: self.pixels, samples, weights };
        let outputs = Outputs { checkpoint: self.out, training };
        Ok((Task::Train(config.train(epoch, inputs, outputs)), means))
    }

    fn run(task: Task, means: Means) -> Result<(), Error> {
        crate::run(task, &means)
    }
}

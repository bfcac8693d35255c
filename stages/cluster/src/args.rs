//! The command line of `deepmcat-cluster`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_schemas::Epoch;
use deepmcat_schemas::jobs::Cluster;
use deepmcat_schemas::jobs::cluster::{Inputs, Outputs};
use deepmcat_stage::{CommonArgs, Front, Means};

use crate::Error;

/// Groups features by exact k-means and keeps the cluster numbers of the previous epoch.
///
/// Lloyd's algorithm from random images or as cluster.start says, cluster.k clusters, cluster.iterations iterations,
/// the best of cluster.redo starts. With --previous, clusters are matched to those of the previous epoch by the images
/// that they share, and take their numbers, so that a number means the same over epochs.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deepmcat-cluster",
    version,
    after_help = "Example: deepmcat-cluster --features run/features/epoch=7 --previous run/assignments/epoch=6 \
                  --epoch 7 --assignments run/assignments/epoch=7 --clusters run/clusters/epoch=7 --config run/run.toml"
)]
pub struct Args {
    /// Folder of the feature table, with all its parts; the vectors of several tables are put side by side
    #[arg(long, value_name = "FOLDER", required = true, num_args = 1..)]
    pub features: Vec<PathBuf>,
    /// Weight of each of several tables, of squared lengths [default: equal]
    #[arg(long, value_name = "WEIGHT", num_args = 1..)]
    pub weights: Vec<f64>,
    /// Folder of the previous epoch's assignments, whose cluster numbers are kept
    #[arg(long, value_name = "FOLDER")]
    pub previous: Option<PathBuf>,
    /// Epoch, which numbers the draws of the start
    #[arg(long, value_name = "T", default_value_t = Epoch(0))]
    pub epoch: Epoch,
    /// Number of clusters of k-means; those whose images are neighbours are merged until cluster.k are left [default:
    /// no merging]
    #[arg(long, value_name = "N")]
    pub merge_from: Option<u32>,
    /// Rounds in which each image's features are averaged with those of its nearest neighbours, before k-means; at most
    /// one for every 60 images
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub smooth: u32,
    /// Folder to write the table of assignments to
    #[arg(long, value_name = "FOLDER")]
    pub assignments: PathBuf,
    /// Folder to write the table of clusters to
    #[arg(long, value_name = "FOLDER")]
    pub clusters: PathBuf,
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
    type Job = Cluster;
    type Means = Means;
    type Error = Error;

    fn job(self) -> Result<(Cluster, Means), Error> {
        let config = self.common.config()?;
        let inputs = Inputs { features: self.features, previous: self.previous };
        let outputs = Outputs { assignments: self.assignments, clusters: self.clusters };
        let job = Cluster {
            weights: self.weights,
            merge_from: self.merge_from,
            smooth: self.smooth,
            ..config.cluster(self.epoch, inputs, outputs)
        };
        Ok((job, Means::of(&config.compute)))
    }

    fn run(job: Cluster, means: Means) -> Result<(), Error> {
        crate::run(job, means)
    }
}

//! The command line of `deepmcat-cluster`; doc comments are the help.

use std::path::PathBuf;

use clap::Parser;
use deepmcat_config::Start;
use deepmcat_schemas::Epoch;
use deepmcat_stage::CommonArgs;

/// Groups features by exact k-means and numbers the clusters as the epoch before did.
///
/// Lloyd's algorithm from random images or as cluster.start says, cluster.k clusters, cluster.iterations iterations, the
/// best of cluster.redo starts. With --previous a cluster takes the number of the cluster that it shares most images
/// with, all clusters together as well as can be, so that a number means the same over epochs.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "deepmcat-cluster",
    version,
    after_help = "Example: deepmcat-cluster --features run/features/epoch=7 --previous run/assignments/epoch=6 \
                  --epoch 7 --assignments run/assignments/epoch=7 --clusters run/clusters/epoch=7 --config run/run.toml"
)]
pub struct Args {
    /// Folder of the feature table, with all its parts
    #[arg(long, value_name = "FOLDER")]
    pub features: PathBuf,
    /// Folder of the epoch before's assignments, whose numbers are kept
    #[arg(long, value_name = "FOLDER")]
    pub previous: Option<PathBuf>,
    /// Epoch, which numbers the draws of the start
    #[arg(long, value_name = "T", default_value_t = Epoch(0))]
    pub epoch: Epoch,
    /// Number of clusters [default: cluster.k of the configuration]
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
    pub k: Option<u32>,
    /// Number of clusters of k-means, merged until --k are left: those whose images are neighbours [default: --k]
    #[arg(long, value_name = "N")]
    pub merge_from: Option<u32>,
    /// Clusterings, of which the first is the assignment [default: cluster.clusterings of the configuration]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub clusterings: Option<u32>,
    /// Where k-means starts [default: cluster.start of the configuration]
    #[arg(long, value_name = "WHERE")]
    pub start: Option<Start>,
    /// Starts, of which the best counts [default: cluster.redo of the configuration]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub redo: Option<u32>,
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

//! The command line of `deepmcat-map`; doc comments are the help.

use std::path::PathBuf;

use deepmcat_schemas::jobs::Map;
use deepmcat_schemas::jobs::map::{Inputs, Outputs};
use deepmcat_stage::{CommonArgs, Front, Means};

use crate::Error;

/// Places the images of a result in a plane: similar images are close together.
///
/// Clusters are laid out by t-SNE of their centroids, and each image lies in its cluster's cell, along the two
/// directions in which the cluster's features differ most. There is no randomness: the same tables give the same map.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-map",
    version,
    after_help = "Example: deepmcat-map --features run/features/epoch=40 run/encoder/features \
                  --assignments run/assignments/epoch=40 --clusters run/clusters/epoch=40 --out run/map --cells run/cells"
)]
pub struct Args {
    /// Folders of the tables of features that were clustered
    #[arg(long, value_name = "FOLDER", required = true, num_args = 1..)]
    pub features: Vec<PathBuf>,
    /// Weight of each of several tables, as in the clustering [default: equal]
    #[arg(long, value_name = "WEIGHT", num_args = 1..)]
    pub weights: Vec<f64>,
    /// Folder of the assignments
    #[arg(long, value_name = "FOLDER")]
    pub assignments: PathBuf,
    /// Folder of their clusters
    #[arg(long, value_name = "FOLDER")]
    pub clusters: PathBuf,
    /// Folder of the cells of an earlier map: clusters keep about their places
    #[arg(long, value_name = "FOLDER")]
    pub previous: Option<PathBuf>,
    /// Folder for the images' places
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Folder for the clusters' cells, by which other images can be placed
    #[arg(long, value_name = "FOLDER")]
    pub cells: PathBuf,
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
    type Job = Map;
    type Means = Means;
    type Error = Error;

    fn job(self) -> Result<(Map, Means), Error> {
        let config = self.common.config()?;
        let Self { features, weights, assignments, clusters, previous, out, cells, .. } = self;
        let inputs = Inputs { features, assignments, clusters, previous };
        let job = Map { inputs, outputs: Outputs { map: out, cells }, weights };
        Ok((job, Means::of(&config.compute)))
    }

    fn run(job: Map, means: Means) -> Result<(), Error> {
        crate::run(job, means)
    }
}

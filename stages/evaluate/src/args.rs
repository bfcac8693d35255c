//! Arguments of `deepmcat-evaluate`.

use std::path::PathBuf;

use deepmcat_schemas::jobs::Evaluate;
use deepmcat_schemas::jobs::evaluate::{Inputs, Outputs};
use deepmcat_stage::{CommonArgs, Front};

use crate::Error;

/// Measures the assignments of an epoch: NMI, purity, balanced purity, ARI, AMI, stability.
///
/// Labels are only used to measure; without labels the figures that need them are null.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-evaluate",
    version,
    after_help = "Example:\n  deepmcat evaluate --dataset RUN/dataset --assignments RUN/assignments/epoch=7 \\\n    \
        --clusters RUN/clusters/epoch=7 --previous RUN/assignments/epoch=6 --out RUN/metrics/epoch=7"
)]
pub struct Args {
    /// Dataset folder, for its table of labels
    #[arg(long)]
    pub dataset: PathBuf,
    /// Assignments of this epoch: a folder of part-N.parquet
    #[arg(long)]
    pub assignments: PathBuf,
    /// Clusters of this epoch: a folder of part-N.parquet
    #[arg(long)]
    pub clusters: PathBuf,
    /// Assignments of the previous epoch, for NMI(t, t-1) and the share of changed images
    #[arg(long)]
    pub previous: Option<PathBuf>,
    /// Folder to write part-0.parquet to
    #[arg(long)]
    pub out: PathBuf,
    /// What it may do besides.
    #[command(flatten)]
    pub means: Means,
    /// Configuration and verbosity.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// What changes no table.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Means {
    /// Print the figures as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

impl Front for Args {
    type Job = Evaluate;
    type Means = Means;
    type Error = Error;

    fn job(self) -> Result<(Evaluate, Means), Error> {
        self.common.config()?;
        let Self { dataset, assignments, clusters, previous, out, means, .. } = self;
        let inputs = Inputs { dataset, assignments, clusters, previous };
        Ok((Evaluate { inputs, outputs: Outputs { metrics: out } }, means))
    }

    fn run(job: Evaluate, means: Means) -> Result<(), Error> {
        crate::run(job, means)
    }
}

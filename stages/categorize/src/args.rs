//! The command line of `deepmcat-categorize`; doc comments are the help.

use std::path::PathBuf;

use deepmcat_config::ConfigError;
use deepmcat_decisions::{Log, RunResult, write_names};
use deepmcat_schemas::jobs::categorize::{Categories, Inputs, Outputs};
use deepmcat_schemas::jobs::check::share;
use deepmcat_schemas::jobs::{Categorize, Cluster, Job, NODES};
use deepmcat_schemas::layout::{DATASET, RUN_TOML, partition};
use deepmcat_schemas::{
    Assignments, CategoryMetrics, ClassMetrics, Clusters, Names, Reliability, RiskCoverage, SeriesCategories, Table,
};
use deepmcat_stage::{CommonArgs, Front};

use crate::Error;

/// Puts every image and series of a finished run into a category, with a confidence.
///
/// Categories come from the names that people gave (`deepmcat names`), or with --from-labels from the labels that the class
/// rules give. An image is abstained, for a person to look at, where its confidence is below --threshold or it is unlike all
/// others. Labels that were not used to name measure the categories, where there are any: no category comes of them.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-categorize",
    version,
    after_help = "Examples:\n  deepmcat categorize runs/study --csv series.csv\n  \
        deepmcat categorize runs/study --from-labels --per-class 5 --out trial --json"
)]
pub struct Args {
    /// The run folder
    pub run: PathBuf,
    /// Take categories from labels, not from names
    #[arg(long)]
    pub from_labels: bool,
    /// Use so many labels of each class, drawn at random (--set run.seed=2: others) [default: all]
    #[arg(long, value_name = "N", requires = "from_labels", value_parser = clap::value_parser!(u32).range(1..))]
    pub per_class: Option<u32>,
    /// Confidence below which a person should look; not audited
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    pub threshold: f64,
    /// p-value of being unlike all others below which a person should look
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub novelty: f64,
    /// Folder to write the tables below [default: RUN]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
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
#[group(skip)] // its name is that of what it holds
pub struct Means {
    /// What computes.
    #[command(flatten)]
    pub machine: deepmcat_stage::Means,
    /// Write the series as CSV for people, with SeriesInstanceUID or file: it names patients, the tables do not
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

impl Front for Args {
    type Job = Categorize;
    type Means = Means;
    type Error = Error;

    fn job(self) -> Result<(Categorize, Means), Error> {
        let Self { run, from_labels, per_class, threshold, novelty, out, mut means, mut common } = self;
        share("--threshold", threshold).and_then(|()| share("--novelty", novelty)).map_err(ConfigError::from)?;
        // Tells a folder that is no run, and a run without a result.
        let result = RunResult::open(&run)?;
        let file = run.join(RUN_TOML);
        common.config.get_or_insert(file);
        let config = common.config()?;
        let path = run.join(NODES).join(format!("cluster@{}.toml", result.epoch));
        let job = Job::read(&path)?.at(&run, &run);
        let Cluster { inputs, weights, compute, .. } = Cluster::try_from(job).map_err(|_| Error::OtherJob { path })?;
        let names = if from_labels {
            None
        } else {
            // The log is what counts; the table is made of it.
            write_names(&Log::open(&run)?, &result)?;
            Some(run.join(Names::NAME))
        };
        let inputs = Inputs {
            dataset: run.join(DATASET),
            features: inputs.features,
            assignments: partition(&run, Assignments::NAME, result.epoch),
            clusters: partition(&run, Clusters::NAME, result.epoch),
            names,
        };
        let out = out.unwrap_or(run);
        let outputs = Outputs {
            categories: out.join(deepmcat_schemas::Categories::NAME),
            series: out.join(SeriesCategories::NAME),
            metrics: out.join(CategoryMetrics::NAME),
            classes: out.join(ClassMetrics::NAME),
            risk: out.join(RiskCoverage::NAME),
            reliability: out.join(Reliability::NAME),
        };
        if means.machine.threads == 0 {
            means.machine.threads = config.compute.threads as usize;
        }
        if means.machine.device.is_none() {
            means.machine.device = config.compute.card().map(str::to_owned);
        }
        let categorize = Categories { from_labels, per_class, threshold, novelty };
        let job = Categorize { seed: config.run.seed, inputs, outputs, weights, categorize, compute };
        Ok((job, means))
    }

    fn run(job: Categorize, means: Means) -> Result<(), Error> {
        crate::run(job, means)
    }
}

//! The command line of `deepmcat-categorize`; doc comments are the help.

use std::path::{Path, PathBuf};

use deepmcat_config::ConfigError;
use deepmcat_decisions::{Log, RunResult, write_names};
use deepmcat_schemas::jobs::categorize::{Categories, Inputs, Outputs};
use deepmcat_schemas::jobs::check::share;
use deepmcat_schemas::jobs::{Categorize, Cluster, Job, NODES, Place, place};
use deepmcat_schemas::layout::{DATASET, MODEL, RUN_TOML, partition};
use deepmcat_schemas::{
    Assignments, CategoryMetrics, ClassMetrics, Clusters, Names, Reliability, RiskCoverage, SeriesCategories, Table,
};
use deepmcat_stage::{CommonArgs, Front};

use crate::Error;

/// Puts every image and series of a finished run into a category, with a confidence.
///
/// Categories come from the names that people gave (`deepmcat names`), or with --from-labels from the labels that the
/// class rules give. `abstain` marks an image for a person to look at: its confidence is below --threshold, or it is
/// unlike all others. If there are labels, those that named nothing measure the categories and change none.
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
    /// Number of labels of each class, drawn at random (others with --set run.seed=2) [default: all]
    #[arg(long, value_name = "N", requires = "from_labels", value_parser = clap::value_parser!(u32).range(1..))]
    pub per_class: Option<u32>,
    /// Confidence below which a person should look
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    pub threshold: f64,
    /// p-value of novelty below which a person should look
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub novelty: f64,
    /// Folder below which the tables are written [default: RUN]
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
    /// Write the series as CSV, with SeriesInstanceUID or file: it identifies patients, unlike the tables
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
        let file = run.join(RUN_TOML);
        // Tells a folder that is no run, and a run without a result.
        let (result, Cluster { inputs, weights, compute, .. }) = result_of(&run)?;
        common.config.get_or_insert(file);
        let config = common.config()?;
        let names = if from_labels {
            if out.is_none() && Log::open(&run)?.in_force().next().is_some() {
                tracing::warn!(
                    "people have given names; these categories come from labels alone and replace theirs: \
                     deepmcat categorize {} without --from-labels makes those again",
                    run.display()
                );
            }
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
            model: out.join(MODEL),
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

/// The result of a run, and the job that made it, whose features and weights are those of the result.
///
/// # Errors
/// When there is no result, or the file of the job is of another.
pub(crate) fn result_of(run: &Path) -> Result<(RunResult, Cluster), Error> {
    let result = RunResult::open(run)?;
    let path = run.join(NODES).join(format!("cluster@{}.toml", result.epoch));
    let job = Job::read(&path)?.at(run, run);
    Ok((result, Cluster::try_from(job).map_err(|_| Error::OtherJob { path })?))
}

/// Lists series whose SeriesDescription does not fit their images.
///
/// For each image the 10 to 30 most similar images of other subjects show how such images are described elsewhere;
/// numbers in descriptions are ignored. A series is listed if hardly any of them has its own description. Needs no
/// names and no labels. Descriptions of fewer than six series are not judged, nor those that images do not distinguish,
/// such as two words for one thing.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-headers",
    version,
    after_help = "Example: deepmcat headers runs/study --csv wrong-headers.csv"
)]
pub struct HeaderArgs {
    /// The run folder
    pub run: PathBuf,
    /// Share of the most similar images that must have another description
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    pub threshold: f64,
    /// Write the list as CSV, with SeriesInstanceUID: it identifies patients, unlike the table `contradictions`
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// What computes.
    #[command(flatten)]
    pub machine: deepmcat_stage::Means,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: deepmcat_stage::Verbosity,
}

/// Puts the images of another archive into the categories of a model.
///
/// `deepmcat apply` calls it as its last step; use that command.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-place",
    version,
    after_help = "Example: deepmcat-place --dataset new/dataset --features new/features/epoch=40 new/encoder/features \
                  --model new/model --out new"
)]
pub struct PlaceArgs {
    /// Folder of the data set
    #[arg(long, value_name = "FOLDER")]
    pub dataset: PathBuf,
    /// Folders of its feature tables, made in the same way as those of the model
    #[arg(long, value_name = "FOLDER", required = true, num_args = 1..)]
    pub features: Vec<PathBuf>,
    /// Weight of each of several tables, as in the model [default: equal]
    #[arg(long, value_name = "WEIGHT", num_args = 1..)]
    pub weights: Vec<f64>,
    /// Folder of the model
    #[arg(long, value_name = "FOLDER")]
    pub model: PathBuf,
    /// Folder below which the tables and series.csv are written
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// What it may do besides.
    #[command(flatten)]
    pub means: PlaceMeans,
    /// Configuration and verbosity.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What changes no table.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)] // its name is that of what it holds
pub struct PlaceMeans {
    /// What computes.
    #[command(flatten)]
    pub machine: deepmcat_stage::Means,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

impl AsRef<CommonArgs> for PlaceArgs {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

impl Front for PlaceArgs {
    type Job = Place;
    type Means = PlaceMeans;
    type Error = Error;

    fn job(self) -> Result<(Place, PlaceMeans), Error> {
        let config = self.common.config()?;
        let Self { dataset, features, weights, model, out, means, .. } = self;
        let inputs = place::Inputs { dataset, features, model };
        let job = config.place(inputs, &out, weights);
        Ok((job, means))
    }

    fn run(job: Place, means: PlaceMeans) -> Result<(), Error> {
        crate::place(job, means)
    }
}

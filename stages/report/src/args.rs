//! The command line of `deepmcat-report`; doc comments are the help.

use std::path::{Path, PathBuf};

use clap::Parser;
use deepmcat_config::Config;
use deepmcat_schemas::jobs::Report;
use deepmcat_schemas::jobs::report::{Inputs, Outputs};
use deepmcat_schemas::layout::{DATASET, MODEL, RUN_TOML, epochs, partition};
use deepmcat_schemas::{
    Audit, Categories, CategoryMetrics, ClassMetrics, Classifier, Contradictions, Epoch, Map, Names, Reliability,
    RiskCoverage, Table,
};
use deepmcat_stage::{CommonArgs, Front, Threads};

use crate::Error;

/// Shows a run as one page: map, clusters with their images, figures, what to look at.
///
/// The page is one file that needs no network and reads without script. A run that is under way is shown as it is at its
/// last epoch. Where clusters have names, the page shows them, the categories and their certificate (docs/guide/categories.md);
/// after `deepmcat headers`, the series whose header is wrong.
#[derive(Debug, Parser)]
#[command(
    name = "deepmcat-report",
    version,
    after_help = "Example: deepmcat report runs/study\n\
                  then open runs/study/report.html; the run itself ends with that page, too"
)]
pub struct Args {
    /// The run folder
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The epoch to show [default: the last one that has clusters]
    #[arg(long, value_name = "T")]
    pub epoch: Option<Epoch>,
    /// The page to write [default: RUN/report.html; RUN/categories.html after `names`, `categorize` or `headers`]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
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
    type Job = Report;
    type Means = Threads;
    type Error = Error;

    fn job(self) -> Result<(Report, Threads), Error> {
        let mut common = self.common;
        let config = common.config.take().unwrap_or_else(|| self.run.join(RUN_TOML));
        common.config = Some(config);
        let config = common.config()?;
        let threads = Threads { threads: config.compute.threads as usize };
        let job = of_run(&config, &self.run, self.epoch)?;
        // The run's own page stays what its tables say.
        let Inputs { names, categories, contradictions, .. } = &job.inputs;
        let of_people = [names, categories, contradictions].iter().any(|table| table.is_some());
        let page = if of_people { "categories.html" } else { "report.html" };
        let out = self.out.unwrap_or_else(|| self.run.join(page));
        Ok((Report { outputs: Outputs { report: out }, ..job }, threads))
    }

    fn run(job: Report, means: Threads) -> Result<(), Error> {
        crate::run(&job, means)
    }
}

/// The job that shows what is there of a run.
fn of_run(config: &Config, run: &Path, epoch: Option<Epoch>) -> Result<Report, Error> {
    let here = |path: PathBuf| path.exists().then_some(path);
    let measured = epochs(&run.join("metrics"))?;
    let has_clusters = |epoch: &Epoch| partition(run, "clusters", *epoch).exists();
    let there: Vec<Epoch> = measured.iter().copied().filter(has_clusters).collect();
    let last = there.iter().copied().max().ok_or_else(|| Error::NothingYet { run: run.to_owned() })?;
    let epoch = epoch.unwrap_or(last);
    if !there.contains(&epoch) {
        return Err(Error::NoEpoch { run: run.to_owned(), epoch, last });
    }
    let is_last = epoch.0 == config.run.epochs;
    let of_result = |table: &str| here(run.join(table)).filter(|_| is_last);
    let inputs = Inputs {
        dataset: run.join(DATASET),
        assignments: partition(run, "assignments", epoch),
        clusters: partition(run, "clusters", epoch),
        map: of_result(Map::NAME),
        names: of_result(Names::NAME),
        categories: of_result(Categories::NAME),
        category_metrics: of_result(CategoryMetrics::NAME),
        class_metrics: of_result(ClassMetrics::NAME),
        risk_coverage: of_result(RiskCoverage::NAME),
        reliability: of_result(Reliability::NAME),
        audit: of_result(Audit::NAME),
        classifier: here(run.join(MODEL).join(Classifier::NAME)).filter(|_| is_last),
        contradictions: of_result(Contradictions::NAME),
        history: there.iter().filter(|&&at| at < epoch).map(|&at| partition(run, "assignments", at)).collect(),
        metrics: measured.into_iter().filter(|&at| at <= epoch).map(|at| partition(run, "metrics", at)).collect(),
        raw: here(run.join("baseline/metrics")),
        encoder: here(run.join("encoder/metrics")),
    };
    Ok(config.report(epoch, inputs, PathBuf::new()))
}

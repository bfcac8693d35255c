//! Categorize: names, or labels, to a category with a confidence for every image and series of a result; and images of
//! other archives to the same categories.

mod args;
mod clusters;
mod error;
mod headers;
mod images;
mod kernel;
mod measure;
mod model;
mod novelty;
mod people;
mod place;
mod points;
mod propagate;
mod report;
mod series;
mod told;

use std::collections::{BTreeMap, HashSet};

use deepmcat_features::{FeatureFiles, Features};
use deepmcat_machine::Compute;
use deepmcat_schemas::jobs::categorize::Outputs;
use deepmcat_schemas::{Assignments, Clusters, Names, jobs, read_folder};
use deepmcat_stage::Timings;
use tch::Device;

pub use args::{Args, HeaderArgs, Means, PlaceArgs, PlaceMeans};
pub use error::Error;
pub use headers::headers;
pub use measure::{Interval, Measured};
pub use place::place;

use clusters::Shares;
use images::{DataSet, Images};
use kernel::{HeldOut, Kernel};
use model::Frozen;
use points::Points;
use told::{Tables, Told};

/// Share of the clusters that hold a label from which on the classifier serves; below, labels are propagated.
const ENOUGH: f64 = 0.6;

/// How categories were made.
#[derive(Debug)]
pub(crate) struct How {
    /// `kernel` or `propagation`.
    pub(crate) method: String,
    /// tau of the kernel.
    pub(crate) tau: Option<f64>,
    /// Answers of people, or labels.
    pub(crate) answers: u32,
}

/// Does a job.
///
/// # Errors
/// When a table is absent or of another result, nothing is named, or tables cannot be written.
pub fn run(job: jobs::Categorize, means: Means) -> Result<(), Error> {
    let mut timings = Timings::new();
    let stamp = job.stamp();
    let device = Compute::start(job.compute, &means.machine)?.device;
    let jobs::categorize::Inputs { dataset, features: folders, assignments: path, clusters: clusters_path, names } =
        &job.inputs;
    let files = FeatureFiles::open(folders, &job.weights)?;
    let features = files.features()?;
    features.squared_lengths()?;
    let dataset = DataSet::read(dataset)?;
    let assignments: Assignments = read_folder(path)?;
    let images = Images::of_result(&features, (path, &assignments), &dataset)?;
    if images.one_subject {
        tracing::warn!(
            "all images are of one subject: confidence is calibrated on images of that subject and may be too high"
        );
    }
    let (points, decision) = match names {
        Some(folder) => {
            let (names, clusters): (Names, Clusters) = (read_folder(folder)?, read_folder(clusters_path)?);
            tell_flags(&names);
            let last = names.decision.iter().copied().max().unwrap_or_default();
            (Points::of_names(&features, &images, (folder, &names), (clusters_path, &clusters))?, last)
        }
        None => (Points::of_labels(&features, &images, &dataset, job.categorize.per_class, job.seed)?, 0),
    };
    timings.lap("read");
    let (mut shares, held, how, of_clusters) = classify(&features, &images, &points, names.is_none(), device)?;
    // What a person said of an image holds for its series too.
    let c = points.categories.len();
    for (&row, &class) in &points.named {
        shares[row * c..(row + 1) * c].fill(0.0);
        shares[row * c + class as usize] = 1.0;
    }
    let novelty = novelty::novelty(&features, &images, device)?;
    timings.lap("compute");
    let settings = &job.categorize;
    let told = Told {
        points: &points,
        shares: &shares,
        novelty: &novelty.values,
        power: series::power_of(&images, &held, c),
        sure: settings.threshold,
        novel: settings.novelty,
        how,
    };
    let frozen = Frozen { told: &told, features: &features, images: &images, novelty: &novelty, shares: &of_clusters };
    frozen.write(&job.outputs.model, &dataset.manifest, decision, &stamp)?;
    let Outputs { categories, series, .. } = &job.outputs;
    let tables = Tables { categories, series, figures: job.outputs.figures() };
    told.finish(&images, &dataset, &tables, &stamp, means.csv.as_deref(), (means.json, job.seed))?;
    timings.lap("write");
    timings.log();
    Ok(())
}

/// The probabilities of all images `[n * c]`, what is told without its own answer, how it was done, and what the clusters'
/// images are told as on average.
fn classify(
    features: &Features<'_>,
    images: &Images,
    points: &Points,
    from_labels: bool,
    device: Device,
) -> Result<(Vec<f32>, HeldOut, How, Shares), Error> {
    let all: HashSet<_> = images.clusters.iter().collect();
    let held = points.clusters.len() as f64 / all.len().max(1) as f64;
    let how = |method: &str, tau| How { method: method.to_owned(), tau, answers: points.count };
    if from_labels && held < ENOUGH {
        let (shares, held) = propagate::propagate(features, images, points, device)?;
        return Ok((shares, held, how("propagation", None), Shares::new()));
    }
    let kernel = Kernel::new(points, features.dimensions(), device)?;
    let (tau, held) = kernel.choose(features, images)?;
    let own: Vec<f64> = kernel.classify(features, tau)?.into_iter().map(f64::from).collect();
    let of_clusters = clusters::means(&own, &images.clusters, points.categories.len());
    let told = clusters::with_clusters(&own, &images.clusters, &of_clusters, points.categories.len());
    Ok((told.into_iter().map(|share| share as f32).collect(), held, how(model::KERNEL, Some(tau)), of_clusters))
}

/// Tells of names that do not count.
fn tell_flags(names: &Names) {
    let mut flags: BTreeMap<&str, usize> = BTreeMap::new();
    names.flag.iter().flatten().for_each(|flag| *flags.entry(flag).or_default() += 1);
    for (flag, count) in flags {
        tracing::warn!("{count} names do not count: {flag} (docs/guide/tables.md says what that is)");
    }
}

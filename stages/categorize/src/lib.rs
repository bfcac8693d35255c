//! Categorize: names, or labels, to a category with a confidence for every image and series of a result.

mod args;
mod clusters;
mod error;
mod images;
mod kernel;
mod measure;
mod novelty;
mod points;
mod propagate;
mod report;
mod series;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use deepmcat_features::FeatureFiles;
use deepmcat_machine::Compute;
use deepmcat_schemas::layout::{LABELS, MANIFEST, SOURCES};
use deepmcat_schemas::{
    Assignments, Categories, CategoryMetrics, Clusters, Labels, Manifest, Names, PART_0, SeriesCategories, Sources,
    Stamp, jobs, read_folder, read_table, write_table,
};
use deepmcat_stage::Timings;
use tch::Device;

pub use args::{Args, Means};
pub use error::Error;
pub use measure::{Interval, Measured};

use images::Images;
use kernel::{HeldOut, Kernel};
use points::Points;
use report::Figures;

/// Share of the clusters that hold a label from which on the classifier serves; below, labels are propagated.
const ENOUGH: f64 = 0.6;

/// How categories were made.
#[derive(Debug)]
pub(crate) struct How {
    /// `kernel` or `propagation`.
    pub(crate) method: &'static str,
    /// tau of the kernel.
    pub(crate) parameter: Option<f64>,
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
    let manifest: Manifest = read_table(&dataset.join(MANIFEST))?;
    let assignments: Assignments = read_folder(path)?;
    let images = Images::new(&features, (path, &assignments), (dataset, &manifest))?;
    let labels_path = dataset.join(LABELS);
    let labels: Labels = if labels_path.exists() { read_table(&labels_path)? } else { Labels::default() };
    let sources_path = dataset.join(SOURCES);
    let sources: Option<Sources> = if sources_path.exists() { Some(read_table(&sources_path)?) } else { None };
    if images.one_subject {
        tracing::warn!(
            "all images are of one subject: confidence is judged by images of that subject, and may be too high"
        );
    }
    let points = match names {
        Some(folder) => {
            let (names, clusters): (Names, Clusters) = (read_folder(folder)?, read_folder(clusters_path)?);
            tell_flags(&names);
            Points::of_names(&features, &images, (folder, &names), (clusters_path, &clusters))?
        }
        None => Points::of_labels(&features, &images, (dataset, &labels), job.categorize.per_class, job.seed)?,
    };
    timings.lap("read");
    let (shares, held, how) = classify(&features, &images, &points, names.is_none(), device)?;
    let novelty = novelty::novelty(&features, &images, device)?;
    timings.lap("compute");
    let (categories, classes) = categories(&images, &points, &shares, &novelty, &job.categorize);
    let novel: Vec<bool> = novelty.iter().map(|&value| f64::from(value) < job.categorize.novelty).collect();
    let told = (points.categories.as_slice(), shares.as_slice());
    let series = series::series(&images, told, &classes, &novel, &held, job.categorize.threshold, sources.as_ref());
    let figures = measure_by(&labels, &images, &points, &shares, (&categories, &series), job.seed);
    write(&job.outputs, &categories, &series, figures.as_ref(), &stamp)?;
    if let Some(file) = &means.csv {
        series::write_csv(file, &series, &images, &sources.unwrap_or_default())?;
        tracing::info!("{} names patients: keep it where the archive is kept", file.display());
    }
    timings.lap("write");
    timings.log();
    let figures = figures.as_ref().map(|(figures, _)| figures);
    let said = if means.json {
        serde_json::to_string_pretty(&report::json(&how, &categories, &series, figures)).unwrap_or_default()
    } else {
        report::text(&categories, &series, figures)
    };
    deepmcat_stage::print(&said).map_err(Error::Print)?;
    let sure = categories.abstain.iter().filter(|&&abstain| !abstain).count() as f64 / categories.abstain.len() as f64;
    tracing::info!(
        "{} categories by {} from {} answers; {:.1} % of the images have a confidence of {} or more (not audited)",
        points.categories.len(),
        how.method,
        how.answers,
        100.0 * sure,
        job.categorize.threshold
    );
    Ok(())
}

/// The probabilities of all images `[n * c]`, what is told without its own answer, and how it was done.
fn classify(
    features: &deepmcat_features::Features<'_>,
    images: &Images,
    points: &Points,
    from_labels: bool,
    device: Device,
) -> Result<(Vec<f32>, HeldOut, How), Error> {
    let all: std::collections::HashSet<_> = images.clusters.iter().collect();
    let held = points.clusters.len() as f64 / all.len().max(1) as f64;
    let how = |method, parameter| How { method, parameter, answers: points.count };
    if from_labels && held < ENOUGH {
        let (shares, held) = propagate::propagate(features, images, points, device)?;
        return Ok((shares, held, how("propagation", None)));
    }
    let kernel = Kernel::new(points, features.dimensions(), device)?;
    let (tau, held) = kernel.choose(features, images)?;
    let own: Vec<f64> = kernel.classify(features, tau)?.into_iter().map(f64::from).collect();
    let told = clusters::with_clusters(&own, &images.clusters, points.categories.len());
    Ok((told.into_iter().map(|share| share as f32).collect(), held, how("kernel", Some(tau))))
}

/// The table of images, and each one's category as a place.
fn categories(
    images: &Images,
    points: &Points,
    shares: &[f32],
    novelty: &[f32],
    settings: &jobs::categorize::Categories,
) -> (Categories, Vec<u32>) {
    let c = points.categories.len();
    let (mut table, mut classes) = (Categories::default(), Vec::new());
    for (row, shares) in shares.chunks_exact(c).enumerate() {
        let likely = |other: Option<usize>| {
            let value = |(class, &share): (usize, &f32)| if Some(class) == other { -1.0 } else { f64::from(share) };
            series::first_of_most(shares.iter().enumerate().map(value))
        };
        let first = likely(None);
        let named = points.named.get(&row).map(|&class| class as usize);
        let class = named.unwrap_or(first);
        let second = (c > 1).then(|| likely(Some(class)));
        let confidence = if named.is_some() { 1.0 } else { shares[class] };
        let unsure = f64::from(confidence) < settings.threshold || f64::from(novelty[row]) < settings.novelty;
        table.image_id.push(images.ids[row]);
        table.category.push(points.categories[class].clone());
        table.confidence.push(confidence);
        table.second.push(second.map(|second| points.categories[second].clone()));
        table.novelty.push(novelty[row]);
        table.abstain.push(named.is_none() && unsure);
        table.named.push(named.is_some());
        table.cluster.push(images.clusters[row]);
        classes.push(class as u32);
    }
    (table, classes)
}

/// Figures by the labels that named nothing; none without any.
fn measure_by(
    labels: &Labels,
    images: &Images,
    points: &Points,
    shares: &[f32],
    (categories, series): (&Categories, &SeriesCategories),
    seed: u64,
) -> Option<(Figures, Measured)> {
    let unknown = labels.image_id.iter().filter(|image| !images.rows.contains_key(&image.0)).count();
    if unknown > 0 {
        tracing::warn!("{unknown} labels are of images that the result does not have; they are left out");
    }
    let own: HashMap<&str, usize> = labels
        .image_id
        .iter()
        .zip(&labels.label)
        .filter_map(|(image, label)| Some((label.as_str(), *images.rows.get(&image.0)?)))
        .collect();
    if !own.is_empty() && !points.categories.iter().any(|category| own.contains_key(category.as_str())) {
        tracing::warn!("no category is called as a label is: nothing is measured");
        return None;
    }
    let names: std::collections::BTreeSet<&str> =
        points.categories.iter().map(String::as_str).chain(own.into_keys()).collect();
    let places: BTreeMap<&str, u32> = names.iter().copied().zip(0..).collect();
    let mut measured = Measured { classes: names.iter().map(|&name| name.to_owned()).collect(), ..Measured::default() };
    let c = points.categories.len();
    let of_category: Vec<u32> = points.categories.iter().map(|category| places[category.as_str()]).collect();
    let (mut sure, mut wrong) = (0_u32, 0_u32);
    let mut of_series: HashMap<u32, Option<&str>> = HashMap::new();
    for (image, label) in labels.image_id.iter().zip(&labels.label) {
        let Some(&row) = images.rows.get(&image.0) else { continue };
        // Who named these knew what they are.
        if points.named.contains_key(&row) || points.seen.contains(&row) {
            continue;
        }
        let shares = &shares[row * c..(row + 1) * c];
        let shares = shares.iter().map(|&share| f64::from(share)).zip(of_category.iter().copied());
        let told = &categories.category[row];
        measured.push(places[label.as_str()], places[told.as_str()], f64::from(categories.confidence[row]), shares);
        measured.groups.push(images.groups[row]);
        if !categories.abstain[row] {
            sure += 1;
            wrong += u32::from(told != label);
        }
        let one = of_series.entry(images.series[row]).or_insert(Some(label));
        *one = one.filter(|one| *one == label);
    }
    if measured.is_empty() {
        return None;
    }
    let by_name: HashMap<&str, &String> = series.series.iter().map(String::as_str).zip(&series.category).collect();
    let judged: Vec<bool> = of_series
        .into_iter()
        .filter_map(|(place, label)| {
            let category = by_name.get(images.series_names[place as usize].as_str())?;
            Some(category.as_str() == label?)
        })
        .collect();
    let (accuracy, recall, classes) = measured.by_class(seed);
    let n = measured.len();
    let present: std::collections::HashSet<_> = measured.truth.iter().collect();
    let metrics = CategoryMetrics {
        images: vec![n as u32],
        classes: vec![present.len() as u32],
        accuracy: vec![measured.accuracy()],
        accuracy_low: vec![accuracy[0]],
        accuracy_high: vec![accuracy[1]],
        macro_recall: vec![measured.macro_recall()],
        macro_recall_low: vec![recall[0]],
        macro_recall_high: vec![recall[1]],
        ece: vec![measured.ece()],
        brier: vec![measured.brier()],
        aurc: vec![measured.aurc()],
        coverage_at_2: vec![measured.coverage_at(0.02)],
        error_at_90: vec![measured.risk_at(0.9)],
        coverage: vec![f64::from(sure) / n as f64],
        error: vec![(sure > 0).then(|| f64::from(wrong) / f64::from(sure))],
        series: vec![judged.len() as u32],
        series_accuracy: vec![
            (!judged.is_empty()).then(|| judged.iter().filter(|&&right| right).count() as f64 / judged.len() as f64),
        ],
    };
    let risk = measured.risk_coverage();
    Some((Figures { metrics, classes, risk }, measured))
}

/// Writes all tables; without figures removes those of before, which are of other categories.
fn write(
    outputs: &jobs::categorize::Outputs,
    categories: &Categories,
    series: &SeriesCategories,
    figures: Option<&(Figures, Measured)>,
    stamp: &Stamp,
) -> Result<(), Error> {
    write_table(&outputs.categories.join(PART_0), categories, stamp)?;
    write_table(&outputs.series.join(PART_0), series, stamp)?;
    if let Some((Figures { metrics, classes, risk }, measured)) = figures {
        write_table(&outputs.metrics.join(PART_0), metrics, stamp)?;
        write_table(&outputs.classes.join(PART_0), classes, stamp)?;
        write_table(&outputs.risk.join(PART_0), risk, stamp)?;
        write_table(&outputs.reliability.join(PART_0), &measured.reliability(), stamp)?;
        return Ok(());
    }
    for folder in [&outputs.metrics, &outputs.classes, &outputs.risk, &outputs.reliability] {
        remove(&folder.join(PART_0))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => Ok(done?),
    }
}

/// Tells of names that do not count.
fn tell_flags(names: &Names) {
    let mut flags: BTreeMap<&str, usize> = BTreeMap::new();
    names.flag.iter().flatten().for_each(|flag| *flags.entry(flag).or_default() += 1);
    for (flag, count) in flags {
        tracing::warn!("{count} names do not count: {flag} (docs/tables.md says what that is)");
    }
}

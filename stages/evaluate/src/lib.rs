//! Assignments to metrics: how good by the labels, how stable since the epoch before.

mod args;
mod contingency;
mod count;
mod error;
mod metrics;

pub use args::{Args, Means};
pub use contingency::Contingency;
pub use error::Error;
pub use metrics::{ami, ari, balanced_purity, nmi, purity};

use std::collections::BTreeMap;
use std::path::Path;

use deepmcat_schemas::jobs::evaluate::Inputs;
use deepmcat_schemas::layout::{LABELS, MANIFEST};
use deepmcat_schemas::{
    Assignments, ClusterId, Clusters, Labels, Manifest, Metrics, PART_0, Table, jobs, read_folder, read_table,
    write_table,
};
use deepmcat_stage::Timings;
use polars::prelude::{LazyFrame, NamedFrom, PolarsResult, Series};

/// Does a job.
///
/// # Errors
/// When a table is absent, does not fit its schema or is of other images, or the metrics cannot be written.
pub fn run(job: jobs::Evaluate, means: Means) -> Result<(), Error> {
    let mut timings = Timings::new();
    let stamp = job.stamp();
    let Inputs { dataset, assignments: of_epoch, clusters: clusters_path, previous } = job.inputs;
    let manifest_path = dataset.join(MANIFEST);
    let manifest: Manifest = read_table(&manifest_path)?;
    // A data set that was made by hand may have none.
    let labels_path = dataset.join(LABELS);
    let labels: Labels = if labels_path.exists() { read_table(&labels_path)? } else { Labels::default() };
    let assignments: Assignments = read_folder(&of_epoch)?;
    let clusters: Clusters = read_folder(&clusters_path)?;
    let previous: Option<Assignments> = previous.as_deref().map(read_folder).transpose()?;
    if assignments.image_id.is_empty() {
        return Err(Error::Empty { path: of_epoch });
    }
    timings.lap("read");
    let count = |source| Error::Count { path: of_epoch.clone(), source };
    check_images(&of_epoch, &assignments, &manifest_path, &manifest)?;
    check_clusters(&of_epoch, &assignments, &clusters_path, &clusters)?;
    let metrics = evaluate(&labels, &assignments, &clusters, previous.as_ref()).map_err(count)?;
    timings.lap("compute");
    write_table(&job.outputs.metrics.join(PART_0), &metrics, &stamp)?;
    timings.lap("write");
    timings.log();
    if means.json {
        let row = serde_json::Value::Object(metrics.json(0));
        deepmcat_stage::print(&row.to_string()).map_err(Error::Print)?;
    }
    Ok(())
}

/// Every assigned image has to be in the manifest, or the figures would be of some of them.
fn check_images(
    path: &Path,
    assignments: &Assignments,
    manifest_path: &Path,
    manifest: &Manifest,
) -> Result<(), Error> {
    let known: std::collections::HashSet<_> = manifest.image_id.iter().collect();
    let missing = assignments.image_id.iter().filter(|id| !known.contains(id)).count();
    if missing == 0 {
        return Ok(());
    }
    Err(Error::OtherImages {
        path: path.to_owned(),
        other: manifest_path.to_owned(),
        missing,
        images: assignments.image_id.len(),
    })
}

/// Assignments and clusters have to be of the same fit, or the row would mix two epochs.
fn check_clusters(
    path: &Path,
    assignments: &Assignments,
    clusters_path: &Path,
    clusters: &Clusters,
) -> Result<(), Error> {
    let mut counted: BTreeMap<ClusterId, u32> = BTreeMap::new();
    for &cluster in &assignments.cluster {
        *counted.entry(cluster).or_default() += 1;
    }
    let said = clusters.cluster.iter().copied().zip(clusters.size.iter().copied());
    if counted == said.filter(|&(_, size)| size > 0).collect() {
        return Ok(());
    }
    Err(Error::OtherFit { path: path.to_owned(), clusters: clusters_path.to_owned() })
}

/// The metrics of one epoch, one row.
///
/// Figures by label are over the images that have one, and null where none has; figures of change are over the images
/// that the epoch before assigned too, and null where there are none.
///
/// # Errors
/// When polars refuses the tables.
pub fn evaluate(
    labels: &Labels,
    assignments: &Assignments,
    clusters: &Clusters,
    previous: Option<&Assignments>,
) -> PolarsResult<Metrics> {
    let ids: Vec<u32> = labels.image_id.iter().map(|id| id.0).collect();
    let labels = count::frame(&ids, Series::new("value".into(), &labels.label))?;
    let assigned = frame_of(assignments)?;
    let by_label = count::contingency(labels, assigned.clone())?;
    let labelled = by_label.total > 0;
    let of_labels = |metric: fn(&Contingency) -> f64| vec![labelled.then(|| metric(&by_label))];

    let (mut nmi_previous, mut changed_share) = (None, None);
    if let Some(previous) = previous {
        let before = frame_of(previous)?;
        let by_previous = count::contingency(before.clone(), assigned.clone())?;
        nmi_previous = (by_previous.total > 0).then(|| nmi(&by_previous));
        let (same, all) = count::unchanged(before, assigned)?;
        changed_share = (all > 0).then(|| 1.0 - same as f64 / all as f64);
    }

    let images = assignments.image_id.len();
    let largest = clusters.size.iter().max().copied().unwrap_or_default();
    Ok(Metrics {
        images: vec![images as u32],
        clusters: vec![clusters.cluster.len() as u32],
        clusters_used: vec![clusters.size.iter().filter(|&&size| size > 0).count() as u32],
        largest_share: vec![f64::from(largest) / images as f64],
        nmi_previous: vec![nmi_previous],
        changed_share: vec![changed_share],
        nmi_labels: of_labels(nmi),
        purity: of_labels(purity),
        balanced_purity: of_labels(balanced_purity),
        ari: of_labels(ari),
        ami: of_labels(ami),
        labelled: vec![by_label.total as u32],
        classes: vec![by_label.rows.len() as u32],
        inertia: vec![clusters.inertia.iter().sum()],
        spread: vec![spread(clusters)],
    })
}

/// Mean squared distance of the features to their mean: that within clusters and that of the centroids.
fn spread(clusters: &Clusters) -> f64 {
    let images: f64 = clusters.size.iter().copied().map(f64::from).sum();
    let d = clusters.centroid.first().map_or(0, Vec::len);
    let mut mean = vec![0.0; d];
    for (centroid, &size) in clusters.centroid.iter().zip(&clusters.size) {
        mean.iter_mut().zip(centroid).for_each(|(sum, &value)| *sum += f64::from(size) * f64::from(value) / images);
    }
    let distance = |centroid: &[f32]| -> f64 {
        mean.iter().zip(centroid).map(|(mean, &value)| (f64::from(value) - mean).powi(2)).sum()
    };
    let weighted = clusters.centroid.iter().zip(&clusters.size).map(|(c, &size)| f64::from(size) * distance(c));
    (clusters.inertia.iter().sum::<f64>() + weighted.sum::<f64>()) / images
}

fn frame_of(assignments: &Assignments) -> PolarsResult<LazyFrame> {
    let ids: Vec<u32> = assignments.image_id.iter().map(|id| id.0).collect();
    let clusters: Vec<u32> = assignments.cluster.iter().map(|cluster| cluster.0).collect();
    count::frame(&ids, Series::new("value".into(), &clusters))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::ImageId;

    fn tables(labels: &[Option<&str>], clusters: &[u32]) -> (Labels, Assignments, Clusters) {
        let ids: Vec<ImageId> = (0..labels.len() as u32).map(ImageId).collect();
        let labelled = ids.iter().zip(labels).filter_map(|(&id, label)| Some((id, (*label)?.to_owned())));
        let (image_id, label) = labelled.unzip();
        let of_images = Labels { image_id, label };
        let cluster: Vec<ClusterId> = clusters.iter().copied().map(ClusterId).collect();
        let assignments = Assignments { image_id: ids, cluster, ..Assignments::default() };
        let size = |of: u32| clusters.iter().filter(|&&cluster| cluster == of).count() as u32;
        let table = Clusters {
            cluster: [0, 1, 2].map(ClusterId).to_vec(),
            size: vec![size(0), size(1), size(2)],
            inertia: vec![0.5, 0.25, 0.0],
            centroid: vec![vec![]; 3],
        };
        (of_images, assignments, table)
    }

    #[test]
    fn only_labelled_images_are_measured_by_label() {
        let labels = [Some("A"), Some("A"), Some("B"), Some("B"), None];
        let (labels, assignments, clusters) = tables(&labels, &[0, 0, 1, 0, 1]);
        let metrics = evaluate(&labels, &assignments, &clusters, None).unwrap();
        assert_eq!((metrics.images[0], metrics.labelled[0], metrics.classes[0]), (5, 4, 2));
        assert_eq!((metrics.clusters[0], metrics.clusters_used[0]), (3, 2));
        assert_eq!(metrics.purity[0], Some(0.75));
        assert_eq!(metrics.balanced_purity[0], Some(0.75));
        assert_eq!(metrics.largest_share[0], 0.6);
        assert_eq!((metrics.nmi_previous[0], metrics.changed_share[0]), (None, None));
        assert_eq!(metrics.inertia[0], 0.75);
    }

    #[test]
    fn without_labels_the_figures_that_need_them_are_null() {
        let (labels, assignments, clusters) = tables(&[None; 4], &[0, 0, 1, 2]);
        let metrics = evaluate(&labels, &assignments, &clusters, Some(&assignments)).unwrap();
        assert_eq!((metrics.purity[0], metrics.ari[0], metrics.labelled[0]), (None, None, 0));
        assert_eq!((metrics.nmi_previous[0], metrics.changed_share[0]), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn an_epoch_before_of_other_images_says_nothing() {
        let (labels, assignments, clusters) = tables(&[None; 3], &[0, 0, 1]);
        let mut before = assignments.clone();
        before.image_id.iter_mut().for_each(|id| id.0 += 10);
        let metrics = evaluate(&labels, &assignments, &clusters, Some(&before)).unwrap();
        assert_eq!((metrics.nmi_previous[0], metrics.changed_share[0]), (None, None));
    }

    #[test]
    fn the_spread_is_that_of_the_features() {
        // Features (1, 0), (0, 1), (0, 1): their mean is (1/3, 2/3), and numpy.var(axis=0).sum() is 4/9.
        let (_, _, mut clusters) = tables(&[None; 3], &[0, 1, 1]);
        clusters.centroid = vec![vec![1.0, 0.0], vec![0.0, 1.0], vec![9.0, 9.0]];
        clusters.inertia = vec![0.0; 3];
        assert!((spread(&clusters) - 4.0 / 9.0).abs() < 1e-9);
    }

    #[test]
    fn clusters_of_another_epoch_are_refused() {
        let (_, assignments, clusters) = tables(&[None; 3], &[0, 0, 1]);
        let (one, other) = (Path::new("a/epoch=1"), Path::new("c/epoch=2"));
        assert!(check_clusters(one, &assignments, other, &clusters).is_ok());
        let (_, _, clusters) = tables(&[None; 3], &[0, 1, 1]);
        let error = check_clusters(one, &assignments, other, &clusters).unwrap_err();
        assert!(error.to_string().starts_with("a/epoch=1: its clusters are not those of c/epoch=2"), "{error}");
    }

    #[test]
    fn images_that_changed_cluster_are_counted() {
        let (labels, before, clusters) = tables(&[None; 4], &[0, 0, 1, 1]);
        let (_, after, _) = tables(&[None; 4], &[0, 1, 1, 1]);
        let metrics = evaluate(&labels, &after, &clusters, Some(&before)).unwrap();
        assert_eq!(metrics.changed_share[0], Some(0.25));
        assert!(metrics.nmi_previous[0].unwrap() < 1.0);
    }
}

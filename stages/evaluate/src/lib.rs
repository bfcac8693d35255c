//! Assignments to metrics: how good by the labels, how stable since the epoch before.

mod args;
mod contingency;
mod count;
mod error;
mod metrics;

pub use args::Args;
pub use contingency::Contingency;
pub use error::Error;
pub use metrics::{ami, ari, balanced_purity, nmi, purity};

use std::path::Path;

use deepmcat_common::Timings;
use deepmcat_schemas::layout::MANIFEST;
use deepmcat_schemas::{Assignments, Clusters, Manifest, Metrics, PART_0, read_folder, read_table, write_table};
use polars::prelude::{LazyFrame, NamedFrom, PolarsResult, Series};

/// Runs the stage.
///
/// # Errors
/// When a table is absent, does not fit its schema or is of other images, or the metrics cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let mut timings = Timings::new();
    let config = args.common.config()?;
    let manifest_path = args.dataset.join(MANIFEST);
    let manifest: Manifest = read_table(&manifest_path)?;
    let assignments: Assignments = read_folder(&args.assignments)?;
    let clusters: Clusters = read_folder(&args.clusters)?;
    let previous: Option<Assignments> = args.previous.as_deref().map(read_folder).transpose()?;
    if assignments.image_id.is_empty() {
        return Err(Error::Empty { path: args.assignments });
    }
    timings.lap("read");
    let count = |source| Error::Count { path: args.assignments.clone(), source };
    check_images(&args.assignments, &assignments, &manifest_path, &manifest)?;
    let metrics = evaluate(&manifest, &assignments, &clusters, previous.as_ref()).map_err(count)?;
    timings.lap("compute");
    write_table(&args.out.join(PART_0), &metrics, &config.stamp("evaluate", env!("CARGO_PKG_VERSION")))?;
    timings.lap("write");
    timings.log();
    if args.json {
        print_json(&metrics);
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

/// The metrics of one epoch, one row.
///
/// # Errors
/// When polars refuses the tables.
pub fn evaluate(
    manifest: &Manifest,
    assignments: &Assignments,
    clusters: &Clusters,
    previous: Option<&Assignments>,
) -> PolarsResult<Metrics> {
    let ids: Vec<u32> = manifest.image_id.iter().map(|id| id.0).collect();
    let labels = count::frame(&ids, Series::new("value".into(), &manifest.label))?;
    let assigned = frame_of(assignments)?;
    let by_label = count::contingency(labels, assigned.clone())?;
    let labelled = by_label.total > 0;
    let of_labels = |metric: fn(&Contingency) -> f64| vec![labelled.then(|| metric(&by_label))];

    let (mut nmi_previous, mut changed_share) = (None, None);
    if let Some(previous) = previous {
        let before = frame_of(previous)?;
        nmi_previous = Some(nmi(&count::contingency(before.clone(), assigned.clone())?));
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
    })
}

fn frame_of(assignments: &Assignments) -> PolarsResult<LazyFrame> {
    let ids: Vec<u32> = assignments.image_id.iter().map(|id| id.0).collect();
    let clusters: Vec<u32> = assignments.cluster.iter().map(|cluster| cluster.0).collect();
    count::frame(&ids, Series::new("value".into(), &clusters))
}

fn print_json(metrics: &Metrics) {
    use std::io::Write;
    let text = |value: Option<f64>| value.map_or_else(|| "null".to_owned(), |value| value.to_string());
    let figures = [
        ("purity", metrics.purity[0]),
        ("balanced_purity", metrics.balanced_purity[0]),
        ("nmi_labels", metrics.nmi_labels[0]),
        ("ari", metrics.ari[0]),
        ("ami", metrics.ami[0]),
        ("nmi_previous", metrics.nmi_previous[0]),
        ("changed_share", metrics.changed_share[0]),
        ("largest_share", Some(metrics.largest_share[0])),
        ("inertia", Some(metrics.inertia[0])),
        ("clusters_used", Some(f64::from(metrics.clusters_used[0]))),
    ];
    let pairs: Vec<String> = figures.iter().map(|(name, value)| format!("\"{name}\": {}", text(*value))).collect();
    // A reader that has gone is no error.
    let _ = writeln!(std::io::stdout(), "{{{}}}", pairs.join(", "));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::{ClusterId, ImageId};

    fn tables(labels: &[Option<&str>], clusters: &[u32]) -> (Manifest, Assignments, Clusters) {
        let ids: Vec<ImageId> = (0..labels.len() as u32).map(ImageId).collect();
        let label = labels.iter().map(|label| label.map(str::to_owned)).collect();
        let manifest = Manifest { image_id: ids.clone(), label, ..Manifest::default() };
        let cluster: Vec<ClusterId> = clusters.iter().copied().map(ClusterId).collect();
        let assignments = Assignments { image_id: ids, cluster, ..Assignments::default() };
        let size = |of: u32| clusters.iter().filter(|&&cluster| cluster == of).count() as u32;
        let table = Clusters {
            cluster: [0, 1, 2].map(ClusterId).to_vec(),
            size: vec![size(0), size(1), size(2)],
            inertia: vec![0.5, 0.25, 0.0],
            centroid: vec![vec![]; 3],
        };
        (manifest, assignments, table)
    }

    #[test]
    fn only_labelled_images_are_measured_by_label() {
        let labels = [Some("A"), Some("A"), Some("B"), Some("B"), None];
        let (manifest, assignments, clusters) = tables(&labels, &[0, 0, 1, 0, 1]);
        let metrics = evaluate(&manifest, &assignments, &clusters, None).unwrap();
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
        let (manifest, assignments, clusters) = tables(&[None; 4], &[0, 0, 1, 2]);
        let metrics = evaluate(&manifest, &assignments, &clusters, Some(&assignments)).unwrap();
        assert_eq!((metrics.purity[0], metrics.ari[0], metrics.labelled[0]), (None, None, 0));
        assert_eq!((metrics.nmi_previous[0], metrics.changed_share[0]), (Some(1.0), Some(0.0)));
    }

    #[test]
    fn images_that_changed_cluster_are_counted() {
        let (manifest, before, clusters) = tables(&[None; 4], &[0, 0, 1, 1]);
        let (_, after, _) = tables(&[None; 4], &[0, 1, 1, 1]);
        let metrics = evaluate(&manifest, &after, &clusters, Some(&before)).unwrap();
        assert_eq!(metrics.changed_share[0], Some(0.25));
        assert!(metrics.nmi_previous[0].unwrap() < 1.0);
    }
}

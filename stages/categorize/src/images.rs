//! The images of a result: features, clusters, and which of them are of one subject.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use deepmcat_features::Features;
use deepmcat_schemas::{Assignments, ClusterId, ImageId, Manifest};

use crate::Error;

/// What is known of the images, in the order of the rows of their features.
#[derive(Debug, Default)]
pub(crate) struct Images {
    /// The images `[n]`.
    pub(crate) ids: Vec<ImageId>,
    /// Their clusters `[n]`.
    pub(crate) clusters: Vec<ClusterId>,
    /// Their distances to the means of these `[n]`.
    pub(crate) distances: Vec<f32>,
    /// Images of one number are of one subject, or of one series where the subject is unknown `[n]`. Where all are of one,
    /// each image has a number of its own.
    pub(crate) groups: Vec<u32>,
    /// Their series, as places in `series_names` `[n]`.
    pub(crate) series: Vec<u32>,
    /// Keyed hashes of the series, in order.
    pub(crate) series_names: Vec<String>,
    /// All images are of one subject.
    pub(crate) one_subject: bool,
    /// The row of each image.
    pub(crate) rows: HashMap<u32, usize>,
}

impl Images {
    /// The images that have features.
    ///
    /// # Errors
    /// When the tables are not of the same images.
    pub(crate) fn new(
        features: &Features<'_>,
        (path, assignments): (&Path, &Assignments),
        (dataset, manifest): (&Path, &Manifest),
    ) -> Result<Self, Error> {
        let ids = features.image_ids();
        let assigned: HashMap<ImageId, usize> = assignments.image_id.iter().copied().zip(0..).collect();
        let known: HashMap<ImageId, usize> = manifest.image_id.iter().copied().zip(0..).collect();
        let missing = |other: &Path, has: &dyn Fn(&ImageId) -> bool| {
            let missing = assignments.image_id.iter().filter(|id| !has(id)).count();
            let error = || Error::OtherImages { path: path.to_owned(), other: other.to_owned(), missing };
            if missing == 0 { Ok(()) } else { Err(error()) }
        };
        let rows: HashMap<u32, usize> = ids.iter().map(|id| id.0).zip(0..).collect();
        missing(features.source(), &|id| rows.contains_key(&id.0))?;
        missing(dataset, &|id| known.contains_key(id))?;
        let mut images = Self { rows, ..Self::default() };
        let mut series: BTreeMap<&str, u32> = BTreeMap::new();
        let mut groups: HashMap<&str, u32> = HashMap::new();
        series.extend(manifest.series.iter().map(|name| (name.as_str(), 0)));
        series.values_mut().zip(0..).for_each(|(place, number)| *place = number);
        for &id in &ids {
            let (Some(&of), Some(&at)) = (known.get(&id), assigned.get(&id)) else {
                let (path, other) = (features.source().to_owned(), path.to_owned());
                return Err(Error::OtherImages { path, other, missing: 1 });
            };
            images.clusters.push(assignments.cluster[at]);
            images.distances.push(assignments.distance[at]);
            let subject = manifest.subject[of].as_ref().unwrap_or(&manifest.series[of]);
            let next = groups.len() as u32;
            images.groups.push(*groups.entry(subject).or_insert(next));
            images.series.push(series[manifest.series[of].as_str()]);
        }
        images.one_subject = groups.len() < 2;
        if images.one_subject {
            images.groups = (0..ids.len() as u32).collect();
        }
        images.series_names = series.into_keys().map(str::to_owned).collect();
        images.ids = ids;
        Ok(images)
    }

    /// The rows of each cluster that holds any, the nearest to its mean first.
    pub(crate) fn members(&self) -> BTreeMap<ClusterId, Vec<usize>> {
        let mut members: BTreeMap<ClusterId, Vec<usize>> = BTreeMap::new();
        for (row, &cluster) in self.clusters.iter().enumerate() {
            members.entry(cluster).or_default().push(row);
        }
        for rows in members.values_mut() {
            rows.sort_by(|&a, &b| self.distances[a].total_cmp(&self.distances[b]).then(a.cmp(&b)));
        }
        members
    }
}

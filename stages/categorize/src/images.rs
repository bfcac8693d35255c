//! The images of a result: features, clusters, and which of them are of one subject.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use deepmcat_features::Features;
use deepmcat_schemas::layout::{LABELS, MANIFEST, SOURCES};
use deepmcat_schemas::{Assignments, ClusterId, ImageId, Labels, Manifest, Sources, read_table};

use crate::Error;

/// The tables of a data set that categories have to do with.
#[derive(Debug, Default)]
pub(crate) struct DataSet {
    /// Its folder.
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
    /// Empty where there are none.
    pub(crate) labels: Labels,
    pub(crate) sources: Option<Sources>,
}

impl DataSet {
    /// # Errors
    /// When there is no manifest, or a table is damaged.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let there = |table: &str| Some(folder.join(table)).filter(|path| path.exists());
        Ok(Self {
            folder: folder.to_owned(),
            manifest: read_table(&folder.join(MANIFEST))?,
            labels: there(LABELS).map(|path| read_table(&path)).transpose()?.unwrap_or_default(),
            sources: there(SOURCES).map(|path| read_table(&path)).transpose()?,
        })
    }
}

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
    /// Their rows in the manifest `[n]`.
    pub(crate) places: Vec<usize>,
    /// The row of each image.
    pub(crate) rows: HashMap<u32, usize>,
}

impl Images {
    /// The images of a result.
    ///
    /// # Errors
    /// When the tables are not of the same images.
    pub(crate) fn of_result(
        features: &Features<'_>,
        (path, assignments): (&Path, &Assignments),
        dataset: &DataSet,
    ) -> Result<Self, Error> {
        let mut images = Self::of(features, dataset)?;
        let unknown = assignments.image_id.iter().filter(|id| !images.rows.contains_key(&id.0)).count();
        if unknown > 0 {
            let (path, other) = (path.to_owned(), features.source().to_owned());
            return Err(Error::OtherImages { path, other, missing: unknown });
        }
        let assigned: HashMap<ImageId, usize> = assignments.image_id.iter().copied().zip(0..).collect();
        for id in &images.ids {
            let Some(&at) = assigned.get(id) else {
                let (path, other) = (features.source().to_owned(), path.to_owned());
                return Err(Error::OtherImages { path, other, missing: images.ids.len() - assigned.len() });
            };
            images.clusters.push(assignments.cluster[at]);
            images.distances.push(assignments.distance[at]);
        }
        Ok(images)
    }

    /// The images that have features, whose clusters are not known yet.
    ///
    /// # Errors
    /// When the data set does not have one of them.
    pub(crate) fn of(features: &Features<'_>, dataset: &DataSet) -> Result<Self, Error> {
        let manifest = &dataset.manifest;
        let ids = features.image_ids();
        let known: HashMap<ImageId, usize> = manifest.image_id.iter().copied().zip(0..).collect();
        let missing = ids.iter().filter(|id| !known.contains_key(id)).count();
        if missing > 0 {
            let (path, other) = (features.source().to_owned(), dataset.folder.clone());
            return Err(Error::OtherImages { path, other, missing });
        }
        let mut series: BTreeMap<&str, u32> = manifest.series.iter().map(|name| (name.as_str(), 0)).collect();
        series.values_mut().zip(0..).for_each(|(place, number)| *place = number);
        let mut groups: HashMap<&str, u32> = HashMap::new();
        let mut images = Self { rows: ids.iter().map(|id| id.0).zip(0..).collect(), ..Self::default() };
        for &of in ids.iter().map(|id| &known[id]) {
            let subject = manifest.subject[of].as_ref().unwrap_or(&manifest.series[of]);
            let next = groups.len() as u32;
            images.groups.push(*groups.entry(subject).or_insert(next));
            images.series.push(series[manifest.series[of].as_str()]);
            images.places.push(of);
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

//! What categories are made from: images that were named, a few images of each cluster that was named whole, or labels.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use deepmcat_features::{Features, IMAGES};
use deepmcat_schemas::{ClusterId, Clusters, Names};
use deepmcat_stage::random::{Purpose, generator};
use rand::seq::index::sample;

use crate::Error;
use crate::images::{DataSet, Images};

/// Images of a named cluster that stand for it, besides its mean.
const NEAREST: usize = 20;

/// Named points of feature space, m of them.
#[derive(Debug, Default)]
pub(crate) struct Points {
    /// The categories, in order.
    pub(crate) categories: Vec<String>,
    /// The points `[m * d]`.
    pub(crate) values: Vec<f32>,
    /// How much each counts `[m]`: all of a person's answer together 1.
    pub(crate) weights: Vec<f32>,
    /// Their categories, as places in `categories` `[m]`.
    pub(crate) classes: Vec<u32>,
    /// Which answer each is of `[m]`: a cluster that was named is one answer.
    pub(crate) answers: Vec<u32>,
    /// Their images, as rows `[m]`; none for a mean.
    pub(crate) rows: Vec<Option<usize>>,
    /// The category of each image that was named itself, by row.
    pub(crate) named: HashMap<usize, u32>,
    /// Rows that whoever named a cluster has seen: its medoid.
    pub(crate) seen: HashSet<usize>,
    /// Clusters that hold an answer.
    pub(crate) clusters: HashSet<ClusterId>,
    /// Answers.
    pub(crate) count: u32,
}

impl Points {
    /// Of the names that count.
    ///
    /// # Errors
    /// When there are none, or the clusters are not those of the features.
    pub(crate) fn of_names(
        features: &Features<'_>,
        images: &Images,
        (path, names): (&Path, &Names),
        (clusters_path, clusters): (&Path, &Clusters),
    ) -> Result<Self, Error> {
        let counts = |row: &usize| names.flag[*row].is_none();
        let rows: Vec<usize> = (0..names.kind.len()).filter(counts).collect();
        let older = names.kind.len() - rows.len();
        let mut points = Self::of_categories(rows.iter().map(|&row| names.category[row].as_str()));
        for &row in &rows {
            if let Some(&image) = names.image_id[row].and_then(|image| images.rows.get(&image)) {
                points.image(features, images, image, &names.category[row]);
            }
        }
        let members = images.members();
        let centroids: HashMap<ClusterId, &Vec<f32>> =
            clusters.cluster.iter().copied().zip(&clusters.centroid).collect();
        for &row in &rows {
            let Some(cluster) = names.cluster[row].map(ClusterId) else { continue };
            let (Some(members), Some(centroid)) = (members.get(&cluster), centroids.get(&cluster)) else { continue };
            if centroid.len() != features.dimensions() {
                let (expected, found) = (features.dimensions(), centroid.len());
                return Err(Error::OtherWidth { path: clusters_path.to_owned(), expected, found });
            }
            points.cluster(features, cluster, members, centroid, &names.category[row]);
        }
        if points.classes.is_empty() {
            return Err(Error::NoNames { path: path.to_owned(), older });
        }
        Ok(points)
    }

    /// Of labels: `per_class` of each class, drawn by `seed`, or all, as many as can be looked at.
    ///
    /// # Errors
    /// When no image has a label.
    pub(crate) fn of_labels(
        features: &Features<'_>,
        images: &Images,
        dataset: &DataSet,
        per_class: Option<u32>,
        seed: u64,
    ) -> Result<Self, Error> {
        let mut classes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (image, label) in dataset.labels.image_id.iter().zip(&dataset.labels.label) {
            if let Some(&row) = images.rows.get(&image.0) {
                classes.entry(label).or_default().push(row);
            }
        }
        if classes.is_empty() {
            return Err(Error::NoLabels { path: dataset.folder.clone() });
        }
        let most = IMAGES / classes.len();
        let mut points = Self::of_categories(classes.keys().copied());
        for (number, (label, rows)) in (0..).zip(classes) {
            let wanted = per_class.map_or(most, |wanted| most.min(wanted as usize)).min(rows.len());
            let mut drawn = sample(&mut generator(seed, 0, number, Purpose::Labels), rows.len(), wanted).into_vec();
            drawn.sort_unstable();
            for place in drawn {
                points.image(features, images, rows[place], label);
            }
        }
        Ok(points)
    }

    fn of_categories<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let names: std::collections::BTreeSet<&str> = names.collect();
        Self { categories: names.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

    /// An image that was named.
    fn image(&mut self, features: &Features<'_>, images: &Images, row: usize, category: &str) {
        let class = self.place(category);
        self.named.insert(row, class);
        self.clusters.insert(images.clusters[row]);
        self.row(features, row, class, 1.0);
        self.count += 1;
    }

    /// A cluster that was named: its mean and the images nearest to it, together as much as one image.
    fn cluster(
        &mut self,
        features: &Features<'_>,
        cluster: ClusterId,
        members: &[usize],
        centroid: &[f32],
        category: &str,
    ) {
        let class = self.place(category);
        self.seen.extend(members.first());
        self.clusters.insert(cluster);
        let own: Vec<usize> = members.iter().copied().filter(|row| !self.named.contains_key(row)).collect();
        let nearest = &own[..own.len().min(NEAREST)];
        let weight = 1.0 / (nearest.len() + 1) as f32;
        self.values.extend_from_slice(centroid);
        self.push(class, weight, None);
        for &row in nearest {
            self.row(features, row, class, weight);
        }
        self.count += 1;
    }

    fn row(&mut self, features: &Features<'_>, row: usize, class: u32, weight: f32) {
        let start = self.values.len();
        self.values.resize(start + features.dimensions(), 0.0);
        features.read(row, &mut self.values[start..]);
        self.push(class, weight, Some(row));
    }

    fn push(&mut self, class: u32, weight: f32, row: Option<usize>) {
        self.classes.push(class);
        self.weights.push(weight);
        self.rows.push(row);
        self.answers.push(self.count);
    }

    fn place(&self, category: &str) -> u32 {
        self.categories.iter().position(|other| other == category).unwrap_or_default() as u32
    }
}

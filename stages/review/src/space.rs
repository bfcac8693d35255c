//! The features of the result, mapped when they are first asked for: images that are alike, and a cluster in parts.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use deepmcat_decisions::RunResult;
use deepmcat_features::FeatureFiles;
use deepmcat_schemas::jobs::{Cluster, Job, NODES};
use rayon::prelude::*;

use crate::error::with_causes;
use crate::split::{split, squared};

/// The features, or why there are none.
#[derive(Debug)]
pub(crate) struct Space {
    run: PathBuf,
    opened: OnceLock<Result<Opened, String>>,
}

#[derive(Debug)]
struct Opened {
    files: FeatureFiles,
    /// The row of each image; none for images that the result does not have.
    rows: Vec<Option<usize>>,
}

impl Space {
    /// Of a run; nothing is read yet.
    pub(crate) fn new(run: &Path) -> Self {
        Self { run: run.to_owned(), opened: OnceLock::new() }
    }

    fn open(&self, result: &RunResult) -> Result<&Opened, String> {
        let open = || {
            let path = self.run.join(NODES).join(format!("cluster@{}.toml", result.epoch));
            let job = Job::read(&path).map_err(|error| with_causes(&error))?.at(&self.run, &self.run);
            let Ok(Cluster { inputs, weights, .. }) = Cluster::try_from(job) else {
                return Err(format!("{} is no job of cluster", path.display()));
            };
            let files = FeatureFiles::open(&inputs.features, &weights).map_err(|error| with_causes(&error))?;
            let ids = files.features().map_err(|error| with_causes(&error))?.image_ids();
            let mut rows = vec![None; result.manifest.image_id.len()];
            for (row, image) in ids.iter().enumerate() {
                if let Some(slot) = rows.get_mut(image.0 as usize) {
                    *slot = Some(row);
                }
            }
            Ok(Opened { files, rows })
        };
        self.opened
            .get_or_init(open)
            .as_ref()
            .map_err(|reason| format!("the features of the result cannot be read: {reason}"))
    }

    /// The `count` images most like one, itself first.
    ///
    /// # Errors
    /// In words, when the features are not there.
    pub(crate) fn similar(&self, result: &RunResult, image: u32, count: usize) -> Result<Vec<u32>, String> {
        let opened = self.open(result)?;
        let features = opened.files.features().map_err(|error| with_causes(&error))?;
        let row = opened.rows.get(image as usize).copied().flatten().ok_or("the image has no features")?;
        let own = features.gather(&[row]);
        let distance = |buffer: &mut Vec<f32>, row: usize| squared(features.row(row, buffer), &own);
        let buffer = || vec![0.0; features.dimensions()];
        let distances: Vec<f32> = (0..features.len()).into_par_iter().map_init(buffer, distance).collect();
        let mut order: Vec<usize> = (0..distances.len()).collect();
        let by = |a: &usize, b: &usize| {
            // Copies of the image lie at the same place: it comes before them.
            (*a != row, distances[*a]).partial_cmp(&(*b != row, distances[*b])).unwrap_or(std::cmp::Ordering::Equal)
        };
        if order.len() > count {
            order.select_nth_unstable_by(count, by);
            order.truncate(count);
        }
        order.sort_by(by);
        Ok(features.ids_of(&order))
    }

    /// The images of each of `parts` parts of `images`, the largest part first, in the order of `images`.
    ///
    /// # Errors
    /// In words, when the features are not there.
    pub(crate) fn parts(&self, result: &RunResult, images: &[u32], parts: usize) -> Result<Vec<Vec<u32>>, String> {
        let opened = self.open(result)?;
        let features = opened.files.features().map_err(|error| with_causes(&error))?;
        let rows: Option<Vec<usize>> =
            images.iter().map(|&image| opened.rows.get(image as usize).copied().flatten()).collect();
        let values = features.gather(&rows.ok_or("an image of the cluster has no features")?);
        let mut found = vec![Vec::new(); parts];
        for (&image, part) in images.iter().zip(split(&values, features.dimensions(), parts)) {
            found[part].push(image);
        }
        found.retain(|part| !part.is_empty());
        Ok(found)
    }
}

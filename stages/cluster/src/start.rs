//! Where k-means starts: k different images, drawn at random (as faiss and DeepCluster).

use deepmcat_common::random::{Purpose, generator};

use crate::features::Features;
use crate::{Centroids, Parameters};

/// The rows that start an attempt `[k]`, all different. `parameters.k` is at most `rows`.
#[must_use]
pub fn random_rows(rows: usize, parameters: &Parameters, attempt: u32) -> Vec<usize> {
    let mut generator = generator(parameters.seed, parameters.epoch.0, attempt, Purpose::KMeans);
    rand::seq::index::sample(&mut generator, rows, parameters.k).into_vec()
}

/// The features of some rows as centroids `[rows, d]`.
#[must_use]
pub fn from_rows(features: &Features<'_>, rows: &[usize]) -> Centroids {
    let mut centroids = Centroids::zeros(rows.len(), features.dimensions());
    for (&row, centroid) in rows.iter().zip(centroids.rows_mut()) {
        features.read(row, centroid);
    }
    centroids
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmcat_schemas::Epoch;

    #[test]
    fn starts_are_different_rows_and_depend_on_seed_epoch_and_attempt() {
        let draw = |seed, epoch, attempt| {
            let parameters = Parameters { k: 20, iterations: 1, redo: 1, tolerance: 0.0, seed, epoch: Epoch(epoch) };
            random_rows(20, &parameters, attempt)
        };
        let rows = draw(1, 2, 3);
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        assert_eq!(rows, draw(1, 2, 3));
        for other in [draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)] {
            assert_ne!(rows, other);
        }
    }
}

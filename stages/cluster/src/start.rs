//! Where k-means starts: at k different images drawn at random (as faiss and DeepCluster), at images drawn far from
//! each other (k-means++, Arthur and Vassilvitskii, 2007), or at the means of the clusters of the epoch before.

use std::collections::HashMap;

use deepmcat_schemas::jobs::cluster::Start;
use deepmcat_schemas::{Assignments, ImageId};
use deepmcat_stage::random::{Purpose, repeated};
use rand::RngExt;
use rayon::prelude::*;

use crate::bounds::squared_distance;
use crate::{Centroids, Parameters};
use deepmcat_features::Features;

/// Square of twice a distance, with room for rounding.
const HALF_WAY: f32 = 4.001;
/// Distances too few to be worth sharing between threads.
const FEW: usize = 64;

/// The centroids that an attempt starts from `[k, d]`.
///
/// Only the first attempt starts where the epoch before ended: another would find the same again.
#[must_use]
pub fn centroids(
    features: &Features<'_>,
    previous: Option<&Assignments>,
    parameters: &Parameters,
    attempt: u32,
) -> Centroids {
    let before = previous.filter(|_| parameters.start == Start::Previous && attempt == 0);
    if let Some(centroids) = before.and_then(|before| means(features, before, parameters.k)) {
        return centroids;
    }
    match parameters.start {
        Start::Spread => from_rows(features, &spread_rows(features, parameters, attempt)),
        Start::Random | Start::Previous => from_rows(features, &random_rows(features.len(), parameters, attempt)),
    }
}

/// The means of the clusters of the epoch before; `None` where an image had none, or there were more clusters.
fn means(features: &Features<'_>, previous: &Assignments, k: usize) -> Option<Centroids> {
    let before: HashMap<ImageId, u32> =
        previous.image_id.iter().copied().zip(previous.cluster.iter().map(|cluster| cluster.0)).collect();
    let ids = features.image_ids();
    let clusters: Option<Vec<u32>> =
        ids.iter().map(|id| before.get(id).copied().filter(|&cluster| (cluster as usize) < k)).collect();
    let mut centroids = Centroids::zeros(k, features.dimensions());
    centroids.update(features, &clusters?);
    Some(centroids)
}

/// k-means++: each next row is drawn with the probability of its squared distance to the nearest one drawn before.
///
/// Greedy, as scikit-learn's: of `2 + ln k` rows drawn so, the one that leaves the least sum of distances is taken.
#[must_use]
pub fn spread_rows(features: &Features<'_>, parameters: &Parameters, attempt: u32) -> Vec<usize> {
    let mut random = generator(parameters, attempt);
    let trials = 2 + (parameters.k as f64).ln() as usize;
    let mut drawn = Drawn::new(features, random.random_range(0..features.len()));
    while drawn.rows.len() < parameters.k {
        let total = sum(&drawn.squared);
        let mut best: Option<(f64, usize, Vec<f32>)> = None;
        for _ in 0..trials {
            let Some(row) = drawn_at(&drawn.squared, random.random::<f64>() * total) else { continue };
            let squared = drawn.with(features, row);
            let left = sum(&squared);
            if best.as_ref().is_none_or(|(least, ..)| left < *least) {
                best = Some((left, row, squared));
            }
        }
        match best {
            Some((_, row, squared)) => drawn.take(row, squared),
            // All that are left lie on one drawn before.
            None => drawn.rows.extend((0..features.len()).find(|row| !drawn.rows.contains(row))),
        }
    }
    drawn.rows
}

/// Rows drawn so far, and how far every row is from the nearest of them.
struct Drawn {
    rows: Vec<usize>,
    /// Squared distance of every row to the nearest one drawn `[n]`.
    squared: Vec<f32>,
    /// Which of `rows` that is `[n]`.
    nearest: Vec<u32>,
}

impl Drawn {
    fn new(features: &Features<'_>, first: usize) -> Self {
        let count = features.len();
        let mut drawn = Self { rows: Vec::new(), squared: vec![f32::INFINITY; count], nearest: vec![0; count] };
        drawn.take(first, drawn.with(features, first));
        drawn
    }

    /// What `squared` becomes once `row` is drawn. Most rows need no distance: one that is at most half as far from its
    /// nearest as that is from `row` cannot be nearer to `row` (triangle inequality; Raff, 2021).
    fn with(&self, features: &Features<'_>, row: usize) -> Vec<f32> {
        let centre = from_rows(features, &[row]);
        let distance =
            |buffer: &mut Vec<f32>, other: usize| squared_distance(features.row(other, buffer), centre.row(0));
        let buffer = || vec![0.0; features.dimensions()];
        let between: Vec<f32> =
            self.rows.par_iter().with_min_len(FEW).map_init(buffer, |buffer, &other| distance(buffer, other)).collect();
        let rows = self.squared.par_iter().zip(&self.nearest).enumerate().with_min_len(FEW);
        rows.map_init(buffer, |buffer, (other, (&before, &nearest))| {
            let apart = between.get(nearest as usize).copied().unwrap_or_default();
            if apart > HALF_WAY * before { before } else { before.min(distance(buffer, other)) }
        })
        .collect()
    }

    /// Draws `row`, where `with` gave `squared`.
    fn take(&mut self, row: usize, squared: Vec<f32>) {
        let place = self.rows.len() as u32;
        let rows = self.nearest.iter_mut().zip(&self.squared).zip(&squared);
        rows.filter(|((_, before), now)| now < before).for_each(|((nearest, _), _)| *nearest = place);
        self.squared = squared;
        self.rows.push(row);
    }
}

fn sum(distances: &[f32]) -> f64 {
    distances.iter().copied().map(f64::from).sum()
}

/// The row at `place` of the distances laid end to end; none where all are 0.
fn drawn_at(nearest: &[f32], place: f64) -> Option<usize> {
    let mut left = place;
    nearest.iter().position(|&distance| {
        left -= f64::from(distance);
        distance > 0.0 && left < 0.0
    })
}

/// The rows that start an attempt `[k]`, all different. `parameters.k` is at most `rows`.
#[must_use]
pub fn random_rows(rows: usize, parameters: &Parameters, attempt: u32) -> Vec<usize> {
    rand::seq::index::sample(&mut generator(parameters, attempt), rows, parameters.k).into_vec()
}

fn generator(parameters: &Parameters, attempt: u32) -> impl rand::Rng {
    repeated(parameters.seed, parameters.epoch.0, attempt, Purpose::KMeans, parameters.clustering)
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::Epoch;

    #[test]
    fn starts_are_different_rows_and_depend_on_seed_epoch_attempt_and_clustering() {
        let draw = |seed, epoch, attempt, clustering| {
            let parameters = Parameters {
                k: 20,
                groups: 20,
                smooth: 0,
                clusterings: 1,
                clustering,
                start: Start::Random,
                iterations: 1,
                redo: 1,
                tolerance: 0.0,
                seed,
                epoch: Epoch(epoch),
            };
            random_rows(20, &parameters, attempt)
        };
        let rows = draw(1, 2, 3, 0);
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        assert_eq!(rows, draw(1, 2, 3, 0));
        for other in [draw(2, 2, 3, 0), draw(1, 3, 3, 0), draw(1, 2, 4, 0), draw(1, 2, 3, 1)] {
            assert_ne!(rows, other);
        }
    }

    #[test]
    fn spread_starts_find_groups_that_random_ones_miss() {
        // Four groups of very different sizes.
        let sizes = [97, 1, 1, 1];
        let groups: Vec<usize> = sizes.iter().enumerate().flat_map(|(group, &size)| vec![group; size]).collect();
        let values: Vec<f32> = groups.iter().map(|&group| 10.0 * group as f32).collect();
        let ids: Vec<u32> = (0..100).collect();
        let features = Features::from_values(&ids, 1, &values).unwrap();
        let parameters = Parameters {
            k: 4,
            groups: 4,
            smooth: 0,
            clusterings: 1,
            clustering: 0,
            start: Start::Spread,
            iterations: 1,
            redo: 1,
            tolerance: 0.0,
            seed: 3,
            epoch: Epoch(0),
        };
        for attempt in 0..10 {
            let mut found: Vec<usize> =
                spread_rows(&features, &parameters, attempt).into_iter().map(|row| groups[row]).collect();
            found.sort_unstable();
            assert_eq!(found, [0, 1, 2, 3]);
        }
        // More clusters than different images: rows stay different.
        let mut rows = spread_rows(&features, &Parameters { k: 9, ..parameters }, 0);
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 9);
    }

    #[test]
    fn the_epoch_before_is_where_the_first_attempt_starts() {
        let (ids, values) = ([0, 1, 2, 3], [0.0, 1.0, 10.0, 12.0]);
        let features = Features::from_values(&ids, 1, &values).unwrap();
        let parameters = Parameters {
            k: 2,
            groups: 2,
            smooth: 0,
            clusterings: 1,
            clustering: 0,
            start: Start::Previous,
            iterations: 1,
            redo: 1,
            tolerance: 0.0,
            seed: 3,
            epoch: Epoch(1),
        };
        let before = |clusters: &[u32]| Assignments {
            image_id: ids[..clusters.len()].iter().copied().map(ImageId).collect(),
            cluster: clusters.iter().copied().map(deepmcat_schemas::ClusterId).collect(),
            ..Assignments::default()
        };
        let start = |previous: &[u32], attempt| centroids(&features, Some(&before(previous)), &parameters, attempt);
        assert_eq!(start(&[1, 1, 0, 0], 0).values(), [11.0, 0.5]);
        assert_ne!(start(&[1, 1, 0, 0], 1).values(), [11.0, 0.5]);
        // An image without a cluster, or one of more clusters, says that the epoch before was another run's.
        assert_eq!(start(&[1, 1, 0], 0), start(&[1, 1, 0, 2], 0));
    }
}

//! Centroids `[k, d]` and how an iteration moves them: means of their images, and a new place for the empty ones.

use deepmcat_nn::Ranks;
use rayon::prelude::*;

use crate::features::Features;

/// How far the two halves of a split cluster move apart, relative to each coordinate (faiss's `EPS`).
const PERTURBATION: f32 = 1.0 / 1024.0;

/// k points of d dimensions, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Centroids {
    k: usize,
    dimensions: usize,
    values: Vec<f32>,
}

impl Centroids {
    /// All zeros.
    #[must_use]
    pub fn zeros(k: usize, dimensions: usize) -> Self {
        Self { k, dimensions, values: vec![0.0; k * dimensions] }
    }

    /// The number of centroids.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// The width of a centroid, d.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// All coordinates `[k * d]`.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One centroid `[d]`.
    #[must_use]
    pub fn row(&self, cluster: usize) -> &[f32] {
        &self.values[cluster * self.dimensions..][..self.dimensions]
    }

    /// The centroids one after the other, each `[d]`.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        // chunks of 0 would panic; features without dimensions give centroids without coordinates.
        self.values.chunks_exact_mut(self.dimensions.max(1))
    }

    /// Moves every centroid to the mean of its images and fills empty clusters; gives the number of those.
    ///
    /// `clusters` `[n]` names a centroid for each row. Sums are in double precision and in the order of the rows,
    /// a thread per cluster, so the result does not depend on the number of threads.
    pub fn update(&mut self, features: &Features<'_>, clusters: &[u32], ranks: &Ranks) -> usize {
        let share = ranks.share(clusters.len());
        let members = Members::new(&clusters[share.clone()], self.k);
        let (k, dimensions) = (self.k, self.dimensions);
        // The sums of every cluster, then its size.
        let mut sums = vec![0.0_f64; k * dimensions];
        sums.par_chunks_exact_mut(dimensions.max(1)).enumerate().for_each_init(
            || vec![0.0_f32; dimensions],
            |row, (cluster, sums)| {
                for &member in members.of(cluster) {
                    features.add(share.start + member as usize, row, sums);
                }
            },
        );
        sums.extend((0..k).map(|cluster| members.of(cluster).len() as f64));
        ranks.sum(&mut sums);
        let (sums, counts) = sums.split_at(k * dimensions);
        for ((centroid, sums), &count) in self.rows_mut().zip(sums.chunks_exact(dimensions.max(1))).zip(counts) {
            if count > 0.0 {
                centroid.iter_mut().zip(sums).for_each(|(value, &sum)| *value = (sum / count) as f32);
            }
        }
        let mut sizes: Vec<usize> = counts.iter().map(|&count| count as usize).collect();
        self.fill_empty(&mut sizes)
    }

    /// Gives each empty cluster half of the largest: a copy of its centroid, the two moved apart (faiss, DeepCluster).
    ///
    /// faiss draws the cluster to split by size; the largest is taken here, the first of equals, so that nothing is
    /// drawn in the middle of a fit.
    fn fill_empty(&mut self, sizes: &mut [usize]) -> usize {
        let mut filled = 0;
        for empty in 0..self.k {
            if sizes[empty] > 0 {
                continue;
            }
            let largest = (0..self.k).rev().max_by_key(|&cluster| sizes[cluster]).unwrap_or(empty);
            for dimension in 0..self.dimensions {
                let value = self.values[largest * self.dimensions + dimension];
                let sign = if dimension % 2 == 0 { 1.0 } else { -1.0 };
                self.values[empty * self.dimensions + dimension] = value * (1.0 + sign * PERTURBATION);
                self.values[largest * self.dimensions + dimension] = value * (1.0 - sign * PERTURBATION);
            }
            sizes[empty] = sizes[largest] / 2;
            sizes[largest] -= sizes[empty];
            filled += 1;
        }
        filled
    }
}

/// The rows of each cluster, in their order: a counting sort.
struct Members {
    rows: Vec<u32>,
    /// `[k + 1]`: where in `rows` a cluster starts and the one before ends.
    starts: Vec<usize>,
}

impl Members {
    fn new(clusters: &[u32], k: usize) -> Self {
        let mut starts = vec![0; k + 1];
        for &cluster in clusters {
            starts[cluster as usize + 1] += 1;
        }
        for cluster in 0..k {
            starts[cluster + 1] += starts[cluster];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; clusters.len()];
        for (row, &cluster) in (0..).zip(clusters) {
            rows[next[cluster as usize]] = row;
            next[cluster as usize] += 1;
        }
        Self { rows, starts }
    }

    fn of(&self, cluster: usize) -> &[u32] {
        &self.rows[self.starts[cluster]..self.starts[cluster + 1]]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn centroids_are_means() {
        let values = [1.0, 0.0, 3.0, 0.0, 0.0, 5.0];
        let features = Features::from_values(&[0, 1, 2], 2, &values).unwrap();
        let mut centroids = Centroids::zeros(2, 2);
        assert_eq!(centroids.update(&features, &[1, 1, 0], &Ranks::alone()), 0);
        assert_eq!(centroids.values(), [0.0, 5.0, 2.0, 0.0]);
    }

    #[test]
    fn an_empty_cluster_takes_half_of_the_largest() {
        let values = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 8.0, 8.0];
        let features = Features::from_values(&[0, 1, 2, 3], 2, &values).unwrap();
        let mut centroids = Centroids::zeros(3, 2);
        assert_eq!(centroids.update(&features, &[2, 2, 2, 1], &Ranks::alone()), 1);
        let (more, less) = (1.0 + PERTURBATION, 1.0 - PERTURBATION);
        assert_eq!(centroids.row(0), [more, 2.0 * less]);
        assert_eq!(centroids.row(1), [8.0, 8.0]);
        assert_eq!(centroids.row(2), [less, 2.0 * more]);
    }

    #[test]
    fn several_empty_clusters_split_what_is_largest_then() {
        let values = [1.0; 6];
        let features = Features::from_values(&[0, 1, 2, 3, 4, 5], 1, &values).unwrap();
        let mut centroids = Centroids::zeros(4, 1);
        // 5 and 1: the empty ones take 2 of 5, then 1 of the 3 that are left.
        assert_eq!(centroids.update(&features, &[3, 3, 3, 3, 3, 1], &Ranks::alone()), 2);
        let distinct: std::collections::BTreeSet<u32> =
            centroids.values().iter().map(|value| value.to_bits()).collect();
        assert_eq!(distinct.len(), 4, "{centroids:?}");
    }
}

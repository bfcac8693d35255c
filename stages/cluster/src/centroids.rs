//! Centroids `[k, d]` and how an iteration moves them: to the means of their images, and the empty ones elsewhere.

use rayon::prelude::*;

use deepmcat_features::Features;

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

    /// The means of the clusters `[n]` of an assignment, empty ones filled; gives the number of those.
    pub fn update(&mut self, features: &Features<'_>, clusters: &[u32]) -> usize {
        let mut sums = Sums::new(self.k, self.dimensions);
        sums.update(features, clusters);
        self.move_to(&sums)
    }

    /// Moves every centroid to the mean of its images and fills empty clusters; gives the number of those.
    pub fn move_to(&mut self, sums: &Sums) -> usize {
        for (cluster, centroid) in self.rows_mut().enumerate() {
            let (sum, count) = sums.of(cluster);
            if count > 0.0 {
                centroid.iter_mut().zip(sum).for_each(|(value, &sum)| *value = (sum / count) as f32);
            }
        }
        let mut sizes: Vec<usize> = (0..self.k).map(|cluster| sums.of(cluster).1 as usize).collect();
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

/// The sum of the rows of every cluster, and how many they are.
///
/// Sums are in double precision, a thread per cluster, so they do not depend on the number of threads. Of an assignment
/// like the one before only the rows that changed cluster are read.
#[derive(Debug)]
pub struct Sums {
    k: usize,
    dimensions: usize,
    /// The assignment `[n]` that they are of.
    clusters: Vec<u32>,
    /// `[k, d + 1]`: sums and sizes.
    values: Vec<f64>,
}

impl Sums {
    /// Of no row yet.
    #[must_use]
    pub fn new(k: usize, dimensions: usize) -> Self {
        Self { k, dimensions, clusters: Vec::new(), values: vec![0.0; k * (dimensions + 1)] }
    }

    /// Goes over to the assignment `clusters` `[n]`.
    pub fn update(&mut self, features: &Features<'_>, clusters: &[u32]) {
        let before = &self.clusters;
        let is_changed = |row: &u32| before[*row as usize] != clusters[*row as usize];
        let rows = 0..clusters.len() as u32;
        let changed: Vec<u32> = if before.is_empty() { Vec::new() } else { rows.clone().filter(is_changed).collect() };
        // A row that changed is read twice.
        let afresh = before.is_empty() || 2 * changed.len() > clusters.len();
        let (left, joined) = if afresh {
            self.values.fill(0.0);
            (Members::new(&[], clusters, self.k), Members::new(&rows.collect::<Vec<_>>(), clusters, self.k))
        } else {
            (Members::new(&changed, before, self.k), Members::new(&changed, clusters, self.k))
        };
        let width = self.dimensions + 1;
        self.values.par_chunks_exact_mut(width).enumerate().for_each_init(
            || vec![0.0_f32; width - 1],
            |buffer, (cluster, sums)| {
                for (rows, sign) in [(left.of(cluster), -1.0), (joined.of(cluster), 1.0)] {
                    for &row in rows {
                        let values = features.row(row as usize, buffer);
                        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += sign * f64::from(value));
                    }
                    sums[width - 1] += sign * rows.len() as f64;
                }
            },
        );
        self.clusters = clusters.to_vec();
    }

    /// Sum `[d]` and size of a cluster.
    fn of(&self, cluster: usize) -> (&[f64], f64) {
        let sums = &self.values[cluster * (self.dimensions + 1)..][..=self.dimensions];
        (&sums[..self.dimensions], sums[self.dimensions])
    }

    /// Sum of the squared distances of all rows to the centroids of their clusters. `lengths` is that of `|x|^2`.
    ///
    /// `sum |x|^2 - 2 S c + n |c|^2` of every cluster with sum S and size n: no row is read. Rounding can put it below 0.
    #[must_use]
    pub fn objective(&self, centroids: &Centroids, lengths: f64) -> f64 {
        let of_cluster = |cluster: usize| {
            let (sum, count) = self.of(cluster);
            let terms = centroids.row(cluster).iter().zip(sum).map(|(&value, &sum)| {
                let value = f64::from(value);
                value * (count * value - 2.0 * sum)
            });
            terms.sum::<f64>()
        };
        (lengths + (0..self.k).map(of_cluster).sum::<f64>()).max(0.0)
    }
}

/// Rows by cluster, in their order: a counting sort.
struct Members {
    rows: Vec<u32>,
    /// `[k + 1]`: where in `rows` a cluster starts and the one before ends.
    starts: Vec<usize>,
}

impl Members {
    /// `rows` by the cluster that `clusters` has for each.
    fn new(rows: &[u32], clusters: &[u32], k: usize) -> Self {
        let mut starts = vec![0; k + 1];
        for &row in rows {
            starts[clusters[row as usize] as usize + 1] += 1;
        }
        for cluster in 0..k {
            starts[cluster + 1] += starts[cluster];
        }
        let mut next = starts.clone();
        let mut sorted = vec![0; rows.len()];
        for &row in rows {
            let place = &mut next[clusters[row as usize] as usize];
            sorted[*place] = row;
            *place += 1;
        }
        Self { rows: sorted, starts }
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
        assert_eq!(centroids.update(&features, &[1, 1, 0]), 0);
        assert_eq!(centroids.values(), [0.0, 5.0, 2.0, 0.0]);
    }

    #[test]
    fn sums_of_a_like_assignment_are_those_of_a_fresh_one() {
        let values: Vec<f32> = (0..60).map(|value| ((value * 37) % 64) as f32).collect();
        let ids: Vec<u32> = (0..20).collect();
        let features = Features::from_values(&ids, 3, &values).unwrap();
        let mut clusters: Vec<u32> = (0..20).map(|row| row % 4).collect();
        let mut sums = Sums::new(5, 3);
        for changed in [vec![], vec![3, 4, 17], vec![4], (0..15).collect::<Vec<usize>>()] {
            changed.into_iter().for_each(|row| clusters[row] = (clusters[row] + 2) % 5);
            sums.update(&features, &clusters);
            let mut fresh = Sums::new(5, 3);
            fresh.update(&features, &clusters);
            // Integers: sums are exact.
            assert_eq!(sums.values, fresh.values);
        }
        let centroids = Centroids { k: 5, dimensions: 3, values: (0..15).map(|value| value as f32).collect() };
        let squares = |row: usize| {
            let pairs = values[3 * row..3 * row + 3].iter().zip(centroids.row(clusters[row] as usize));
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
        };
        let lengths = values.iter().map(|&value| f64::from(value).powi(2)).sum();
        assert_eq!(sums.objective(&centroids, lengths), (0..20).map(squares).sum::<f64>());
    }

    #[test]
    fn an_empty_cluster_takes_half_of_the_largest() {
        let values = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 8.0, 8.0];
        let features = Features::from_values(&[0, 1, 2, 3], 2, &values).unwrap();
        let mut centroids = Centroids::zeros(3, 2);
        assert_eq!(centroids.update(&features, &[2, 2, 2, 1]), 1);
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
        assert_eq!(centroids.update(&features, &[3, 3, 3, 3, 3, 1]), 2);
        let distinct: std::collections::BTreeSet<u32> =
            centroids.values().iter().map(|value| value.to_bits()).collect();
        assert_eq!(distinct.len(), 4, "{centroids:?}");
    }
}

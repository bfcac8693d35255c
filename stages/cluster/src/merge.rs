//! Merges the clusters of k-means into fewer: k-means with few clusters splits what is large and joins what is small,
//! while clusters of many, joined by average linkage (UPGMA of their centroids), follow what lies together.

use kodama::{Method, linkage};

use crate::Centroids;

/// The group, 0 .. groups-1, of each centroid `[k]`; groups are numbered by their first centroid.
///
/// The two groups whose centroids are nearest on average are joined until `groups` are left (Sokal and Michener, 1958).
#[must_use]
pub fn merge(centroids: &Centroids, groups: usize) -> Vec<u32> {
    let k = centroids.k();
    let mut distances = Vec::with_capacity(k * k.saturating_sub(1) / 2);
    for one in 0..k {
        for other in one + 1..k {
            let squares = centroids.row(one).iter().zip(centroids.row(other));
            distances.push(squares.map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>().sqrt());
        }
    }
    // Joint j makes the group k + j of two earlier ones; those below k are the centroids.
    let joints = linkage(&mut distances, k, Method::Average);
    let mut parent: Vec<usize> = (0..2 * k).collect();
    for (joint, step) in joints.steps().iter().take(k.saturating_sub(groups)).enumerate() {
        parent[step.cluster1] = k + joint;
        parent[step.cluster2] = k + joint;
    }
    let root = |mut node: usize| {
        while parent[node] != node {
            node = parent[node];
        }
        node
    };
    let mut seen: Vec<usize> = Vec::with_capacity(groups);
    let group_of = |centroid| {
        let root = root(centroid);
        let known = seen.iter().position(|&other| other == root);
        known.unwrap_or_else(|| {
            seen.push(root);
            seen.len() - 1
        }) as u32
    };
    (0..k).map(group_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f32]) -> Centroids {
        let mut centroids = Centroids::zeros(values.len(), 1);
        centroids.rows_mut().zip(values).for_each(|(row, &value)| row[0] = value);
        centroids
    }

    #[test]
    fn what_lies_together_is_joined() {
        // sklearn.cluster.AgglomerativeClustering(n, linkage="average").fit_predict(x[:, None]) groups the same.
        let centroids = points(&[0.0, 10.0, 1.0, 11.0, 30.0, 2.5]);
        assert_eq!(merge(&centroids, 3), [0, 1, 0, 1, 2, 0]);
        assert_eq!(merge(&centroids, 2), [0, 0, 0, 0, 1, 0]);
        assert_eq!(merge(&centroids, 6), [0, 1, 2, 3, 4, 5]);
        assert_eq!(merge(&centroids, 1), [0; 6]);
    }
}

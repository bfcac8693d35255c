//! A fit as tables: who is where, how near, and how clearly.
//!
//! Distances are taken here from the coordinates in double precision, since the matrix form `|x|^2 - 2 x c + |c|^2`
//! loses digits where they matter, near a centroid.

use deepmcat_schemas::{Assignments, ClusterId, Clusters};
use rayon::prelude::*;

use crate::Centroids;
use deepmcat_features::Features;

/// The tables of an assignment. `nearest` `[n]` holds each row's two nearest centroids, `own` `[n]` its centroid where
/// that is not the nearest one (of merged clusters), `numbers` `[k]` each centroid's cluster number, a permutation of
/// 0 .. k-1.
#[must_use]
pub fn tables(
    features: &Features<'_>,
    centroids: &Centroids,
    nearest: &[[u32; 2]],
    own: Option<&[u32]>,
    numbers: &[ClusterId],
) -> (Assignments, Clusters) {
    let rows: Vec<Row> = nearest
        .par_iter()
        .enumerate()
        .map_init(
            || vec![0.0; features.dimensions()],
            |buffer, (row, &pair)| {
                features.read(row, buffer);
                Row::new(buffer, centroids, pair, own.map(|own| own[row]))
            },
        )
        .collect();
    let k = centroids.k();
    let mut clusters = Clusters {
        cluster: (0..k as u32).map(ClusterId).collect(),
        size: vec![0; k],
        inertia: vec![0.0; k],
        centroid: vec![Vec::new(); k],
    };
    for (centroid, number) in numbers.iter().enumerate() {
        clusters.centroid[number.0 as usize] = centroids.row(centroid).to_vec();
    }
    let mut assignments = Assignments { image_id: features.image_ids(), ..Assignments::default() };
    for row in rows {
        let number = numbers[row.cluster as usize];
        clusters.size[number.0 as usize] += 1;
        clusters.inertia[number.0 as usize] += row.squared;
        assignments.cluster.push(number);
        assignments.distance.push(row.squared.sqrt() as f32);
        assignments.margin.push((row.second_squared.sqrt() - row.squared.sqrt()) as f32);
    }
    (assignments, clusters)
}

/// One image against its two nearest centroids.
struct Row {
    cluster: u32,
    squared: f64,
    second_squared: f64,
}

impl Row {
    fn new(row: &[f32], centroids: &Centroids, [first, second]: [u32; 2], own: Option<u32>) -> Self {
        let to = |centroid: u32| squared_distance(row, centroids.row(centroid as usize));
        if let Some(own) = own {
            let other = if own == first { second } else { first };
            return Self { cluster: own, squared: to(own), second_squared: to(other) };
        }
        let (squared, second_squared) = (to(first), to(second));
        // Where single precision could not tell the two apart, double precision decides.
        if second_squared < squared {
            return Self { cluster: second, squared: second_squared, second_squared: squared };
        }
        Self { cluster: first, squared, second_squared }
    }
}

/// `|one - other|^2` in double precision.
pub(crate) fn squared_distance(one: &[f32], other: &[f32]) -> f64 {
    one.iter().zip(other).map(|(&one, &other)| (f64::from(one) - f64::from(other)).powi(2)).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tables_carry_numbers_distances_and_margins() {
        let features = Features::from_values(&[7, 8, 9], 2, &[0.0, 3.0, 0.0, 0.0, 10.0, 0.0]).unwrap();
        let mut centroids = Centroids::zeros(3, 2);
        let points: [[f32; 2]; 3] = [[0.0, 0.0], [10.0, 1.0], [50.0, 50.0]];
        centroids.rows_mut().zip(points).for_each(|(row, point)| row.copy_from_slice(&point));
        let numbers = [2, 0, 1].map(ClusterId);
        // The last row's pair is the wrong way round, as rounding may leave it.
        let (assignments, clusters) = tables(&features, &centroids, &[[0, 1], [0, 1], [0, 1]], None, &numbers);
        assert_eq!(assignments.cluster, [2, 2, 0].map(ClusterId));
        assert_eq!(assignments.distance, [3.0, 0.0, 1.0]);
        assert_eq!(assignments.margin[2], 9.0);
        // Merged: the second row stays where it is, though another centroid is nearer.
        let (merged, _) = tables(&features, &centroids, &[[0, 1], [0, 1], [1, 0]], Some(&[0, 1, 1]), &numbers);
        assert_eq!(merged.cluster, [2, 0, 0].map(ClusterId));
        assert!(merged.margin[1] < 0.0 && merged.margin[2] == 9.0);
        assert_eq!(clusters.cluster, [0, 1, 2].map(ClusterId));
        assert_eq!(clusters.size, [1, 0, 2]);
        assert_eq!(clusters.inertia, [1.0, 0.0, 9.0]);
        assert_eq!(clusters.centroid, [vec![10.0, 1.0], vec![50.0, 50.0], vec![0.0, 0.0]]);
    }
}

//! What is known of a row since its last assignment, so that most rows need no new one (Hamerly, 2010).
//!
//! A row keeps an upper bound of the distance to its own centroid and a lower bound of the distance to every other.
//! When centroids move, the bounds move by at most as much; while the upper one is below the lower one, no other
//! centroid can have become the nearest. Bounds leave room for rounding, so that the assignment is the one that all
//! distances would give.

use std::cmp::Ordering;

use rayon::prelude::*;

use crate::Centroids;

/// Room for rounding in a squared distance `|x|^2 - 2 x c + |c|^2` in single precision, as a share of `|x|^2 + |c|^2`.
const SLACK: f32 = 1e-5;
/// Room for rounding in a distance or in the sum of two.
const GROWTH: f32 = 1.0 + 1e-5;

/// A row's centroid, and how far that and the others are.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The nearest centroid.
    pub cluster: u32,
    /// The distance to it is at most this.
    upper: f32,
    /// The distance to every other centroid is at least this.
    lower: f32,
}

impl Bound {
    /// Before the first assignment: nothing is known.
    pub const UNKNOWN: Self = Self { cluster: 0, upper: f32::INFINITY, lower: 0.0 };

    /// After the distances to all centroids were computed: `scores` are the least two of `|c|^2 - 2 x c`, `length` is
    /// `|x|^2` and `widest` the largest `|c|^2`.
    #[must_use]
    pub fn known(cluster: u32, scores: [f32; 2], length: f32, widest: f32) -> Self {
        let slack = SLACK * (length + widest);
        let upper = (scores[0] + length + slack).max(0.0).sqrt() * GROWTH;
        let lower = (scores[1] + length - slack).max(0.0).sqrt() / GROWTH;
        Self { cluster, upper, lower }
    }

    /// Whether another centroid than its own may be the nearest now. Where the bounds cannot tell, the squared distance
    /// to its own is asked for, which is one of k.
    pub fn is_open(&mut self, moved: &Moved, squared: impl FnOnce(usize) -> f32) -> bool {
        self.upper = (self.upper + moved.of(self.cluster)) * GROWTH;
        self.lower = (self.lower - moved.of_others(self.cluster)) / GROWTH;
        if self.upper < self.lower {
            return false;
        }
        if self.upper.is_finite() {
            self.upper = squared(self.cluster as usize).sqrt() * GROWTH;
        }
        // NaN, of rows that overflow, leaves it open.
        self.upper.partial_cmp(&self.lower) != Some(Ordering::Less)
    }
}

/// How far each centroid moved.
#[derive(Debug)]
pub struct Moved {
    /// `[k]`
    distances: Vec<f32>,
    farthest: usize,
    /// The farthest move of any other.
    second: f32,
}

impl Moved {
    /// From `before` to `after`, both `[k, d]`.
    #[must_use]
    pub fn between(before: &Centroids, after: &Centroids) -> Self {
        let distance = |cluster| squared_distance(before.row(cluster), after.row(cluster)).sqrt() * GROWTH;
        let distances: Vec<f32> = (0..after.k()).into_par_iter().map(distance).collect();
        let farthest = (0..distances.len()).max_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap_or_default();
        let others = distances.iter().enumerate().filter(|&(cluster, _)| cluster != farthest);
        let second = others.map(|(_, &distance)| distance).fold(0.0, f32::max);
        Self { distances, farthest, second }
    }

    fn of(&self, cluster: u32) -> f32 {
        self.distances[cluster as usize]
    }

    /// The farthest that any but `cluster` moved.
    fn of_others(&self, cluster: u32) -> f32 {
        if cluster as usize == self.farthest { self.second } else { self.distances[self.farthest] }
    }
}

/// `|a - b|^2`, summed in vectors.
#[must_use]
pub fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (wide_a, rest_a) = a.as_chunks::<LANES>();
    let (wide_b, rest_b) = b.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for (a, b) in wide_a.iter().zip(wide_b) {
        for lane in 0..LANES {
            let difference = a[lane] - b[lane];
            lanes[lane] += difference * difference;
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| (a - b) * (a - b)).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn centroids(values: &[f32], dimensions: usize) -> Centroids {
        let mut centroids = Centroids::zeros(values.len() / dimensions, dimensions);
        centroids.rows_mut().zip(values.chunks(dimensions)).for_each(|(row, values)| row.copy_from_slice(values));
        centroids
    }

    #[test]
    fn a_row_is_closed_until_centroids_have_moved_enough() {
        let row = [0.0_f32, 0.0];
        // Its own centroid is 1 away, the other 3.
        let mut bound = Bound::known(0, [1.0, 9.0], 0.0, 9.0);
        let mut before = centroids(&[1.0, 0.0, 3.0, 0.0], 2);
        for (own, other, open) in [(1.0, 2.5, false), (1.2, 2.2, false), (2.0, 1.5, true)] {
            let after = centroids(&[own, 0.0, other, 0.0], 2);
            let squared = |cluster| squared_distance(&row, after.row(cluster));
            assert_eq!(bound.is_open(&Moved::between(&before, &after), squared), open, "{own} {other}");
            before = after;
        }
        let still = Moved::between(&before, &before);
        assert!(Bound::UNKNOWN.clone().is_open(&still, |_| unreachable!("there is no own centroid yet")));
    }

    proptest! {
        #[test]
        fn a_closed_row_has_its_nearest_centroid(
            row in prop::collection::vec(-1.0_f32..1.0, 3),
            start in prop::collection::vec(-1.0_f32..1.0, 15),
            moves in prop::collection::vec(prop::collection::vec(-0.1_f32..0.1, 15), 1..6),
        ) {
            let squared = |centroids: &Centroids, cluster| squared_distance(&row, centroids.row(cluster));
            let order = |centroids: &Centroids| {
                let mut order: Vec<usize> = (0..5).collect();
                order.sort_by(|&a, &b| squared(centroids, a).total_cmp(&squared(centroids, b)));
                order
            };
            let mut now = centroids(&start, 3);
            let (first, length) = (order(&now), squared_distance(&row, &[0.0; 3]));
            let score = |place: usize| squared(&now, first[place]) - length;
            let widest = (0..5).map(|cluster| squared_distance(now.row(cluster), &[0.0; 3])).fold(0.0, f32::max);
            let mut bound = Bound::known(first[0] as u32, [score(0), score(1)], length, widest);
            for step in moves {
                let values: Vec<f32> = now.values().iter().zip(&step).map(|(value, step)| value + step).collect();
                let next = centroids(&values, 3);
                if bound.is_open(&Moved::between(&now, &next), |cluster| squared(&next, cluster)) {
                    break;
                }
                prop_assert_eq!(order(&next)[0], bound.cluster as usize);
                now = next;
            }
        }
    }
}

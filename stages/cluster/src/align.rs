//! Cluster numbers that mean the same from epoch to epoch: maximum-overlap matching with the epoch before.

use std::collections::HashMap;

use deepmcat_schemas::{Assignments, ClusterId, ImageId};
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// The number of each centroid `[k]`, a permutation of 0 .. k-1.
///
/// Images of both epochs are counted in a k x k table of (centroid, number before), and numbers are given so that as
/// many images as possible keep theirs (Kuhn and Munkres, O(k^3)). A centroid that keeps no image takes the lowest
/// number that is left. Numbers before that are k or more (k was larger then) are not given again.
#[must_use]
pub fn align(ids: &[ImageId], clusters: &[u32], previous: &Assignments, k: usize) -> Vec<ClusterId> {
    let before: HashMap<ImageId, ClusterId> =
        previous.image_id.iter().copied().zip(previous.cluster.iter().copied()).collect();
    let mut overlap = Matrix::new(k, k, 0_i64);
    for (id, &cluster) in ids.iter().zip(clusters) {
        match before.get(id) {
            Some(number) if (number.0 as usize) < k => overlap[(cluster as usize, number.0 as usize)] += 1,
            _ => {}
        }
    }
    let (kept, matched) = kuhn_munkres(&overlap);
    if kept == 0 {
        tracing::warn!("no image keeps its cluster: the assignments of --previous are of other images");
    }
    // A match without a common image says nothing; such centroids share what is left, in order.
    let numbers: Vec<Option<usize>> = matched
        .into_iter()
        .enumerate()
        .map(|(centroid, number)| (overlap[(centroid, number)] > 0).then_some(number))
        .collect();
    let mut taken = vec![false; k];
    numbers.iter().flatten().for_each(|&number| taken[number] = true);
    let mut free = (0..k).filter(|&number| !taken[number]);
    // As many numbers are free as centroids are without.
    numbers.into_iter().map(|number| ClusterId(number.or_else(|| free.next()).unwrap_or_default() as u32)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(clusters: &[u32]) -> Assignments {
        Assignments {
            image_id: (0..clusters.len() as u32).map(ImageId).collect(),
            cluster: clusters.iter().copied().map(ClusterId).collect(),
            ..Assignments::default()
        }
    }

    fn numbers(clusters: &[u32], previous: &[u32], k: usize) -> Vec<u32> {
        let previous = table(previous);
        let ids: Vec<ImageId> = (0..clusters.len() as u32).map(ImageId).collect();
        align(&ids, clusters, &previous, k).into_iter().map(|number| number.0).collect()
    }

    /// Images that keep their number.
    fn kept(numbers: &[u32], clusters: &[u32], previous: &[u32]) -> usize {
        clusters.iter().zip(previous).filter(|(cluster, before)| numbers[**cluster as usize] == **before).count()
    }

    /// The most images that any permutation keeps.
    fn most(clusters: &[u32], previous: &[u32], numbers: &mut Vec<u32>, k: u32) -> usize {
        if numbers.len() == k as usize {
            return kept(numbers, clusters, previous);
        }
        let mut best = 0;
        for number in 0..k {
            if !numbers.contains(&number) {
                numbers.push(number);
                best = best.max(most(clusters, previous, numbers, k));
                numbers.pop();
            }
        }
        best
    }

    #[test]
    fn renamed_clusters_get_their_numbers_back() {
        assert_eq!(numbers(&[0, 0, 1, 1, 2], &[2, 2, 0, 0, 1], 3), [2, 0, 1]);
    }

    #[test]
    fn the_whole_counts_and_not_each_cluster_by_itself() {
        // Cluster 0 shares most with number 0, but then cluster 1 would keep nothing.
        let clusters = [0, 0, 0, 0, 0, 1, 1, 1, 1];
        let previous = [0, 0, 0, 1, 1, 0, 0, 0, 0];
        assert_eq!(numbers(&clusters, &previous, 2), [1, 0]);
    }

    #[test]
    fn new_clusters_take_free_numbers_in_order() {
        // Number 2 and 3 are of the epoch before; clusters 1 and 3 are new.
        assert_eq!(numbers(&[0, 0, 2], &[3, 3, 2], 4), [3, 0, 2, 1]);
    }

    #[test]
    fn a_smaller_k_than_before_gives_numbers_below_k() {
        assert_eq!(numbers(&[0, 0, 1], &[7, 7, 0], 2), [1, 0]);
    }

    #[test]
    fn other_images_leave_the_numbers_as_they_are() {
        let previous =
            Assignments { image_id: vec![ImageId(99)], cluster: vec![ClusterId(1)], ..Assignments::default() };
        let numbers = align(&[ImageId(0), ImageId(1)], &[0, 1], &previous, 2);
        assert_eq!(numbers, [0, 1].map(ClusterId));
    }

    proptest! {
        #[test]
        fn numbers_are_a_permutation_that_keeps_most(
            k in 2_u32..6,
            pairs in prop::collection::vec((0_u32..6, 0_u32..6), 1..60),
        ) {
            let (clusters, previous): (Vec<u32>, Vec<u32>) =
                pairs.into_iter().map(|(cluster, before)| (cluster % k, before % k)).unzip();
            let numbers = numbers(&clusters, &previous, k as usize);
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..k).collect::<Vec<_>>());
            prop_assert_eq!(kept(&numbers, &clusters, &previous), most(&clusters, &previous, &mut Vec::new(), k));
        }
    }
}

//! Merges the clusters of k-means into fewer: k-means with few clusters splits what is large and joins what is small,
//! while clusters of many, joined where images of one are neighbours of images of the other, follow what lies together,
//! whatever its shape and size.
//!
//! Two clusters are as alike as the share of the smaller one's neighbourhoods that lies in the other (links over the
//! smaller volume of the graph of nearest neighbours), a little less so the larger the other is; the two most alike are
//! joined until few enough are left, much as in Chameleon (Karypis, Han and Kumar, 1999).

use crate::Centroids;
use crate::measure::squared_distance;
use deepmcat_features::{Graph, IMAGES, NEIGHBOURS};

/// Clusters that are merged at most: with fewer than two images of the graph in each nothing is learned of them, and
/// their links alone are then half a gigabyte.
pub(crate) const MOST: usize = IMAGES / 2;
/// Power of the larger volume that links are divided by. At 0 what has grown large takes all that touches it; at 1 all
/// groups get the same size.
const LARGER: f64 = 0.1;

/// The group, 0 .. groups-1, of each centroid `[k]`; groups are numbered by their first centroid. `clusters` `[a]` is the
/// centroid of every image of the graph.
pub(crate) fn merge(graph: &Graph, centroids: &Centroids, clusters: &[u32], groups: usize) -> Vec<u32> {
    let k = centroids.k();
    let mut left = Groups::new(graph, centroids, clusters, groups);
    for _ in groups..k {
        left.join();
    }
    left.numbers()
}

/// What is left of the clusters.
struct Groups {
    /// `[k]`: the group of each centroid, named by its first one.
    group_of: Vec<usize>,
    /// `[k, k]`: pairs of neighbours between groups, in the rows and columns of those that are left.
    links: Vec<f64>,
    /// `[k]`: links of each group, those within it twice.
    volumes: Vec<f64>,
    /// `[k]`: images of the graph in each group, and the group's mean, for groups without a link to another.
    sizes: Vec<f64>,
    means: Centroids,
}

impl Groups {
    fn new(graph: &Graph, centroids: &Centroids, clusters: &[u32], groups: usize) -> Self {
        let k = centroids.k();
        let mut sizes = vec![0.0; k];
        clusters.iter().for_each(|&cluster| sizes[cluster as usize] += 1.0);
        let mut links = vec![0.0; k * k];
        // Where a group has fewer images on average, more neighbours lie in other groups.
        let count = NEIGHBOURS.min(clusters.len() / groups.max(1)).max(1);
        for (&cluster, neighbours) in clusters.iter().zip(&graph.neighbours) {
            let one = cluster as usize;
            for &neighbour in neighbours.iter().take(count) {
                let other = clusters[neighbour as usize] as usize;
                links[one * k + other] += 1.0;
                links[other * k + one] += 1.0;
            }
        }
        let volumes = links.chunks_exact(k).map(|links| links.iter().sum()).collect();
        Self { group_of: (0..k).collect(), links, volumes, sizes, means: centroids.clone() }
    }

    /// Joins the two groups that are most alike; of equals, as of groups without any link, the nearest.
    fn join(&mut self) {
        let k = self.group_of.len();
        let left: Vec<usize> = (0..k).filter(|&group| self.group_of[group] == group).collect();
        let mut best: Option<(f64, f64, [usize; 2])> = None;
        for (place, &one) in left.iter().enumerate() {
            for &other in &left[place + 1..] {
                let (ours, theirs) = (self.volumes[one], self.volumes[other]);
                let volume = ours.min(theirs) * ours.max(theirs).powf(LARGER);
                // An empty cluster goes to the nearest.
                let alike = if volume > 0.0 { self.links[one * k + other] / volume } else { f64::INFINITY };
                if best.is_some_and(|(most, ..)| alike < most) {
                    continue;
                }
                let distance = squared_distance(self.means.row(one), self.means.row(other));
                if best.is_none_or(|(most, nearest, _)| alike > most || distance < nearest) {
                    best = Some((alike, distance, [one, other]));
                }
            }
        }
        let Some((_, _, [one, other])) = best else { return };
        for group in 0..k {
            self.links[one * k + group] += self.links[other * k + group];
        }
        for group in 0..k {
            self.links[group * k + one] += self.links[group * k + other];
        }
        self.volumes[one] += self.volumes[other];
        let (ours, theirs) = (self.sizes[one], self.sizes[other]);
        // Two empty groups meet half way.
        let share = if ours + theirs > 0.0 { theirs / (ours + theirs) } else { 0.5 } as f32;
        let theirs = self.means.row(other).to_vec();
        if let Some(mean) = self.means.rows_mut().nth(one) {
            mean.iter_mut().zip(theirs).for_each(|(own, their)| *own += share * (their - *own));
        }
        self.sizes[one] += self.sizes[other];
        self.group_of.iter_mut().filter(|group| **group == other).for_each(|group| *group = one);
    }

    /// The groups of the centroids, counted from 0 in the order of their first one.
    fn numbers(&self) -> Vec<u32> {
        let mut number = 0;
        let mut numbers = vec![0; self.group_of.len()];
        for (centroid, &group) in self.group_of.iter().enumerate() {
            // A group is named by its first centroid, whose number is given by now.
            numbers[centroid] = if group == centroid { number } else { numbers[group] };
            number += u32::from(group == centroid);
        }
        numbers
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_features::Features;
    use tch::Device;

    /// Merges the clusters of points `[n, 2]`, each centroid being the mean of its points.
    fn merged(points: &[[f32; 2]], clusters: &[u32], groups: usize) -> Vec<u32> {
        let ids: Vec<u32> = (0..points.len() as u32).collect();
        let features = Features::from_values(&ids, 2, points.as_flattened()).unwrap();
        let mut centroids = Centroids::zeros(clusters.iter().max().map_or(0, |&most| most as usize + 1), 2);
        centroids.update(&features, clusters);
        merge(&Graph::new(&features, Device::Cpu).unwrap(), &centroids, clusters, groups)
    }

    /// 100 points of a line of length 10, in four clusters, at height `y`.
    fn line(y: f32, first: u32) -> impl Iterator<Item = ([f32; 2], u32)> {
        (0..100).map(move |place| ([place as f32 / 10.0, y], first + place / 25))
    }

    #[test]
    fn clusters_of_one_shape_are_joined_though_others_are_nearer() {
        // Two lines 2 apart: a cluster's nearest centroid is that of the other line.
        let (points, clusters): (Vec<_>, Vec<_>) = line(0.0, 0).chain(line(2.0, 4)).unzip();
        assert_eq!(merged(&points, &clusters, 2), [0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(merged(&points, &clusters, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(merged(&points, &clusters, 1), [0; 8]);
    }

    #[test]
    fn of_equal_shares_the_smaller_neighbour_takes_it() {
        let mut means = Centroids::zeros(3, 1);
        means.rows_mut().zip([0.0, 3.0, 1.0]).for_each(|(mean, place)| mean[0] = place);
        let links = vec![980.0, 0.0, 20.0, 0.0, 80.0, 20.0, 20.0, 20.0, 60.0];
        let (volumes, sizes) = (vec![1000.0, 100.0, 100.0], vec![50.0, 5.0, 5.0]);
        let mut groups = Groups { group_of: vec![0, 1, 2], links, volumes, sizes, means };
        groups.join();
        // A fifth of the links leads to either, and the large group is nearer.
        assert_eq!(groups.numbers(), [0, 1, 1]);
    }

    #[test]
    fn groups_smaller_than_the_neighbours_that_count_are_found() {
        // Heaps of six images, each in two clusters.
        let heap =
            |heap: u32| (0..6).map(move |place| ([heap as f32 + 0.05 * place as f32, 0.0], 2 * heap + place / 3));
        let (points, clusters): (Vec<_>, Vec<_>) = (0..10).flat_map(heap).unzip();
        let expected: Vec<u32> = (0..20).map(|cluster| cluster / 2).collect();
        assert_eq!(merged(&points, &clusters, 10), expected);
    }

    #[test]
    fn groups_without_a_common_neighbour_are_joined_by_distance() {
        let heap = |x: f32, cluster: u32| (0..30).map(move |place| ([x, place as f32 / 1000.0], cluster));
        let (points, clusters): (Vec<_>, Vec<_>) =
            heap(0.0, 0).chain(heap(10.0, 1)).chain(heap(13.0, 2)).chain(heap(40.0, 3)).unzip();
        assert_eq!(merged(&points, &clusters, 3), [0, 1, 1, 2]);
        assert_eq!(merged(&points, &clusters, 2), [0, 0, 0, 1]);
    }
}

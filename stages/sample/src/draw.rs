//! The draw: as many images from every cluster, then a shuffle (DeepCluster's `UnifLabelSampler`).
//!
//! There, the indices drawn are positions in the data set while the data set was reordered by cluster, so the images
//! drawn are not uniform over pseudo-labels. Here an image is drawn with its own pseudo-label.

use std::collections::BTreeMap;

use deepmcat_common::random::{Purpose, generator};
use deepmcat_schemas::{Assignments, ClusterId, Epoch, ImageId, Samples};
use rand::RngExt;
use rand::seq::SliceRandom;

/// Draws n images for n assigned ones, shuffled.
///
/// With `uniform`, every non-empty cluster gives floor(n / clusters) + 1 images, without replacement where it has
/// more than that, else with replacement; the shuffled draw is cut to n. Otherwise every image comes once.
#[must_use]
pub fn draw(assignments: &Assignments, uniform: bool, seed: u64, epoch: Epoch) -> Samples {
    let count = assignments.image_id.len();
    let pairs = assignments.image_id.iter().copied().zip(assignments.cluster.iter().copied());
    let mut drawn: Vec<(ImageId, ClusterId)> =
        if uniform { from_each(pairs, count, seed, epoch) } else { pairs.collect() };
    drawn.shuffle(&mut generator(seed, epoch.0, 0, Purpose::Shuffle));
    drawn.truncate(count);
    let (image_id, cluster) = drawn.into_iter().unzip();
    // A data set is numbered by u32, so its length fits.
    Samples { position: (0..count as u32).collect(), image_id, cluster }
}

fn from_each(
    pairs: impl Iterator<Item = (ImageId, ClusterId)>,
    count: usize,
    seed: u64,
    epoch: Epoch,
) -> Vec<(ImageId, ClusterId)> {
    // Ordered maps and sorted members: the draw must not depend on the order of the table's rows.
    let mut members: BTreeMap<ClusterId, Vec<ImageId>> = BTreeMap::new();
    for (image, cluster) in pairs {
        members.entry(cluster).or_default().push(image);
    }
    let share = count / members.len().max(1) + 1;
    let mut drawn = Vec::with_capacity(share * members.len());
    for (cluster, mut images) in members {
        images.sort_unstable();
        let mut random = generator(seed, epoch.0, cluster.0, Purpose::Sample);
        if images.len() > share {
            let (chosen, _) = images.partial_shuffle(&mut random, share);
            drawn.extend(chosen.iter().map(|&image| (image, cluster)));
        } else {
            drawn.extend((0..share).map(|_| (images[random.random_range(0..images.len())], cluster)));
        }
    }
    drawn
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use proptest::prelude::*;

    /// `sizes[c]` images in cluster c.
    fn assignments(sizes: &[u32]) -> Assignments {
        let mut table = Assignments::default();
        for (cluster, &size) in sizes.iter().enumerate() {
            for _ in 0..size {
                table.image_id.push(ImageId(table.image_id.len() as u32));
                table.cluster.push(ClusterId(cluster as u32));
            }
        }
        table
    }

    fn by_cluster(samples: &Samples) -> BTreeMap<ClusterId, Vec<ImageId>> {
        let mut drawn: BTreeMap<ClusterId, Vec<ImageId>> = BTreeMap::new();
        for (&image, &cluster) in samples.image_id.iter().zip(&samples.cluster) {
            drawn.entry(cluster).or_default().push(image);
        }
        drawn
    }

    proptest! {
        #[test]
        fn every_cluster_gives_as_many(sizes in prop::collection::vec(0_u32..60, 1..12), seed: u64) {
            let table = assignments(&sizes);
            prop_assume!(!table.image_id.is_empty());
            let samples = draw(&table, true, seed, Epoch(3));
            prop_assert_eq!(samples.image_id.len(), table.image_id.len());
            let used = sizes.iter().filter(|&&size| size > 0).count();
            let share = table.image_id.len() / used + 1;
            for (cluster, images) in by_cluster(&samples) {
                // Cut to n, so a cluster may lose some, never win.
                prop_assert!(images.len() <= share);
                prop_assert!(images.iter().all(|image| table.cluster[image.0 as usize] == cluster));
                if sizes[cluster.0 as usize] as usize > share {
                    prop_assert_eq!(images.iter().collect::<BTreeSet<_>>().len(), images.len());
                }
            }
        }
    }

    #[test]
    fn a_small_cluster_is_drawn_as_often_as_a_large_one() {
        let samples = draw(&assignments(&[2, 500, 498]), true, 1, Epoch(0));
        let drawn = by_cluster(&samples);
        assert!(
            drawn.values().all(|images| images.len() >= 330),
            "{:?}",
            drawn.values().map(Vec::len).collect::<Vec<_>>()
        );
    }

    #[test]
    fn not_uniform_is_every_image_once() {
        let table = assignments(&[2, 30]);
        let samples = draw(&table, false, 1, Epoch(0));
        let images: BTreeSet<_> = samples.image_id.iter().collect();
        assert_eq!(images.len(), 32);
        assert_ne!(samples.image_id, table.image_id, "shuffled");
    }

    #[test]
    fn draws_depend_on_seed_and_epoch_alone() {
        let table = assignments(&[5, 9, 40]);
        assert_eq!(draw(&table, true, 1, Epoch(2)), draw(&table, true, 1, Epoch(2)));
        assert_ne!(draw(&table, true, 1, Epoch(2)), draw(&table, true, 1, Epoch(3)));
        assert_ne!(draw(&table, true, 1, Epoch(2)), draw(&table, true, 2, Epoch(2)));
        let reversed = Assignments {
            image_id: table.image_id.iter().rev().copied().collect(),
            cluster: table.cluster.iter().rev().copied().collect(),
            ..Assignments::default()
        };
        assert_eq!(draw(&table, true, 1, Epoch(2)), draw(&reversed, true, 1, Epoch(2)));
    }
}

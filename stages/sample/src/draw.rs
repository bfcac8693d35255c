//! The draw: as many images from every cluster, then a shuffle (DeepCluster's `UnifLabelSampler`).
//!
//! There, the indices drawn are positions in the data set while the data set was reordered by cluster, so the images
//! drawn are not uniform over pseudo-labels. Here an image is drawn with its own pseudo-label.

use std::collections::BTreeMap;

use deepmcat_schemas::jobs::sample::Draw;
use deepmcat_schemas::{Assignments, ClusterId, Epoch, Samples};
use deepmcat_stage::random::{Purpose, generator, repeated};
use rand::RngExt;
use rand::seq::SliceRandom;

/// Draws n images, shuffled: as many as are assigned, but at least `settings.least`.
///
/// With `settings.uniform`, every non-empty cluster gives floor(n / clusters) + 1 images, without replacement where it has
/// more than that, else with replacement; the shuffled draw is cut to n. Of several clusterings each gives its share of
/// the n, uniform over its own clusters. Otherwise every image comes equally often, up to one; which ones come once more
/// is drawn. With `settings.sure` below 1 all are drawn from the images that are nearest to their centroids.
#[must_use]
pub fn draw(assignments: &Assignments, settings: &Draw, seed: u64, epoch: Epoch) -> Samples {
    let images = assignments.image_id.len();
    let count = images.max(settings.least as usize);
    // Sorted: the draw must not depend on the order of the table's rows.
    let mut rows = if settings.sure < 1.0 { nearest(assignments, settings.sure) } else { (0..images).collect() };
    rows.sort_unstable_by_key(|&row| assignments.image_id[row]);
    let mut drawn: Vec<usize> = Vec::new();
    if settings.uniform {
        let clusterings = 1 + assignments.others.first().map_or(0, Vec::len);
        for clustering in 0..clusterings {
            let share = count * (clustering + 1) / clusterings - count * clustering / clusterings;
            let cluster = |row: usize| match clustering {
                0 => Some(assignments.cluster[row]),
                further => assignments.others[row].get(further - 1).copied(),
            };
            let pairs = rows.iter().filter_map(|&row| cluster(row).map(|cluster| (row, cluster)));
            let random = |cluster: ClusterId| repeated(seed, epoch.0, cluster.0, Purpose::Sample, clustering as u32);
            drawn.extend(from_each(pairs, share, random));
        }
    } else {
        let rounds = count / rows.len().max(1);
        drawn.extend(std::iter::repeat_n(&rows, rounds).flatten());
        // The rest of a round: other images at each epoch.
        let mut random = generator(seed, epoch.0, 0, Purpose::Sample);
        drawn.extend_from_slice(rows.partial_shuffle(&mut random, count - drawn.len()).0);
    }
    drawn.shuffle(&mut generator(seed, epoch.0, 0, Purpose::Shuffle));
    drawn.truncate(count);
    let others = |&row: &usize| assignments.others.get(row).cloned().unwrap_or_default();
    Samples {
        // A data set is numbered by u32, so its length fits.
        position: (0..count as u32).collect(),
        image_id: drawn.iter().map(|&row| assignments.image_id[row]).collect(),
        cluster: drawn.iter().map(|&row| assignments.cluster[row]).collect(),
        others: drawn.iter().map(others).collect(),
    }
}

/// The rows of the share of each cluster's images that are nearest to its centroid, at least one of each.
///
/// Wrong pseudo-labels are found far from centroids: of the images of the synthetic archive that are in a cluster of
/// another class one in ten is among the nearest six tenths.
fn nearest(assignments: &Assignments, share: f64) -> Vec<usize> {
    let mut members: BTreeMap<ClusterId, Vec<usize>> = BTreeMap::new();
    for (row, &cluster) in assignments.cluster.iter().enumerate() {
        members.entry(cluster).or_default().push(row);
    }
    let mut kept = Vec::new();
    for mut rows in members.into_values() {
        let distance = |row: usize| assignments.distance[row];
        rows.sort_by(|&a, &b| {
            let nearer = distance(a).total_cmp(&distance(b));
            nearer.then(assignments.image_id[a].cmp(&assignments.image_id[b]))
        });
        rows.truncate((share * rows.len() as f64).ceil() as usize);
        kept.append(&mut rows);
    }
    kept
}

/// As many of every cluster, at least `count` in all.
fn from_each<R: rand::Rng>(
    pairs: impl Iterator<Item = (usize, ClusterId)>,
    count: usize,
    random: impl Fn(ClusterId) -> R,
) -> Vec<usize> {
    // An ordered map: clusters come in the order of their numbers.
    let mut members: BTreeMap<ClusterId, Vec<usize>> = BTreeMap::new();
    for (row, cluster) in pairs {
        members.entry(cluster).or_default().push(row);
    }
    let share = count / members.len().max(1) + 1;
    let mut drawn = Vec::with_capacity(share * members.len());
    for (cluster, mut rows) in members {
        let mut random = random(cluster);
        if rows.len() > share {
            drawn.extend_from_slice(rows.partial_shuffle(&mut random, share).0);
        } else {
            drawn.extend((0..share).map(|_| rows[random.random_range(0..rows.len())]));
        }
    }
    drawn
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use deepmcat_schemas::ImageId;
    use proptest::prelude::*;

    const UNIFORM: Draw = Draw { uniform: true, least: 0, sure: 1.0 };

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
            let samples = draw(&table, &UNIFORM, seed, Epoch(3));
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
        let samples = draw(&assignments(&[2, 500, 498]), &UNIFORM, 1, Epoch(0));
        let drawn = by_cluster(&samples);
        assert!(
            drawn.values().all(|images| images.len() >= 330),
            "{:?}",
            drawn.values().map(Vec::len).collect::<Vec<_>>()
        );
    }

    #[test]
    fn each_clustering_gives_its_share_and_a_draw_has_the_labels_of_all() {
        // Two clusters of 10 and 90 images, and across them two of 50.
        let mut table = assignments(&[10, 90]);
        table.others = (0..100).map(|row| vec![ClusterId(row % 2)]).collect();
        let samples = draw(&table, &UNIFORM, 1, Epoch(0));
        for ((id, cluster), others) in samples.image_id.iter().zip(&samples.cluster).zip(&samples.others) {
            assert_eq!((*cluster, others), (table.cluster[id.0 as usize], &table.others[id.0 as usize]));
        }
        // A quarter of all from the first clustering's small cluster, and a tenth of the half that the second draws.
        let small = samples.cluster.iter().filter(|cluster| cluster.0 == 0).count();
        assert!((25..=36).contains(&small), "{small}");
    }

    #[test]
    fn not_uniform_is_every_image_once() {
        let table = assignments(&[2, 30]);
        let samples = draw(&table, &Draw { uniform: false, ..UNIFORM }, 1, Epoch(0));
        let images: BTreeSet<_> = samples.image_id.iter().collect();
        assert_eq!(images.len(), 32);
        assert_ne!(samples.image_id, table.image_id, "shuffled");
    }

    #[test]
    fn a_small_data_set_is_drawn_from_as_often_as_asked() {
        let table = assignments(&[2, 30]);
        for uniform in [true, false] {
            let samples = draw(&table, &Draw { uniform, least: 100, ..UNIFORM }, 1, Epoch(0));
            assert_eq!(samples.position, (0..100).collect::<Vec<_>>());
            let mut times = [0; 32];
            samples.image_id.iter().for_each(|id| times[id.0 as usize] += 1);
            let (least, most) = if uniform { (0, 51) } else { (3, 4) };
            assert!(times.iter().all(|times| (least..=most).contains(times)), "{times:?}");
        }
        assert_eq!(draw(&table, &Draw { least: 10, ..UNIFORM }, 1, Epoch(0)).image_id.len(), 32);
    }

    #[test]
    fn which_images_come_once_more_is_drawn_at_each_epoch() {
        let table = assignments(&[10, 10]);
        let settings = Draw { uniform: false, least: 25, ..UNIFORM };
        let twice = |epoch| -> BTreeSet<u32> {
            let samples = draw(&table, &settings, 1, Epoch(epoch));
            let mut times = [0; 20];
            samples.image_id.iter().for_each(|id| times[id.0 as usize] += 1);
            assert!(times.iter().all(|&times| times == 1 || times == 2), "{times:?}");
            (0..20).filter(|&image| times[image as usize] == 2).collect()
        };
        assert_eq!(twice(0), twice(0));
        assert!((0..5).all(|epoch| twice(epoch).len() == 5));
        // Not the same ones always: within twenty epochs of five each has its turn.
        assert_eq!((0..20).flat_map(twice).collect::<BTreeSet<_>>().len(), 20);
    }

    #[test]
    fn only_the_images_nearest_to_their_centroids_are_drawn() {
        let mut table = assignments(&[10, 4, 1]);
        table.distance = (0..15).map(|row| (row * 7 % 10) as f32).collect();
        for uniform in [true, false] {
            let samples = draw(&table, &Draw { uniform, least: 200, sure: 0.4 }, 1, Epoch(0));
            assert_eq!(samples.image_id.len(), 200);
            let drawn: BTreeSet<u32> = samples.image_id.iter().map(|id| id.0).collect();
            // Distances 0 to 3 of ten, 0 and 1 of four (0, 7, 4, 1), the only one.
            assert_eq!(drawn, [0, 3, 6, 9, 10, 13, 14].into(), "uniform: {uniform}");
        }
    }

    #[test]
    fn draws_depend_on_seed_and_epoch_alone() {
        let table = assignments(&[5, 9, 40]);
        assert_eq!(draw(&table, &UNIFORM, 1, Epoch(2)), draw(&table, &UNIFORM, 1, Epoch(2)));
        assert_ne!(draw(&table, &UNIFORM, 1, Epoch(2)), draw(&table, &UNIFORM, 1, Epoch(3)));
        assert_ne!(draw(&table, &UNIFORM, 1, Epoch(2)), draw(&table, &UNIFORM, 2, Epoch(2)));
        let reversed = Assignments {
            image_id: table.image_id.iter().rev().copied().collect(),
            cluster: table.cluster.iter().rev().copied().collect(),
            ..Assignments::default()
        };
        assert_eq!(draw(&table, &UNIFORM, 1, Epoch(2)), draw(&reversed, &UNIFORM, 1, Epoch(2)));
    }
}

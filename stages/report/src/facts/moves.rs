//! How images moved between clusters from epoch to epoch, while the networks learned.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use deepmcat_schemas::layout::epoch_of;
use deepmcat_schemas::{Assignments, Epoch, read_columns};
use rayon::prelude::*;

use crate::Error;

/// The cluster of an image in an epoch that did not assign it.
const ABSENT: u32 = u32::MAX;
/// Rows of a list.
const LISTED: usize = 20;
/// Clusters of a path that are shown, the last ones; equal ones in a row count once.
const STEPS: usize = 30;

/// The moves of a run.
#[derive(Debug)]
pub struct Moves {
    /// The last two epochs that compare.
    pub between: [Epoch; 2],
    /// Pairs of clusters that images moved between at these, the most images first: from, to, images.
    pub flows: Vec<(u32, u32, u32)>,
    /// Images that moved at least once.
    pub moved: usize,
    /// Those that moved most.
    pub restless: Vec<Restless>,
}

/// An image that moved often.
#[derive(Debug, Clone)]
pub struct Restless {
    /// Its row of the manifest.
    pub row: usize,
    /// Epochs at which its cluster was another than at the epoch before.
    pub flips: u32,
    /// Epochs that compare with one before.
    pub compared: u32,
    /// Its clusters in order.
    pub path: String,
}

impl Moves {
    /// Reads the clusters of all epochs. `networks`: the first epoch of each network, which compares with none before. None
    /// where no two epochs compare.
    ///
    /// # Errors
    /// When a table is damaged or of other images than the `count` of the manifest.
    pub(super) fn read(folders: &[PathBuf], networks: &[Epoch], count: usize) -> Result<Option<Self>, Error> {
        let epochs: Vec<Epoch> = folders.iter().filter_map(|folder| epoch_of(folder)).collect();
        let compared = |place: usize| place > 0 && !networks.contains(&epochs[place]);
        let Some(last) = (0..epochs.len()).rev().find(|&place| compared(place)) else { return Ok(None) };
        let clusters = folders.par_iter().map(|folder| clusters(folder, count)).collect::<Result<Vec<_>, _>>()?;
        let (mut flips, mut of) = (vec![0_u32; count], vec![0_u32; count]);
        for place in (0..epochs.len()).filter(|&place| compared(place)) {
            for (row, (&before, &now)) in clusters[place - 1].iter().zip(&clusters[place]).enumerate() {
                if before != ABSENT && now != ABSENT {
                    of[row] += 1;
                    flips[row] += u32::from(before != now);
                }
            }
        }
        let mut flows: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for (&from, &to) in clusters[last - 1].iter().zip(&clusters[last]) {
            if from != to && from != ABSENT && to != ABSENT {
                *flows.entry((from, to)).or_default() += 1;
            }
        }
        let mut flows: Vec<(u32, u32, u32)> =
            flows.into_iter().map(|((from, to), images)| (from, to, images)).collect();
        flows.sort_by_key(|&(from, to, images)| (Reverse(images), from, to));
        flows.truncate(LISTED);
        let mut rows: Vec<usize> = (0..count).filter(|&row| flips[row] > 0).collect();
        let moved = rows.len();
        let different = |row: usize| clusters.iter().map(|epoch| epoch[row]).collect::<BTreeSet<_>>().len();
        rows.sort_by_cached_key(|&row| (Reverse((flips[row], different(row))), row));
        rows.truncate(LISTED);
        let path = |row: usize| {
            path(epochs.iter().zip(&clusters).map(|(epoch, clusters)| (clusters[row], networks.contains(epoch))))
        };
        let restless =
            rows.into_iter().map(|row| Restless { row, flips: flips[row], compared: of[row], path: path(row) });
        Ok(Some(Self { between: [epochs[last - 1], epochs[last]], flows, moved, restless: restless.collect() }))
    }
}

/// The cluster of each of `count` images.
fn clusters(folder: &Path, count: usize) -> Result<Vec<u32>, Error> {
    let mut clusters = vec![ABSENT; count];
    for batch in read_columns::<Assignments>(folder, &["image_id", "cluster"])? {
        let [images, own] = [0, 1].map(|column| batch.column(column).as_primitive::<UInt32Type>().values().clone());
        for (&image, &cluster) in images.iter().zip(own.iter()) {
            let slot = clusters.get_mut(image as usize);
            *slot.ok_or_else(|| Error::OtherImages { path: folder.to_owned(), image })? = cluster;
        }
    }
    Ok(clusters)
}

/// Clusters in a row as text: `12 ×3, 40 | 7`, where `|` stands before the first of a network.
fn path(clusters: impl Iterator<Item = (u32, bool)>) -> String {
    let mut steps: Vec<(u32, bool, usize)> = Vec::new();
    for (cluster, first) in clusters {
        match steps.last_mut().filter(|(last, ..)| *last == cluster && !first) {
            Some((.., times)) => *times += 1,
            None => steps.push((cluster, first, 1)),
        }
    }
    let shown = steps.len().saturating_sub(STEPS);
    let mut text = if shown > 0 { "… ".to_owned() } else { String::new() };
    for (place, (cluster, first, times)) in steps.iter().skip(shown).enumerate() {
        if place > 0 {
            text += if *first { " | " } else { ", " };
        }
        text += &if *cluster == ABSENT { "–".to_owned() } else { cluster.to_string() };
        if *times > 1 {
            let _ = write!(text, " ×{times}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_each_stay_once() {
        let steps = [(12, true), (12, false), (40, false), (ABSENT, false), (40, true), (40, false)];
        assert_eq!(path(steps.into_iter()), "12 ×2, 40, – | 40 ×2");
        let long = path((0..40).map(|cluster| (cluster, cluster == 0)));
        assert!(long.starts_with("… 10, 11") && long.ends_with(", 39"), "{long}");
    }
}

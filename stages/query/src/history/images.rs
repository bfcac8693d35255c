//! A row an image: how often it flipped, and how unsure its cluster is.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, UInt32Array};
use rayon::prelude::*;

use super::per_epoch::stability;
use super::{ABSENT, History};
use crate::Error;
use crate::output::rows_of;

/// Images that are worked on at a time: their row of each epoch stays in the cache.
const BLOCK: usize = 4096;

/// Figures of one image.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Figures {
    image: u32,
    epochs: u32,
    compared: u32,
    flips: u32,
    entropy: Option<f64>,
    /// Its cluster at the last epoch that assigned it.
    cluster: Option<u32>,
    last_flip: Option<u32>,
}

/// The answer: `image_id`, `epochs`, `compared`, `flips`, `stability`, `entropy`, `cluster`, `last_flip`; the most flips
/// first, then the highest entropy. `last`: epochs that the entropy is over.
pub(super) fn rows(history: &History, last: u32) -> Result<RecordBatch, Error> {
    let network = history.passes.last().map(|pass| pass.network);
    let own = (0..history.passes.len()).filter(|&place| Some(history.passes[place].network) == network);
    let own: Vec<usize> = own.collect();
    let last = &own[own.len().saturating_sub(last as usize)..];
    let starts = (0..history.images).into_par_iter().step_by(BLOCK);
    let mut figures: Vec<Figures> = starts.flat_map_iter(|start| of_block(history, start, last)).collect();
    let by_bits = |entropy: Option<f64>| entropy.map(f64::to_bits);
    figures.sort_by_key(|of| (Reverse(of.flips), Reverse(by_bits(of.entropy)), of.image));
    let numbers = |of: fn(&Figures) -> u32| Arc::new(UInt32Array::from_iter_values(figures.iter().map(of)));
    let maybe = |of: fn(&Figures) -> Option<u32>| Arc::new(figures.iter().map(of).collect::<UInt32Array>());
    let fractions = |of: fn(&Figures) -> Option<f64>| Arc::new(figures.iter().map(of).collect::<Float64Array>());
    rows_of([
        ("image_id", numbers(|of| of.image)),
        ("epochs", numbers(|of| of.epochs)),
        ("compared", numbers(|of| of.compared)),
        ("flips", numbers(|of| of.flips)),
        ("stability", fractions(|of| (of.compared > 0).then(|| stability(of.compared, of.flips)))),
        ("entropy", fractions(|of| of.entropy)),
        ("cluster", maybe(|of| of.cluster)),
        ("last_flip", maybe(|of| of.last_flip)),
    ])
}

/// The figures of a block of images. `last`: the places of the epochs that the entropy is over.
fn of_block(history: &History, start: usize, last: &[usize]) -> Vec<Figures> {
    let block = start..(start + BLOCK).min(history.images);
    let mut figures: Vec<Figures> =
        block.clone().map(|image| Figures { image: image as u32, ..Figures::default() }).collect();
    for (place, pass) in history.passes.iter().enumerate() {
        let now = &history.at(place)[block.clone()];
        let before = history.before(place).map(|before| &history.at(before)[block.clone()]);
        for (image, (of, &now)) in figures.iter_mut().zip(now).enumerate().filter(|(_, (_, now))| **now != ABSENT) {
            of.epochs += 1;
            of.cluster = Some(now);
            let Some(before) = before.map(|before| before[image]).filter(|&before| before != ABSENT) else { continue };
            of.compared += 1;
            if before != now {
                of.flips += 1;
                of.last_flip = Some(pass.epoch.0);
            }
        }
    }
    let mut counts = Vec::new();
    for of in &mut figures {
        of.entropy = entropy(last.iter().map(|&place| history.at(place)[of.image as usize]), &mut counts);
    }
    figures
}

/// Entropy, in bits, of the clusters that an image has been in; none where it was in none. `counts` is room to count in.
fn entropy(clusters: impl Iterator<Item = u32>, counts: &mut Vec<(u32, u32)>) -> Option<f64> {
    counts.clear();
    // Few clusters an image: looking through them is faster than hashing.
    for cluster in clusters.filter(|&cluster| cluster != ABSENT) {
        match counts.iter_mut().find(|(known, _)| *known == cluster) {
            Some((_, count)) => *count += 1,
            None => counts.push((cluster, 1)),
        }
    }
    let all: u32 = counts.iter().map(|(_, count)| count).sum();
    let share = |count: u32| f64::from(count) / f64::from(all);
    // 0 - x: of one cluster it is 0, not -0.
    (all > 0).then(|| 0.0 - counts.iter().map(|&(_, count)| share(count) * share(count).log2()).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_of_the_clusters_that_there_are() {
        let of = |clusters: &[u32]| entropy(clusters.iter().copied(), &mut Vec::new());
        assert_eq!(of(&[3, 3, 3]), Some(0.0));
        assert_eq!(of(&[3, ABSENT, 5]), Some(1.0));
        assert_eq!(of(&[1, 2, 3, 4]), Some(2.0));
        assert_eq!(of(&[ABSENT]), None);
    }
}

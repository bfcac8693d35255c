//! A row an epoch: how many images it assigned, and how many of them flipped.

use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, UInt32Array};
use rayon::prelude::*;

use super::{ABSENT, History};
use crate::Error;
use crate::output::rows_of;

/// Figures of one epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Figures {
    images: u32,
    clusters: u32,
    /// Images compared with the epoch before, and flips among them.
    compared: Option<(u32, u32)>,
}

/// The answer: `epoch`, `network`, `before`, `images`, `clusters`, `compared`, `flips`, `stability`.
pub(super) fn rows(history: &History) -> Result<RecordBatch, Error> {
    let places = (0..history.passes.len()).into_par_iter();
    let figures: Vec<Figures> = places.map(|place| of_epoch(history, place)).collect();
    let passes = || history.passes.iter();
    let compared = || figures.iter().map(|figures| figures.compared);
    let stability = |(compared, flips): (u32, u32)| (compared > 0).then(|| stability(compared, flips));
    rows_of([
        ("epoch", Arc::new(UInt32Array::from_iter_values(passes().map(|pass| pass.epoch.0)))),
        ("network", Arc::new(UInt32Array::from_iter_values(passes().map(|pass| pass.network)))),
        ("before", Arc::new(passes().map(|pass| Some(pass.before?.0)).collect::<UInt32Array>())),
        ("images", Arc::new(UInt32Array::from_iter_values(figures.iter().map(|figures| figures.images)))),
        ("clusters", Arc::new(UInt32Array::from_iter_values(figures.iter().map(|figures| figures.clusters)))),
        ("compared", Arc::new(compared().map(|of| Some(of?.0)).collect::<UInt32Array>())),
        ("flips", Arc::new(compared().map(|of| Some(of?.1)).collect::<UInt32Array>())),
        ("stability", Arc::new(compared().map(|of| of.and_then(stability)).collect::<Float64Array>())),
    ])
}

/// The share that did not flip.
pub(super) fn stability(compared: u32, flips: u32) -> f64 {
    1.0 - f64::from(flips) / f64::from(compared)
}

fn of_epoch(history: &History, place: usize) -> Figures {
    let now = history.at(place);
    let mut used: Vec<u32> = now.iter().copied().filter(|&cluster| cluster != ABSENT).collect();
    let images = used.len() as u32;
    used.sort_unstable();
    used.dedup();
    let compared = history.before(place).map(|before| {
        let pairs = history.at(before).iter().zip(now);
        pairs.fold((0, 0), |(compared, flips), (&before, &now)| {
            let both = before != ABSENT && now != ABSENT;
            (compared + u32::from(both), flips + u32::from(both && before != now))
        })
    });
    Figures { images, clusters: used.len() as u32, compared }
}

//! A row for each pair of clusters that images are in at two epochs.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Float64Array, RecordBatch, UInt32Array};

use super::{ABSENT, History};
use crate::Error;
use crate::output::rows_of;

/// The answer: `from_cluster`, `to_cluster`, `images`, `share_from`, `share_to`, the most images first. A null cluster is that
/// of images that the epoch did not assign. `moved`: pairs of one number are left out.
pub(super) fn rows(history: &History, moved: bool) -> Result<RecordBatch, Error> {
    let (from, to) = (history.at(0), history.at(history.passes.len() - 1));
    if history.passes[0].network != history.passes[history.passes.len() - 1].network {
        tracing::warn!("the epochs are of two networks: equal numbers do not mean the same cluster");
    }
    let [mut leaving, mut coming] = [HashMap::new(), HashMap::new()];
    let mut counts: HashMap<(u32, u32), u32> = HashMap::new();
    for (&from, &to) in from.iter().zip(to).filter(|&(&from, &to)| from != ABSENT || to != ABSENT) {
        *counts.entry((from, to)).or_default() += 1;
        *leaving.entry(from).or_default() += 1;
        *coming.entry(to).or_default() += 1;
    }
    let mut flows: Vec<((u32, u32), u32)> = counts.into_iter().filter(|((from, to), _)| !moved || from != to).collect();
    flows.sort_unstable_by_key(|&(pair, count)| (Reverse(count), pair));
    let clusters = |of: fn(&(u32, u32)) -> u32| {
        let of = flows.iter().map(|(pair, _)| Some(of(pair)).filter(|&cluster| cluster != ABSENT));
        Arc::new(of.collect::<UInt32Array>())
    };
    let share = |of: fn(&(u32, u32)) -> u32, all: &HashMap<u32, u32>| {
        let of = flows.iter().map(|(pair, count)| f64::from(*count) / f64::from(all[&of(pair)]));
        Arc::new(Float64Array::from_iter_values(of))
    };
    rows_of([
        ("from_cluster", clusters(|pair| pair.0)),
        ("to_cluster", clusters(|pair| pair.1)),
        ("images", Arc::new(UInt32Array::from_iter_values(flows.iter().map(|(_, count)| *count)))),
        ("share_from", share(|pair| pair.0, &leaving)),
        ("share_to", share(|pair| pair.1, &coming)),
    ])
}

//! Label propagation for few labels: categories flow along the graph of nearest neighbours (Zhou and others, 2004):
//! `F <- a S F + (1 - a) Y`, where Y holds the labels and `S = D^-1/2 (A + A^T) D^-1/2` the graph.
//!
//! An image takes half of what arrives at itself and half of what arrives at its cluster on average. That says which
//! category, not how likely: probabilities are these shares to a power, the one with the least log loss where a tenth of the
//! subjects at a time hold their labels back.

use deepmcat_features::{Features, Graph, IMAGES};
use deepmcat_schemas::ClusterId;
use deepmcat_stage::random::some_of;
use rayon::prelude::*;
use tch::Device;

use crate::Error;
use crate::clusters::{means, with_clusters};
use crate::images::Images;
use crate::kernel::{HeldOut, power, sharpen};
use crate::points::Points;

/// a: how far labels flow.
const FLOW: f32 = 0.99;
/// Rounds. What has not come by then comes from far away.
const ROUNDS: usize = 100;
/// Parts of the subjects that hold their labels back in turn.
const FOLDS: u32 = 10;

/// The graph with its weights.
struct Flow {
    /// For each image of the graph its neighbours, by place, and the weights to them.
    links: Vec<Vec<(u32, f32)>>,
    c: usize,
}

/// The probabilities of every image `[n * c]`, and what labelled images are told as without their labels.
///
/// # Errors
/// When memory runs out.
pub(crate) fn propagate(
    features: &Features<'_>,
    images: &Images,
    points: &Points,
    device: Device,
) -> Result<(Vec<f32>, HeldOut), Error> {
    let c = points.categories.len();
    let mut rows = some_of(features.len(), IMAGES);
    rows.extend(points.rows.iter().flatten());
    rows.sort_unstable();
    rows.dedup();
    let graph = Graph::of(features, rows, device)?;
    let labelled: Vec<(usize, u32, u32)> = points
        .rows
        .iter()
        .zip(&points.classes)
        .filter_map(|(row, &class)| {
            let row = (*row)?;
            Some((graph.rows.binary_search(&row).ok()?, class, images.groups[row] % FOLDS))
        })
        .collect();
    let flow = Flow::new(&graph.neighbours, c);
    let as_shares = |arrived: &[f32]| sharpen(&arrived.iter().copied().map(f64::from).collect::<Vec<_>>(), c, 1.0);
    let clusters: Vec<ClusterId> = graph.rows.iter().map(|&row| images.clusters[row]).collect();
    let with_own = |own: &[f64]| with_clusters(own, &clusters, &means(own, &clusters, c), c);
    let mut held = HeldOut::default();
    for fold in 0..FOLDS {
        let (judges, labels): (Vec<_>, Vec<_>) = labelled.iter().partition(|(_, _, of)| *of == fold);
        if judges.is_empty() || labels.is_empty() {
            continue;
        }
        let arrived = flow.arrived(&labels);
        let told = with_own(&as_shares(&arrived));
        for (place, class, _) in judges {
            let own = place * c..(place + 1) * c;
            // Where nothing arrives, nothing is learned of how to read what does.
            if arrived[own.clone()].iter().sum::<f32>() > 0.0 {
                held.classes.push(class);
                held.rows.push(graph.rows[place]);
                held.shares.extend(&told[own]);
            }
        }
    }
    let power = if held.classes.is_empty() { 1.0 } else { power(&held.classes, &held.shares, c) };
    held.shares = sharpen(&held.shares, c, power);
    tracing::debug!("power {power:.3} from {} images that held their labels back", held.classes.len());
    let told = sharpen(&with_own(&as_shares(&flow.arrived(&labelled))), c, power);
    let mut shares = vec![0.0_f32; features.len() * c];
    let places = graph.places(features, device)?;
    shares.par_chunks_mut(c).zip(places).for_each(|(shares, places)| {
        for &place in &places {
            let place = place as usize * c;
            shares.iter_mut().zip(&told[place..place + c]).for_each(|(sum, &share)| *sum += share as f32);
        }
        let sum: f32 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum.max(f32::MIN_POSITIVE));
    });
    Ok((shares, held))
}

impl Flow {
    fn new(neighbours: &[Vec<u32>], c: usize) -> Self {
        let mut links: Vec<Vec<(u32, f32)>> = vec![Vec::new(); neighbours.len()];
        for (place, neighbours) in neighbours.iter().enumerate() {
            for &neighbour in neighbours {
                links[place].push((neighbour, 1.0));
                links[neighbour as usize].push((place as u32, 1.0));
            }
        }
        let degrees: Vec<f32> = links.iter().map(|links| (links.len() as f32).max(1.0)).collect();
        for (place, links) in links.iter_mut().enumerate() {
            for (other, weight) in links {
                *weight /= (degrees[place] * degrees[*other as usize]).sqrt();
            }
        }
        Self { links, c }
    }

    /// What arrives of each category `[a * c]` from labels (place, category, fold).
    fn arrived(&self, labels: &[(usize, u32, u32)]) -> Vec<f32> {
        let c = self.c;
        let mut own = vec![0.0_f32; self.links.len() * c];
        for &(place, class, _) in labels {
            own[place * c + class as usize] = 1.0;
        }
        let mut now = own.clone();
        for _ in 0..ROUNDS {
            let mut next = vec![0.0_f32; own.len()];
            next.par_chunks_mut(c).zip(&self.links).zip(own.par_chunks(c)).for_each(|((next, links), own)| {
                for &(other, weight) in links {
                    let other = other as usize * c;
                    next.iter_mut().zip(&now[other..other + c]).for_each(|(next, now)| *next += weight * now);
                }
                next.iter_mut().zip(own).for_each(|(next, own)| *next = FLOW * *next + (1.0 - FLOW) * own);
            });
            now = next;
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As numpy gives it: `for _ in range(100): F = .99 * S @ F + .01 * Y` from `F = Y`, on a chain of five with labels at
    /// its ends.
    #[test]
    fn labels_flow_along_a_chain() {
        let chain = [vec![1], vec![0, 2], vec![1, 3], vec![2, 4], vec![3]];
        let arrived = Flow::new(&chain, 2).arrived(&[(0, 0, 0), (4, 1, 0)]);
        let expected =
            [0.183457, 0.163847, 0.118371, 0.104644, 0.238510, 0.238510, 0.104644, 0.118371, 0.163847, 0.183457];
        for (found, expected) in arrived.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{arrived:?}");
        }
    }
}

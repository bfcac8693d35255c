//! Which images lie beside which: the nearest neighbours of the images of a data set, or of a part of a large one.

use deepmcat_schemas::ImageId;
use deepmcat_schemas::features::normalise;
use deepmcat_stage::random::some_of;
use rayon::prelude::*;
use tch::{Device, Tensor};

use crate::Error;
use crate::{Among, Compared, Features, tensor};

/// Neighbours of an image that a graph holds at most.
pub const NEIGHBOURS: usize = 10;
/// Images of a graph at most, drawn from the table: what lies together needs no more, and time grows with the
/// square of the number.
pub const IMAGES: usize = 16_384;
/// Neighbours whose mean an image becomes when features are smoothed. More would join what only lies near.
const SMOOTHED: usize = 5;
/// Images whose neighbours are looked for at once: 256 x 16,384 distances are 16 MiB.
const BLOCK: usize = 256;

/// Images and their nearest neighbours among them.
#[derive(Debug)]
pub struct Graph {
    /// The images `[a]`.
    pub ids: Vec<u32>,
    /// Their rows of the features `[a]`, in order.
    pub rows: Vec<usize>,
    /// Of each of these, others by place in `rows`, the nearest first.
    pub neighbours: Vec<Vec<u32>>,
}

impl Graph {
    /// The graph of at most [`IMAGES`] images.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(features: &Features<'_>, device: Device) -> Result<Self, Error> {
        Self::of(features, some_of(features.len(), IMAGES), device)
    }

    /// The graph of some rows of the features, in order.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn of(features: &Features<'_>, rows: Vec<usize>, device: Device) -> Result<Self, Error> {
        let ids = features.ids_of(&rows);
        let neighbours = nearest(features, &rows, &rows, NEIGHBOURS, true, device)?;
        Ok(Self { ids, rows, neighbours })
    }

    /// The features of the graph's images `[a * d]` after `rounds` in which each becomes the mean of its own and its
    /// neighbours', scaled to length 1. What is connected by many paths comes together whatever its shape, and images
    /// between two groups join one of them: a random walk on the graph, as in diffusion maps (Coifman and Lafon, 2006).
    ///
    /// # Errors
    /// When a feature is not finite.
    pub fn smoothed(&self, features: &Features<'_>, rounds: u32) -> Result<Vec<f32>, Error> {
        let d = features.dimensions();
        let mut values = features.gather(&self.rows);
        let not_finite = |place: usize| Error::NonFinite {
            path: features.source().to_owned(),
            image: ImageId(self.ids[place]),
            rows: 1,
        };
        normalise(&mut values, d).map_err(not_finite)?;
        let linked = self.linked();
        for _ in 0..rounds {
            let mut next = vec![0.0; values.len()];
            next.par_chunks_mut(d.max(1)).zip(&linked).enumerate().for_each(|(place, (sum, linked))| {
                for &other in std::iter::once(&(place as u32)).chain(linked) {
                    let other = other as usize * d;
                    sum.iter_mut().zip(&values[other..other + d]).for_each(|(sum, value)| *sum += value);
                }
            });
            normalise(&mut next, d).map_err(not_finite)?;
            values = next;
        }
        Ok(values)
    }

    /// Whom each image is smoothed with: its nearest and those that it is one of the nearest of; who is both, twice.
    fn linked(&self) -> Vec<Vec<u32>> {
        let mut linked: Vec<Vec<u32>> = vec![Vec::new(); self.rows.len()];
        for (place, neighbours) in self.neighbours.iter().enumerate() {
            for &neighbour in neighbours.iter().take(SMOOTHED) {
                linked[place].push(neighbour);
                linked[neighbour as usize].push(place as u32);
            }
        }
        linked
    }

    /// For each image of the table its place in the graph, or those of its nearest images there `[n]`.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn places(&self, features: &Features<'_>, device: Device) -> Result<Vec<Vec<u32>>, Error> {
        let mut places = vec![Vec::new(); features.len()];
        self.rows.iter().zip(0..).for_each(|(&row, place)| places[row].push(place));
        let others: Vec<usize> = (0..features.len()).filter(|&row| places[row].is_empty()).collect();
        if !others.is_empty() {
            let found = nearest(features, &self.rows, &others, SMOOTHED, false, device)?;
            others.into_iter().zip(found).for_each(|(row, nearest)| places[row] = nearest);
        }
        Ok(places)
    }
}

/// The `wanted` nearest among `all` (rows of the features) of each of `rows`, by place in `all`, the nearest first. `same`:
/// `rows` are these images themselves, none of which is its own neighbour.
fn nearest(
    features: &Features<'_>,
    all: &[usize],
    rows: &[usize],
    wanted: usize,
    same: bool,
    device: Device,
) -> Result<Vec<Vec<u32>>, Error> {
    // One more than is needed, since the image itself is among them, or an image that equals it.
    let most = (wanted + usize::from(same)).min(all.len());
    let among = Among::new(&tensor(features, all)?, device)?;
    let found = among.each(features, rows, BLOCK, &Tensor::new(), |Compared { start, scores, .. }| {
        let nearest = Vec::<i64>::try_from(scores.f_topk(most as i64, 1, false, true)?.1.f_view([-1])?)?;
        let others = |(place, nearest): (usize, &[i64])| {
            let others = nearest.iter().map(|&other| other as usize).filter(|&other| !same || other != start + place);
            others.take(wanted).map(|other| other as u32).collect()
        };
        Ok(nearest.chunks_exact(most.max(1)).enumerate().map(others).collect())
    })?;
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_no_neighbour_of_itself_even_among_copies() {
        let ids: Vec<u32> = (0..30).collect();
        let values = [0.5; 60];
        let features = Features::from_values(&ids, 2, &values).unwrap();
        let graph = Graph::new(&features, Device::Cpu).unwrap();
        for (place, neighbours) in graph.neighbours.into_iter().enumerate() {
            assert_eq!(neighbours.len(), NEIGHBOURS);
            assert!(!neighbours.contains(&(place as u32)));
        }
    }

    /// Points at angles from 0 to 1 and, after a gap, from 1.3 to 2.3, 60 each.
    fn arcs() -> Vec<f32> {
        let angle = |place: u32| f64::from(place % 60) / 60.0 + if place < 60 { 0.0 } else { 1.3 };
        (0..120).flat_map(|place| [angle(place).cos() as f32, angle(place).sin() as f32]).collect()
    }

    #[test]
    fn smoothing_draws_together_what_is_connected() {
        let (ids, values) = ((0..120).collect::<Vec<u32>>(), arcs());
        let features = Features::from_values(&ids, 2, &values).unwrap();
        let smoothed = Graph::new(&features, Device::Cpu).unwrap().smoothed(&features, 400).unwrap();
        let angle = |place: usize| smoothed[2 * place + 1].atan2(smoothed[2 * place]);
        let width = |places: std::ops::Range<usize>| {
            let angles: Vec<f32> = places.map(angle).collect();
            angles.iter().copied().fold(f32::MIN, f32::max) - angles.iter().copied().fold(f32::MAX, f32::min)
        };
        assert!(width(0..60) < 0.3 && width(60..120) < 0.3, "{} {}", width(0..60), width(60..120));
        assert!(angle(60) - angle(59) > 0.8);
        assert!(smoothed.chunks_exact(2).all(|value| (value[0].hypot(value[1]) - 1.0).abs() < 1e-5));
    }

    #[test]
    fn images_outside_the_graph_have_their_nearest_there() {
        let ids: Vec<u32> = (0..8).collect();
        let values = [0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 0.3, 4.0];
        let features = Features::from_values(&ids, 1, &values).unwrap();
        let graph = Graph { ids: vec![0, 1, 2, 3, 4, 5], rows: vec![0, 1, 2, 3, 4, 5], neighbours: Vec::new() };
        let places = graph.places(&features, Device::Cpu).unwrap();
        assert_eq!(places[..3], [[0], [1], [2]]);
        assert_eq!(places[6][..3], [2, 1, 0]);
        assert_eq!(places[7][..3], [3, 4, 5]);
    }
}

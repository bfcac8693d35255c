//! Points of a plane whose neighbours are those of the rows: exact t-SNE (van der Maaten and Hinton, 2008) of some hundred
//! rows, from their principal axes and without a random number.

use rayon::prelude::*;

use crate::axes;

/// Neighbours of a row that count, about: few, since rows are the centroids of groups.
const PERPLEXITY: f64 = 10.0;
/// Rows at most: time grows with the square. More lie along their principal axes.
const MOST: usize = 1024;
/// Steps in which neighbours attract more strongly, so that groups form.
const EARLY: usize = 250;
const EXAGGERATION: f64 = 12.0;
/// Steps after them.
const LATE: usize = 750;

/// A place `[2]` for each of `rows` (`d` values each). `start` has the places of an earlier layout, all of which are known
/// or none: they move little.
#[must_use]
pub fn layout(rows: &[f32], d: usize, start: Option<Vec<[f64; 2]>>) -> Vec<[f64; 2]> {
    let k = rows.len() / d.max(1);
    let again = start.is_some();
    let mut places = start.unwrap_or_else(|| by_axes(rows, d));
    if !(4..=MOST).contains(&k) {
        return places;
    }
    let alike = alike(rows, d, PERPLEXITY.min((k as f64 - 1.0) / 3.0));
    if again {
        // Small steps: what fits stays where it is.
        Descent::new(&alike, k, 0.1).steps(&mut places, EARLY, 1.0, 0.5);
        return places;
    }
    // As small as the start usually is: what is far apart at first stays so.
    let spread = (places.iter().map(|place| place[0].powi(2)).sum::<f64>() / k as f64).sqrt().max(1e-12);
    places.iter_mut().flatten().for_each(|value| *value *= 1e-4 / spread);
    Descent::new(&alike, k, 1.0).steps(&mut places, EARLY, EXAGGERATION, 0.5);
    // With a new velocity and gains: those of the first part fit other slopes.
    Descent::new(&alike, k, 1.0).steps(&mut places, LATE, 1.0, 0.8);
    places
}

/// Places along the first two principal axes.
fn by_axes(rows: &[f32], d: usize) -> Vec<[f64; 2]> {
    let k = rows.len() / d.max(1);
    let mut centre = vec![0.0; d];
    rows.chunks_exact(d.max(1)).for_each(|row| centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += value));
    centre.iter_mut().for_each(|sum| *sum /= k.max(1) as f32);
    let [first, second] = axes::principal(rows, &centre);
    rows.chunks_exact(d.max(1)).map(|row| axes::along(row, &centre, [&first, &second]).map(f64::from)).collect()
}

/// How alike two rows are `[k, k]`: the mean of the two ways in which one is the other's neighbour, all together 1.
fn alike(rows: &[f32], d: usize, perplexity: f64) -> Vec<f64> {
    let k = rows.len() / d;
    let row = |place: usize| &rows[place * d..(place + 1) * d];
    let squared = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    let ways: Vec<Vec<f64>> = (0..k)
        .into_par_iter()
        .map(|place| {
            let distances: Vec<f64> = (0..k).map(|other| squared(row(place), row(other))).collect();
            neighbours(&distances, place, perplexity)
        })
        .collect();
    let both = |place: usize| (place / k, place % k);
    (0..k * k).map(both).map(|(one, other)| (ways[one][other] + ways[other][one]) / (2.0 * k as f64)).collect()
}

/// The probabilities `[k]` with which a row takes each other as its neighbour: a Gaussian of its squared distances, as wide
/// as gives the perplexity.
fn neighbours(squared: &[f64], own: usize, perplexity: f64) -> Vec<f64> {
    let others = || squared.iter().enumerate().filter(|&(place, _)| place != own).map(|(_, &squared)| squared);
    let nearest = others().fold(f64::INFINITY, f64::min);
    let mean = others().map(|squared| squared - nearest).sum::<f64>() / (squared.len() - 1) as f64;
    let weights = |beta: f64| -> Vec<f64> {
        let weight = |(place, squared): (usize, &f64)| {
            if place == own { 0.0 } else { (-beta * (squared - nearest)).exp() }
        };
        squared.iter().enumerate().map(weight).collect()
    };
    // Whatever the unit of distances. Rows that are all as far have no width to find.
    let (mut low, mut high) = (0.0_f64, f64::INFINITY);
    let mut beta = mean.max(1e-12).recip();
    for _ in 0..60 {
        let weights = weights(beta);
        let total: f64 = weights.iter().sum();
        let entropy: f64 =
            weights.iter().filter(|&&weight| weight > 0.0).map(|weight| -weight / total * (weight / total).ln()).sum();
        if entropy > perplexity.ln() {
            low = beta;
        } else {
            high = beta;
        }
        beta = if high.is_finite() { f64::midpoint(low, high) } else { beta * 2.0 };
    }
    let weights = weights(beta);
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Gradient descent on the divergence of the places' neighbours from the rows', with momentum and a gain for each value.
struct Descent<'a> {
    alike: &'a [f64],
    rate: f64,
    velocity: Vec<[f64; 2]>,
    gains: Vec<[f64; 2]>,
}

impl<'a> Descent<'a> {
    fn new(alike: &'a [f64], k: usize, pace: f64) -> Self {
        // As scikit-learn's "auto".
        let rate = pace * (k as f64 / EXAGGERATION / 4.0).max(50.0);
        Self { alike, rate, velocity: vec![[0.0; 2]; k], gains: vec![[1.0; 2]; k] }
    }

    fn steps(mut self, places: &mut [[f64; 2]], count: usize, exaggeration: f64, momentum: f64) {
        for _ in 0..count {
            let slope = self.slope(places, exaggeration);
            for (point, slope) in slope.into_iter().enumerate() {
                for (axis, slope) in slope.into_iter().enumerate() {
                    let (velocity, gain) = (&mut self.velocity[point][axis], &mut self.gains[point][axis]);
                    *gain = if *velocity * slope < 0.0 { *gain + 0.2 } else { (*gain * 0.8).max(0.01) };
                    *velocity = momentum * *velocity - self.rate * *gain * slope;
                    places[point][axis] += *velocity;
                }
            }
        }
    }

    /// The slope `[k, 2]`. Each point's sum is taken in order, so that threads change nothing.
    fn slope(&self, places: &[[f64; 2]], exaggeration: f64) -> Vec<[f64; 2]> {
        let k = places.len();
        let near = |one: &[f64; 2], other: &[f64; 2]| {
            (1.0 + (one[0] - other[0]).powi(2) + (one[1] - other[1]).powi(2)).recip()
        };
        let total: f64 = places
            .par_iter()
            .map(|one| places.iter().map(|other| near(one, other)).sum::<f64>() - 1.0)
            .collect::<Vec<f64>>()
            .iter()
            .sum();
        let slope = |(one, alike): (&[f64; 2], &[f64])| {
            let mut slope = [0.0; 2];
            for (other, alike) in places.iter().zip(alike) {
                let near = near(one, other);
                let pull = 4.0 * (exaggeration * alike - near / total) * near;
                slope[0] += pull * (one[0] - other[0]);
                slope[1] += pull * (one[1] - other[1]);
            }
            slope
        };
        places.par_iter().zip(self.alike.par_chunks_exact(k)).map(slope).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The Kullback-Leibler divergence of a layout, which t-SNE makes small.
    fn divergence(alike: &[f64], places: &[[f64; 2]]) -> f64 {
        let near = |one: usize, other: usize| {
            let [a, b] = [places[one], places[other]];
            (1.0 + (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).recip()
        };
        let k = places.len();
        let pairs = || (0..k * k).map(|place| (place / k, place % k)).filter(|(one, other)| one != other);
        let total: f64 = pairs().map(|(one, other)| near(one, other)).sum();
        pairs()
            .map(|(one, other)| {
                let p = alike[one * k + other].max(1e-12);
                p * (p / (near(one, other) / total)).ln()
            })
            .sum()
    }

    fn golden() -> (f64, usize, Vec<f32>) {
        let mut lines = include_str!("../fixtures/golden.csv").lines();
        let divergence = lines.next().unwrap().parse().unwrap();
        let rows: Vec<Vec<f32>> =
            lines.map(|line| line.split(' ').map(|value| value.parse().unwrap()).collect()).collect();
        (divergence, rows[0].len(), rows.concat())
    }

    /// `fixtures/golden.csv`, made by `fixtures/make_golden.py` with scikit-learn.
    #[test]
    fn a_layout_is_as_good_as_scikit_learns() {
        let (theirs, d, rows) = golden();
        let places = layout(&rows, d, None);
        let alike = alike(&rows, d, PERPLEXITY);
        let ours = divergence(&alike, &places);
        assert!(ours < theirs * 1.1, "{ours} and {theirs}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| layout(&rows, d, None)), places, "threads change nothing");
        // From there on it stays.
        let again = layout(&rows, d, Some(places.clone()));
        let width = places.iter().flatten().fold(0.0_f64, |most, value| most.max(value.abs()));
        for (before, after) in places.iter().zip(&again) {
            assert!((before[0] - after[0]).hypot(before[1] - after[1]) < 0.05 * width, "{before:?} {after:?}");
        }
    }

    #[test]
    fn few_rows_and_equal_ones_have_a_layout() {
        assert_eq!(layout(&[1.0, 2.0], 2, None), [[0.0, 0.0]]);
        let three = layout(&[0.0, 0.0, 3.0, 0.0, 0.0, 1.0], 2, None);
        assert!((three[0][0] - three[1][0]).hypot(three[0][1] - three[1][1]) > 2.9);
        let same = layout(&[1.0; 20], 2, None);
        assert!(same.len() == 10 && same.iter().flatten().all(|value| value.is_finite()), "{same:?}");
    }
}

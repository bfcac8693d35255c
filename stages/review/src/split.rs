//! A cluster in parts: k-means among its own images, on the spot.

use deepmcat_stage::random::{Purpose, generator, some_of};
use rand::RngExt;
use rayon::prelude::*;

/// Parts that a cluster can be split into.
pub(crate) const PARTS: std::ops::RangeInclusive<usize> = 2..=6;
/// Images that the means are made from at most; all are then put to the nearest.
const SAMPLE: usize = 2000;
/// Starts, of which the best counts.
const STARTS: u32 = 4;
const ROUNDS: usize = 25;

/// The part of each row of `values` `[n, d]`: the largest is 0, and of equals that of the first row.
pub(crate) fn split(values: &[f32], dimensions: usize, parts: usize) -> Vec<usize> {
    let rows: Vec<&[f32]> = values.chunks_exact(dimensions.max(1)).collect();
    let sample: Vec<&[f32]> = some_of(rows.len(), SAMPLE).into_iter().map(|row| rows[row]).collect();
    let best = (0..STARTS).into_par_iter().map(|start| means(&sample, parts, start)).min_by(|a, b| a.0.total_cmp(&b.0));
    let means = best.map(|(_, means)| means).unwrap_or_default();
    let mut part: Vec<usize> = rows.par_iter().map(|row| nearest(row, &means).0).collect();
    let mut order: Vec<usize> = (0..parts).collect();
    let size = |one: usize| part.iter().filter(|&&other| other == one).count();
    let first = |one: usize| part.iter().position(|&other| other == one);
    order.sort_by_key(|&one| (std::cmp::Reverse(size(one)), first(one)));
    part.iter_mut().for_each(|part| *part = order.iter().position(|one| one == part).unwrap_or_default());
    part
}

/// k-means (Lloyd) from k-means++: the sum of squared distances, and the means.
fn means(rows: &[&[f32]], parts: usize, start: u32) -> (f64, Vec<Vec<f32>>) {
    let mut random = generator(0, 0, start, Purpose::KMeans);
    let Some(first) = rows.get(random.random_range(0..rows.len().max(1))) else { return (0.0, Vec::new()) };
    let mut means: Vec<Vec<f32>> = vec![first.to_vec()];
    while means.len() < parts {
        let distances: Vec<f64> = rows.iter().map(|row| f64::from(nearest(row, &means).1)).collect();
        let mut left = random.random_range(0.0..1.0) * distances.iter().sum::<f64>();
        let reached = |distance: &f64| {
            left -= distance;
            left < 0.0
        };
        let chosen = distances.iter().position(reached).unwrap_or(rows.len() - 1);
        means.push(rows[chosen].to_vec());
    }
    let mut total = f64::INFINITY;
    for _ in 0..ROUNDS {
        let found: Vec<(usize, f32)> = rows.iter().map(|row| nearest(row, &means)).collect();
        let sum: f64 = found.iter().map(|&(_, distance)| f64::from(distance)).sum();
        if sum >= total {
            break;
        }
        total = sum;
        for (part, mean) in means.iter_mut().enumerate() {
            let own: Vec<&&[f32]> =
                rows.iter().zip(&found).filter(|(_, found)| found.0 == part).map(|(row, _)| row).collect();
            // A part that runs empty stays where it is.
            if !own.is_empty() {
                mean.fill(0.0);
                own.iter().for_each(|row| mean.iter_mut().zip(row.iter()).for_each(|(sum, value)| *sum += value));
                mean.iter_mut().for_each(|value| *value /= own.len() as f32);
            }
        }
    }
    (total, means)
}

/// The nearest mean and the squared distance to it.
fn nearest(row: &[f32], means: &[Vec<f32>]) -> (usize, f32) {
    let all = means.iter().enumerate().map(|(part, mean)| (part, squared(row, mean)));
    all.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
}

/// The squared distance of two vectors, in eight sums that the compiler does at once.
pub(crate) fn squared(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a, b) = (one.chunks_exact(8), other.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..8 {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_apart_and_the_largest_is_first() {
        // 3 groups of 5, 30 and 12 rows in 9 dimensions.
        let sizes = [5, 30, 12];
        let of: Vec<usize> = (0..3).flat_map(|group| std::iter::repeat_n(group, sizes[group])).collect();
        let value = |row: usize, axis: usize| if axis == of[row] { 1.0 } else { 0.01 * ((row * 7 + axis) % 5) as f32 };
        let values: Vec<f32> = (0..of.len())
            .flat_map(|row| (0..9).map(move |axis| (row, axis)))
            .map(|(row, axis)| value(row, axis))
            .collect();
        let part = split(&values, 9, 3);
        let expected: Vec<usize> = of.iter().map(|&group| [2, 0, 1][group]).collect();
        assert_eq!(part, expected);
        assert_eq!(part, split(&values, 9, 3), "the same each time");
    }

    #[test]
    fn fewer_different_images_than_parts_are_no_trouble() {
        assert_eq!(split(&[1.0; 12], 4, 6), [0, 0, 0]);
        assert!(split(&[], 4, 2).is_empty());
        assert!((squared(&[1.0; 11], &[3.0; 11]) - 44.0).abs() < 1e-6);
    }
}

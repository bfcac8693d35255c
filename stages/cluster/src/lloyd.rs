//! Lloyd's algorithm: assign every row to its nearest centroid, move every centroid to its rows' mean, repeat.

use deepmcat_features::{Features, IMAGES};
use deepmcat_schemas::Assignments;
use deepmcat_schemas::jobs::cluster::Start;
use deepmcat_stage::Progress;
use deepmcat_stage::random::some_of;

use crate::assign::{Blocks, block_rows};
use crate::bounds::Moved;
use crate::centroids::Sums;
use crate::search::Search;
use crate::{Centroids, Error, Parameters, start};

/// A fit: centroids, and the assignment that is nearest to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// `[k, d]`
    pub centroids: Centroids,
    /// The centroid of each row `[n]`.
    pub clusters: Vec<u32>,
    /// The start, then one entry an iteration.
    pub history: Vec<Iteration>,
}

/// What an iteration did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// Sum of squared distances to the nearest centroids.
    pub objective: f64,
    /// Empty clusters that took half of another before this assignment.
    pub filled: usize,
}

impl Fit {
    /// Sum of squared distances to the nearest centroids.
    #[must_use]
    pub fn objective(&self) -> f64 {
        self.history.last().map_or(f64::INFINITY, |last| last.objective)
    }
}

/// Images a cluster, on average, for which a part of the table tells good starts from bad ones.
const EACH: usize = 16;

/// The best of `parameters.redo` starts; of equals the first. `previous` is the epoch before, which may be where the
/// first starts. Of a large table, starts descend on some of the images, and the best of them on all.
///
/// # Errors
/// When there are fewer images than clusters, features are not finite, or memory runs out.
pub fn fit(
    features: &Features<'_>,
    previous: Option<&Assignments>,
    blocks: &mut Blocks<'_>,
    parameters: &Parameters,
) -> Result<Fit, Error> {
    let (images, k) = (features.len(), parameters.k);
    if images < k {
        return Err(Error::TooFewImages { path: features.source().to_owned(), images, k });
    }
    let lengths = features.squared_lengths()?;
    let compared = parameters.redo > 1 || parameters.start == Start::Spread;
    if images > IMAGES && k <= IMAGES / EACH && compared {
        let rows = some_of(images, IMAGES);
        let (ids, values) = (features.ids_of(&rows), features.gather(&rows));
        let some = Features::of(features.source(), &ids, features.dimensions(), &values)?;
        let mut some_blocks = Blocks::new(&some, block_rows(blocks.device), blocks.device)?;
        let best = best(&some, &some.squared_lengths()?, previous, &mut some_blocks, parameters)?;
        let progress = Progress::new(parameters.iterations as u64, "iterations");
        let fit = descend(features, &lengths, blocks, best.centroids, parameters, &progress)?;
        progress.finish();
        return Ok(fit);
    }
    best(features, &lengths, previous, blocks, parameters)
}

/// The fit of the best start.
fn best(
    features: &Features<'_>,
    lengths: &[f32],
    previous: Option<&Assignments>,
    blocks: &mut Blocks<'_>,
    parameters: &Parameters,
) -> Result<Fit, Error> {
    let progress = Progress::new(u64::from(parameters.redo) * parameters.iterations as u64, "iterations");
    let mut best: Option<Fit> = None;
    for attempt in 0..parameters.redo.max(1) {
        let start = start::centroids(features, previous, parameters, attempt);
        let found = descend(features, lengths, blocks, start, parameters, &progress)?;
        tracing::debug!(
            "start {attempt}: objective {} after {} iterations",
            found.objective(),
            found.history.len() - 1
        );
        if best.as_ref().is_none_or(|best| found.objective() < best.objective()) {
            best = Some(found);
        }
    }
    progress.finish();
    // There is at least one start.
    best.ok_or_else(|| Error::Torch("no start was made".to_owned()))
}

/// Descends from given centroids. `lengths` `[n]` are the rows' squared lengths.
///
/// # Errors
/// When memory runs out.
pub(crate) fn descend(
    features: &Features<'_>,
    lengths: &[f32],
    blocks: &mut Blocks<'_>,
    mut centroids: Centroids,
    parameters: &Parameters,
    progress: &Progress,
) -> Result<Fit, Error> {
    let mut search = Search::new(blocks, features, lengths);
    let mut clusters = search.assign(&centroids, None)?;
    let total = lengths.iter().copied().map(f64::from).sum();
    let mut sums = Sums::new(centroids.k(), centroids.dimensions());
    sums.update(features, &clusters);
    let mut history = vec![Iteration { objective: sums.objective(&centroids, total), filled: 0 }];
    for iteration in 0..parameters.iterations {
        let start = centroids.clone();
        let filled = centroids.move_to(&sums);
        let next = search.assign(&centroids, Some(&Moved::between(&start, &centroids)))?;
        sums.update(features, &next);
        let (before, now) = (history[iteration].objective, sums.objective(&centroids, total));
        history.push(Iteration { objective: now, filled });
        progress.inc(1);
        // The same assignment gives the same means: nothing will ever change again.
        let settled = next == clusters;
        clusters = next;
        if settled || (parameters.tolerance > 0.0 && filled == 0 && before - now <= parameters.tolerance * before) {
            break;
        }
    }
    Ok(Fit { centroids, clusters, history })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::Epoch;
    use proptest::prelude::*;
    use tch::Device;

    fn parameters(k: usize, iterations: usize) -> Parameters {
        Parameters {
            k,
            groups: k,
            smooth: 0,
            clusterings: 1,
            clustering: 0,
            start: Start::Random,
            iterations,
            redo: 1,
            tolerance: 0.0,
            seed: 5,
            epoch: Epoch(0),
        }
    }

    /// Fits values `[n * dimensions]` in blocks of `rows`.
    fn fit_values(values: &[f32], dimensions: usize, rows: usize, parameters: &Parameters) -> Result<Fit, Error> {
        let ids: Vec<u32> = (0..(values.len() / dimensions) as u32).collect();
        let features = Features::from_values(&ids, dimensions, values)?;
        fit(&features, None, &mut Blocks::new(&features, rows, Device::Cpu)?, parameters)
    }

    /// `fixtures/golden.csv`, made by `fixtures/make_golden.py` with scikit-learn.
    #[test]
    fn a_fit_from_given_rows_equals_scikit_learns() {
        let mut lines = include_str!("../fixtures/golden.csv").lines();
        let rows: Vec<usize> = lines.next().unwrap().split(' ').map(|row| row.parse().unwrap()).collect();
        let objective: f64 = lines.next().unwrap().parse().unwrap();
        let (mut expected, mut values) = (Vec::new(), Vec::new());
        for line in lines {
            let (cluster, row) = line.split_once(' ').unwrap();
            expected.push(cluster.parse::<u32>().unwrap());
            values.extend(row.split(' ').map(|value| value.parse::<f32>().unwrap()));
        }
        let ids: Vec<u32> = (0..expected.len() as u32).collect();
        let features = Features::from_values(&ids, values.len() / expected.len(), &values).unwrap();
        let mut blocks = Blocks::new(&features, 64, Device::Cpu).unwrap();
        let lengths = features.squared_lengths().unwrap();
        let start = start::from_rows(&features, &rows);
        let progress = Progress::new(100, "iterations");
        let fit = descend(&features, &lengths, &mut blocks, start, &parameters(7, 100), &progress).unwrap();
        assert_eq!(fit.clusters, expected);
        assert!((fit.objective() / objective - 1.0).abs() < 1e-5, "{} and {objective}", fit.objective());
        assert!((5..100).contains(&fit.history.len()), "{} steps", fit.history.len());
    }

    #[test]
    fn more_clusters_than_images_are_refused_and_as_many_are_not() {
        let values = [0.0, 1.0, 5.0];
        let error = fit_values(&values, 1, 8, &parameters(4, 5)).unwrap_err();
        assert!(error.to_string().contains("3 images cannot fill 4 clusters"), "{error}");
        assert_eq!(fit_values(&values, 1, 8, &parameters(3, 5)).unwrap().objective(), 0.0);
    }

    #[test]
    fn images_that_are_all_the_same_leave_clusters_empty() {
        let fit = fit_values(&[0.5; 40], 2, 8, &parameters(4, 20)).unwrap();
        assert!(fit.objective() < 1e-4, "{}", fit.objective());
        // Twenty equal images have one nearest centroid, so three of the four clusters are empty.
        assert_eq!(fit.clusters, vec![fit.clusters[0]; 20]);
        assert!(fit.centroids.values().iter().all(|value| value.is_finite()));
    }

    #[test]
    fn more_starts_are_never_worse() {
        let values: Vec<f32> = (0..300).map(|row| ((row * 7919) % 311) as f32 / 31.0).collect();
        let once = fit_values(&values, 3, 32, &parameters(9, 10)).unwrap();
        let often = fit_values(&values, 3, 32, &Parameters { redo: 6, ..parameters(9, 10) }).unwrap();
        assert!(often.objective() <= once.objective());
        let early = fit_values(&values, 3, 32, &Parameters { tolerance: 0.2, ..parameters(9, 10) }).unwrap();
        assert!(early.history.len() < once.history.len());
    }

    #[test]
    fn starts_of_a_large_table_are_compared_on_some_of_it() {
        // 40,000 points in seven heaps of different sizes; random starts miss some.
        let heap = |row: u32| (row % 7 * (row % 5).min(1)) as f32;
        let values: Vec<f32> = (0..40_000).map(|row| 10.0 * heap(row) + (row % 97) as f32 / 97.0).collect();
        let parameters = Parameters { redo: 20, start: Start::Spread, ..parameters(7, 20) };
        let fit = fit_values(&values, 1, 1024, &parameters).unwrap();
        assert_eq!(fit.clusters.len(), 40_000);
        // Within a heap 1/12 each.
        assert!((fit.objective() / 40_000.0 - 1.0 / 12.0).abs() < 0.005, "{}", fit.objective());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_objective_never_rises(
            values in prop::collection::vec(-1.0_f32..1.0, 60..400),
            k in 2_usize..12,
            dimensions in 1_usize..5,
        ) {
            let values = &values[..values.len() / dimensions * dimensions];
            prop_assume!(values.len() / dimensions >= k);
            let fit = fit_values(values, dimensions, 16, &parameters(k, 20))?;
            for pair in fit.history.windows(2) {
                // A cluster that was split is moved off its mean on purpose.
                if pair[1].filled == 0 {
                    let slack = 1e-5 * pair[0].objective + 1e-6;
                    prop_assert!(pair[1].objective <= pair[0].objective + slack, "{:?}", fit.history);
                }
            }
        }

        #[test]
        fn neither_blocks_nor_threads_change_the_result(
            values in prop::collection::vec(-1.0_f32..1.0, 200..600),
            rows in 1_usize..80,
            threads in 1_usize..5,
        ) {
            let values = &values[..values.len() / 4 * 4];
            let whole = fit_values(values, 4, values.len(), &parameters(7, 20))?;
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
            let cut = pool.install(|| fit_values(values, 4, rows, &parameters(7, 20)))?;
            prop_assert_eq!(&whole.clusters, &cut.clusters);
            prop_assert_eq!(&whole.centroids, &cut.centroids);
            let again = pool.install(|| fit_values(values, 4, rows, &parameters(7, 20)))?;
            prop_assert_eq!(cut, again);
        }
    }
}

//! How right categories are, and whether their confidence says so. Figures are scikit-learn's and numpy's: see
//! `fixtures/make_golden.py`.

use std::collections::BTreeMap;

use deepmcat_schemas::{ClassMetrics, Reliability, RiskCoverage};
use deepmcat_stage::random::{Purpose, generator};
use rand::RngExt;
use rayon::prelude::*;

/// Bins of the calibration error.
const BINS: usize = 15;
/// Times that subjects are drawn anew for an interval.
const DRAWS: u32 = 1000;
/// Points of the risk-coverage curve at most.
const POINTS: usize = 200;

/// Images with a label: what they are and what they were told as.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The classes: labels and categories.
    pub classes: Vec<String>,
    /// Labels `[n]`, as places in `classes`.
    pub truth: Vec<u32>,
    /// Categories `[n]`.
    pub told: Vec<u32>,
    /// Their confidence `[n]`.
    pub confidence: Vec<f64>,
    /// Sum over categories of the squared distance of probability and truth `[n]`.
    pub brier: Vec<f64>,
    /// Images of one number are drawn together `[n]`.
    pub groups: Vec<u32>,
}

/// An interval of 95 %.
pub type Interval = [f64; 2];

impl Measured {
    /// Images, n.
    #[must_use]
    pub fn len(&self) -> usize {
        self.truth.len()
    }

    /// True without an image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.truth.is_empty()
    }

    /// Adds an image: its label, its category with its confidence, and the probabilities of the categories with their places
    /// in `classes`.
    pub fn push(&mut self, truth: u32, told: u32, confidence: f64, shares: impl Iterator<Item = (f64, u32)>) {
        let (mut brier, mut known) = (0.0, false);
        for (share, class) in shares {
            known |= class == truth;
            brier += (share - f64::from(u8::from(class == truth))).powi(2);
        }
        self.truth.push(truth);
        self.told.push(told);
        self.confidence.push(confidence);
        // A label that is no category has probability 0.
        self.brier.push(if known { brier } else { brier + 1.0 });
    }

    fn right(&self) -> impl Iterator<Item = bool> {
        self.truth.iter().zip(&self.told).map(|(truth, told)| truth == told)
    }

    /// Share that is right.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.right().filter(|&right| right).count() as f64 / self.len() as f64
    }

    /// Mean over the classes that images have of the share that is told.
    #[must_use]
    pub fn macro_recall(&self) -> f64 {
        self.confusion().macro_recall()
    }

    /// Mean of the Brier scores, 0 to 2.
    #[must_use]
    pub fn brier(&self) -> f64 {
        self.brier.iter().sum::<f64>() / self.len() as f64
    }

    /// Bins of equal width over confidence: images, mean confidence, share that is right.
    #[must_use]
    pub fn reliability(&self) -> Reliability {
        let mut bins = vec![(0_u32, 0.0, 0_u32); BINS];
        for (&confidence, right) in self.confidence.iter().zip(self.right()) {
            let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
            *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + u32::from(right));
        }
        let mut table = Reliability::default();
        for (place, (images, confidence, right)) in bins.into_iter().enumerate() {
            let mean = |sum: f64| (images > 0).then(|| sum / f64::from(images));
            table.low.push(place as f64 / BINS as f64);
            table.high.push((place + 1) as f64 / BINS as f64);
            table.images.push(images);
            table.confidence.push(mean(confidence));
            table.accuracy.push(mean(f64::from(right)));
        }
        table
    }

    /// Expected calibration error: distance of mean confidence and accuracy, over the bins by their images.
    #[must_use]
    pub fn ece(&self) -> f64 {
        let table = self.reliability();
        let gap =
            |bin: usize| Some((table.confidence[bin]? - table.accuracy[bin]?).abs() * f64::from(table.images[bin]));
        (0..BINS).filter_map(gap).sum::<f64>() / self.len() as f64
    }

    /// Share of wrong ones among the 1, 2 .. n most confident `[n]`, and their confidence; of equals the first stands first.
    fn risks(&self) -> (Vec<f64>, Vec<f64>) {
        let right: Vec<bool> = self.right().collect();
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| self.confidence[b].total_cmp(&self.confidence[a]));
        let mut wrong = 0_u32;
        let risk = |(count, &row): (usize, &usize)| {
            wrong += u32::from(!right[row]);
            f64::from(wrong) / (count + 1) as f64
        };
        let risks = order.iter().enumerate().map(risk).collect();
        (risks, order.into_iter().map(|row| self.confidence[row]).collect())
    }

    /// Area under the risk-coverage curve: the mean of its risks.
    #[must_use]
    pub fn aurc(&self) -> f64 {
        self.risks().0.iter().sum::<f64>() / self.len() as f64
    }

    /// The largest share of the images that a threshold leaves with at most this share of wrong ones.
    #[must_use]
    pub fn coverage_at(&self, risk: f64) -> f64 {
        let (risks, confidence) = self.risks();
        // A threshold takes all of equal confidence or none.
        let whole = |place: &usize| confidence.get(place + 1).is_none_or(|&next| next < confidence[*place]);
        let most = (0..self.len()).rev().filter(whole).find(|&place| risks[place] <= risk);
        most.map_or(0.0, |place| (place + 1) as f64 / self.len() as f64)
    }

    /// Share of wrong ones among the most confident images, so large a share of all.
    #[must_use]
    pub fn risk_at(&self, coverage: f64) -> f64 {
        let count = (coverage * self.len() as f64).ceil() as usize;
        self.risks().0.get(count.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// The risk-coverage curve by its thresholds, the strictest first; of many so many that lie evenly.
    #[must_use]
    pub fn risk_coverage(&self) -> RiskCoverage {
        let (risks, confidence) = self.risks();
        let n = self.len();
        let ends: Vec<usize> =
            (0..n).filter(|&place| confidence.get(place + 1).is_none_or(|&next| next < confidence[place])).collect();
        let step = ends.len().div_ceil(POINTS).max(1);
        let mut table = RiskCoverage::default();
        for (number, &place) in ends.iter().enumerate() {
            if number % step == 0 || number + 1 == ends.len() {
                table.threshold.push(confidence[place]);
                table.coverage.push((place + 1) as f64 / n as f64);
                table.risk.push(risks[place]);
            }
        }
        table
    }

    fn confusion(&self) -> Confusion {
        let mut confusion = Confusion::new(self.classes.len());
        self.truth.iter().zip(&self.told).for_each(|(&truth, &told)| confusion.add(truth, told, 1.0));
        confusion
    }

    /// Accuracy, mean recall, and of each class precision and recall, with intervals from subjects drawn anew by `seed`.
    #[must_use]
    pub fn by_class(&self, seed: u64) -> (Interval, Interval, ClassMetrics) {
        let c = self.classes.len();
        let whole = self.confusion();
        let mut groups: BTreeMap<u32, BTreeMap<(u32, u32), f64>> = BTreeMap::new();
        for ((&group, &truth), &told) in self.groups.iter().zip(&self.truth).zip(&self.told) {
            *groups.entry(group).or_default().entry((truth, told)).or_default() += 1.0;
        }
        let groups: Vec<Vec<((u32, u32), f64)>> =
            groups.into_values().map(|cells| cells.into_iter().collect()).collect();
        let draw = |number: u32| {
            let mut random = generator(seed, 0, number, Purpose::Bootstrap);
            let mut confusion = Confusion::new(c);
            for _ in 0..groups.len() {
                for &((truth, told), count) in &groups[random.random_range(0..groups.len())] {
                    confusion.add(truth, told, count);
                }
            }
            let class = |class: usize| [confusion.precision(class), confusion.recall(class)];
            (confusion.accuracy(), confusion.macro_recall(), (0..c).map(class).collect::<Vec<_>>())
        };
        let draws: Vec<_> = (0..DRAWS).into_par_iter().map(draw).collect();
        let accuracy = interval(draws.iter().map(|draw| draw.0).collect());
        let recall = interval(draws.iter().map(|draw| draw.1).collect());
        let mut table = ClassMetrics::default();
        for class in 0..c {
            let of = |which: usize| interval(draws.iter().filter_map(|draw| draw.2[class][which]).collect());
            let (precision, recall) = (whole.precision(class), whole.recall(class));
            let end = |figure: Option<f64>, which: usize, end: usize| figure.map(|_| of(which)[end]);
            table.class.push(self.classes[class].clone());
            table.images.push(whole.of_truth(class) as u32);
            table.predicted.push(whole.of_told(class) as u32);
            table.precision.push(precision);
            table.precision_low.push(end(precision, 0, 0));
            table.precision_high.push(end(precision, 0, 1));
            table.recall.push(recall);
            table.recall_low.push(end(recall, 1, 0));
            table.recall_high.push(end(recall, 1, 1));
        }
        (accuracy, recall, table)
    }
}

/// Images by class and category.
struct Confusion {
    cells: Vec<f64>,
    c: usize,
}

impl Confusion {
    fn new(c: usize) -> Self {
        Self { cells: vec![0.0; c * c], c }
    }

    fn add(&mut self, truth: u32, told: u32, count: f64) {
        self.cells[truth as usize * self.c + told as usize] += count;
    }

    fn right(&self, class: usize) -> f64 {
        self.cells[class * self.c + class]
    }

    fn of_truth(&self, class: usize) -> f64 {
        self.cells[class * self.c..(class + 1) * self.c].iter().sum()
    }

    fn of_told(&self, class: usize) -> f64 {
        self.cells.iter().skip(class).step_by(self.c).sum()
    }

    fn recall(&self, class: usize) -> Option<f64> {
        let all = self.of_truth(class);
        (all > 0.0).then(|| self.right(class) / all)
    }

    fn precision(&self, class: usize) -> Option<f64> {
        let all = self.of_told(class);
        (all > 0.0).then(|| self.right(class) / all)
    }

    fn accuracy(&self) -> f64 {
        (0..self.c).map(|class| self.right(class)).sum::<f64>() / self.cells.iter().sum::<f64>()
    }

    fn macro_recall(&self) -> f64 {
        let recalls: Vec<f64> = (0..self.c).filter_map(|class| self.recall(class)).collect();
        recalls.iter().sum::<f64>() / recalls.len() as f64
    }
}

/// The 2.5th and 97.5th percentile, between values linearly.
fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * values.len().saturating_sub(1) as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        let value = |place: usize| values.get(place).copied();
        let low_value = value(low).unwrap_or(f64::NAN);
        low_value + part * (value(low + 1).unwrap_or(low_value) - low_value)
    };
    [at(0.025), at(0.975)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    }

    /// `fixtures/golden.json`, made by `fixtures/make_golden.py` with scikit-learn and numpy.
    #[test]
    fn figures_are_those_of_scikit_learn_and_numpy() {
        let golden: Value = serde_json::from_str(include_str!("../fixtures/golden.json")).unwrap();
        let cases = golden.as_array().unwrap();
        assert!(cases.len() >= 20);
        for case in cases {
            let name = case["case"].as_str().unwrap();
            let ids = |key: &str| numbers(&case[key]).into_iter().map(|id| id as u32).collect::<Vec<_>>();
            let c = case["classes"].as_u64().unwrap() as usize;
            let (truth, shares) = (ids("truth"), numbers(&case["shares"]));
            let mut measured = Measured {
                classes: (0..c).map(|class| class.to_string()).collect(),
                groups: ids("groups"),
                ..Measured::default()
            };
            for (&truth, shares) in truth.iter().zip(shares.chunks_exact(c)) {
                let told = crate::series::first_of_most(shares.iter().copied());
                measured.push(truth, told as u32, shares[told], shares.iter().copied().zip(0..));
            }
            let (accuracy, recall, classes) = measured.by_class(1);
            let figures = [
                ("accuracy", measured.accuracy()),
                ("macro_recall", measured.macro_recall()),
                ("ece", measured.ece()),
                ("brier", measured.brier()),
                ("aurc", measured.aurc()),
                ("coverage_at_2", measured.coverage_at(0.02)),
                ("error_at_90", measured.risk_at(0.9)),
            ];
            for (key, found) in figures {
                let expected = case[key].as_f64().unwrap();
                assert!((found - expected).abs() < 1e-9, "{name}: {key} is {found}, expected {expected}");
            }
            for (key, found) in [("precision", &classes.precision), ("recall", &classes.recall)] {
                for (found, expected) in found.iter().zip(case[key].as_array().unwrap()) {
                    let same = match (found, expected.as_f64()) {
                        (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                        (found, expected) => found.is_none() && expected.is_none(),
                    };
                    assert!(same, "{name}: {key} {found:?} {expected:?}");
                }
            }
            // Other draws: as near as a thousand of them are.
            for (key, found) in [("accuracy_interval", accuracy), ("macro_recall_interval", recall)] {
                for (found, expected) in found.iter().zip(numbers(&case[key])) {
                    assert!((found - expected).abs() < 0.025, "{name}: {key} {found} {expected}");
                }
            }
            let curve = measured.risk_coverage();
            assert_eq!(curve.coverage.last(), Some(&1.0));
            assert!((curve.risk.last().unwrap() - (1.0 - measured.accuracy())).abs() < 1e-12);
            assert_eq!(measured.reliability().images.iter().sum::<u32>() as usize, measured.len());
        }
    }
}

//! Repeated acquisitions: of several series of one description in a study the latest is meant.
//!
//! A scan that failed is done again under the same description, and both are archived. Only rules that say
//! `repeats = "latest"` leave the earlier ones out: elsewhere two series of one description are often two views.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use dicom_dictionary_std::tags;
use dicom_object::Tag;

use super::hash::{hash, mix};
use super::values::{DataSet, number, text};

/// What was acquired, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Acquisition {
    /// Hash of patient, study and SeriesDescription.
    what: u64,
    /// Hash of the series, as in the frames; set once all files are known.
    series: u64,
    /// Date, time and SeriesNumber (0020,0011).
    when: [f64; 3],
}

impl Acquisition {
    /// The acquisition that a file is of; none without a description.
    pub fn of(object: &DataSet) -> Option<Self> {
        let description = text(object, tags::SERIES_DESCRIPTION)?;
        let [patient, study] = [tags::PATIENT_ID, tags::STUDY_INSTANCE_UID].map(|tag| text(object, tag));
        let digits = |first: Tag, second: Tag| {
            let value = text(object, first).or_else(|| text(object, second))?;
            // Dates are YYYYMMDD (or YYYY.MM.DD in ACR-NEMA), times HHMMSS.F: numbers in their order.
            value.replace([':', '-'], "").trim().parse().ok()
        };
        let date: Option<f64> = digits(tags::ACQUISITION_DATE, tags::SERIES_DATE);
        let time: Option<f64> = digits(tags::ACQUISITION_TIME, tags::SERIES_TIME);
        let number = number(object, tags::SERIES_NUMBER);
        let when = [date, time, number].map(|value| value.unwrap_or(f64::NEG_INFINITY));
        Some(Self { what: hash(&[patient, study, Some(description)]), series: 0, when })
    }

    /// Puts it into a series and, where the UIDs say nothing, what was acquired into its folder.
    pub fn belongs(&mut self, series: u64, folder: Option<u64>) {
        self.series = series;
        if let Some(folder) = folder {
            self.what = mix(&[self.what, folder]);
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        let mut pairs = self.when.iter().zip(&other.when);
        let unequal = pairs.find_map(|(a, b)| Some(a.total_cmp(b)).filter(|order| order.is_ne()));
        // Of equals any will do, as long as it is always the same.
        unequal.unwrap_or_else(|| self.series.cmp(&other.series))
    }
}

/// The series of which a later acquisition is there.
pub(crate) fn earlier(acquisitions: &[Acquisition]) -> HashSet<u64> {
    let mut latest: HashMap<u64, Acquisition> = HashMap::new();
    for one in acquisitions {
        let kept = latest.entry(one.what).or_insert(*one);
        if one.order(kept).is_gt() {
            *kept = *one;
        }
    }
    let is_latest = |one: &&Acquisition| latest.get(&one.what).is_some_and(|kept| kept.series == one.series);
    acquisitions.iter().filter(|one| !is_latest(one)).map(|one| one.series).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_a_description_stays() {
        let one = |what, series, when| Acquisition { what, series, when };
        let none = f64::NEG_INFINITY;
        let all = [
            one(1, 10, [20140101.0, 101500.0, 4.0]),
            one(1, 10, [20140101.0, 101501.5, 4.0]),
            one(1, 11, [20140101.0, 101501.0, 5.0]),
            one(2, 12, [20140101.0, 90000.0, 9.0]),
            one(2, 13, [20140102.0, 80000.0, 1.0]),
            one(3, 14, [none, none, 2.0]),
            one(3, 15, [none, none, 3.0]),
            one(4, 16, [none, none, none]),
        ];
        assert_eq!(earlier(&all), HashSet::from([11, 12, 14]));
        assert!(earlier(&[]).is_empty());
    }
}

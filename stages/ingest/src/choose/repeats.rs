//! Repeated acquisitions: of several series of one description in a study the latest is meant.
//!
//! A scan that failed is done again under the same description, and both are archived. Only rules that say
//! `repeats = "latest"` leave the earlier ones out: elsewhere two series of one description are often two views.

use std::collections::{HashMap, HashSet};

use crate::series::Acquisition;

/// The series of which a later acquisition is there.
pub(super) fn earlier(acquired: &[(Acquisition, u64)]) -> HashSet<u64> {
    let mut latest: HashMap<u64, (Acquisition, u64)> = HashMap::new();
    for &(one, series) in acquired {
        let kept = latest.entry(one.what).or_insert((one, series));
        // Of equals any will do, as long as it is always the same.
        if one.order(&kept.0).then(series.cmp(&kept.1)).is_gt() {
            *kept = (one, series);
        }
    }
    let is_latest = |(one, series): &&(Acquisition, u64)| latest.get(&one.what).is_some_and(|kept| kept.1 == *series);
    acquired.iter().filter(|one| !is_latest(one)).map(|one| one.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_a_description_stays() {
        let one = |what, series, when| (Acquisition { what, when }, series);
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

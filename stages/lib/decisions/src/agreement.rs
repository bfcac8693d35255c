//! How far people agree who named the same clusters or images.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Log, Target};

/// Two authors, and what both named.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Who, in alphabetical order.
    pub authors: [String; 2],
    /// Clusters and images that both named.
    pub both: usize,
    /// Those that have one name from both.
    pub same: usize,
    /// Cohen's kappa: agreement beyond what the two would have by chance, 1 at most; none where chance alone would give
    /// full agreement (Cohen 1960).
    pub kappa: Option<f64>,
    /// What the two call differently, and how.
    pub different: Vec<(Target, [String; 2])>,
}

/// Every pair of authors who both named something of a result (by its [`crate::RunResult::id`]), in alphabetical order. Each author's last name for a
/// cluster or an image that was not taken back counts, `mixed` and `unsure` too; names that were carried over do not.
#[must_use]
pub fn agreement(log: &Log, result: &str) -> Vec<Agreement> {
    let here = |target: &Target| match target {
        Target::Cluster { result: of, .. } => of == result,
        Target::Image { .. } => true,
    };
    let named: Vec<(&Target, BTreeMap<&str, &str>)> = log.by_author().filter(|(target, _)| here(target)).collect();
    let authors: BTreeSet<&str> = named.iter().flat_map(|(_, names)| names.keys().copied()).collect();
    let authors: Vec<&str> = authors.into_iter().collect();
    let pairs = authors
        .iter()
        .enumerate()
        .flat_map(|(place, &one)| authors[place + 1..].iter().map(move |&other| [one, other]));
    pairs.filter_map(|pair| of_pair(pair, &named)).collect()
}

fn of_pair(pair: [&str; 2], named: &[(&Target, BTreeMap<&str, &str>)]) -> Option<Agreement> {
    let both: Vec<(&Target, [&str; 2])> = named
        .iter()
        .filter_map(|(target, names)| Some((*target, [*names.get(pair[0])?, *names.get(pair[1])?])))
        .collect();
    if both.is_empty() {
        return None;
    }
    let mut counts: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for (_, names) in &both {
        for (place, name) in names.iter().enumerate() {
            counts.entry(name).or_default()[place] += 1.0;
        }
    }
    let n = both.len() as f64;
    let same = both.iter().filter(|(_, [one, other])| one == other).count();
    let chance: f64 = counts.values().map(|[one, other]| one * other / (n * n)).sum();
    let kappa = (chance < 1.0).then(|| (same as f64 / n - chance) / (1.0 - chance));
    let different = both.iter().filter(|(_, [one, other])| one != other);
    let different = different.map(|(target, names)| ((*target).clone(), names.map(str::to_owned))).collect();
    Some(Agreement { authors: pair.map(str::to_owned), both: both.len(), same, kappa, different })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use deepmcat_schemas::ClusterId;

    use super::*;
    use crate::Naming;

    #[test]
    fn two_authors_agree_as_far_as_cohen_says() {
        let run = tempfile::tempdir().unwrap();
        let mut log = Log::open(run.path()).unwrap();
        let target = |number: u32| Target::Cluster { cluster: ClusterId(number), result: "r".to_owned() };
        let name = |number: usize, name: &str| Naming {
            target: target(number as u32),
            category: name.to_owned(),
            overlap: None,
        };
        let names =
            |names: &[&str]| -> Vec<Naming> { names.iter().enumerate().map(|(place, one)| name(place, one)).collect() };
        log.name("ben", &names(&["SA", "SA", "SA", "AO", "AO", "LVOT"])).unwrap();
        log.name("anna", &names(&["SA", "SA", "AO", "AO", "LVOT", "LVOT", "SA"])).unwrap();
        log.name("carl", &[name(0, "SA")]).unwrap();
        let found = agreement(&log, "r");
        assert_eq!(
            found.iter().map(|one| one.authors.join("+")).collect::<Vec<_>>(),
            ["anna+ben", "anna+carl", "ben+carl"]
        );
        assert_eq!((found[0].both, found[0].same), (6, 4));
        // sklearn.metrics.cohen_kappa_score
        assert!((found[0].kappa.unwrap() - 0.5).abs() < 1e-12, "{found:?}");
        assert_eq!(
            found[0].different,
            [(target(2), ["AO", "SA"].map(str::to_owned)), (target(4), ["LVOT", "AO"].map(str::to_owned))]
        );
        assert_eq!((found[1].both, found[1].kappa), (1, None), "chance alone agrees on one");
        // What is taken back does not count.
        log.undo("carl", 1).unwrap();
        assert_eq!(agreement(&log, "r").len(), 1);
    }
}

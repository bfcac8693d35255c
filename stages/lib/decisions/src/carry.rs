//! Names of another result's clusters, for the clusters of this one that hold the same images.

use std::collections::{BTreeMap, HashMap};

use deepmcat_schemas::{ClusterId, Members};
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

use crate::result::kept_members;
use crate::{Error, Log, Naming, RunResult, Target};

/// Overlap from which on a name is taken over. Below, nobody knows whether it still holds.
const ENOUGH: f64 = 0.8;

/// A name of another result and what becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// What it names here, and how much the two clusters overlap: images in both over images in either, of those that
    /// both results have.
    pub naming: Naming,
    /// What had it there.
    pub from: Target,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a name of another result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken over.
    Taken,
    /// The overlap is too small: a person has to say.
    Proposed,
    /// There is a name here already, which stays.
    HasName,
}

/// What becomes of the names of `other`, the result of another run or earlier results of this one.
///
/// Clusters are matched so that as many images as possible lie in both of a pair (Kuhn and Munkres). A pair whose overlap is
/// 0.8 or more hands its name on; every other cluster is proposed that of the cluster with which it shares most
/// images. Names of images stay with their images.
///
/// # Errors
/// When tables are damaged, or no image is in both.
pub fn carry(log: &Log, result: &RunResult, from: &Log, other: &RunResult) -> Result<Vec<Carried>, Error> {
    let itself = other.run == result.run;
    let here = result.members();
    let mut groups: BTreeMap<&str, BTreeMap<ClusterId, &str>> = BTreeMap::new();
    let mut carried = Vec::new();
    for (target, decision) in from.in_force() {
        let Some(category) = &decision.category else { continue };
        match target {
            Target::Cluster { result: id, .. } if itself && *id == result.id => {}
            Target::Cluster { cluster, result: id } => drop(groups.entry(id).or_default().insert(*cluster, category)),
            Target::Image { image } if !itself && result.image(image).is_some() => {
                let naming = Naming { target: target.clone(), category: category.clone(), overlap: Some(1.0) };
                carried.push(Carried { naming, from: target.clone(), verdict: Verdict::Taken });
            }
            Target::Image { .. } => {}
        }
    }
    for (id, categories) in groups {
        let there = if id == other.id { Some(other.members()) } else { kept_members(&other.run, id)? };
        let Some(there) = there else {
            tracing::warn!("{}: nothing is kept of the result {id}, whose clusters had names", other.run.display());
            continue;
        };
        let overlaps = Overlaps::of(&there, &here);
        if overlaps.counts.is_empty() && !itself {
            return Err(Error::OtherImages { from: other.run.clone(), run: result.run.clone() });
        }
        carried.extend(overlaps.carry(&categories).into_iter().map(|(cluster, from, category, overlap, verdict)| {
            let naming = Naming { target: result.cluster(cluster), category, overlap: Some(overlap) };
            Carried { naming, from: Target::Cluster { cluster: from, result: id.to_owned() }, verdict }
        }));
    }
    for carried in &mut carried {
        if log.category(&carried.naming.target).is_some() {
            carried.verdict = Verdict::HasName;
        }
    }
    Ok(carried)
}

/// How many images the clusters of two results share.
struct Overlaps {
    /// By cluster there and here.
    counts: HashMap<(ClusterId, ClusterId), u32>,
    there: BTreeMap<ClusterId, u32>,
    here: BTreeMap<ClusterId, u32>,
}

impl Overlaps {
    /// Of the images that both have.
    fn of(there: &Members, here: &Members) -> Self {
        let before: HashMap<&String, ClusterId> = there.key.iter().zip(there.cluster.iter().copied()).collect();
        let (mut counts, mut sizes, mut own) = (HashMap::new(), BTreeMap::new(), BTreeMap::new());
        for (key, &cluster) in here.key.iter().zip(&here.cluster) {
            let Some(&before) = before.get(key) else { continue };
            *counts.entry((before, cluster)).or_insert(0) += 1;
            *sizes.entry(before).or_insert(0) += 1;
            *own.entry(cluster).or_insert(0) += 1;
        }
        Self { counts, there: sizes, here: own }
    }

    fn overlap(&self, there: ClusterId, here: ClusterId) -> f64 {
        let both = self.counts.get(&(there, here)).copied().unwrap_or_default();
        f64::from(both) / f64::from(self.there[&there] + self.here[&here] - both)
    }

    /// Of each cluster here that shares images with one that has a name: that one, the name, overlap and verdict.
    fn carry(&self, categories: &BTreeMap<ClusterId, &str>) -> Vec<(ClusterId, ClusterId, String, f64, Verdict)> {
        let there: Vec<ClusterId> = self.there.keys().copied().collect();
        let here: Vec<ClusterId> = self.here.keys().copied().collect();
        let side = there.len().max(here.len());
        let mut matrix = Matrix::new(side, side, 0_i64);
        for (&(a, b), &count) in &self.counts {
            if let (Ok(a), Ok(b)) = (there.binary_search(&a), here.binary_search(&b)) {
                matrix[(a, b)] = i64::from(count);
            }
        }
        let (_, matched) = kuhn_munkres(&matrix);
        let partner = |place: usize| matched.iter().position(|&other| other == place).and_then(|a| there.get(a));
        let mut carried = Vec::new();
        for (place, &cluster) in here.iter().enumerate() {
            let pair = partner(place).filter(|&partner| categories.contains_key(partner));
            let pair = pair.map(|&partner| (partner, self.overlap(partner, cluster)));
            if let Some((partner, overlap)) = pair.filter(|&(_, overlap)| overlap >= ENOUGH) {
                carried.push((cluster, partner, categories[&partner].to_owned(), overlap, Verdict::Taken));
                continue;
            }
            let shared = |&(&there, _): &(&ClusterId, &&str)| self.counts.get(&(there, cluster)).copied();
            let most = categories.iter().filter(|pair| shared(pair).is_some()).max_by_key(|pair| shared(pair));
            if let Some((&most, &category)) = most {
                let overlap = self.overlap(most, cluster);
                carried.push((cluster, most, category.to_owned(), overlap, Verdict::Proposed));
            }
        }
        carried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(clusters: &[(u32, usize)]) -> Members {
        let cluster: Vec<ClusterId> =
            clusters.iter().flat_map(|&(cluster, size)| std::iter::repeat_n(ClusterId(cluster), size)).collect();
        Members { key: (0..cluster.len()).map(|key| format!("{key:016x}")).collect(), cluster }
    }

    #[test]
    fn names_go_where_most_images_are_the_same_and_are_proposed_where_fewer_are() {
        // Cluster 0 loses one of ten images to 5, 1 is halved into 7 and 8, 2 has no name.
        let there = members(&[(0, 10), (1, 10), (2, 4)]);
        let here = members(&[(6, 9), (5, 1), (7, 5), (8, 5), (9, 4)]);
        let names = BTreeMap::from([(ClusterId(0), "SA"), (ClusterId(1), "AO")]);
        let carried = Overlaps::of(&there, &here).carry(&names);
        let said: Vec<_> = carried
            .iter()
            .map(|(here, there, name, overlap, verdict)| format!("{here} {there} {name} {overlap:.2} {verdict:?}"))
            .collect();
        assert_eq!(said, ["5 0 SA 0.10 Proposed", "6 0 SA 0.90 Taken", "7 1 AO 0.50 Proposed", "8 1 AO 0.50 Proposed"]);
    }

    #[test]
    fn images_that_only_one_result_has_do_not_count() {
        let (there, mut here) = (members(&[(0, 10)]), members(&[(3, 30)]));
        here.key.rotate_left(5);
        let carried = Overlaps::of(&there, &here).carry(&BTreeMap::from([(ClusterId(0), "SA")]));
        assert_eq!((carried.len(), carried[0].3, carried[0].4), (1, 1.0, Verdict::Taken));
    }
}

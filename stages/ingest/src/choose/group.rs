//! Which files are one series: those of one SeriesInstanceUID, where it says something; else what the files agree on.
//!
//! Anonymisers leave SeriesInstanceUID (0020,000E) empty, or give the same to all they are fed. Then patient, study,
//! folder, number, description and modality tell the series apart, and `select` looks at orientation and size in any case.

use std::collections::{HashMap, HashSet};

use crate::hash::mix;
use crate::headers::Headers;
use crate::series::Said;

/// Files whose SeriesInstanceUID does not tell their series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unsure {
    /// Files without one.
    pub blank: u64,
    /// Files whose UID others have that belong to another series.
    pub shared: u64,
    /// Series that these files were put into.
    pub series: u64,
}

/// Gives every file its series.
pub(super) fn group(headers: &mut Headers) -> Unsure {
    let shared = shared(headers);
    let series = |said: &Said| match said.uid.filter(|uid| !shared.contains(uid)) {
        Some(_) => (said.identity(), false),
        None => (mix(&[said.uid.unwrap_or(0), said.facts, said.folder]), true),
    };
    headers.group(series);
    let (mut unsure, mut series) = (Unsure::default(), HashSet::new());
    for file in headers.left() {
        if let (id, true) = headers.series(file) {
            let blank = headers.said(file).uid.is_none();
            unsure.blank += u64::from(blank);
            unsure.shared += u64::from(!blank);
            series.insert(id);
        }
    }
    unsure.series = series.len() as u64;
    unsure
}

/// UIDs that files of different series have: their facts differ, or two folders hold the same instance at the same
/// place and time, and copies are no longer among the files. Clocks tell times apart only where a patient is named:
/// without, two folders may be two patients.
fn shared(headers: &Headers) -> HashSet<u64> {
    let (mut facts, mut shared) = (HashMap::new(), HashSet::new());
    let (mut folders, mut spread) = (HashMap::new(), HashSet::new());
    for Said { uid, facts: said, folder, .. } in headers.left().map(|file| headers.said(file)) {
        let Some(uid) = uid else { continue };
        if *facts.entry(uid).or_insert(said) != said {
            shared.insert(uid);
        }
        if *folders.entry(uid).or_insert(folder) != folder {
            spread.insert(uid);
        }
    }
    let mut places = HashMap::new();
    for file in headers.left() {
        let (said, first) = (headers.said(file), headers.first(file));
        let Some(uid) = said.uid.filter(|uid| spread.contains(uid)) else { continue };
        if let Some(position) = first.position {
            let place = position.map(f64::to_bits);
            let clocks = first.times.clocks.map(|clock| if said.named { clock.to_bits() } else { 0 });
            let time = (first.times.order.map(f32::to_bits), clocks, first.instance.to_bits());
            if *places.entry((uid, first.kind, place, time)).or_insert(said.folder) != said.folder {
                shared.insert(uid);
            }
        }
    }
    shared
}

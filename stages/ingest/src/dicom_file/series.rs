//! Which files are one series: those of one SeriesInstanceUID, where it says something; else what the files agree on.
//!
//! Anonymisers leave SeriesInstanceUID (0020,000E) empty, or give the same to all they are fed. Then patient, study,
//! folder, number, description and modality tell the series apart, and `select` looks at orientation and size in any case.

use std::collections::{HashMap, HashSet};

use dicom_dictionary_std::tags;

use super::Header;
use super::hash::{hash, mix};
use super::values::{DataSet, text};
use crate::subject;

/// What a file says of the series that it is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    /// Hash of SeriesInstanceUID; none where it is empty or a word such as "ANONYMIZED".
    uid: Option<u64>,
    /// Hash of what all files of a series have in common.
    facts: u64,
    /// Hash of the folder that the file is in.
    folder: u64,
    /// The facts name a patient.
    named: bool,
}

impl Said {
    /// Of a file at `source`.
    pub fn of(object: &DataSet, source: &str) -> Self {
        let facts = [
            tags::PATIENT_ID,
            tags::PATIENT_NAME,
            tags::STUDY_INSTANCE_UID,
            tags::STUDY_ID,
            tags::STUDY_DATE,
            tags::SERIES_NUMBER,
            tags::SERIES_DESCRIPTION,
            tags::MODALITY,
        ];
        let uid = text(object, tags::SERIES_INSTANCE_UID).filter(|uid| uid.contains(|c: char| matches!(c, '1'..='9')));
        Self {
            uid: uid.map(|uid| hash(&[Some(uid)])),
            facts: hash(&facts.map(|tag| text(object, tag))),
            named: text(object, tags::PATIENT_ID).is_some_and(|id| subject::of_patient(&id).is_some()),
            folder: hash(&[source.rsplit_once('/').map(|(folder, _)| folder)]),
        }
    }

    /// A hash of UID and facts: the same for copies, wherever they are.
    pub fn identity(&self) -> u64 {
        mix(&[self.uid.unwrap_or(0), self.facts])
    }
}

/// Files whose SeriesInstanceUID does not tell their series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unsure {
    /// Files without one.
    pub blank: u64,
    /// Files whose UID others have that belong to another series.
    pub shared: u64,
    /// Series that these files were put into.
    pub series: u64,
}

/// Gives every frame its series.
pub(crate) fn group(headers: &mut [Header]) -> Unsure {
    let shared = shared(headers);
    let (mut unsure, mut series) = (Unsure::default(), HashSet::new());
    for header in headers {
        let Said { uid, facts, folder, .. } = header.said;
        let sure = uid.filter(|uid| !shared.contains(uid));
        let id = match sure {
            Some(_) => header.said.identity(),
            None => mix(&[uid.unwrap_or(0), facts, folder]),
        };
        if sure.is_none() {
            unsure.blank += u64::from(uid.is_none());
            unsure.shared += u64::from(uid.is_some());
            series.insert(id);
            header.group = Some(id);
        }
        if let Some(acquisition) = &mut header.acquisition {
            acquisition.belongs(id, sure.is_none().then_some(folder));
        }
        for frame in &mut header.frames {
            frame.series = id;
            if header.alone {
                frame.kind = mix(&[frame.kind, frame.input.into()]);
            }
        }
    }
    unsure.series = series.len() as u64;
    unsure
}

/// UIDs that files of different series have: their facts differ, or two folders hold the same instance at the same
/// place and time, and copies are no longer among the files. Clocks tell times apart only where a patient is named:
/// without, two folders may be two patients.
fn shared(headers: &[Header]) -> HashSet<u64> {
    let (mut facts, mut shared) = (HashMap::new(), HashSet::new());
    for Said { uid, facts: said, .. } in headers.iter().map(|header| header.said) {
        if let Some(uid) = uid
            && *facts.entry(uid).or_insert(said) != said
        {
            shared.insert(uid);
        }
    }
    let (mut folders, mut spread) = (HashMap::new(), HashSet::new());
    for Said { uid, folder, .. } in headers.iter().map(|header| header.said) {
        if let Some(uid) = uid
            && *folders.entry(uid).or_insert(folder) != folder
        {
            spread.insert(uid);
        }
    }
    let mut places = HashMap::new();
    for header in headers {
        let (Some(uid), Some(first)) = (header.said.uid.filter(|uid| spread.contains(uid)), header.frames.first())
        else {
            continue;
        };
        if let Some(position) = first.position {
            let place = position.map(f64::to_bits);
            let clocks = first.times.clocks.map(|clock| if header.said.named { clock.to_bits() } else { 0 });
            let time = (first.times.order.map(f32::to_bits), clocks, first.instance.to_bits());
            let folder = header.said.folder;
            if *places.entry((uid, first.kind, place, time)).or_insert(folder) != folder {
                shared.insert(uid);
            }
        }
    }
    shared
}

//! What a DICOM file is before its pixels are read: its frames, its class, its series.

use std::borrow::Cow;

use dicom_core::dictionary::{UidDictionary, UidDictionaryEntry};
use dicom_dictionary_std::{StandardSopClassDictionary, tags};
use dicom_object::Tag;

use super::frames::frames;
use super::open;
use super::values::{DataSet, count, items, number, text};
use crate::format::{Content, Scanned};
use crate::hash::{hash, listed, mix};
use crate::inputs::Input;
use crate::reject::{Reason, Reject};
use crate::rules::{Rules, Verdict};
use crate::series::{Acquisition, Header, Said};
use crate::subject;

/// Reads a file up to its pixels.
pub(super) fn scan(from: &Input, rules: &Rules, limit: u64) -> Result<Scanned, Reject> {
    let (object, bytes) = open::before_pixels(&from.place, limit)?;
    let source = &from.name();
    let (rows, columns) = (count(&object, tags::ROWS), count(&object, tags::COLUMNS));
    if rows.unwrap_or(0) == 0 || columns.unwrap_or(0) == 0 {
        return Err(no_image(&object));
    }
    let verdict = rules.admit(source, |tag| text(&object, tag).map(Cow::Owned))?;
    let description = text(&object, tags::SERIES_DESCRIPTION);
    let said = said(&object, source);
    let frames = frames(&object, bytes)?;
    let header = Header {
        alone: frames.len() > 1 && items(&object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).is_empty(),
        object: identity(&object, &said),
        description: listed(description.as_deref().unwrap_or_default()),
        acquisition: if rules.latest() { acquisition(&object) } else { None },
        frames,
        said,
    };
    let description = description.filter(|_| verdict == Verdict::Unmatched);
    Ok(Scanned { verdict, description, content: Content::Frames(header) })
}

/// What a file at `source` says of its series.
fn said(object: &DataSet, source: &str) -> Said {
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
    Said {
        uid: uid.map(|uid| hash(&[Some(uid)])),
        facts: hash(&facts.map(|tag| text(object, tag))),
        named: text(object, tags::PATIENT_ID).is_some_and(|id| subject::of_patient(&id).is_some()),
        folder: hash(&[source.rsplit_once('/').map(|(folder, _)| folder)]),
    }
}

/// The acquisition that a file is of; none without a description.
fn acquisition(object: &DataSet) -> Option<Acquisition> {
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
    Some(Acquisition { what: hash(&[patient, study, Some(description)]), when })
}

/// A hash that copies of an object have in common; 0 where it has no SOPInstanceUID (0008,0018).
fn identity(object: &DataSet, said: &Said) -> u64 {
    let Some(uid) = text(object, tags::SOP_INSTANCE_UID) else { return 0 };
    let scale = [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT].map(|tag| text(object, tag));
    mix(&[hash(&[Some(uid)]), hash(&scale), said.identity()])
}

/// The reject of an object that is no image, by the name of its kind (SOPClassUID, PS3.4 B.5).
fn no_image(object: &DataSet) -> Reject {
    let uid = text(object, tags::SOP_CLASS_UID).unwrap_or_default();
    let name = StandardSopClassDictionary.by_uid(&uid).map_or("a DICOM object", |class| class.name());
    Reject::new(Reason::NotAnImage, format!("no image, without Rows and Columns: {name}"))
}

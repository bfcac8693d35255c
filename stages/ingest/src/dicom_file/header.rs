//! What a DICOM file is before its pixels are read: its frames, its class, its series.

use std::borrow::Cow;

use dicom_core::dictionary::{UidDictionary, UidDictionaryEntry};
use dicom_dictionary_std::{StandardSopClassDictionary, tags};

use super::frames::{Frame, frames};
use super::hash::{hash, mix};
use super::open;
use super::repeats::Acquisition;
use super::series::Said;
use super::values::{DataSet, count, items, text};
use crate::listing;
use crate::reject::{Reason, Reject};
use crate::rules::{Rules, Verdict};
use crate::scan::excluded;
use crate::walk::Input;

/// A file that may give images.
#[derive(Debug)]
pub(crate) struct Header {
    /// Number of the input file.
    pub input: u32,
    /// Its frames.
    pub frames: Vec<Frame>,
    /// What it says of its series.
    pub(super) said: Said,
    /// Hash of the series that it was put into, where its SeriesInstanceUID does not tell.
    pub group: Option<u64>,
    /// Its frames are a run of their own, as of an ultrasound: not at one place with those of another file.
    pub(super) alone: bool,
    /// Hash of SOPInstanceUID (0008,0018), of the series and of how values are meant; 0 where it has none.
    pub(super) object: u64,
    /// What the class rules say of it.
    pub verdict: Verdict,
    /// SeriesDescription (0008,103E), hashed as lists of files are.
    pub description: u64,
    /// The same in words, where no class rule matches: to write one.
    pub unmatched: Option<String>,
    /// What was acquired when, where the rules ask for it.
    pub acquisition: Option<Acquisition>,
}

/// Reads a file up to its pixels.
pub(crate) fn read_header(from: &Input, input: u32, rules: &Rules, limit: u64) -> Result<Header, Reject> {
    let (object, bytes) = open::before_pixels(&from.place, limit)?;
    let source = &from.name();
    let (rows, columns) = (count(&object, tags::ROWS), count(&object, tags::COLUMNS));
    if rows.unwrap_or(0) == 0 || columns.unwrap_or(0) == 0 {
        return Err(no_image(&object));
    }
    let verdict = rules.verdict(source, |tag| text(&object, tag).map(Cow::Owned));
    if let Verdict::Exclude(rule) = verdict {
        return Err(excluded(rules, rule));
    }
    let description = text(&object, tags::SERIES_DESCRIPTION);
    let said = Said::of(&object, source);
    let frames = frames(&object, input, bytes)?;
    Ok(Header {
        input,
        group: None,
        alone: frames.len() > 1 && items(&object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).is_empty(),
        object: identity(&object, &said),
        description: listing::hash(description.as_deref().unwrap_or_default()),
        unmatched: if verdict == Verdict::Unmatched { description } else { None },
        acquisition: if rules.latest() { Acquisition::of(&object) } else { None },
        frames,
        said,
        verdict,
    })
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

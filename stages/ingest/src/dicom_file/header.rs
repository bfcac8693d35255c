//! What choosing t=0 needs of a DICOM file: a few numbers for each frame, and no text.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use dicom_core::dictionary::{UidDictionary, UidDictionaryEntry};
use dicom_dictionary_std::{StandardSopClassDictionary, tags, uids};

use super::open;
use super::repeats::Acquisition;
use super::values::{DataSet, count, item, items, number, text, vector};
use crate::listing;
use crate::reject::{Reason, Reject};
use crate::rules::{Rules, Verdict};
use crate::scan::excluded;
use crate::walk::Input;

/// More frames in one file are a damaged header: whole studies have some ten thousand.
const MOST_FRAMES: u64 = 1 << 20;

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Position {
    /// ImagePositionPatient (0020,0032) in mm.
    Patient([f64; 3]),
    /// SliceLocation (0020,1041) in mm.
    Location(f64),
    /// Not said.
    Unknown,
}

/// One frame of a DICOM file: small, since an archive has millions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    /// Number of the input file.
    pub input: u32,
    /// Frame in the file, from 0.
    pub frame: u32,
    /// Hash of SeriesInstanceUID (0020,000E); of the file where it has none.
    pub series: u64,
    /// Hash of what makes two images of a series different kinds: size, ImageType, echo, b-value.
    pub kind: u64,
    /// Hash of SOPInstanceUID (0008,0018); 0 where it has none.
    pub object: u64,
    /// ImageOrientationPatient (0020,0037): directions of a row and of a column.
    pub orientation: Option<[f32; 6]>,
    /// Position in space.
    pub position: Position,
    /// TriggerTime (0018,1060), in ms; infinite where it has none.
    pub trigger: f64,
    /// TemporalPositionIdentifier (0020,0100) or TemporalPositionIndex (0020,9128); infinite where it has none.
    pub temporal: f64,
    /// InstanceNumber (0020,0013); infinite where it has none.
    pub instance: f64,
}

/// A file that may give images.
#[derive(Debug)]
pub(crate) struct Header {
    /// Its frames.
    pub frames: Vec<Frame>,
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
    if object.meta().media_storage_sop_class_uid().trim_end_matches('\0') == uids::MEDIA_STORAGE_DIRECTORY_STORAGE {
        return Err(Reject::new(Reason::NotAnImage, "a DICOMDIR: its files are read by themselves"));
    }
    let (rows, columns) = (count(&object, tags::ROWS), count(&object, tags::COLUMNS));
    if rows.unwrap_or(0) == 0 || columns.unwrap_or(0) == 0 {
        return Err(no_image(&object));
    }
    let verdict = rules.verdict(source, |tag| text(&object, tag).map(Cow::Owned));
    if let Verdict::Exclude(rule) = verdict {
        return Err(excluded(rules, rule));
    }
    let said = text(&object, tags::SERIES_DESCRIPTION);
    let description = listing::hash(said.as_deref().unwrap_or_default());
    let unmatched = if verdict == Verdict::Unmatched { said } else { None };
    let acquisition = if rules.latest() { Acquisition::of(&object) } else { None };
    Ok(Header { frames: frames(&object, source, input, bytes)?, verdict, description, unmatched, acquisition })
}

/// The reject of an object that is no image, by the name of its kind (SOPClassUID, PS3.4 B.5).
fn no_image(object: &DataSet) -> Reject {
    let uid = text(object, tags::SOP_CLASS_UID).unwrap_or_default();
    let name = StandardSopClassDictionary.by_uid(&uid).map_or("a DICOM object", |class| class.name());
    Reject::new(Reason::NotAnImage, format!("no image, without Rows and Columns: {name}"))
}

/// A frame for the file, or for each frame whose place and time the functional groups tell (PS3.3 C.7.6.16).
fn frames(object: &DataSet, source: &str, input: u32, bytes: u64) -> Result<Vec<Frame>, Reject> {
    let number_of_frames = count(object, tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1);
    let groups = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    // A frame takes a byte at least, a compressed one eight for its item: before memory is taken for each.
    if u64::from(number_of_frames) > bytes.min(MOST_FRAMES) {
        let message = format!("NumberOfFrames is {number_of_frames}, more than the file's {bytes} bytes can hold");
        return Err(Reject::new(Reason::Truncated, message));
    }
    let shared = item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let series = text(object, tags::SERIES_INSTANCE_UID);
    let whole = Frame {
        input,
        frame: 0,
        // A file without a series is a series of its own.
        series: series.map_or_else(|| hash(&(source, "file")), |uid| hash(&uid)),
        kind: hash(&(
            count(object, tags::ROWS),
            count(object, tags::COLUMNS),
            text(object, tags::IMAGE_TYPE),
            text(object, tags::ECHO_TIME),
            text(object, tags::ECHO_NUMBERS),
        )),
        object: text(object, tags::SOP_INSTANCE_UID).map_or(0, |uid| hash(&uid)),
        orientation: vector(object, tags::IMAGE_ORIENTATION_PATIENT).map(narrow),
        position: position(object),
        trigger: number(object, tags::TRIGGER_TIME).unwrap_or(f64::INFINITY),
        temporal: number(object, tags::TEMPORAL_POSITION_IDENTIFIER).unwrap_or(f64::INFINITY),
        instance: number(object, tags::INSTANCE_NUMBER).unwrap_or(f64::INFINITY),
    };
    let with = |frame: u32| {
        let own = groups.get(frame as usize);
        // A frame's own group comes before the shared one.
        let group = |tag| own.and_then(|own| item(own, tag)).or_else(|| shared.and_then(|shared| item(shared, tag)));
        let mut one = Frame { frame, ..whole.clone() };
        if let Some(plane) = group(tags::PLANE_POSITION_SEQUENCE) {
            one.position = position(plane);
        }
        if let Some(plane) = group(tags::PLANE_ORIENTATION_SEQUENCE) {
            one.orientation = vector(plane, tags::IMAGE_ORIENTATION_PATIENT).map(narrow);
        }
        if let Some(content) = group(tags::FRAME_CONTENT_SEQUENCE) {
            one.temporal = number(content, tags::TEMPORAL_POSITION_INDEX).unwrap_or(one.temporal);
        }
        if let Some(cardiac) = group(tags::CARDIAC_SYNCHRONIZATION_SEQUENCE) {
            one.trigger = number(cardiac, tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME).unwrap_or(one.trigger);
        }
        let frame_type = group(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE).and_then(|item| text(item, tags::FRAME_TYPE));
        let echo = group(tags::MR_ECHO_SEQUENCE).and_then(|item| text(item, tags::EFFECTIVE_ECHO_TIME));
        let diffusion = group(tags::MR_DIFFUSION_SEQUENCE).and_then(|item| text(item, tags::DIFFUSION_B_VALUE));
        let b_value = diffusion.or_else(|| text(object, tags::DIFFUSION_B_VALUE));
        one.kind = hash(&(one.kind, frame_type, echo, b_value));
        one
    };
    if number_of_frames > 1 && groups.is_empty() {
        // Nothing tells the frames apart (an ultrasound loop): the order in the file is their time.
        return Ok((0..number_of_frames).map(|frame| Frame { temporal: f64::from(frame), ..with(frame) }).collect());
    }
    Ok((0..number_of_frames).map(with).collect())
}

fn position(object: &DataSet) -> Position {
    match vector(object, tags::IMAGE_POSITION_PATIENT) {
        Some(position) => Position::Patient(position),
        None => number(object, tags::SLICE_LOCATION).map_or(Position::Unknown, Position::Location),
    }
}

fn narrow(values: [f64; 6]) -> [f32; 6] {
    values.map(|value| value as f32)
}

/// A hash within one run; it is compared, never stored.
pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

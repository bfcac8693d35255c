//! The frames of a DICOM file: for each the place, the time and the kind that its header tells.

use dicom_dictionary_std::tags;
use dicom_object::Tag;

use super::values::{DataSet, count, item, items, number, numbers, vector};
use super::{kind, times};
use crate::hash::hash;
use crate::reject::{Reason, Reject};
use crate::series::Frame;

/// More frames in one file are a damaged header: whole studies have some ten thousand.
const MOST_FRAMES: u64 = 1 << 20;
/// Frames that a file of any length may have.
const FEW_FRAMES: u64 = 16;

/// A frame for the file, or for each frame whose place and time the functional groups (PS3.3 C.7.6.16) or the vectors
/// of a multi-frame object tell.
pub(super) fn frames(object: &DataSet, bytes: u64) -> Result<Vec<Frame>, Reject> {
    let number_of_frames = count(object, tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1);
    // Before memory is taken for each: a frame of 4 x 4 pixels takes 16 bytes where the file lies, gzip'd or not. So the
    // frames of all files take memory in proportion to the archive, whatever files claim.
    if u64::from(number_of_frames) > (FEW_FRAMES + bytes / 16).min(MOST_FRAMES) {
        let message = format!("NumberOfFrames is {number_of_frames}, more than the file's {bytes} bytes can hold");
        return Err(Reject::new(Reason::Truncated, message));
    }
    let whole = Frame {
        input: 0,
        frame: 0,
        series: 0,
        kind: kind::of_file(object),
        orientation: vector(object, tags::IMAGE_ORIENTATION_PATIENT).map(narrow),
        position: vector(object, tags::IMAGE_POSITION_PATIENT),
        location: number(object, tags::SLICE_LOCATION).map(|location| location as f32),
        times: times::of(object),
        instance: number(object, tags::INSTANCE_NUMBER).unwrap_or(f64::INFINITY),
    };
    let groups = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let shared = item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    Ok(if number_of_frames > 1 && groups.is_empty() {
        by_vectors(object, &whole, number_of_frames)
    } else {
        let run = number_of_frames > 1 && times::is_run(object);
        let with = |frame: u32| by_groups(&whole, frame, groups.get(frame as usize), shared, run);
        (0..number_of_frames).map(with).collect()
    })
}

/// A frame by its own functional groups and those that all frames share; in a run of an X-ray tube the order is time.
fn by_groups(whole: &Frame, frame: u32, own: Option<&DataSet>, shared: Option<&DataSet>, run: bool) -> Frame {
    // A frame's own group comes before the shared one.
    let group = |tag| own.and_then(|own| item(own, tag)).or_else(|| shared.and_then(|shared| item(shared, tag)));
    let mut one = Frame { frame, ..whole.clone() };
    if own.is_some() {
        // The frames of a file follow each other: below one step of InstanceNumber.
        one.instance += f64::from(frame) / MOST_FRAMES as f64;
    }
    if let Some(plane) = group(tags::PLANE_POSITION_SEQUENCE) {
        (one.position, one.location) = (vector(plane, tags::IMAGE_POSITION_PATIENT), None);
    }
    if let Some(plane) = group(tags::PLANE_ORIENTATION_SEQUENCE) {
        one.orientation = vector(plane, tags::IMAGE_ORIENTATION_PATIENT).map(narrow);
    }
    if let Some(content) = group(tags::FRAME_CONTENT_SEQUENCE) {
        times::refine(&mut one.times, content);
        if one.position.is_none() {
            let in_stack = number(content, tags::IN_STACK_POSITION_NUMBER).map(|number| number as f32);
            one.location = in_stack.or(one.location);
        }
    }
    let timed = [
        tags::TEMPORAL_POSITION_SEQUENCE,
        tags::CARDIAC_SYNCHRONIZATION_SEQUENCE,
        tags::RESPIRATORY_SYNCHRONIZATION_SEQUENCE,
        tags::MR_MODIFIER_SEQUENCE,
    ];
    timed.into_iter().filter_map(group).for_each(|said| times::refine(&mut one.times, said));
    if run && one.position.is_none() && one.location.is_none() && one.times.order[1].is_infinite() {
        one.times.order[1] = frame as f32;
    }
    let added = kind::of_groups(group);
    if added.iter().any(Option::is_some) {
        one.kind = hash(&[Some(one.kind.to_le_bytes()), Some(hash(&added).to_le_bytes())]);
    }
    one
}

/// The frames of an object without functional groups: slices, detectors and energies or times by their vectors. Nothing
/// else tells them apart, and then each is an image.
fn by_vectors(object: &DataSet, whole: &Frame, count: u32) -> Vec<Frame> {
    // RT dose planes, secondary captures, nuclear medicine.
    const SLICES: [Tag; 3] = [tags::GRID_FRAME_OFFSET_VECTOR, tags::SLICE_LOCATION_VECTOR, tags::SLICE_VECTOR];
    let slices = SLICES.iter().map(|&tag| numbers(object, tag)).find(|values| values.len() == count as usize);
    let (times, kinds) = (times::of_frames(object, count), kind::of_vectors(object, count));
    let frames = (0..count).zip(times).zip(kinds).map(|((frame, [trigger, temporal]), kind)| {
        let mut one = Frame { frame, ..whole.clone() };
        one.times.order[0] = trigger.unwrap_or(one.times.order[0]);
        one.times.order[1] = temporal.unwrap_or(one.times.order[1]);
        if let Some(slices) = &slices {
            one.location = Some(slices[frame as usize] as f32);
        }
        if !kind.is_empty() {
            one.kind = hash(&[Some(one.kind.to_le_bytes()), Some(hash(&kind).to_le_bytes())]);
        }
        one
    });
    frames.collect()
}

fn narrow(values: [f64; 6]) -> [f32; 6] {
    values.map(|value| value as f32)
}

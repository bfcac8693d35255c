//! What a header says of the time of its frames.

use dicom_dictionary_std::tags;
use dicom_object::Tag;

use super::values::{DataSet, count, number, numbers, text};
use crate::series::Times;

/// Frames of these kinds of objects are pictures of a camera or a probe that runs (PS3.3 C.7.3.1.1.1).
const CINE: [&str; 5] = ["US", "IVUS", "XA", "RF", "ES"];
/// Of these, those whose enhanced objects have no place for each frame: an enhanced ultrasound is a volume.
const RUNS: [&str; 2] = ["XA", "RF"];

/// Of a file, or of its frames as long as nothing else is said of these.
pub(super) fn of(object: &DataSet) -> Times {
    let first = |tags: &[Tag]| tags.iter().find_map(|&tag| number(object, tag)).map_or(f32::INFINITY, |n| n as f32);
    let counts = [tags::NUMBER_OF_TEMPORAL_POSITIONS, tags::CARDIAC_NUMBER_OF_IMAGES, tags::NUMBER_OF_TIME_SLICES];
    let acquired = clock(object, None, tags::ACQUISITION_DATE_TIME)
        .or_else(|| clock(object, Some(tags::ACQUISITION_DATE), tags::ACQUISITION_TIME));
    let content = clock(object, Some(tags::CONTENT_DATE), tags::CONTENT_TIME);
    Times {
        order: [
            first(&[tags::TRIGGER_TIME]),
            first(&[tags::TEMPORAL_POSITION_IDENTIFIER, tags::TEMPORAL_POSITION_INDEX]),
            first(&[tags::NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE, tags::NOMINAL_PERCENTAGE_OF_RESPIRATORY_PHASE]),
            first(&[tags::FRAME_REFERENCE_TIME]),
            first(&[tags::INVERSION_TIME]),
        ],
        clocks: [acquired, content].map(|clock| clock.unwrap_or(f64::INFINITY)),
        said: counts.iter().filter_map(|&tag| count(object, tag)).max().unwrap_or(0),
    }
}

/// Takes what a functional group of a frame says of its time (PS3.3 C.7.6.16.2).
pub(super) fn refine(times: &mut Times, group: &DataSet) {
    let first = |tags: &[Tag]| tags.iter().find_map(|&tag| number(group, tag)).map(|number| number as f32);
    let said = [
        first(&[
            tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME,
            tags::ACTUAL_CARDIAC_TRIGGER_DELAY_TIME,
            tags::NOMINAL_RESPIRATORY_TRIGGER_DELAY_TIME,
        ]),
        first(&[tags::TEMPORAL_POSITION_INDEX, tags::TEMPORAL_POSITION_TIME_OFFSET]),
        first(&[tags::NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE, tags::NOMINAL_PERCENTAGE_OF_RESPIRATORY_PHASE]),
        None,
        first(&[tags::INVERSION_TIMES]),
    ];
    for (time, said) in times.order.iter_mut().zip(said) {
        *time = said.unwrap_or(*time);
    }
    let clocks = [tags::FRAME_ACQUISITION_DATE_TIME, tags::FRAME_REFERENCE_DATE_TIME];
    for (time, tag) in times.clocks.iter_mut().zip(clocks) {
        *time = clock(group, None, tag).unwrap_or(*time);
    }
}

/// The times of the frames of an object without functional groups (PS3.3 C.7.6.6, C.8.4.8): what stands in the place
/// of TriggerTime and of the temporal position.
pub(super) fn of_frames(object: &DataSet, frames: u32) -> Vec<[Option<f32>; 2]> {
    let vector = |tag| {
        let values = numbers(object, tag);
        if values.len() == frames as usize { values } else { Vec::new() }
    };
    let (phases, slices) = (vector(tags::PHASE_VECTOR), vector(tags::TIME_SLICE_VECTOR));
    let slots = vector(tags::TIME_SLOT_VECTOR);
    let in_order = phases.is_empty() && slices.is_empty() && slots.is_empty() && is_cine(object, &CINE);
    let at = |values: &[f64], frame: usize| values.get(frame).map(|&value| value as f32);
    let times = (0..frames as usize).map(|frame| {
        let index = match (at(&phases, frame), at(&slices, frame)) {
            (None, None) => in_order.then_some(frame as f32),
            // Each phase counts its time slices from 1: at most 65535 of them.
            (phase, slice) => Some(phase.unwrap_or(0.0) * 65536.0 + slice.unwrap_or(0.0)),
        };
        [at(&slots, frame), index]
    });
    times.collect()
}

/// True where the frames of an enhanced object follow each other in time, unless they have places of their own.
pub(super) fn is_run(object: &DataSet) -> bool {
    is_cine(object, &RUNS)
}

/// True where the order of the frames in the file is their time: FrameIncrementPointer (0028,0009) says so or, where it
/// is silent, FrameTime (0018,1063), FrameTimeVector (0018,1065) or that the kind of device is one of `devices`.
fn is_cine(object: &DataSet, devices: &[&str]) -> bool {
    let times = [tags::FRAME_TIME, tags::FRAME_TIME_VECTOR];
    let pointed = object.get(tags::FRAME_INCREMENT_POINTER).and_then(|element| element.value().primitive());
    match pointed {
        Some(dicom_core::PrimitiveValue::Tags(pointed)) if !pointed.is_empty() => {
            pointed.iter().any(|tag| times.contains(tag))
        }
        _ => {
            times.iter().any(|&tag| object.get(tag).is_some())
                || text(object, tags::MODALITY).is_some_and(|modality| devices.contains(&modality.as_str()))
        }
    }
}

/// A date and a time, or both in one, as seconds; dates are YYYYMMDD (YYYY.MM.DD in ACR-NEMA), times HHMMSS.F.
fn clock(object: &DataSet, date: Option<Tag>, time: Tag) -> Option<f64> {
    let both = text(object, time)?.replace([':', '.', '-'], "");
    let fraction = text(object, time)?.split_once('.').map(|(_, fraction)| fraction.to_owned());
    let digits: String = both.chars().take_while(char::is_ascii_digit).collect();
    let (date, time) = match date {
        Some(date) => (text(object, date).unwrap_or_default().replace(['.', '-', '/'], ""), digits.as_str()),
        None => (digits.get(..8)?.to_owned(), digits.get(8..).unwrap_or_default()),
    };
    let part = |from: usize| time.get(from..from + 2).map_or(Some(0.0), |two| two.parse::<f64>().ok());
    let seconds = part(0)? * 3600.0 + part(2)? * 60.0 + part(4)?;
    let fraction: String = fraction.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
    // Not days since some day, but in the order of these and far enough apart.
    Some(date.parse::<f64>().unwrap_or(0.0) * 86400.0 + seconds + fraction)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    fn object(values: &[(Tag, VR, &str)]) -> DataSet {
        let element = |&(tag, vr, value): &(Tag, VR, &str)| DataElement::new(tag, vr, PrimitiveValue::from(value));
        DataSet::from_element_iter(values.iter().map(element))
    }

    #[test]
    fn clocks_are_read_however_they_are_written() {
        let time = |text| {
            clock(
                &object(&[(tags::ACQUISITION_TIME, VR::TM, text)]),
                Some(tags::ACQUISITION_DATE),
                tags::ACQUISITION_TIME,
            )
        };
        assert_eq!(time("010203.5"), Some(3723.5));
        assert_eq!(time("01:02:03"), Some(3723.0));
        assert_eq!((time("0102"), time("01")), (Some(3720.0), Some(3600.0)));
        assert!(time("noon").is_none_or(|seconds| seconds == 0.0));
        let whole = object(&[(tags::ACQUISITION_DATE_TIME, VR::DT, "20200102010203.25+0100")]);
        let parts =
            object(&[(tags::ACQUISITION_DATE, VR::DA, "20200102"), (tags::ACQUISITION_TIME, VR::TM, "010203.25")]);
        assert_eq!(of(&whole).clocks, of(&parts).clocks);
        assert!(of(&whole).clocks[0].is_finite());
    }

    #[test]
    fn the_pointer_goes_before_the_kind_of_device() {
        assert!(is_cine(&object(&[(tags::MODALITY, VR::CS, "US")]), &CINE));
        assert!(is_cine(&object(&[(tags::FRAME_TIME, VR::DS, "33")]), &[]));
        assert!(!is_cine(&object(&[(tags::MODALITY, VR::CS, "MR")]), &CINE));
        let mut slices = object(&[(tags::MODALITY, VR::CS, "US"), (tags::FRAME_TIME, VR::DS, "33")]);
        slices.put(DataElement::new(
            tags::FRAME_INCREMENT_POINTER,
            VR::AT,
            PrimitiveValue::Tags([tags::SLICE_VECTOR].into_iter().collect()),
        ));
        assert!(!is_cine(&slices, &CINE));
    }
}

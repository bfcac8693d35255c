//! What makes two frames of one series and place other images, whatever their times: other than in time they differ.

use dicom_dictionary_std::tags;
use dicom_object::Tag;

use super::values::{DataSet, number, numbers, text};
use crate::hash::hash;

/// Numbers that an acquisition is made with: to the thousandth, so that they may be written in several ways.
const SETTINGS: [Tag; 4] = [tags::ECHO_TIME, tags::FLIP_ANGLE, tags::KVP, tags::DIFFUSION_B_VALUE];

/// The kind of a file: its sort of pixels and of image, and how it was acquired.
pub(super) fn of_file(object: &DataSet) -> u64 {
    let texts = [
        tags::IMAGE_TYPE,
        tags::PHOTOMETRIC_INTERPRETATION,
        tags::ECHO_NUMBERS,
        tags::COMPLEX_IMAGE_COMPONENT,
        tags::CONVOLUTION_KERNEL,
        tags::RECEIVE_COIL_NAME,
    ];
    let sizes = [tags::ROWS, tags::COLUMNS, tags::SAMPLES_PER_PIXEL, tags::BITS_ALLOCATED];
    let numbers = sizes.iter().chain(&SETTINGS).map(|&tag| thousandths(object, tag));
    let mut parts: Vec<Option<String>> = texts.iter().map(|&tag| text(object, tag)).chain(numbers).collect();
    parts.push(private_b_value(object).map(|value| format!("{value:.0}")));
    // GE: magnitude, phase, real or imaginary.
    parts.push(private(object, Tag(0x0043, 0x102F), "GEMS_PARM_01").first().map(|value| format!("{value:.0}")));
    hash(&parts)
}

/// What the functional groups of a frame add (PS3.3 C.7.6.16.2, C.8.13.5); `group` finds the frame's group of a name.
pub(super) fn of_groups<'a>(group: impl Fn(Tag) -> Option<&'a DataSet>) -> [Option<String>; 11] {
    let text_in = |sequence, tag| group(sequence).and_then(|item| text(item, tag));
    let number_in = |sequence, tag| group(sequence).and_then(|item| thousandths(item, tag));
    [
        text_in(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::FRAME_TYPE)
            .or_else(|| text_in(tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, tags::FRAME_TYPE)),
        text_in(tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::COMPLEX_IMAGE_COMPONENT),
        number_in(tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME),
        number_in(tags::MR_DIFFUSION_SEQUENCE, tags::DIFFUSION_B_VALUE),
        text_in(tags::MR_DIFFUSION_SEQUENCE, tags::DIFFUSION_DIRECTIONALITY),
        number_in(tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE, tags::FLIP_ANGLE),
        group(tags::MR_VELOCITY_ENCODING_SEQUENCE)
            .map(|velocity| format!("{:?}", numbers(velocity, tags::VELOCITY_ENCODING_DIRECTION))),
        number_in(tags::CTX_RAY_DETAILS_SEQUENCE, tags::KVP),
        text_in(tags::CT_RECONSTRUCTION_SEQUENCE, tags::CONVOLUTION_KERNEL),
        text_in(tags::SEGMENT_IDENTIFICATION_SEQUENCE, tags::REFERENCED_SEGMENT_NUMBER),
        text_in(tags::FRAME_CONTENT_SEQUENCE, tags::STACK_ID),
    ]
}

/// What the vectors of an object without functional groups say of a frame but for slice and time: energies, detectors,
/// angles, pages, the table's and the tube's place (PS3.3 C.8.4.8, C.8.6.2, C.8.7.5).
pub(super) fn of_vectors(object: &DataSet, frames: u32) -> Vec<Vec<Option<String>>> {
    const VECTORS: [Tag; 13] = [
        tags::ENERGY_WINDOW_VECTOR,
        tags::DETECTOR_VECTOR,
        tags::ROTATION_VECTOR,
        tags::RR_INTERVAL_VECTOR,
        tags::ANGULAR_VIEW_VECTOR,
        tags::PAGE_NUMBER_VECTOR,
        tags::FRAME_PRIMARY_ANGLE_VECTOR,
        tags::FRAME_SECONDARY_ANGLE_VECTOR,
        tags::POSITIONER_PRIMARY_ANGLE_INCREMENT,
        tags::POSITIONER_SECONDARY_ANGLE_INCREMENT,
        tags::TABLE_VERTICAL_INCREMENT,
        tags::TABLE_LONGITUDINAL_INCREMENT,
        tags::TABLE_LATERAL_INCREMENT,
    ];
    let vectors: Vec<Vec<f64>> = VECTORS.iter().map(|&tag| numbers(object, tag)).collect();
    let known: Vec<&Vec<f64>> = vectors.iter().filter(|values| values.len() == frames as usize).collect();
    let of_frame = |frame| known.iter().map(|values| Some(format!("{:?}", values[frame]))).collect();
    (0..frames as usize).map(of_frame).collect()
}

fn thousandths(object: &DataSet, tag: Tag) -> Option<String> {
    number(object, tag).map(|number| format!("{number:.3}"))
}

/// The b-value where no standard attribute has it: Siemens, GE (with other numbers added to it), Philips, United
/// Imaging; else the name of Siemens's sequence, as `*ep_b1000#12`, since private attributes are often removed.
fn private_b_value(object: &DataSet) -> Option<f64> {
    const PLACES: [(Tag, &str); 4] = [
        (Tag(0x0019, 0x100C), "SIEMENS MR HEADER"),
        (Tag(0x0043, 0x1039), "GEMS_PARM_01"),
        (Tag(0x2001, 0x1003), "Philips Imaging DD 001"),
        (Tag(0x0065, 0x1009), "Image Private Header"),
    ];
    let value = PLACES.iter().find_map(|&(tag, creator)| private(object, tag, creator).first().copied());
    value.map(|value| value % 1e6).or_else(|| {
        let name = text(object, tags::SEQUENCE_NAME)?;
        let digits: String = name.split_once("_b")?.1.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

/// The numbers of a private attribute, where its block is the creator's.
fn private(object: &DataSet, tag: Tag, creator: &str) -> Vec<f64> {
    let block = Tag(tag.group(), tag.element() >> 8);
    match text(object, block) {
        Some(said) if said.eq_ignore_ascii_case(creator) => numbers(object, tag),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    /// The kind of a file with an echo time and one attribute more.
    fn kind(tag: Tag, vr: VR, value: &str) -> u64 {
        let texts = [
            (tags::ECHO_TIME, VR::DS, "2.072"),
            (Tag(0x0019, 0x0010), VR::LO, "SIEMENS MR HEADER"),
            (Tag(0x0043, 0x0010), VR::LO, "GEMS_PARM_01"),
            (tag, vr, value),
        ];
        let element = |(tag, vr, value)| DataElement::new(tag, vr, PrimitiveValue::from(value));
        of_file(&DataSet::from_element_iter(texts.map(element)))
    }

    #[test]
    fn what_differs_other_than_in_time_is_another_kind() {
        for (tag, vr, a, b) in [
            (tags::ECHO_TIME, VR::DS, "2.1", "4.2"),
            (tags::FLIP_ANGLE, VR::DS, "5", "10"),
            (tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M", "ORIGINAL\\PRIMARY\\P"),
            (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB", "YBR_FULL"),
            (tags::SAMPLES_PER_PIXEL, VR::IS, "1", "3"),
            (tags::DIFFUSION_B_VALUE, VR::DS, "0", "1000"),
            (Tag(0x0019, 0x100C), VR::IS, "0", "1000"),
            (Tag(0x0043, 0x1039), VR::IS, "1000000050\\8\\0\\0", "1000000800\\8\\0\\0"),
            (Tag(0x0043, 0x102F), VR::IS, "0", "1"),
            (tags::SEQUENCE_NAME, VR::SH, "*ep_b0", "*ep_b1000#3"),
        ] {
            assert_ne!(kind(tag, vr, a), kind(tag, vr, b), "{tag}");
        }
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written_and_a_direction_is_no_b_value() {
        assert_eq!(kind(tags::ECHO_TIME, VR::DS, "2.0720"), kind(tags::ECHO_TIME, VR::DS, "+2.072"));
        assert_eq!(kind(tags::SEQUENCE_NAME, VR::SH, "*ep_b700#1"), kind(tags::SEQUENCE_NAME, VR::SH, "*ep_b700#12"));
        // An attribute of that number in another maker's block.
        assert_eq!(kind(Tag(0x2001, 0x1003), VR::DS, "1"), kind(Tag(0x2001, 0x1003), VR::DS, "2"));
    }
}

//! What the attributes of the pixels come to: plain numbers, or a reject where one cannot be what it says (PS3.3
//! C.7.6.3); and by which codec compressed pixels are read, where the file says another.

use dicom_core::value::{PixelFragmentSequence, Value};
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::Tag;

use super::decode;
use super::stream::BIG_ENDIAN;
use super::values::{DataSet, number, numbers};
use crate::reject::Reject;

/// Attributes without which a picture would have another shape or other levels, and what they may be.
const ATTRIBUTES: [(Tag, &str, f64); 9] = [
    (tags::SAMPLES_PER_PIXEL, "SamplesPerPixel", 65_535.0),
    (tags::PLANAR_CONFIGURATION, "PlanarConfiguration", 65_535.0),
    (tags::ROWS, "Rows", 65_535.0),
    (tags::COLUMNS, "Columns", 65_535.0),
    (tags::BITS_ALLOCATED, "BitsAllocated", 65_535.0),
    (tags::BITS_STORED, "BitsStored", 65_535.0),
    (tags::HIGH_BIT, "HighBit", 65_535.0),
    (tags::PIXEL_REPRESENTATION, "PixelRepresentation", 1.0),
    (tags::NUMBER_OF_FRAMES, "NumberOfFrames", 2_147_483_647.0),
];

/// Makes each attribute of the pixels a number of its own kind, however it was written.
pub(super) fn attributes(set: &mut DataSet) -> Result<(), Reject> {
    for (tag, name, most) in ATTRIBUTES {
        let Some(element) = set.get(tag) else { continue };
        if element.value().to_str().is_ok_and(|text| text.trim_matches([' ', '\0']).is_empty()) {
            set.remove_element(tag);
            continue;
        }
        let words = matches!(element.value().primitive(), Some(PrimitiveValue::Str(_) | PrimitiveValue::Strs(_)));
        let digits = |text: &str| text.trim_matches([' ', '\0']).parse::<u32>().is_ok();
        if tag == tags::NUMBER_OF_FRAMES && words && !element.value().to_str().is_ok_and(|text| digits(&text)) {
            // `1A` begins with a number and is none: the length of the pixels tells.
            continue;
        }
        let values = numbers(set, tag);
        let single = values.first().filter(|_| values[1..].iter().all(|&more| more == 0.0));
        let value = single.copied().filter(|value| (0.0..=most).contains(value) && value.fract() == 0.0);
        let Some(value) = value else {
            if tag == tags::NUMBER_OF_FRAMES {
                // The pixels tell.
                continue;
            }
            // Without its value: that may be anything.
            return Err(Reject::unreadable(format!("{name} is no number that it can be")));
        };
        let (vr, value) = if tag == tags::NUMBER_OF_FRAMES {
            (VR::IS, PrimitiveValue::from((value as u32).max(1).to_string()))
        } else {
            (VR::US, PrimitiveValue::from(value as u16))
        };
        set.put(DataElement::new(tag, vr, value));
    }
    Ok(())
}

/// Bytes of all frames without compression, as the attributes say; none where these do not.
pub(super) fn native_bytes(set: &DataSet) -> Option<u64> {
    let of = |tag| number(set, tag).filter(|value| *value >= 0.0).map(|value| value as u64);
    let samples = of(tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    let frames = of(tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1);
    let pixels = of(tags::ROWS)?.checked_mul(of(tags::COLUMNS)?)?;
    let bits = pixels.checked_mul(samples)?.checked_mul(of(tags::BITS_ALLOCATED)?)?.checked_mul(frames)?;
    Some(bits.div_ceil(8))
}

/// Settles by which syntax the pixels are read, and takes plain ones out of fragments.
pub(super) fn pixels(set: &mut DataSet, syntax: &mut String) -> Result<(), Reject> {
    let Some(element) = set.take(tags::PIXEL_DATA) else { return Ok(()) };
    let vr = element.vr();
    let value = match element.into_value() {
        Value::PixelSequence(pixels) => {
            let found = pixels.fragments().first().and_then(|first| codec(first));
            let rle = pixels.fragments().first().is_some_and(|first| is_rle(first));
            match found {
                Some(found) if family(found) != family(syntax) => found.clone_into(syntax),
                None if rle && is_plain(syntax) => uids::RLE_LOSSLESS.clone_into(syntax),
                None if is_plain(syntax) => {
                    let bytes = joined(set, pixels.fragments());
                    let plain = decode::pixels(bytes, None, syntax == BIG_ENDIAN);
                    if syntax.ends_with(".98") {
                        uids::EXPLICIT_VR_LITTLE_ENDIAN.clone_into(syntax);
                    }
                    set.put(DataElement::new(tags::PIXEL_DATA, VR::OW, plain));
                    return Ok(());
                }
                _ => {}
            }
            Value::PixelSequence(pixels)
        }
        Value::Primitive(PrimitiveValue::U8(bytes)) => {
            let native = native_bytes(set).map(|wanted| wanted.next_multiple_of(2));
            let compressed = codec(&bytes).filter(|_| native != Some(bytes.len() as u64));
            if let Some(found) = compressed {
                // One compressed frame, without the items around it.
                if family(found) != family(syntax) {
                    found.clone_into(syntax);
                }
                Value::PixelSequence(PixelFragmentSequence::new_fragments(vec![bytes.into_vec()]))
            } else if syntax.starts_with("1.2.") && !syntax.starts_with(STANDARD) {
                return Err(Reject::unsupported("plain pixels in a transfer syntax of a vendor's own"));
            } else {
                Value::Primitive(PrimitiveValue::U8(bytes))
            }
        }
        other => other,
    };
    set.put(DataElement::new(tags::PIXEL_DATA, vr, value));
    Ok(())
}

/// The root of all transfer syntaxes of the standard (PS3.5 A).
const STANDARD: &str = "1.2.840.10008.1.2";

/// True for a syntax without compression, and for what is none.
fn is_plain(syntax: &str) -> bool {
    match syntax.strip_prefix(STANDARD) {
        Some(kind) => matches!(kind, "" | ".1" | ".2" | ".1.98" | ".1.99"),
        None => true,
    }
}

/// Plain pixels that lie in fragments (PS3.5 A.4.11): frame after frame, without what makes each even.
fn joined(set: &DataSet, fragments: &[Vec<u8>]) -> Vec<u8> {
    let frames = number(set, tags::NUMBER_OF_FRAMES).unwrap_or(1.0).max(1.0) as u64;
    let frame = native_bytes(set).map(|bytes| bytes / frames).and_then(|bytes| usize::try_from(bytes).ok());
    let mut bytes = Vec::new();
    for fragment in fragments {
        let padded = frame.filter(|&frame| fragments.len() as u64 == frames && fragment.len() == frame + 1);
        bytes.extend(&fragment[..padded.unwrap_or(fragment.len())]);
    }
    bytes
}

/// What the decoder of a syntax reads: those of one family tell for themselves which one it is.
fn family(syntax: &str) -> &str {
    match syntax.strip_prefix(STANDARD).unwrap_or_default() {
        ".4.50" | ".4.51" | ".4.53" | ".4.55" | ".4.57" | ".4.70" => "JPEG",
        ".4.80" | ".4.81" => "JPEG-LS",
        ".4.90" | ".4.91" | ".4.92" | ".4.93" | ".4.201" | ".4.202" | ".4.203" => "JPEG 2000",
        _ => syntax,
    }
}

/// The syntax of a compressed frame, by how it starts; none where it is of none that shows.
fn codec(frame: &[u8]) -> Option<&'static str> {
    if frame.starts_with(&[0xff, 0x4f, 0xff, 0x51]) || frame.starts_with(b"\0\0\0\x0cjP  ") {
        return Some(uids::JPEG2000);
    }
    if !frame.starts_with(&[0xff, 0xd8, 0xff]) {
        return None;
    }
    let mut at = 2;
    loop {
        let marker = frame.get(at..at + 4)?;
        match (marker[0], marker[1]) {
            (0xff, 0xff) => at += 1, // fill bytes
            // The start of frame (ITU-T T.81 B.1.1.3, T.87 C.1.1).
            (0xff, 0xc0) => return Some(uids::JPEG_BASELINE8_BIT),
            (0xff, 0xc1 | 0xc2) => return Some(uids::JPEG_EXTENDED12_BIT),
            (0xff, 0xc3) => return Some(uids::JPEG_LOSSLESS_SV1),
            (0xff, 0xf7) => return Some(uids::JPEGLS_LOSSLESS),
            (0xff, _) => at += 2 + usize::from(u16::from_be_bytes([marker[2], marker[3]])),
            _ => return None,
        }
    }
}

/// True for the header of RLE (PS3.5 G.5): up to 15 segments, the first of them behind it.
fn is_rle(frame: &[u8]) -> bool {
    frame.len() > 64 && (1..=15).contains(&frame[0]) && frame[1..8] == [0, 0, 0, 64, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_frame_shows_its_codec() {
        assert_eq!(codec(&[0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc3, 0, 17]), Some(uids::JPEG_LOSSLESS_SV1));
        assert_eq!(codec(&[0xff, 0xd8, 0xff, 0xff, 0xf7, 0, 17]), Some(uids::JPEGLS_LOSSLESS));
        assert_eq!(codec(&[0xff, 0xd8, 0xff, 0xe0, 0, 4]), None);
        assert_eq!(family(uids::JPEG_BASELINE8_BIT), family(uids::JPEG_LOSSLESS_SV1));
        assert!(is_plain("") && is_plain(BIG_ENDIAN) && !is_plain(uids::RLE_LOSSLESS));
    }

    #[test]
    fn numbers_that_no_image_has_are_refused() {
        let of = |tag, value: &str| {
            let mut set = DataSet::new_empty();
            set.put(DataElement::new(tag, VR::UT, PrimitiveValue::from(value)));
            attributes(&mut set).map(|()| number(&set, tag))
        };
        assert_eq!(of(tags::ROWS, " 512 "), Ok(Some(512.0)));
        assert_eq!(of(tags::ROWS, ""), Ok(None));
        for (tag, value) in [
            (tags::ROWS, "2239781237"),
            (tags::ROWS, "65536"),
            (tags::COLUMNS, "-1"),
            (tags::COLUMNS, "1,5"),
            (tags::COLUMNS, "many"),
            (tags::PIXEL_REPRESENTATION, "2"),
        ] {
            assert!(of(tag, value).is_err(), "{value}");
        }
    }
}

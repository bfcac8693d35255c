//! An element's bytes as a value, of the kind (VR) that it should have (PS3.5 6.2).
//!
//! Archives are full of elements whose kind is written as UN, or wrong: what the dictionary says of a known tag then
//! counts (CP-246).

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::value::C;
use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};
use dicom_object::{StandardDataDictionary, Tag};

/// What elements before this one say of how it is read.
#[derive(Default)]
pub(super) struct Context {
    /// SpecificCharacterSet (0008,0005).
    charset: SpecificCharacterSet,
    /// PixelRepresentation (0028,0103) is 1: numbers of the kind "US or SS" are signed.
    signed: bool,
}

/// What the dictionary says of a tag. To ask it takes longer than to read most values: once an element is enough.
pub(super) fn known(tag: Tag) -> Option<VirtualVr> {
    StandardDataDictionary.by_tag(tag).map(|entry| entry.vr())
}

/// The kind of an element: the one that is written, or the dictionary's where that is none or bytes only.
pub(super) fn kind(known: Option<VirtualVr>, written: Option<VR>) -> VR {
    let known = known.map(VirtualVr::relaxed);
    match written {
        Some(vr) if !matches!(vr, VR::UN | VR::OB | VR::OW) => vr,
        Some(bytes @ (VR::OB | VR::OW)) => known.filter(|known| *known != VR::SQ && !is_bytes(*known)).unwrap_or(bytes),
        _ => known.unwrap_or(VR::UN),
    }
}

fn is_bytes(vr: VR) -> bool {
    matches!(vr, VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN)
}

/// Bytes of one value of a kind that is written in numbers, else 1.
fn size(vr: VR) -> usize {
    match vr {
        VR::US | VR::SS | VR::OW => 2,
        VR::UL | VR::SL | VR::FL | VR::AT | VR::OF | VR::OL => 4,
        VR::FD | VR::SV | VR::UV | VR::OD | VR::OV => 8,
        _ => 1,
    }
}

/// Turns the words of a value round, from big to little endian.
pub(super) fn swap(bytes: &mut [u8], vr: VR) {
    // A tag is two words.
    let size = if vr == VR::AT { 2 } else { size(vr) };
    if size > 1 {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
}

/// Plain pixels as they are handed on: bytes, or words where the file is big endian and writes them so. Whether these
/// are samples, halves or pairs of them is for the reader of pixels to say.
pub(super) fn pixels(bytes: Vec<u8>, written: Option<VR>, big: bool) -> PrimitiveValue {
    match written {
        Some(VR::OB | VR::UN) => PrimitiveValue::U8(bytes.into()),
        _ if big => PrimitiveValue::U16(words(&bytes, u16::from_be_bytes)),
        _ => PrimitiveValue::U8(bytes.into()),
    }
}

impl Context {
    /// The value of an element whose bytes are little endian, and its kind; `entry` is what is [`known`] of the tag.
    pub fn value(
        &mut self,
        tag: Tag,
        entry: Option<VirtualVr>,
        written: Option<VR>,
        bytes: Vec<u8>,
    ) -> (VR, PrimitiveValue) {
        let mut vr = kind(entry, written);
        if self.signed && entry == Some(VirtualVr::Xs) {
            vr = VR::SS;
        }
        let known = entry.map(VirtualVr::relaxed);
        if let Some(known) = known.filter(|&known| size(known) > 1 && !is_bytes(known))
            && size(vr) == 1
            && !is_number(&bytes)
        {
            // A kind of text, and the bytes of a number.
            vr = known;
        }
        if !bytes.len().is_multiple_of(size(vr)) {
            vr = known.filter(|&known| bytes.len().is_multiple_of(size(known))).unwrap_or(VR::UN);
            if size(vr) == 1 {
                // A number that is shorter or longer than its kind.
                vr = match bytes.len() {
                    2 => VR::US,
                    4 => VR::UL,
                    _ => VR::UN,
                };
            }
        }
        let value = self.decoded(vr, bytes);
        match tag {
            tags::SPECIFIC_CHARACTER_SET => {
                let named = value.to_multi_str().first().and_then(|name| SpecificCharacterSet::from_code(name.trim()));
                self.charset = named.unwrap_or(std::mem::take(&mut self.charset));
            }
            tags::PIXEL_REPRESENTATION => self.signed = value.to_int::<i64>().is_ok_and(|number| number == 1),
            _ => {}
        }
        (vr, value)
    }

    fn decoded(&self, vr: VR, bytes: Vec<u8>) -> PrimitiveValue {
        use PrimitiveValue as Value;
        if bytes.is_empty() {
            return Value::Empty;
        }
        match vr {
            VR::US => Value::U16(words(&bytes, u16::from_le_bytes)),
            VR::SS => Value::I16(words(&bytes, i16::from_le_bytes)),
            VR::UL => Value::U32(words(&bytes, u32::from_le_bytes)),
            VR::SL => Value::I32(words(&bytes, i32::from_le_bytes)),
            VR::UV => Value::U64(words(&bytes, u64::from_le_bytes)),
            VR::SV => Value::I64(words(&bytes, i64::from_le_bytes)),
            VR::FL | VR::OF => Value::F32(words(&bytes, f32::from_le_bytes)),
            VR::FD | VR::OD => Value::F64(words(&bytes, f64::from_le_bytes)),
            VR::UT | VR::ST | VR::LT | VR::UR => Value::Str(self.text(vr, &bytes)),
            VR::OB | VR::OW | VR::OL | VR::OV | VR::UN | VR::SQ => Value::U8(bytes.into()),
            VR::AT => Value::Tags(words(&bytes, |[a, b, c, d]: [u8; 4]| {
                Tag(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
            })),
            _ => Value::Strs(bytes.split(|&byte| byte == b'\\').map(|part| self.text(vr, part)).collect()),
        }
    }

    /// A text in its character set; byte by byte where the kind has none, or where it does not hold.
    fn text(&self, vr: VR, bytes: &[u8]) -> String {
        // The same in every character set, but for escapes to another and the tilde of Japanese ones.
        if let Ok(text) = std::str::from_utf8(bytes)
            && bytes.iter().all(|byte| byte.is_ascii() && !matches!(byte, 0x1b | b'~'))
        {
            return text.to_owned();
        }
        let has_charset = !matches!(vr, VR::AE | VR::AS | VR::CS | VR::UI | VR::UR | VR::DS | VR::IS);
        let decoded = if has_charset { self.charset.decode(bytes).ok() } else { None };
        decoded.unwrap_or_else(|| bytes.iter().copied().map(char::from).collect())
    }
}

fn words<T, const N: usize>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> C<T> {
    bytes.as_chunks().0.iter().map(|&word| from(word)).collect()
}

/// True for the text of a number, or of nothing.
fn is_number(bytes: &[u8]) -> bool {
    // No zero byte, though many pad with it: 48 as a word is "0" and such a byte.
    bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b',' | b'+' | b'-' | b'e' | b'E' | b' ' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(context: &mut Context, tag: Tag, written: Option<VR>, bytes: Vec<u8>) -> (VR, PrimitiveValue) {
        context.value(tag, known(tag), written, bytes)
    }

    fn number(tag: Tag, written: Option<VR>, bytes: &[u8]) -> Option<f64> {
        value(&mut Context::default(), tag, written, bytes.to_vec()).1.to_float64().ok()
    }

    #[test]
    fn known_attributes_are_read_as_the_dictionary_says() {
        for written in [None, Some(VR::UN), Some(VR::OB), Some(VR::US), Some(VR::LO), Some(VR::UT), Some(VR::UL)] {
            assert_eq!(number(tags::ROWS, written, &[0x2c, 1]), Some(300.0), "{written:?}");
        }
        assert_eq!(number(tags::ROWS, Some(VR::UL), &[0x2c, 1, 0, 0]), Some(300.0));
        assert_eq!(number(tags::ROWS, Some(VR::IS), b"300 "), Some(300.0));
        assert_eq!(value(&mut Context::default(), tags::ROWS, Some(VR::US), b"abc".to_vec()).0, VR::UN);
        assert_eq!(number(tags::SLICE_LOCATION, Some(VR::UN), b"-2.50"), Some(-2.5));
        assert_eq!(number(tags::SLICE_LOCATION, Some(VR::FD), &2.5_f64.to_le_bytes()), Some(2.5));
    }

    #[test]
    fn signed_pixels_make_numbers_of_either_kind_signed() {
        let mut context = Context::default();
        value(&mut context, tags::PIXEL_REPRESENTATION, Some(VR::UN), vec![1, 0]);
        let (vr, padding) = value(&mut context, tags::PIXEL_PADDING_VALUE, None, vec![0x30, 0xf8]);
        assert_eq!((vr, padding.to_int::<i32>().ok()), (VR::SS, Some(-2000)));
    }

    #[test]
    fn texts_are_in_their_character_set() {
        let mut context = Context::default();
        value(&mut context, tags::SPECIFIC_CHARACTER_SET, Some(VR::CS), b"ISO_IR 192".to_vec());
        let text = |context: &mut Context, bytes: &[u8]| {
            value(context, tags::SERIES_DESCRIPTION, Some(VR::UN), bytes.to_vec()).1.to_str().into_owned()
        };
        assert_eq!(
            (text(&mut context, "Längs ".as_bytes()), text(&mut context, b"cine")),
            ("Längs".into(), "cine".into())
        );
        // Seven-bit bytes that are no ASCII (PS3.3 C.12.1.1.2): an escape to Kanji.
        value(&mut context, tags::SPECIFIC_CHARACTER_SET, Some(VR::CS), b"ISO 2022 IR 87".to_vec());
        assert_eq!(text(&mut context, b"\x1b$B;3ED\x1b(B"), "山田");
    }
}

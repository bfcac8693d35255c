//! Attribute values as Rust types; what is absent, empty or malformed is `None`.

use dicom_core::PrimitiveValue;
use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, StandardDataDictionary, Tag};

/// A data set in memory.
pub(super) type DataSet = InMemDicomObject<StandardDataDictionary>;

/// The text of an attribute without padding; several values stay joined by `\`.
pub(super) fn text(object: &DataSet, tag: Tag) -> Option<String> {
    let text = object.get(tag)?.to_str().ok()?;
    let trimmed = text.trim_matches([' ', '\0']);
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// All numbers of an attribute, whatever its kind; empty where one of them is malformed.
pub(super) fn numbers(object: &DataSet, tag: Tag) -> Vec<f64> {
    let Some(value) = object.get(tag).and_then(|element| element.value().primitive()) else { return Vec::new() };
    let numbers: Option<Vec<f64>> = match value {
        // Kinds of long text have a single value, in which numbers are separated all the same.
        PrimitiveValue::Str(_) | PrimitiveValue::Strs(_) => {
            value.to_str().trim_end_matches([' ', '\0']).split('\\').map(parsed).collect()
        }
        // Bytes of an unknown kind are no numbers.
        PrimitiveValue::U8(_) => None,
        _ => value.to_multi_float64().ok(),
    };
    numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite())).unwrap_or_default()
}

/// A number as text, with what some writers put around it: other padding, quotes, a unit; or with a decimal comma.
fn parsed(text: &str) -> Option<f64> {
    let number = text.trim_start_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '+' | '-' | '.' | ','));
    let number = number.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.');
    if let Ok(number) = number.parse() {
        return Some(number);
    }
    // Of "1,234.5" nobody knows what the comma is.
    let commas = number.matches(',').count();
    if commas == 1 && !number.contains('.') { number.replace(',', ".").parse().ok() } else { None }
}

/// The first number of an attribute.
pub(super) fn number(object: &DataSet, tag: Tag) -> Option<f64> {
    numbers(object, tag).first().copied()
}

/// A count, at least 0.
pub(super) fn count(object: &DataSet, tag: Tag) -> Option<u32> {
    let number = number(object, tag)?;
    ((0.0..=f64::from(u32::MAX)).contains(&number) && number.fract() == 0.0).then_some(number as u32)
}

/// Exactly `N` numbers.
pub(super) fn vector<const N: usize>(object: &DataSet, tag: Tag) -> Option<[f64; N]> {
    numbers(object, tag).try_into().ok()
}

/// The first item of a sequence.
pub(super) fn item(object: &DataSet, tag: Tag) -> Option<&DataSet> {
    items(object, tag).first()
}

/// The items of a sequence.
pub(super) fn items(object: &DataSet, tag: Tag) -> &[DataSet] {
    object.get(tag).and_then(|element| element.value().items()).unwrap_or_default()
}

/// The functional group of a frame: its own, else the shared one.
pub(super) fn functional_group(object: &DataSet, frame: u32, tag: Tag) -> Option<&DataSet> {
    let own = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(frame as usize);
    own.and_then(|own| item(own, tag))
        .or_else(|| item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).and_then(|shared| item(shared, tag)))
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, VR};

    use super::*;

    #[test]
    fn numbers_are_read_whatever_their_kind_and_what_is_around_them() {
        let read = |vr, value: PrimitiveValue| {
            let mut set = DataSet::new_empty();
            set.put(DataElement::new(tags::PIXEL_SPACING, vr, value));
            numbers(&set, tags::PIXEL_SPACING)
        };
        for text in ["1.5\\-2", " 1.5 \\ -2\0", "1,5\\-2", "\"1.5\"\\-2\n", "1.5mm\\-2 mm", "+1.50\\-2.0e0", "1.5\\-2."]
        {
            for vr in [VR::DS, VR::UT, VR::LO, VR::UN] {
                assert_eq!(read(vr, PrimitiveValue::from(text)), [1.5, -2.0], "{text:?}");
            }
        }
        assert_eq!(read(VR::FD, PrimitiveValue::from([1.5, -2.0])), [1.5, -2.0]);
        for text in ["", "1.5\\", "1,234.5\\2", "1,2,3", "1.5-2", "0x10", "A12", "nan", "inf", "1 2"] {
            assert!(read(VR::DS, PrimitiveValue::from(text)).is_empty(), "{text:?}");
        }
    }
}

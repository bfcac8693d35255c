//! Attribute values as Rust types; what is absent, empty or malformed is `None`.

use dicom_object::{InMemDicomObject, StandardDataDictionary, Tag};

/// A data set in memory.
pub(super) type DataSet = InMemDicomObject<StandardDataDictionary>;

/// The text of an attribute without padding; several values stay joined by `\`.
pub(super) fn text(object: &DataSet, tag: Tag) -> Option<String> {
    let text = object.get(tag)?.to_str().ok()?;
    let trimmed = text.trim_matches([' ', '\0']);
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// All numbers of an attribute; empty where one of them is malformed.
pub(super) fn numbers(object: &DataSet, tag: Tag) -> Vec<f64> {
    let Some(element) = object.get(tag) else { return Vec::new() };
    let numbers = element.to_multi_float64().unwrap_or_default();
    if numbers.iter().all(|number| number.is_finite()) { numbers } else { Vec::new() }
}

/// The first number of an attribute.
pub(super) fn number(object: &DataSet, tag: Tag) -> Option<f64> {
    numbers(object, tag).first().copied()
}

/// A count, at least 0.
pub(super) fn count(object: &DataSet, tag: Tag) -> Option<u32> {
    let number = number(object, tag)?;
    (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
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

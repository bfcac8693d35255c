//! Content items of structured reports (PS3.3 C.17.3) and the codes in them.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, Tag};

/// A data set.
pub(crate) type Object = InMemDicomObject;

/// A coded concept (PS3.3 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    /// CodeValue (0008,0100), 16 characters at most.
    pub value: String,
    /// CodingSchemeDesignator (0008,0102).
    pub scheme: String,
    /// CodeMeaning (0008,0104).
    pub meaning: String,
}

impl Code {
    pub fn new(value: &str, scheme: &str, meaning: &str) -> Self {
        Self { value: value.to_owned(), scheme: scheme.to_owned(), meaning: meaning.to_owned() }
    }

    fn object(&self) -> Object {
        let mut object = Object::new_empty();
        put(&mut object, tags::CODE_VALUE, VR::SH, &self.value);
        put(&mut object, tags::CODING_SCHEME_DESIGNATOR, VR::SH, &self.scheme);
        put(&mut object, tags::CODE_MEANING, VR::LO, &self.meaning);
        object
    }
}

/// A code of DICOM itself (PS3.16 D).
pub(crate) fn dcm(value: &str, meaning: &str) -> Code {
    Code::new(value, "DCM", meaning)
}

/// Sets a text.
pub(crate) fn put(object: &mut Object, tag: Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

/// Sets a sequence.
pub(crate) fn sequence(object: &mut Object, tag: Tag, items: Vec<Object>) {
    object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
}

/// An item of a kind in a relation to the one around it; no relation: the root.
fn item(relation: Option<&str>, kind: &str, concept: &Code) -> Object {
    let mut object = Object::new_empty();
    if let Some(relation) = relation {
        put(&mut object, tags::RELATIONSHIP_TYPE, VR::CS, relation);
    }
    put(&mut object, tags::VALUE_TYPE, VR::CS, kind);
    sequence(&mut object, tags::CONCEPT_NAME_CODE_SEQUENCE, vec![concept.object()]);
    object
}

/// What an item says of the one around it (PS3.3 C.17.3.2.4).
pub(crate) const MODIFIES: &str = "HAS CONCEPT MOD";
/// Of what the content is.
pub(crate) const CONTEXT: &str = "HAS OBS CONTEXT";
/// A part of it.
pub(crate) const CONTAINS: &str = "CONTAINS";

/// A container of items, by a template where it has one of its own.
pub(crate) fn container(relation: Option<&str>, concept: &Code, template: Option<&str>, items: Vec<Object>) -> Object {
    let mut object = item(relation, "CONTAINER", concept);
    put(&mut object, tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
    if let Some(number) = template {
        let mut template = Object::new_empty();
        put(&mut template, tags::MAPPING_RESOURCE, VR::CS, "DCMR");
        put(&mut template, tags::TEMPLATE_IDENTIFIER, VR::CS, number);
        sequence(&mut object, tags::CONTENT_TEMPLATE_SEQUENCE, vec![template]);
    }
    sequence(&mut object, tags::CONTENT_SEQUENCE, items);
    object
}

/// A code for a concept.
pub(crate) fn coded(relation: &str, concept: &Code, value: &Code) -> Object {
    let mut object = item(Some(relation), "CODE", concept);
    sequence(&mut object, tags::CONCEPT_CODE_SEQUENCE, vec![value.object()]);
    object
}

/// A text for a concept.
pub(crate) fn text(relation: &str, concept: &Code, value: &str) -> Object {
    let mut object = item(Some(relation), "TEXT", concept);
    put(&mut object, tags::TEXT_VALUE, VR::UT, value);
    object
}

/// A UID for a concept.
pub(crate) fn uid(relation: &str, concept: &Code, value: &str) -> Object {
    let mut object = item(Some(relation), "UIDREF", concept);
    put(&mut object, tags::UID, VR::UI, value);
    object
}

/// A number with its unit (UCUM).
pub(crate) fn number(relation: &str, concept: &Code, value: f64, unit: &Code) -> Object {
    let mut measured = Object::new_empty();
    sequence(&mut measured, tags::MEASUREMENT_UNITS_CODE_SEQUENCE, vec![unit.object()]);
    put(&mut measured, tags::NUMERIC_VALUE, VR::DS, &format!("{value:.2}"));
    let mut object = item(Some(relation), "NUM", concept);
    sequence(&mut object, tags::MEASURED_VALUE_SEQUENCE, vec![measured]);
    object
}

/// A reference to an image.
pub(crate) fn image(relation: &str, concept: &Code, class: &str, instance: &str) -> Object {
    let mut object = item(Some(relation), "IMAGE", concept);
    sequence(&mut object, tags::REFERENCED_SOP_SEQUENCE, vec![reference(class, instance)]);
    object
}

/// SOP class and instance of an object.
pub(crate) fn reference(class: &str, instance: &str) -> Object {
    let mut object = Object::new_empty();
    put(&mut object, tags::REFERENCED_SOP_CLASS_UID, VR::UI, class);
    put(&mut object, tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, instance);
    object
}

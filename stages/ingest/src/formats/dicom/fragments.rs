//! Pixels of undefined length: fragments of compressed frames (PS3.5 A.4), or plain pixels whose end is not said.

use dicom_core::value::{PixelFragmentSequence, Value};
use dicom_object::mem::InMemFragment;

use super::decode;
use super::form::{Element, Form, ITEM, SEQUENCE_END, UNDEFINED, tag};
use super::settle;
use super::stream::{Stream, truncated};
use super::values::DataSet;
use crate::reject::Reject;

/// Reads what follows a PixelData of undefined length.
pub(super) fn read(stream: &mut Stream, form: Form, set: &DataSet) -> Result<Value<DataSet, InMemFragment>, Reject> {
    let first = tag(stream.peek(8)?, form.big);
    if !matches!(first, Some(ITEM | SEQUENCE_END)) {
        return plain(stream, form, set);
    }
    let (mut table, mut fragments) = (Vec::new(), Vec::new());
    let mut number = 0;
    while let Some(length) = next(stream, form)? {
        let bytes = stream.take(length.into())?;
        number += 1;
        if number == 1 && is_offset_table(&bytes) {
            table = bytes.as_chunks().0.iter().map(|&four| u32::from_le_bytes(four)).collect();
            if form.big {
                table.iter_mut().for_each(|offset: &mut u32| *offset = offset.swap_bytes());
            }
        } else {
            fragments.push(bytes);
        }
    }
    Ok(Value::PixelSequence(PixelFragmentSequence::new(table, fragments)))
}

/// The length of the next fragment, behind its header; none at the end, whether it is marked or not.
fn next(stream: &mut Stream, form: Form) -> Result<Option<u32>, Reject> {
    let marks = |head: &[u8]| matches!(tag(head, form.big), Some(ITEM | SEQUENCE_END));
    let head = stream.peek(9)?;
    if !marks(head) && head.get(1..).is_some_and(marks) {
        // The last fragment was padded, and the padding not counted.
        stream.skip(1)?;
    }
    let head = stream.peek(8)?;
    match Element::implicit(head, form.big) {
        Some(Element { tag: ITEM, length: UNDEFINED, .. }) => Err(Reject::unreadable("a fragment of undefined length")),
        Some(Element { tag: ITEM, length, .. }) => {
            stream.skip(8)?;
            Ok(Some(length))
        }
        // Cut off in the midst of an item's header.
        None if head.len() >= 4 && tag(head, form.big) == Some(ITEM) => Err(truncated()),
        _ => Ok(None),
    }
}

/// The first item is a table of where frames start, the first of them at 0; a few writers leave it out.
fn is_offset_table(bytes: &[u8]) -> bool {
    bytes.len().is_multiple_of(4) && bytes.iter().take(4).all(|&byte| byte == 0)
}

/// Plain pixels: as many bytes as the attributes say, and no more than are there.
fn plain(stream: &mut Stream, form: Form, set: &DataSet) -> Result<Value<DataSet, InMemFragment>, Reject> {
    let wanted = settle::native_bytes(set).ok_or_else(|| Reject::unreadable("pixels whose length nothing says"))?;
    stream.must_hold(wanted)?;
    Ok(Value::Primitive(decode::pixels(stream.take(wanted)?, None, form.big)))
}

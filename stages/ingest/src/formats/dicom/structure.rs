//! Reads a DICOM file's elements as they are found, not as the file says that they are: explicit and implicit VR in one
//! file, sequences of kind UN (CP-246), delimiters that are missing or too many, bytes after the pixels.
//!
//! No length may reach beyond the file or the sequence around it, sequences do not nest deep, a compressed data set may
//! not become longer than the memory limit, and what is no element ends the reading with an error, not with a guess.

use dicom_core::header::Length;
use dicom_core::value::{DataSetSequence, Value};
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{DefaultDicomObject, FileMetaTableBuilder, Tag};

use super::decode::{self, Context};
use super::form::{Element, Form, ITEM, ITEM_END, LONGEST, SEQUENCE_END, UNDEFINED, WINDOW, tag};
use super::fragments;
use super::settle;
use super::start::start;
use super::stream::{BIG_ENDIAN, Stream, truncated};
use super::values::DataSet;
use crate::place::Place;
use crate::reject::{Reason, Reject};

/// Sequences in sequences: real files stay below ten.
const DEEPEST: usize = 64;
/// Bytes of memory that an element takes besides its value.
const OVERHEAD: u64 = 200;
/// Values that the look at the header keeps: texts and numbers are shorter, tables and private data are not needed.
const KEPT: u32 = 1 << 16;
/// Any pixel data, of whatever kind, has this group number.
const PIXELS: u16 = 0x7FE0;

/// Reads a file, up to its pixels or with them; gives the number of bytes that it takes where it lies, too.
pub(super) fn read(place: &Place, limit: u64, whole: bool) -> Result<(DefaultDicomObject, u64), Reject> {
    let mut stream = Stream::open(place, limit)?;
    let (meta, mut form) = start(&mut stream)?;
    if meta.class == uids::MEDIA_STORAGE_DIRECTORY_STORAGE {
        return Err(Reject::new(Reason::NotAnImage, "a DICOMDIR: its files are read by themselves"));
    }
    let context = Context::default();
    let mut walk = Walk { stream, context, whole, limit, elements: 0, unclosed: false, padded: false };
    let mut object = walk.elements(None, &mut form, 0)?;
    if walk.unclosed || (walk.padded && object.get(tags::ROWS).is_some()) {
        return Err(Reject::new(Reason::Truncated, "ends before its pixels, inside a DICOM sequence or with zeros"));
    }
    settle::attributes(&mut object)?;
    // The order of bytes that was found, for whoever reads the pixels.
    let mut syntax = match (form.big, meta.syntax.as_str()) {
        (true, _) => BIG_ENDIAN.to_owned(),
        (false, BIG_ENDIAN) => uids::EXPLICIT_VR_LITTLE_ENDIAN.to_owned(),
        _ => meta.syntax,
    };
    if whole {
        walk.stream.check_end(place)?;
        settle::pixels(&mut object, &mut syntax)?;
    }
    let built = FileMetaTableBuilder::new()
        .transfer_syntax(syntax)
        .media_storage_sop_class_uid(meta.class)
        .media_storage_sop_instance_uid("")
        .build();
    let built = built.map_err(|_| Reject::unreadable("a file meta group that cannot be used"))?;
    Ok((object.with_exact_meta(built), walk.stream.stored))
}

struct Walk {
    stream: Stream,
    context: Context,
    whole: bool,
    limit: u64,
    elements: u64,
    /// The file ended inside an item or sequence.
    unclosed: bool,
    /// Zeros or the like came before the pixels.
    padded: bool,
}

impl Walk {
    /// The elements of the data set (depth 0) or of an item, which ends at a place or at its delimiter.
    fn elements(&mut self, end: Option<u64>, form: &mut Form, depth: usize) -> Result<DataSet, Reject> {
        if depth > 2 * DEEPEST {
            return Err(Reject::unreadable(format!("DICOM sequences nested deeper than {DEEPEST}")));
        }
        let mut set = DataSet::new_empty();
        loop {
            let left = self.left(end)?;
            let head = self.stream.peek(LONGEST)?;
            if left == 0 || is_padding(head) {
                self.padded |= depth == 0 && !head.is_empty();
                self.unclosed |= depth > 0 && end.is_none();
                return Ok(set);
            }
            let Some(next) = tag(head, form.big) else { return Err(truncated()) };
            match next {
                // One that closes nothing is passed over, as is the header of an item that is in no sequence.
                ITEM_END | SEQUENCE_END | ITEM if depth == 0 => self.stream.skip(self.stream.left().min(8))?,
                ITEM_END => {
                    self.stream.skip(8)?;
                    return Ok(set);
                }
                // The item's own end is missing.
                SEQUENCE_END | ITEM => return Ok(set),
                pixels if depth == 0 && pixels.0 >= PIXELS && !self.whole => return Ok(set),
                _ => {
                    let element = self.header(form, left)?;
                    self.element(element, end, form, depth, &mut set)?;
                    if depth == 0 && element.tag >= tags::PIXEL_DATA {
                        // What follows the pixels is of no use here, and often no DICOM.
                        return Ok(set);
                    }
                }
            }
        }
    }

    /// Bytes up to `end`, or up to the end of the file.
    fn left(&self, end: Option<u64>) -> Result<u64, Reject> {
        match end {
            None => Ok(self.stream.left()),
            Some(end) => end
                .checked_sub(self.stream.at)
                .ok_or_else(|| Reject::unreadable("a DICOM sequence that ends inside one of its elements")),
        }
    }

    /// Passes the header of an element; `form` follows it.
    fn header(&mut self, form: &mut Form, left: u64) -> Result<Element, Reject> {
        self.elements += 1;
        Reject::if_larger(self.elements * OVERHEAD, self.limit, "the elements of the file")?;
        let head = self.stream.peek(LONGEST)?;
        let certain = Element::certain(head, *form);
        let odd = |element: &Element| element.length % 2 == 1 && element.length != UNDEFINED;
        let mut element = match certain {
            Some(element) => element,
            None => {
                let window = self.stream.peek(WINDOW)?;
                let short = window.len() < 8;
                Element::likely(window, *form, left).ok_or_else(|| no_element(short, window, *form, left))?
            }
        };
        if odd(&element) && (element.length as usize) < WINDOW {
            // A value of odd length is padded to an even one; some do so without counting it.
            let after = element.header + element.length as usize;
            let window = self.stream.peek(after + 1 + LONGEST)?;
            let follows = |at: usize| {
                window
                    .get(at..)
                    .is_some_and(|next| element.is_followed_by(next, form.big, left.saturating_sub(at as u64)))
            };
            element.length += u32::from(!follows(after) && follows(after + 1));
        }
        form.explicit = element.explicit;
        self.stream.skip(element.header as u64)?;
        Ok(element)
    }

    /// Reads the value of an element into `set`.
    fn element(
        &mut self,
        element: Element,
        end: Option<u64>,
        form: &mut Form,
        depth: usize,
        set: &mut DataSet,
    ) -> Result<(), Reject> {
        let Element { tag, vr, length, .. } = element;
        if tag == tags::PIXEL_DATA && length == UNDEFINED {
            let value = fragments::read(&mut self.stream, *form, set)?;
            set.put(DataElement::new(tag, VR::OB, value));
            return Ok(());
        }
        let known = decode::known(tag);
        let kind = decode::kind(known, vr);
        if length == UNDEFINED {
            // What has items is a sequence; under UN it is written in implicit VR (CP-246), which `header` will see.
            let items = self.items(None, *form, depth + 1)?;
            self.put_items(tag, items, depth, set);
            return Ok(());
        }
        let bytes = u64::from(length);
        self.stream.must_hold(bytes)?;
        if bytes > self.left(end)? {
            return Err(Reject::unreadable("a DICOM sequence that ends inside one of its elements"));
        }
        let private = tag.0 % 2 == 1;
        if kind == VR::SQ && !private {
            let items = self.items(Some(self.stream.at + bytes), *form, depth + 1)?;
            self.put_items(tag, items, depth, set);
        } else if kind == VR::SQ || (!self.whole && length > KEPT) {
            self.stream.skip(bytes)?;
        } else {
            let mut value = self.stream.take(bytes)?;
            let (vr, value) = if tag == tags::PIXEL_DATA {
                (vr.unwrap_or(VR::OW), decode::pixels(value, vr, form.big))
            } else {
                if form.big && vr != Some(VR::UN) {
                    decode::swap(&mut value, kind);
                }
                self.context.value(tag, known, vr, value)
            };
            set.put(DataElement::new(tag, vr, value));
        }
        Ok(())
    }

    /// The items of a sequence, which ends at a place or at its delimiter.
    fn items(&mut self, end: Option<u64>, form: Form, depth: usize) -> Result<Vec<DataSet>, Reject> {
        let mut items = Vec::new();
        loop {
            let left = self.left(end)?;
            let head = self.stream.peek(LONGEST)?;
            if left == 0 || is_padding(head) {
                self.unclosed |= end.is_none();
                self.stream.skip(if end.is_some() { left } else { 0 })?;
                return Ok(items);
            }
            let header = Element::implicit(head, form.big).ok_or_else(truncated)?;
            match header.tag {
                ITEM => {
                    self.stream.skip(8)?;
                    let bytes = u64::from(header.length);
                    let defined = header.length != UNDEFINED;
                    if defined {
                        self.stream.must_hold(bytes)?;
                    }
                    let item_end = if defined { Some(self.stream.at + bytes) } else { None };
                    if item_end.zip(end).is_some_and(|(item, sequence)| item > sequence) {
                        return Err(Reject::unreadable("a DICOM sequence that ends inside one of its elements"));
                    }
                    self.elements += 1;
                    // Each item may be written in its own form.
                    items.push(self.elements(item_end.or(end), &mut form.clone(), depth + 1)?);
                    if let Some(item_end) = item_end {
                        let left = self.left(Some(item_end))?;
                        self.stream.skip(left)?;
                    }
                }
                SEQUENCE_END => {
                    self.stream.skip(8)?;
                    if end.is_some() {
                        let left = self.left(end)?;
                        self.stream.skip(left)?;
                    }
                    return Ok(items);
                }
                // Left over of an item whose length was given as well.
                ITEM_END => self.stream.skip(8)?,
                // The sequence's own end is missing.
                _ if end.is_none() && !items.is_empty() => return Ok(items),
                _ => return Err(Reject::unreadable("a DICOM sequence that holds something else than items")),
            }
        }
    }

    /// Puts a sequence where it belongs. Where the file ended in it, the delimiters of an item and the sequence are
    /// missing, and the rest of the data set went into the item: it is taken out again.
    fn put_items(&mut self, tag: Tag, mut items: Vec<DataSet>, depth: usize, set: &mut DataSet) {
        let image = |item: &DataSet| item.get(tags::ROWS).is_some() && item.get(tags::COLUMNS).is_some();
        if self.unclosed
            && tag != tags::ICON_IMAGE_SEQUENCE
            && set.get(tags::ROWS).is_none()
            && items.last().is_some_and(image)
            && let Some(last) = items.pop()
        {
            for element in last {
                if element.header().tag > tag && set.get(element.header().tag).is_none() {
                    set.put(element);
                }
            }
            self.unclosed = depth > 0;
        }
        let sequence = DataSetSequence::new(items, Length::UNDEFINED);
        set.put(DataElement::new(tag, VR::SQ, Value::Sequence(sequence)));
    }
}

/// True where nothing follows but what pads a file: zeros, spaces, ends of lines.
fn is_padding(head: &[u8]) -> bool {
    let (zeros, blank) = (head.iter().all(|&byte| byte == 0), head.iter().all(u8::is_ascii_whitespace));
    // A header of zeros alone is that of an element (0000,0000), which no file has.
    zeros || blank
}

/// The reject of bytes that are no header in any form.
fn no_element(short: bool, window: &[u8], form: Form, left: u64) -> Reject {
    let longer = |element: Option<Element>| {
        element.is_some_and(|element| u64::from(element.length) + element.header as u64 > left)
    };
    if short || longer(Element::explicit(window, form.big)) {
        return truncated();
    }
    Reject::new(Reason::Unreadable, "bytes that are no DICOM element, before the pixels")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A file of a meta group with the given transfer syntax, and a data set.
    fn file(syntax: &str, data: &[u8]) -> Vec<u8> {
        let mut syntax = syntax.as_bytes().to_vec();
        syntax.resize(syntax.len().next_multiple_of(2), 0);
        let mut meta = b"\x02\0\x10\0UI".to_vec();
        meta.extend((syntax.len() as u16).to_le_bytes());
        meta.extend(syntax);
        let mut file = vec![0; 128];
        file.extend(b"DICM\x02\0\0\0UL\x04\0");
        file.extend((meta.len() as u32).to_le_bytes());
        file.extend(meta);
        file.extend(data);
        file
    }

    fn checked(bytes: &[u8]) -> Result<(), Reason> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.dcm");
        fs_err::write(&path, bytes).unwrap();
        read(&Place::File(path), 1 << 20, true).map(drop).map_err(|reject| reject.reason)
    }

    const EXPLICIT: &str = "1.2.840.10008.1.2.1";

    #[test]
    fn lengths_within_the_file_are_fine_and_others_are_not() {
        assert_eq!(checked(&file(EXPLICIT, b"\x08\0\x60\0CS\x02\0MR")), Ok(()));
        assert_eq!(checked(&file(EXPLICIT, b"\x08\0\x60\0CS\x04\0MR")), Err(Reason::Truncated));
        // Four gigabytes of private bytes in a file of two hundred.
        let huge = b"\x09\0\x10\x10OB\0\0\xfe\xff\xff\xff";
        assert_eq!(checked(&file(EXPLICIT, huge)), Err(Reason::Truncated));
        // The same inside an item of a sequence.
        let nested =
            [b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff".as_slice(), huge].concat();
        assert_eq!(checked(&file(EXPLICIT, &nested)), Err(Reason::Truncated));
    }

    #[test]
    fn sequences_and_fragments_are_walked_to_their_ends() {
        let sequence = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\x0a\0\0\0\x08\0\x60\0CS\x02\0MR\
                         \xfe\xff\xdd\xe0\0\0\0\0\x10\0\x10\0PN\x02\0A ";
        assert_eq!(checked(&file(EXPLICIT, sequence)), Ok(()));
        let pixels = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x02\0\0\0ab\
                       \xfe\xff\xdd\xe0\0\0\0\0";
        assert_eq!(checked(&file("1.2.840.10008.1.2.5", pixels)), Ok(()));
        let torn = &pixels[..pixels.len() - 9];
        assert_eq!(checked(&file("1.2.840.10008.1.2.5", torn)), Err(Reason::Truncated));
    }

    /// Found by fuzzing: the walk took the item's end for something after the pixels, and the parser went on.
    #[test]
    fn an_items_end_outside_of_a_sequence_ends_no_look() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.dcm");
        let huge = b"\xfe\xff\x0d\xe0\0\0\0\0\x09\0\x10\x10OB\0\0\xfe\xff\xff\xff";
        fs_err::write(&path, file(EXPLICIT, huge)).unwrap();
        assert_eq!(read(&Place::File(path), 1 << 20, false).unwrap_err().reason, Reason::Truncated);
        // Found by fuzzing too: three bytes are one number and a byte, with which a parser began the next element.
        let part = [b"\x28\0\x06\0US\x03\0abc".as_slice(), huge].concat();
        assert_eq!(checked(&file(EXPLICIT, &part)), Err(Reason::Truncated));
    }

    #[test]
    fn nesting_has_a_limit() {
        let level = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff";
        assert_eq!(checked(&file(EXPLICIT, &level.repeat(10))), Err(Reason::Truncated));
        assert_eq!(checked(&file(EXPLICIT, &level.repeat(10_000))), Err(Reason::Unreadable));
    }

    #[test]
    fn a_deflated_data_set_may_not_burst() {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        let header = b"\x09\0\x10\x10OB\0\0\x00\x00\x00\x01";
        std::io::Write::write_all(&mut encoder, header).unwrap();
        std::io::Write::write_all(&mut encoder, &vec![0; 1 << 24]).unwrap();
        let bytes = file("1.2.840.10008.1.2.1.99", &encoder.finish().unwrap());
        assert!(bytes.len() < 20_000);
        assert_eq!(checked(&bytes), Err(Reason::TooLarge));
    }
}

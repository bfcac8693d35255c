//! Where the data set of a DICOM file starts, and how: after a preamble and a file meta group (PS3.10 7.1), each of
//! which some writers leave out or get wrong.

use dicom_dictionary_std::uids;
use dicom_object::Tag;

use super::form::{Element, Form, LONGEST, long, short, tag};
use super::stream::{BIG_ENDIAN, Stream, truncated};
use crate::reject::Reject;

/// 128 bytes of anything, then `DICM`.
const PREFIX: usize = 132;
/// Elements that must follow each other before bytes without `DICM` count as DICOM.
const ENOUGH: usize = 3;
/// Bytes that such elements are looked for in.
const LOOK: usize = 4096;
/// A UID has 64 characters at most; writers that pad it have more.
const LONGEST_UID: u32 = 256;

/// What the file meta group says, as far as it matters here.
#[derive(Debug, Default)]
pub(super) struct Meta {
    /// TransferSyntaxUID (0002,0010); empty where it is not said.
    pub syntax: String,
    /// MediaStorageSOPClassUID (0002,0002).
    pub class: String,
}

/// Goes to the start of the data set; tells how its first element is written, whatever the meta group says.
pub(super) fn start(stream: &mut Stream) -> Result<(Meta, Form), Reject> {
    let head = stream.peek(LOOK)?;
    if !is_dicom(head) {
        return Err(Reject::unreadable("neither DICM nor elements where they belong"));
    }
    let prefix = [PREFIX, 4].into_iter().find(|&end| head.get(end - 4..end) == Some(b"DICM")).unwrap_or(0);
    stream.skip(prefix as u64)?;
    let meta = meta_group(stream)?;
    if meta.syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
        let head = stream.peek(LOOK)?;
        // Some say so of a data set that is not deflated.
        if elements(head, Form { explicit: true, big: false }) < 2 {
            stream.inflate();
        }
    }
    let declared = Form { explicit: meta.syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN, big: meta.syntax == BIG_ENDIAN };
    let form = form(stream.peek(LONGEST)?, declared);
    Ok((meta, form))
}

/// Reads the elements of group 2. How long the group is shows in them: its length element is often wrong.
fn meta_group(stream: &mut Stream) -> Result<Meta, Reject> {
    let mut meta = Meta::default();
    let mut said_end = 0;
    loop {
        let head = stream.peek(LONGEST)?;
        if short(head, 0, false) != Some(2) {
            break;
        }
        let one = Element::explicit(head, false).or_else(|| Element::implicit(head, false)).ok_or_else(truncated)?;
        stream.skip(one.header as u64)?;
        match one.tag {
            Tag(2, 0) if one.length == 4 => {
                let length = stream.take(4)?;
                said_end = stream.at + u64::from(long(&length, 0, false).unwrap_or(0));
            }
            Tag(2, 0x02) if one.length <= LONGEST_UID => meta.class = uid(&stream.take(one.length.into())?),
            Tag(2, 0x10) if one.length <= LONGEST_UID => meta.syntax = uid(&stream.take(one.length.into())?),
            _ => stream.skip(one.length.into())?,
        }
    }
    // An element of the group that is not as long as it says: the group's own length may lead out of it.
    let left = said_end.saturating_sub(stream.at);
    let lost = {
        let head = stream.peek(LONGEST)?;
        let first = Element::implicit(head, false);
        !first
            .is_some_and(|first| [first.tag.0, first.tag.0.swap_bytes()].iter().any(|group| (3..=0x28).contains(group)))
    };
    if lost && left > 0 && left <= stream.left() {
        stream.skip(left)?;
    }
    Ok(meta)
}

/// A UID without what pads it.
fn uid(bytes: &[u8]) -> String {
    let text: String = bytes.iter().copied().map(char::from).collect();
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control()).to_owned()
}

/// How the first element of a data set is written.
fn form(head: &[u8], declared: Form) -> Form {
    let (Some(little), Some(big)) = (short(head, 0, false), short(head, 0, true)) else { return declared };
    // The first groups have small numbers; a delimiter that stands first tells nothing.
    let big = match [little, big].map(|group| group <= 0x28) {
        [true, false] => false,
        [false, true] => true,
        _ => declared.big,
    };
    Form { explicit: big || Element::explicit(head, false).is_some(), big }
}

/// True for the first bytes of a DICOM file, with or without a preamble.
pub(crate) fn is_dicom(head: &[u8]) -> bool {
    if head.get(PREFIX - 4..PREFIX) == Some(b"DICM") || head.starts_with(b"DICM\x02\0") {
        return true;
    }
    if short(head, 0, false) == Some(2) {
        return after(head, Form { explicit: true, big: false }).is_some();
    }
    // ACR-NEMA and data sets cut out of a network transfer: the syntax shows in how elements follow each other.
    [(true, false), (false, false), (true, true)]
        .into_iter()
        .any(|(explicit, big)| elements(head, Form { explicit, big }) >= ENOUGH)
}

/// How many elements of rising tags, none beyond the image's own groups, `bytes` starts with in a form.
fn elements(bytes: &[u8], form: Form) -> usize {
    let (mut at, mut last, mut count) = (0, None, 0);
    while let Some(rest) = bytes.get(at..)
        && let (Some(length), Some(tag)) = (after(rest, form), tag(rest, form.big))
    {
        if last.is_some_and(|last| last >= tag) || !(8..=0x28).contains(&tag.0) || (last.is_none() && tag.0 != 8) {
            break;
        }
        (last, count) = (Some(tag), count + 1);
        at += length;
    }
    count
}

/// The length of the element that `bytes` starts with, header and value, where it is all there.
fn after(bytes: &[u8], form: Form) -> Option<usize> {
    let one = if form.explicit { Element::explicit(bytes, form.big) } else { Element::implicit(bytes, form.big) }?;
    // What a header starts with is short; a sequence ends the look.
    one.header.checked_add(one.length as usize).filter(|&length| length <= bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPLICIT: &[u8] = b"\x08\0\x05\0CS\x02\0AB\x08\0\x08\0CS\x02\0AB\x08\0\x60\0CS\x02\0MR";

    #[test]
    fn the_form_of_a_data_set_shows_in_its_first_element() {
        let implicit = b"\x08\0\0\0\x04\0\0\0\x20\0\0\0\x08\0\x10\0\x02\0\0\0AB\x08\0\x60\0\x02\0\0\0MR";
        let big = b"\0\x08\0\x05CS\0\x02AB\0\x08\0\x08CS\0\x02AB\0\x08\0\x60CS\0\x02MR";
        for declared in [(true, false), (false, false), (true, true)].map(|(explicit, big)| Form { explicit, big }) {
            assert_eq!(form(EXPLICIT, declared), Form { explicit: true, big: false });
            assert_eq!(form(implicit, declared), Form { explicit: false, big: false });
            assert_eq!(form(big, declared), Form { explicit: true, big: true });
        }
        assert!(is_dicom(EXPLICIT) && is_dicom(implicit) && is_dicom(big));
    }

    #[test]
    fn a_meta_group_alone_is_dicom() {
        assert!(is_dicom(b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"));
    }

    #[test]
    fn other_bytes_are_no_dicom() {
        for bytes in
            [b"".as_slice(), b"hello world, this is a text of some length", &[8; 400], &[0; 400], &EXPLICIT[..25]]
        {
            assert!(!is_dicom(bytes), "{bytes:?}");
        }
    }
}

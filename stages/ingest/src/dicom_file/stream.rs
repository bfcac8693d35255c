//! The bytes of a DICOM file as PS3.10 wants them: inflated where they are gzip'd, and with the preamble and the file
//! meta group that some writers leave out.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use dicom_core::VR;
use dicom_dictionary_std::uids;
use flate2::read::MultiGzDecoder;

use crate::place::{Bytes, Place};
use crate::reject::Reject;

/// Where the data set starts, less its meta group: 128 bytes of anything, then `DICM`.
pub(super) const PREFIX: usize = 132;
/// A file meta group without a preamble is looked for in so many bytes.
const LONGEST_META: u64 = 4096;
/// Elements that must follow each other before bytes without `DICM` count as DICOM.
const ENOUGH: usize = 3;

/// A DICOM file from its preamble on; goes forward only.
pub(super) struct Stream {
    head: Cursor<Vec<u8>>,
    rest: Rest,
    /// Bytes in all, or, where that is not known beforehand, the most that may come.
    pub end: u64,
    /// True where `end` is a limit.
    pub inflated: bool,
}

enum Rest {
    Plain(BufReader<Bytes>),
    Inflated(Box<MultiGzDecoder<BufReader<Bytes>>>),
}

impl Stream {
    /// Opens a file that may take `limit` bytes.
    pub fn open(place: &Place, limit: u64) -> Result<Self, Reject> {
        let refuse = |error: io::Error| Reject::from_io(&error, "cannot be opened");
        let bytes = place.open().map_err(refuse)?;
        let length = bytes.length();
        Reject::if_larger(length, limit, "the file")?;
        let mut bytes = BufReader::new(bytes);
        let zipped = bytes.fill_buf().map_err(refuse)?.starts_with(&[0x1f, 0x8b]);
        let mut rest = if zipped { Rest::Inflated(Box::new(MultiGzDecoder::new(bytes))) } else { Rest::Plain(bytes) };
        let mut head = rest.up_to(PREFIX as u64).map_err(refuse)?;
        let mut supplied = 0;
        if head.get(128..) != Some(b"DICM") {
            head.extend(rest.up_to(LONGEST_META - PREFIX as u64).map_err(refuse)?);
            let read = head.len();
            head = with_meta(&head).ok_or_else(|| Reject::unreadable("neither DICM nor elements where they belong"))?;
            supplied = (head.len() - read) as u64;
        }
        let end = if zipped { limit } else { length + supplied };
        Ok(Self { head: Cursor::new(head), rest, end, inflated: zipped })
    }

    /// Passes over bytes, in a plain file without reading them.
    pub fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let ahead = self.head.get_ref().len() as u64 - self.head.position();
        let in_head = bytes.min(ahead);
        self.head.set_position(self.head.position() + in_head);
        let bytes = bytes - in_head;
        match &mut self.rest {
            Rest::Plain(file) => file.seek_relative(i64::try_from(bytes).map_err(io::Error::other)?),
            Rest::Inflated(data) => skip(data, bytes),
        }
    }
}

/// Reads over bytes that must be there.
pub(super) fn skip(reader: &mut impl Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut reader.take(bytes), &mut io::sink())?;
    if skipped == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

impl Rest {
    fn up_to(&mut self, bytes: u64) -> io::Result<Vec<u8>> {
        let mut taken = Vec::new();
        Read::take(self, bytes).read_to_end(&mut taken)?;
        Ok(taken)
    }
}

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Inflated(data) => data.read(buffer),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer)? {
            0 => self.rest.read(buffer),
            read => Ok(read),
        }
    }
}

/// True for the first bytes of a DICOM file, with or without a preamble.
pub(crate) fn is_dicom(head: &[u8]) -> bool {
    head.get(128..PREFIX) == Some(b"DICM") || with_meta(head).is_some()
}

/// The first bytes of a file without a preamble, completed; none where they are not DICOM.
fn with_meta(bytes: &[u8]) -> Option<Vec<u8>> {
    let meta = meta_length(bytes);
    let (own, data) = bytes.split_at(meta);
    let mut group = Vec::new();
    if meta == 0 {
        // ACR-NEMA and data sets cut out of a network transfer: the syntax shows in how elements follow each other.
        let syntax = [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN, BIG_ENDIAN];
        let syntax = syntax.into_iter().find(|syntax| elements(data, syntax) >= ENOUGH)?;
        group.extend(b"\x02\0\x10\0UI");
        group.extend((syntax.len().next_multiple_of(2) as u16).to_le_bytes());
        group.extend(syntax.as_bytes());
        group.resize(group.len().next_multiple_of(2), 0);
    } else {
        // Its own length element, if any, is made anew.
        group.extend(own.strip_prefix(b"\x02\0\0\0UL\x04\0").and_then(|rest| rest.get(4..)).unwrap_or(own));
    }
    let mut head = vec![0; 128];
    head.extend(b"DICM\x02\0\0\0UL\x04\0");
    head.extend((group.len() as u32).to_le_bytes());
    head.extend(group);
    head.extend(data);
    Some(head)
}

/// Explicit VR Big Endian: retired in 2006, still in archives.
pub(super) const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// Bytes of the file meta group that `bytes` starts with, 0 where there is none.
fn meta_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes[at..].starts_with(&[2, 0]) {
        let Some(next) = after_element(&bytes[at..], true, false) else { return at };
        at += next.0;
    }
    at.min(bytes.len())
}

/// How many elements of rising tags, none beyond the image's own groups, `bytes` starts with in a syntax.
fn elements(bytes: &[u8], syntax: &str) -> usize {
    let (explicit, big) = (syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN, syntax == BIG_ENDIAN);
    let (mut at, mut last, mut count) = (0, None, 0);
    while let Some((length, tag)) = bytes.get(at..).and_then(|rest| after_element(rest, explicit, big)) {
        if last.is_some_and(|last| last >= tag) || !(8..=0x28).contains(&tag.0) || (last.is_none() && tag.0 != 8) {
            break;
        }
        (last, count) = (Some(tag), count + 1);
        at += length;
    }
    count
}

/// The length of the element that `bytes` starts with, header and value, and its tag.
fn after_element(bytes: &[u8], explicit: bool, big: bool) -> Option<(usize, (u16, u16))> {
    let short = |at: usize| {
        let two = [*bytes.get(at)?, *bytes.get(at + 1)?];
        Some(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    };
    let long = |at: usize| {
        let (first, second) = (usize::from(short(at)?), usize::from(short(at + 2)?));
        Some(if big { first << 16 | second } else { second << 16 | first })
    };
    let tag = (short(0)?, short(2)?);
    let length = if !explicit {
        8 + long(4)?
    } else {
        match VR::from_binary([*bytes.get(4)?, *bytes.get(5)?])? {
            VR::OB
            | VR::OD
            | VR::OF
            | VR::OL
            | VR::OV
            | VR::OW
            | VR::SQ
            | VR::SV
            | VR::UC
            | VR::UN
            | VR::UR
            | VR::UT
            | VR::UV => 12 + long(8)?,
            _ => 8 + usize::from(short(6)?),
        }
    };
    // What a header starts with is short; a sequence ends the look.
    (length <= bytes.len()).then_some((length, tag))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const EXPLICIT: &[u8] = b"\x08\0\x05\0CS\x02\0AB\x08\0\x08\0CS\x02\0AB\x08\0\x60\0CS\x02\0MR";

    #[test]
    fn a_data_set_alone_gets_a_meta_group_of_its_syntax() {
        let implicit = b"\x08\0\0\0\x04\0\0\0\x20\0\0\0\x08\0\x10\0\x02\0\0\0AB\x08\0\x60\0\x02\0\0\0MR";
        let big = b"\0\x08\0\x05CS\0\x02AB\0\x08\0\x08CS\0\x02AB\0\x08\0\x60CS\0\x02MR";
        for (bytes, syntax) in [(EXPLICIT, "1.2.840.10008.1.2.1"), (implicit, "1.2.840.10008.1.2\0"), (big, BIG_ENDIAN)]
        {
            let whole = with_meta(bytes).unwrap();
            assert!(whole.windows(syntax.len()).any(|part| part == syntax.as_bytes()), "{syntax}");
            assert!(whole.ends_with(bytes) && is_dicom(bytes));
        }
    }

    #[test]
    fn a_meta_group_without_preamble_keeps_its_syntax() {
        let meta = b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0";
        let whole = with_meta(&[meta, EXPLICIT].concat()).unwrap();
        assert_eq!(whole[128..144], [b"DICM\x02\0\0\0UL\x04\0".as_slice(), &[meta.len() as u8, 0, 0, 0]].concat()[..]);
        assert!(whole.ends_with(&[meta, EXPLICIT].concat()));
        let counted = [b"\x02\0\0\0UL\x04\0\x99\0\0\0".as_slice(), meta, EXPLICIT].concat();
        assert_eq!(with_meta(&counted).unwrap(), whole);
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

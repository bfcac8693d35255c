//! A walk over a DICOM file's elements before it is parsed: no length may reach beyond the file, no sequence may
//! nest deep, and a deflated data set may not inflate beyond the memory limit.
//!
//! The parser of dicom-rs takes as much memory as a length field says before it reads the value, so a file of a few
//! hundred bytes can ask for gigabytes. The walk follows that parser's reading of the format step by step
//! (dicom-parser `dataset/read.rs`), skipping values.

use std::io::{self, Read};

use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::uids;
use dicom_object::{StandardDataDictionary, Tag};
use flate2::read::DeflateDecoder;

use super::open::PIXELS;
use super::stream::{BIG_ENDIAN, PREFIX, Stream, skip};
use crate::place::Place;
use crate::reject::{Reason, Reject};

/// Sequences in sequences: real files stay below ten; the parser calls itself for each.
const DEEPEST: usize = 64;
/// A length field that says "up to the delimiter".
const UNDEFINED: u32 = u32::MAX;
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// Checks a file, up to its pixels or to its end; gives the number of bytes that it has at most.
pub(super) fn check(place: &Place, limit: u64, up_to_pixels: bool) -> Result<u64, Reject> {
    let stream = Stream::open(place, limit)?;
    let (end, inflated) = (stream.end, stream.inflated);
    let mut source = Source { reader: Reader::Plain(stream), at: 0, end, inflated };
    source.skip(PREFIX as u64)?;
    let syntax = source.meta_group()?;
    let encoding = Encoding { explicit: syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN, big_endian: syntax == BIG_ENDIAN };
    if syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
        source = source.inflated(limit);
    }
    walk(&mut source, encoding, up_to_pixels)?;
    Ok(source.end)
}

/// How element headers are written.
#[derive(Clone, Copy)]
struct Encoding {
    explicit: bool,
    big_endian: bool,
}

/// What the walk is inside of.
struct Level {
    /// A sequence expects items, an item expects elements.
    sequence: bool,
    /// Its items are fragments of pixels.
    pixels: bool,
    /// Where it ends, if its length was given.
    end: Option<u64>,
}

fn walk(source: &mut Source, encoding: Encoding, up_to_pixels: bool) -> Result<(), Reject> {
    let mut levels: Vec<Level> = Vec::new();
    loop {
        while levels.last().is_some_and(|level| level.end == Some(source.at)) {
            levels.pop();
        }
        if levels.last().and_then(|level| level.end).is_some_and(|end| end < source.at) {
            return Err(Reject::unreadable("a DICOM sequence that ends inside one of its elements"));
        }
        if levels.len() > DEEPEST {
            return Err(Reject::unreadable(format!("DICOM sequences nested deeper than {DEEPEST}")));
        }
        let in_sequence = levels.last().is_some_and(|level| level.sequence);
        let Some((tag, vr, length)) = source.header(encoding, in_sequence)? else { return Ok(()) };
        // The parser passes over an item's end outside of any sequence, and stops at anything else from here on.
        if up_to_pixels && levels.is_empty() && tag >= PIXELS && tag != ITEM_END {
            return Ok(());
        }
        let pixels = levels.last().is_some_and(|level| level.pixels);
        let end = (length != UNDEFINED).then(|| source.at + u64::from(length));
        match tag {
            ITEM if in_sequence && !pixels => levels.push(Level { sequence: false, pixels: false, end }),
            ITEM_END if !in_sequence => drop(levels.pop()),
            SEQUENCE_END if in_sequence => drop(levels.pop()),
            _ if in_sequence && tag != ITEM => {
                return Err(Reject::unreadable("a DICOM sequence that holds something else than items"));
            }
            _ if vr == VR::SQ || length == UNDEFINED => {
                let pixels = tag == Tag(0x7FE0, 0x0010) && length == UNDEFINED;
                levels.push(Level { sequence: true, pixels, end });
            }
            // The parser reads whole values only, and would go on in the midst of the rest.
            _ if length % size(vr) != 0 && tag < PIXELS => {
                return Err(Reject::unreadable("a DICOM element with a part of a value"));
            }
            _ => source.skip(u64::from(length - length % size(vr)))?,
        }
    }
}

/// Bytes of one value of a kind that is written in numbers, else 1 (PS3.5 6.2).
fn size(vr: VR) -> u32 {
    match vr {
        VR::US | VR::SS | VR::OW => 2,
        VR::UL | VR::SL | VR::FL | VR::AT | VR::OF | VR::OL => 4,
        VR::FD | VR::SV | VR::UV | VR::OD | VR::OV => 8,
        _ => 1,
    }
}

enum Reader {
    Plain(Stream),
    Inflated(Box<DeflateDecoder<Stream>>),
}

/// Bytes with a position, and an end that must not be passed.
struct Source {
    reader: Reader,
    at: u64,
    end: u64,
    /// True where `end` is the limit of what may come out of a compressed stream.
    inflated: bool,
}

impl Source {
    /// The rest of the file, inflated; it may not become longer than `limit`.
    fn inflated(self, limit: u64) -> Self {
        match self.reader {
            Reader::Plain(file) => Self {
                reader: Reader::Inflated(Box::new(DeflateDecoder::new(file))),
                at: 0,
                end: limit,
                inflated: true,
            },
            reader => Self { reader, ..self },
        }
    }

    fn beyond(&self) -> Reject {
        if self.inflated {
            Reject::new(Reason::TooLarge, "inflates to more than --max-memory")
        } else {
            Reject::new(Reason::Truncated, "a DICOM element that is longer than the file")
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Reject> {
        if bytes > self.end.saturating_sub(self.at) {
            return Err(self.beyond());
        }
        let skipped = match &mut self.reader {
            Reader::Plain(file) => file.skip(bytes),
            Reader::Inflated(data) => skip(data, bytes),
        };
        self.at += bytes;
        skipped.map_err(|error| Reject::from_io(&error, "not readable as DICOM"))
    }

    fn read<const N: usize>(&mut self) -> Result<[u8; N], Reject> {
        self.read_or_end()?.ok_or_else(|| Reject::new(Reason::Truncated, "ends inside a DICOM element"))
    }

    /// The next bytes; none at the end.
    fn read_or_end<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Reject> {
        let mut bytes = [0; N];
        let read = match &mut self.reader {
            Reader::Plain(file) => file.read_exact(&mut bytes),
            Reader::Inflated(data) => data.read_exact(&mut bytes),
        };
        self.at += N as u64;
        match read {
            Ok(()) if self.at > self.end => Err(self.beyond()),
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Reject::from_io(&error, "not readable as DICOM")),
        }
    }

    /// Walks the file meta group (PS3.10 7.1) and gives the transfer syntax.
    fn meta_group(&mut self) -> Result<String, Reject> {
        let encoding = Encoding { explicit: true, big_endian: false };
        let mut syntax = String::new();
        match self.header(encoding, false)? {
            Some((Tag(0x0002, 0x0000), _, 4)) => {}
            _ => return Err(Reject::unreadable("no file meta group after DICM")),
        }
        let length = u64::from(u32::from_le_bytes(self.read()?));
        let start = self.at;
        while self.at - start < length {
            let Some((tag, _, length)) = self.header(encoding, false)? else {
                return Err(Reject::new(Reason::Truncated, "ends inside the file meta group"));
            };
            if tag == Tag(0x0002, 0x0010) && length <= 64 {
                for _ in 0..length {
                    syntax.push(char::from(self.read::<1>()?[0]));
                }
            } else {
                self.skip(u64::from(length))?;
            }
        }
        Ok(syntax.trim_end_matches(['\0', ' ']).to_owned())
    }

    /// An element's or item's tag, its kind, and its length; none at the end of the file.
    fn header(&mut self, encoding: Encoding, item: bool) -> Result<Option<(Tag, VR, u32)>, Reject> {
        let Some(tag) = self.read_or_end::<4>()? else { return Ok(None) };
        let short =
            |bytes: [u8; 2]| if encoding.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let long =
            |bytes: [u8; 4]| if encoding.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let tag = Tag(short([tag[0], tag[1]]), short([tag[2], tag[3]]));
        if item || tag.0 == 0xFFFE {
            return Ok(Some((tag, VR::UN, long(self.read()?))));
        }
        if !encoding.explicit {
            let vr = StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed());
            return Ok(Some((tag, vr, long(self.read()?))));
        }
        let vr = VR::from_binary(self.read()?).unwrap_or(VR::UN);
        let length = match vr {
            VR::AE
            | VR::AS
            | VR::AT
            | VR::CS
            | VR::DA
            | VR::DS
            | VR::DT
            | VR::FL
            | VR::FD
            | VR::IS
            | VR::LO
            | VR::LT
            | VR::PN
            | VR::SH
            | VR::SL
            | VR::SS
            | VR::ST
            | VR::TM
            | VR::UI
            | VR::UL
            | VR::US => u32::from(short(self.read()?)),
            _ => {
                self.read::<2>()?; // reserved
                long(self.read()?)
            }
        };
        Ok(Some((tag, vr, length)))
    }
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
        check(&Place::File(path), 1 << 20, false).map(drop).map_err(|reject| reject.reason)
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
        assert_eq!(check(&Place::File(path), 1 << 20, true).unwrap_err().reason, Reason::Truncated);
        // Found by fuzzing too: three bytes are one number and a byte, with which the parser began the next element.
        let part = [b"\x28\0\x06\0US\x03\0abc".as_slice(), huge].concat();
        assert_eq!(checked(&file(EXPLICIT, &part)), Err(Reason::Unreadable));
        let end_in_sequence = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x0d\xe0\0\0\0\0";
        assert_eq!(checked(&file(EXPLICIT, end_in_sequence)), Err(Reason::Unreadable));
    }

    #[test]
    fn nesting_has_a_limit() {
        let level = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff";
        assert_eq!(checked(&file(EXPLICIT, &level.repeat(10))), Ok(()));
        assert_eq!(checked(&file(EXPLICIT, &level.repeat(10_000))), Err(Reason::Unreadable));
    }

    #[test]
    fn a_deflated_data_set_may_not_burst() {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        let header = b"\x09\0\x10\x10OB\0\0\x00\x00\x00\x01";
        io::Write::write_all(&mut encoder, header).unwrap();
        io::Write::write_all(&mut encoder, &vec![0; 1 << 24]).unwrap();
        let bytes = file("1.2.840.10008.1.2.1.99", &encoder.finish().unwrap());
        assert!(bytes.len() < 20_000);
        assert_eq!(checked(&bytes), Err(Reason::TooLarge));
    }
}

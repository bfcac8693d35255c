//! The bytes of a DICOM file: inflated where they are gzip'd or deflated, with a look ahead, a position, and an end that
//! no length may reach beyond.

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

use flate2::read::{DeflateDecoder, MultiGzDecoder};

use crate::place::{Bytes, Place};
use crate::reject::{Reason, Reject};

/// Explicit VR Big Endian: retired in 2006, still in archives.
pub(super) const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
/// Bytes that are read at once.
const CHUNK: usize = 1 << 13;

/// A DICOM file; goes forward only.
pub(super) struct Stream {
    reader: Reader,
    /// Bytes that were read ahead; those before `taken` are used up.
    ahead: Vec<u8>,
    taken: usize,
    /// Bytes passed so far.
    pub at: u64,
    /// Bytes in all, or, where that is not known beforehand, the most that may come.
    end: u64,
    /// True where `end` is a limit.
    inflated: bool,
    /// Bytes that the file takes where it lies: what a decompressor makes of them costs its writer nothing.
    pub stored: u64,
    limit: u64,
}

enum Reader {
    Plain(Bytes),
    Gzip(Box<MultiGzDecoder<BufReader<Bytes>>>),
    /// What was ahead when the deflated part began, then the rest.
    Deflated(Box<DeflateDecoder<io::Chain<Cursor<Vec<u8>>, Reader>>>),
    /// Stands in for a reader that is being replaced.
    Ended,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(data) => data.read(buffer),
            Self::Deflated(data) => data.read(buffer),
            Self::Ended => Ok(0),
        }
    }
}

impl Stream {
    /// Opens a file that may take `limit` bytes.
    pub fn open(place: &Place, limit: u64) -> Result<Self, Reject> {
        let refuse = |error: io::Error| Reject::from_io(&error, "cannot be opened");
        let mut bytes = place.open().map_err(refuse)?;
        let length = bytes.length();
        Reject::if_larger(length, limit, "the file")?;
        let stored = match place {
            Place::File(_) => length,
            Place::Member(member) => member.packed.min(length),
        };
        let mut ahead = Vec::with_capacity(CHUNK);
        (&mut bytes).take(CHUNK as u64).read_to_end(&mut ahead).map_err(refuse)?;
        let mut stream =
            Self { reader: Reader::Plain(bytes), ahead, taken: 0, at: 0, end: length, inflated: false, stored, limit };
        if stream.ahead.starts_with(&[0x1f, 0x8b]) {
            let again = place.open().map_err(refuse)?;
            stream.reader = Reader::Gzip(Box::new(MultiGzDecoder::new(BufReader::new(again))));
            (stream.ahead, stream.end, stream.inflated) = (Vec::new(), limit, true);
        }
        Ok(stream)
    }

    /// The rest of the file, inflated (PS3.5 A.5); it may not become longer than the limit.
    pub fn inflate(&mut self) {
        let ahead = Cursor::new(self.ahead.split_off(self.taken));
        let rest = std::mem::replace(&mut self.reader, Reader::Ended);
        self.reader = Reader::Deflated(Box::new(DeflateDecoder::new(ahead.chain(rest))));
        self.ahead.clear();
        (self.taken, self.at, self.end, self.inflated) = (0, 0, self.limit, true);
    }

    /// The next bytes, without passing them; fewer at the end.
    pub fn peek(&mut self, bytes: usize) -> Result<&[u8], Reject> {
        let have = self.ahead.len() - self.taken;
        if have < bytes {
            self.ahead.drain(..self.taken);
            self.taken = 0;
            let wanted = (bytes - have).max(CHUNK) as u64;
            (&mut self.reader).take(wanted).read_to_end(&mut self.ahead).map_err(|error| refuse(&error))?;
        }
        let ahead = &self.ahead[self.taken..];
        Ok(&ahead[..bytes.min(ahead.len())])
    }

    /// Bytes that may still come.
    pub fn left(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// Refuses a value that is longer than what is left.
    pub fn must_hold(&self, bytes: u64) -> Result<(), Reject> {
        if bytes <= self.left() {
            Ok(())
        } else if self.inflated {
            Err(Reject::new(Reason::TooLarge, "inflates to more than --max-memory"))
        } else {
            Err(Reject::new(Reason::Truncated, "a DICOM element that is longer than the file"))
        }
    }

    /// Passes over bytes, in a plain file without reading them.
    pub fn skip(&mut self, bytes: u64) -> Result<(), Reject> {
        self.must_hold(bytes)?;
        let ahead = bytes.min((self.ahead.len() - self.taken) as u64);
        self.taken += ahead as usize;
        self.at += bytes;
        let rest = bytes - ahead;
        let skipped = match &mut self.reader {
            _ if rest == 0 => Ok(()),
            Reader::Plain(file) => i64::try_from(rest)
                .map_err(io::Error::other)
                .and_then(|rest| file.seek(SeekFrom::Current(rest)))
                .map(drop),
            reader => pass(reader, rest),
        };
        skipped.map_err(|error| refuse(&error))
    }

    /// The next bytes, which must be there. Memory is taken as they come.
    pub fn take(&mut self, bytes: u64) -> Result<Vec<u8>, Reject> {
        self.must_hold(bytes)?;
        let ahead = bytes.min((self.ahead.len() - self.taken) as u64) as usize;
        // The length of a plain file is known, and the value lies in it.
        let mut value = Vec::with_capacity(if self.inflated { ahead } else { bytes as usize });
        value.extend(&self.ahead[self.taken..self.taken + ahead]);
        self.taken += ahead;
        self.at += bytes;
        (&mut self.reader).take(bytes - ahead as u64).read_to_end(&mut value).map_err(|error| refuse(&error))?;
        if value.len() as u64 == bytes { Ok(value) } else { Err(truncated()) }
    }

    /// Reads what is left where a checksum at the end tells whether the bytes are sound.
    pub fn check_end(&mut self, place: &Place) -> Result<(), Reject> {
        if matches!((&self.reader, place), (Reader::Plain(_), Place::File(_))) {
            return Ok(());
        }
        let most = self.left() + 1;
        let read = io::copy(&mut (&mut self.reader).take(most), &mut io::sink()).map_err(|error| refuse(&error))?;
        self.must_hold(read)
    }
}

fn refuse(error: &io::Error) -> Reject {
    Reject::from_io(error, "not readable as DICOM")
}

/// The reject of a file that breaks off.
pub(super) fn truncated() -> Reject {
    Reject::new(Reason::Truncated, "ends inside a DICOM element")
}

fn pass(reader: &mut Reader, bytes: u64) -> io::Result<()> {
    let passed = io::copy(&mut reader.take(bytes), &mut io::sink())?;
    if passed == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

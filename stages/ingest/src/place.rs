//! Where the bytes of an input are: a file, or a member of a zip, which is read in place and never extracted.

use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::DeflateDecoder;
use flate2::{Crc, CrcReader};
use fs_err::File;

use crate::guard;
use crate::reject::Reject;

/// Where an input's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A file.
    File(PathBuf),
    /// A member of a zip.
    Member(Member),
}

/// A member of a zip, as the zip's directory describes it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// The zip.
    pub zip: Arc<Path>,
    /// Where its bytes start in the zip.
    pub start: u64,
    /// Number of its bytes in the zip.
    pub packed: u64,
    /// Number of its bytes.
    pub size: u64,
    /// CRC-32 of its bytes.
    pub crc: u32,
    /// Deflated, else stored as it is.
    pub deflated: bool,
    /// The other file of a NIfTI pair.
    pub partner: Option<Arc<Member>>,
}

impl Place {
    /// The bytes from their start.
    pub fn open(&self) -> io::Result<Bytes> {
        match self {
            Self::File(path) => {
                let file = File::open(path)?;
                let length = file.metadata()?.len();
                Ok(Bytes { length, reader: Reader::File(file) })
            }
            Self::Member(member) => {
                let mut file = File::open(&*member.zip)?;
                file.seek(SeekFrom::Start(member.start))?;
                let packed = BufReader::new(file).take(member.packed);
                let inflated: Box<dyn Read + Send> =
                    if member.deflated { Box::new(DeflateDecoder::new(packed)) } else { Box::new(packed) };
                // One byte more than said, so that a member that is longer fails its check.
                let reader = CrcReader::new(inflated.take(member.size.saturating_add(1)));
                Ok(Bytes { length: member.size, reader: Reader::Member { reader, size: member.size, crc: member.crc } })
            }
        }
    }

    /// All bytes of a picture as it is packed.
    pub fn whole(&self, limit: u64) -> Result<Vec<u8>, Reject> {
        let packed = self.open().map_err(|error| Reject::from_io(&error, "cannot be opened"))?;
        Reject::if_larger(packed.length(), limit, "the file")?;
        let mut bytes = Vec::new();
        packed.take(limit).read_to_end(&mut bytes).map_err(|error| Reject::from_io(&error, "cannot be read"))?;
        Ok(bytes)
    }

    /// The file, where it is one: what lies beside it can be read too.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Member(_) => None,
        }
    }
}

/// The bytes of an input. Seeks only forward.
pub(crate) struct Bytes {
    length: u64,
    reader: Reader,
}

enum Reader {
    File(File),
    Member { reader: CrcReader<io::Take<Box<dyn Read + Send>>>, size: u64, crc: u32 },
}

impl Bytes {
    /// The number of bytes, as the file system or the zip's directory says.
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        guard::check_time()?;
        match &mut self.reader {
            Reader::File(file) => file.read(buffer),
            Reader::Member { reader, size, crc } => {
                let read = reader.read(buffer)?;
                if read == 0 && !buffer.is_empty() {
                    check(reader.crc(), *size, *crc)?;
                }
                Ok(read)
            }
        }
    }
}

/// Compares a member that was read to its end with what the zip's directory says of it.
fn check(read: &Crc, size: u64, crc: u32) -> io::Result<()> {
    // A Crc counts its bytes in 32 bits.
    if read.amount() == size as u32 && read.sum() == crc {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::InvalidData, "not what the zip's directory says (size, CRC-32)"))
}

impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match (&mut self.reader, to) {
            (Reader::File(file), to) => file.seek(to),
            (Reader::Member { reader, .. }, SeekFrom::Current(by)) => {
                let by = u64::try_from(by).map_err(|_| ErrorKind::Unsupported)?;
                let skipped = io::copy(&mut reader.take(by), &mut io::sink())?;
                if skipped == by { Ok(u64::from(reader.crc().amount())) } else { Err(ErrorKind::UnexpectedEof.into()) }
            }
            (Reader::Member { .. }, _) => Err(ErrorKind::Unsupported.into()),
        }
    }
}

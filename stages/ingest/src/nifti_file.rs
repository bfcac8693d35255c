//! NIfTI volumes, -1 and -2, single files and pairs, gzip or not: the slices of the wanted frames.
//!
//! Frames are read in the order of the stream and reading ends with the last one wanted, so of a 4-D .nii.gz only
//! the first frame is inflated. One frame is held at a time, as the bytes of the file.

mod header;
mod orient;
mod voxels;

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use deepmcat_common::Frames;
use flate2::read::MultiGzDecoder;

pub(crate) use header::is_header;

use crate::place::Place;
use crate::raster::{Raster, Scale};
use crate::reject::{Reason, Reject};
use crate::slice::{Sink, Slice, Stop};
use header::{Header, read_header};
use orient::{Axis, View};

/// Reads the slices of the wanted frames; each goes to `sink` in the order (frame, slice).
pub(crate) fn read(place: &Place, frames: Frames, limit: u64, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let mut stream = Stream::open(place)?;
    let header = read_header(&mut stream.reader)?;
    if header.pair {
        let voxels = place.file().and_then(voxels_of);
        let voxels = voxels.ok_or_else(|| Reject::unreadable("a NIfTI header without its .img file beside it"))?;
        stream = Stream::open(&Place::File(voxels))?;
    }
    let frame_bytes = header.frame_bytes()?;
    Reject::if_larger(frame_bytes, limit, "one frame")?;
    let skip = if header.pair { header.offset } else { header.offset.saturating_sub(header.size) };
    Reject::if_larger(skip, limit, "the extension before the voxels")?;
    let count = match frames {
        Frames::First => 1,
        Frames::All => header.frames()?,
    };
    stream.expect(header.offset, frame_bytes, count)?;
    stream.skip(skip)?;
    let view = View::of(&header);
    let mut bytes = Vec::new();
    for frame in 0..count {
        stream.read(frame_bytes, &mut bytes)?;
        for slice in 0..view.slices.length {
            sink(Slice {
                raster: raster(&header, &view, &bytes, slice),
                spacing: view.spacing,
                frame: u32::try_from(frame).unwrap_or(u32::MAX),
                slice: slice as u32, // at most 32767 for NIfTI-1; NIfTI-2 is bounded by the memory limit
            })?;
        }
    }
    Ok(())
}

/// One slice of a frame, turned for display.
fn raster(header: &Header, view: &View, bytes: &[u8], slice: usize) -> Raster {
    let mut values = Vec::with_capacity(view.columns.length * view.rows.length);
    let start = view.slices.offset(slice);
    for row in 0..view.rows.length {
        let start = start + view.rows.offset(row);
        let columns = &view.columns;
        let row = values.len();
        header.kind.gather(bytes, header.big_endian, (start, columns.stride, columns.length), &mut values);
        if columns.flipped {
            values[row..].reverse();
        }
    }
    // Within bytes by construction; black pixels are better than a panic if not.
    values.resize(view.columns.length * view.rows.length, f32::NAN);
    Raster {
        width: view.columns.length as u32,
        height: view.rows.length as u32,
        values,
        scale: Scale::new(header.slope, header.intercept),
        exact: false,
    }
}

/// A file as a stream of bytes, inflated where it is gzip'd.
struct Stream {
    reader: Box<dyn Read>,
    /// The number of bytes of a file that is not compressed.
    length: Option<u64>,
}

impl Stream {
    fn open(place: &Place) -> Result<Self, Reject> {
        let open = || -> io::Result<Self> {
            let mut file = BufReader::with_capacity(1 << 16, place.open()?);
            let zipped = io::BufRead::fill_buf(&mut file)?.starts_with(&[0x1f, 0x8b]);
            if zipped {
                return Ok(Self { reader: Box::new(MultiGzDecoder::new(file)), length: None });
            }
            let length = Some(file.get_ref().length());
            Ok(Self { reader: Box::new(file), length })
        };
        open().map_err(|error| Reject::from_io(&error, "cannot be opened"))
    }

    /// Checks the file's length, where it is known, before memory is taken.
    fn expect(&self, offset: u64, frame: u64, count: u64) -> Result<(), Reject> {
        let needed = frame.checked_mul(count).and_then(|bytes| bytes.checked_add(offset));
        match self.length {
            Some(length) if needed.is_none_or(|needed| needed > length) => {
                let message = format!("{length} bytes, but the header asks for {}", needed.unwrap_or(u64::MAX));
                Err(Reject::new(Reason::Truncated, message))
            }
            _ => Ok(()),
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Reject> {
        let skipped = io::copy(&mut (&mut self.reader).take(bytes), &mut io::sink());
        match skipped {
            Ok(skipped) if skipped == bytes => Ok(()),
            Ok(_) => Err(Reject::new(Reason::Truncated, "ends before the voxels")),
            Err(error) => Err(Reject::from_io(&error, "cannot be read up to the voxels")),
        }
    }

    /// Reads one frame. Memory grows with what really comes, so a small file cannot ask for much.
    fn read(&mut self, bytes: u64, into: &mut Vec<u8>) -> Result<(), Reject> {
        into.clear();
        let got = (&mut self.reader).take(bytes).read_to_end(into);
        match got {
            Ok(got) if got as u64 == bytes => Ok(()),
            Ok(got) => Err(Reject::new(Reason::Truncated, format!("a frame of {bytes} bytes ends after {got}"))),
            Err(error) => Err(Reject::from_io(&error, "the voxels cannot be read")),
        }
    }
}

const ENDINGS: [(&str, [&str; 2]); 2] = [(".hdr", [".img", ".img.gz"]), (".hdr.gz", [".img.gz", ".img"])];

/// The file with the voxels of a header of a pair.
fn voxels_of(header: &Path) -> Option<PathBuf> {
    beside(header, &ENDINGS)
}

/// True for `x.img` beside `x.hdr`.
pub(crate) fn is_voxels_of_pair(path: &Path) -> bool {
    beside(path, &[(".img", [".hdr", ".hdr.gz"]), (".img.gz", [".hdr.gz", ".hdr"])]).is_some()
}

fn beside(path: &Path, endings: &[(&str, [&str; 2])]) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (stem, others) = endings.iter().find_map(|(ending, others)| Some((name.strip_suffix(ending)?, others)))?;
    others.iter().map(|other| path.with_file_name(format!("{stem}{other}"))).find(|other| other.is_file())
}

impl Axis {
    /// Voxels from the frame's first voxel to place `index` along this axis.
    fn offset(&self, index: usize) -> usize {
        self.stride * if self.flipped { self.length - 1 - index } else { index }
    }
}

#[cfg(test)]
mod tests;

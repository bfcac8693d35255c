//! NIfTI volumes, -1 and -2, single files and pairs, gzip or not: the slices of the wanted frames.
//!
//! Frames are read in the order of the stream and reading ends with the last one wanted, so of a 4-D .nii.gz only
//! the first frame is inflated. One frame is held at a time, as the bytes of the file.

mod header;
mod orient;
mod voxels;

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use deepmcat_schemas::FileStat;
use deepmcat_schemas::jobs::ingest::Frames;
use flate2::read::MultiGzDecoder;

pub(crate) use header::is_analyze;

use crate::format::{Format, Read as Done, Scanned};
use crate::inputs::Input;
use crate::pairs;
use crate::place::Place;
use crate::raster::{Raster, Scale};
use crate::reject::{FrameRange, Reason, Reject};
use crate::rules::Rules;
use crate::series::Chosen;
use crate::settings::Settings;
use crate::slice::{Sink, Slice, Stop};
use header::{Header, is_cut, is_header, read_header};
use orient::{Axis, View};

/// NIfTI.
pub(super) struct Nifti;

impl Format for Nifti {
    fn name(&self) -> &'static str {
        "NIfTI"
    }

    fn sort(&self) -> &'static str {
        "nifti"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".nii", ".nii.gz"]
    }

    fn sniff(&self, head: &[u8]) -> bool {
        is_header(head)
    }

    fn is_cut(&self, head: &[u8], _: bool) -> bool {
        is_cut(head)
    }

    fn scan(&self, input: &Input, rules: &Rules, _: u64) -> Result<Scanned, Reject> {
        let voxels = voxels_stat(&input.name(), &input.place);
        Scanned::whole(input, rules, |hasher| {
            if let Some(FileStat { bytes, modified, changed, inode }) = voxels {
                for part in [bytes, modified, changed, inode] {
                    hasher.update(&part.to_le_bytes());
                }
            }
        })
    }

    fn count(&self, place: &Place, _: &[Chosen], frames: Frames) -> (u64, u64) {
        // One that cannot be counted cannot be read.
        count(place, frames).unwrap_or_default()
    }

    fn read(&self, place: &Place, _: &[Chosen], how: &Settings, sink: &mut Sink<'_>) -> Result<Done, Stop> {
        let unread = read(place, how.frames, how.own_window, how.limit, sink)?;
        Ok(Done { unread, ..Done::default() })
    }
}

/// Reads the slices of the wanted frames; each goes to `sink` in the order (frame, slice). With `own_window` they have
/// the header's display range. Gives the frames that are not wanted.
fn read(
    place: &Place,
    frames: Frames,
    own_window: bool,
    limit: u64,
    sink: &mut Sink<'_>,
) -> Result<Option<FrameRange>, Stop> {
    let mut stream = Stream::open(place)?;
    let header = read_header(&mut stream.reader)?;
    if header.pair {
        let voxels = partner(place).ok_or_else(|| {
            Reject::unreadable("a NIfTI header without its .img file beside it: put the two into one folder")
        })?;
        stream = Stream::open(&voxels)?;
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
                raster: raster(&header, &view, &bytes, slice, own_window),
                spacing: view.spacing,
                frame: u32::try_from(frame).unwrap_or(u32::MAX),
                slice: slice as u32, // at most 32767 for NIfTI-1; NIfTI-2 is bounded by the memory limit
            })?;
        }
    }
    let rest = header.frames().unwrap_or(u64::MAX).saturating_sub(count);
    let [first, rest] = [count, rest].map(|frames| u32::try_from(frames).unwrap_or(u32::MAX));
    Ok((rest > 0).then_some(FrameRange { first, count: rest }))
}

/// How many slices of a file become images, and how many frames do not; only the header is read.
fn count(place: &Place, frames: Frames) -> Result<(u64, u64), Reject> {
    let header = read_header(&mut Stream::open(place)?.reader)?;
    let all = header.frames()?;
    let wanted = if frames == Frames::All { all } else { 1 };
    Ok((wanted.saturating_mul(View::of(&header).slices.length as u64), all.saturating_sub(wanted)))
}

/// One slice of a frame, turned for display; with its `own` window or none.
fn raster(header: &Header, view: &View, bytes: &[u8], slice: usize, own: bool) -> Raster {
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
        window: header.window.filter(|_| own),
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

/// The other file of a pair, beside a file or in the same zip.
fn partner(place: &Place) -> Option<Place> {
    match place {
        Place::File(path) => {
            let name = path.file_name()?.to_str()?;
            let usual =
                pairs::partners(name).into_iter().map(|name| path.with_file_name(name)).find(|path| path.is_file());
            usual.or_else(|| listed_beside(path, name)).map(Place::File)
        }
        Place::Member(member) => member.partner.as_deref().cloned().map(Place::Member),
    }
}

/// The other file of a pair by a list of its folder.
fn listed_beside(path: &Path, name: &str) -> Option<PathBuf> {
    pairs::stem(name)?;
    let entries = fs_err::read_dir(path.parent()?).ok()?.filter_map(Result::ok);
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let found = path.with_file_name(pairs::partner_among(name, names.iter().map(String::as_str))?);
    found.is_file().then_some(found)
}

/// True for `x.img` beside `x.hdr`.
pub(crate) fn is_voxels_of_pair(name: &str, place: &Place) -> bool {
    let name = name.to_ascii_lowercase();
    (name.ends_with(".img") || name.ends_with(".img.gz")) && partner(place).is_some()
}

/// What tells changed voxels of a pair from unchanged ones, where `name` is its header.
fn voxels_stat(name: &str, place: &Place) -> Option<FileStat> {
    let name = name.to_ascii_lowercase();
    if !(name.ends_with(".hdr") || name.ends_with(".hdr.gz")) {
        return None;
    }
    partner(place)?.file().map(|voxels| FileStat::of(voxels).unwrap_or_default())
}

impl Axis {
    /// Voxels from the frame's first voxel to place `index` along this axis.
    fn offset(&self, index: usize) -> usize {
        self.stride * if self.flipped { self.length - 1 - index } else { index }
    }
}

#[cfg(test)]
mod tests;

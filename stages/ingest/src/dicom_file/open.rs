//! Opens DICOM files, up to the pixels or whole, within the memory that one file may take.

use std::io::ErrorKind;

use dicom_object::{DefaultDicomObject, OpenFileOptions, Tag};

use super::stream::Stream;
use super::structure;
use crate::place::Place;
use crate::reject::{Reason, Reject};

/// Any pixel data, of whatever kind, has this group number (7FE0).
pub(super) const PIXELS: Tag = Tag(0x7FE0, 0x0000);

/// Reads the attributes before the pixels; also gives the number of bytes that the whole has at most.
pub(super) fn before_pixels(place: &Place, limit: u64) -> Result<(DefaultDicomObject, u64), Reject> {
    let end = structure::check(place, limit, true)?;
    Ok((open(place, OpenFileOptions::new().read_until(PIXELS), limit)?, end))
}

/// Reads the whole file.
pub(super) fn whole(place: &Place, limit: u64) -> Result<DefaultDicomObject, Reject> {
    structure::check(place, limit, false)?;
    open(place, OpenFileOptions::new(), limit)
}

fn open(place: &Place, options: OpenFileOptions, limit: u64) -> Result<DefaultDicomObject, Reject> {
    options.from_reader(Stream::open(place, limit)?).map_err(|error| {
        let reason = match io_kind(&error) {
            Some(ErrorKind::TimedOut) => return Reject::too_slow(),
            Some(ErrorKind::UnexpectedEof) => Reason::Truncated,
            _ => Reason::Unreadable,
        };
        Reject::new(reason, format!("not readable as DICOM: {}", cause(&error)))
    })
}

/// The innermost cause of an error, without values from the file.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().lines().next().unwrap_or_default().chars().take(160).collect()
}

/// The kind of the I/O error that an error comes of.
fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = error.source();
    }
    None
}

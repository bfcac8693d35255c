//! Opens DICOM files, up to the pixels or whole, within the memory that one file may take.

use dicom_object::DefaultDicomObject;

use super::structure;
use crate::place::Place;
use crate::reject::Reject;

/// Reads the attributes before the pixels; also gives the number of bytes that the file takes where it lies.
pub(super) fn before_pixels(place: &Place, limit: u64) -> Result<(DefaultDicomObject, u64), Reject> {
    structure::read(place, limit, false)
}

/// Reads the whole file.
pub(super) fn whole(place: &Place, limit: u64) -> Result<DefaultDicomObject, Reject> {
    structure::read(place, limit, true).map(|(object, _)| object)
}

/// The innermost cause of an error, without values from the file.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().lines().next().unwrap_or_default().chars().take(160).collect()
}

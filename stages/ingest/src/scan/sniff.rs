//! What a file is, by its first bytes; names only help to say what was expected.

mod companion;
mod foreign;

use std::io::{ErrorKind, Read};

use flate2::read::MultiGzDecoder;

use crate::discover::zip;
use crate::format::Format;
use crate::formats::{FORMATS, nifti};
use crate::inputs::Input;
use crate::place::Place;
use crate::reject::{Reason, Reject};

/// Enough for a NIfTI-2 header and for DICOM's preamble and prefix.
const HEAD: usize = 540;

/// Tells the format of a file, or why it is none.
pub(super) fn sniff(input: &Input) -> Result<&'static dyn Format, Reject> {
    let name = input.name();
    if let Some(reject) = companion::thumbnail(&name) {
        return Err(reject);
    }
    let mut head = Vec::with_capacity(HEAD);
    let bytes = input.place.open().map_err(|error| Reject::from_io(&error, "cannot be opened"))?;
    bytes.take(HEAD as u64).read_to_end(&mut head).map_err(|error| Reject::from_io(&error, "cannot be read"))?;
    let zipped = head.starts_with(&[0x1f, 0x8b]);
    let mut broken = None;
    if zipped {
        (head, broken) = inflated_head(&input.place)?;
    }
    if let Some(reject) = companion::apple_double(&head) {
        return Err(reject);
    }
    if let Some(format) = format(&head) {
        return Ok(format);
    }
    if nifti::is_voxels_of_pair(&name, &input.place) {
        return Err(Reject::new(Reason::Companion, "the voxels of the .hdr file beside it"));
    }
    if let Some(reject) = companion::by_name(&name).or_else(|| foreign::reject(&name, &head, zipped)) {
        return Err(reject);
    }
    if zip::is_zip(&head) {
        return Err(Reject::unsupported("a zip in a zip: unpack the outer one"));
    }
    match broken {
        Some(ErrorKind::UnexpectedEof) => Err(Reject::new(Reason::Truncated, "a gzip stream that ends early")),
        Some(_) => Err(Reject::unreadable("not a sound gzip stream")),
        None => Err(no_image(&name, &head)),
    }
}

/// The first bytes that a gzip stream holds; with them why there are no more, where it breaks off.
fn inflated_head(place: &Place) -> Result<(Vec<u8>, Option<ErrorKind>), Reject> {
    let mut head = Vec::with_capacity(HEAD);
    let bytes = place.open().map_err(|error| Reject::from_io(&error, "cannot be opened"))?;
    let inflated = MultiGzDecoder::new(bytes).take(HEAD as u64).read_to_end(&mut head);
    // A stream that breaks off after its first bytes is judged by these.
    Ok((head, inflated.err().map(|error| error.kind())))
}

fn format(head: &[u8]) -> Option<&'static dyn Format> {
    FORMATS.into_iter().find(|format| format.sniff(head))
}

/// A reject that tells a damaged image from a file that never was one.
fn no_image(name: &str, head: &[u8]) -> Reject {
    let empty = head.is_empty();
    let name = name.to_ascii_lowercase();
    let endings = FORMATS.into_iter().flat_map(|format| format.endings().iter().map(move |ending| (*ending, format)));
    // The longest that fits: `.nii.gz` is no `.gz`.
    let expected = endings.filter(|(ending, _)| name.ends_with(ending)).max_by_key(|(ending, _)| ending.len());
    let expected = expected.map(|(ending, format)| (ending, format.name()));
    let named = |format: &dyn Format| expected.is_some_and(|(_, name)| name == format.name());
    if FORMATS.into_iter().any(|format| format.is_cut(head, named(format))) {
        return Reject::new(Reason::Truncated, "ends within its header");
    }
    match (expected, empty) {
        (Some((ending, _)), true) => Reject::unreadable(format!("empty, though named {ending}")),
        (Some((ending, format)), false) => {
            Reject::unreadable(format!("named {ending}, but its content is not {format}"))
        }
        (None, true) => Reject::new(Reason::NotAnImage, "empty"),
        (None, false) => Reject::new(Reason::NotAnImage, "neither NIfTI, DICOM, PNG nor JPEG by its content"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use deepmcat_schemas::FileStat;

    use super::*;
    use crate::inputs::Origin;

    #[test]
    fn kinds_follow_from_content() {
        let mut dicom = vec![0; 200];
        dicom[128..132].copy_from_slice(b"DICM");
        let name = |head: &[u8]| format(head).map(Format::name);
        assert_eq!(name(&dicom), Some("DICOM"));
        assert_eq!(name(b"\x89PNG\r\n\x1a\n...."), Some("PNG"));
        assert_eq!(name(b"\xff\xd8\xff\xe0"), Some("JPEG"));
        assert_eq!(name(b"hello"), None);
    }

    #[test]
    fn a_damaged_image_is_told_from_a_text() {
        let folder = tempfile::tempdir().unwrap();
        let reason = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs_err::write(&path, content).unwrap();
            let place = Place::File(path);
            let origin = Origin { source: name.to_owned(), member: None };
            sniff(&Input { place, origin, start: 0, stat: FileStat::default() }).err().unwrap().reason
        };
        assert_eq!(reason("SOURCE.txt", "where from"), Reason::NotAnImage);
        assert_eq!(reason("a.nii", "text"), Reason::Unreadable);
        assert_eq!(reason("b.PNG", ""), Reason::Unreadable);
        assert_eq!(reason("c", ""), Reason::NotAnImage);
    }
}

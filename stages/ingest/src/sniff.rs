//! What a file is, by its first bytes; names only help to say what was expected.

mod companion;
mod foreign;

use std::io::{ErrorKind, Read};

use flate2::read::MultiGzDecoder;

use crate::place::Place;
use crate::reject::{Reason, Reject};
use crate::walk::Input;
use crate::{archive, dicom_file, nifti_file};

pub(crate) use foreign::is_office;

/// A kind of file that may hold images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// DICOM, with or without a preamble.
    Dicom,
    /// NIfTI in one file, or the header of a pair.
    Nifti,
    /// The voxels of a NIfTI pair.
    NiftiVoxels,
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

/// Enough for a NIfTI-2 header and for DICOM's preamble and prefix.
const HEAD: usize = 540;

/// Tells the kind of a file, or why it is none.
pub(crate) fn sniff(input: &Input) -> Result<Kind, Reject> {
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
    if let Some(kind) = kind(&head) {
        return Ok(kind);
    }
    if nifti_file::is_voxels_of_pair(&name, &input.place) {
        return Ok(Kind::NiftiVoxels);
    }
    if let Some(reject) = companion::by_name(&name).or_else(|| foreign::reject(&name, &head, zipped)) {
        return Err(reject);
    }
    if archive::is_zip(&head) {
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

fn kind(head: &[u8]) -> Option<Kind> {
    if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Kind::Png)
    } else if head.starts_with(&[0xff, 0xd8, 0xff]) {
        Some(Kind::Jpeg)
    } else if nifti_file::is_header(head) {
        Some(Kind::Nifti)
    } else if dicom_file::is_dicom(head) {
        Some(Kind::Dicom)
    } else {
        None
    }
}

/// Whether these first bytes of a file are all there is of a sound one's.
fn is_cut(head: &[u8]) -> bool {
    let starts = [b"\x89PNG\r\n\x1a\n".as_slice(), b"\xff\xd8\xff"];
    let begun = starts.iter().any(|start| head.len() > 1 && start.starts_with(head));
    begun || nifti_file::is_cut(head)
}

/// A reject that tells a damaged image from a file that never was one.
fn no_image(name: &str, head: &[u8]) -> Reject {
    let empty = head.is_empty();
    let name = name.to_ascii_lowercase();
    let expected = [
        (".nii", "NIfTI"),
        (".nii.gz", "NIfTI"),
        (".dcm", "DICOM"),
        (".ima", "DICOM"),
        (".png", "PNG"),
        (".jpg", "JPEG"),
        (".jpeg", "JPEG"),
    ]
    .into_iter()
    .find(|(ending, _)| name.ends_with(ending));
    let preamble = head.len() <= 132 && head.iter().take(128).all(|&byte| byte == 0);
    if is_cut(head) || (expected.is_some_and(|(_, format)| format == "DICOM") && !empty && preamble) {
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
    use super::*;
    use deepmcat_schemas::FileStat;

    #[test]
    fn kinds_follow_from_content() {
        let mut dicom = vec![0; 200];
        dicom[128..132].copy_from_slice(b"DICM");
        assert_eq!(kind(&dicom), Some(Kind::Dicom));
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n...."), Some(Kind::Png));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some(Kind::Jpeg));
        assert_eq!(kind(b"hello"), None);
    }

    #[test]
    fn a_damaged_image_is_told_from_a_text() {
        let folder = tempfile::tempdir().unwrap();
        let reason = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs_err::write(&path, content).unwrap();
            let place = Place::File(path);
            sniff(&Input { place, source: name.to_owned(), member: None, start: 0, stat: FileStat::default() })
                .unwrap_err()
                .reason
        };
        assert_eq!(reason("SOURCE.txt", "where from"), Reason::NotAnImage);
        assert_eq!(reason("a.nii", "text"), Reason::Unreadable);
        assert_eq!(reason("b.PNG", ""), Reason::Unreadable);
        assert_eq!(reason("c", ""), Reason::NotAnImage);
    }
}

//! Formats that are not read, by their first bytes: what a person calls them, and what to do about it.

use crate::discover::zip;
use crate::formats::nifti;
use crate::reject::Reject;

/// What to do.
#[derive(Clone, Copy)]
enum Then {
    /// A picture.
    Png,
    /// A volume.
    Nifti,
    /// A container.
    Unpack,
    /// A film.
    Frames,
    /// A document or a table.
    Nothing,
}

/// First bytes, and where they stand.
type Magic = (usize, &'static [u8]);

/// What is no image format of its own but known by its first bytes.
const FORMATS: &[(&[Magic], &str, Then)] = &[
    (&[(0, b"II*\0")], "a TIFF", Then::Png),
    (&[(0, b"MM\0*")], "a TIFF", Then::Png),
    (&[(0, b"II+\0")], "a BigTIFF", Then::Png),
    (&[(0, b"MM\0+")], "a BigTIFF", Then::Png),
    (&[(0, b"BM"), (6, &[0; 4])], "a BMP", Then::Png),
    (&[(0, b"GIF8")], "a GIF", Then::Png),
    (&[(0, b"RIFF"), (8, b"WEBP")], "a WebP", Then::Png),
    (&[(0, b"\xff\x0a")], "a JPEG XL", Then::Png),
    (&[(0, b"\0\0\0\x0cJXL ")], "a JPEG XL", Then::Png),
    (&[(0, b"\0\0\0\x0cjP")], "a JPEG 2000", Then::Png),
    (&[(0, b"\xff\x4f\xff\x51")], "a JPEG 2000", Then::Png),
    (&[(0, b"II\xbc")], "a JPEG XR", Then::Png),
    (&[(4, b"ftyphei")], "a HEIC", Then::Png),
    (&[(4, b"ftyphev")], "a HEIC", Then::Png),
    (&[(4, b"ftypmif1")], "a HEIC", Then::Png),
    (&[(4, b"ftypavi")], "an AVIF", Then::Png),
    (&[(0, b"8BPS")], "a Photoshop file", Then::Png),
    (&[(0, b"\x76\x2f\x31\x01")], "an OpenEXR", Then::Png),
    (&[(0, b"P2\n")], "a PGM", Then::Png),
    (&[(0, b"P5\n")], "a PGM", Then::Png),
    (&[(0, b"P6\n")], "a PPM", Then::Png),
    (&[(0, b"P5 ")], "a PGM", Then::Png),
    (&[(0, b"P6 ")], "a PPM", Then::Png),
    (&[(0, b"ObjectType")], "a MetaImage (MHA or MHD)", Then::Nifti),
    (&[(0, b"NDims")], "a MetaImage (MHA or MHD)", Then::Nifti),
    (&[(0, b"NRRD0")], "an NRRD", Then::Nifti),
    (&[(0, b"CDF\x01")], "a MINC or NetCDF file", Then::Nifti),
    (&[(0, b"CDF\x02")], "a MINC or NetCDF file", Then::Nifti),
    (&[(0, b"\x89HDF\r\n\x1a\n")], "an HDF5 file (as MINC 2 or MATLAB 7.3)", Then::Nifti),
    (&[(0, b"MATLAB 5.0 MAT-file")], "a MATLAB file", Then::Nifti),
    (&[(0, b"\x93NUMPY")], "a NumPy array", Then::Nifti),
    (&[(0, b"MATRIX7")], "an ECAT 7 file", Then::Nifti),
    (&[(0, b"!INTERFILE")], "an Interfile header", Then::Nifti),
    (&[(0, b"# === DATA DESCRIPTION FILE")], "a Philips PAR header", Then::Nifti),
    (&[(4, b"ftyp")], "a film (MP4 or QuickTime)", Then::Frames),
    (&[(0, b"RIFF"), (8, b"AVI ")], "a film (AVI)", Then::Frames),
    (&[(0, b"\x1a\x45\xdf\xa3")], "a film (Matroska)", Then::Frames),
    (&[(0, b"\0\0\x01\xba")], "a film (MPEG)", Then::Frames),
    (&[(0, b"\0\0\x01\xb3")], "a film (MPEG)", Then::Frames),
    (&[(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")], "a film (WMV)", Then::Frames),
    (&[(0, b"%PDF-")], "a PDF", Then::Nothing),
    (&[(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")], "an Office document", Then::Nothing),
    (&[(257, b"ustar")], "a tar", Then::Unpack),
    (&[(0, b"7z\xbc\xaf\x27\x1c")], "a 7z", Then::Unpack),
    (&[(0, b"Rar!\x1a\x07")], "a RAR", Then::Unpack),
    (&[(0, b"BZh"), (4, b"1AY&SY")], "a bzip2", Then::Unpack),
    (&[(0, b"\xfd7zXZ\0")], "an xz", Then::Unpack),
    (&[(0, b"\x28\xb5\x2f\xfd")], "a zstd", Then::Unpack),
    (&[(0, b"\x04\x22\x4d\x18")], "an LZ4", Then::Unpack),
    (&[(0, b"PK\x07\x08")], "a part of a split zip", Then::Unpack),
];

/// The reject of a file of such a format; `head` are its first bytes, inflated where it is `zipped` (gzip).
pub(super) fn reject(name: &str, head: &[u8], zipped: bool) -> Option<Reject> {
    let has = |&(at, magic): &Magic| head.get(at..).is_some_and(|rest| rest.starts_with(magic));
    let of = |then: Then, what: &str| Reject::unsupported(advice(what, then));
    let found = FORMATS.iter().find(|(magics, ..)| magics.iter().all(has));
    match found {
        Some((_, "a tar", then)) if zipped => Some(of(*then, "a tar.gz")),
        Some((_, what, then)) => Some(of(*then, what)),
        None if is_mgh(name, head) => Some(of(Then::Nifti, "a FreeSurfer volume (MGH or MGZ)")),
        None if nifti::is_analyze(head) => Some(of(Then::Nifti, "an ANALYZE 7.5 header")),
        None if zip::is_office(head) => Some(of(Then::Nothing, "an Office document or an e-book")),
        None => None,
    }
}

fn advice(what: &str, then: Then) -> String {
    match then {
        Then::Png => format!("{what}: convert it to PNG"),
        Then::Nifti => format!("{what}: convert it to NIfTI"),
        Then::Unpack => format!("{what}: unpack it first"),
        Then::Frames => format!("{what}: save its frames as PNG"),
        Then::Nothing => format!("{what}: images in it are not read"),
    }
}

/// FreeSurfer's header: version 1 and four sizes in big endian, which is too little to go by without the name.
fn is_mgh(name: &str, head: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    [".mgh", ".mgz", ".mgh.gz"].iter().any(|ending| name.ends_with(ending)) && head.starts_with(&[0, 0, 0, 1])
}

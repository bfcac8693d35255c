//! Siemens mosaics: all slices of a volume side by side in one image, as scanners before 2020 write fMRI and diffusion.

use dicom_dictionary_std::tags;
use dicom_object::Tag;

use super::values::{DataSet, count, text};
use crate::raster::Raster;

/// The most slices that a mosaic is taken to have.
const MOST: u32 = 4096;

/// What a file says of being a mosaic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mosaic {
    /// An image.
    No,
    /// This many slices, in as many columns as rows.
    Of(usize),
    /// A mosaic of nobody knows how many slices.
    Unknown,
}

/// The private creator of NumberOfImagesInMosaic (0019,xx0A), and that of the CSA header (0029,xx10), which has it too.
const HEADER: &str = "SIEMENS MR HEADER";
const CSA: &str = "SIEMENS CSA HEADER";

/// Whether a file is a mosaic: one value of ImageType (0008,0008) is MOSAIC.
pub(super) fn of(object: &DataSet) -> Mosaic {
    let kinds = text(object, tags::IMAGE_TYPE).unwrap_or_default();
    if !kinds.split('\\').any(|kind| kind.trim().eq_ignore_ascii_case("MOSAIC")) {
        return Mosaic::No;
    }
    let said = private(object, 0x0019, HEADER, 0x0a).and_then(|tag| count(object, tag));
    let csa = || {
        let tag = private(object, 0x0029, CSA, 0x10)?;
        in_csa(&object.get(tag)?.to_bytes().ok()?)
    };
    match said.or_else(csa).filter(|slices| (1..=MOST).contains(slices)) {
        Some(1) => Mosaic::No,
        Some(slices) => Mosaic::Of(slices as usize),
        None => Mosaic::Unknown,
    }
}

/// The tag of a private element in the block of a creator (PS3.5 7.8.1).
fn private(object: &DataSet, group: u16, creator: &str, element: u16) -> Option<Tag> {
    let block = (0x10..=0xff).find(|&block| text(object, Tag(group, block)).is_some_and(|found| found == creator))?;
    Some(Tag(group, block << 8 | element))
}

/// The number in a CSA header: after its name, of 64 bytes, come 20 bytes, 16 of the first item, and its text.
fn in_csa(bytes: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"NumberOfImagesInMosaic\0";
    let at = bytes.windows(NAME.len()).position(|part| part == NAME)?;
    let value = bytes.get(at + 64 + 20 + 16..)?;
    let digits: String = value.iter().take(12).map(|&byte| char::from(byte)).collect();
    digits.trim_start().split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The slices of a mosaic; none where its sides cannot be divided into them.
pub(super) fn split(whole: &Raster, slices: usize) -> Option<Vec<Raster>> {
    let side = (1..).find(|side| side * side >= slices)?;
    let (width, height) = (whole.width as usize, whole.height as usize);
    if !width.is_multiple_of(side) || !height.is_multiple_of(side) {
        return None;
    }
    let (columns, rows) = (width / side, height / side);
    let slice = |number: usize| {
        let corner = number / side * rows * width + number % side * columns;
        let values = (0..rows).flat_map(|row| &whole.values[corner + row * width..][..columns]).copied().collect();
        Raster { width: columns as u32, height: rows as u32, values, ..*whole }
    };
    Some((0..slices).map(slice).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::raster::Scale;

    #[test]
    fn slices_lie_row_by_row() {
        let values = (0..24).map(|value| value as f32).collect();
        let whole = Raster { width: 6, height: 4, values, scale: Scale::default(), exact: false, window: None };
        let slices = split(&whole, 3).unwrap();
        assert_eq!(slices.len(), 3);
        assert_eq!((slices[1].width, slices[1].height), (3, 2));
        assert_eq!(slices[1].values, [3.0, 4.0, 5.0, 9.0, 10.0, 11.0]);
        assert_eq!(slices[2].values, [12.0, 13.0, 14.0, 18.0, 19.0, 20.0]);
        assert!(split(&whole, 10).is_none());
    }

    #[test]
    fn the_csa_header_has_the_number_too() {
        let mut csa = b"SV10\x04\x03\x02\x01".to_vec();
        csa.extend([1, 0, 0, 0, 77, 0, 0, 0]);
        let mut name = b"NumberOfImagesInMosaic".to_vec();
        name.resize(64, 0);
        csa.extend(name);
        csa.extend([0; 36]);
        csa.extend(b"      36\0\0\0\0");
        assert_eq!(in_csa(&csa), Some(36));
        assert_eq!(in_csa(&csa[..100]), None);
    }
}

//! Compressed frames, by the decoders of dicom-rs, after a look at what they would allocate.

use dicom_dictionary_std::{tags, uids};
use dicom_object::DefaultDicomObject;
use dicom_pixeldata::PixelDecoder;

use super::open::cause;
use super::pixels::Layout;
use crate::reject::{Reason, Reject};

/// A frame after decompression.
pub(super) struct Decoded {
    /// Samples pixel by pixel, little endian.
    pub bytes: Vec<u8>,
    /// Bits of a sample, 8 or 16.
    pub allocated: u32,
    /// True where the decoder has turned YCbCr into RGB.
    pub is_rgb: bool,
    /// True where colours lie one after the other, not pixel by pixel.
    pub planar: bool,
}

/// Decodes one frame.
pub(super) fn decode(object: &DefaultDicomObject, layout: &Layout, frame: u32) -> Result<Decoded, Reject> {
    let syntax = object.meta().transfer_syntax().trim_end_matches('\0');
    let fragments = object.get(tags::PIXEL_DATA).and_then(|element| element.value().fragments()).unwrap_or_default();
    if fragments.is_empty() {
        return Err(Reject::new(Reason::Truncated, "PixelData holds no fragment"));
    }
    let rle = syntax == uids::RLE_LOSSLESS;
    for fragment in fragments {
        if rle {
            check_rle(fragment)?;
        } else {
            check_jpeg(fragment, layout)?;
        }
    }
    let decoded = object.decode_pixel_data_frame(frame).map_err(|error| {
        let text = cause(&error);
        if ["nsupported", "not supported", "nknown transfer syntax"].iter().any(|sign| text.contains(sign)) {
            Reject::unsupported(format!("transfer syntax {syntax}: {text}"))
        } else {
            Reject::unreadable(format!("transfer syntax {syntax}: {text}"))
        }
    })?;
    let bytes = decoded.data().to_vec();
    let samples = layout.pixels() * layout.samples;
    let allocated = match bytes.len() {
        length if length == samples * layout.allocated as usize / 8 => layout.allocated,
        // Eight bits are enough for some decoders, whatever BitsAllocated says; a byte may pad them.
        length if length == samples && layout.allocated == 16 => 8,
        length if length == samples + 1 && layout.allocated == 8 => 8,
        length => {
            let message =
                format!("a frame decoded to {length} bytes, expected {}", samples * layout.allocated as usize / 8);
            return Err(Reject::unreadable(message));
        }
    };
    let planar = layout.samples == 3 && fragments.first().is_some_and(|first| is_planar_jpeg_ls(first));
    Ok(Decoded { bytes, allocated, is_rgb: layout.samples == 3 && !rle, planar })
}

/// An RLE header (PS3.5 G.5): up to 15 segments, whose offsets rise within the fragment.
fn check_rle(fragment: &[u8]) -> Result<(), Reject> {
    let word = |index: usize| {
        let bytes = fragment.get(4 * index..4 * index + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let segments = word(0).filter(|segments| (1..=15).contains(segments));
    let sound = fragment.len() >= 64
        && segments.is_some_and(|segments| {
            let offsets: Vec<usize> = (1..=segments).filter_map(word).collect();
            offsets.first() == Some(&64) && offsets.is_sorted() && offsets.iter().all(|&at| at <= fragment.len())
        });
    if sound { Ok(()) } else { Err(Reject::unreadable("an RLE fragment whose header is wrong")) }
}

/// The size in a JPEG's frame header (ITU-T T.81 B.2.2) or a JPEG 2000's (T.800 A.5.1), against the size that the
/// attributes say.
fn check_jpeg(fragment: &[u8], layout: &Layout) -> Result<(), Reject> {
    let Some((width, height)) = jpeg_size(fragment).or_else(|| jpeg_2000_size(fragment)) else { return Ok(()) };
    if width * height <= layout.pixels().max(1) * 4 {
        return Ok(());
    }
    let message = format!("a JPEG of {width} x {height} where {} x {} is said", layout.columns, layout.rows);
    Err(Reject::unreadable(message))
}

/// Width and height of a JPEG 2000 codestream: its first marker, SIZ, holds the reference grid.
fn jpeg_2000_size(bytes: &[u8]) -> Option<(usize, usize)> {
    if !bytes.starts_with(&[0xff, 0x4f, 0xff, 0x51]) {
        return None;
    }
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    // After Lsiz and Rsiz: Xsiz, Ysiz, XOsiz, YOsiz. The grid counts, not the image in it: it is what is taken.
    Some((word(8)?, word(12)?))
}

/// Start of frame of a JPEG-LS (T.87), and start of scan.
const JPEG_LS: u8 = 0xf7;
const SCAN: u8 = 0xda;

/// Width and height of a JPEG; none where it is none or its header cannot be followed.
fn jpeg_size(bytes: &[u8]) -> Option<(usize, usize)> {
    // Start of frame, but for DHT, JPG and DAC.
    let frame = |marker| matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | JPEG_LS);
    let size = segment(bytes, frame)?.get(1..5)?;
    let pair = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]));
    Some((pair(size[2], size[3]), pair(size[0], size[1])))
}

/// True for a JPEG-LS whose colours are scans of their own: its decoder keeps them apart.
fn is_planar_jpeg_ls(bytes: &[u8]) -> bool {
    segment(bytes, |marker| marker == JPEG_LS).is_some()
        && segment(bytes, |marker| marker == SCAN).is_some_and(|scan| scan.first() == Some(&1))
}

/// The first segment of a JPEG's header with such a marker, and its content.
fn segment(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<&[u8]> {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return None;
    }
    let mut at = 2;
    loop {
        let marker = bytes.get(at..at + 4)?;
        match (marker[0], marker[1]) {
            (0xff, 0xff) => at += 1, // fill bytes
            (0xff, found) if wanted(found) => return bytes.get(at + 4..),
            (0xff, SCAN) => return None,
            (0xff, _) => at += 2 + usize::from(u16::from_be_bytes([marker[2], marker[3]])),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_rle_header_is_refused_before_it_is_decoded() {
        let mut fragment = vec![0; 80];
        fragment[0] = 2;
        fragment[4] = 64;
        fragment[8] = 70;
        assert!(check_rle(&fragment).is_ok());
        fragment[8] = 90;
        assert!(check_rle(&fragment).is_err());
        fragment[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(check_rle(&fragment).is_err());
        assert!(check_rle(&[1, 0, 0]).is_err());
    }

    #[test]
    fn the_size_of_a_jpeg_is_found_behind_its_tables() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 17, 8, 0x01, 0x00, 0x02, 0x00, 3];
        assert_eq!(jpeg_size(&jpeg), Some((512, 256)));
        assert_eq!(jpeg_size(&jpeg[..10]), None);
        assert_eq!(jpeg_size(b"no"), None);
    }

    #[test]
    fn the_size_of_a_jpeg_2000_is_that_of_its_grid() {
        let mut codestream = vec![0xff, 0x4f, 0xff, 0x51, 0, 41, 0, 0];
        codestream.extend([512_u32, 256, 0, 0].map(u32::to_be_bytes).concat());
        assert_eq!(jpeg_2000_size(&codestream), Some((512, 256)));
        assert_eq!(jpeg_2000_size(&codestream[..12]), None);
    }
}

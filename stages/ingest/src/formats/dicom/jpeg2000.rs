//! JPEG 2000 frames (ITU-T T.800, and T.814 for HTJ2K), bare or in JP2 boxes: what their headers say, then the decoder.

use super::colour::{Colour, Decoded};
use super::jpeg;
use super::layout::{Layout, room};
use super::open::cause;
use crate::reject::Reject;

/// What a codestream starts with: SOC and SIZ (T.800 A.4.1, A.5.1).
const CODESTREAM: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
/// The signature box of a JP2 file (T.800 I.5.1).
const BOXES: [u8; 8] = *b"\0\0\0\x0cjP  ";
/// Coding style default (A.6.1) and start of a tile part (A.4.2).
const STYLE: u8 = 0x52;
const TILE: u8 = 0x90;
/// Memory that the decoder takes for a tile and one of its components before it reads them, at most.
const TILE_BYTES: u64 = 8192;

/// What the main header says.
#[derive(Debug, Default, PartialEq)]
struct Header {
    width: u64,
    height: u64,
    /// Area of the reference grid, which the decoder takes.
    grid: u64,
    tiles: u64,
    components: u64,
    /// The multiple component transform (A.6.1) turned red, green and blue into luminance and differences.
    transformed: bool,
    /// EnumCS of the boxes' colour specification (I.5.3.3).
    space: Option<u32>,
}

/// True where a codestream or its boxes start.
pub(super) fn starts(bytes: &[u8]) -> bool {
    bytes.starts_with(&CODESTREAM) || bytes.starts_with(&BOXES)
}

/// Decodes a frame; memory is taken only for a size that is said twice, by the codestream and by the attributes.
pub(super) fn decode(bytes: &[u8], layout: &Layout, limit: u64) -> Result<Decoded, Reject> {
    let header = header(bytes).ok_or_else(|| Reject::unreadable("a JPEG 2000 whose header cannot be followed"))?;
    let (width, height) = (layout.columns as u64, layout.rows as u64);
    if (header.width, header.height) != (width, height) || header.grid > 4 * width * height {
        let message = format!("a JPEG 2000 of {} x {} where {width} x {height} is said", header.width, header.height);
        return Err(Reject::unreadable(message));
    }
    if header.components != layout.samples as u64 {
        let message =
            format!("a JPEG 2000 of {} colours where SamplesPerPixel is {}", header.components, layout.samples);
        return Err(Reject::unreadable(message));
    }
    let tiles = header.tiles.saturating_mul(1 + header.components).saturating_mul(TILE_BYTES);
    // The decoder works in 32 bits, twice.
    let planes = header.grid * header.components * 8;
    Reject::if_larger(tiles.saturating_add(planes), limit, "one frame")?;
    // Strict: else what is missing at the end is a blur.
    let decode = |bytes: &[u8]| jpeg2k::Image::from_bytes_with(bytes, jpeg2k::DecodeParameters::new().strict(true));
    let image = decode(bytes).or_else(|error| {
        let mended = jpeg::mended(bytes).and_then(|bytes| decode(&bytes).ok());
        mended.ok_or_else(|| Reject::unreadable(format!("JPEG 2000: {}", cause(&error))))
    })?;
    let components = image.components();
    let depth = components.iter().map(jpeg2k::ImageComponent::precision).max().unwrap_or(0);
    if components.len() != layout.samples || !(1..=32).contains(&depth) {
        return Err(Reject::unsupported("a JPEG 2000 whose colours are a palette's, or too deep"));
    }
    if depth > layout.allocated.max(8) {
        let message = format!("a JPEG 2000 of {depth} bits where BitsAllocated is {}", layout.allocated);
        return Err(Reject::unreadable(message));
    }
    let allocated = match depth {
        0..=8 => 8,
        9..=16 => 16,
        _ => 32,
    };
    let mut decoded = layout.decoded(allocated);
    // The sign is that of the attributes, at the top of the bits that are coded: some writers code signed values as if
    // they had none.
    if depth < decoded.stored {
        (decoded.stored, decoded.high) = (depth, depth - 1);
    }
    decoded.planar = layout.samples == 3;
    let mut samples = room(layout.pixels() * layout.samples * allocated as usize / 8)?;
    for component in components {
        plane(component, layout, allocated as usize / 8, &mut samples);
    }
    let coarse = components.iter().any(|component| component.width() != components[0].width());
    let colour = match header.space {
        _ if header.transformed => Colour::Rgb,
        Some(SRGB) => Colour::Rgb,
        Some(SYCC) => Colour::Full,
        _ if coarse => Colour::Full,
        _ => Colour::named(&layout.photometric),
    };
    Decoded::new(samples, decoded, colour)
}

/// EnumCS: red, green and blue; luminance and differences.
const SRGB: u32 = 16;
const SYCC: u32 = 18;

/// Adds a component's samples, each as often as coarser ones stand for several pixels.
fn plane(component: &jpeg2k::ImageComponent, layout: &Layout, size: usize, samples: &mut Vec<u8>) {
    let (width, height) = (component.width() as usize, component.height() as usize);
    for row in 0..layout.rows {
        let start = row * height / layout.rows * width;
        let row = &component.data()[start..start + width];
        if width == layout.columns {
            row.iter().for_each(|sample| samples.extend_from_slice(&sample.to_le_bytes()[..size]));
        } else {
            let wide = (0..layout.columns).map(|column| row[column * width / layout.columns]);
            wide.for_each(|sample| samples.extend_from_slice(&sample.to_le_bytes()[..size]));
        }
    }
}

/// Reads the main header of a codestream, or of the one in JP2 boxes.
fn header(bytes: &[u8]) -> Option<Header> {
    if !bytes.starts_with(&BOXES) {
        return main_header(bytes);
    }
    let (mut at, mut space) = (0, None);
    loop {
        let (kind, start, end) = next_box(bytes, at)?;
        match kind {
            b"jp2c" => return Some(Header { space, ..main_header(bytes.get(start..end)?)? }),
            // The header box holds the colour specification.
            b"jp2h" => at = start,
            b"colr" => {
                let content = bytes.get(start..end)?;
                // METH 1: enumerated
                if content.first() == Some(&1) {
                    space = space.or(number(content, 3));
                }
                at = end;
            }
            _ => at = end,
        }
    }
}

/// Type, start and end of the content of the box at `at` (I.4).
fn next_box(bytes: &[u8], at: usize) -> Option<(&[u8], usize, usize)> {
    let kind = bytes.get(at + 4..at + 8)?;
    let (start, length) = match number(bytes, at)? {
        0 => (at + 8, bytes.len() - at),
        1 => (
            at + 16,
            usize::try_from(u64::from(number(bytes, at + 8)?) << 32 | u64::from(number(bytes, at + 12)?)).ok()?,
        ),
        length => (at + 8, length as usize),
    };
    let end = at.checked_add(length)?.min(bytes.len());
    (end >= start).then_some((kind, start, end))
}

/// SIZ (A.5.1) and COD (A.6.1).
fn main_header(bytes: &[u8]) -> Option<Header> {
    if !bytes.starts_with(&CODESTREAM) {
        return None;
    }
    let word = |at| number(bytes, at).map(u64::from);
    // After Lsiz and Rsiz: Xsiz, Ysiz, XOsiz, YOsiz, XTsiz, YTsiz, XTOsiz, YTOsiz, Csiz
    let (right, bottom, left, top) = (word(8)?, word(12)?, word(16)?, word(20)?);
    let (across, down, tile_left, tile_top) = (word(24)?, word(28)?, word(32)?, word(36)?);
    let mut header = Header {
        width: right.checked_sub(left)?,
        height: bottom.checked_sub(top)?,
        grid: right * bottom, // each below 2^32
        tiles: right.checked_sub(tile_left)?.div_ceil(across.max(1))
            * bottom.checked_sub(tile_top)?.div_ceil(down.max(1)),
        components: u64::from(u16::from_be_bytes([*bytes.get(40)?, *bytes.get(41)?])),
        ..Header::default()
    };
    let mut at = 2;
    loop {
        let segment = bytes.get(at..at + 4)?;
        match (segment[0], segment[1]) {
            // Scod, progression, two bytes of layers, then the transform
            (0xff, STYLE) => {
                header.transformed = *bytes.get(at + 8)? == 1;
                return Some(header);
            }
            (0xff, TILE) | (0..0xff, _) => return None,
            _ => at += 2 + usize::from(u16::from_be_bytes([segment[2], segment[3]])),
        }
    }
}

/// Four bytes, big endian.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn codestream(sizes: [u32; 8], transform: u8) -> Vec<u8> {
        let mut bytes = [&CODESTREAM[..], &[0, 41, 0, 0]].concat();
        bytes.extend(sizes.map(u32::to_be_bytes).concat());
        bytes.extend([0, 1, 7, 1, 1]);
        bytes.resize(4 + 41, 0);
        bytes.extend([0xff, STYLE, 0, 12, 0, 0, 0, 1, transform, 5]);
        bytes
    }

    #[test]
    fn size_and_transform_are_found() {
        let found = header(&codestream([522, 260, 10, 4, 522, 260, 0, 0], 1)).unwrap();
        assert_eq!((found.width, found.height, found.grid, found.tiles), (512, 256, 522 * 260, 1));
        assert!(found.transformed && found.components == 1);
        assert!(!header(&codestream([512, 256, 0, 0, 512, 256, 0, 0], 0)).unwrap().transformed);
        assert_eq!(header(&codestream([100, 100, 0, 0, 1, 1, 0, 0], 0)).unwrap().tiles, 10_000);
        assert!(header(&codestream([1, 1, 2, 2, 1, 1, 0, 0], 0)).is_none());
        assert!(header(&codestream([1, 1, 0, 0, 1, 1, 0, 0], 0)[..20]).is_none());
    }

    #[test]
    fn boxes_are_looked_into() {
        let inner = codestream([512, 256, 0, 0, 512, 256, 0, 0], 0);
        let signature = [&BOXES[..], &[0x0d, 0x0a, 0x87, 0x0a]].concat();
        let colour = [&[0, 0, 0, 23], b"jp2h".as_slice(), &[0, 0, 0, 15], b"colr", &[1, 0, 0, 0, 0, 0, 18]].concat();
        let file = [&signature[..], &colour, &[0, 0, 0, 0], b"jp2c", &inner].concat();
        let found = header(&file).unwrap();
        assert_eq!((found.width, found.space), (512, Some(SYCC)));
        assert!(header(&file[..60]).is_none() && starts(&file) && starts(&inner));
        // a box that claims to be shorter than its own header
        assert!(header(&[&signature[..], &[0, 0, 0, 3], b"jp2h", &[0; 9]].concat()).is_none());
    }
}

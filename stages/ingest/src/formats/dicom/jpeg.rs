//! JPEG (ITU-T T.81) and JPEG-LS (T.87) frames: what their own headers say of size, depth and colour, then the decoders.

use jpeg_decoder::ColorTransform;

use super::colour::{Colour, Decoded};
use super::layout::Layout;
use super::open::cause;
use crate::reject::{Reason, Reject};

/// Markers: start of image, end of image, start of scan, JFIF's and Adobe's segments, start of a JPEG-LS frame.
const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
const JFIF: u8 = 0xe0;
const ADOBE: u8 = 0xee;
const JPEG_LS: u8 = 0xf7;

/// What the segments before the first scan say.
#[derive(Debug, Default, PartialEq)]
struct Header {
    /// The marker of the frame header (T.81 table B.1): which coding process.
    process: u8,
    width: usize,
    height: usize,
    /// Bits of a sample.
    precision: u8,
    /// Identifiers and sampling factors of the components.
    components: Vec<(u8, u8)>,
    jfif: bool,
    /// The colour transform of Adobe's segment: 0 none, 1 YCbCr.
    adobe: Option<u8>,
    /// The first scan holds one component: colours are coded one after the other.
    planar: bool,
}

/// True where a codestream of either kind starts.
pub(super) fn starts(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, START, 0xff])
}

/// Decodes a frame.
pub(super) fn decode(bytes: &[u8], layout: &Layout) -> Result<Decoded, Reject> {
    let header = header(bytes).ok_or_else(|| Reject::unreadable("a JPEG whose header cannot be followed"))?;
    check(&header, layout)?;
    let (samples, colour) = match header.process {
        JPEG_LS => (jpeg_ls(bytes)?, Colour::named(&layout.photometric)),
        _ => jpeg(bytes, &header, layout)?,
    };
    let allocated = if header.precision <= 8 { 8 } else { 16 };
    let mut decoded = layout.decoded(allocated);
    decoded.planar = header.process == JPEG_LS && header.planar && layout.samples == 3;
    // JPEG-LS has no sign: it is the top one of the bits that are coded.
    if header.process == JPEG_LS && u32::from(header.precision) < decoded.stored {
        decoded.stored = header.precision.into();
        decoded.high = decoded.stored - 1;
    }
    Decoded::new(samples, decoded, colour)
}

/// Compares the header with the attributes: a frame of another size, depth or number of colours is another image.
fn check(header: &Header, layout: &Layout) -> Result<(), Reject> {
    if (header.width, header.height) != (layout.columns, layout.rows) {
        let (width, height) = (header.width, header.height);
        let message = format!("a JPEG of {width} x {height} where {} x {} is said", layout.columns, layout.rows);
        return Err(Reject::unreadable(message));
    }
    if header.components.len() != layout.samples {
        let message =
            format!("a JPEG of {} colours where SamplesPerPixel is {}", header.components.len(), layout.samples);
        return Err(Reject::unreadable(message));
    }
    if !(2..=16).contains(&header.precision) || u32::from(header.precision) > layout.allocated.max(8) {
        let message = format!("a JPEG of {} bits where BitsAllocated is {}", header.precision, layout.allocated);
        return Err(Reject::unreadable(message));
    }
    match header.process {
        0xc0..=0xc2 if header.precision != 8 => {
            Err(Reject::unsupported(format!("a lossy JPEG of {} bits", header.precision)))
        }
        0xc0..=0xc3 | JPEG_LS => Ok(()),
        0xc5..=0xc7 | 0xcd..=0xcf => Err(Reject::unsupported("a hierarchical JPEG")),
        _ => Err(Reject::unsupported("a JPEG with arithmetic coding")),
    }
}

/// Decodes all but JPEG-LS; grey, or the colours as they are coded.
fn jpeg(bytes: &[u8], header: &Header, layout: &Layout) -> Result<(Vec<u8>, Colour), Reject> {
    let lossless = header.process == 0xc3;
    let transform = if layout.samples == 1 {
        ColorTransform::Grayscale
    } else if !lossless && is_transformed(header, &layout.photometric) {
        ColorTransform::YCbCr
    } else {
        ColorTransform::RGB
    };
    // Lossless processes transform no colours: they are what the attributes name.
    let colour = if lossless { Colour::named(&layout.photometric) } else { Colour::Rgb };
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.set_color_transform(transform);
    let samples = decoder.decode().map_err(|error| match &error {
        jpeg_decoder::Error::Io(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            Reject::new(Reason::Truncated, "a JPEG that ends before its pixels do")
        }
        jpeg_decoder::Error::Unsupported(_) => Reject::unsupported("a JPEG of a rare kind"),
        _ => Reject::unreadable(format!("JPEG: {}", cause(&error))),
    })?;
    Ok((samples, colour))
}

/// True where the three colours of a lossy JPEG are luminance and differences. The codestream's own marks come first, in
/// the order of libjpeg; then what the attributes name. Nobody samples red or blue more coarsely than green.
fn is_transformed(header: &Header, photometric: &str) -> bool {
    let ids: Vec<u8> = header.components.iter().map(|component| component.0).collect();
    let coarse = header.components.iter().any(|component| component.1 != header.components[0].1);
    match (header.jfif, header.adobe) {
        (true, _) => true,
        (_, Some(transform)) => transform != 0,
        _ if ids == *b"RGB" || ids == *b"rgb" => false,
        _ => coarse || photometric.starts_with("YBR"),
    }
}

#[cfg(feature = "jpeg-ls")]
fn jpeg_ls(bytes: &[u8]) -> Result<Vec<u8>, Reject> {
    let decode = |bytes: &[u8]| charls::CharLS::default().decode(bytes);
    decode(bytes).or_else(|error| {
        let mended = mended(bytes).and_then(|bytes| decode(&bytes).ok());
        mended.ok_or_else(|| Reject::unreadable(format!("JPEG-LS: {error}")))
    })
}

#[cfg(not(feature = "jpeg-ls"))]
fn jpeg_ls(_: &[u8]) -> Result<Vec<u8>, Reject> {
    Err(Reject::unsupported("JPEG-LS: deepmcat was built without it"))
}

/// What a codestream that is refused may have been meant to be: without the zeros that some writers put before the end
/// marker to have an even length, or with the end marker that it lacks. JPEG 2000 has the same marker.
pub(super) fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = &bytes[..bytes.iter().rposition(|&byte| byte != 0)? + 1];
    let coded = match bytes.strip_suffix(&[0xff, END]) {
        Some(coded) => &coded[..coded.iter().rposition(|&byte| byte != 0)? + 1],
        None => bytes,
    };
    Some([coded, &[0xff, END]].concat())
}

/// Follows the segments up to the first scan.
fn header(bytes: &[u8]) -> Option<Header> {
    let mut header = Header::default();
    let mut at = bytes.strip_prefix(&[0xff, START]).map(|_| 2)?;
    loop {
        // Bytes that stray between segments are passed over, fill bytes too.
        at += bytes.get(at..)?.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff))?;
        let marker = bytes[at + 1];
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            at += 2; // these have no content
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
        let content = bytes.get(at + 4..at + 2 + length)?;
        match marker {
            JFIF => header.jfif |= content.starts_with(b"JFIF\0"),
            ADOBE if content.starts_with(b"Adobe") => header.adobe = content.get(11).copied(),
            // Start of frame, but for DHT, JPG and DAC.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | JPEG_LS => {
                let pair =
                    |at: usize| Some(usize::from(u16::from_be_bytes([*content.get(at)?, *content.get(at + 1)?])));
                header.process = marker;
                header.precision = *content.first()?;
                (header.height, header.width) = (pair(1)?, pair(3)?);
                let count = usize::from(*content.get(5)?);
                header.components = content.get(6..6 + 3 * count)?.chunks(3).map(|one| (one[0], one[1])).collect();
            }
            SCAN => {
                header.planar = content.first() == Some(&1);
                return (header.process != 0).then_some(header);
            }
            END => return None,
            _ => {}
        }
        at += 2 + length;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FRAME: [u8; 19] = [0xff, 0xc0, 0, 17, 8, 1, 0, 2, 0, 3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1];
    const SCANNED: [u8; 14] = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0];

    fn jpeg(before: &[u8]) -> Vec<u8> {
        [&[0xff, 0xd8], before, &FRAME, &SCANNED].concat()
    }

    #[test]
    fn the_header_is_found_behind_tables_and_stray_bytes() {
        let found = header(&jpeg(&[0xff, 0xe1, 0, 4, 1, 2, 7, 0, 0xff, 0])).unwrap();
        assert_eq!((found.width, found.height, found.precision, found.components.len()), (512, 256, 8, 3));
        assert!(header(&jpeg(&[])[..10]).is_none() && header(b"no").is_none());
        assert!(header(&[0xff, 0xd8, 0xff, 0xd9, 0, 0]).is_none());
    }

    #[test]
    fn the_codestream_says_whether_colours_are_transformed() {
        let with = |before: &[u8]| header(&jpeg(before)).unwrap();
        let adobe = |transform| [&[0xff, 0xee, 0, 14], b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat();
        assert!(is_transformed(&with(b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"), "RGB"));
        assert!(is_transformed(&with(&adobe(1)), "RGB"));
        assert!(!is_transformed(&with(&adobe(0)), "YBR_FULL_422"));
        assert!(!is_transformed(&with(&[]), "RGB") && is_transformed(&with(&[]), "YBR_FULL"));
        let named = Header { components: vec![(b'R', 0x11), (b'G', 0x11), (b'B', 0x11)], ..with(&[]) };
        assert!(!is_transformed(&named, "YBR_FULL_422"));
        let coarse = Header { components: vec![(1, 0x21), (2, 0x11), (3, 0x11)], ..with(&[]) };
        assert!(is_transformed(&coarse, "RGB"));
    }

    #[test]
    fn zeros_before_the_end_marker_are_padding() {
        assert_eq!(mended(&[1, 2, 0, 0xff, 0xd9, 0]).unwrap(), [1, 2, 0xff, 0xd9]);
        assert_eq!(mended(&[1, 2, 0]).unwrap(), [1, 2, 0xff, 0xd9]);
        assert!(mended(&[0, 0]).is_none());
    }
}

//! PNG pictures. Eight bits are kept exactly; colours become their brightness.

use std::io::{self, Cursor};

use crate::format::{Format, Read as Done};
use crate::place::Place;
use crate::raster::{Raster, Scale, luminance, luminance_wide};
use crate::reject::{Reason, Reject};
use crate::series::Chosen;
use crate::settings::Settings;
use crate::slice::{Sink, Slice, Stop};

/// PNG.
pub(super) struct Png;

/// Its first bytes.
const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

impl Format for Png {
    fn name(&self) -> &'static str {
        "PNG"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".png"]
    }

    fn sniff(&self, head: &[u8]) -> bool {
        head.starts_with(MAGIC)
    }

    fn is_cut(&self, head: &[u8], _: bool) -> bool {
        head.len() > 1 && MAGIC.starts_with(head)
    }

    fn read(&self, place: &Place, _: &[Chosen], how: &Settings, sink: &mut Sink<'_>) -> Result<Done, Stop> {
        let raster = read_png(place, how.limit)?;
        sink(Slice { raster, spacing: None, frame: 0, slice: 0 })?;
        Ok(Done::default())
    }
}

/// Reads a PNG of any colour type and depth.
fn read_png(place: &Place, limit: u64) -> Result<Raster, Reject> {
    let (bytes, had_end) = ended(place.whole(limit)?)?;
    // Without its end the file was cut, and a picture that is not whole is half a picture.
    let damaged = |error: png::DecodingError| if had_end { damaged(&error) } else { truncated() };
    let limits = png::Limits { bytes: usize::try_from(limit).unwrap_or(usize::MAX) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    // Palettes and 1, 2 and 4 bits become 8 bits; 16 bits stay.
    decoder.set_transformations(png::Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(damaged)?;
    let (width, height) = (header.width, header.height);
    // Decoded bytes (at most 8 a pixel) and the f32 values.
    Reject::if_larger(u64::from(width) * u64::from(height) * 12, limit, "the picture")?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader.output_buffer_size().ok_or_else(|| Reject::unreadable("the PNG is damaged: it has no size"))?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes).map_err(damaged)?;
    bytes.truncate(info.buffer_size());
    let wide = info.bit_depth == png::BitDepth::Sixteen;
    let samples = info.color_type.samples();
    let coloured = matches!(info.color_type, png::ColorType::Rgb | png::ColorType::Rgba);
    let values = if wide {
        let word = |bytes: &[u8], index: usize| f32::from(u16::from_be_bytes([bytes[2 * index], bytes[2 * index + 1]]));
        let grey = |pixel: &[u8]| match coloured {
            true => luminance_wide(word(pixel, 0), word(pixel, 1), word(pixel, 2)),
            false => word(pixel, 0),
        };
        bytes.chunks_exact(2 * samples).map(grey).collect()
    } else {
        let grey = |pixel: &[u8]| f32::from(if coloured { luminance(pixel[0], pixel[1], pixel[2]) } else { pixel[0] });
        bytes.chunks_exact(samples).map(grey).collect()
    };
    Ok(Raster { width, height, values, scale: Scale::default(), exact: !wide, window: None })
}

/// The bytes of a PNG up to its end (PNG specification, 5.3): put there where the file has none, though its picture is
/// whole. What follows the end is left out. True where the file had its end.
fn ended(mut bytes: Vec<u8>) -> Result<(Vec<u8>, bool), Reject> {
    const END: &[u8; 12] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    let (mut at, mut data, mut had_end) = (8_usize, false, false);
    while let Some([a, b, c, d, name @ ..]) = bytes.get(at..at.saturating_add(8)) {
        let next = at as u64 + 12 + u64::from(u32::from_be_bytes([*a, *b, *c, *d]));
        let within = next <= bytes.len() as u64;
        match name {
            b"IEND" => {
                had_end = true;
                break;
            }
            b"IDAT" if !within => return Err(truncated()),
            _ if !within => break,
            _ => data |= name == b"IDAT",
        }
        at = next as usize; // at most the number of bytes
    }
    if !data {
        return Err(truncated());
    }
    bytes.truncate(at);
    bytes.extend_from_slice(END);
    Ok((bytes, had_end))
}

/// Why a PNG cannot be decoded.
fn damaged(error: &png::DecodingError) -> Reject {
    // Compressed data that break off, though chunks follow them. The crate gives this error no name.
    let short = |error: &png::DecodingError| error.to_string().contains("not have enough data");
    match error {
        png::DecodingError::IoError(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => truncated(),
        png::DecodingError::Format(_) if short(error) => truncated(),
        png::DecodingError::LimitsExceeded => Reject::new(Reason::TooLarge, "the PNG asks for more than --max-memory"),
        _ => Reject::unreadable("the PNG is damaged: its data cannot be decoded"),
    }
}

fn truncated() -> Reject {
    Reject::new(Reason::Truncated, "the PNG ends before its picture does")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn png(color: png::ColorType, depth: png::BitDepth, size: (u32, u32), bytes: &[u8]) -> Result<Raster, Reject> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let mut encoder = png::Encoder::new(fs_err::File::create_new(&path).unwrap(), size.0, size.1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == png::ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 9, 9, 9]);
        }
        encoder.write_header().unwrap().write_image_data(bytes).unwrap();
        read_png(&Place::File(path), 1 << 20)
    }

    #[test]
    fn every_colour_type_becomes_grey() {
        use png::{BitDepth, ColorType};
        let values = |color, depth, bytes: &[u8]| png(color, depth, (2, 1), bytes).unwrap().values;
        assert_eq!(values(ColorType::Grayscale, BitDepth::Eight, &[3, 250]), [3.0, 250.0]);
        assert_eq!(values(ColorType::Grayscale, BitDepth::One, &[0b0100_0000]), [0.0, 255.0]);
        assert_eq!(values(ColorType::Grayscale, BitDepth::Sixteen, &[1, 0, 0, 7]), [256.0, 7.0]);
        assert_eq!(values(ColorType::GrayscaleAlpha, BitDepth::Eight, &[3, 0, 250, 9]), [3.0, 250.0]);
        assert_eq!(values(ColorType::Rgb, BitDepth::Eight, &[9, 9, 9, 255, 0, 0]), [9.0, 76.0]);
        assert_eq!(values(ColorType::Rgba, BitDepth::Eight, &[9, 9, 9, 0, 255, 0, 0, 1]), [9.0, 76.0]);
        assert_eq!(values(ColorType::Indexed, BitDepth::Eight, &[1, 2]), [76.0, 9.0]);
    }

    #[test]
    fn eight_bits_are_exact_and_sixteen_are_windowed() {
        use png::{BitDepth, ColorType};
        assert!(png(ColorType::Grayscale, BitDepth::Eight, (1, 1), &[3]).unwrap().exact);
        assert!(!png(ColorType::Grayscale, BitDepth::Sixteen, (1, 1), &[3, 0]).unwrap().exact);
    }

    #[test]
    fn a_picture_larger_than_the_limit_is_refused() {
        let reject = png(png::ColorType::Grayscale, png::BitDepth::Eight, (400, 400), &[0; 160_000]).unwrap_err();
        assert_eq!(reject.reason, Reason::TooLarge);
    }
}

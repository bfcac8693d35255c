//! PNG and JPEG pictures. Eight bits are kept exactly; colours become their brightness.

use std::io::{Cursor, Read};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::place::Place;
use crate::raster::{Raster, Scale, luminance, luminance_wide};
use crate::reject::Reject;

/// Reads a PNG of any colour type and depth.
pub(crate) fn read_png(place: &Place, limit: u64) -> Result<Raster, Reject> {
    let bytes = whole(place, limit)?;
    let limits = png::Limits { bytes: usize::try_from(limit).unwrap_or(usize::MAX) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    // Palettes and 1, 2 and 4 bits become 8 bits; 16 bits stay.
    decoder.set_transformations(png::Transformations::EXPAND);
    let damaged = |error: png::DecodingError| Reject::unreadable(format!("PNG: {}", short(&error)));
    let header = decoder.read_header_info().map_err(damaged)?;
    let (width, height) = (header.width, header.height);
    // Decoded bytes (at most 8 a pixel) and the f32 values.
    Reject::if_larger(u64::from(width) * u64::from(height) * 12, limit, "the picture")?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader.output_buffer_size().ok_or_else(|| Reject::unreadable("PNG: no size"))?;
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

/// Reads a JPEG; of a coloured one its brightness channel.
pub(crate) fn read_jpeg(place: &Place, limit: u64) -> Result<Raster, Reject> {
    let bytes = whole(place, limit)?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let damaged = |error| Reject::unreadable(format!("JPEG: {}", short(&error)));
    decoder.decode_headers().map_err(damaged)?;
    let Some(info) = decoder.info() else { return Err(Reject::unreadable("JPEG: no header")) };
    let pixels = u64::from(info.width) * u64::from(info.height);
    Reject::if_larger(pixels * 8, limit, "the picture")?;
    let decoded = decoder.decode().map_err(damaged)?;
    if decoded.len() as u64 != pixels {
        return Err(Reject::unsupported(format!("JPEG colours {:?}", decoder.input_colorspace())));
    }
    Ok(Raster {
        width: u32::from(info.width),
        height: u32::from(info.height),
        values: decoded.into_iter().map(f32::from).collect(),
        scale: Scale::default(),
        exact: true,
        window: None,
    })
}

/// All bytes of a picture as it is packed.
fn whole(place: &Place, limit: u64) -> Result<Vec<u8>, Reject> {
    let packed = place.open().map_err(|error| Reject::from_io(&error, "cannot be opened"))?;
    Reject::if_larger(packed.length(), limit, "the file")?;
    let mut bytes = Vec::new();
    packed.take(limit).read_to_end(&mut bytes).map_err(|error| Reject::from_io(&error, "cannot be read"))?;
    Ok(bytes)
}

/// The first line of a decoder's message.
fn short(error: &dyn std::fmt::Debug) -> String {
    format!("{error:?}").lines().next().unwrap_or_default().chars().take(160).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reject::Reason;

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

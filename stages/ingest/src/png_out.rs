//! Grey PNGs of 8 or 16 bits, with the pixel spacing in their pHYs chunk.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use fs_err::File;

use crate::window::Grey;

/// Writes a PNG of `bits` 8 or 16 from its [`samples`]; `spacing` in mm as (column distance, row distance).
pub(crate) fn write(
    path: &Path,
    (width, height): (u32, u32),
    bits: u8,
    samples: &[u8],
    spacing: Option<(f32, f32)>,
) -> io::Result<()> {
    let mut file = BufWriter::new(File::create_new(path)?);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(if bits == 16 { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
    // A sixth larger than with deflate's middle level, and more than ten times as fast.
    encoder.set_compression(png::Compression::Fastest);
    encoder.set_pixel_dims(spacing.and_then(dimensions));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    file.flush()
}

/// Grey levels as a PNG stores them: a byte each, or two with the higher first.
pub(crate) fn samples(grey: &Grey, bits: u8) -> Vec<u8> {
    if bits == 16 {
        grey.levels.iter().flat_map(|level| level.to_be_bytes()).collect()
    } else {
        grey.levels.iter().map(|&level| level.min(255) as u8).collect()
    }
}

/// Hash (blake3) of a PNG's size and samples: equal where two images are.
pub(crate) fn hash((width, height): (u32, u32), samples: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&width.to_le_bytes()).update(&height.to_le_bytes()).update(samples);
    let hash = hasher.finalize();
    u64::from_be_bytes(std::array::from_fn(|byte| hash.as_bytes()[byte]))
}

/// The [`hash`] of a PNG that was written here; none where it is not whole.
pub(crate) fn read_hash(path: &Path) -> Option<u64> {
    let mut reader = png::Decoder::new(io::BufReader::new(File::open(path).ok()?)).read_info().ok()?;
    let mut samples = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut samples).ok()?;
    reader.finish().ok()?;
    Some(hash((frame.width, frame.height), samples.get(..frame.buffer_size())?))
}

/// Pixels per metre; none where the spacing cannot be written so.
fn dimensions((x, y): (f32, f32)) -> Option<png::PixelDimensions> {
    let per_metre = |mm: f32| {
        let count = (1000.0 / f64::from(mm)).round();
        (count >= 1.0 && count <= f64::from(i32::MAX)).then_some(count as u32)
    };
    Some(png::PixelDimensions { xppu: per_metre(x)?, yppu: per_metre(y)?, unit: png::Unit::Meter })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn spacing_is_written_as_pixels_a_metre() {
        let dims = dimensions((1.25, 2.0)).unwrap();
        assert_eq!((dims.xppu, dims.yppu), (800, 500));
        assert!(dimensions((0.0, 1.0)).is_none());
        assert!(dimensions((f32::NAN, 1.0)).is_none());
    }

    #[test]
    fn the_hash_covers_size_and_pixels() {
        let one = hash((2, 3), &[0; 6]);
        assert_eq!(one, hash((2, 3), &[0; 6]));
        assert!(one != hash((3, 2), &[0; 6]) && one != hash((2, 3), &[1; 6]));
    }

    #[test]
    fn sixteen_bits_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let grey = Grey { levels: vec![0, 258, 65_535, 7], low: 0.0, high: 1.0, blank: false };
        write(&path, (2, 2), 16, &samples(&grey, 16), None).unwrap();
        let mut reader = png::Decoder::new(io::BufReader::new(File::open(&path).unwrap())).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut bytes).unwrap();
        assert_eq!(bytes, [0, 0, 1, 2, 255, 255, 0, 7]);
    }
}

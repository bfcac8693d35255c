//! Many images as one picture: tiles side by side, ten a row.

use std::path::Path;

use deepmcat_pixels::Images;
use jpeg_encoder::{ColorType, Encoder};

/// Tiles of a row.
pub(crate) const COLUMNS: usize = 10;
/// Tiles of a picture at most.
pub(crate) const MOST: usize = 500;
/// Sides of a tile that may be asked for.
pub(crate) const SIDES: std::ops::RangeInclusive<usize> = 16..=128;
const QUALITY: u8 = 80;

/// The images at `paths` as a JPEG of tiles of `side` pixels. An image that cannot be read is black: the others are shown.
///
/// # Errors
/// In words, when the picture cannot be encoded.
pub(crate) fn picture(dataset: &Path, paths: &[String], side: usize) -> Result<Vec<u8>, String> {
    let columns = paths.len().clamp(1, COLUMNS);
    let rows = paths.len().div_ceil(columns).max(1);
    let (width, height) = (columns * side, rows * side);
    let decoded = Images::decode(dataset, paths, side).unwrap_or_else(|error| {
        tracing::warn!("{error}");
        let one = |path| Images::decode(dataset, std::slice::from_ref(path), side);
        paths.iter().flat_map(|path| one(path).unwrap_or_else(|_| vec![0; side * side])).collect()
    });
    let mut pixels = vec![0; width * height];
    for (place, tile) in decoded.chunks_exact(side * side).enumerate() {
        let corner = place / columns * side * width + place % columns * side;
        for (line, values) in tile.chunks_exact(side).enumerate() {
            pixels[corner + line * width..][..side].copy_from_slice(values);
        }
    }
    let mut jpeg = Vec::new();
    let encoder = Encoder::new(&mut jpeg, QUALITY);
    // 500 tiles of 128 pixels are 1,280 by 6,400.
    encoder.encode(&pixels, width as u16, height as u16, ColorType::Luma).map_err(|error| error.to_string())?;
    Ok(jpeg)
}

//! The page's pictures: strips of images as JPEGs, and the map's points as a PNG.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deepmcat_pixels::Images;
use jpeg_encoder::{ColorType, Encoder};
use rayon::prelude::*;

use crate::Error;
use crate::facts::Facts;

/// Side of an image in a strip, in pixels.
pub const TILE: usize = 80;
/// Side of the map's picture, in pixels.
pub const SIDE: u32 = 1024;
const QUALITY: u8 = 68;

/// Colours that people with any colour vision tell apart (Okabe and Ito, 2008), without black.
pub const COLOURS: [[u8; 3]; 7] =
    [[230, 159, 0], [86, 180, 233], [0, 158, 115], [213, 94, 0], [0, 114, 178], [204, 121, 167], [204, 187, 40]];

/// A strip of images side by side, as the address of a JPEG: `rows` of the manifest, each `TILE` pixels square.
///
/// # Errors
/// When an image is absent or damaged.
pub fn strip(dataset: &Path, facts: &Facts, rows: &[usize]) -> Result<String, Error> {
    let paths: Vec<String> = rows.iter().map(|&row| facts.manifest.path[row].clone()).collect();
    let tiles = Images::decode(dataset, &paths, TILE)?;
    let mut pixels = Vec::with_capacity(tiles.len());
    for line in 0..TILE {
        for tile in tiles.chunks_exact(TILE * TILE) {
            pixels.extend_from_slice(&tile[line * TILE..(line + 1) * TILE]);
        }
    }
    let mut jpeg = Vec::new();
    let failed = |error: jpeg_encoder::EncodingError| Error::Picture(error.to_string());
    Encoder::new(&mut jpeg, QUALITY)
        .encode(&pixels, (TILE * rows.len()) as u16, TILE as u16, ColorType::Luma)
        .map_err(failed)?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}

/// The three strips of every cluster, in order.
///
/// # Errors
/// When an image is absent or damaged.
pub fn strips(dataset: &Path, facts: &Facts) -> Result<Vec<[String; 3]>, Error> {
    let of = |cluster: &crate::facts::Cluster| -> Result<[String; 3], Error> {
        let rows = |strip: &[usize]| -> Vec<usize> {
            strip.iter().map(|&place| facts.images[cluster.members[place]].row).collect()
        };
        let [near, drawn, far] = &cluster.strips;
        Ok([
            strip(dataset, facts, &rows(near))?,
            strip(dataset, facts, &rows(drawn))?,
            strip(dataset, facts, &rows(far))?,
        ])
    };
    facts.clusters.par_iter().map(of).collect()
}

/// The map's points on a clear ground, each of `places` (from the bottom left, 0 to 65,535) in its colour: those beyond the
/// last begin anew as rings.
///
/// # Errors
/// When the picture cannot be encoded.
pub fn points(places: &[[u32; 2]], colours: &[usize]) -> Result<String, Error> {
    let mut pixels = vec![0_u8; (SIDE * SIDE) as usize];
    // Many points are small, so that they do not hide each other.
    let radius = (200.0 / (places.len() as f64).sqrt()).clamp(1.0, 6.0).round() as i64;
    for (&[x, y], colour) in places.iter().zip(colours) {
        let at = |value: u32| i64::from(value) * i64::from(SIDE - 1) / 65_535;
        let (x, y) = (at(x), i64::from(SIDE) - 1 - at(y));
        for (dx, dy) in (-radius..=radius).flat_map(|dx| (-radius..=radius).map(move |dy| (dx, dy))) {
            let (x, y) = (x + dx, y + dy);
            let inside = (0..i64::from(SIDE)).contains(&x) && (0..i64::from(SIDE)).contains(&y);
            let within = |radius: i64| dx * dx + dy * dy <= radius * radius;
            let hollow = colour / COLOURS.len() % 2 == 1 && within(radius - 2);
            if inside && within(radius) && !hollow {
                pixels[(y * i64::from(SIDE) + x) as usize] = (colour % COLOURS.len()) as u8 + 1;
            }
        }
    }
    let failed = |error: png::EncodingError| Error::Picture(error.to_string());
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIDE, SIDE);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette([[0; 3]].iter().chain(&COLOURS).flatten().copied().collect::<Vec<u8>>());
    encoder.set_trns(vec![0]);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels)).map_err(failed)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(file)))
}

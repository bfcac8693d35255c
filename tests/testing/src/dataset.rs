//! Data sets as ingest leaves them, of images that a test makes.

use std::io::Write;
use std::path::Path;

use deepmcat_schemas::files::write_atomic;
use deepmcat_schemas::{ImageId, Manifest, Stamp, write_table};

/// A grey PNG of 8 bits: `pixels` `[width * height]`; of 16 bits where there are twice as many bytes (big endian).
#[must_use]
pub fn grey_png([width, height]: [u32; 2], pixels: &[u8]) -> Vec<u8> {
    let wide = pixels.len() == 2 * (width * height) as usize;
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(if wide { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    png
}

/// Writes a data set of images `[width, height]` with their pixels to `folder`: PNGs `images/N.png`, numbered from 0, and
/// the manifest.
pub fn dataset(folder: &Path, images: impl IntoIterator<Item = ([u32; 2], Vec<u8>)>) {
    let mut manifest = Manifest::default();
    for (number, (size, pixels)) in (0..).zip(images) {
        let path = format!("images/{number}.png");
        write_atomic(&folder.join(&path), |file| file.write_all(&grey_png(size, &pixels))).unwrap();
        manifest.image_id.push(ImageId(number));
        manifest.path.push(path);
        manifest.width.push(size[0]);
        manifest.height.push(size[1]);
    }
    let rows = manifest.path.len();
    let text = vec!["0".to_owned(); rows];
    manifest.key.clone_from(&text);
    manifest.series.clone_from(&text);
    manifest.format.clone_from(&text);
    manifest.pixels = text;
    manifest.subject = vec![None; rows];
    manifest.slice = vec![0; rows];
    manifest.bits = vec![8; rows];
    manifest.spacing_x = vec![None; rows];
    manifest.spacing_y = vec![None; rows];
    manifest.window_low = vec![0.0; rows];
    manifest.window_high = vec![1.0; rows];
    manifest.burned_in = vec![false; rows];
    manifest.flags = vec![None; rows];
    write_table(&folder.join("manifest.parquet"), &manifest, &Stamp::default()).unwrap();
}

//! PNG form: CLASS/SUBJECT_N.png, 8-bit grey, slices at t=0.

use std::path::Path;

use fs_err as fs;

use crate::error::Error;
use crate::scan::{Scan, subject_name};

/// Writes the slices of a scan; returns how many files.
///
/// # Errors
/// When a file cannot be written.
pub fn write(scan: &Scan, folder: &Path) -> Result<u64, Error> {
    let folder = folder.join(scan.class.name());
    fs::create_dir_all(&folder)?;
    let mut files = 0;
    for image in scan.images.iter().filter_map(|frames| frames.first()) {
        files += 1;
        let path = folder.join(format!("{}_{files}.png", subject_name(scan.subject)));
        let file = std::io::BufWriter::new(fs::File::create(&path)?);
        let mut encoder = png::Encoder::new(file, image.size as u32, image.size as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&image.to_u8())?;
            writer.finish()
        });
        written.map_err(|source| Error::Png { path, source })?;
    }
    Ok(files)
}

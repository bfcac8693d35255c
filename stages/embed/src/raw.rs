//! The baseline: z-scored pixels as features. No network, no draw.

use std::path::Path;

use deepmcat_network::inference::normalise;
use deepmcat_pixels::Images;
use deepmcat_pixels::augment::z_score;
use deepmcat_schemas::ImageId;
use deepmcat_stage::Timings;
use rayon::prelude::*;

use crate::{Embedded, Error};

/// Side of the small images in pixels: d is its square, 1024.
pub const RAW_SIDE: usize = 32;

/// The images `ids` at `paths`, resized to 32 x 32, z-scored and l2-normalised.
///
/// # Errors
/// When an image cannot be read.
pub fn raw(dataset: &Path, ids: &[ImageId], paths: &[String], timings: &mut Timings) -> Result<Embedded, Error> {
    let images = Images::open(dataset, paths, RAW_SIDE)?;
    timings.lap("read");
    let dimensions = RAW_SIDE * RAW_SIDE;
    let mut values = vec![0.0; paths.len() * dimensions];
    values.par_chunks_exact_mut(dimensions).enumerate().try_for_each(|(row, values)| {
        let pixels = images.pixels(row)?;
        values.iter_mut().zip(pixels.iter()).for_each(|(value, &pixel)| *value = f32::from(pixel) / 255.0);
        z_score(values);
        normalise(values, dimensions, |_| ids[row])
    })?;
    Ok(Embedded { dimensions, values })
}

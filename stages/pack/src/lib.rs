//! Pack: the PNGs of a data set to one table of pixels `[n, side, side]`.

mod args;

use deepmcat_pixels::{Images, load_side};
use deepmcat_schemas::pixels::{self, BATCH};
use deepmcat_schemas::{ARROW_PART_0, Manifest, layout, read_table};
use deepmcat_stage::Progress;

pub use args::Args;
pub use deepmcat_pixels::Error;

/// Runs the stage as its command line says.
///
/// # Errors
/// When the configuration or the data set is wrong, an image cannot be read, or the table cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let config = args.common.config()?;
    deepmcat_stage::set_threads(config.compute.threads as usize)?;
    let manifest: Manifest = read_table(&args.dataset.join(layout::MANIFEST))?;
    let side = load_side(config.network.input);
    let progress = Progress::new(manifest.path.len() as u64, "images packed");
    let batches = manifest.image_id.chunks(BATCH).zip(manifest.path.chunks(BATCH)).map(|(ids, paths)| {
        let pixels = Images::decode(&args.dataset, paths, side)?;
        progress.inc(ids.len() as u64);
        Ok::<_, Error>((ids.to_vec(), pixels))
    });
    pixels::write(&args.out.join(ARROW_PART_0), side, batches, &config.stamp("pack"))?;
    progress.finish();
    tracing::info!("{} images, {side} pixels square", manifest.path.len());
    Ok(())
}

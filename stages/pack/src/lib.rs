//! Pack: the PNGs of a data set to one table of pixels `[n, side, side]`.

mod args;

use deepmcat_pixels::{Images, load_side};
use deepmcat_schemas::pixels::{self, BATCH};
use deepmcat_schemas::{ARROW_PART_0, Manifest, jobs, layout, read_table};
use deepmcat_stage::{Progress, Threads};

pub use args::Args;
pub use deepmcat_pixels::Error;

/// Does a job.
///
/// # Errors
/// When the data set is wrong, an image cannot be read, or the table cannot be written.
pub fn run(job: jobs::Pack, means: Threads) -> Result<(), Error> {
    deepmcat_stage::set_threads(means.threads)?;
    let dataset = &job.inputs.dataset;
    let manifest: Manifest = read_table(&dataset.join(layout::MANIFEST))?;
    let side = load_side(job.network.input);
    let progress = Progress::new(manifest.path.len() as u64, "images packed");
    let batches = manifest.image_id.chunks(BATCH).zip(manifest.path.chunks(BATCH)).map(|(ids, paths)| {
        let pixels = Images::decode(dataset, paths, side)?;
        progress.inc(ids.len() as u64);
        Ok::<_, Error>((ids.to_vec(), pixels))
    });
    pixels::write(&job.outputs.pixels.join(ARROW_PART_0), side, batches, &job.stamp())?;
    progress.finish();
    tracing::info!("{} images, {side} pixels square", manifest.path.len());
    Ok(())
}

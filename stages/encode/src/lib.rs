//! Encode: the images of a data set to l2-normalised features `[n, d]`, with a frozen network or from a table.

mod args;
mod error;
mod network;
mod table;

use deepmcat_schemas::jobs::Encode;
use deepmcat_schemas::{Manifest, features, layout, read_table};
use deepmcat_stage::Timings;

pub use args::{Args, Means};
pub use error::Error;

/// Features `[n * d]` of images, row-major.
#[derive(Debug, Clone, PartialEq)]
struct Encoded {
    /// d
    dimensions: usize,
    values: Vec<f32>,
}

/// Does a job.
///
/// # Errors
/// When the data set, the network or the table is wrong, or the features cannot be written.
pub fn run(job: &Encode, means: &Means) -> Result<(), Error> {
    let mut timings = Timings::new();
    deepmcat_stage::set_threads(means.threads.threads)?;
    let (dataset, encoder) = (&job.inputs.dataset, &job.inputs.encoder);
    let path = dataset.join(layout::MANIFEST);
    let mut manifest: Manifest = read_table(&path)?;
    if manifest.image_id.is_empty() {
        return Err(Error::Empty { path });
    }
    let rows = means.part.shard.rows(manifest.image_id.len(), network::BATCH);
    let ids = manifest.image_id[rows.clone()].to_vec();
    let Encoded { dimensions, mut values } = match &job.encoder {
        Some(settings) => {
            let paths: Vec<String> = manifest.path.drain(rows).collect();
            network::encode(encoder, settings, dataset, &paths)?
        }
        None => table::read(encoder, &manifest, rows)?,
    };
    features::normalise(&mut values, dimensions).map_err(|row| Error::NonFinite { image: ids[row] })?;
    timings.lap("compute");
    let part = features::part(&job.outputs.features, means.part.shard.index());
    features::write_as(&part, &ids, dimensions, values, job.embed.float16, &job.stamp())?;
    tracing::info!("{} images, {dimensions} dimensions", ids.len());
    timings.lap("write");
    timings.log();
    Ok(())
}

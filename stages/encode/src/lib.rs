//! Encode: the images of a data set to l2-normalised features `[n, d]`, with a frozen network or from a table.

mod args;
mod error;
mod network;
mod partial;
mod table;

use std::ops::Range;

use deepmcat_schemas::jobs::Encode;
use deepmcat_schemas::{Manifest, features, layout, read_table};
use deepmcat_stage::Timings;

pub use args::{Args, Means};
pub use error::Error;

use partial::Partial;

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
    let manifest: Manifest = read_table(&path)?;
    if manifest.image_id.is_empty() {
        return Err(Error::Empty { path });
    }
    let rows = means.part.shard.rows(manifest.image_id.len(), network::BATCH);
    let ids = manifest.image_id[rows.clone()].to_vec();
    let part = features::part(&job.outputs.features, means.part.shard.index());
    let dimensions = match &job.encoder {
        Some(settings) => {
            let bytes = network::read(encoder)?;
            let key = key(job, &bytes, &manifest, &rows);
            let (table, shard) = (&job.outputs.features, means.part.shard.index());
            let mut partial = Partial::open(table, shard, key, job.embed.float16)?;
            if partial.rows > 0 {
                tracing::info!("{} of {} images were encoded before", partial.rows, ids.len());
            }
            let images = (&ids[..], &manifest.path[rows]);
            let encoded = network::encode((encoder, &bytes), settings, dataset, images, &mut partial);
            let dimensions = match encoded {
                Err(error) if partial.rows == 0 => {
                    partial.remove()?;
                    return Err(error);
                }
                encoded => encoded?,
            };
            timings.lap("compute");
            features::write(&part, &ids, dimensions, partial.values()?, &job.stamp())?;
            partial.remove()?;
            dimensions
        }
        None => {
            let Encoded { dimensions, mut values } = table::read(encoder, &manifest, rows)?;
            features::normalise(&mut values, dimensions).map_err(|row| Error::NonFinite { image: ids[row] })?;
            timings.lap("compute");
            features::write_as(&part, &ids, dimensions, values, job.embed.float16, &job.stamp())?;
            dimensions
        }
    };
    tracing::info!("{} images, {dimensions} dimensions", ids.len());
    timings.lap("write");
    timings.log();
    Ok(())
}

/// What features depend on: settings, network, and the pixels of the images in their order.
fn key(job: &Encode, network: &[u8], manifest: &Manifest, rows: &Range<usize>) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    hash.update(job.stamp().config_hash.as_bytes());
    hash.update(blake3::hash(network).as_bytes());
    for row in rows.clone() {
        hash.update(&manifest.image_id[row].0.to_le_bytes());
        hash.update(manifest.pixels[row].as_bytes());
        hash.update(b"\n");
    }
    *hash.finalize().as_bytes()
}

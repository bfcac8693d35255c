//! Embed: the images of a data set to l2-normalised features `[n, d]`.

mod args;
mod network;
mod raw;

use std::path::Path;

use deepmcat_machine::Compute;
use deepmcat_schemas::{ImageId, Manifest, features, layout, read_table};
use deepmcat_stage::random::some_of;
use deepmcat_stage::{Shard, Timings};

pub use args::{Args, Means, Task};
pub use deepmcat_network::Error;
pub use network::embed;
pub use raw::{RAW_SIDE, raw};

/// Features `[n, d]`, row-major; each row has length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// d
    pub dimensions: usize,
    /// `[n * d]`
    pub values: Vec<f32>,
}

/// Does a job.
///
/// # Errors
/// When the data set or a checkpoint is wrong, arithmetic fails, or the table cannot be written.
pub fn run(task: Task, means: &Means) -> Result<(), Error> {
    let mut timings = Timings::new();
    let shard = means.part.shard;
    let (ids, Embedded { dimensions, values }, out, float16, stamp) = match task {
        Task::Raw(job) => {
            deepmcat_stage::set_threads(means.machine.threads).map_err(deepmcat_machine::Error::from)?;
            let dataset = &job.inputs.dataset;
            let (ids, paths) = images_of(dataset, None, shard, network::THREAD_BATCH)?;
            let embedded = raw(dataset, &ids, &paths, &mut timings)?;
            (ids, embedded, job.outputs.features.clone(), job.embed.float16, job.stamp())
        }
        Task::Embed(job) => {
            let compute = Compute::start(job.compute, &means.machine)?;
            let (ids, paths) = images_of(&job.inputs.dataset, job.most, shard, network::batch(&job, compute))?;
            let embedded = embed(&job, (&ids, &paths), compute, &mut timings)?;
            (ids, embedded, job.outputs.features.clone(), job.embed.float16, job.stamp())
        }
    };
    timings.lap("compute");
    let part = features::part(&out, shard.index());
    features::write_as(&part, &ids, dimensions, values, float16, &stamp)?;
    tracing::info!("{} images, {dimensions} dimensions", ids.len());
    timings.lap("write");
    timings.log();
    Ok(())
}

/// Ids and paths of a part of a data set's images, or of at most `most` of them: none where there are more parts than
/// batches.
fn images_of(
    dataset: &Path,
    most: Option<u32>,
    shard: Shard,
    batch: usize,
) -> Result<(Vec<ImageId>, Vec<String>), Error> {
    let path = dataset.join(layout::MANIFEST);
    let mut manifest: Manifest = read_table(&path)?;
    if manifest.image_id.is_empty() {
        return Err(Error::Empty { path });
    }
    let rows = some_of(manifest.image_id.len(), most.map_or(usize::MAX, |most| most as usize));
    let rows = &rows[shard.rows(rows.len(), batch)];
    Ok(rows.iter().map(|&row| (manifest.image_id[row], std::mem::take(&mut manifest.path[row]))).unzip())
}

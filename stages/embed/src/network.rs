//! Features of the network, in evaluation mode.

use std::path::Path;
use std::sync::Arc;

use deepmcat_common::{Config, Progress, Timings};
use deepmcat_nn::architecture::dimensions;
use deepmcat_nn::inference::normalise;
use deepmcat_nn::{Batches, Compute, Embedder, Images, Item, View, checkpoint, images, vgg};
use deepmcat_schemas::ImageId;

use crate::{Error, Features};

/// Embeds the images at `paths`: row i is that of `ids[i]`, whose number also numbers its draws.
///
/// # Errors
/// When the checkpoint does not fit `[network]`, an image cannot be read, or a feature is not finite.
#[allow(clippy::too_many_arguments)] // each is an input of the job
pub fn embed(
    dataset: &Path,
    paths: &[String],
    ids: &[ImageId],
    weights: &Path,
    view: View,
    config: &Config,
    compute: Compute,
    timings: &mut Timings,
) -> Result<Features, Error> {
    let network = Embedder::new(&checkpoint::read_model(weights, &config.network, compute)?)?;
    let images = Images::open(dataset, paths, images::load_side(config.network.input))?;
    timings.lap("read");

    let dimensions = usize::try_from(dimensions(&config.network)).unwrap_or_default();
    let side = config.network.input as usize;
    let items = ids.iter().enumerate().map(|(row, id)| Item { row, draw: id.0 }).collect();
    let mut values = vec![0.0; paths.len() * dimensions];
    let progress = Progress::new(paths.len() as u64, "images embedded");
    for batch in Batches::start(Arc::new(images), items, view, config.embed.batch as usize, side) {
        let batch = batch?;
        let features = network.embed(&vgg::images(&batch.pixels, batch.count, side, compute.device)?)?;
        let rows = &mut values[batch.start * dimensions..(batch.start + batch.count) * dimensions];
        features.f_copy_data(rows, rows.len()).map_err(deepmcat_nn::Error::from)?;
        let first = ids.get(batch.start).map_or(0, |id| id.0);
        normalise(rows, dimensions, first)?;
        progress.inc(batch.count as u64);
    }
    progress.finish();
    Ok(Features { dimensions, values })
}

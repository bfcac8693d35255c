//! Embed: the images of a data set to l2-normalised features `[n, d]`.

mod args;
mod network;
mod raw;

use std::path::Path;

use deepmcat_config::Config;
use deepmcat_machine::Compute;
use deepmcat_pixels::View;
use deepmcat_schemas::{Epoch, ImageId, Manifest, Stamp, features, layout, read_table};
use deepmcat_stage::random::Purpose;
use deepmcat_stage::{Shard, Timings};

pub use args::Args;
pub use deepmcat_network::Error;
pub use network::{Job, embed};
pub use raw::{RAW_SIDE, raw};

/// Features `[n, d]`, row-major; each row has length 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// d
    pub dimensions: usize,
    /// `[n * d]`
    pub values: Vec<f32>,
}

/// Runs the stage as its command line says.
///
/// # Errors
/// When the configuration, the data set or the checkpoint is wrong, arithmetic fails, or the table cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let mut timings = Timings::new();
    let mut config = args.common.config()?;
    // Into the configuration, so that the table's stamp covers it.
    config.embed.augment &= !args.clean;
    let compute = Compute::start(&config.compute)?;
    let (ids, paths) = images_of(&args.dataset, args.shard, network::batch(&config, compute))?;
    let embedded = if args.raw {
        raw(&args.dataset, &ids, &paths, &mut timings)?
    } else {
        let (views, pixels) = (views(&config, args.epoch), args.pixels.as_deref());
        let job = Job { dataset: &args.dataset, paths: &paths, pixels, ids: &ids, weights: &args.weights, views };
        embed(job, &config, compute, &mut timings)?
    };
    timings.lap("compute");
    let job = if args.raw { "raw" } else { "embed" };
    let stamp = Stamp { stage: "embed".to_owned(), ..config.stamp(job) };
    let Embedded { dimensions, values } = embedded;
    let part = args.out.join(format!("part-{}.arrow", args.shard.index()));
    features::write_as(&part, &ids, dimensions, values, config.embed.float16, &stamp)?;
    tracing::info!("{} images, {dimensions} dimensions", ids.len());
    timings.lap("write");
    timings.log();
    Ok(())
}

/// What the network sees of an image at this epoch.
fn views(config: &Config, epoch: Epoch) -> Vec<View> {
    if !config.embed.augment {
        return vec![View::Clean];
    }
    let view = |number| View::Augmented {
        settings: config.augment_at(epoch.0),
        seed: config.run.seed,
        epoch: epoch.0,
        purpose: Purpose::EmbedAugment,
        number,
    };
    (0..config.embed.views).map(view).collect()
}

/// Ids and paths of a part of a data set's images: none where there are more parts than batches.
fn images_of(dataset: &Path, shard: Shard, batch: usize) -> Result<(Vec<ImageId>, Vec<String>), Error> {
    let path = dataset.join(layout::MANIFEST);
    let mut manifest: Manifest = read_table(&path)?;
    let rows = shard.rows(manifest.image_id.len(), batch);
    if manifest.image_id.is_empty() {
        return Err(Error::Empty { path });
    }
    Ok((manifest.image_id[rows.clone()].to_vec(), manifest.path.drain(rows).collect()))
}

//! Train: one epoch of SGD on pseudo-labels, under a last layer that is new or kept.

mod args;
mod epoch;
mod memory;
mod order;
mod rate;

use std::path::Path;

use deepmcat_architecture::dimensions;
use deepmcat_config::{Config, LastLayer};
use deepmcat_machine::{Compute, Ranks};
use deepmcat_network::{Vgg, checkpoint};
use deepmcat_pixels::Images;
use deepmcat_schemas::{Epoch, Manifest, PART_0, Samples, features, layout, read_folder, read_table, write_table};
use deepmcat_stage::Timings;

pub use args::Args;
pub use deepmcat_network::Error;
pub use epoch::{State, Trained, train};
pub use order::Order;

/// Runs the stage as its command line says.
///
/// # Errors
/// When the configuration, the data set, the samples or the checkpoint is wrong, the loss is not finite, or the
/// output cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let config = args.common.config()?;
    let compute = Compute::start(&config.compute)?;
    // Views are rendered by all threads of the configuration still.
    if let Some(threads) = i32::try_from(config.train.threads).ok().filter(|&threads| threads > 0) {
        tch::set_num_threads(threads);
    }
    let (Some(dataset), Some(samples), Some(weights), Some(epoch), Some(training)) =
        (&args.dataset, &args.samples, &args.weights, args.epoch, &args.training)
    else {
        // The parser lets none of them be missing without --init.
        return initial(&args.out, args.epoch.unwrap_or_default(), &config);
    };
    let features = args.features.as_deref().zip(args.next_features.as_deref());
    let inputs = Inputs { dataset, pixels: args.pixels.as_deref(), samples, weights, features, epoch };
    one_epoch(inputs, &args.out, training, &config, compute)
}

/// Draws the weights of the network that is trained from `epoch` on, and an optimiser that has not begun.
fn initial(out: &Path, epoch: Epoch, config: &Config) -> Result<(), Error> {
    let vgg = Vgg::draw(&config.network, (config.run.seed, epoch.0), Compute::cpu())?;
    let stamp = config.stamp("init");
    checkpoint::write_fresh_optimizer(out, &vgg, &stamp)?;
    checkpoint::write_model(out, &vgg, &stamp)?;
    Ok(())
}

struct Inputs<'a> {
    dataset: &'a Path,
    pixels: Option<&'a Path>,
    samples: &'a Path,
    weights: &'a Path,
    /// Features before and after.
    features: Option<(&'a Path, &'a Path)>,
    epoch: Epoch,
}

fn one_epoch(inputs: Inputs, out: &Path, training: &Path, config: &Config, compute: Compute) -> Result<(), Error> {
    let ranks = Ranks::join(&config.compute)?;
    let mut timings = Timings::new();
    let Inputs { dataset, pixels, samples, weights, features, epoch } = inputs;
    let manifest: Manifest = read_table(&dataset.join(layout::MANIFEST))?;
    let order = Order::new(&read_folder::<Samples>(samples)?, &manifest, samples)?;
    let vgg = checkpoint::read_model(weights, &config.network, compute)?;
    let velocities = checkpoint::read_optimizer(weights, &config.network)?;
    let kept = config.train.head == LastLayer::Kept;
    let head = if kept { checkpoint::read_head(weights, dimensions(&config.network))? } else { None };
    let images = Images::load(dataset, pixels, (&manifest.image_id, &manifest.path), config.network.input)?;
    let width = usize::try_from(dimensions(&config.network)).unwrap_or_default();
    let before = features.map(|(before, _)| memory::read(before, &manifest.image_id, width)).transpose()?;
    timings.lap("read");
    let state = State { vgg, velocities, head, features: before };
    let Trained { vgg, sgd, head, table, features: after } = train(state, images, order, config, epoch, &ranks)?;
    timings.lap("compute");
    if !ranks.is_first() {
        ranks.leave();
        return Ok(());
    }
    let stamp = config.stamp("train");
    write_table(&training.join(PART_0), &table, &stamp)?;
    if let (Some((_, next)), Some(values)) = (features, after) {
        features::write_as(&features::part(next), &manifest.image_id, width, values, config.embed.float16, &stamp)?;
    }
    checkpoint::write_head(out, kept.then_some(&head), &stamp)?;
    checkpoint::write_optimizer(out, &vgg, &sgd, &stamp)?;
    checkpoint::write_model(out, &vgg, &stamp)?;
    timings.lap("write");
    timings.log();
    ranks.leave();
    Ok(())
}

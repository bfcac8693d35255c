//! Train: one epoch of SGD on pseudo-labels, under a last layer that is new or kept.

mod args;
mod epoch;
mod order;
mod rate;

use deepmcat_architecture::dimensions;
use deepmcat_machine::Compute;
use deepmcat_network::{Vgg, checkpoint};
use deepmcat_pixels::Images;
use deepmcat_schemas::jobs::train::{Inputs, LastLayer, Outputs};
use deepmcat_schemas::jobs::{Init, Train};
use deepmcat_schemas::{Manifest, PART_0, Samples, layout, read_folder, read_table, write_table};
use deepmcat_stage::Timings;

pub use args::{Args, Means, Task};
pub use deepmcat_network::Error;
pub use epoch::{State, Trained, train};
pub use order::Order;

/// Does a job.
///
/// # Errors
/// When the data set, the samples or the checkpoint is wrong, the loss is not finite, or the output cannot be written.
pub fn run(task: Task, means: &Means) -> Result<(), Error> {
    match task {
        Task::Init(job) => initial(&job),
        Task::Train(job) => one_epoch(&job, means),
    }
}

/// Draws the weights of a network, and an optimiser that has not begun.
fn initial(job: &Init) -> Result<(), Error> {
    let vgg = Vgg::draw(&job.network, (job.seed, job.epoch.0), Compute::cpu())?;
    let (stamp, out) = (job.stamp(), &job.outputs.checkpoint);
    checkpoint::write_fresh_optimizer(out, &vgg, &stamp)?;
    checkpoint::write_model(out, &vgg, &stamp)?;
    Ok(())
}

fn one_epoch(job: &Train, means: &Means) -> Result<(), Error> {
    let compute = Compute::start(job.compute, &means.machine)?;
    // Views are rendered by all threads still.
    if let Some(threads) = means.network_threads {
        tch::set_num_threads(threads);
    }
    let mut timings = Timings::new();
    let Inputs { dataset, pixels, samples, weights } = &job.inputs;
    let manifest: Manifest = read_table(&dataset.join(layout::MANIFEST))?;
    let order = Order::new(&read_folder::<Samples>(samples)?, &manifest, samples)?;
    let vgg = checkpoint::read_model(weights, &job.network, compute)?;
    let velocities = checkpoint::read_optimizer(weights, &job.network)?;
    let kept = job.train.head == LastLayer::Kept;
    let head = if kept { checkpoint::read_head(weights, dimensions(&job.network))? } else { None };
    let images = Images::load(dataset, pixels.as_deref(), (&manifest.image_id, &manifest.path), job.network.input)?;
    timings.lap("read");
    let state = State { vgg, velocities, head };
    let Trained { vgg, sgd, head, table } = train(state, images, order, job)?;
    timings.lap("compute");
    let (stamp, Outputs { checkpoint: out, training }) = (job.stamp(), &job.outputs);
    write_table(&training.join(PART_0), &table, &stamp)?;
    checkpoint::write_head(out, kept.then_some(&head), &stamp)?;
    checkpoint::write_optimizer(out, &vgg, &sgd, &stamp)?;
    checkpoint::write_model(out, &vgg, &stamp)?;
    timings.lap("write");
    timings.log();
    Ok(())
}

//! One epoch: for each batch the loss (paper eq. 1), its gradients, one step of either optimiser.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deepmcat_architecture::dimensions;
use deepmcat_network::sgd::Rates;
use deepmcat_network::vgg::Dropout;
use deepmcat_network::{Batches, Error, Head, Sgd, Vgg};
use deepmcat_pixels::{Images, View};
use deepmcat_schemas::Training;
use deepmcat_schemas::jobs::Train;
use deepmcat_stage::Progress;
use deepmcat_stage::random::Purpose;
use tch::Tensor;

use crate::Order;
use crate::rate::Rate;

/// What an epoch leaves.
#[derive(Debug)]
pub struct Trained {
    /// The network after it.
    pub vgg: Vgg,
    /// The optimiser of its body, with the momentum to go on with.
    pub sgd: Sgd,
    /// The last layer after it.
    pub head: Head,
    /// One row a step.
    pub table: Training,
}

/// What an epoch starts with.
#[derive(Debug)]
pub struct State {
    /// The network.
    pub vgg: Vgg,
    /// Momentum of its trained tensors.
    pub velocities: Vec<Tensor>,
    /// The last layer of the epoch before, where it is kept.
    pub head: Option<Head>,
}

/// Trains the network on the draws of `order`, under a new last layer or the one that was kept.
///
/// # Errors
/// When an image cannot be read, the loss is not finite, or libtorch fails.
pub fn train(
    State { mut vgg, velocities, head }: State,
    images: Images,
    mut order: Order,
    job: &Train,
) -> Result<Trained, Error> {
    let (seed, epoch, settings) = (job.seed, job.epoch.0, &job.train);
    let device = vgg.device();
    let clusterings = order.clusterings as i64;
    let drawn = Head::draw([clusterings, order.clusters], dimensions(&job.network), seed, epoch, device)?;
    let head = match head {
        Some(kept) => kept.grown(drawn)?,
        None => drawn,
    };
    let rates = Rates { rate: settings.rate, momentum: settings.momentum, decay: settings.weight_decay };
    let weights = vgg.trained().map(|(_, tensor)| tensor.shallow_clone()).collect();
    let mut sgd = Sgd::new(rates, weights, velocities)?;
    // The loss is the mean over the clusterings. Each layer is to learn as if it were the only one, so it steps with so
    // many times the rate; of the decay, which is no part of the loss, it then takes so much less.
    let times = clusterings as f64;
    let rates = Rates { rate: settings.head_rate * times, momentum: 0.0, decay: settings.weight_decay / times };
    let mut head_sgd = Sgd::new(rates, head.weights(), Vec::new())?;
    let trained: Vec<Tensor> = sgd.weights().iter().chain(head_sgd.weights()).map(Tensor::shallow_clone).collect();

    let view = View::Augmented { settings: job.augment.clone(), seed, epoch, purpose: Purpose::Augment, number: 0 };
    let side = job.network.input as usize;
    let batch_size = settings.batch as usize;
    order.without_rest(batch_size);
    let draws = order.items.len();
    let mut table = Training::default();
    let progress = Progress::new(draws as u64, "images trained");
    let schedule = Rate::new(job.horizon, settings.batch, draws);
    let batches = Batches::start(Arc::new(images), order.items.clone(), view, (batch_size, side), device);
    let mut start = Instant::now();
    let mut waited = Duration::ZERO;
    for (step, batch) in (0..).zip(batches) {
        let batch = batch?;
        // Batches come ahead: more than a moment here means that the network is faster than what renders for it.
        waited += start.elapsed();
        let share = schedule.share(step);
        sgd.set_rate(settings.rate * share);
        head_sgd.set_rate(settings.head_rate * share * times);
        let labels = order.labels_of(batch.start..batch.start + batch.count);
        let labels = Tensor::f_from_slice(labels)?.f_view([batch.count as i64, clusterings])?.f_to_device(device)?;

        let dropout = Dropout { rate: job.dropout.unwrap_or_default(), seed, epoch, step };
        let activated = vgg.forward(&batch.pixels, dropout)?;
        let loss = head.loss(&activated, &labels)?;
        // Gradients as values: nothing accumulates, nothing has to be zeroed.
        let gradients = Tensor::f_run_backward(&[&loss], &trained, false, false)?;
        let loss = loss.f_double_value(&[])? as f32;
        if !loss.is_finite() {
            return Err(Error::NonFinite { what: format!("the loss at step {step} of epoch {epoch}") });
        }
        let (of_body, of_head) = gradients.split_at(sgd.weights().len());
        sgd.step(of_body)?;
        head_sgd.step(of_head)?;

        let now = Instant::now();
        table.step.push(step);
        table.loss.push(loss);
        table.learning_rate.push((settings.rate * share) as f32);
        table.images_per_second.push(batch.count as f32 / (now - start).as_secs_f32());
        start = now;
        progress.inc(batch.count as u64);
    }
    progress.finish();
    vgg.check_finite()?;
    let mean = table.loss.iter().sum::<f32>() / table.loss.len().max(1) as f32;
    tracing::info!(
        "epoch {epoch}: {} steps, mean loss {mean:.3}, {:.2} s waited for images",
        table.loss.len(),
        waited.as_secs_f64()
    );
    Ok(Trained { vgg, sgd, head, table })
}

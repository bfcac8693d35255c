//! Features of a network, in evaluation mode: of one view of an image, or the mean over several; of several networks
//! side by side.
//!
//! On the processor every thread embeds small batches by itself, from pixels to features: threads wait for no other,
//! and a feature does not depend on their number. A graphics card gets large batches that all threads render.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use deepmcat_architecture::dimensions;
use deepmcat_machine::Compute;
use deepmcat_network::inference::normalise;
use deepmcat_network::{Batches, Embedder, Item, checkpoint, vgg};
use deepmcat_pixels::{Images, View};
use deepmcat_schemas::ImageId;
use deepmcat_schemas::jobs::Embed;
use deepmcat_schemas::jobs::embed::{Inputs, Views};
use deepmcat_stage::random::Purpose;
use deepmcat_stage::{Progress, ThreadsError, Timings};
use tch::Tensor;

use crate::{Embedded, Error};

/// Images that one thread embeds at once; more are not faster.
pub(crate) const THREAD_BATCH: usize = 32;

/// Embeds images: row i is the feature of `ids[i]`, whose PNG is at `paths[i]` in the data set. Ids also number draws.
///
/// # Errors
/// When a checkpoint does not fit the network, an image cannot be read, or a feature is not finite.
pub fn embed(
    job: &Embed,
    (ids, paths): (&[ImageId], &[String]),
    compute: Compute,
    timings: &mut Timings,
) -> Result<Embedded, Error> {
    let Inputs { dataset, pixels, weights } = &job.inputs;
    let network = |weights: &PathBuf| Embedder::new(&checkpoint::read_model(weights, &job.network, compute)?);
    let networks = weights.iter().map(network).collect::<Result<Vec<_>, _>>()?;
    let images = Images::load(dataset, pixels.as_deref(), (ids, paths), job.network.input)?;
    timings.lap("read");

    let views = views(job.views.as_ref());
    let dimensions = usize::try_from(dimensions(&job.network)).unwrap_or_default();
    let progress = Progress::new((ids.len() * views.len() * networks.len()) as u64, "images embedded");
    let width = networks.len() * dimensions;
    let batch = batch(job, compute);
    let images = Arc::new(images);
    // The table of all networks, filled in place: it may be most of the memory that there is.
    let mut values = vec![0.0; ids.len() * width];
    for (number, network) in networks.iter().enumerate() {
        let columns = number * dimensions..(number + 1) * dimensions;
        let side = job.network.input as usize;
        let pass = Pass { ids, views: &views, side, width, columns, compute, progress: &progress };
        if compute.device.is_cuda() {
            for view in &views {
                pass.on_card(network, &images, view, batch, &mut values)?;
            }
        } else {
            pass.on_threads(network, &images, batch, &mut values)?;
        }
    }
    progress.finish();
    if views.len() > 1 {
        normalise(&mut values, dimensions, |part| ids[part / networks.len()])?;
    }
    if networks.len() > 1 {
        normalise(&mut values, width, |row| ids[row])?;
    }
    Ok(Embedded { dimensions: width, values })
}

/// What the network sees of an image.
fn views(views: Option<&Views>) -> Vec<View> {
    let Some(Views { seed, epoch, count, augment }) = views else { return vec![View::Clean] };
    let view = |number| View::Augmented {
        settings: augment.clone(),
        seed: *seed,
        epoch: epoch.0,
        purpose: Purpose::EmbedAugment,
        number,
    };
    (0..*count).map(view).collect()
}

/// Images that are embedded at once.
pub(crate) fn batch(job: &Embed, compute: Compute) -> usize {
    let batch = job.embed.batch as usize;
    if compute.device.is_cuda() { batch } else { batch.min(THREAD_BATCH) }
}

/// The pass of one network over the images.
struct Pass<'a> {
    ids: &'a [ImageId],
    views: &'a [View],
    side: usize,
    /// Values of a row of the table.
    width: usize,
    /// Those of them that are this network's.
    columns: Range<usize>,
    compute: Compute,
    progress: &'a Progress,
}

impl Pass<'_> {
    /// Each thread takes the next batch that no other has taken.
    fn on_threads(&self, network: &Embedder, images: &Images, batch: usize, values: &mut [f32]) -> Result<(), Error> {
        let batches = values.chunks_mut(batch * self.width).zip(self.ids.chunks(batch));
        let batches = Mutex::new(batches.enumerate());
        let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = |network: Embedder| {
            // Counts for the calling thread: libtorch starts no threads below this one.
            tch::set_num_threads(1);
            while let Some((number, (rows, ids))) = next() {
                let mut pixels = vec![0.0; ids.len() * self.side * self.side];
                for view in self.views {
                    for (place, (target, id)) in pixels.chunks_exact_mut(self.side * self.side).zip(ids).enumerate() {
                        let source = images.pixels(number * batch + place)?;
                        view.render(&source, images.side(), id.0, self.side, target);
                    }
                    let images = vgg::images(&pixels, ids.len(), self.side, self.compute.device)?;
                    self.add_features(&network.embed(&images)?, ids, rows)?;
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            // More threads than batches would have nothing to do.
            let count = self.compute.threads.min(self.ids.len().div_ceil(batch)).max(1);
            let start = |network| std::thread::Builder::new().spawn_scoped(scope, || work(network));
            let threads = (0..count).map(|_| start(network.share())).collect::<Result<Vec<_>, _>>();
            let refused = |error: std::io::Error| ThreadsError { threads: count, reason: error.to_string() };
            let threads = threads.map_err(|error| deepmcat_machine::Error::from(refused(error)))?;
            let results = threads.into_iter().map(|thread| thread.join().unwrap_or(Err(Error::Producer)));
            results.collect()
        })
    }

    /// One thread feeds the card with batches that the others have rendered, and takes what it made of the batch before
    /// while it works.
    fn on_card(
        &self,
        network: &Embedder,
        images: &Arc<Images>,
        view: &View,
        batch: usize,
        values: &mut [f32],
    ) -> Result<(), Error> {
        let items = self.ids.iter().enumerate().map(|(row, id)| Item { row, draw: id.0 }).collect();
        let batches = Batches::start(Arc::clone(images), items, view.clone(), (batch, self.side), self.compute.device);
        let mut before = None;
        for (batch, rows) in batches.zip(values.chunks_mut(batch * self.width)) {
            let batch = batch?;
            let ids = &self.ids[batch.start..batch.start + batch.count];
            if let Some((features, ids, rows)) = before.replace((network.embed(&batch.pixels)?, ids, rows)) {
                self.add_features(&features, ids, rows)?;
            }
        }
        before.map_or(Ok(()), |(features, ids, rows)| self.add_features(&features, ids, rows))
    }

    /// Adds the features `[b, d]` of one batch, normalised, to their rows.
    fn add_features(&self, made: &Tensor, ids: &[ImageId], rows: &mut [f32]) -> Result<(), Error> {
        let dimensions = self.columns.len();
        let mut features = vec![0.0; ids.len() * dimensions];
        made.f_copy_data(&mut features, ids.len() * dimensions)?;
        normalise(&mut features, dimensions, |row| ids[row])?;
        for (row, feature) in rows.chunks_exact_mut(self.width).zip(features.chunks_exact(dimensions)) {
            row[self.columns.clone()].iter_mut().zip(feature).for_each(|(sum, value)| *sum += value);
        }
        self.progress.inc(ids.len() as u64);
        Ok(())
    }
}

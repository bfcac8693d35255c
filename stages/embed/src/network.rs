//! Features of a network, in evaluation mode: of one view of an image, or the mean over several; of several networks
//! side by side.
//!
//! On the processor every thread embeds small batches by itself, from pixels to features: threads wait for no other,
//! and a feature does not depend on their number. A graphics card gets large batches that all threads render.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use deepmcat_architecture::dimensions;
use deepmcat_config::Config;
use deepmcat_machine::Compute;
use deepmcat_network::inference::normalise;
use deepmcat_network::{Batches, Embedder, Item, checkpoint, vgg};
use deepmcat_pixels::{Images, View};
use deepmcat_schemas::ImageId;
use deepmcat_stage::{Progress, ThreadsError, Timings};
use tch::Tensor;

use crate::{Embedded, Error};

/// Images that one thread embeds at once; more are not faster.
const THREAD_BATCH: usize = 32;

/// What is embedded, and how: the inputs of [`embed`].
#[derive(Debug)]
pub struct Job<'a> {
    /// Folder of the data set.
    pub dataset: &'a Path,
    /// The images, relative to it.
    pub paths: &'a [String],
    /// Folder of their pixel table; none: PNGs are decoded.
    pub pixels: Option<&'a Path>,
    /// Their ids, which also number their draws.
    pub ids: &'a [ImageId],
    /// Checkpoint folders of the networks.
    pub weights: &'a [PathBuf],
    /// What the network sees of an image; the mean of its features counts.
    pub views: Vec<View>,
}

/// Embeds the images of a job: row i is that of `ids[i]`.
///
/// # Errors
/// When the checkpoint does not fit `[network]`, an image cannot be read, or a feature is not finite.
pub fn embed(job: Job, config: &Config, compute: Compute, timings: &mut Timings) -> Result<Embedded, Error> {
    let network = |weights: &PathBuf| Embedder::new(&checkpoint::read_model(weights, &config.network, compute)?);
    let networks = job.weights.iter().map(network).collect::<Result<Vec<_>, _>>()?;
    let images = Images::load(job.dataset, job.pixels, (job.ids, job.paths), config.network.input)?;
    timings.lap("read");

    let dimensions = usize::try_from(dimensions(&config.network)).unwrap_or_default();
    let passes = job.views.len() * networks.len();
    let progress = Progress::new((job.ids.len() * passes) as u64, "images embedded");
    let width = networks.len() * dimensions;
    let batch = batch(config, compute);
    let images = Arc::new(images);
    // The table of all networks, filled in place: it may be most of the memory that there is.
    let mut values = vec![0.0; job.ids.len() * width];
    for (number, network) in networks.iter().enumerate() {
        let columns = number * dimensions..(number + 1) * dimensions;
        let run = Run { side: config.network.input as usize, width, columns, compute, progress: &progress };
        if compute.device.is_cuda() {
            for view in &job.views {
                run.on_card(network, &images, &job, view, batch, &mut values)?;
            }
        } else {
            run.on_threads(network, &images, &job, batch, &mut values)?;
        }
    }
    progress.finish();
    if job.views.len() > 1 {
        normalise(&mut values, dimensions, |part| job.ids[part / networks.len()])?;
    }
    if networks.len() > 1 {
        normalise(&mut values, width, |row| job.ids[row])?;
    }
    Ok(Embedded { dimensions: width, values })
}

/// Images that are embedded at once.
pub(crate) fn batch(config: &Config, compute: Compute) -> usize {
    let batch = config.embed.batch as usize;
    if compute.device.is_cuda() { batch } else { batch.min(THREAD_BATCH) }
}

struct Run<'a> {
    side: usize,
    /// Values of a row of the table.
    width: usize,
    /// Those of them that are this network's.
    columns: Range<usize>,
    compute: Compute,
    progress: &'a Progress,
}

impl Run<'_> {
    /// Each thread takes the next batch that no other has taken.
    fn on_threads(
        &self,
        network: &Embedder,
        images: &Images,
        job: &Job,
        batch: usize,
        values: &mut [f32],
    ) -> Result<(), Error> {
        let batches = values.chunks_mut(batch * self.width).zip(job.ids.chunks(batch));
        let batches = Mutex::new(batches.enumerate());
        let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = |network: Embedder| {
            // Counts for the calling thread: libtorch starts no threads below this one.
            tch::set_num_threads(1);
            while let Some((number, (rows, ids))) = next() {
                let mut pixels = vec![0.0; ids.len() * self.side * self.side];
                for view in &job.views {
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
            let count = self.compute.threads.min(job.ids.len().div_ceil(batch)).max(1);
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
        job: &Job,
        view: &View,
        batch: usize,
        values: &mut [f32],
    ) -> Result<(), Error> {
        let items = job.ids.iter().enumerate().map(|(row, id)| Item { row, draw: id.0 }).collect();
        let batches = Batches::start(Arc::clone(images), items, view.clone(), (batch, self.side), self.compute.device);
        let mut before = None;
        for (batch, rows) in batches.zip(values.chunks_mut(batch * self.width)) {
            let batch = batch?;
            let ids = &job.ids[batch.start..batch.start + batch.count];
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

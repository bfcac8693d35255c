//! The disk space of a whole run, from its settings and the number of its images.

use std::fmt;

use deepmcat_config::Config;
use deepmcat_schemas::layout::MANIFEST;
use deepmcat_schemas::{Manifest, read_table};

use crate::RunFolder;

/// Side of the raw-pixel baseline's images.
const RAW: f64 = 32.0;
/// Width of the built-in encoder's features; that of another is known when it has run.
const ENCODER: f64 = 1280.0;
/// Bytes an image in the Parquet tables of one epoch, as measured: ids and clusters pack, distances do not.
const ASSIGNMENTS: f64 = 12.0;
const SAMPLES: f64 = 5.0;
/// And for each further clustering in the two of them.
const OTHERS: f64 = 2.5;
/// Images that are reckoned with until ingest has counted them.
const UNKNOWN: f64 = 100_000.0;

/// Bytes by kind, at the run's largest.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Images; `None` before ingest, where 100,000 are reckoned with.
    pub images: Option<usize>,
    /// The pixel table.
    pub pixels: f64,
    /// Feature tables that stand at the same time, those that stand beside the result among them.
    pub features: f64,
    /// Checkpoints that stand at the same time.
    pub checkpoints: f64,
    /// Assignments, clusters, samples of all epochs.
    pub history: f64,
}

impl Estimate {
    /// Reckons a run's disk space; PNG slices come on top.
    #[must_use]
    pub fn of(run: &RunFolder) -> Self {
        let manifest = run.path.join("dataset").join(MANIFEST);
        let images = read_table::<Manifest>(&manifest).ok().map(|manifest| manifest.image_id.len());
        Self::new(&run.config, images)
    }

    /// As [`Self::of`], for a number of images.
    #[must_use]
    pub fn new(config: &Config, images: Option<usize>) -> Self {
        let n = images.map_or(UNKNOWN, |images| images as f64);
        // Images of an epoch; the result is of all.
        let of_epoch = if config.embed.most == 0 { n } else { n.min(f64::from(config.embed.most)) };
        let epochs = f64::from(config.run.epochs);
        let kept = |last: u32| if last == 0 { epochs + 1.0 } else { f64::from(last).min(epochs) + 1.0 };
        let (d, parameters) = network(config);
        let value = if config.embed.features.float16 { 2.0 } else { 4.0 };
        let marked = match config.retention.checkpoint_every {
            0 => 0.0,
            every => (epochs / f64::from(every)).ceil(),
        };
        // The result is made from all networks.
        let networks = f64::from(config.run.networks);
        let checkpoints = (kept(config.retention.checkpoints) + marked + networks - 1.0).min(epochs) + networks;
        // Centroids of every epoch are history too.
        let others = OTHERS * f64::from(config.cluster.clusterings.saturating_sub(1));
        let centroids = f64::from(config.cluster.k) * d * 4.0;
        Self {
            images,
            pixels: networks.min(1.0) * n * (f64::from(config.network.body.input) * 4.0 / 3.0).ceil().powi(2),
            // Those of epochs, and of all networks in the result.
            features: of_epoch * networks.min(1.0) * (kept(config.retention.features) - 1.0) * (d * value + 4.0)
                + n * (networks * d * value
                    + 4.0
                    + RAW * RAW * value
                    + 4.0
                    + config.encoder.file().map_or(0.0, |_| ENCODER * value + 4.0)),
            // Weights and momentum.
            checkpoints: checkpoints * parameters * 8.0,
            history: epochs * of_epoch * (ASSIGNMENTS + SAMPLES + others)
                + n * ASSIGNMENTS
                + (epochs + 1.0) * centroids,
        }
    }

    /// Bytes in all.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.pixels + self.features + self.checkpoints + self.history
    }
}

/// Width of the features, and parameters of the network.
fn network(config: &Config) -> (f64, f64) {
    let network = &config.network.body;
    let entries = deepmcat_architecture::entries(network);
    let parameters = entries.iter().map(|entry| entry.shape.iter().product::<i64>() as f64).sum();
    (deepmcat_architecture::dimensions(network) as f64, parameters)
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, bytes) = if self.total() < 1e9 { ("MB", 1e6) } else { ("GB", 1e9) };
        let [total, pixels, features, checkpoints, history] =
            [self.total(), self.pixels, self.features, self.checkpoints, self.history].map(|all| all / bytes);
        let images = match self.images {
            Some(images) => format!("{images} images"),
            None => format!("{UNKNOWN} images (not counted yet)"),
        };
        write!(
            f,
            "disk space of the whole run with {images}: {total:.1} {unit} besides the PNG slices \
             (pixels {pixels:.1}, features {features:.1}, checkpoints {checkpoints:.1}, history {history:.1})"
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_large_run_with_half_precision_fits_in_100_gb() {
        let sets = ["embed.float16=true".to_owned()];
        let config = deepmcat_config::resolve(Some("large"), None, &sets).unwrap().0;
        let estimate = Estimate::new(&config, Some(192_272));
        // VGG-16 of one input channel without its last layer: 134.3 million, and running statistics.
        assert!((network(&config).1 / 134.3e6 - 1.0).abs() < 0.001, "{}", network(&config).1);
        assert!(estimate.total() < 100e9, "{estimate}");
        assert!(estimate.features > 192_272.0 * 4096.0 * 2.0, "{estimate}");
    }
}

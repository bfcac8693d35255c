//! Arguments of `deepmcat-history`.

use std::path::PathBuf;

use deepmcat_schemas::Epoch;
use deepmcat_stage::Verbosity;

use crate::epochs::Range;
use crate::output::Output;

/// Says how the clusters of a run's images changed from epoch to epoch.
///
/// A flip is an image whose cluster differs from that of the previous epoch. Cluster numbers are aligned from epoch to
/// epoch of one network; the first epoch of a network has no previous one. Images that are missing in one of the two
/// epochs are not compared.
#[derive(Debug, clap::Parser)]
#[command(
    name = "deepmcat-history",
    version,
    after_help = "Examples:\n  deepmcat history runs/study\n  deepmcat history runs/study images --last 5 --out \
        restless.csv\n  deepmcat history runs/study flows 9 10 --moved\n  deepmcat history runs/study path 17 --format json"
)]
pub struct Args {
    /// The run folder
    pub run: PathBuf,
    /// What is asked; the epochs where nothing is
    #[command(subcommand)]
    pub question: Option<Question>,
    /// Which clustering, if epochs have several (cluster.clusterings): 0 is the one that the result continues
    #[arg(long, value_name = "N", default_value_t = 0, global = true)]
    pub clustering: usize,
    /// How the answer is given.
    #[command(flatten)]
    pub output: Output,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: Verbosity,
}

/// What a history is asked.
#[derive(Debug, clap::Subcommand)]
pub enum Question {
    /// A row for each epoch: its network, the previous epoch, images, clusters in use, images compared, flips,
    /// stability (the share that did not flip)
    Epochs {
        /// Only these epochs, both ends included
        #[arg(long, value_name = "A..B", default_value = "..")]
        epochs: Range,
    },
    /// A row for each image, most flips first: epochs that assign it, epochs compared, flips, stability, entropy, its
    /// last cluster, the epoch of its last flip
    Images {
        /// Only these epochs, both ends included
        #[arg(long, value_name = "A..B", default_value = "..")]
        epochs: Range,
        /// Entropy (in bits) of its clusters over so many last epochs of the last network
        #[arg(long, value_name = "M", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        last: u32,
    },
    /// A row for each pair of clusters at two epochs, most images first: how many images moved, and their share of
    /// either cluster
    Flows {
        /// The first epoch
        from: Epoch,
        /// The second epoch
        to: Epoch,
        /// Only pairs of different numbers
        #[arg(long)]
        moved: bool,
    },
    /// A row for each epoch of one image: its cluster, whether it flipped, its distance to the centroid and its margin
    Path {
        /// Its image_id, or its key in dataset/manifest.parquet
        image: String,
    },
}

impl Default for Question {
    fn default() -> Self {
        Self::Epochs { epochs: Range::default() }
    }
}

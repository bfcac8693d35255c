//! The job of `cluster`: features to clusters.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must, share, within};
use super::{Check, Compute, paths};
use crate::Epoch;

/// Features to clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The run's seed.
    pub seed: u64,
    /// The epoch: each has starts of its own.
    pub epoch: Epoch,
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// How much each table of features counts, of squared lengths; empty: all the same.
    pub weights: Vec<f64>,
    /// k-means.
    pub cluster: KMeans,
    /// Clusters of k-means, merged until `cluster.k` are left; none: none are merged.
    pub merge_from: Option<u32>,
    /// Rounds in which each image's features become the mean of its own and its neighbours', before k-means.
    pub smooth: u32,
    /// Where it computes.
    pub compute: Compute,
}

paths! {
    /// What `cluster` reads.
    Inputs {
        /// Folders of feature tables, each with all its parts: an image's vectors count side by side.
        features: Vec<PathBuf>,
        /// Folder of the assignments whose numbers are kept.
        previous: Option<PathBuf>,
    }

    /// What `cluster` writes.
    Outputs {
        /// Folder of the table of assignments.
        assignments: PathBuf,
        /// Folder of the table of clusters.
        clusters: PathBuf,
    }
}

/// k-means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeans {
    /// Number of clusters.
    pub k: u32,
    /// Clusterings, of which the first is the assignment.
    pub clusterings: u32,
    /// Where k-means starts.
    pub start: Start,
    /// Most iterations of a start.
    pub iterations: u32,
    /// Starts, of which the best counts.
    pub redo: u32,
    /// Relative change of the objective at which a start ends; 0: all iterations.
    pub tolerance: f64,
}

/// Where k-means starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At k images drawn at random.
    Random,
    /// At images drawn far from each other (k-means++).
    Spread,
    /// At the means of the clusters of the epoch before.
    Previous,
}

/// Rounds of smoothing at most.
pub const MOST_ROUNDS: u32 = 1000;

impl KMeans {
    /// Refuses counts that no machine can work with.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("cluster.k", self.k, 2..=1_000_000, "at least 2, at most 1000000")?;
        within("cluster.clusterings", self.clusterings, 1..=1000, "1 to 1000")?;
        within("cluster.iterations", self.iterations, 1..=1_000_000, "1 to 1000000")?;
        within("cluster.redo", self.redo, 1..=100_000, "1 to 100000")?;
        share("cluster.tolerance", self.tolerance)
    }
}

impl Check for Cluster {
    fn check(&self) -> Result<(), OutOfRange> {
        let all = self.weights.is_empty() || self.weights.len() == self.inputs.features.len();
        must(all, "--weights", "one for each table of features", self.weights.len())?;
        for &weight in &self.weights {
            must(weight > 0.0 && weight.is_finite(), "--weights", "above 0", weight)?;
        }
        within("--smooth", self.smooth, 0..=MOST_ROUNDS, "0 to 1000")?;
        self.cluster.check()
    }
}

//! What a fit depends on besides the features.

use deepmcat_schemas::jobs::cluster::{KMeans, Start};
use deepmcat_schemas::{Epoch, jobs};

/// Parameters of k-means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// Number of clusters of k-means.
    pub k: usize,
    /// Clusters that are left when those are merged; k: they are not.
    pub groups: usize,
    /// Rounds of smoothing before k-means; 0: none.
    pub smooth: u32,
    /// Clusterings of the epoch.
    pub clusterings: u32,
    /// Which of them this is, from 0: each has starts of its own.
    pub clustering: u32,
    /// Where the first start begins; the others begin at random rows, or at spread ones where it says so.
    pub start: Start,
    /// Most iterations of a start; an iteration moves the centroids and assigns every image.
    pub iterations: usize,
    /// Starts, of which the one with the lowest objective counts.
    pub redo: u32,
    /// Relative fall of the objective below which a start ends; 0: only when no image changes cluster.
    pub tolerance: f64,
    /// The run's seed.
    pub seed: u64,
    /// The epoch: each has starts of its own.
    pub epoch: Epoch,
}

impl Parameters {
    /// The parameters of a job, without smoothing and merging.
    #[must_use]
    pub fn new(job: &jobs::Cluster) -> Self {
        let KMeans { k, clusterings, start, iterations, redo, tolerance } = job.cluster;
        // u32 fits usize wherever libtorch runs.
        Self {
            k: k as usize,
            groups: k as usize,
            smooth: 0,
            clusterings,
            clustering: 0,
            start,
            iterations: iterations as usize,
            redo,
            tolerance,
            seed: job.seed,
            epoch: job.epoch,
        }
    }
}

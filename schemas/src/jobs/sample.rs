//! The job of `sample`: assignments to the training order of an epoch.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must, within};
use super::{Check, paths};
use crate::Epoch;

/// Assignments to the training order of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The run's seed.
    pub seed: u64,
    /// The epoch: each has draws of its own.
    pub epoch: Epoch,
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// How images are drawn.
    pub sample: Draw,
}

paths! {
    /// What `sample` reads.
    Inputs {
        /// Folder of the assignments.
        assignments: PathBuf,
    }

    /// What `sample` writes.
    Outputs {
        /// Folder of the samples.
        samples: PathBuf,
    }
}

/// Which images an epoch trains on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// Draw so that pseudo-labels are uniform.
    pub uniform: bool,
    /// Draws of an epoch at least.
    pub least: u32,
    /// Share of each cluster's images that are drawn from: those nearest to its centroid.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub sure: f64,
}

fn all() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, clippy::float_cmp)] // serde asks for it; 1 is exact
fn is_all(sure: &f64) -> bool {
    *sure == 1.0
}

impl Draw {
    /// Refuses what cannot be drawn.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("sample.least", self.least, 0..=1_000_000_000, "0 to 1000000000")?;
        must(self.sure > 0.0 && self.sure <= 1.0, "sample.sure", "above 0, at most 1", self.sure)
    }
}

impl Check for Sample {
    fn check(&self) -> Result<(), OutOfRange> {
        self.sample.check()
    }
}

//! The job of `evaluate`: assignments to metrics.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Check, paths};

/// Assignments to metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
}

paths! {
    /// What `evaluate` reads.
    Inputs {
        /// Folder of the data set, for its table of labels.
        dataset: PathBuf,
        /// Folder of the assignments.
        assignments: PathBuf,
        /// Folder of their clusters.
        clusters: PathBuf,
        /// Folder of the assignments of the epoch before.
        previous: Option<PathBuf>,
    }

    /// What `evaluate` writes.
    Outputs {
        /// Folder of the metrics.
        metrics: PathBuf,
    }
}

impl Check for Evaluate {}

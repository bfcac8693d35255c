//! The job of `map`: the images of a result as points of a plane.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Check, paths};

/// The images of a result as points of a plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// How much each of several tables of features counts, as where they were clustered; none: all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
}

paths! {
    /// What `map` reads.
    Inputs {
        /// Folders of the features that were clustered.
        features: Vec<PathBuf>,
        /// Folder of the assignments.
        assignments: PathBuf,
        /// Folder of their clusters.
        clusters: PathBuf,
        /// Folder of the cells of an earlier map, from which this one starts.
        previous: Option<PathBuf>,
    }

    /// What `map` writes.
    Outputs {
        /// Folder of the images' places.
        map: PathBuf,
        /// Folder of the clusters' cells.
        cells: PathBuf,
    }
}

impl Check for Map {}

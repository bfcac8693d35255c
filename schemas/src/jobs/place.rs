//! The job of `place`: other images into the categories of a model.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must};
use super::{Check, Compute, paths};

/// Other images into the categories of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Seed of the bootstrap where there are labels to measure by.
    pub seed: u64,
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// How much each table of features counts, as where the model was made.
    pub weights: Vec<f64>,
    /// Where it computes.
    pub compute: Compute,
}

paths! {
    /// What `place` reads.
    Inputs {
        /// Folder of the data set, for manifest, labels and sources.
        dataset: PathBuf,
        /// Folders of its feature tables, made as those of the model were.
        features: Vec<PathBuf>,
        /// Folder of the model.
        model: PathBuf,
    }

    /// What `place` writes.
    Outputs {
        /// Folder of the categories of images.
        categories: PathBuf,
        /// Folder of those of series.
        series: PathBuf,
        /// Folder of how right they are.
        metrics: PathBuf,
        /// Folder of how right each class is.
        classes: PathBuf,
        /// Folder of the risk-coverage curve.
        risk: PathBuf,
        /// Folder of the reliability diagram.
        reliability: PathBuf,
        /// Folder of the images' places on the model's map.
        map: PathBuf,
        /// CSV of the series for people: it names patients, the tables do not.
        csv: PathBuf,
    }
}

impl Outputs {
    /// The tables that say how right categories are.
    #[must_use]
    pub fn figures(&self) -> [&PathBuf; 4] {
        [&self.metrics, &self.classes, &self.risk, &self.reliability]
    }
}

impl Check for Place {
    fn check(&self) -> Result<(), OutOfRange> {
        let all = self.weights.is_empty() || self.weights.len() == self.inputs.features.len();
        must(all, "--weights", "one for each table of features", self.weights.len())
    }
}

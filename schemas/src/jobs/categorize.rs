//! The job of `categorize`: names, or labels, to a category an image and a series.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must, share};
use super::{Check, Compute, paths};

/// Names, or labels, to categories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categorize {
    /// The run's seed.
    pub seed: u64,
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// How much each table of features counts, of squared lengths; empty: all the same.
    pub weights: Vec<f64>,
    /// Where categories come from, and when a person should look.
    pub categorize: Categories,
    /// Where it computes.
    pub compute: Compute,
}

paths! {
    /// What `categorize` reads.
    Inputs {
        /// Folder of the data set, for manifest, labels and sources.
        dataset: PathBuf,
        /// Folders of the feature tables of the result.
        features: Vec<PathBuf>,
        /// Folder of the result's assignments.
        assignments: PathBuf,
        /// Folder of its clusters.
        clusters: PathBuf,
        /// Folder of the names; none where categories come from labels.
        names: Option<PathBuf>,
    }

    /// What `categorize` writes.
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
        /// Folder of the tables that put other images into these categories.
        model: PathBuf,
    }
}

impl Outputs {
    /// The tables that say how right categories are.
    #[must_use]
    pub fn figures(&self) -> [&PathBuf; 4] {
        [&self.metrics, &self.classes, &self.risk, &self.reliability]
    }
}

/// Where categories come from, and when a person should look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categories {
    /// From labels, not from names.
    pub from_labels: bool,
    /// Labels of each class that are used, drawn at random; none: all.
    pub per_class: Option<u32>,
    /// Confidence below which a person should look.
    pub threshold: f64,
    /// p-value of novelty below which a person should look.
    pub novelty: f64,
}

impl Check for Categorize {
    fn check(&self) -> Result<(), OutOfRange> {
        let all = self.weights.is_empty() || self.weights.len() == self.inputs.features.len();
        must(all, "--weights", "one for each table of features", self.weights.len())?;
        must(self.categorize.per_class != Some(0), "--per-class", "at least 1", 0)?;
        share("--threshold", self.categorize.threshold)?;
        share("--novelty", self.categorize.novelty)
    }
}

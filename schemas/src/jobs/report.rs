//! The job of `report`: a result as one page.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Check, paths};
use crate::Epoch;

/// A result as one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The epoch whose clusters are shown.
    pub epoch: Epoch,
    /// First epoch of each network: curves start over there.
    pub networks: Vec<Epoch>,
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// The settings that say how the result was made, by name.
    pub made: BTreeMap<String, String>,
}

paths! {
    /// What `report` reads.
    Inputs {
        /// Folder of the data set.
        dataset: PathBuf,
        /// Folder of the assignments.
        assignments: PathBuf,
        /// Folder of their clusters.
        clusters: PathBuf,
        /// Folder of the images' places; none while a run is under way.
        map: Option<PathBuf>,
        /// Folders of the metrics of all epochs up to this one, in order.
        metrics: Vec<PathBuf>,
        /// Folders of the assignments of all epochs before this one, in order.
        history: Vec<PathBuf>,
        /// Folder of the names that people gave.
        names: Option<PathBuf>,
        /// Folder of the categories that follow from them.
        categories: Option<PathBuf>,
        /// Folder of their figures.
        category_metrics: Option<PathBuf>,
        /// Folder of the figures of each class.
        class_metrics: Option<PathBuf>,
        /// Folder of what is wrong above each confidence.
        risk_coverage: Option<PathBuf>,
        /// Folder of how right each confidence is.
        reliability: Option<PathBuf>,
        /// Folder of the thresholds that an audit tried.
        audit: Option<PathBuf>,
        /// Folder of what the categories were made by.
        classifier: Option<PathBuf>,
        /// Folder of the series whose header and images disagree.
        contradictions: Option<PathBuf>,
        /// Folder of the metrics of k-means on raw pixels.
        raw: Option<PathBuf>,
        /// Folder of the metrics of k-means on the frozen encoder's features.
        encoder: Option<PathBuf>,
    }

    /// What `report` writes.
    Outputs {
        /// The page.
        report: PathBuf,
    }
}

impl Check for Report {}

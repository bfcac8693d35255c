//! The jobs of `embed`: images to features, by networks or without one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, within};
use super::{Augment, Check, Compute, Network, pack, paths};
use crate::Epoch;

/// Images to features by networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embed {
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// The network.
    pub network: Network,
    /// How features are made and stored.
    pub embed: FeatureForm,
    /// What the network sees of an image; none: all of it, unchanged.
    pub views: Option<Views>,
    /// Images at most, drawn from the data set; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// Where it computes.
    pub compute: Compute,
}

paths! {
    /// What `embed` reads.
    Inputs {
        /// Folder of the data set.
        dataset: PathBuf,
        /// Folder of its pixel table; none: PNGs are decoded.
        pixels: Option<PathBuf>,
        /// Checkpoint folders; of several the features stand side by side.
        weights: Vec<PathBuf>,
    }

    /// What `embed` writes.
    Outputs {
        /// Folder of the feature table.
        features: PathBuf,
    }
}

/// How features are made and stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureForm {
    /// Images a batch.
    pub batch: u32,
    /// Features in half precision.
    pub float16: bool,
}

/// Random views of an image, whose features are averaged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Views {
    /// The run's seed.
    pub seed: u64,
    /// The epoch: each has draws of its own.
    pub epoch: Epoch,
    /// How many.
    pub count: u32,
    /// How an image is changed.
    pub augment: Augment,
}

impl FeatureForm {
    /// Refuses batches that no machine can work with.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("embed.batch", self.batch, 1..=65_536, "1 to 65536")
    }
}

impl Views {
    /// Refuses numbers of views that no machine can work with.
    ///
    /// # Errors
    /// When it is out of range.
    pub fn check_count(count: u32) -> Result<(), OutOfRange> {
        within("embed.views", count, 1..=1000, "1 to 1000")
    }
}

impl Check for Embed {
    fn check(&self) -> Result<(), OutOfRange> {
        self.network.check()?;
        self.embed.check()?;
        let Some(views) = &self.views else { return Ok(()) };
        Views::check_count(views.count)?;
        views.augment.check()
    }
}

/// Images to features without a network: small z-scored pixels, the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// What it reads.
    pub inputs: pack::Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// How features are stored.
    pub embed: Stored,
}

/// How the baseline's features are stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Features in half precision.
    pub float16: bool,
}

impl Check for Raw {}

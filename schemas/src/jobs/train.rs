//! The job of `train`: one epoch of training.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must, share, within};
use super::{Augment, Check, Compute, Network, paths};
use crate::Epoch;

/// One epoch of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// The run's seed.
    pub seed: u64,
    /// The epoch: each has draws of its own.
    pub epoch: Epoch,
    /// Dropout after the first fully connected layer, where there is one.
    pub dropout: Option<f64>,
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// The network.
    pub network: Network,
    /// How an image is changed each time.
    pub augment: Augment,
    /// Stochastic gradient descent.
    pub train: Sgd,
    /// Where the epoch stands among those of its network, where the rates depend on it.
    pub horizon: Option<Horizon>,
    /// Where it computes.
    pub compute: Compute,
}

paths! {
    /// What `train` reads.
    Inputs {
        /// Folder of the data set.
        dataset: PathBuf,
        /// Folder of its pixel table; none: PNGs are decoded.
        pixels: Option<PathBuf>,
        /// Folder of the samples: the training order and its pseudo-labels.
        samples: PathBuf,
        /// Checkpoint folder to start from.
        weights: PathBuf,
    }

    /// What `train` writes.
    Outputs {
        /// Checkpoint folder.
        checkpoint: PathBuf,
        /// Folder of the training table.
        training: PathBuf,
    }
}

/// Stochastic gradient descent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// Images a step.
    pub batch: u32,
    /// Learning rate of the body at the start.
    pub rate: f64,
    /// How the rates change over the epochs of a network.
    pub schedule: Schedule,
    /// Momentum of the body.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether the last layer is new at each epoch.
    pub head: LastLayer,
    /// Learning rate of the last layer at the start.
    pub head_rate: f64,
}

/// How the learning rates change over the epochs of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// They do not.
    Constant,
    /// Down to 0 as half a cosine.
    Cosine,
}

/// What the last layer starts an epoch with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LastLayer {
    /// Fresh random weights.
    New,
    /// The weights of the epoch before: clusters keep their numbers.
    Kept,
}

/// Where an epoch stands among those of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Horizon {
    /// Epochs of the network before it.
    pub before: u32,
    /// Epochs of the network in all.
    pub epochs: u32,
}

impl Sgd {
    /// Refuses what cannot be learned with.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("train.batch", self.batch, 2..=65_536, "at least 2 (batch norm), at most 65536")?;
        for (key, value) in [("train.rate", self.rate), ("train.head_rate", self.head_rate)] {
            must(value > 0.0 && value.is_finite(), key, "above 0", value)?;
        }
        share("train.momentum", self.momentum)?;
        share("train.weight_decay", self.weight_decay)
    }
}

impl Check for Train {
    fn check(&self) -> Result<(), OutOfRange> {
        self.network.check()?;
        self.augment.check()?;
        self.train.check()?;
        share("network.dropout", self.dropout.unwrap_or_default())
    }
}

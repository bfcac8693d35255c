//! The job of `train --init`: the weights that a network starts with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::OutOfRange;
use super::{Check, Network, paths};
use crate::Epoch;

/// The weights that a network starts with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// The run's seed.
    pub seed: u64,
    /// The first epoch of the network: each has weights of its own.
    pub epoch: Epoch,
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// The network.
    pub network: Network,
}

paths! {
    /// Nothing is read.
    Inputs {
    }

    /// What `init` writes.
    Outputs {
        /// Folder of the checkpoint.
        checkpoint: PathBuf,
    }
}

impl Check for Init {
    fn check(&self) -> Result<(), OutOfRange> {
        self.network.check()
    }
}

//! The job of `pack`: a data set to one table of pixels.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::OutOfRange;
use super::{Check, network, paths};

/// A data set to one table of pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// What the pixels are for.
    pub network: Input,
}

paths! {
    /// A data set alone.
    Inputs {
        /// Folder of the data set.
        dataset: PathBuf,
    }

    /// What `pack` writes.
    Outputs {
        /// Folder of the pixel table.
        pixels: PathBuf,
    }
}

/// What of the network counts for pixels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Side of the network's input in pixels.
    pub input: u32,
}

impl Check for Pack {
    fn check(&self) -> Result<(), OutOfRange> {
        network::check_input(self.network.input)
    }
}

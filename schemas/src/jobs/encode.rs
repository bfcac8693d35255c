//! The job of `encode`: images to features by a frozen network, or from a table made elsewhere.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must, within};
use super::embed::{Outputs, Stored};
use super::{Check, paths};

/// Images to features by a frozen encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encode {
    /// What it reads.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// How the network is used; none: the features are in a table.
    pub encoder: Option<Encoder>,
    /// How features are stored.
    pub embed: Stored,
}

paths! {
    /// What `encode` reads.
    Inputs {
        /// Folder of the data set.
        dataset: PathBuf,
        /// The network as an ONNX file, or a table of features.
        encoder: PathBuf,
    }
}

/// How images go into the network and features come out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// Side of its input in pixels.
    pub side: u32,
    /// Channels of its input; each gets the same grey image.
    pub channels: u32,
    /// Mean of each channel, for pixels from 0 to 1; empty: each image is z-scored.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel; empty if `mean` is.
    pub deviation: Vec<f64>,
    /// Name of the output; empty: the first.
    pub output: String,
    /// How several vectors per image become one.
    pub pooling: Pooling,
}

/// How several vectors per image become one: those of tokens `[n, t, d]` or of a map `[n, d, h, w]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The first token, that of the class.
    First,
}

impl Encoder {
    /// Refuses what no network takes.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("encoder.side", self.side, 8..=4096, "8 to 4096")?;
        within("encoder.channels", self.channels, 1..=16, "1 to 16")?;
        let (mean, deviation) = (self.mean.len(), self.deviation.len());
        let fits = mean == deviation && (mean == 0 || mean == self.channels as usize);
        must(fits, "encoder.mean", "a number for each of encoder.channels, as encoder.deviation; or both empty", mean)?;
        let positive = self.deviation.iter().all(|&value| value > 0.0 && value.is_finite());
        must(positive, "encoder.deviation", "above 0", format!("{:?}", self.deviation))?;
        let finite = self.mean.iter().all(|value| value.is_finite());
        must(finite, "encoder.mean", "numbers", format!("{:?}", self.mean))
    }
}

impl Check for Encode {
    fn check(&self) -> Result<(), OutOfRange> {
        self.encoder.as_ref().map_or(Ok(()), Encoder::check)
    }
}

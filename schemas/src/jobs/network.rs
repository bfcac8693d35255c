//! The network and what it sees: settings that several stages share.

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must, within};

/// The network's body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Multiplier of VGG-16's channel numbers.
    pub width: f64,
    /// Side of the network's input in pixels.
    pub input: u32,
    /// Side of the adaptive average pool.
    pub pool: u32,
    /// Which layer gives the features.
    pub features: FeatureLayer,
    /// Width of the two fully connected layers, where there are any.
    pub fc: Option<u32>,
}

/// Which layer gives the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureLayer {
    /// The second fully connected layer, before its ReLU.
    Fc,
    /// The adaptive average pool; there are no fully connected layers.
    Pool,
}

impl Network {
    /// Refuses what is no network.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        must(self.width > 0.0 && self.width <= 8.0, "network.width", "above 0, at most 8", self.width)?;
        check_input(self.input)?;
        within("network.pool", self.pool, 1..=self.input / 32, "1 to network.input / 32")?;
        let missing = if self.features == FeatureLayer::Fc { 0 } else { 1 };
        within("network.fc", self.fc.unwrap_or(missing), 1..=65_536, "1 to 65536")
    }
}

/// Refuses a side of the network's input that it cannot work with.
///
/// # Errors
/// When it is out of range.
pub fn check_input(input: u32) -> Result<(), OutOfRange> {
    within("network.input", input, 32..=1024, "32 to 1024 pixels")
}

/// Random changes of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Range of the crop's share of the image area.
    pub area: [f64; 2],
    /// Range of the crop's aspect ratio.
    pub ratio: [f64; 2],
    /// Largest rotation in degrees.
    pub rotation: f64,
    /// Strength of the multiplicative bias field.
    pub bias: f64,
    /// Largest logarithm of the gamma exponent.
    pub gamma: f64,
    /// Largest standard deviation of added noise, in units of the image's.
    pub noise: f64,
}

/// The strongest change that a setting may ask for, and twice that where networks differ.
const STRONGEST: f64 = 10.0;

impl Augment {
    /// Refuses what cannot be drawn.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        self.check_up_to(2.0 * STRONGEST)
    }

    /// As [`Self::check`], for the settings of a run.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check_of_run(&self) -> Result<(), OutOfRange> {
        self.check_up_to(STRONGEST)
    }

    fn check_up_to(&self, strongest: f64) -> Result<(), OutOfRange> {
        let ascending = |range: [f64; 2]| range[0] > 0.0 && range[0] <= range[1];
        let (area, ratio) = (self.area, self.ratio);
        must(
            ascending(area) && area[1] <= 1.0,
            "augment.area",
            "[low, high] within 0 and 1",
            format_args!("{area:?}"),
        )?;
        must(
            ascending(ratio) && ratio[0] >= 0.01 && ratio[1] <= 100.0,
            "augment.ratio",
            "[low, high] within 0.01 and 100",
            format_args!("{ratio:?}"),
        )?;
        within("augment.rotation", self.rotation, 0.0..=180.0, "0 to 180 degrees")?;
        [("augment.bias", self.bias), ("augment.gamma", self.gamma), ("augment.noise", self.noise)]
            .into_iter()
            .try_for_each(|(key, value)| within(key, value, 0.0..=strongest, "0 to 10"))
    }
}

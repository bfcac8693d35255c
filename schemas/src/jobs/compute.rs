//! Where and how a stage computes, as far as its results depend on it. Threads and the number of a card do not count.

use serde::{Deserialize, Serialize};

/// The device and its arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compute {
    /// The kind of device.
    pub device: Device,
    /// Arithmetic of the network, where there is one.
    pub precision: Option<Arithmetic>,
}

/// A kind of device: cards of one machine count as equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    Cpu,
    /// A graphics card.
    Cuda,
}

/// Arithmetic of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// Single precision.
    Float32,
    /// Convolutions and matrix products in bfloat16, weights and norms in single precision.
    Bfloat16,
}

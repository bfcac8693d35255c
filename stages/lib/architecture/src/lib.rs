//! VGG-16 with batch norm as a list of tensors: names, shapes and starting values.
//!
//! The one place that knows the network's shape; weights are drawn, read, checked and written by this list.
//! Names are those of torchvision's `vgg16_bn` (`features.0.weight`, ...), so that PyTorch can load a checkpoint.
//!
//! Thirteen convolutions, 3x3, padding 1, with bias, batch norm and ReLU after each, maximum pools of 2 after
//! the 2nd, 4th, 7th, 10th and 13th (Simonyan and Zisserman, 2015, configuration D), one input channel.

use deepmcat_schemas::jobs::{FeatureLayer, Network};

/// Channels of each convolution at full width, and whether a pool follows.
const CONVOLUTIONS: [(f64, bool); 13] = [
    (64.0, false),
    (64.0, true),
    (128.0, false),
    (128.0, true),
    (256.0, false),
    (256.0, false),
    (256.0, true),
    (512.0, false),
    (512.0, false),
    (512.0, true),
    (512.0, false),
    (512.0, false),
    (512.0, true),
];

/// The least channels of a convolution, however small the width.
const LEAST_CHANNELS: i64 = 8;

/// What a tensor is, which decides how it starts and whether it is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Role {
    /// Weights that start as N(0, sd).
    Weight {
        /// Standard deviation of the start.
        sd: f64,
    },
    /// Trained, starts as 0: biases of convolutions, linear layers and norms.
    Bias,
    /// Trained, starts as 1: factors of norms.
    Scale,
    /// Running mean of a norm, starts as 0.
    Mean,
    /// Running variance of a norm, starts as 1.
    Variance,
    /// Number of batches a norm has seen (i64); PyTorch asks for it.
    Batches,
}

impl Role {
    /// Whether SGD changes it.
    #[must_use]
    pub fn is_trained(self) -> bool {
        matches!(self, Self::Weight { .. } | Self::Bias | Self::Scale)
    }
}

/// One tensor of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its name in PyTorch.
    pub name: String,
    /// Its shape: `[out, in, 3, 3]`, `[out, in]`, `[channels]` or `[]`.
    pub shape: Vec<i64>,
    /// What it is.
    pub role: Role,
}

/// One convolution of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convolution {
    /// Channels in.
    pub input: i64,
    /// Channels out.
    pub output: i64,
    /// A maximum pool of 2 follows.
    pub pool: bool,
    /// Its number in PyTorch's `features`, where its norm is one more.
    pub number: usize,
}

/// The convolutions at the width that is asked for: channels = max(8, round(width x channels)).
#[must_use]
pub fn convolutions(width: f64) -> Vec<Convolution> {
    let mut input = 1;
    let mut number = 0;
    let convolution = |(channels, pool): (f64, bool)| {
        let output = ((width * channels).round() as i64).max(LEAST_CHANNELS);
        let this = Convolution { input, output, pool, number };
        input = output;
        // Convolution, norm, ReLU, perhaps a pool.
        number += if pool { 4 } else { 3 };
        this
    };
    CONVOLUTIONS.into_iter().map(convolution).collect()
}

/// Inputs and outputs of the two fully connected layers, where there are any.
#[must_use]
pub fn linears(network: &Network) -> Vec<(i64, i64)> {
    let fc = connected(network);
    match network.features {
        FeatureLayer::Pool => Vec::new(),
        FeatureLayer::Fc => vec![(pooled(network), fc), (fc, fc)],
    }
}

/// Width of the fully connected layers; 0 where there are none.
fn connected(network: &Network) -> i64 {
    network.fc.map_or(0, i64::from)
}

/// Channels of the last convolution times the pooled area.
fn pooled(network: &Network) -> i64 {
    let channels = convolutions(network.width).last().map_or(0, |last| last.output);
    channels * i64::from(network.pool) * i64::from(network.pool)
}

/// d, the width of a feature vector.
#[must_use]
pub fn dimensions(network: &Network) -> i64 {
    match network.features {
        FeatureLayer::Pool => pooled(network),
        FeatureLayer::Fc => connected(network),
    }
}

/// Every tensor of the network, in the order of the forward pass.
///
/// Starting values are DeepCluster's: convolutions N(0, sqrt(2 / (3 * 3 * out))), linear layers N(0, 0.01).
#[must_use]
pub fn entries(network: &Network) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |name: String, shape: &[i64], role| entries.push(Entry { name, shape: shape.to_vec(), role });
    for Convolution { input, output, number, .. } in convolutions(network.width) {
        let sd = (2.0 / (9.0 * output as f64)).sqrt();
        add(format!("features.{number}.weight"), &[output, input, 3, 3], Role::Weight { sd });
        add(format!("features.{number}.bias"), &[output], Role::Bias);
        let norm = number + 1;
        add(format!("features.{norm}.weight"), &[output], Role::Scale);
        add(format!("features.{norm}.bias"), &[output], Role::Bias);
        add(format!("features.{norm}.running_mean"), &[output], Role::Mean);
        add(format!("features.{norm}.running_var"), &[output], Role::Variance);
        add(format!("features.{norm}.num_batches_tracked"), &[], Role::Batches);
    }
    // Linear, ReLU, dropout, linear: numbers 0 and 3 of PyTorch's `classifier`.
    for ((input, output), number) in linears(network).into_iter().zip([0, 3]) {
        add(format!("classifier.{number}.weight"), &[output, input], Role::Weight { sd: 0.01 });
        add(format!("classifier.{number}.bias"), &[output], Role::Bias);
    }
    entries
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn network(width: f64, features: FeatureLayer) -> Network {
        Network { width, input: 224, pool: 7, features, fc: Some(4096) }
    }

    #[test]
    fn at_full_width_it_is_torchvisions_vgg16_bn() {
        let entries = entries(&network(1.0, FeatureLayer::Fc));
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert!(names.contains(&"features.40.weight") && names.contains(&"features.41.running_var"));
        assert_eq!(names.last(), Some(&"classifier.3.bias"));
        let trained: i64 = entries
            .iter()
            .filter(|entry| entry.role.is_trained())
            .map(|entry| entry.shape.iter().product::<i64>())
            .sum();
        // torchvision: 138,365,992 with the last layer (4096 x 1000 + 1000) and three input channels (2 x 9 x 64 more).
        assert_eq!(trained, 138_365_992 - 4_097_000 - 1_152);
        assert_eq!(dimensions(&network(1.0, FeatureLayer::Fc)), 4096);
    }

    #[test]
    fn width_scales_channels_down_to_eight() {
        let outputs: Vec<i64> = convolutions(0.0625).iter().map(|convolution| convolution.output).collect();
        assert_eq!(outputs, [8, 8, 8, 8, 16, 16, 16, 32, 32, 32, 32, 32, 32]);
        assert_eq!(dimensions(&network(0.0625, FeatureLayer::Pool)), 32 * 49);
    }
}

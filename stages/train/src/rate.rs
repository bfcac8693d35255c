//! How the learning rates change over the epochs of a network: not at all, or down to 0 as half a cosine
//! (DeepCluster-v2, SwAV).

use std::f64::consts::PI;

use deepmcat_schemas::jobs::train::Horizon;

/// The share of the learning rates that a step takes.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Steps of the network before this epoch, and in all; none where the rates do not change.
    steps: Option<[f64; 2]>,
}

impl Rate {
    /// The rates of an epoch of `images` draws in batches.
    #[must_use]
    pub fn new(horizon: Option<Horizon>, batch: u32, images: usize) -> Self {
        let steps = images.div_ceil(batch.max(1) as usize) as f64;
        let of = |Horizon { before, epochs }| [before, epochs].map(|epochs| f64::from(epochs) * steps);
        Self { steps: horizon.map(of) }
    }

    /// 1 at the start of a network; with a cosine 0 after its last step.
    #[must_use]
    pub fn share(&self, step: u32) -> f64 {
        let Some([before, all]) = self.steps else { return 1.0 };
        let done = (before + f64::from(step)) / all.max(1.0);
        0.5 * (1.0 + (PI * done.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_falls_over_the_epochs_of_a_network_and_a_constant_does_not() {
        let share = |before, step| Rate::new(Some(Horizon { before, epochs: 4 }), 10, 95).share(step);
        assert!((share(0, 0) - 1.0).abs() < 1e-12);
        assert!((share(2, 0) - 0.5).abs() < 1e-12);
        assert!(share(3, 9) > 0.0 && share(3, 9) < 0.01);
        assert!((Rate::new(None, 10, 95).share(3) - 1.0).abs() < 1e-12);
    }
}

//! How the learning rates change over the epochs of a network: not at all, or down to 0 as half a cosine
//! (DeepCluster-v2, SwAV).

use std::f64::consts::PI;

use deepmcat_config::{Config, Schedule};

/// The share of the learning rates that a step takes.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    schedule: Schedule,
    /// Steps of the network before this epoch, and in all.
    before: f64,
    all: f64,
}

impl Rate {
    /// The rates of an epoch of `images` draws.
    #[must_use]
    pub fn new(config: &Config, epoch: u32, images: usize) -> Self {
        let steps = images.div_ceil(config.train.batch.max(1) as usize) as f64;
        let epochs = config.run.network_of(epoch);
        let (before, all) = (f64::from(epoch - epochs.start) * steps, f64::from(epochs.end - epochs.start) * steps);
        Self { schedule: config.train.schedule, before, all }
    }

    /// 1 at the start of a network; with a cosine 0 after its last step.
    #[must_use]
    pub fn share(&self, step: u32) -> f64 {
        match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Cosine => {
                let done = (self.before + f64::from(step)) / self.all.max(1.0);
                0.5 * (1.0 + (PI * done.min(1.0)).cos())
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_falls_over_the_epochs_of_a_network_and_a_constant_does_not() {
        let sets = ["run.epochs=4", "train.schedule=cosine", "train.batch=10"].map(str::to_owned);
        let config = deepmcat_config::resolve(None, None, &sets).unwrap().0;
        let share = |epoch, step| Rate::new(&config, epoch, 95).share(step);
        assert_eq!(share(0, 0), 1.0);
        assert!((share(2, 0) - 0.5).abs() < 1e-12);
        assert!(share(3, 9) > 0.0 && share(3, 9) < 0.01);
        let sets = ["run.epochs=4", "run.networks=2", "train.schedule=cosine", "train.batch=10"].map(str::to_owned);
        let config = deepmcat_config::resolve(None, None, &sets).unwrap().0;
        let share = |epoch, step| Rate::new(&config, epoch, 95).share(step);
        assert_eq!((share(0, 0), share(2, 0)), (1.0, 1.0));
        assert!((share(3, 0) - 0.5).abs() < 1e-12);
        let constant = deepmcat_config::resolve(None, None, &[]).unwrap().0;
        assert_eq!(Rate::new(&constant, 7, 95).share(3), 1.0);
    }
}

//! What the network sees of an image: the whole of it, or a random view.
//!
//! A random view is one bilinear sample under rotation and random resized crop (as torchvision draws them), then
//! shading, contrast, z-score and noise. Shading multiplies by exp of a quadratic polynomial of the position,
//! contrast raises to a power. Both exist because a small network that is not shown such changes finds brightness
//! and shading first, and clusters by them. Every draw depends on (seed, epoch, item, purpose) alone.

use deepmcat_schemas::jobs::Augment;
use deepmcat_stage::random::{Purpose, repeated};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::resample::{Affine, sample};

/// Tries to place a crop inside the image before the central one is taken, as in torchvision.
const CROP_TRIES: usize = 10;
/// The polynomial of the bias field stays within +- this.
const BIAS_LIMIT: f32 = 2.0;
/// Exponents stay below this: `exp(88.8)` is no f32 any more.
const EXPONENT_LIMIT: f32 = 80.0;
/// An image whose standard deviation is below this (of 0 to 1) is flat: it becomes zeros.
const FLAT: f64 = 1e-6;

/// What the network sees of an image.
#[derive(Debug, Clone)]
pub enum View {
    /// The whole image.
    Clean,
    /// A random part of it, randomly changed.
    Augmented {
        /// How strongly.
        settings: Augment,
        /// The run's seed.
        seed: u64,
        /// The epoch.
        epoch: u32,
        /// Training or embedding: they do not share draws.
        purpose: Purpose,
        /// Which of several views of an image in the epoch.
        number: u32,
    },
}

impl View {
    /// Renders `source` `[from, from]` into `target` `[to, to]`, z-scored.
    ///
    /// `item` tells the draws of one epoch apart: the image when embedding, the place in the epoch when training,
    /// since an image may be drawn twice there.
    pub fn render(&self, source: &[u8], from: usize, item: u32, to: usize, target: &mut [f32]) {
        let Self::Augmented { settings, seed, epoch, purpose, number } = self else {
            sample(source, from, &Affine::IDENTITY, to, target);
            return z_score(target);
        };
        let mut random = repeated(*seed, *epoch, item, *purpose, *number);
        let affine = draw_geometry(settings, &mut random);
        let shading: [f32; 5] = std::array::from_fn(|_| settings.bias as f32 * normal(&mut random));
        let power = between([-settings.gamma, settings.gamma], &mut random).exp() as f32;
        let noise = between([0.0, settings.noise], &mut random) as f32;
        sample(source, from, &affine, to, target);
        if settings.bias > 0.0 || settings.gamma > 0.0 {
            shade(target, to, &shading, power);
        }
        z_score(target);
        if noise > 0.0 {
            target.iter_mut().for_each(|value| *value += noise * normal(&mut random));
        }
    }
}

fn normal(random: &mut impl Rng) -> f32 {
    random.sample(StandardNormal)
}

/// Uniform in `[low, high)`; the draw is made even where the range is empty, so that settings do not shift draws.
fn between(range: [f64; 2], random: &mut impl Rng) -> f64 {
    range[0] + (range[1] - range[0]) * random.random::<f64>()
}

/// Rotation, then a crop of a random share of the area and a log-uniform aspect ratio, at a random place.
fn draw_geometry(settings: &Augment, random: &mut impl Rng) -> Affine {
    let angle = between([-settings.rotation, settings.rotation], random).to_radians();
    let ratios = settings.ratio.map(f64::ln);
    for _ in 0..CROP_TRIES {
        let (area, ratio) = (between(settings.area, random), between(ratios, random).exp());
        let half = [(area * ratio).sqrt(), (area / ratio).sqrt()];
        if half[0] <= 1.0 && half[1] <= 1.0 {
            let centre = half.map(|half| between([half - 1.0, 1.0 - half], random));
            return Affine::rotate_then_crop(angle, centre, half);
        }
    }
    // The largest central crop of an allowed ratio.
    let ratio = 1.0_f64.clamp(settings.ratio[0], settings.ratio[1]);
    Affine::rotate_then_crop(angle, [0.0; 2], [ratio.min(1.0), (1.0 / ratio).min(1.0)])
}

/// `(x exp(p(u, v)))^power`, p quadratic without its constant, at positions -1 to 1; divided by a constant, which the
/// z-score takes out again, where the brightest value would be no f32.
fn shade(target: &mut [f32], to: usize, c: &[f32; 5], power: f32) {
    let position = |index: usize| (2 * index + 1) as f32 / to as f32 - 1.0;
    for (line, values) in target.chunks_exact_mut(to).enumerate() {
        let v = position(line);
        for (column, value) in values.iter_mut().enumerate() {
            let u = position(column);
            let p = c[0] * u + c[1] * v + c[2] * u * u + c[3] * v * v + c[4] * u * v;
            // One logarithm and one exponential for both; ln 0 is -inf, whose exponential is 0.
            *value = power * (value.ln() + p.clamp(-BIAS_LIMIT, BIAS_LIMIT));
        }
    }
    let largest = target.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let excess = if largest > EXPONENT_LIMIT { largest } else { 0.0 };
    target.iter_mut().for_each(|value| *value = (*value - excess).exp());
}

/// Mean 0 and standard deviation 1; a flat image becomes zeros.
pub fn z_score(values: &mut [f32]) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    let factor = if variance.sqrt() < FLAT { 0.0 } else { 1.0 / variance.sqrt() };
    values.iter_mut().for_each(|value| *value = ((f64::from(*value) - mean) * factor) as f32);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_stage::random::generator;
    use proptest::prelude::*;

    fn settings() -> Augment {
        Augment { area: [0.3, 1.0], ratio: [0.75, 4.0 / 3.0], rotation: 15.0, bias: 0.3, gamma: 0.7, noise: 0.6 }
    }

    fn augmented(settings: Augment, seed: u64, epoch: u32) -> View {
        View::Augmented { settings, seed, epoch, purpose: Purpose::Augment, number: 0 }
    }

    fn rendered(view: &View, item: u32) -> Vec<f32> {
        let source: Vec<u8> = (0..64 * 64).map(|i| (i * i / 7 % 256) as u8).collect();
        let mut target = vec![0.0; 48 * 48];
        view.render(&source, 64, item, 48, &mut target);
        target
    }

    #[test]
    fn a_view_depends_on_seed_epoch_and_item() {
        let one = rendered(&augmented(settings(), 1, 2), 3);
        assert_eq!(one, rendered(&augmented(settings(), 1, 2), 3));
        for other in [rendered(&augmented(settings(), 2, 2), 3), rendered(&augmented(settings(), 1, 3), 3)] {
            assert_ne!(one, other);
        }
        assert_ne!(one, rendered(&augmented(settings(), 1, 2), 4));
    }

    #[test]
    fn no_augmentation_is_the_clean_view() {
        let none = Augment { area: [1.0; 2], ratio: [1.0; 2], rotation: 0.0, bias: 0.0, gamma: 0.0, noise: 0.0 };
        let (one, clean) = (rendered(&augmented(none, 1, 2), 3), rendered(&View::Clean, 3));
        assert!(one.iter().zip(&clean).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn shading_of_nothing_leaves_the_image() {
        let mut values: Vec<f32> = (0..64).map(|i| i as f32 / 63.0).collect();
        let before = values.clone();
        shade(&mut values, 8, &[0.0; 5], 1.0);
        assert!(values.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-6));
        shade(&mut values, 8, &[0.0; 5], 2.0);
        assert!(values.iter().zip(&before).all(|(a, b)| (a - b * b).abs() < 1e-5));
    }

    /// The strongest that settings allow: 10, and twice that where networks are spread.
    #[test]
    fn no_allowed_strength_gives_a_value_that_is_not_finite() {
        for (area, ratio) in [([1.0; 2], [1.0; 2]), ([1e-9, 1e-9], [0.01, 100.0]), ([1e-9, 1.0], [100.0; 2])] {
            let strongest = Augment { area, ratio, rotation: 180.0, bias: 20.0, gamma: 20.0, noise: 20.0 };
            for seed in 0..200 {
                let values = rendered(&augmented(strongest.clone(), seed, 0), 0);
                assert!(values.iter().all(|value| value.is_finite()), "seed {seed}, {area:?}, {ratio:?}");
            }
        }
        let white = vec![1.0; 64];
        let mut shaded = white.clone();
        shade(&mut shaded, 8, &[10.0; 5], 20.0_f32.exp());
        assert!(shaded.iter().all(|value| value.is_finite()) && shaded != [0.0; 64], "{shaded:?}");
    }

    #[test]
    fn a_flat_image_becomes_zeros() {
        let mut values = vec![0.3; 100];
        z_score(&mut values);
        assert_eq!(values, vec![0.0; 100]);
    }

    proptest! {
        #[test]
        fn crops_stay_in_the_image_and_in_the_range_of_areas(seed: u64, low in 0.05..1.0_f64) {
            let settings = Augment { area: [low, 1.0], rotation: 0.0, ..settings() };
            let affine = draw_geometry(&settings, &mut generator(seed, 0, 0, Purpose::Augment));
            let ([w, _, x], [_, h, y]) = (affine.x, affine.y);
            prop_assert!(x.abs() + w <= 1.0 + 1e-5 && y.abs() + h <= 1.0 + 1e-5);
            prop_assert!(f64::from(w * h) > low * 0.999 && w * h <= 1.0 + 1e-5);
            prop_assert!((0.749..1.334).contains(&(w / h)));
        }

        #[test]
        fn views_are_finite_and_z_scored_before_noise(
            seed: u64,
            bias in 0.0..=10.0,
            gamma in 0.0..=10.0,
            ratio in prop::sample::select(vec![[0.01, 0.01], [0.01, 100.0], [100.0, 100.0]]),
        ) {
            let settings = Augment { bias, gamma, ratio, noise: 0.0, ..settings() };
            let values = rendered(&augmented(settings, seed, 0), 0);
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            prop_assert!(values.iter().all(|value| value.is_finite()));
            prop_assert!(mean.abs() < 1e-3);
        }
    }
}

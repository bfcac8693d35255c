//! From raw values to grey levels: a window between two percentiles, or the file's own.
//!
//! With lo and hi the p-th percentiles of the finite raw values (linear interpolation between order statistics, as
//! numpy.percentile), `grey = floor(white * clamp((raw - lo) / (hi - lo), 0, 1) + 0.5)`. Rescaling is linear, so the
//! window is found on raw values and only its bounds are rescaled; where it darkens (MONOCHROME1, a negative
//! slope), `grey` becomes `white - grey` and the bounds change places.

use crate::raster::Raster;

/// Grey levels of an image, and the window that made them.
#[derive(Debug, Clone, PartialEq)]
pub struct Grey {
    /// Levels `[height * width]`, 0 ..= 255 or 65535.
    pub levels: Vec<u16>,
    /// Intensity that is black.
    pub low: f32,
    /// Intensity that is white.
    pub high: f32,
}

/// Applies the window: `percentiles` within 0 ..= 100, `white` the level of white.
#[must_use]
pub fn apply(raster: &Raster, percentiles: [f64; 2], white: u16) -> Grey {
    let whole = Histogram::of(&raster.values);
    let (low, high) = match (&whole, raster.window) {
        _ if raster.exact => (0.0, 255.0),
        (_, Some((low, high))) => raster.scale.raw_bounds(low, high),
        (Some(histogram), None) => (histogram.percentile(percentiles[0]), histogram.percentile(percentiles[1])),
        (None, None) => bounds(&raster.values, percentiles),
    };
    let darkens = raster.scale.darkens();
    let range = f64::from(high) - f64::from(low);
    let top = f64::from(white);
    let level = |raw: f32| {
        // NaN is black; an image of one value is black too.
        let share = (f64::from(raw) - f64::from(low)) / range;
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { f64::from(u8::from(share == f64::INFINITY)) };
        let level = (share * top + 0.5) as u16; // never negative, so this rounds down
        if darkens && !raw.is_nan() { white - level } else { level }
    };
    let levels = match &whole {
        _ if range <= 0.0 => vec![0; raster.values.len()],
        Some(histogram) => histogram.map(&raster.values, level),
        None => raster.values.iter().map(|&raw| level(raw)).collect(),
    };
    let (low, high) = if darkens { (high, low) } else { (low, high) };
    let intensity = |raw: f32| raster.scale.intensity(f64::from(raw)) as f32;
    Grey { levels, low: intensity(low), high: intensity(high) }
}

/// Counts of whole numbers that lie close together, as most scanners write: a level is then found once for each value,
/// not for each pixel.
struct Histogram {
    first: f32,
    counts: Vec<u32>,
    total: usize,
}

/// The widest range that is counted: 16 bits.
const WIDEST: f32 = 65_536.0;
/// 2^23: a whole number below it, added to it, is the low bits of the sum. Unlike a cast, this is done for eight
/// values at once.
const SHIFT: f32 = 8_388_608.0;

impl Histogram {
    /// The counts of `values`; none where one is no whole number, or where they lie far apart.
    fn of(values: &[f32]) -> Option<Self> {
        let (mut least, mut most, mut whole) = (f32::INFINITY, f32::NEG_INFINITY, true);
        for &value in values {
            // Rounded by the sum; unequal for what is no whole number, for NaN and beyond the widest range.
            let shifted = value + 1.5 * SHIFT;
            whole &= shifted - 1.5 * SHIFT == value;
            least = if value < least { value } else { least };
            most = if value > most { value } else { most };
        }
        if !whole || values.is_empty() || most - least >= WIDEST || least.abs().max(most.abs()) > WIDEST {
            return None;
        }
        let mut counts = vec![0; (most - least) as usize + 1];
        for &value in values {
            counts[place(value, least)] += 1;
        }
        Some(Self { first: least, counts, total: values.len() })
    }

    /// The p-th percentile, interpolated as [`percentile`] does.
    fn percentile(&self, p: f64) -> f32 {
        let place = p / 100.0 * (self.total - 1) as f64;
        let below = place.floor() as usize;
        let (mut counted, mut at) = (0, None);
        for (step, &count) in self.counts.iter().enumerate() {
            counted += count as usize;
            let value = self.first + step as f32;
            if counted > below && at.is_none() {
                at = Some(value);
            }
            // The next order statistic is the same value, or the next one that occurs.
            if let Some(at) = at.filter(|_| counted > below + 1) {
                return between(at, value, place - below as f64);
            }
        }
        at.unwrap_or(self.first)
    }

    /// `level` of each value.
    fn map(&self, values: &[f32], level: impl Fn(f32) -> u16) -> Vec<u16> {
        let table: Vec<u16> = (0..self.counts.len()).map(|step| level(self.first + step as f32)).collect();
        values.iter().map(|&value| table[place(value, self.first)]).collect()
    }
}

/// `value - first`, a whole number from 0 to below 65536.
fn place(value: f32, first: f32) -> usize {
    ((value - first + SHIFT).to_bits() & 0xffff) as usize
}

/// The two percentiles of the finite values; (0, 0) where there are none.
fn bounds(values: &[f32], percentiles: [f64; 2]) -> (f32, f32) {
    let mut finite: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if finite.is_empty() {
        return (0.0, 0.0);
    }
    (percentile(&mut finite, percentiles[0]), percentile(&mut finite, percentiles[1]))
}

/// The p-th percentile by linear interpolation, without sorting the whole.
fn percentile(values: &mut [f32], p: f64) -> f32 {
    let place = p / 100.0 * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let (_, &mut at, above) = values.select_nth_unstable_by(below, f32::total_cmp);
    let next = above.iter().copied().min_by(f32::total_cmp).unwrap_or(at);
    between(at, next, place - below as f64)
}

fn between(at: f32, next: f32, share: f64) -> f32 {
    (f64::from(at) + share * (f64::from(next) - f64::from(at))) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Scale;

    fn raster(values: Vec<f32>, scale: Scale, exact: bool) -> Raster {
        Raster { width: values.len() as u32, height: 1, values, scale, exact, window: None }
    }

    #[test]
    fn percentiles_interpolate_as_numpy_does() {
        // numpy.percentile([5, 1, 4, 2], [10, 50, 100]) -> [1.3, 3.0, 5.0]
        let mut values = [5.0, 1.0, 4.0, 2.0];
        assert!((percentile(&mut values, 10.0) - 1.3).abs() < 1e-6);
        assert!((percentile(&mut values, 50.0) - 3.0).abs() < 1e-6);
        assert!((percentile(&mut values, 100.0) - 5.0).abs() < 1e-6);
    }

    #[test]
    fn whole_numbers_are_counted_to_the_same_end() {
        for seed in 0..40_u32 {
            let spread = [1, 7, 300, 60_000][seed as usize % 4];
            let draw = |i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 8) % spread;
            let whole: Vec<f32> = (0..101 + seed).map(|i| draw(i) as f32 - 20.0).collect();
            let histogram = Histogram::of(&whole);
            for p in [0.0, 0.5, 33.3, 50.0, 99.5, 100.0] {
                let counted = histogram.as_ref().map(|histogram| histogram.percentile(p));
                assert_eq!(counted, Some(percentile(&mut whole.clone(), p)), "{seed} {p}");
            }
        }
        assert!(Histogram::of(&[0.0, 0.5]).is_none() && Histogram::of(&[f32::NAN]).is_none());
        assert!(Histogram::of(&[-60_000.0, 60_000.0]).is_none() && Histogram::of(&[]).is_none());
    }

    #[test]
    fn the_window_spans_black_to_white_and_is_recorded_as_intensities() {
        let scale = Scale::new(2.0, 10.0);
        let grey = apply(&raster(vec![0.0, 50.0, 100.0], scale, false), [0.0, 100.0], 255);
        assert_eq!(grey, Grey { levels: vec![0, 128, 255], low: 10.0, high: 210.0 });
        let grey = apply(&raster(vec![0.0, 50.0, 100.0], scale, false), [0.0, 100.0], 65_535);
        assert_eq!(grey.levels, [0, 32_768, 65_535]);
    }

    #[test]
    fn inverted_images_swap_black_and_white() {
        let scale = Scale { inverted: true, ..Scale::default() };
        let grey = apply(&raster(vec![0.0, 100.0], scale, false), [0.0, 100.0], 255);
        assert_eq!(grey, Grey { levels: vec![255, 0], low: 100.0, high: 0.0 });
        let both = Scale { inverted: true, ..Scale::new(-1.0, 0.0) };
        assert_eq!(apply(&raster(vec![0.0, 100.0], both, false), [0.0, 100.0], 255).levels, [0, 255]);
    }

    #[test]
    fn pictures_of_eight_bits_are_kept() {
        let grey = apply(&raster(vec![3.0, 100.0, 200.0], Scale::default(), true), [0.5, 99.5], 255);
        assert_eq!(grey, Grey { levels: vec![3, 100, 200], low: 0.0, high: 255.0 });
        assert_eq!(apply(&raster(vec![3.0], Scale::default(), true), [0.5, 99.5], 65_535).levels, [3 * 257]);
    }

    #[test]
    fn odd_values_do_no_harm() {
        let values = vec![f32::NAN, f32::NEG_INFINITY, 0.0, 1.0, f32::INFINITY];
        assert_eq!(apply(&raster(values, Scale::default(), false), [0.0, 100.0], 255).levels, [0, 0, 0, 255, 255]);
        let flat = apply(&raster(vec![7.0; 4], Scale::default(), false), [0.5, 99.5], 255);
        assert_eq!((flat.levels, flat.low, flat.high), (vec![0; 4], 7.0, 7.0));
        assert_eq!(apply(&raster(vec![f32::NAN; 2], Scale::default(), false), [0.5, 99.5], 255).levels, [0, 0]);
    }
}

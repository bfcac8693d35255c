//! From raw values to grey levels: a window between two percentiles.
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
    let (low, high) = if raster.exact { (0.0, 255.0) } else { bounds(&raster.values, percentiles) };
    let darkens = raster.scale.darkens();
    let range = f64::from(high) - f64::from(low);
    let top = f64::from(white);
    let level = |&raw: &f32| {
        // NaN is black; an image of one value is black too.
        let share = (f64::from(raw) - f64::from(low)) / range;
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { f64::from(u8::from(share == f64::INFINITY)) };
        let level = (share * top + 0.5).floor() as u16;
        if darkens && !raw.is_nan() { white - level } else { level }
    };
    let levels = if range > 0.0 { raster.values.iter().map(level).collect() } else { vec![0; raster.values.len()] };
    let (low, high) = if darkens { (high, low) } else { (low, high) };
    let intensity = |raw: f32| raster.scale.intensity(f64::from(raw)) as f32;
    Grey { levels, low: intensity(low), high: intensity(high) }
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
    let share = place - below as f64;
    (f64::from(at) + share * (f64::from(next) - f64::from(at))) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Scale;

    fn raster(values: Vec<f32>, scale: Scale, exact: bool) -> Raster {
        Raster { width: values.len() as u32, height: 1, values, scale, exact }
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

//! From raw values to grey levels: a window between two percentiles, or the file's own.
//!
//! With lo and hi the p-th percentiles of the finite raw values (linear interpolation between order statistics, as
//! numpy.percentile), `grey = floor(white * clamp((raw - lo) / (hi - lo), 0, 1) + 0.5)`. Rescaling is linear, so the
//! window is found on raw values and only its bounds are rescaled; where it darkens (MONOCHROME1, a negative
//! slope), `grey` becomes `white - grey` and the bounds change places.
//!
//! NaN is no intensity: a missing voxel, or padding (DICOM Pixel Padding Value). It counts for no percentile and is
//! black, in inverted images too.
//!
//! Percentiles alone would hide what covers fewer pixels than they cut off: a mask, vessels, a lesion's label. Two
//! rules keep it visible, and no other image is touched by them:
//! - lo = hi, though the values differ: the window spans this value and the same percentiles of all other values.
//! - A bound is the value of a large area ([`AREA`]), so that what lies beyond it takes that area's level: where most
//!   of it lies far beyond ([`FAR`]), the bound moves there, by one width of the window at most.

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
    /// True where the raw values, NaN apart, are all the same.
    pub blank: bool,
}

/// The share of pixels that makes a value a large area. Noise spreads an organ or the air over many values.
const AREA: f64 = 0.05;
/// In widths of the window: ringing of a resampled image lies nearer to the window, another label farther away.
const FAR: f32 = 0.25;

/// Applies the window: `percentiles` within 0 ..= 100, `white` the level of white.
#[must_use]
pub fn apply(raster: &Raster, percentiles: [f64; 2], white: u16) -> Grey {
    let mut values = Values::of(&raster.values);
    let (low, high) = match raster.window {
        _ if raster.exact => (0.0, 255.0),
        Some((low, high)) => raster.scale.raw_bounds(low, high),
        None => values.window(percentiles),
    };
    let darkens = raster.scale.darkens();
    let range = f64::from(high) - f64::from(low);
    let top = f64::from(white);
    let level = |raw: f32| {
        let share = (f64::from(raw) - f64::from(low)) / range;
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { f64::from(u8::from(share == f64::INFINITY)) };
        let level = (share * top + 0.5) as u16; // never negative, so this rounds down
        if darkens && !raw.is_nan() { white - level } else { level }
    };
    let levels = match &values {
        _ if range <= 0.0 => vec![0; raster.values.len()],
        Values::Counted(histogram) => histogram.map(&raster.values, level),
        Values::Listed(_) => raster.values.iter().map(|&raw| level(raw)).collect(),
    };
    let (low, high) = if darkens { (high, low) } else { (low, high) };
    let intensity = |raw: f32| raster.scale.intensity(f64::from(raw)) as f32;
    Grey { levels, low: intensity(low), high: intensity(high), blank: is_blank(&raster.values) }
}

/// True where no two values differ, NaN apart.
fn is_blank(values: &[f32]) -> bool {
    let mut real = values.iter().filter(|value| !value.is_nan());
    let first = real.next();
    real.all(|value| Some(value) == first)
}

/// The finite values of an image, as percentiles need them.
enum Values {
    Counted(Histogram),
    Listed(Vec<f32>),
}

impl Values {
    fn of(values: &[f32]) -> Self {
        let listed = || Self::Listed(values.iter().copied().filter(|value| value.is_finite()).collect());
        Histogram::of(values).map_or_else(listed, Self::Counted)
    }

    /// Those for which `keep` holds.
    fn only(&self, keep: impl Fn(f32) -> bool) -> Self {
        match self {
            Self::Counted(histogram) => Self::Counted(histogram.only(keep)),
            Self::Listed(values) => Self::Listed(values.iter().copied().filter(|&value| keep(value)).collect()),
        }
    }

    /// The p-th percentile; none of no values.
    fn percentile(&mut self, p: f64) -> Option<f32> {
        match self {
            Self::Counted(histogram) => (histogram.total > 0).then(|| histogram.percentile(p)),
            Self::Listed(values) => (!values.is_empty()).then(|| percentile(values, p)),
        }
    }

    /// Whether at least [`AREA`] of the values are `value`.
    fn is_area(&self, value: f32) -> bool {
        let (same, all) = match self {
            Self::Counted(histogram) => (histogram.count(value), histogram.total),
            Self::Listed(values) => (values.iter().filter(|&&other| other == value).count(), values.len()),
        };
        same as f64 >= AREA * all as f64
    }

    /// The window of two percentiles, wide enough for what would be hidden; (0, 0) where there are no values.
    fn window(&mut self, percentiles: [f64; 2]) -> (f32, f32) {
        let [Some(low), Some(high)] = percentiles.map(|p| self.percentile(p)) else { return (0.0, 0.0) };
        if low >= high {
            let mut rest = self.only(|value| value != low);
            let [Some(least), Some(most)] = percentiles.map(|p| rest.percentile(p)) else { return (low, high) };
            return (low.min(least), high.max(most));
        }
        let width = high - low;
        // How far values beyond a bound carry it outwards.
        let reach = |mut beyond: Self, bound: f32, p: f64| {
            let middle = beyond.percentile(50.0)?;
            if (middle - bound).abs() < FAR * width { None } else { beyond.percentile(p) }
        };
        let (mut wide_low, mut wide_high) = (low, high);
        if self.is_area(low)
            && let Some(least) = reach(self.only(|value| value < low), low, percentiles[0])
        {
            wide_low = least.max(low - width);
        }
        if self.is_area(high)
            && let Some(most) = reach(self.only(|value| value > high), high, percentiles[1])
        {
            wide_high = most.min(high + width);
        }
        (wide_low, wide_high)
    }
}

/// Counts of whole numbers that lie close together, as most scanners write: a level is then found once for each value,
/// not for each pixel.
#[derive(Clone)]
struct Histogram {
    first: f32,
    counts: Vec<u32>,
    /// How many values; NaN does not count.
    total: usize,
    /// Whether there is a NaN among the values.
    gaps: bool,
}

/// The widest range that is counted: 16 bits.
const WIDEST: f32 = 65_536.0;
/// 2^23: a whole number below it, added to it, is the low bits of the sum. Unlike a cast, this is done for eight
/// values at once.
const SHIFT: f32 = 8_388_608.0;

impl Histogram {
    /// The counts of `values` without NaN; none where one is no whole number, or where they lie far apart.
    fn of(values: &[f32]) -> Option<Self> {
        let (mut least, mut most, mut whole, mut gaps) = (f32::INFINITY, f32::NEG_INFINITY, true, false);
        for &value in values {
            // Rounded by the sum; unequal for what is no whole number and beyond the widest range.
            let shifted = value + 1.5 * SHIFT;
            whole &= (shifted - 1.5 * SHIFT == value) | value.is_nan();
            gaps |= value.is_nan();
            least = if value < least { value } else { least };
            most = if value > most { value } else { most };
        }
        if !whole || least > most || most - least >= WIDEST || least.abs().max(most.abs()) > WIDEST {
            return None;
        }
        let mut counts = vec![0; (most - least) as usize + 1];
        for &value in values {
            if !gaps || !value.is_nan() {
                counts[place(value, least)] += 1;
            }
        }
        let total = if gaps { counts.iter().map(|&count| count as usize).sum() } else { values.len() };
        Some(Self { first: least, counts, total, gaps })
    }

    /// How often `value` occurs.
    fn count(&self, value: f32) -> usize {
        // A percentile may lie between two values, which then do not count.
        let step = value - self.first;
        let whole = step >= 0.0 && step.fract() == 0.0;
        self.counts.get(step as usize).filter(|_| whole).map_or(0, |&count| count as usize)
    }

    /// The counts of the values for which `keep` holds.
    fn only(&self, keep: impl Fn(f32) -> bool) -> Self {
        let mut only = self.clone();
        for (step, count) in only.counts.iter_mut().enumerate() {
            *count = if keep(self.first + step as f32) { *count } else { 0 };
        }
        only.total = only.counts.iter().map(|&count| count as usize).sum();
        only
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
        if self.gaps {
            let of = |value: f32| if value.is_nan() { 0 } else { table[place(value, self.first)] };
            return values.iter().map(|&value| of(value)).collect();
        }
        values.iter().map(|&value| table[place(value, self.first)]).collect()
    }
}

/// `value - first`, a whole number from 0 to below 65536.
fn place(value: f32, first: f32) -> usize {
    ((value - first + SHIFT).to_bits() & 0xffff) as usize
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
        assert!(Histogram::of(&[f32::NAN, 0.0, f32::INFINITY]).is_none());
        assert!(Histogram::of(&[-60_000.0, 60_000.0]).is_none() && Histogram::of(&[]).is_none());
    }

    #[test]
    fn the_window_spans_black_to_white_and_is_recorded_as_intensities() {
        let scale = Scale::new(2.0, 10.0);
        let grey = apply(&raster(vec![0.0, 50.0, 100.0], scale, false), [0.0, 100.0], 255);
        assert_eq!(grey, Grey { levels: vec![0, 128, 255], low: 10.0, high: 210.0, blank: false });
        let grey = apply(&raster(vec![0.0, 50.0, 100.0], scale, false), [0.0, 100.0], 65_535);
        assert_eq!(grey.levels, [0, 32_768, 65_535]);
    }

    #[test]
    fn inverted_images_swap_black_and_white() {
        let scale = Scale { inverted: true, ..Scale::default() };
        let grey = apply(&raster(vec![0.0, 100.0], scale, false), [0.0, 100.0], 255);
        assert_eq!(grey, Grey { levels: vec![255, 0], low: 100.0, high: 0.0, blank: false });
        let both = Scale { inverted: true, ..Scale::new(-1.0, 0.0) };
        assert_eq!(apply(&raster(vec![0.0, 100.0], both, false), [0.0, 100.0], 255).levels, [0, 255]);
    }

    #[test]
    fn pictures_of_eight_bits_are_kept() {
        let grey = apply(&raster(vec![3.0, 100.0, 200.0], Scale::default(), true), [0.5, 99.5], 255);
        assert_eq!(grey, Grey { levels: vec![3, 100, 200], low: 0.0, high: 255.0, blank: false });
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

    /// `count` of each value, spread over the image.
    fn areas(areas: &[(f32, usize)]) -> Vec<f32> {
        areas.iter().flat_map(|&(value, count)| std::iter::repeat_n(value, count)).collect()
    }

    /// The level of each value, and the window, as counted and as listed values give them.
    fn seen(values: &[(f32, usize)]) -> (Vec<u16>, (f32, f32), bool) {
        let of = |shift: f32| {
            let moved: Vec<_> = values.iter().map(|&(value, count)| (value + shift, count)).collect();
            let grey = apply(&raster(areas(&moved), Scale::default(), false), [0.5, 99.5], 255);
            let mut levels = grey.levels;
            levels.dedup();
            (levels, (grey.low - shift, grey.high - shift), grey.blank)
        };
        assert!(Histogram::of(&areas(&[(0.5, 1)])).is_none());
        assert_eq!(of(0.0), of(0.5));
        of(0.0)
    }

    #[test]
    fn what_covers_less_than_the_percentiles_cut_off_stays_visible() {
        let levels = |values: &[(f32, usize)]| seen(values).0;
        // A mask, a dark spot, vessels, both at once.
        assert_eq!(seen(&[(0.0, 4084), (1.0, 12)]), (vec![0, 255], (0.0, 1.0), false));
        assert_eq!(seen(&[(1000.0, 4084), (10.0, 12)]), (vec![255, 0], (10.0, 1000.0), false));
        assert_eq!(levels(&[(0.0, 4084), (100.0, 3), (200.0, 3), (400.0, 6)]), [0, 64, 128, 255]);
        assert_eq!(levels(&[(50.0, 4084), (0.0, 6), (100.0, 6)]), [128, 0, 255]);
        // One hot pixel does not hide a mask.
        assert_eq!(levels(&[(0.0, 100_000), (4.0, 300), (60_000.0, 1)]), [0, 255]);
        // A small label beside large ones; the large ones keep half of the range.
        assert_eq!(levels(&[(0.0, 6000), (1.0, 3980), (2.0, 20)]), [0, 128, 255]);
        assert_eq!(levels(&[(0.0, 6000), (1.0, 3980), (900.0, 20)]), [0, 128, 255]);
        assert_eq!(levels(&[(0.0, 20), (1.0, 3980), (2.0, 6000)]), [0, 128, 255]);
        assert_eq!(seen(&[(7.0, 100)]), (vec![0], (7.0, 7.0), true));
    }

    #[test]
    fn the_window_of_other_images_is_that_of_the_percentiles() {
        let ramp: Vec<(f32, usize)> = (0..1000).map(|value| (value as f32, 1)).collect();
        let of = |more: &[(f32, usize)]| {
            let values = areas(&[&ramp, more].concat());
            let mut sorted = values.clone();
            let grey = apply(&raster(values, Scale::default(), false), [0.5, 99.5], 255);
            let expected = [percentile(&mut sorted, 0.5), percentile(&mut sorted, 99.5)];
            ([grey.low, grey.high], expected)
        };
        // Few bright pixels; air with a little ringing below it; a saturated area.
        for more in [&[(5000.0, 3)][..], &[(0.0, 500), (-20.0, 3)], &[(999.0, 500), (1050.0, 4)]] {
            let (window, expected) = of(more);
            assert_eq!(window, expected, "{more:?}");
        }
    }

    #[test]
    fn nan_is_black_and_counts_for_no_percentile() {
        let values = [vec![f32::NAN; 60], areas(&[(100.0, 20), (200.0, 20)])].concat();
        for scale in [Scale::default(), Scale { inverted: true, ..Scale::default() }] {
            let grey = apply(&raster(values.clone(), scale, false), [0.5, 99.5], 255);
            assert_eq!((grey.low.min(grey.high), grey.low.max(grey.high)), (100.0, 200.0));
            assert_eq!(grey.levels[..60], [0; 60]);
            assert_eq!(grey.levels[60..].iter().filter(|&&level| level == 255).count(), 20);
        }
        // Any NaN, whatever its bits.
        let odd = [f32::from_bits(0x7fc1_2345), f32::from_bits(0xffff_ffff), 3.0, 4.0];
        assert_eq!(apply(&raster(odd.to_vec(), Scale::default(), false), [0.0, 100.0], 255).levels, [0, 0, 0, 255]);
        let padded = apply(&raster(vec![f32::NAN, 9.0, 9.0], Scale::default(), false), [0.5, 99.5], 255);
        assert!(padded.blank && padded.levels == [0; 3]);
    }
}

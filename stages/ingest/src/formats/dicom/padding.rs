//! Pixels that are no image but fill its rectangle: PixelPaddingValue and PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2).

use dicom_dictionary_std::tags;

use super::layout::Layout;
use super::values::{DataSet, number};

/// The stored values that pad an image, as exact as values are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Padding {
    low: f32,
    high: f32,
    /// The values do not fit into BitsStored: a padded pixel shows in all of its bits.
    whole: bool,
}

impl Padding {
    /// The padding of grey pixels of whole numbers. Writers take (0028,0120) for signed or unsigned whatever the pixels
    /// are: what counts is the bits.
    pub fn of(object: &DataSet, layout: &Layout) -> Option<Self> {
        let value = number(object, tags::PIXEL_PADDING_VALUE)?;
        let limit = number(object, tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
        let all = [value, limit].map(|number| wrapped(number as i64, layout.allocated, layout.signed));
        let stored = all.map(|number| wrapped(number, layout.stored, layout.signed));
        let whole = stored != all;
        Some(Self::between(all.map(|number| number as f32), whole))
    }

    /// The padding of float pixels: (0028,0122) to (0028,0125).
    pub fn of_floats(object: &DataSet) -> Option<Self> {
        let pairs = [
            (tags::FLOAT_PIXEL_PADDING_VALUE, tags::FLOAT_PIXEL_PADDING_RANGE_LIMIT),
            (tags::DOUBLE_FLOAT_PIXEL_PADDING_VALUE, tags::DOUBLE_FLOAT_PIXEL_PADDING_RANGE_LIMIT),
        ];
        pairs.into_iter().find_map(|(value, limit)| {
            let value = number(object, value)?;
            let limit = number(object, limit).unwrap_or(value);
            Some(Self::between([value, limit].map(|number| number as f32), false))
        })
    }

    fn between([one, other]: [f32; 2], whole: bool) -> Self {
        Self { low: one.min(other), high: one.max(other), whole }
    }

    /// Makes padded pixels NaN, which no window counts and which is drawn black. An image that would be left with fewer
    /// than two different values stays as it is: a wrong attribute must not take the picture away.
    pub fn apply(&self, values: &mut [f32], layout: &Layout, words: Option<&[u8]>) {
        if let Some(bytes) = words.filter(|_| self.whole) {
            let padded = |pixel: usize| {
                let word = i64::from(layout.word(bytes, pixel));
                self.holds(wrapped(word, layout.allocated, layout.signed) as f32)
            };
            mark(values, |pixel, _| padded(pixel));
        } else {
            mark(values, |_, value| self.holds(value));
        }
    }

    fn holds(&self, value: f32) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

fn mark(values: &mut [f32], padded: impl Fn(usize, f32) -> bool) {
    let mut others = values.iter().enumerate().filter(|&(pixel, &value)| !padded(pixel, value)).map(|(_, value)| value);
    let first = others.next();
    if !others.any(|other| Some(other) != first) {
        return;
    }
    for (pixel, value) in values.iter_mut().enumerate() {
        *value = if padded(pixel, *value) { f32::NAN } else { *value };
    }
}

/// The number that the lowest `bits` of a number are.
fn wrapped(number: i64, bits: u32, signed: bool) -> i64 {
    let up = number << (64 - bits);
    if signed { up >> (64 - bits) } else { ((up as u64) >> (64 - bits)) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_as_their_bits_do() {
        assert_eq!(wrapped(63_536, 16, true), -2000);
        assert_eq!(wrapped(-2000, 16, false), 63_536);
        assert_eq!(wrapped(32_768, 16, true), -32_768);
        assert_eq!(wrapped(255, 8, true), -1);
        assert_eq!(wrapped(-1, 32, false), 4_294_967_295);
    }

    #[test]
    fn a_picture_is_not_taken_away() {
        let padding = Padding::between([0.0, 0.0], false);
        let marked = |values: &[f32]| {
            let mut values = values.to_vec();
            mark(&mut values, |_, value| padding.holds(value));
            values.iter().filter(|value| value.is_nan()).count()
        };
        assert_eq!(marked(&[0.0, 0.0, 1.0, 2.0]), 2);
        // a mask, an empty image
        assert_eq!((marked(&[0.0, 1.0, 1.0]), marked(&[0.0, 0.0]), marked(&[])), (0, 0, 0));
    }
}

//! A decoded slice: raw values and how they map to intensities.

/// One image, row by row, as stored by its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Raster {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Raw values `[height * width]`.
    pub values: Vec<f32>,
    /// From raw values to intensities.
    pub scale: Scale,
    /// True for 8-bit pictures, whose values are kept as they are.
    pub exact: bool,
    /// Intensities that become black and white where the file's own window is asked for; else percentiles do.
    pub window: Option<(f64, f64)>,
}

/// `intensity = slope * raw + intercept`, as RescaleSlope (0028,1053) and scl_slope mean it.
///
/// Kept apart from the values, so that windowing works on what was stored, without rounding in between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Factor; not 0.
    pub slope: f64,
    /// Offset.
    pub intercept: f64,
    /// True where low intensities are shown white: MONOCHROME1.
    pub inverted: bool,
}

impl Default for Scale {
    fn default() -> Self {
        Self { slope: 1.0, intercept: 0.0, inverted: false }
    }
}

impl Scale {
    /// A scale from a header's fields; what makes no sense (0, NaN) means none.
    #[must_use]
    pub fn new(slope: f64, intercept: f64) -> Self {
        if slope == 0.0 || !slope.is_finite() || !intercept.is_finite() {
            return Self::default();
        }
        Self { slope, intercept, inverted: false }
    }

    /// True where higher raw values are shown darker.
    #[must_use]
    pub fn darkens(&self) -> bool {
        (self.slope < 0.0) != self.inverted
    }

    /// The raw values of two intensities, the lesser first.
    #[must_use]
    pub fn raw_bounds(&self, low: f64, high: f64) -> (f32, f32) {
        let [a, b] = [low, high].map(|intensity| ((intensity - self.intercept) / self.slope) as f32);
        (a.min(b), a.max(b))
    }

    /// The intensity of a raw value.
    #[must_use]
    pub fn intensity(&self, raw: f64) -> f64 {
        self.slope * raw + self.intercept
    }
}

/// Brightness of a colour, 0..=255: ITU-R BT.601 weights in the 16-bit arithmetic of Pillow's `convert("L")`.
#[must_use]
pub fn luminance(red: u8, green: u8, blue: u8) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000;
    (sum >> 16) as u8 // at most 255 * 65536 + 0x8000
}

/// Brightness of a colour of any depth, with the same weights.
#[must_use]
pub fn luminance_wide(red: f32, green: f32, blue: f32) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_colours_keep_their_value() {
        for value in 0..=255 {
            assert_eq!(luminance(value, value, value), value);
        }
        assert_eq!(luminance(255, 0, 0), 76);
    }

    #[test]
    fn a_scale_that_makes_no_sense_is_none() {
        assert_eq!(Scale::new(0.0, 5.0), Scale::default());
        assert_eq!(Scale::new(f64::NAN, 0.0), Scale::default());
        assert!(Scale::new(-1.0, 0.0).darkens());
        assert!(!Scale { inverted: true, ..Scale::new(-1.0, 0.0) }.darkens());
    }
}

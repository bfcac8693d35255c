//! Palette colours (PS3.3 C.7.9) as brightness.

use dicom_dictionary_std::tags;

use super::lut::{self, Lut};
use super::values::DataSet;
use crate::raster::luminance_wide;
use crate::reject::Reject;

/// Brightness of each palette entry, 0 ..= 65535.
pub(super) struct Palette {
    first: i64,
    brightness: Vec<f32>,
}

impl Palette {
    /// Reads the three lookup tables.
    pub fn of(object: &DataSet) -> Result<Self, Reject> {
        let table = |descriptor, data, segmented| {
            let lut = Lut::of(object, descriptor, data, Some(segmented))?;
            lut.ok_or_else(|| Reject::unreadable("a palette without its tables"))
        };
        let red = table(
            tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        )?;
        let green = table(
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        )?;
        let blue = table(
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        )?;
        // 8-bit entries over the whole range: 257 = 65535 / 255.
        let wide = |lut: &Lut, entry: u16| f32::from(entry) * if lut.bits == 8 { 257.0 } else { 1.0 };
        let entries = red.entries().iter().zip(green.entries()).zip(blue.entries());
        let brightness =
            entries.map(|((&r, &g), &b)| luminance_wide(wide(&red, r), wide(&green, g), wide(&blue, b))).collect();
        Ok(Self { first: red.first(), brightness })
    }

    /// The brightness of a pixel; values outside of the table take its ends.
    pub fn brightness(&self, value: f32) -> f32 {
        self.brightness.get(lut::place(value, self.first, self.brightness.len())).copied().unwrap_or(0.0)
    }
}

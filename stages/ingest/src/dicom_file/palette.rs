//! Palette colours (PS3.3 C.7.9) as brightness.

use dicom_dictionary_std::tags;
use dicom_object::Tag;

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
        let (first, red) =
            table(object, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA)?;
        let (_, green) = table(
            object,
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        )?;
        let (_, blue) = table(
            object,
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        )?;
        let brightness =
            red.iter().zip(&green).zip(&blue).map(|((&red, &green), &blue)| luminance_wide(red, green, blue)).collect();
        Ok(Self { first, brightness })
    }

    /// The brightness of a pixel; values outside of the table take its ends.
    pub fn brightness(&self, value: f32) -> f32 {
        let index = (value as i64).saturating_sub(self.first);
        let last = self.brightness.len().saturating_sub(1);
        let index = usize::try_from(index).unwrap_or(0).min(last);
        self.brightness.get(index).copied().unwrap_or(0.0)
    }
}

/// First value mapped, and the entries of one colour.
fn table(object: &DataSet, descriptor: Tag, data: Tag) -> Result<(i64, Vec<f32>), Reject> {
    let bad = || Reject::unreadable("a palette whose descriptor is missing or wrong");
    let described: Vec<i64> = object.get(descriptor).and_then(|element| element.to_multi_int().ok()).ok_or_else(bad)?;
    let &[entries, first, bits] = described.as_slice() else { return Err(bad()) };
    // 0 means 65536; a signed writer makes numbers above 32767 negative.
    let entries = usize::try_from(match entries & 0xffff {
        0 => 65_536,
        entries => entries,
    })
    .map_err(|_| bad())?;
    let Some(element) = object.get(data) else {
        return Err(Reject::unsupported("a palette in segments"));
    };
    let bytes = element.to_bytes().map_err(|_| bad())?;
    let values: Vec<f32> = if bits == 8 && bytes.len() < 2 * entries {
        bytes.iter().take(entries).map(|&byte| f32::from(byte) * 257.0).collect()
    } else {
        let words = bytes.chunks_exact(2).map(|word| f32::from(u16::from_le_bytes([word[0], word[1]])));
        words.take(entries).map(|word| if bits == 8 { word * 257.0 } else { word }).collect()
    };
    if values.is_empty() { Err(bad()) } else { Ok((first, values)) }
}

//! Pixels of a DICOM frame as raw values: bit depth, sign, photometric interpretation (PS3.3 C.7.6.3).

use std::borrow::Cow;

use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;

use super::encapsulated;
use super::lut::Lut;
use super::palette::Palette;
use super::read::functional_group;
use super::values::{DataSet, count, item, number, text};
use super::voi::Voi;
use crate::raster::{Raster, Scale, luminance, luminance_wide};
use crate::reject::{Reason, Reject};

/// How a frame's samples lie in its bytes.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Rows (0028,0010).
    pub rows: usize,
    /// Columns (0028,0011).
    pub columns: usize,
    /// SamplesPerPixel (0028,0002): 1 or 3.
    pub samples: usize,
    /// BitsAllocated (0028,0100): 1, 8, 16, 24 or 32.
    pub allocated: u32,
    /// BitsStored (0028,0101).
    stored: u32,
    /// HighBit (0028,0102).
    high: u32,
    /// PixelRepresentation (0028,0103) is 1: two's complement.
    signed: bool,
    /// PhotometricInterpretation (0028,0004).
    photometric: String,
    /// PlanarConfiguration (0028,0006) is 1: colour by colour.
    planar: bool,
}

impl Layout {
    fn of(object: &DataSet) -> Result<Self, Reject> {
        let small = |tag| count(object, tag);
        let samples = small(tags::SAMPLES_PER_PIXEL).unwrap_or(1);
        let allocated = small(tags::BITS_ALLOCATED).unwrap_or(16);
        let stored = small(tags::BITS_STORED).unwrap_or(allocated);
        let high = small(tags::HIGH_BIT).unwrap_or(stored.saturating_sub(1));
        if !matches!(samples, 1 | 3) {
            return Err(Reject::unsupported(format!("{samples} samples per pixel")));
        }
        if !matches!(allocated, 1 | 8 | 16 | 24 | 32) {
            return Err(Reject::unsupported(format!("{allocated} bits allocated")));
        }
        if stored == 0 || stored > allocated || high >= allocated || high + 1 < stored {
            let message = format!("BitsAllocated {allocated}, BitsStored {stored} and HighBit {high} contradict");
            return Err(Reject::unreadable(message));
        }
        Ok(Self {
            rows: small(tags::ROWS).unwrap_or(0) as usize,
            columns: small(tags::COLUMNS).unwrap_or(0) as usize,
            samples: samples as usize,
            allocated,
            stored,
            high,
            signed: small(tags::PIXEL_REPRESENTATION) == Some(1),
            photometric: text(object, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_else(|| "MONOCHROME2".to_owned()),
            planar: small(tags::PLANAR_CONFIGURATION) == Some(1),
        })
    }

    /// Pixels of a frame.
    pub fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Samples of a frame as they are stored without compression; 4:2:2 shares colours between two pixels.
    fn stored_samples(&self) -> usize {
        let shared = self.samples == 3 && self.photometric.ends_with("_422");
        self.pixels() * if shared { 2 } else { self.samples }
    }

    /// Bytes of a frame without compression.
    pub fn frame_bytes(&self) -> usize {
        (self.stored_samples() * self.allocated as usize).div_ceil(8)
    }

    /// All values of a frame of one sample a pixel.
    fn grey(&self, bytes: &[u8]) -> Vec<f32> {
        // The depth is decided once: most images have 16 bits, and are many.
        if self.allocated == 16 {
            let words = bytes.chunks_exact(2).take(self.pixels());
            return words.map(|word| self.value(u16::from_le_bytes([word[0], word[1]]).into())).collect();
        }
        (0..self.pixels()).map(|pixel| self.sample(bytes, pixel)).collect()
    }

    /// The value of sample `index` of a frame's bytes.
    fn sample(&self, bytes: &[u8], index: usize) -> f32 {
        let raw = match self.allocated {
            1 => u32::from(bytes[index / 8] >> (index % 8) & 1),
            8 => u32::from(bytes[index]),
            16 => u32::from(u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]])),
            bits => {
                let size = bits as usize / 8;
                let sample = &bytes[size * index..size * (index + 1)];
                sample.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
            }
        };
        self.value(raw)
    }

    /// The stored bits of a sample alone, with their sign.
    fn value(&self, raw: u32) -> f32 {
        // To the top, then down again.
        let up = raw << (31 - self.high);
        let down = 32 - self.stored;
        if self.signed { ((up as i32) >> down) as f32 } else { (up >> down) as f32 }
    }
}

/// A file's pixels, ready to give frames.
pub(super) struct Pixels {
    object: DefaultDicomObject,
    layout: Layout,
    palette: Option<Palette>,
    /// Of the Modality LUT Sequence (0028,3000), which stands in for a slope (PS3.3 C.11.1).
    modality: Option<Lut>,
    /// Whether frames have the window that the file brings.
    own_window: bool,
    /// The window of the whole file.
    voi: Option<Voi>,
}

impl Pixels {
    /// Checks a file's pixel attributes against its bytes and the memory limit.
    pub fn new(mut object: DefaultDicomObject, own_window: bool, limit: u64) -> Result<Self, Reject> {
        if let Some(tag) =
            [tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA].into_iter().find(|&tag| object.get(tag).is_some())
        {
            // One kind of pixel data alone is allowed; under the usual tag the rest need not know.
            if let Some(element) = object.take(tag) {
                object.put(dicom_core::DataElement::new(tags::PIXEL_DATA, element.vr(), element.into_value()));
            }
            object.put(dicom_core::DataElement::new(
                tags::BITS_ALLOCATED,
                dicom_core::VR::US,
                dicom_core::PrimitiveValue::from(32_u16),
            ));
        }
        let layout = Layout::of(&object)?;
        let needed = layout.pixels() as u64 * 4 + layout.frame_bytes().max(layout.pixels() * layout.samples) as u64;
        Reject::if_larger(needed, limit, "one frame")?;
        if object.get(tags::PIXEL_DATA).is_none() {
            return Err(Reject::new(Reason::NotAnImage, "a DICOM object without pixels"));
        }
        let voi = if own_window { Voi::of(&object, layout.signed) } else { None };
        // Display settings that the decoder would check and does not apply.
        for tag in [tags::WINDOW_CENTER, tags::WINDOW_WIDTH, tags::VOILUT_FUNCTION, tags::VOILUT_SEQUENCE] {
            object.remove_element(tag);
        }
        let palette = if layout.photometric == "PALETTE COLOR" { Some(Palette::of(&object)?) } else { None };
        let modality = item(&object, tags::MODALITY_LUT_SEQUENCE)
            .map(|item| Lut::of(item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, None))
            .transpose()?
            .flatten();
        let modality = if layout.signed { modality.map(Lut::signed) } else { modality };
        Ok(Self { object, layout, palette, modality, own_window, voi })
    }

    /// One frame.
    pub fn raster(&self, frame: u32) -> Result<Raster, Reject> {
        let layout = &self.layout;
        let Some(element) = self.object.get(tags::PIXEL_DATA) else {
            return Err(Reject::new(Reason::NotAnImage, "a DICOM object without pixels"));
        };
        let mut values = match (element.value().primitive(), element.value().fragments()) {
            (Some(dicom_core::PrimitiveValue::F32(values)), _) => self.floats(values, frame, |&value| value)?,
            (Some(dicom_core::PrimitiveValue::F64(values)), _) => self.floats(values, frame, |&value| value as f32)?,
            (Some(value), _) => {
                let bytes = value.to_bytes();
                let bytes = native_frame(layout, &bytes, frame)?;
                self.values(&bytes, layout, &layout.photometric)
            }
            (None, Some(_)) => {
                let decoded = encapsulated::decode(&self.object, layout, frame)?;
                let decoded_layout = Layout { planar: decoded.planar, allocated: decoded.allocated, ..layout.clone() };
                let photometric = if decoded.is_rgb { "RGB" } else { layout.photometric.as_str() };
                self.values(&decoded.bytes, &decoded_layout, photometric)
            }
            (None, None) => return Err(Reject::unreadable("PixelData is a sequence")),
        };
        if let Some(lut) = self.modality.as_ref().filter(|_| self.palette.is_none() && layout.samples == 1) {
            values.iter_mut().for_each(|value| *value = f32::from(lut.at(*value)));
        }
        let scale = Scale { inverted: layout.photometric == "MONOCHROME1", ..self.scale(frame) };
        let (width, height) = (layout.columns as u32, layout.rows as u32);
        let mut raster = Raster { width, height, values, scale, exact: false, window: None };
        // Windows are of grey intensities, not of colours (PS3.3 C.11.2).
        if let Some(voi) = self.voi(frame).filter(|_| self.palette.is_none() && layout.samples == 1) {
            voi.apply(&mut raster);
        }
        Ok(raster)
    }

    /// Values of a frame of float pixels.
    fn floats<T>(&self, values: &[T], frame: u32, convert: impl Fn(&T) -> f32) -> Result<Vec<f32>, Reject> {
        let pixels = self.layout.pixels();
        let start = pixels * frame as usize;
        let values = values.get(start..start + pixels).ok_or_else(|| truncated(frame))?;
        Ok(values.iter().map(convert).collect())
    }

    /// Values of a frame, a brightness where it is coloured. `bytes` holds the frame: `layout` was checked.
    fn values(&self, bytes: &[u8], layout: &Layout, photometric: &str) -> Vec<f32> {
        let pixels = layout.pixels();
        if let Some(palette) = &self.palette {
            return (0..pixels).map(|pixel| palette.brightness(layout.sample(bytes, pixel))).collect();
        }
        if layout.samples == 1 {
            return layout.grey(bytes);
        }
        let at = |pixel: usize, colour: usize| {
            let index = if layout.planar { colour * pixels + pixel } else { pixel * 3 + colour };
            layout.sample(bytes, index)
        };
        if photometric.ends_with("_422") {
            // Two pixels share their colours: Y Y Cb Cr (PS3.3 C.7.6.3.1.2).
            return (0..pixels).map(|pixel| layout.sample(bytes, pixel / 2 * 4 + pixel % 2)).collect();
        }
        if photometric.starts_with("YBR") {
            return (0..pixels).map(|pixel| at(pixel, 0)).collect();
        }
        let brightness = |pixel| {
            let [red, green, blue] = [0, 1, 2].map(|colour| at(pixel, colour));
            if layout.stored <= 8 {
                f32::from(luminance(red as u8, green as u8, blue as u8))
            } else {
                luminance_wide(red, green, blue)
            }
        };
        (0..pixels).map(brightness).collect()
    }

    /// The window of a frame: its own (Frame VOI LUT Sequence, 0028,9132), else the file's.
    fn voi(&self, frame: u32) -> Option<Voi> {
        if !self.own_window {
            return None;
        }
        let own = functional_group(&self.object, frame, tags::FRAME_VOILUT_SEQUENCE);
        own.and_then(|group| Voi::of(group, self.layout.signed)).or_else(|| self.voi.clone())
    }

    /// RescaleSlope (0028,1053) and RescaleIntercept (0028,1052) of a frame.
    fn scale(&self, frame: u32) -> Scale {
        let of = |set: &DataSet| {
            let slope = number(set, tags::RESCALE_SLOPE)?;
            Some(Scale::new(slope, number(set, tags::RESCALE_INTERCEPT).unwrap_or(0.0)))
        };
        functional_group(&self.object, frame, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE)
            .and_then(of)
            .or_else(|| of(&self.object).filter(|_| self.modality.is_none()))
            .unwrap_or_default()
    }
}

fn truncated(frame: u32) -> Reject {
    Reject::new(Reason::Truncated, format!("PixelData ends before frame {frame} does"))
}

/// The bytes of one frame of uncompressed pixels.
fn native_frame<'a>(layout: &Layout, bytes: &'a [u8], frame: u32) -> Result<Cow<'a, [u8]>, Reject> {
    if layout.allocated == 1 && !layout.pixels().is_multiple_of(8) {
        // Frames of single bits follow each other without padding: shift them to a byte boundary.
        let start = layout.pixels() * frame as usize;
        let bit = |index: usize| Some(bytes.get(index / 8)? >> (index % 8) & 1);
        let mut frame_bytes = vec![0; layout.frame_bytes()];
        for index in 0..layout.pixels() {
            frame_bytes[index / 8] |= bit(start + index).ok_or_else(|| truncated(frame))? << (index % 8);
        }
        return Ok(Cow::Owned(frame_bytes));
    }
    let size = layout.frame_bytes();
    let start = size.checked_mul(frame as usize).ok_or_else(|| truncated(frame))?;
    bytes.get(start..start + size).map(Cow::Borrowed).ok_or_else(|| truncated(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(allocated: u32, stored: u32, high: u32, signed: bool) -> Layout {
        Layout {
            rows: 1,
            columns: 1,
            samples: 1,
            allocated,
            stored,
            high,
            signed,
            photometric: "MONOCHROME2".to_owned(),
            planar: false,
        }
    }

    #[test]
    fn only_stored_bits_count_and_carry_the_sign() {
        // Twelve bits with an overlay in the top four.
        assert_eq!(layout(16, 12, 11, false).sample(&[0xff, 0xf0], 0), 255.0);
        assert_eq!(layout(16, 12, 11, true).sample(&[0xff, 0x0f], 0), -1.0);
        assert_eq!(layout(16, 12, 15, false).sample(&[0xf0, 0xff], 0), 4095.0);
        assert_eq!(layout(16, 16, 15, true).sample(&[0x00, 0x80], 0), -32_768.0);
        assert_eq!(layout(8, 8, 7, false).sample(&[200], 0), 200.0);
        assert_eq!(layout(32, 32, 31, true).sample(&[0xfe, 0xff, 0xff, 0xff], 0), -2.0);
        assert_eq!(layout(24, 20, 19, false).sample(&[0, 0, 0, 1, 2, 0xf3], 1), f32::from(0x201_u16) + 196_608.0);
        assert_eq!(layout(1, 1, 0, false).sample(&[0b100], 2), 1.0);
    }

    #[test]
    fn frames_of_single_bits_are_cut_between_bytes() {
        let layout = Layout { rows: 1, columns: 3, ..layout(1, 1, 0, false) };
        // Frames 0b101, 0b010, lowest bit first.
        let frame = native_frame(&layout, &[0b010_101], 1);
        assert_eq!(frame.ok().as_deref(), Some(&[0b010][..]));
        assert!(native_frame(&layout, &[0], 3).is_err());
    }
}

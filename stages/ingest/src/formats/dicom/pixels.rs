//! Pixels of a DICOM frame as raw values: bit depth, sign, photometric interpretation (PS3.3 C.7.6.3).

use std::borrow::Cow;

use dicom_core::value::Value;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;

use super::colour::{self, Colour};
use super::encapsulated::{self, Fragments};
use super::layout::{Layout, room};
use super::lut::Lut;
use super::padding::Padding;
use super::palette::Palette;
use super::stream::BIG_ENDIAN;
use super::values::{DataSet, functional_group, item, number};
use super::voi::Voi;
use crate::raster::{Raster, Scale};
use crate::reject::{Reason, Reject};

/// A file's pixels, ready to give frames.
pub(super) struct Pixels {
    object: DefaultDicomObject,
    layout: Layout,
    stored: Stored,
    palette: Option<Palette>,
    /// Of the Modality LUT Sequence (0028,3000), which stands in for a slope (PS3.3 C.11.1).
    modality: Option<Lut>,
    padding: Option<Padding>,
    /// Whether frames have the window that the file brings.
    own_window: bool,
    /// The window of the whole file.
    voi: Option<Voi>,
    limit: u64,
}

/// All frames, as the file has them.
enum Stored {
    /// Uncompressed, little endian.
    Plain(Vec<u8>),
    /// Float Pixel Data (7FE0,0008) or Double Float Pixel Data (7FE0,0009).
    Floats(Vec<f32>),
    Compressed(Fragments),
}

impl Pixels {
    /// Checks a file's pixel attributes against its bytes and the memory limit.
    pub fn new(mut object: DefaultDicomObject, own_window: bool, limit: u64) -> Result<Self, Reject> {
        // One kind of pixel data alone is allowed.
        let floats =
            [tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA].into_iter().find_map(|tag| object.take(tag));
        if floats.is_some() {
            // Floats of 32 or 64 bits are kept in 32; which of their bits are stored is not asked.
            for tag in [tags::BITS_STORED, tags::HIGH_BIT] {
                object.remove_element(tag);
            }
            object.put(DataElement::new(tags::BITS_ALLOCATED, VR::US, PrimitiveValue::from(32_u16)));
        }
        let Some(element) = floats.or_else(|| object.take(tags::PIXEL_DATA)) else {
            return Err(Reject::new(Reason::NotAnImage, "a DICOM object without pixels"));
        };
        let mut layout = Layout::of(&object)?;
        Reject::if_larger(layout.needed(), limit, "one frame")?;
        let syntax = object.meta().transfer_syntax().trim_end_matches('\0').to_owned();
        let stored = Stored::of(element.into_value(), &object, &syntax, &mut layout)?;
        let voi = if own_window { Voi::of(&object, layout.signed) } else { None };
        let palette = if layout.photometric == "PALETTE COLOR" { Some(Palette::of(&object)?) } else { None };
        let modality = item(&object, tags::MODALITY_LUT_SEQUENCE)
            .map(|item| Lut::of(item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, None))
            .transpose()?
            .flatten();
        let modality = if layout.signed { modality.map(Lut::signed) } else { modality };
        let padding = match &stored {
            _ if palette.is_some() || layout.samples > 1 => None,
            Stored::Floats(_) => Padding::of_floats(&object),
            _ => Padding::of(&object, &layout),
        };
        Ok(Self { object, layout, stored, palette, modality, padding, own_window, voi, limit })
    }

    /// One frame.
    pub fn raster(&self, frame: u32) -> Result<Raster, Reject> {
        let layout = &self.layout;
        let mut values = match &self.stored {
            Stored::Floats(all) => {
                let mut values = part(all, layout.pixels(), frame)?.to_vec();
                self.pad(&mut values, layout, None);
                values
            }
            Stored::Plain(all) => {
                let bytes = plain_frame(layout, all, frame)?;
                let mut values = self.values(&bytes, layout, Colour::named(&layout.photometric))?;
                self.pad(&mut values, layout, Some(&bytes));
                values
            }
            Stored::Compressed(fragments) => {
                let decoded = fragments.decode(frame, layout, self.limit)?;
                let mut values = self.values(&decoded.bytes, &decoded.layout, decoded.colour)?;
                self.pad(&mut values, &decoded.layout, Some(&decoded.bytes));
                values
            }
        };
        if let Some(lut) = self.modality.as_ref().filter(|_| self.palette.is_none() && layout.samples == 1) {
            let known = values.iter_mut().filter(|value| !value.is_nan());
            known.for_each(|value| *value = f32::from(lut.at(*value)));
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

    fn pad(&self, values: &mut [f32], layout: &Layout, bytes: Option<&[u8]>) {
        if let Some(padding) = &self.padding {
            padding.apply(values, layout, bytes);
        }
    }

    /// The brightness of each pixel: its value, its palette's colour, or its own.
    fn values(&self, bytes: &[u8], layout: &Layout, colour: Colour) -> Result<Vec<f32>, Reject> {
        let pixels = layout.pixels();
        let mut values = room(pixels)?;
        if layout.samples == 3 {
            values.extend(colour::brightness(layout, bytes, colour));
        } else if let Some(palette) = &self.palette {
            values.extend((0..pixels).map(|pixel| palette.brightness(layout.sample(bytes, pixel))));
        } else if layout.allocated == 16 {
            // The depth is decided once: most images have 16 bits, and are many.
            let words = bytes.chunks_exact(2).take(pixels);
            values.extend(words.map(|word| layout.value(u16::from_le_bytes([word[0], word[1]]).into())));
        } else {
            values.extend((0..pixels).map(|pixel| layout.sample(bytes, pixel)));
        }
        Ok(values)
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

impl Stored {
    /// Takes the pixels out of a file, and compares their length with its attributes.
    fn of(
        value: Value<DataSet, Vec<u8>>,
        object: &DefaultDicomObject,
        syntax: &str,
        layout: &mut Layout,
    ) -> Result<Self, Reject> {
        let primitive = match value {
            Value::PixelSequence(sequence) => {
                return Fragments::new(sequence, object, syntax, layout).map(Self::Compressed);
            }
            Value::Sequence(_) => return Err(Reject::unreadable("PixelData is a sequence")),
            Value::Primitive(primitive) => primitive,
        };
        let floats = match &primitive {
            PrimitiveValue::F32(values) => Some(values.to_vec()),
            PrimitiveValue::F64(values) => Some(values.iter().map(|&value| value as f32).collect()),
            _ => None,
        };
        if let Some(floats) = floats {
            *layout = Layout { allocated: 32, stored: 32, high: 31, samples: 1, shared: false, ..layout.clone() };
            layout.fit(&floats)?;
            return Ok(Self::Floats(floats));
        }
        let word = match &primitive {
            PrimitiveValue::U16(_) | PrimitiveValue::I16(_) => 2,
            PrimitiveValue::U32(_) | PrimitiveValue::I32(_) => 4,
            PrimitiveValue::U64(_) | PrimitiveValue::I64(_) => 8,
            _ => 1,
        };
        let mut bytes = bytes_of(primitive);
        if encapsulated::is_codestream(&bytes, syntax) {
            let sequence = dicom_core::value::PixelFragmentSequence::new_fragments(vec![bytes]);
            return Fragments::new(sequence, object, syntax, layout).map(Self::Compressed);
        }
        if syntax == BIG_ENDIAN {
            from_big_endian(&mut bytes, word, layout.allocated as usize / 8);
        }
        layout.fit(&bytes)?;
        Ok(Self::Plain(bytes))
    }
}

/// The little-endian bytes of a value, without a copy where it holds bytes.
fn bytes_of(value: PrimitiveValue) -> Vec<u8> {
    match value {
        PrimitiveValue::U8(bytes) => bytes.into_vec(),
        PrimitiveValue::U16(words) => words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        PrimitiveValue::U32(words) => words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        PrimitiveValue::U64(words) => words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        other => other.to_bytes().into_owned(),
    }
}

/// Turns big-endian samples round. The file was read in words of `word` bytes, as its VR says, which need not be the
/// samples' size: 32 bits in words of 16 (PS3.5 A.3, annex D), 16 bits in single bytes. Samples of 8 bits and less lie in
/// words of 16 the lower byte first.
fn from_big_endian(bytes: &mut [u8], word: usize, sample: usize) {
    if word == sample || sample < 2 {
        return;
    }
    if word > 1 {
        bytes.chunks_exact_mut(word).for_each(<[u8]>::reverse); // as in the file
    }
    bytes.chunks_exact_mut(sample).for_each(<[u8]>::reverse);
}

fn truncated(frame: u32) -> Reject {
    Reject::new(Reason::Truncated, format!("PixelData ends before frame {frame}, counted from 0, does"))
}

/// The part of equal ones that a frame is.
fn part<T>(all: &[T], size: usize, frame: u32) -> Result<&[T], Reject> {
    let start = size.checked_mul(frame as usize).ok_or_else(|| truncated(frame))?;
    all.get(start..).and_then(|rest| rest.get(..size)).ok_or_else(|| truncated(frame))
}

/// The bytes of one frame of uncompressed pixels.
fn plain_frame<'a>(layout: &Layout, bytes: &'a [u8], frame: u32) -> Result<Cow<'a, [u8]>, Reject> {
    let bits = layout.pixels() * layout.samples;
    if layout.allocated > 1 || bits.is_multiple_of(8) {
        return part(bytes, layout.frame_bytes(), frame).map(Cow::Borrowed);
    }
    // Frames of single bits follow each other without padding: shift them to a byte boundary.
    let start = bits.checked_mul(frame as usize).ok_or_else(|| truncated(frame))?;
    let bit = |index: usize| Some(bytes.get(index / 8)? >> (index % 8) & 1);
    let mut shifted = room(layout.frame_bytes())?;
    shifted.resize(layout.frame_bytes(), 0);
    for index in 0..bits {
        shifted[index / 8] |= bit(start + index).ok_or_else(|| truncated(frame))? << (index % 8);
    }
    Ok(Cow::Owned(shifted))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_single_bits_are_cut_between_bytes() {
        let mut object = DataSet::new_empty();
        for (tag, value) in [(tags::ROWS, 1_u16), (tags::COLUMNS, 3), (tags::BITS_ALLOCATED, 1)] {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        }
        let layout = Layout::of(&object).unwrap();
        // Frames 0b101, 0b010, lowest bit first.
        assert_eq!(plain_frame(&layout, &[0b010_101], 1).unwrap()[..], [0b010]);
        assert!(plain_frame(&layout, &[0], 3).is_err());
    }

    #[test]
    fn big_endian_samples_are_turned_whatever_words_they_lie_in() {
        let turned = |file: &[u8], word: usize, sample: usize| {
            let mut bytes = file.to_vec();
            bytes.chunks_exact_mut(word).for_each(<[u8]>::reverse); // what reading words does
            from_big_endian(&mut bytes, word, sample);
            bytes
        };
        assert_eq!(turned(&[1, 2, 3, 4], 2, 4), [4, 3, 2, 1]);
        assert_eq!(turned(&[1, 2, 3, 4], 4, 4), [4, 3, 2, 1]);
        assert_eq!(turned(&[1, 2, 3, 4], 1, 2), [2, 1, 4, 3]);
        assert_eq!(turned(&[1, 2, 3, 4], 4, 2), [2, 1, 4, 3]);
        assert_eq!(turned(&[1, 2, 3, 4, 5, 6], 2, 3), [3, 2, 1, 6, 5, 4]);
        // bytes in words: the first is the lower one of its word
        assert_eq!(turned(&[2, 1, 4, 3], 2, 1), [1, 2, 3, 4]);
        assert_eq!(turned(&[1, 2, 3, 4], 1, 1), [1, 2, 3, 4]);
    }
}

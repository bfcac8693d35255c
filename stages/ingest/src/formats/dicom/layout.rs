//! How a frame's samples lie in its bytes: the Image Pixel module (PS3.3 C.7.6.3), checked before anything hangs on it.

use dicom_core::header::HasLength;
use dicom_dictionary_std::tags;
use dicom_object::Tag;

use super::values::{DataSet, count, text};
use crate::reject::{Reason, Reject};

/// The most rows or columns that there can be: both are VR US.
const LONGEST: u32 = 65_535;

/// How a frame's samples lie in its bytes.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Rows (0028,0010), 1 ..= 65535.
    pub rows: usize,
    /// Columns (0028,0011), 1 ..= 65535.
    pub columns: usize,
    /// SamplesPerPixel (0028,0002): 1 or 3.
    pub samples: usize,
    /// BitsAllocated (0028,0100): 1, 8, 16, 24 or 32.
    pub allocated: u32,
    /// BitsStored (0028,0101).
    pub stored: u32,
    /// HighBit (0028,0102).
    pub high: u32,
    /// PixelRepresentation (0028,0103) is 1: two's complement.
    pub signed: bool,
    /// PhotometricInterpretation (0028,0004).
    pub photometric: String,
    /// PlanarConfiguration (0028,0006) is 1: colour by colour.
    pub planar: bool,
    /// NumberOfFrames (0028,0008); none where it is no number, until the pixels tell.
    pub frames: Option<usize>,
    /// Two neighbours share their colours: Y Y Cb Cr (C.7.6.3.1.2).
    pub shared: bool,
}

impl Layout {
    /// Reads the attributes. What is there but no number is refused: a default in its place makes another picture.
    pub fn of(object: &DataSet) -> Result<Self, Reject> {
        let small = |tag: Tag, otherwise: u32| match (count(object, tag), object.get(tag)) {
            (Some(number), _) => Ok(number),
            (None, Some(element)) if !element.is_empty() => {
                Err(Reject::unreadable(format!("{tag} of the image's layout is no number")))
            }
            _ => Ok(otherwise),
        };
        let samples = small(tags::SAMPLES_PER_PIXEL, 1)?;
        let allocated = small(tags::BITS_ALLOCATED, 16)?;
        let stored = small(tags::BITS_STORED, allocated)?;
        let high = small(tags::HIGH_BIT, stored.saturating_sub(1))?;
        let (rows, columns) = (small(tags::ROWS, 0)?, small(tags::COLUMNS, 0)?);
        if ![rows, columns].iter().all(|side| (1..=LONGEST).contains(side)) {
            return Err(Reject::unreadable(format!("no image has {rows} Rows and {columns} Columns")));
        }
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
        let photometric = text(object, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_else(|| "MONOCHROME2".to_owned());
        Ok(Self {
            rows: rows as usize,
            columns: columns as usize,
            samples: samples as usize,
            allocated,
            stored,
            high,
            signed: small(tags::PIXEL_REPRESENTATION, 0)? == 1,
            shared: samples == 3 && photometric.ends_with("_422"),
            photometric,
            planar: small(tags::PLANAR_CONFIGURATION, 0)? == 1,
            frames: text(object, tags::NUMBER_OF_FRAMES)
                .map_or(Some(1), |frames| frames.parse::<u32>().ok().map(|frames| frames.max(1) as usize)),
        })
    }

    /// The layout of the same frame after a codec: whole samples, pixel by pixel, in `allocated` bits.
    pub fn decoded(&self, allocated: u32) -> Self {
        Self { allocated, shared: false, planar: false, ..self.clone() }
    }

    /// Pixels of a frame.
    pub fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Bits of a frame without compression: at most 65535 * 65535 * 3 * 32.
    fn frame_bits(&self) -> u64 {
        self.pixels() as u64 * if self.shared { 2 } else { self.samples as u64 } * u64::from(self.allocated)
    }

    /// Bytes of a frame without compression.
    pub fn frame_bytes(&self) -> usize {
        usize::try_from(self.frame_bits().div_ceil(8)).unwrap_or(usize::MAX)
    }

    /// Bytes that decoding a frame takes: as it is stored, all samples, and its values.
    pub fn needed(&self) -> u64 {
        let samples = self.pixels() as u64 * self.samples as u64 * u64::from(self.allocated.div_ceil(8));
        self.pixels() as u64 * 4 + self.frame_bits().div_ceil(8).max(samples)
    }

    /// Compares the length of uncompressed pixels, in bytes or in floats, with what the attributes say, and takes 4:2:2
    /// as full where the length says so. A few bytes more, or any number that are all the same, pad the pixels (PS3.5 8.1.1
    /// pads to even length); more than that belongs to an image of another size.
    pub fn fit<T: PartialEq>(&mut self, all: &[T]) -> Result<(), Reject> {
        let unit = 8 * size_of::<T>() as u128;
        let length = all.len() as u128;
        let whole = length * unit / u128::from(self.frame_bits()); // no side is 0
        let frames = *self.frames.get_or_insert(whole.max(1) as usize) as u128;
        let said = |layout: &Self| (u128::from(layout.frame_bits()) * frames).div_ceil(unit);
        if self.shared && length >= said(&Self { shared: false, ..self.clone() }) {
            self.shared = false;
        }
        let said = said(self);
        if length < said {
            let message = format!("the pixels end: {length} bytes or floats where Rows and Columns say {said}");
            return Err(Reject::new(Reason::Truncated, message));
        }
        let rest = &all[said as usize..]; // said is at most all.len()
        let side = self.rows.min(self.columns) * self.samples * (self.allocated as usize).div_ceil(unit as usize);
        if rest.len() < side || rest.iter().all(|one| Some(one) == rest.first()) {
            return Ok(());
        }
        let message = format!("{length} bytes or floats of pixels where Rows, Columns and NumberOfFrames say {said}");
        Err(Reject::unreadable(message))
    }

    /// The value of sample `index` of a frame's bytes.
    pub fn sample(&self, bytes: &[u8], index: usize) -> f32 {
        self.value(self.word(bytes, index))
    }

    /// All bits of sample `index`.
    pub fn word(&self, bytes: &[u8], index: usize) -> u32 {
        match self.allocated {
            1 => u32::from(bytes[index / 8] >> (index % 8) & 1),
            8 => u32::from(bytes[index]),
            16 => u32::from(u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]])),
            bits => {
                let size = bits as usize / 8;
                let sample = &bytes[size * index..size * (index + 1)];
                sample.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
            }
        }
    }

    /// The stored bits of a sample alone, with their sign.
    pub fn value(&self, word: u32) -> f32 {
        // To the top, then down again.
        let up = word << (31 - self.high);
        let down = 32 - self.stored;
        if self.signed { ((up as i32) >> down) as f32 } else { (up >> down) as f32 }
    }
}

/// Room for `count` elements; a reject where there is none, since an allocation that fails ends the process.
pub(super) fn room<T>(count: usize) -> Result<Vec<T>, Reject> {
    let mut room = Vec::new();
    room.try_reserve_exact(count).map_err(|_| Reject::new(Reason::TooLarge, "no memory is left for one frame"))?;
    Ok(room)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
            frames: Some(1),
            shared: false,
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
    fn the_length_must_be_that_of_the_attributes() {
        let mut small = Layout { rows: 10, columns: 20, ..layout(16, 16, 15, false) };
        let fit = |layout: &mut Layout, bytes: &[u8]| layout.fit(bytes).map_err(|reject| reject.reason);
        let ramp: Vec<u8> = (0..1000).map(|at| (at % 251) as u8).collect();
        assert_eq!(fit(&mut small, &ramp[..399]), Err(Reason::Truncated));
        assert_eq!(fit(&mut small, &ramp[..400]), Ok(()));
        assert_eq!(fit(&mut small, &ramp[..402]), Ok(()));
        // 11 rows of the same columns, 10 rows of 21 columns
        assert_eq!(fit(&mut small, &ramp[..440]), Err(Reason::Unreadable));
        assert_eq!(fit(&mut small, &ramp[..420]), Err(Reason::Unreadable));
        assert_eq!(fit(&mut small, &[&ramp[..400], &[0; 128]].concat()), Ok(()));
        let mut colour =
            Layout { samples: 3, shared: true, ..Layout { rows: 10, columns: 20, ..layout(8, 8, 7, false) } };
        assert_eq!((fit(&mut colour, &ramp[..400]), colour.shared), (Ok(()), true));
        assert_eq!((fit(&mut colour, &ramp[..600]), colour.shared), (Ok(()), false));
    }

    #[test]
    fn the_largest_frame_wraps_nowhere() {
        let largest = Layout { rows: 65_535, columns: 65_535, samples: 3, ..layout(32, 32, 31, false) };
        assert_eq!(largest.needed(), 65_535 * 65_535 * 16);
        assert!(Reject::if_larger(largest.needed(), 1 << 30, "one frame").is_err());
    }
}

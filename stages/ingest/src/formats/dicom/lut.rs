//! Lookup tables: of a palette's colours (PS3.3 C.7.6.3.1.5), plain or in segments (C.7.9.2), and of the modality
//! (C.11.1).

use dicom_object::Tag;

use super::values::DataSet;
use crate::reject::Reject;

/// The most entries that a descriptor can say.
const MOST: usize = 1 << 16;

/// A table from stored values to other ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lut {
    /// The stored value of the first entry.
    first: i64,
    /// Bits of an entry.
    pub bits: i64,
    entries: Vec<u16>,
}

impl Lut {
    /// Reads a table from its descriptor and its data; none where there is no data.
    pub fn of(object: &DataSet, descriptor: Tag, data: Tag, segmented: Option<Tag>) -> Result<Option<Self>, Reject> {
        let bad = || Reject::unreadable("a lookup table whose descriptor or data is missing or wrong");
        let plain = object.get(data);
        let Some(element) = plain.or_else(|| segmented.and_then(|tag| object.get(tag))) else { return Ok(None) };
        let described = object.get(descriptor).and_then(|element| element.to_multi_int().ok()).ok_or_else(bad)?;
        let &[count, first, bits] = described.as_slice() else { return Err(bad()) };
        // 0 means 65536; a signed writer makes numbers above 32767 negative.
        let count = match (count & 0xffff) as usize {
            0 => MOST,
            count => count,
        };
        let bytes = element.to_bytes().map_err(|_| bad())?;
        // A table of 8 bits is written in bytes, or in words all the same; it shows in the length.
        let in_bytes = bits == 8 && (plain.is_none() || bytes.len() < 2 * count);
        let words: Vec<u16> = if in_bytes {
            bytes.iter().map(|&byte| byte.into()).collect()
        } else {
            bytes.chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]])).collect()
        };
        let mut entries = words;
        if plain.is_none() {
            let mut segments = Segments { data: &entries, in_bytes, expanded: Vec::new() };
            segments.expand(0, usize::MAX, true).ok_or_else(bad)?;
            entries = segments.expanded;
        }
        entries.truncate(count);
        if entries.is_empty() { Err(bad()) } else { Ok(Some(Self { first, bits, entries })) }
    }

    /// The same with a first value that is negative where it is above 32767: stored values are signed.
    pub fn signed(self) -> Self {
        Self { first: i64::from(self.first as i16), ..self }
    }

    /// The entry of a stored value; values outside of the table take its ends.
    pub fn at(&self, value: f32) -> u16 {
        self.entries[place(value, self.first, self.entries.len())]
    }

    /// All entries.
    pub fn entries(&self) -> &[u16] {
        &self.entries
    }

    /// The stored value of the first entry.
    pub fn first(&self) -> i64 {
        self.first
    }
}

/// The entry, of so many, that a stored value has; values outside of the table take its ends.
pub(super) fn place(value: f32, first: i64, entries: usize) -> usize {
    let place = (value as i64).saturating_sub(first);
    usize::try_from(place).unwrap_or(0).min(entries.saturating_sub(1))
}

/// The segments of a table on their way into entries.
struct Segments<'a> {
    data: &'a [u16],
    in_bytes: bool,
    expanded: Vec<u16>,
}

impl Segments<'_> {
    /// Expands `most` segments from `at`. Only segments of the outermost level may be indirect, so this ends.
    fn expand(&mut self, mut at: usize, most: usize, outermost: bool) -> Option<()> {
        let mut read = 0;
        // A single byte that is left pads the data.
        while read < most && at + 1 < self.data.len() && self.expanded.len() < MOST {
            let (kind, length) = (self.data[at], usize::from(self.data[at + 1]));
            at += 2;
            match kind {
                0 => {
                    self.expanded.extend(self.data.get(at..at + length)?);
                    at += length;
                }
                1 => {
                    let (from, to) = (f64::from(*self.expanded.last()?), f64::from(*self.data.get(at)?));
                    let step = (to - from) / length as f64;
                    self.expanded.extend((1..=length).map(|i| (from + step * i as f64).round_ties_even() as u16));
                    at += 1;
                }
                2 if outermost => {
                    let parts = self.data.get(at..at + if self.in_bytes { 4 } else { 2 })?;
                    let bits = if self.in_bytes { 8 } else { 16 };
                    let bytes = parts.iter().rev().fold(0_u64, |sum, &part| sum << bits | u64::from(part));
                    // The offset counts bytes of the data.
                    let start = usize::try_from(bytes).ok()? / if self.in_bytes { 1 } else { 2 };
                    self.expand(start, length, false)?;
                    at += parts.len();
                }
                _ => return None,
            }
            read += 1;
        }
        Some(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn expanded(data: &[u16], in_bytes: bool) -> Option<Vec<u16>> {
        let mut segments = Segments { data, in_bytes, expanded: Vec::new() };
        segments.expand(0, usize::MAX, true).map(|()| segments.expanded)
    }

    #[test]
    fn segments_expand_as_the_standard_says() {
        // pydicom.pixels.processing._expand_segmented_lut((0, 1, 0, 1, 5, 4), "<H") -> [0, 1, 2, 2, 3, 4]
        assert_eq!(expanded(&[0, 1, 0, 1, 5, 4], false).unwrap(), [0, 1, 2, 2, 3, 4]);
        // ((0, 2, 10, 112, 1, 3, 32, 0, 1, 9), "<B") and an indirect segment to its start, both kinds
        let linear = [0, 2, 10, 112, 1, 3, 32];
        assert_eq!(expanded(&linear, true).unwrap(), [10, 112, 85, 59, 32]);
        let again: Vec<u16> = [linear.as_slice(), &[2, 2, 0, 0, 0, 0]].concat();
        assert_eq!(expanded(&again, true).unwrap(), [10, 112, 85, 59, 32, 10, 112, 85, 59, 32]);
        let words: Vec<u16> = [linear.as_slice(), &[2, 1, 8, 0]].concat();
        assert_eq!(expanded(&words, false).unwrap(), [10, 112, 85, 59, 32, 32, 32, 32]);
    }

    #[test]
    fn faulty_segments_are_refused_and_end() {
        for data in [[1, 3, 5].as_slice(), &[0, 9, 1], &[3, 1, 1], &[0, 1, 7, 2, 1, 6, 0]] {
            assert_eq!(expanded(data, false), None, "{data:?}");
        }
        let long = [0, 1, 7].into_iter().chain([1, 65_535, 9].repeat(50)).collect::<Vec<u16>>();
        assert!(expanded(&long, false).unwrap().len() < 2 * MOST);
    }
}

//! RLE Lossless (PS3.5 annex G): a header of offsets, then a segment of PackBits for each byte of a sample.

use super::layout::{Layout, room};
use crate::reject::{Reason, Reject};

/// Bytes of the header: a count and 15 offsets.
const HEADER: usize = 64;

/// True where a fragment starts as a frame of `segments` segments does.
pub(super) fn is_frame(fragment: &[u8], segments: usize) -> bool {
    offsets(fragment, segments).is_some()
}

/// Segments of a frame: one for each byte of each sample.
pub(super) fn segments(layout: &Layout) -> usize {
    layout.samples * layout.allocated as usize / 8
}

/// The samples of a frame, colour by colour, little endian.
pub(super) fn decode(frame: &[u8], layout: &Layout) -> Result<Vec<u8>, Reject> {
    if layout.allocated < 8 {
        return Err(Reject::unsupported("RLE of single bits"));
    }
    let wrong = || Reject::unreadable("an RLE frame whose header is wrong");
    let offsets = offsets(frame, segments(layout)).ok_or_else(wrong)?;
    let (pixels, size) = (layout.pixels(), layout.allocated as usize / 8);
    let mut samples = room(pixels * layout.samples * size)?;
    samples.resize(pixels * layout.samples * size, 0);
    for (number, &start) in offsets.iter().enumerate() {
        // Segments may lie in any order: each ends where the next one in the bytes begins.
        let end = offsets.iter().copied().filter(|&other| other > start).min().unwrap_or(frame.len());
        let segment = frame.get(start..end).ok_or_else(wrong)?;
        // Most significant byte first.
        let (sample, byte) = (number / size, size - 1 - number % size);
        let plane = unpack(segment, pixels)?;
        if plane.len() < pixels {
            return Err(Reject::new(Reason::Truncated, "an RLE segment ends before its pixels do"));
        }
        let places = samples[sample * pixels * size..(sample + 1) * pixels * size].iter_mut().skip(byte).step_by(size);
        places.zip(plane).for_each(|(place, byte)| *place = byte);
    }
    Ok(samples)
}

/// The offsets in a header, of which there must be `segments`, all behind the header.
fn offsets(fragment: &[u8], segments: usize) -> Option<Vec<usize>> {
    let word = |index: usize| {
        let bytes = fragment.get(4 * index..4 * index + 4)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    if fragment.len() < HEADER || word(0) != Some(segments) || !(1..=15).contains(&segments) {
        return None;
    }
    let offsets: Vec<usize> = (1..=segments).filter_map(word).collect();
    let behind = offsets.iter().all(|&at| (HEADER..=fragment.len()).contains(&at));
    let mut sorted = offsets.clone();
    sorted.sort_unstable();
    sorted.dedup();
    (behind && sorted.len() == segments).then_some(offsets)
}

/// Unpacks PackBits (G.3.1) into `most` bytes, fewer where it ends before. What comes after them pads the segment.
fn unpack(segment: &[u8], most: usize) -> Result<Vec<u8>, Reject> {
    let mut plane = room(most)?;
    let mut read = 0;
    while let Some(&head) = segment.get(read).filter(|_| plane.len() < most) {
        let rest = &segment[read + 1..];
        let left = most - plane.len();
        read += match head {
            // A literal run
            0..=127 => {
                let run = usize::from(head) + 1;
                plane.extend_from_slice(&rest[..run.min(left).min(rest.len())]);
                1 + run
            }
            128 => 1,
            // One byte again and again
            129..=255 => {
                let Some(&byte) = rest.first() else { break };
                plane.resize(plane.len() + (257 - usize::from(head)).min(left), byte);
                2
            }
        };
    }
    Ok(plane)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_unpacked_in_their_places() {
        // 1 2 3, five times 9; then padding
        let packed = [2, 1, 2, 3, 128, 252, 9, 0, 0];
        assert_eq!(unpack(&packed, 8).unwrap(), [1, 2, 3, 9, 9, 9, 9, 9]);
        assert_eq!(unpack(&packed, 5).unwrap(), [1, 2, 3, 9, 9]);
        assert_eq!(unpack(&[2, 1, 2], 9).unwrap(), [1, 2]);
        assert!(unpack(&[200], 9).unwrap().is_empty());
    }

    #[test]
    fn a_wrong_header_is_refused_before_it_is_decoded() {
        let mut fragment = vec![0; 80];
        fragment[0] = 2;
        fragment[4] = 72;
        fragment[8] = 64;
        assert_eq!(offsets(&fragment, 2), Some(vec![72, 64]));
        assert!(!is_frame(&fragment, 1) && !is_frame(&fragment[..60], 2));
        fragment[8] = 90;
        assert!(!is_frame(&fragment, 2));
        fragment[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(!is_frame(&fragment, 2) && !is_frame(&[1, 0, 0], 1));
    }
}

//! Compressed frames: which fragments are a frame's (PS3.5 A.4), and which codec they are for.

use std::borrow::Cow;
use std::io::Read;

use dicom_core::value::PixelFragmentSequence;
use dicom_dictionary_std::{tags, uids};

use super::colour::{Colour, Decoded};
use super::layout::{Layout, room};
use super::values::DataSet;
use super::{jpeg, jpeg2000, rle};
use crate::reject::{Reason, Reject};

/// The fragments of PixelData and where its frames start in them.
pub(super) struct Fragments {
    fragments: Vec<Vec<u8>>,
    /// Each frame's first fragment, and one beyond the last.
    starts: Vec<usize>,
    syntax: String,
}

impl Fragments {
    /// Sorts the fragments into frames.
    pub fn new(
        sequence: PixelFragmentSequence<Vec<u8>>,
        object: &DataSet,
        syntax: &str,
        layout: &Layout,
    ) -> Result<Self, Reject> {
        let (table, fragments) = sequence.into_parts();
        let fragments = fragments.into_vec();
        if fragments.iter().all(Vec::is_empty) {
            return Err(Reject::new(Reason::Truncated, "PixelData holds no fragment"));
        }
        // A video is one stream, with no frames to sort.
        let known = [
            uids::RLE_LOSSLESS,
            uids::DEFLATED_IMAGE_FRAME_COMPRESSION,
            uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
        ];
        if !(is_image(syntax) || known.contains(&syntax) || fragments.iter().any(|one| is_marked(one))) {
            return Err(Reject::unsupported(format!("transfer syntax {syntax}")));
        }
        let basic = table.iter().map(|&offset| offset.into()).collect();
        let starts = starts(&fragments, layout, extended_table(object), basic).ok_or_else(|| {
            let (count, frames) = (fragments.len(), layout.frames.unwrap_or(1));
            let reason = if count < frames { Reason::Truncated } else { Reason::Unreadable };
            Reject::new(reason, format!("{count} fragments that nothing sorts into {frames} frames"))
        })?;
        Ok(Self { fragments, starts, syntax: syntax.to_owned() })
    }

    /// The bytes of a frame.
    fn frame(&self, frame: u32) -> Option<Cow<'_, [u8]>> {
        let frame = frame as usize;
        match self.fragments.get(*self.starts.get(frame)?..*self.starts.get(frame + 1)?)? {
            [one] => Some(Cow::Borrowed(one)),
            several => Some(Cow::Owned(several.concat())),
        }
    }

    /// Decodes a frame: by what it starts with, since transfer syntaxes are mixed up, else by the transfer syntax.
    pub fn decode(&self, frame: u32, layout: &Layout, limit: u64) -> Result<Decoded, Reject> {
        let bytes = self.frame(frame).ok_or_else(|| {
            Reject::new(Reason::Truncated, format!("PixelData ends before frame {frame}, counted from 0, does"))
        })?;
        decode(&bytes, &self.syntax, layout, limit)
    }
}

/// Decodes the bytes of a frame.
fn decode(bytes: &[u8], syntax: &str, layout: &Layout, limit: u64) -> Result<Decoded, Reject> {
    if jpeg::starts(bytes) {
        return jpeg::decode(bytes, layout);
    }
    if jpeg2000::starts(bytes) {
        return jpeg2000::decode(bytes, layout, limit);
    }
    if syntax == uids::RLE_LOSSLESS {
        // RLE shares no colours between pixels, whatever the name says (PS3.5 8.2.2).
        let layout = Layout { planar: true, ..layout.decoded(layout.allocated) };
        return Decoded::new(rle::decode(bytes, &layout)?, layout.clone(), Colour::named(&layout.photometric));
    }
    match syntax {
        uids::DEFLATED_IMAGE_FRAME_COMPRESSION => plain(inflate(bytes, layout)?, layout),
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => plain(bytes.to_vec(), layout),
        _ if is_image(syntax) => Err(Reject::unreadable("a compressed frame without its start marker")),
        _ => Err(Reject::unsupported(format!("transfer syntax {syntax}"))),
    }
}

/// True for the transfer syntaxes of JPEG, JPEG-LS and JPEG 2000, whose frames are told by what they start with: those
/// of PS3.5 A.4.1 to A.4.4, retired ones too.
fn is_image(syntax: &str) -> bool {
    let number = syntax.strip_prefix("1.2.840.10008.1.2.4.").and_then(|number| number.parse::<u32>().ok());
    matches!(number, Some(50..=70 | 80 | 81 | 90..=93 | 201..=203))
}

/// True where uncompressed PixelData holds a codestream all the same.
pub(super) fn is_codestream(bytes: &[u8], syntax: &str) -> bool {
    is_image(syntax) && is_marked(bytes)
}

fn is_marked(bytes: &[u8]) -> bool {
    jpeg::starts(bytes) || jpeg2000::starts(bytes)
}

/// A frame of samples that are not coded; a byte may pad it.
fn plain(mut bytes: Vec<u8>, layout: &Layout) -> Result<Decoded, Reject> {
    let mut layout = Layout { frames: Some(1), ..layout.clone() };
    layout.fit(&bytes)?;
    bytes.truncate(layout.frame_bytes());
    let colour = Colour::named(&layout.photometric);
    Decoded::new(bytes, layout, colour)
}

/// Deflated Image Frame Compression (PS3.5 10.20), one byte beyond the frame at most.
fn inflate(bytes: &[u8], layout: &Layout) -> Result<Vec<u8>, Reject> {
    let most = Layout { shared: false, ..layout.clone() }.frame_bytes() as u64 + 2;
    let mut inflated = room(0)?;
    flate2::read::DeflateDecoder::new(bytes)
        .take(most)
        .read_to_end(&mut inflated)
        .map_err(|error| Reject::from_io(&error, "a deflated frame"))?;
    Ok(inflated)
}

/// The Extended Offset Table (7FE0,0001).
fn extended_table(object: &DataSet) -> Vec<u64> {
    let table = object.get(tags::EXTENDED_OFFSET_TABLE).and_then(|element| element.to_bytes().ok());
    table.map_or_else(Vec::new, |bytes| {
        let words = bytes.chunks_exact(8);
        words.map(|word| word.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))).collect()
    })
}

/// The first fragment of each frame, and one beyond the last; none where neither the fragments nor a table tell, or
/// where they tell of more frames than there are said to be.
fn starts(fragments: &[Vec<u8>], layout: &Layout, extended: Vec<u64>, basic: Vec<u64>) -> Option<Vec<usize>> {
    // Tables are often wrong, what a codestream starts with is not.
    let mut starts = by_marker(fragments, layout);
    let (count, frames) = (fragments.len(), layout.frames.unwrap_or(starts.len().max(1)));
    if frames == count {
        return Some((0..=count).collect());
    }
    if frames == 1 && starts.len() < 2 {
        starts = vec![0]; // an empty fragment may come first
    } else if starts.is_empty() {
        starts = [extended, basic].into_iter().find_map(|table| by_table(fragments, &table, frames))?;
    }
    if starts.len() != frames || starts.first() != Some(&0) {
        return None;
    }
    starts.push(count);
    Some(starts)
}

/// Frames by a table of offsets, each of which must be that of a fragment: of its item's header (PS3.5 A.4).
fn by_table(fragments: &[Vec<u8>], table: &[u64], frames: usize) -> Option<Vec<usize>> {
    let mut next = 0;
    let places: Vec<u64> = fragments
        .iter()
        .map(|fragment| {
            let place = next;
            next += fragment.len() as u64 + 8;
            place
        })
        .collect();
    let starts: Vec<usize> = table.iter().map(|offset| places.binary_search(offset).ok()).collect::<Option<_>>()?;
    let rising = starts.windows(2).all(|pair| pair[0] < pair[1]);
    (starts.len() == frames && starts.first() == Some(&0) && rising).then_some(starts)
}

/// The fragments that start as a codestream does.
fn by_marker(fragments: &[Vec<u8>], layout: &Layout) -> Vec<usize> {
    let segments = rle::segments(layout);
    let starts = |fragment: &[u8]| is_marked(fragment) || rle::is_frame(fragment, segments);
    (0..fragments.len()).filter(|&at| starts(&fragments[at])).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn offsets_must_be_those_of_fragments() {
        let fragments = [vec![0; 4], vec![0; 6], vec![0; 2]];
        assert_eq!(by_table(&fragments, &[0, 26], 2).unwrap(), [0, 2]);
        assert_eq!(by_table(&fragments, &[0, 12], 2).unwrap(), [0, 1]);
        for wrong in [&[0, 11][..], &[0], &[12, 26], &[0, 0], &[0, 12, 26]] {
            assert!(by_table(&fragments, wrong, 2).is_none(), "{wrong:?}");
        }
    }
}

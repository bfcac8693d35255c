//! JPEG pictures to grey: a coloured one's brightness, as Pillow's `convert("L")` gives it.
//!
//! The picture is taken as it is stored; an orientation in Exif does not turn it.

mod segments;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::format::{Format, Read as Done};
use crate::place::Place;
use crate::raster::{Raster, Scale, luminance};
use crate::reject::Reject;
use crate::series::Chosen;
use crate::settings::Settings;
use crate::slice::{Sink, Slice, Stop};
use segments::{Colours, Plain, plain, truncated};

/// JPEG.
pub(super) struct Jpeg;

/// Its first bytes.
const MAGIC: &[u8] = &[0xff, 0xd8, 0xff];

impl Format for Jpeg {
    fn name(&self) -> &'static str {
        "JPEG"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".jpg", ".jpeg"]
    }

    fn sniff(&self, head: &[u8]) -> bool {
        head.starts_with(MAGIC)
    }

    fn is_cut(&self, head: &[u8], _: bool) -> bool {
        head.len() > 1 && MAGIC.starts_with(head)
    }

    fn read(&self, place: &Place, _: &[Chosen], how: &Settings, sink: &mut Sink<'_>) -> Result<Done, Stop> {
        let raster = read(&place.whole(how.limit)?, how.limit)?;
        sink(Slice { raster, spacing: None, frame: 0, slice: 0 })?;
        Ok(Done::default())
    }
}

/// Decodes a JPEG of baseline, extended or progressive coding.
fn read(bytes: &[u8], limit: u64) -> Result<Raster, Reject> {
    let jpeg = plain(bytes)?;
    let pixels = u64::from(jpeg.width) * u64::from(jpeg.height);
    // Decoded bytes and the f32 values.
    Reject::if_larger(pixels * 8, limit, "the picture")?;
    let levels = grey(&jpeg, &jpeg.bytes);
    if !jpeg.ended && levels.is_none() {
        return Err(truncated());
    }
    let levels = levels.ok_or_else(|| Reject::unreadable("the JPEG is damaged: its data cannot be decoded"))?;
    if (!jpeg.ended || repeats_at_its_end(&jpeg, &levels)) && hangs_on_what_follows(&jpeg, &levels) {
        return Err(truncated());
    }
    Ok(Raster {
        width: u32::from(jpeg.width),
        height: u32::from(jpeg.height),
        values: levels.into_iter().map(f32::from).collect(),
        scale: Scale::default(),
        exact: true,
        window: None,
    })
}

/// The grey levels `[height * width]` that `bytes` decode to; none where they do not.
fn grey(jpeg: &Plain, bytes: &[u8]) -> Option<Vec<u8>> {
    let out = match jpeg.colours {
        Colours::Grey | Colours::Ycc => ColorSpace::Luma,
        Colours::Rgb | Colours::Cmyk | Colours::Ycck => ColorSpace::RGB,
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(out);
    let decoded = JpegDecoder::new_with_options(ZCursor::new(bytes), options).decode().ok()?;
    let levels = match out {
        ColorSpace::Luma => decoded,
        _ => decoded.chunks_exact(3).map(|rgb| luminance(rgb[0], rgb[1], rgb[2])).collect(),
    };
    (levels.len() == usize::from(jpeg.width) * usize::from(jpeg.height)).then_some(levels)
}

/// What may follow the data of a JPEG: unlike the zeros that the decoder takes where there is nothing.
const FOLLOWS: [u8; 64] = [0xb5; 64];

/// Whether other bytes after the data change the picture: then the data do not reach to its end, and the decoder has
/// made up what is missing.
fn hangs_on_what_follows(jpeg: &Plain, levels: &[u8]) -> bool {
    let (data, end) = jpeg.bytes.split_at(jpeg.bytes.len() - 2);
    grey(jpeg, &[data, &FOLLOWS, end].concat()).is_none_or(|other| other != levels)
}

/// Whether the last block looks like the one before it or one above it, as all do that the decoder has made up.
fn repeats_at_its_end(jpeg: &Plain, levels: &[u8]) -> bool {
    let (width, height) = (usize::from(jpeg.width), usize::from(jpeg.height));
    let (left, top) = ((width - 1) / 8 * 8, (height - 1) / 8 * 8);
    // The steps from the pixels `back` before those of the last block; none where these are outside.
    let steps = |back: usize| -> Vec<i16> {
        let rows = (top..height).flat_map(|row| row * width + left..(row + 1) * width);
        let step = |at: usize| match (levels[at], *levels.get(at.checked_sub(back)?)?) {
            // What is cut off at black or white says nothing.
            (0 | 255, _) | (_, 0 | 255) => None,
            (here, there) => Some(i16::from(here) - i16::from(there)),
        };
        rows.filter_map(step).collect()
    };
    // Blocks are 8 pixels high, or up to four of them.
    [8, 8 * width, 16 * width, 24 * width, 32 * width].into_iter().any(|back| {
        let steps = steps(back);
        let range = steps.iter().max().zip(steps.iter().min());
        range.is_none_or(|(most, least)| most - least <= 2)
    })
}

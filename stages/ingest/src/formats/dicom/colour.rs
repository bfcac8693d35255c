//! From colours to brightness, by the colour space that the samples are really in (PS3.3 C.7.6.3.1.2).

use super::layout::Layout;
use crate::raster::{luminance, luminance_wide};
use crate::reject::{Reason, Reject};

/// The colour space of decoded samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// Red, green, blue.
    Rgb,
    /// YBR_FULL: luminance and two differences of the whole range.
    Full,
    /// YBR_PARTIAL: black is 16, white 235 of 8 bits.
    Partial,
}

impl Colour {
    /// The one that a PhotometricInterpretation (0028,0004) names for samples that no codec has transformed. YBR_ICT and
    /// YBR_RCT name a transform of JPEG 2000 (C.7.6.3.1.2), which its decoder undoes: what it has not transformed is RGB.
    pub fn named(photometric: &str) -> Self {
        match photometric {
            "YBR_ICT" | "YBR_RCT" => Self::Rgb,
            name if name.starts_with("YBR_PARTIAL") => Self::Partial,
            name if name.starts_with("YBR") => Self::Full,
            _ => Self::Rgb,
        }
    }
}

/// The brightness of each pixel of a frame of three samples.
pub(super) fn brightness<'a>(layout: &'a Layout, bytes: &'a [u8], colour: Colour) -> impl Iterator<Item = f32> + 'a {
    let pixels = layout.pixels();
    let top = ((1_u64 << layout.stored) - 1) as f32;
    (0..pixels).map(move |pixel| {
        let places = if layout.shared {
            let pair = pixel / 2 * 4;
            [pair + pixel % 2, pair + 2, pair + 3]
        } else if layout.planar {
            [pixel, pixels + pixel, 2 * pixels + pixel]
        } else {
            [pixel * 3, pixel * 3 + 1, pixel * 3 + 2]
        };
        let samples = places.map(|place| layout.sample(bytes, place));
        let [red, green, blue] = match colour {
            Colour::Rgb => samples,
            Colour::Full | Colour::Partial => rgb(samples, colour, top),
        };
        if layout.stored <= 8 && !layout.signed {
            f32::from(luminance(red as u8, green as u8, blue as u8))
        } else {
            luminance_wide(red, green, blue)
        }
    })
}

/// Red, green and blue of luminance and differences, rounded and within 0 ..= `top` as pydicom's `convert_color_space`.
fn rgb([luminance, blue, red]: [f32; 3], colour: Colour, top: f32) -> [f32; 3] {
    let half = (top + 1.0) / 2.0;
    let (blue, red) = (blue - half, red - half);
    // C.7.6.3.1.2 squeezes luminance into 219 of 255 steps and differences into 224 of them.
    let (luminance, blue, red) = if colour == Colour::Partial {
        ((luminance - 16.0 / 255.0 * top) * (255.0 / 219.0), blue * (255.0 / 224.0), red * (255.0 / 224.0))
    } else {
        (luminance, blue, red)
    };
    const GREEN: [f32; 2] = [-0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587];
    [luminance + 1.402 * red, luminance + GREEN[0] * blue + GREEN[1] * red, luminance + 1.772 * blue]
        .map(|sample| (sample + 0.5).floor().clamp(0.0, top))
}

/// A frame after decompression.
pub(super) struct Decoded {
    /// Samples, little endian.
    pub bytes: Vec<u8>,
    /// How they lie.
    pub layout: Layout,
    /// What three of them are.
    pub colour: Colour,
}

impl Decoded {
    /// A frame whose bytes are exactly those of its layout.
    pub fn new(bytes: Vec<u8>, layout: Layout, colour: Colour) -> Result<Self, Reject> {
        let said = layout.frame_bytes();
        if bytes.len() == said {
            return Ok(Self { bytes, layout, colour });
        }
        let message = format!("a frame that decodes to {} bytes where {said} are said", bytes.len());
        Err(Reject::new(if bytes.len() < said { Reason::Truncated } else { Reason::Unreadable }, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_standard() {
        // pydicom.pixels.convert_color_space of (81, 90, 240), (145, 54, 34), (200, 10, 250) from YBR_FULL to RGB
        assert_eq!(rgb([81.0, 90.0, 240.0], Colour::Full, 255.0), [238.0, 14.0, 14.0]);
        assert_eq!(rgb([145.0, 54.0, 34.0], Colour::Full, 255.0), [13.0, 238.0, 14.0]);
        assert_eq!(rgb([200.0, 10.0, 250.0], Colour::Full, 255.0), [255.0, 153.0, 0.0]);
        // BT.601: the same red and green with black at 16 and white at 235, as the standard's example has them
        assert_eq!(
            rgb([81.0, 90.0, 240.0], Colour::Partial, 255.0).map(|sample| (sample / 8.0).round()),
            [32.0, 0.0, 0.0]
        );
        assert_eq!(rgb([235.0, 128.0, 128.0], Colour::Partial, 255.0), [255.0; 3]);
        assert_eq!(rgb([16.0, 128.0, 128.0], Colour::Partial, 255.0), [0.0; 3]);
    }

    #[test]
    fn what_no_codec_has_transformed_is_what_it_is_named() {
        assert_eq!(Colour::named("YBR_FULL_422"), Colour::Full);
        assert_eq!(Colour::named("YBR_PARTIAL_420"), Colour::Partial);
        for name in ["RGB", "YBR_RCT", "YBR_ICT", "MONOCHROME2"] {
            assert_eq!(Colour::named(name), Colour::Rgb, "{name}");
        }
    }
}

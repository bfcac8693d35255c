//! A whole PNG of the data set as 16-bit values, so that the page can set window and level itself.

use std::io::BufReader;
use std::path::Path;

use png::{BitDepth, ColorType};

/// Pixels of an image at most: what a browser draws without trouble.
const MOST: usize = 1 << 26;

/// A grey image `[height, width]`.
#[derive(Debug)]
pub(crate) struct Grey {
    /// Columns.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// Values, 0 to 65,535; those of 8 bits are spread over that.
    pub(crate) values: Vec<u16>,
}

/// Reads one.
///
/// # Errors
/// In words, when it is absent, too large, or no grey PNG.
pub(crate) fn read(path: &Path) -> Result<Grey, String> {
    let file = BufReader::new(fs_err::File::open(path).map_err(|error| error.to_string())?);
    let mut reader = png::Decoder::new(file).read_info().map_err(|error| error.to_string())?;
    let (color, depth) = reader.output_color_type();
    let size = reader.output_buffer_size().filter(|size| *size <= 2 * MOST).ok_or("the image is too large")?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes).map_err(|error| error.to_string())?;
    let values = match (color, depth) {
        (ColorType::Grayscale, BitDepth::Eight) => bytes.iter().map(|&byte| u16::from(byte) * 257).collect(),
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        }
        _ => return Err(format!("expected a grey PNG of 8 or 16 bits, found {color:?} of {depth:?} bits")),
    };
    Ok(Grey { width: info.width, height: info.height, values })
}

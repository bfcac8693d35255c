//! The images of a dataset, resized once to the side that batches are cut from: `[n, side, side]` in 8 bits.
//!
//! An image is squashed to a square, as the paper resizes it. The `pack` stage does so once for a run, and its table is
//! mapped; without it a dataset that fits is held in memory, and a larger one is read image by image as it is needed.
//! All three give the same pixels.

use std::borrow::Cow;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use deepmcat_schemas::pixels::PixelTable;
use deepmcat_schemas::{ARROW_PART_0, ImageId};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U16};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use png::{BitDepth, ColorType};
use rayon::prelude::*;

use crate::Error;

/// Images up to this many bytes are held in memory.
const HELD_IN_MEMORY: usize = 4 << 30;

/// Images of a dataset, by their row in the list that they were opened from.
#[derive(Debug)]
pub struct Images {
    side: usize,
    count: usize,
    source: Source,
}

/// Where the pixels are.
#[derive(Debug)]
enum Source {
    /// In these rows of a pixel table.
    Mapped(PixelTable, Vec<usize>),
    /// In memory.
    Held(Vec<u8>),
    /// In PNGs that are read as they are needed.
    Files(Vec<PathBuf>),
}

/// The side from which crops of `input` pixels are sampled: a third more, so that a crop still has its detail.
#[must_use]
pub fn load_side(input: u32) -> usize {
    (input as usize * 4).div_ceil(3)
}

impl Images {
    /// Opens the images at `paths` (a manifest's) of `dataset`, `side` pixels square.
    ///
    /// # Errors
    /// When an image is absent or no grey PNG of 8 or 16 bits.
    pub fn open(dataset: &Path, paths: &[String], side: usize) -> Result<Self, Error> {
        Self::open_within(dataset, paths, side, HELD_IN_MEMORY)
    }

    /// The images of a data set as stages read them, at the size for crops of `input` pixels: from the pixel table in
    /// `pixels` where there is one, else from their PNGs.
    ///
    /// # Errors
    /// As [`Self::map`] and [`Self::open`].
    pub fn load(
        dataset: &Path,
        pixels: Option<&Path>,
        (ids, paths): (&[ImageId], &[String]),
        input: u32,
    ) -> Result<Self, Error> {
        let side = load_side(input);
        match pixels {
            Some(pixels) => Self::map(pixels, ids, side),
            None => Self::open(dataset, paths, side),
        }
    }

    fn open_within(dataset: &Path, paths: &[String], side: usize, memory: usize) -> Result<Self, Error> {
        let source = if paths.len().saturating_mul(side * side) > memory {
            Source::Files(paths.iter().map(|path| dataset.join(path)).collect())
        } else {
            Source::Held(Self::decode(dataset, paths, side)?)
        };
        Ok(Self { side, count: paths.len(), source })
    }

    /// Decodes images in parallel: their pixels `[n, side, side]`.
    ///
    /// # Errors
    /// When an image is absent or no grey PNG of 8 or 16 bits.
    pub fn decode(dataset: &Path, paths: &[String], side: usize) -> Result<Vec<u8>, Error> {
        let size = side * side;
        let mut pixels = vec![0; paths.len() * size];
        pixels.par_chunks_exact_mut(size).zip(paths).try_for_each_init(Resizer::new, |resizer, (pixels, path)| {
            pixels.copy_from_slice(&read(&dataset.join(path), side, resizer)?);
            Ok::<(), Error>(())
        })?;
        Ok(pixels)
    }

    /// The images `ids` of the pixel table in `folder`, `side` pixels square.
    ///
    /// # Errors
    /// When the table is absent or damaged, of another size, or of other images.
    pub fn map(folder: &Path, ids: &[ImageId], side: usize) -> Result<Self, Error> {
        let path = folder.join(ARROW_PART_0);
        let table = PixelTable::open(&path)?;
        let other = |reason: String| Error::OtherPixels { path: path.clone(), reason };
        if table.side() != side {
            return Err(other(format!(
                "holds images of {0} x {0} pixels, network.input asks for {side}",
                table.side()
            )));
        }
        // Ids are dense from 0, in the manifest's order.
        let rows: Vec<usize> = ids.iter().map(|id| id.0 as usize).collect();
        if !ids.iter().zip(&rows).all(|(id, &row)| table.image_id(row) == Some(*id)) {
            return Err(other("holds other images than the data set".to_owned()));
        }
        Ok(Self { side, count: ids.len(), source: Source::Mapped(table, rows) })
    }

    /// The side of an image in pixels.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True where there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The pixels `[side, side]` of row `row`, which must be below [`Images::len`].
    ///
    /// # Errors
    /// When the image has to be read and cannot be.
    pub fn pixels(&self, row: usize) -> Result<Cow<'_, [u8]>, Error> {
        let size = self.side * self.side;
        match &self.source {
            // Rows were compared with the table when it was opened.
            Source::Mapped(table, rows) => Ok(Cow::Borrowed(table.pixels(rows[row]).unwrap_or_default())),
            Source::Held(pixels) => Ok(Cow::Borrowed(&pixels[row * size..(row + 1) * size])),
            Source::Files(paths) => read(&paths[row], self.side, &mut Resizer::new()).map(Cow::Owned),
        }
    }
}

/// Reads a PNG and resizes it to `side` x `side`, antialiased.
fn read(path: &Path, side: usize, resizer: &mut Resizer) -> Result<Vec<u8>, Error> {
    let bad = |reason: String| Error::Image { path: path.to_owned(), reason };
    let file = BufReader::new(fs_err::File::open(path)?);
    let mut reader = png::Decoder::new(file).read_info().map_err(|error| bad(error.to_string()))?;
    let (color, depth) = reader.output_color_type();
    if color != ColorType::Grayscale || !matches!(depth, BitDepth::Eight | BitDepth::Sixteen) {
        return Err(bad(format!("expected a grey PNG of 8 or 16 bits, found {color:?} of {depth:?} bits")));
    }
    let size = reader.output_buffer_size().ok_or_else(|| bad("the image is too large".to_owned()))?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes).map_err(|error| bad(error.to_string()))?;
    let resize_error = |error: &dyn std::error::Error| bad(error.to_string());
    let from = [info.width, info.height];
    if depth == BitDepth::Eight {
        let pixels: Vec<U8> = bytes.into_iter().map(U8::new).collect();
        let resized = resized(&pixels, from, side, resizer).map_err(|error| resize_error(&*error))?;
        return Ok(resized.into_iter().map(|pixel| pixel.0).collect());
    }
    let pixels: Vec<U16> = bytes.chunks_exact(2).map(|pair| U16::new(u16::from_be_bytes([pair[0], pair[1]]))).collect();
    let resized = resized(&pixels, from, side, resizer).map_err(|error| resize_error(&*error))?;
    Ok(resized.into_iter().map(|pixel| ((u32::from(pixel.0) + 128) / 257) as u8).collect())
}

/// Pixels `[height, width]` as `[side, side]`, under a triangle filter as wide as a target pixel: what PIL and
/// torchvision call antialiased bilinear.
///
/// Typed, since a resizer that is told the type of pixel at run time compiles for all thirteen, which takes minutes.
fn resized<P: PixelTrait + Default>(
    pixels: &[P],
    [width, height]: [u32; 2],
    side: usize,
    resizer: &mut Resizer,
) -> Result<Vec<P>, Box<dyn std::error::Error>> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    let source = TypedImageRef::new(width, height, pixels)?;
    let mut target = vec![P::default(); side * side];
    let to = u32::try_from(side)?;
    let mut image = TypedImage::from_pixels_slice(to, to, &mut target)?;
    resizer.resize_typed(&source, &mut image, &options)?;
    Ok(target)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::Stamp;
    use std::io::Write;

    /// A dataset of one PNG of `width` x `height` with the given bytes.
    fn dataset(
        folder: &Path,
        (width, height): (u32, u32),
        depth: BitDepth,
        color: ColorType,
        bytes: &[u8],
    ) -> Vec<String> {
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        encoder.write_header().unwrap().write_image_data(bytes).unwrap();
        deepmcat_schemas::files::write_atomic(&folder.join("a.png"), |file| file.write_all(&png)).unwrap();
        vec!["a.png".to_owned()]
    }

    #[test]
    fn eight_and_sixteen_bits_give_the_same_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let narrow: Vec<u8> = (0..96 * 60).map(|i| (i * 7 % 256) as u8).collect();
        let wide: Vec<u8> = narrow.iter().flat_map(|&v| [v, v]).collect();
        let paths = dataset(folder.path(), (96, 60), BitDepth::Eight, ColorType::Grayscale, &narrow);
        let one = Images::open(folder.path(), &paths, 64).unwrap().pixels(0).unwrap().into_owned();
        let paths = dataset(folder.path(), (96, 60), BitDepth::Sixteen, ColorType::Grayscale, &wide);
        let two = Images::open(folder.path(), &paths, 64).unwrap().pixels(0).unwrap().into_owned();
        assert_eq!(one.len(), 64 * 64);
        assert!(one.iter().zip(&two).all(|(a, b)| a.abs_diff(*b) <= 1));
    }

    #[test]
    fn resizing_is_antialiased() {
        let folder = tempfile::tempdir().unwrap();
        let stripes: Vec<u8> = (0..128 * 128).map(|i| if i % 2 == 0 { 0 } else { 255 }).collect();
        let paths = dataset(folder.path(), (128, 128), BitDepth::Eight, ColorType::Grayscale, &stripes);
        let images = Images::open(folder.path(), &paths, 32).unwrap();
        assert!(images.pixels(0).unwrap().iter().all(|&pixel| (96..160).contains(&pixel)));
    }

    #[test]
    fn images_read_at_need_are_those_held_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..40 * 40).map(|i| (i % 251) as u8).collect();
        let paths = dataset(folder.path(), (40, 40), BitDepth::Eight, ColorType::Grayscale, &bytes);
        let held = Images::open(folder.path(), &paths, 24).unwrap();
        let unheld = Images::open_within(folder.path(), &paths, 24, 10).unwrap();
        assert!(matches!((&held.source, &unheld.source), (Source::Held(_), Source::Files(_))));
        assert_eq!(held.pixels(0).unwrap(), unheld.pixels(0).unwrap());
        let batch = Ok::<_, Error>((vec![ImageId(0)], held.pixels(0).unwrap().into_owned()));
        let table = folder.path().join("pixels");
        deepmcat_schemas::pixels::write(&table.join(ARROW_PART_0), 24, [batch], &Stamp::default()).unwrap();
        let mapped = Images::map(&table, &[ImageId(0)], 24).unwrap();
        assert_eq!((mapped.pixels(0).unwrap(), mapped.len()), (held.pixels(0).unwrap(), 1));
        let error = Images::map(&table, &[ImageId(0)], 32).unwrap_err().to_string();
        assert!(error.contains("24 x 24") && error.contains("hint:"), "{error}");
        assert!(matches!(Images::map(&table, &[ImageId(1)], 24), Err(Error::OtherPixels { .. })));
    }

    #[test]
    fn what_is_no_grey_png_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let paths = dataset(folder.path(), (4, 4), BitDepth::Eight, ColorType::Rgb, &[0; 48]);
        let error = Images::open(folder.path(), &paths, 32).unwrap_err().to_string();
        assert!(error.contains("a.png") && error.contains("Rgb"), "{error}");
        deepmcat_schemas::files::write_atomic(&folder.path().join("a.png"), |file| file.write_all(b"GIF89a")).unwrap();
        let error = Images::open(folder.path(), &paths, 32).unwrap_err();
        assert!(matches!(error, Error::Image { .. }), "{error}");
    }

    #[test]
    fn crops_are_cut_from_a_third_more() {
        assert_eq!([load_side(48), load_side(224), load_side(32)], [64, 299, 43]);
    }
}

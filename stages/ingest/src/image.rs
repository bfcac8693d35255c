//! One image on its way into the tables.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepmcat_schemas::FileStat;

use crate::flags::{DUPLICATE, Flags};
use crate::slice::Identity;

/// One image on its way into the tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// Number of the input file.
    pub input: u32,
    /// Frame in the source file.
    pub frame: u32,
    /// Slice in its series.
    pub slice: u32,
    /// Key of the image.
    pub key: u64,
    /// Hash of the PNG's size and pixels.
    pub pixels: u64,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Distance of columns and rows in mm.
    pub spacing: Option<(f32, f32)>,
    /// Intensities that are black and white.
    pub window: (f32, f32),
    /// dicom, nifti or image.
    pub format: &'static str,
    /// Class.
    pub label: Option<Arc<String>>,
    /// Keyed hash of the subject, where something says which it is.
    pub subject: Option<u64>,
    /// Keyed hash of the series.
    pub series: u64,
    /// What is odd about it.
    pub flags: Flags,
    /// For the sources table, but for the next.
    pub identity: Arc<Identity>,
    /// SOPInstanceUID (0008,0018).
    pub object: Option<Box<str>>,
    /// Bytes of the PNG.
    pub png: u64,
}

impl Row {
    /// The PNG below the data set: 256 folders, so that none grows too long.
    pub fn relative(&self) -> String {
        format!("{IMAGES}/{:02x}/{:016x}.png", self.key >> 56, self.key)
    }

    /// Its PNG below the data set or the partial folder.
    pub fn png_in(&self, folder: &Path) -> PathBuf {
        folder.join(self.relative())
    }

    /// Looks at its PNG below `folder`: when it was last changed, in nanoseconds since 1970; none where it is not there.
    pub fn look_in(&mut self, folder: &Path) -> Option<u64> {
        let stat = FileStat::of(&self.png_in(folder)).ok()?;
        self.png = stat.bytes;
        Some(stat.modified)
    }
}

/// Hash of the sizes of an input's PNGs: tells whether one was cut short.
pub(crate) fn written<'a>(rows: impl Iterator<Item = &'a Row>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for row in rows {
        hasher.update(&row.png.to_le_bytes());
    }
    let hash = hasher.finalize();
    u64::from_le_bytes(std::array::from_fn(|byte| hash.as_bytes()[byte]))
}

/// Where the images of a data set are.
pub(crate) const IMAGES: &str = "images";

/// Flags every image whose pixels an earlier one has, and no other. Two that look alike under windows of their own (all
/// blank images do) are the same only where these windows are.
pub(crate) fn mark_duplicates(rows: &mut [Row]) {
    let mut seen = HashSet::with_capacity(rows.len());
    for row in rows {
        let (low, high) = row.window;
        let new = seen.insert((row.pixels, low.to_bits(), high.to_bits()));
        row.flags.set(DUPLICATE, !new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_pixels_under_the_same_window_are_a_duplicate() {
        let pixels = |pixels| Row { pixels, ..Row::default() };
        let mut rows = [1, 2, 1, 1].map(pixels);
        mark_duplicates(&mut rows);
        assert_eq!(rows.map(|row| row.flags.names().count()), [0, 0, 1, 1]);
        let blank = |window| Row { pixels: 1, window, ..Row::default() };
        let mut rows = [(0.0, 0.0), (7.0, 7.0), (0.0, 0.0)].map(blank);
        mark_duplicates(&mut rows);
        assert_eq!(rows.map(|row| row.flags.names().count()), [0, 0, 1]);
    }
}

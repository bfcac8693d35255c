//! The pixel table: every image at the size that training cuts its views from, decoded and resized once.
//!
//! An Arrow IPC file of record batches of [`BATCH`] images, memory-mapped: neither the writer nor a reader holds it.

use std::path::Path;
use std::sync::Arc;

use arrow_array::UInt8Array;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt8Type;
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;

use crate::mapped::{self, Kind};
use crate::{ImageId, SchemaError, Stamp};

/// The table's name: its folder in a run.
pub const NAME: &str = "pixels";
/// Version of the schema.
pub const VERSION: u32 = 1;
/// What a row is.
pub const DOC: &str =
    "One row for each image, in the manifest's order: its pixels, resized to a square. Arrow IPC, not Parquet.";
/// Images of a record batch; the last may hold fewer.
pub const BATCH: usize = 1024;

const KIND: Kind = Kind { name: NAME, version: VERSION, column: "pixels", expected: "FixedSizeList(UInt8)" };

/// Writes a pixel table atomically: batches of [`BATCH`] images, ids `[n]` and pixels `[n * side * side]`.
///
/// # Errors
/// The first error of a batch, in which case nothing is written; or when the file cannot be written.
pub fn write<E: From<SchemaError>>(
    path: &Path,
    side: usize,
    batches: impl IntoIterator<Item = Result<(Vec<ImageId>, Vec<u8>), E>>,
    stamp: &Stamp,
) -> Result<(), E> {
    let batches = batches.into_iter().map(|batch| {
        let (ids, pixels) = batch?;
        Ok((ids, Arc::new(UInt8Array::from(pixels)) as _))
    });
    mapped::write(path, KIND, (DataType::UInt8, side * side), batches, stamp)
}

/// A memory-mapped pixel table `[n, side, side]`.
#[derive(Debug)]
pub struct PixelTable {
    batches: Vec<(ScalarBuffer<u32>, ScalarBuffer<u8>)>,
    size: usize,
}

impl PixelTable {
    /// Maps a pixel table. No pixel is copied or read yet.
    ///
    /// # Errors
    /// When the file is absent, damaged, or not a pixel table of this version.
    pub fn open(path: &Path) -> Result<Self, SchemaError> {
        let table = mapped::open(path, KIND)?;
        let last = table.batches.len().saturating_sub(1);
        let mut batches = Vec::new();
        for (number, (ids, list)) in table.batches.into_iter().enumerate() {
            let Some(pixels) = list.values().as_primitive_opt::<UInt8Type>() else {
                return Err(mapped::wrong(path, KIND, KIND.column, KIND.expected, &list));
            };
            if number < last && ids.len() != BATCH {
                let reason = format!("record batch {number} holds {} images, expected {BATCH}", ids.len());
                return Err(SchemaError::unreadable(path, "Arrow IPC", reason));
            }
            batches.push((ids, pixels.values().clone()));
        }
        Ok(Self { batches, size: table.width })
    }

    /// The number of images, n.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batches.iter().map(|(ids, _)| ids.len()).sum()
    }

    /// True for a table without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The side of an image in pixels.
    #[must_use]
    pub fn side(&self) -> usize {
        self.size.isqrt()
    }

    /// The image of a row; none beyond the last.
    #[must_use]
    pub fn image_id(&self, row: usize) -> Option<ImageId> {
        self.batches.get(row / BATCH)?.0.get(row % BATCH).copied().map(ImageId)
    }

    /// The pixels `[side * side]` of a row, borrowed from the map; none beyond the last.
    #[must_use]
    pub fn pixels(&self, row: usize) -> Option<&[u8]> {
        let start = row % BATCH * self.size;
        self.batches.get(row / BATCH)?.1.get(start..start + self.size)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_batch_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pixels/part-0.arrow");
        let rows: Vec<u32> = (0..BATCH as u32 + 3).collect();
        let batch = |ids: &[u32]| -> Result<_, SchemaError> {
            let pixels = ids.iter().flat_map(|id| [*id as u8; 4]).collect();
            Ok((ids.iter().copied().map(ImageId).collect(), pixels))
        };
        write(&path, 2, rows.chunks(BATCH).map(batch), &Stamp::default()).unwrap();
        let table = PixelTable::open(&path).unwrap();
        assert_eq!((table.len(), table.side()), (rows.len(), 2));
        let last = BATCH + 2;
        assert_eq!((table.image_id(last), table.pixels(last)), (Some(ImageId(last as u32)), Some(&[2; 4][..])));
        assert_eq!((table.image_id(last + 1), table.pixels(last + 1)), (None, None));
    }

    #[test]
    fn a_batch_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pixels/part-0.arrow");
        let good = Ok((vec![ImageId(0)], vec![0; 4]));
        let short = Ok((vec![ImageId(1)], vec![0; 3]));
        let error = write::<SchemaError>(&path, 2, [good, short], &Stamp::default()).unwrap_err();
        assert!(error.to_string().contains("3 values where 4 are expected"), "{error}");
        assert!(!path.exists() && !folder.path().join(".tmp").exists());
    }
}

//! Feature tables: Arrow IPC files of one uncompressed record batch, memory-mapped rather than read.
//!
//! Columns: `image_id` (u32) and `features`, a FixedSizeList of f32 or f16 with `d` items. At paper size one
//! table is gigabytes; a reader touches only the pages it uses and holds no copy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type};
use arrow_array::{ArrayRef, Float16Array, Float32Array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;
use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::mapped::{self, Kind};
use crate::{ImageId, SchemaError, Stamp};

const KIND: Kind =
    Kind { name: NAME, version: VERSION, column: "features", expected: "FixedSizeList(Float32 | Float16)" };

/// The table's name: its folder in a run.
pub const NAME: &str = "features";
/// Version of the schema.
pub const VERSION: u32 = 1;
/// What a row is.
pub const DOC: &str = "One row for each image: its l2-normalised feature vector at this epoch. Arrow IPC, not Parquet.";

/// Feature values `[n * d]`, row-major.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Half precision: half the disk and memory.
    F16(&'a [f16]),
}

impl Values<'_> {
    /// The number of values, n * d.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }

    /// True where there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies a row to `target` `[d]`.
    pub fn read(&self, row: usize, target: &mut [f32]) {
        let values = row * target.len()..(row + 1) * target.len();
        match self {
            Self::F32(all) => target.copy_from_slice(&all[values]),
            Self::F16(all) => all[values].convert_to_f32_slice(target),
        }
    }
}

/// Feature values `[n * d]` that a table takes over: what is written may be most of the memory that there is, and is not
/// copied.
#[derive(Debug, Clone, PartialEq)]
pub enum Owned {
    /// Single precision.
    F32(ScalarBuffer<f32>),
    /// Half precision.
    F16(ScalarBuffer<f16>),
}

impl Owned {
    /// Values of a file from byte `from` on, little-endian and in the given precision: not read but mapped. Nobody may change
    /// the file while they are there.
    ///
    /// # Errors
    /// When the file is shorter or cannot be mapped.
    pub fn map(file: &std::fs::File, from: usize, count: usize, float16: bool) -> std::io::Result<Self> {
        let bytes = count * if float16 { 2 } else { 4 };
        let map = mapped::map(file)?;
        if map.len() < from + bytes {
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "a file of features is cut short"));
        }
        let part = map.slice_with_length(from, bytes);
        Ok(if float16 { Self::F16(ScalarBuffer::from(part)) } else { Self::F32(ScalarBuffer::from(part)) })
    }

    /// The values, borrowed.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        match self {
            Self::F32(values) => Values::F32(values),
            Self::F16(values) => Values::F16(values),
        }
    }
}

impl From<Vec<f32>> for Owned {
    fn from(values: Vec<f32>) -> Self {
        Self::F32(values.into())
    }
}

/// A copy.
impl From<Values<'_>> for Owned {
    fn from(values: Values<'_>) -> Self {
        match values {
            Values::F32(values) => Self::F32(values.to_vec().into()),
            Values::F16(values) => Self::F16(values.to_vec().into()),
        }
    }
}

/// Writes a feature table atomically: `ids` `[n]`, `values` `[n, d]`.
///
/// # Errors
/// When `values` does not hold n * d values or the file cannot be written.
pub fn write(
    path: &Path,
    ids: &[ImageId],
    dimensions: usize,
    values: impl Into<Owned>,
    stamp: &Stamp,
) -> Result<(), SchemaError> {
    let (data_type, items): (DataType, ArrayRef) = match values.into() {
        Owned::F32(values) => (DataType::Float32, Arc::new(Float32Array::new(values, None))),
        Owned::F16(values) => (DataType::Float16, Arc::new(Float16Array::new(values, None))),
    };
    mapped::write(path, KIND, (data_type, dimensions), [Ok((ids.to_vec(), items))], stamp)
}

/// Writes features as [`write()`] does, in half precision where that is asked for.
///
/// # Errors
/// When `values` does not hold n * d values or the file cannot be written.
pub fn write_as(
    path: &Path,
    ids: &[ImageId],
    dimensions: usize,
    values: Vec<f32>,
    float16: bool,
    stamp: &Stamp,
) -> Result<(), SchemaError> {
    if !float16 {
        return write(path, ids, dimensions, values, stamp);
    }
    let mut halves = vec![f16::ZERO; values.len()];
    halves.convert_from_f32_slice(&values);
    drop(values);
    write(path, ids, dimensions, Owned::F16(halves.into()), stamp)
}

/// Scales every row of `[n, d]` to length 1; a row of zeros stays as it is.
///
/// # Errors
/// With the number of the row, when a value is not finite.
pub fn normalise(features: &mut [f32], dimensions: usize) -> Result<(), usize> {
    for (row, feature) in features.chunks_exact_mut(dimensions.max(1)).enumerate() {
        let length = feature.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Err(row);
        }
        if length > 0.0 {
            feature.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        }
    }
    Ok(())
}

/// A memory-mapped feature table `[n, d]`.
#[derive(Debug)]
pub struct FeatureTable {
    ids: ScalarBuffer<u32>,
    values: Owned,
    dimensions: usize,
    stamp: Stamp,
}

impl FeatureTable {
    /// Maps a feature table. No value is copied or read yet.
    ///
    /// # Errors
    /// When the file is absent, damaged, or not a feature table of this version.
    pub fn open(path: &Path) -> Result<Self, SchemaError> {
        let table = mapped::open(path, KIND)?;
        let [(ids, list)] = &table.batches[..] else {
            let reason = format!("{} record batches, expected one", table.batches.len());
            return Err(SchemaError::unreadable(path, "Arrow IPC", reason));
        };
        let values = if let Some(values) = list.values().as_primitive_opt::<Float32Type>() {
            Owned::F32(values.values().clone())
        } else if let Some(values) = list.values().as_primitive_opt::<Float16Type>() {
            Owned::F16(values.values().clone())
        } else {
            return Err(mapped::wrong(path, KIND, KIND.column, KIND.expected, list));
        };
        Ok(Self { ids: ids.clone(), values, dimensions: table.width, stamp: table.stamp })
    }

    /// The number of images, n.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True for a table without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The width of a feature vector, d.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The images `[n]`.
    #[must_use]
    pub fn image_ids(&self) -> &[u32] {
        &self.ids
    }

    /// The features `[n * d]`, row-major, borrowed from the map.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        self.values.values()
    }

    /// Who wrote the table.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

/// The path of a part of a feature table folder, counted from 0.
#[must_use]
pub fn part(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("part-{number}.arrow"))
}

/// `part-0.arrow`, `part-1.arrow` ... of a feature table folder, in the order of their numbers.
///
/// # Errors
/// When the folder cannot be listed or holds no part.
pub fn parts(folder: &Path) -> Result<Vec<PathBuf>, SchemaError> {
    let mut parts: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        parts.extend(part_number(&path).map(|number| (number, path)));
    }
    if parts.is_empty() {
        return Err(SchemaError::NoParts { path: folder.to_owned(), table: NAME });
    }
    parts.sort();
    Ok(parts.into_iter().map(|(_, path)| path).collect())
}

/// The N of `part-N.arrow`.
fn part_number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("part-")?.strip_suffix(".arrow")?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ids() -> Vec<ImageId> {
        (0..3).map(ImageId).collect()
    }

    #[test]
    fn features_read_back_in_both_precisions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features/epoch=0/part-0.arrow");
        let stamp = Stamp { stage: "embed".into(), ..Stamp::default() };
        let values: Vec<f32> = (0..6).map(|value| value as f32 / 4.0).collect();
        write(&path, &ids(), 2, Values::F32(&values), &stamp).unwrap();
        let table = FeatureTable::open(&path).unwrap();
        assert_eq!((table.len(), table.dimensions(), table.image_ids()), (3, 2, &[0, 1, 2][..]));
        assert!(matches!(table.values(), Values::F32(read) if read == values));
        assert_eq!(table.stamp(), &stamp);

        let halves: Vec<f16> = values.iter().map(|&value| f16::from_f32(value)).collect();
        write(&path, &ids(), 2, Values::F16(&halves), &stamp).unwrap();
        assert!(matches!(FeatureTable::open(&path).unwrap().values(), Values::F16(read) if read == halves));
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f/part-0.arrow");
        write(&path, &ids(), 2, Values::F32(&[0.0; 6]), &Stamp::default()).unwrap();
        let whole = fs_err::read(&path).unwrap();
        for length in [0, 5, 10, whole.len() / 2, whole.len() - 1] {
            fs_err::write(&path, &whole[..length]).unwrap();
            assert!(FeatureTable::open(&path).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn a_wrong_number_of_values_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f/part-0.arrow");
        assert!(write(&path, &ids(), 2, Values::F32(&[0.0; 5]), &Stamp::default()).is_err());
    }
}

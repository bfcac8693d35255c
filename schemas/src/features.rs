//! Feature tables: Arrow IPC files of one uncompressed record batch, memory-mapped rather than read.
//!
//! Columns: `image_id` (u32) and `features`, a FixedSizeList of f32 or f16 with `d` items. At paper size one
//! table is gigabytes; a reader touches only the pages it uses and holds no copy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float16Array, Float32Array, RecordBatch, UInt32Array};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::writer::FileWriter;
use arrow_ipc::{Block, root_as_footer};
use arrow_schema::{DataType, Field, Schema};
use fs_err::File;
use half::f16;

use crate::stamp::{SCHEMA_VERSION, TABLE};
use crate::{ImageId, SchemaError, Stamp, files};

/// The table's name: its folder in a run.
pub const NAME: &str = "features";
/// Version of the schema.
pub const VERSION: u32 = 1;
/// What a row is.
pub const DOC: &str = "One row an image: its l2-normalised feature vector at this epoch. Arrow IPC, not Parquet.";

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
}

/// Writes a feature table atomically: `ids` `[n]`, `values` `[n, d]`.
///
/// # Errors
/// When `values` does not hold n * d values or the file cannot be written.
pub fn write(
    path: &Path,
    ids: &[ImageId],
    dimensions: usize,
    values: Values<'_>,
    stamp: &Stamp,
) -> Result<(), SchemaError> {
    let bad = |reason: String| SchemaError::BadRows { path: path.to_owned(), table: NAME, reason };
    if values.len() != ids.len() * dimensions {
        return Err(bad(format!("{} values for {} images of {dimensions} dimensions", values.len(), ids.len())));
    }
    let (data_type, items): (DataType, ArrayRef) = match values {
        Values::F32(values) => (DataType::Float32, Arc::new(Float32Array::from(values.to_vec()))),
        Values::F16(values) => (DataType::Float16, Arc::new(Float16Array::from(values.to_vec()))),
    };
    let item = Arc::new(Field::new("item", data_type, false));
    let width = i32::try_from(dimensions).map_err(|e| bad(e.to_string()))?;
    let features =
        FixedSizeListArray::try_new(Arc::clone(&item), width, items, None).map_err(|e| bad(e.to_string()))?;
    let schema = Schema::new_with_metadata(
        vec![
            Field::new("image_id", DataType::UInt32, false),
            Field::new("features", DataType::FixedSizeList(item, width), false),
        ],
        stamp.metadata(NAME, VERSION),
    );
    let schema = Arc::new(schema);
    let ids: ArrayRef = Arc::new(UInt32Array::from_iter_values(ids.iter().map(|id| id.0)));
    let batch =
        RecordBatch::try_new(Arc::clone(&schema), vec![ids, Arc::new(features)]).map_err(|e| bad(e.to_string()))?;
    files::write_atomic(path, |file| {
        let buffered = std::io::BufWriter::with_capacity(1 << 20, file);
        let mut writer = FileWriter::try_new(buffered, &schema).map_err(std::io::Error::other)?;
        writer.write(&batch).map_err(std::io::Error::other)?;
        writer.finish().map_err(std::io::Error::other)
    })
}

/// A memory-mapped feature table `[n, d]`.
#[derive(Debug)]
pub struct FeatureTable {
    ids: ScalarBuffer<u32>,
    values: Mapped,
    dimensions: usize,
    stamp: Stamp,
}

#[derive(Debug)]
enum Mapped {
    F32(ScalarBuffer<f32>),
    F16(ScalarBuffer<f16>),
}

impl FeatureTable {
    /// Maps a feature table. No value is copied or read yet.
    ///
    /// # Errors
    /// When the file is absent, damaged, or not a feature table of this version.
    pub fn open(path: &Path) -> Result<Self, SchemaError> {
        let file = File::open(path)?;
        // SAFETY: tables are written under another name and renamed, and never changed in place, so the mapped
        // file does not change under the map.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(file.file()) }?;
        let buffer = Buffer::from(bytes::Bytes::from_owner(map));
        let (schema, batch) = decode(&buffer).map_err(|error| SchemaError::unreadable(path, "Arrow IPC", error))?;
        let found = (schema.metadata.get(TABLE), schema.metadata.get(SCHEMA_VERSION));
        if found != (Some(&NAME.to_owned()), Some(&VERSION.to_string())) {
            let text = |part: Option<&String>| part.cloned().unwrap_or_else(|| "?".to_owned());
            return Err(SchemaError::WrongTable {
                path: path.to_owned(),
                expected: format!("{NAME} v{VERSION}"),
                found: format!("{} v{}", text(found.0), text(found.1)),
            });
        }
        let column = |name: &str, expected: &str| {
            batch.column_by_name(name).cloned().ok_or_else(|| SchemaError::MissingColumn {
                path: path.to_owned(),
                table: NAME,
                column: name.to_owned(),
                expected: expected.to_owned(),
            })
        };
        let wrong = |column: &str, array: &dyn Array, expected: &str| SchemaError::WrongType {
            path: path.to_owned(),
            table: NAME,
            column: column.to_owned(),
            expected: expected.to_owned(),
            found: array.data_type().to_string(),
        };
        let ids = column("image_id", "UInt32")?;
        let features = column("features", "FixedSizeList(Float32 | Float16)")?;
        let ids = ids.as_primitive_opt::<UInt32Type>().ok_or_else(|| wrong("image_id", &ids, "UInt32"))?;
        let expected = "FixedSizeList(Float32 | Float16)";
        let list = features.as_fixed_size_list_opt().ok_or_else(|| wrong("features", &features, expected))?;
        let values = if let Some(values) = list.values().as_primitive_opt::<Float32Type>() {
            Mapped::F32(values.values().clone())
        } else if let Some(values) = list.values().as_primitive_opt::<Float16Type>() {
            Mapped::F16(values.values().clone())
        } else {
            return Err(wrong("features", &features, expected));
        };
        Ok(Self {
            ids: ids.values().clone(),
            values,
            dimensions: usize::try_from(list.value_length()).unwrap_or_default(),
            stamp: Stamp::from_metadata(|key| schema.metadata.get(key).map(ToString::to_string)),
        })
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
        match &self.values {
            Mapped::F32(values) => Values::F32(values),
            Mapped::F16(values) => Values::F16(values),
        }
    }

    /// Who wrote the table.
    #[must_use]
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }
}

/// The path of the single part of a feature table folder.
#[must_use]
pub fn part(folder: &Path) -> PathBuf {
    folder.join(crate::FEATURES_PART_0)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Length of what ends an Arrow file: the footer's length (i32) and the magic `ARROW1`.
const TRAILER: usize = 10;

/// The schema and the one record batch of an Arrow file, as views into `buffer`.
fn decode(buffer: &Buffer) -> Result<(Arc<Schema>, RecordBatch), Failure> {
    let trailer_start = buffer.len().checked_sub(TRAILER).ok_or("shorter than an Arrow trailer")?;
    let trailer: [u8; TRAILER] = buffer[trailer_start..].try_into()?;
    let footer_start = trailer_start.checked_sub(read_footer_length(trailer)?).ok_or("the footer does not fit")?;
    let footer = root_as_footer(&buffer[footer_start..trailer_start]).map_err(|error| error.to_string())?;
    let schema = Arc::new(try_fb_to_schema(footer.schema().ok_or("no schema")?)?);
    let blocks: Vec<Block> = footer.recordBatches().iter().flatten().copied().collect();
    let [block] = blocks[..] else {
        return Err(format!("{} record batches, expected one", blocks.len()).into());
    };
    let start = usize::try_from(block.offset())?;
    let length = usize::try_from(block.bodyLength())? + usize::try_from(block.metaDataLength())?;
    if start.checked_add(length).is_none_or(|end| end > buffer.len()) {
        return Err("the record batch does not fit into the file".into());
    }
    // Alignment is required, so that the decoder fails rather than copies the map into memory.
    let decoder = FileDecoder::new(Arc::clone(&schema), footer.version()).with_require_alignment(true);
    let batch = decoder.read_record_batch(&block, &buffer.slice_with_length(start, length))?;
    Ok((schema, batch.ok_or("an empty record batch")?))
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

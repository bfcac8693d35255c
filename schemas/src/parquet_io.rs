//! Parquet tables: written atomically with a stamp in the footer, read with every column checked.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use fs_err::File;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::stamp::{SCHEMA_VERSION, TABLE};
use crate::{SchemaError, Stamp, Table, files};

/// Writes a table to one Parquet file, atomically. The same rows and stamp give the same bytes.
///
/// # Errors
/// When the rows do not fit the schema or the file cannot be written.
pub fn write_table<T: Table>(path: &Path, table: &T, stamp: &Stamp) -> Result<(), SchemaError> {
    write_parts::<T>(path, std::iter::once(table), stamp)
}

/// As [`write_table`], of a table that is too long to be held at once: its rows come in parts. The same parts give the
/// same bytes.
///
/// # Errors
/// As [`write_table`].
pub fn write_parts<T: Table>(
    path: &Path,
    parts: impl IntoIterator<Item = impl Borrow<T>>,
    stamp: &Stamp,
) -> Result<(), SchemaError> {
    let bad = |reason: String| SchemaError::BadRows { path: path.to_owned(), table: T::NAME, reason };
    let schema = Arc::new(T::schema());
    let batch = |part: &T| RecordBatch::try_new(Arc::clone(&schema), part.to_arrays()).map_err(|e| bad(e.to_string()));
    let mut refused = None;
    // Sorted: a HashMap's order would change the bytes from run to run.
    let mut footer: Vec<_> = stamp.metadata(T::NAME, T::VERSION).into_iter().collect();
    footer.sort();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("deepmcat".to_owned())
        .set_key_value_metadata(Some(footer.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect()))
        .build();
    let written = files::write_atomic(path, |file| {
        let schema = Arc::clone(&schema);
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(std::io::Error::other)?;
        for part in parts {
            match batch(part.borrow()) {
                Ok(batch) => writer.write(&batch).map_err(std::io::Error::other)?,
                Err(error) => {
                    refused = Some(error);
                    return Err(std::io::ErrorKind::InvalidInput.into());
                }
            }
        }
        writer.close().map_err(std::io::Error::other)?;
        Ok(())
    });
    refused.map_or(written, Err)
}

/// Reads a table from one Parquet file.
///
/// # Errors
/// When the file is unreadable, is another table, or a column is missing or of another type.
pub fn read_table<T: Table>(path: &Path) -> Result<T, SchemaError> {
    let mut table = T::default();
    append_file(path, &mut table)?;
    Ok(table)
}

/// Reads all `part-*.parquet` of a folder as one table, in the order of the part numbers.
///
/// # Errors
/// When the folder holds no part, or as [`read_table`] for any of them.
pub fn read_folder<T: Table>(folder: &Path) -> Result<T, SchemaError> {
    let mut parts: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        parts.extend(part_number(&path, "parquet").map(|number| (number, path)));
    }
    if parts.is_empty() {
        return Err(SchemaError::NoParts { path: folder.to_owned(), table: T::NAME });
    }
    parts.sort();
    let mut table = T::default();
    for (_, path) in parts {
        append_file(&path, &mut table)?;
    }
    Ok(table)
}

/// The number N of a file named `part-N.EXTENSION`.
fn part_number(path: &Path, extension: &str) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("part-")?.strip_suffix(extension)?.strip_suffix('.')?.parse().ok()
}

/// The stamp in a Parquet table's footer: which stage wrote it, with which configuration.
///
/// # Errors
/// When the file is no readable Parquet file.
pub fn read_stamp(path: &Path) -> Result<Stamp, SchemaError> {
    let footer = footer(&open(path)?);
    Ok(Stamp::from_metadata(|key| footer.get(key).cloned()))
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>, SchemaError> {
    let file = File::open(path)?.into_parts().0;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| SchemaError::unreadable(path, "Parquet", error))
}

fn footer(reader: &ParquetRecordBatchReaderBuilder<std::fs::File>) -> std::collections::HashMap<String, String> {
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    pairs.into_iter().flatten().filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?))).collect()
}

fn append_file<T: Table>(path: &Path, table: &mut T) -> Result<(), SchemaError> {
    let reader = open(path)?;
    let metadata = footer(&reader);
    // Tables of other tools (a hand-made manifest, say) carry no name: their columns decide.
    if let (Some(name), Some(version)) = (metadata.get(TABLE), metadata.get(SCHEMA_VERSION))
        && (name != T::NAME || *version != T::VERSION.to_string())
    {
        return Err(SchemaError::WrongTable {
            path: path.to_owned(),
            expected: format!("{} v{}", T::NAME, T::VERSION),
            found: format!("{name} v{version}"),
        });
    }
    let batches = reader.build().map_err(|error| SchemaError::unreadable(path, "Parquet", error))?;
    for batch in batches {
        table.append_batch(&batch.map_err(|error| SchemaError::unreadable(path, "Parquet", error))?, path)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Assignments, ClusterId, Clusters, ImageId, Manifest, Samples};

    fn stamp() -> Stamp {
        Stamp { stage: "cluster".into(), stage_version: "1".into(), config_hash: "abc".into(), seed: 7 }
    }

    fn clusters() -> Clusters {
        Clusters {
            cluster: vec![ClusterId(0), ClusterId(1)],
            size: vec![3, 0],
            inertia: vec![0.25, 0.0],
            centroid: vec![vec![1.0, 2.0], vec![0.0, -1.0]],
        }
    }

    #[test]
    fn a_table_reads_back_with_its_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clusters/epoch=0/part-0.parquet");
        write_table(&path, &clusters(), &stamp()).unwrap();
        assert_eq!(read_table::<Clusters>(&path).unwrap(), clusters());
        assert_eq!(read_folder::<Clusters>(path.parent().unwrap()).unwrap(), clusters());
        assert_eq!(read_stamp(&path).unwrap(), stamp());
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = |name: &str| {
            let path = folder.path().join(name).join("part-0.parquet");
            write_table(&path, &clusters(), &stamp()).unwrap();
            fs_err::read(path).unwrap()
        };
        assert_eq!(bytes("a"), bytes("b"));
    }

    #[test]
    fn another_table_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t/part-0.parquet");
        write_table(&path, &clusters(), &stamp()).unwrap();
        let message = read_table::<Assignments>(&path).unwrap_err().to_string();
        assert!(message.contains("expected table `assignments v2`, found `clusters v1`"), "{message}");
    }

    #[test]
    fn a_foreign_file_is_checked_column_by_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("foreign.parquet");
        let schema = Arc::new(arrow_schema::Schema::new(vec![arrow_schema::Field::new(
            "position",
            arrow_schema::DataType::Float32,
            false,
        )]));
        let column: arrow_array::ArrayRef = Arc::new(arrow_array::Float32Array::from(vec![1.0]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file.into_parts().0, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let message = read_table::<Samples>(&path).unwrap_err().to_string();
        assert!(message.contains("column `position` is Float32, expected UInt32"), "{message}");
        let message = read_table::<Manifest>(&path).unwrap_err().to_string();
        assert!(message.contains("column `image_id` is missing"), "{message}");
    }

    #[test]
    fn columns_of_unequal_length_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let table = Samples {
            position: vec![0, 1],
            image_id: vec![ImageId(0)],
            cluster: vec![ClusterId(0)],
            others: vec![Vec::new()],
        };
        let error = write_table(&folder.path().join("s/part-0.parquet"), &table, &stamp()).unwrap_err();
        assert!(matches!(error, SchemaError::BadRows { .. }), "{error}");
    }

    #[test]
    fn damaged_and_absent_files_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.parquet");
        fs_err::write(&path, b"PAR1 but not really").unwrap();
        assert!(read_table::<Samples>(&path).unwrap_err().to_string().contains("broken.parquet"));
        let absent = read_table::<Samples>(&folder.path().join("absent.parquet")).unwrap_err();
        assert!(format!("{:?}", absent).contains("absent.parquet"));
    }
}

//! Parquet tables: written atomically with a stamp in the footer, read with every column checked.

use std::borrow::Borrow;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use fs_err::File;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use crate::stamp::{SCHEMA_VERSION, TABLE};
use crate::table::checked;
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
    let footer = footer.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
    let properties = properties().set_key_value_metadata(Some(footer)).build();
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

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by("deepmcat".to_owned())
}

/// Writes rows that are no table of the contract, an answer to a question, as Parquet.
///
/// # Errors
/// When they cannot be written.
pub fn write_batch(into: impl Write + Send, batch: &RecordBatch) -> std::io::Result<()> {
    let mut writer = ArrowWriter::try_new(into, batch.schema(), Some(properties().build()))?;
    writer.write(batch)?;
    writer.close()?;
    Ok(())
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
    let mut table = T::default();
    for path in part_files::<T>(folder)? {
        append_file(&path, &mut table)?;
    }
    Ok(table)
}

/// Reads some columns of a table, as Arrow batches that hold them in this order: from a file, or from all parts of a folder.
/// Without a column the batches say how many rows there are.
///
/// # Errors
/// As [`read_folder`].
pub fn read_columns<T: Table>(path: &Path, columns: &[&str]) -> Result<Vec<RecordBatch>, SchemaError> {
    let mut batches = Vec::new();
    for part in if path.is_dir() { part_files::<T>(path)? } else { vec![path.to_owned()] } {
        batches.extend(read_of_file::<T>(&part, columns, None)?);
    }
    Ok(batches)
}

/// Reads some columns of one row of a file, for which it unpacks little else. Rows are counted from 0.
///
/// # Errors
/// As [`read_table`].
pub fn read_row<T: Table>(path: &Path, columns: &[&str], row: usize) -> Result<Option<RecordBatch>, SchemaError> {
    Ok(read_of_file::<T>(path, columns, Some(row))?.into_iter().find(|batch| batch.num_rows() > 0))
}

/// How many rows a Parquet file has, by its footer.
///
/// # Errors
/// When the file is no readable table of this kind.
pub fn count_rows<T: Table>(path: &Path) -> Result<usize, SchemaError> {
    let reader = open_table::<T>(path)?;
    Ok(usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or_default())
}

/// The `part-*.parquet` of a folder, in the order of their numbers.
///
/// # Errors
/// When there is none.
pub fn part_files<T: Table>(folder: &Path) -> Result<Vec<PathBuf>, SchemaError> {
    let mut parts: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        parts.extend(part_number(&path, "parquet").map(|number| (number, path)));
    }
    if parts.is_empty() {
        return Err(SchemaError::NoParts { path: folder.to_owned(), table: T::NAME });
    }
    parts.sort();
    Ok(parts.into_iter().map(|(_, path)| path).collect())
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

fn open_table<T: Table>(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>, SchemaError> {
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
    Ok(reader)
}

fn append_file<T: Table>(path: &Path, table: &mut T) -> Result<(), SchemaError> {
    let unreadable = |error| SchemaError::unreadable(path, "Parquet", error);
    for batch in open_table::<T>(path)?.build().map_err(unreadable)? {
        let batch = batch.map_err(|error| SchemaError::unreadable(path, "Parquet", error))?;
        table.append_batch(&batch, path)?;
    }
    Ok(())
}

/// Rows in a batch of columns.
const BATCH: usize = 1 << 16;

fn read_of_file<T: Table>(path: &Path, columns: &[&str], row: Option<usize>) -> Result<Vec<RecordBatch>, SchemaError> {
    let reader = open_table::<T>(path)?;
    let own = T::columns();
    let wanted: Vec<_> = columns.iter().filter_map(|name| own.iter().find(|column| column.name == *name)).collect();
    let fields = reader.schema().fields().iter().enumerate();
    let roots = fields.filter(|(_, field)| columns.contains(&field.name().as_str())).map(|(root, _)| root);
    let mask = ProjectionMask::roots(reader.parquet_schema(), roots);
    let mut reader = reader.with_projection(mask).with_batch_size(BATCH);
    if let Some(row) = row {
        reader = reader.with_offset(row).with_limit(1);
    }
    let batches = reader.build().map_err(|error| SchemaError::unreadable(path, "Parquet", error))?;
    let ordered = |batch: RecordBatch| -> Result<RecordBatch, SchemaError> {
        let columns: Result<Vec<_>, _> =
            wanted.iter().map(|column| checked(T::NAME, column, &batch, path).map(Arc::clone)).collect();
        let fields = wanted.iter().map(|column| Field::new(column.name, column.data_type.clone(), column.nullable));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema, columns?, &rows)
            .map_err(|error| SchemaError::unreadable(path, "Parquet", error))
    };
    batches.map(|batch| ordered(batch.map_err(|error| SchemaError::unreadable(path, "Parquet", error))?)).collect()
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
    fn columns_and_rows_are_read_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clusters/epoch=0/part-0.parquet");
        write_table(&path, &clusters(), &stamp()).unwrap();
        let batches = read_columns::<Clusters>(path.parent().unwrap(), &["size", "cluster"]).unwrap();
        let [batch] = batches.as_slice() else { panic!("{batches:?}") };
        let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!((names, batch.num_rows()), (vec!["size".to_owned(), "cluster".to_owned()], 2));
        let none = read_columns::<Clusters>(&path, &[]).unwrap();
        assert_eq!((none[0].num_columns(), none[0].num_rows()), (0, 2));
        let row = read_row::<Clusters>(&path, &["inertia", "centroid"], 1).unwrap().unwrap();
        assert_eq!(
            (crate::json(row.column(0), 0), crate::json(row.column(1), 0)),
            (0.0.into(), vec![0.0, -1.0].into())
        );
        assert_eq!(read_row::<Clusters>(&path, &["size"], 2).unwrap(), None);
        assert_eq!(count_rows::<Clusters>(&path).unwrap(), 2);
        assert!(read_columns::<Assignments>(&path, &[]).unwrap_err().to_string().contains("found `clusters v1`"));
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
        let schema = Arc::new(Schema::new(vec![Field::new("position", arrow_schema::DataType::Float32, false)]));
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

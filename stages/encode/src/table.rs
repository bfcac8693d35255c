//! Features that were made elsewhere: a Parquet or Arrow table with a column that says which image, or an NPY matrix.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch};
use arrow_schema::{ArrowError, DataType};
use deepmcat_schemas::Manifest;
use fs_err::File;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::{Encoded, Error};

/// The features of some rows of the manifest.
///
/// # Errors
/// When the table cannot be read, holds no vector of an image, or vectors of several widths.
pub(crate) fn read(path: &Path, manifest: &Manifest, rows: Range<usize>) -> Result<Encoded, Error> {
    let wrong = |reason: String| Error::Table { path: path.to_owned(), reason };
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match ending.as_str() {
        "npy" => matrix(path, manifest.image_id.len(), rows).map_err(wrong),
        "parquet" => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?.into_parts().0);
            let batches = reader.and_then(|reader| reader.build()).map_err(|error| wrong(error.to_string()))?;
            table(batches, manifest, rows).map_err(wrong)
        }
        _ => {
            let reader = arrow_ipc::reader::FileReader::try_new(File::open(path)?, None);
            let batches = reader.map_err(|error| wrong(format!("neither NPY, Parquet nor Arrow: {error}")))?;
            table(batches, manifest, rows).map_err(wrong)
        }
    }
}

/// The rows of an NPY file, which come in the manifest's order.
fn matrix(path: &Path, images: usize, rows: Range<usize>) -> Result<Encoded, String> {
    let text = |error: std::io::Error| error.to_string();
    let file = npyz::NpyFile::new(std::io::BufReader::new(File::open(path).map_err(text)?)).map_err(text)?;
    let shape = file.shape().to_vec();
    let [count, dimensions] = shape[..] else { return Err(format!("its shape is {shape:?}, not [images, d]")) };
    if count != images as u64 || file.order() != npyz::Order::C {
        return Err(format!("{count} rows for {images} images, or in Fortran's order"));
    }
    let dimensions = usize::try_from(dimensions).map_err(|error| error.to_string())?;
    let size = file.dtype().num_bytes();
    let all: Vec<f32> = if size == Some(8) {
        file.into_vec::<f64>().map_err(text)?.into_iter().map(|value| value as f32).collect()
    } else {
        file.into_vec::<f32>().map_err(text)?
    };
    Ok(Encoded { dimensions, values: all[rows.start * dimensions..rows.end * dimensions].to_vec() })
}

/// The vectors of a table, by the column that says which image each is of.
fn table(
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    manifest: &Manifest,
    rows: Range<usize>,
) -> Result<Encoded, String> {
    let mut place_of: Option<(&str, HashMap<String, usize>)> = None;
    let mut found = Encoded { dimensions: 0, values: Vec::new() };
    let mut has = vec![false; rows.len()];
    for batch in batches {
        let batch = batch.map_err(|error| error.to_string())?;
        if batch.num_rows() == 0 {
            continue;
        }
        let (column, places) = match &mut place_of {
            Some(known) => known,
            none => none.insert(places(&batch, manifest, rows.clone())?),
        };
        let names = names(batch.column_by_name(column).ok_or("its batches differ in their columns")?)?;
        let (width, values) = vectors(&batch)?;
        if found.dimensions == 0 {
            found = Encoded { dimensions: width, values: vec![0.0; rows.len() * width] };
        }
        if width != found.dimensions {
            return Err(format!("vectors of {width} and of {} numbers", found.dimensions));
        }
        for (name, vector) in names.iter().zip(values.chunks_exact(width.max(1))) {
            let Some(&place) = places.get(name) else { continue };
            if std::mem::replace(&mut has[place], true) {
                return Err(format!("two vectors of the image whose {column} is {name}"));
            }
            found.values[place * width..][..width].copy_from_slice(vector);
        }
    }
    match has.iter().filter(|has| !**has).count() {
        0 => Ok(found),
        missing => {
            let first = has.iter().position(|has| !has).unwrap_or_default() + rows.start;
            Err(format!("{missing} of {} images have no vector, the first of them image {first}", has.len()))
        }
    }
}

/// The column that says which image a vector is of, and the place in `rows` of each of its values.
fn places(
    batch: &RecordBatch,
    manifest: &Manifest,
    rows: Range<usize>,
) -> Result<(&'static str, HashMap<String, usize>), String> {
    let named = ["image_id", "key", "path"].into_iter().find(|name| batch.column_by_name(name).is_some());
    let column = named.ok_or("it has no column image_id, key or path")?;
    let name_of = |row: usize| match column {
        "image_id" => manifest.image_id[row].0.to_string(),
        "key" => manifest.key[row].clone(),
        _ => manifest.path[row].clone(),
    };
    Ok((column, rows.enumerate().map(|(place, row)| (name_of(row), place)).collect()))
}

/// The values of a column as texts.
fn names(column: &ArrayRef) -> Result<Vec<String>, String> {
    use arrow_array::types::{Int32Type, Int64Type, UInt32Type, UInt64Type};
    macro_rules! numbers {
        ($type:ty) => {
            column.as_primitive::<$type>().iter().map(|value| value.map(|value| value.to_string())).collect()
        };
    }
    let texts: Option<Vec<String>> = match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().map(|text| text.map(str::to_owned)).collect(),
        DataType::Utf8View => column.as_string_view().iter().map(|text| text.map(str::to_owned)).collect(),
        DataType::UInt32 => numbers!(UInt32Type),
        DataType::UInt64 => numbers!(UInt64Type),
        DataType::Int32 => numbers!(Int32Type),
        DataType::Int64 => numbers!(Int64Type),
        other => return Err(format!("its column of names is {other}")),
    };
    texts.ok_or_else(|| "a row does not say which image it is of".to_owned())
}

/// All numbers of a column of lists; none where their lengths differ.
fn items<O: OffsetSizeTrait>(column: &ArrayRef) -> Option<ArrayRef> {
    let list = column.as_list::<O>();
    let (first, last) = (list.offsets().first().as_usize(), list.offsets().last().as_usize());
    let mut lengths = list.offsets().lengths();
    let length = lengths.next().unwrap_or_default();
    lengths.all(|other| other == length).then(|| list.values().slice(first, last - first))
}

/// The vectors of the column of lists, and their width.
fn vectors(batch: &RecordBatch) -> Result<(usize, Vec<f32>), String> {
    let is_list = |column: &&ArrayRef| {
        matches!(column.data_type(), DataType::FixedSizeList(..) | DataType::List(_) | DataType::LargeList(_))
    };
    let column = batch.columns().iter().find(is_list).ok_or("it has no column of lists of numbers")?;
    let rows = column.len();
    if column.null_count() > 0 {
        return Err("a row has no vector".to_owned());
    }
    let items = match column.data_type() {
        DataType::FixedSizeList(..) => Some(column.as_fixed_size_list().values().clone()),
        DataType::List(_) => items::<i32>(column),
        _ => items::<i64>(column),
    };
    let items = items.filter(|items| items.null_count() == 0);
    let items = items.ok_or("its vectors are not all of one width, or a number is missing")?;
    let values: Vec<f32> = match items.data_type() {
        DataType::Float32 => items.as_primitive::<Float32Type>().values().to_vec(),
        DataType::Float64 => items.as_primitive::<Float64Type>().values().iter().map(|&value| value as f32).collect(),
        DataType::Float16 => items.as_primitive::<Float16Type>().values().iter().map(|value| value.to_f32()).collect(),
        other => return Err(format!("its vectors hold {other}, not numbers with a point")),
    };
    Ok((values.len() / rows.max(1), values))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::types::Float32Type;
    use arrow_array::{FixedSizeListArray, StringArray, UInt32Array};
    use deepmcat_schemas::ImageId;

    fn manifest() -> Manifest {
        Manifest {
            image_id: (0..3).map(ImageId).collect(),
            key: ["a", "b", "c"].map(str::to_owned).to_vec(),
            path: ["a.png", "b.png", "c.png"].map(str::to_owned).to_vec(),
            ..Manifest::default()
        }
    }

    fn batch(name: &str, names: ArrayRef, vectors: &[[f32; 2]]) -> RecordBatch {
        let vectors = vectors.iter().map(|vector| Some(vector.map(Some)));
        let lists = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vectors, 2);
        RecordBatch::try_from_iter([(name, names), ("vector", Arc::new(lists) as ArrayRef)]).unwrap()
    }

    fn of(batches: &[RecordBatch], rows: Range<usize>) -> Result<Encoded, String> {
        table(batches.iter().cloned().map(Ok), &manifest(), rows)
    }

    #[test]
    fn vectors_find_their_images_by_any_name() {
        let keys = || Arc::new(StringArray::from(vec!["c", "a", "x"])) as ArrayRef;
        let rest = || Arc::new(StringArray::from(vec!["b"])) as ArrayRef;
        let batches =
            [batch("key", keys(), &[[5.0, 6.0], [1.0, 2.0], [0.0, 0.0]]), batch("key", rest(), &[[3.0, 4.0]])];
        assert_eq!(of(&batches, 0..3).unwrap().values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(of(&batches, 1..2).unwrap().values, [3.0, 4.0]);
        let numbers = Arc::new(UInt32Array::from(vec![2, 1, 0])) as ArrayRef;
        let found = of(&[batch("image_id", numbers, &[[5.0, 6.0], [3.0, 4.0], [1.0, 2.0]])], 0..3).unwrap();
        assert_eq!((found.dimensions, &found.values[..2]), (2, &[1.0, 2.0][..]));
    }

    #[test]
    fn every_image_needs_one_vector() {
        let keys = |names: &[&str]| Arc::new(StringArray::from(names.to_vec())) as ArrayRef;
        let two = [batch("path", keys(&["a.png", "c.png"]), &[[1.0, 2.0]; 2])];
        assert_eq!(of(&two, 0..3).unwrap_err(), "1 of 3 images have no vector, the first of them image 1");
        let twice = [batch("path", keys(&["a.png", "a.png"]), &[[1.0, 2.0]; 2])];
        assert!(of(&twice, 0..3).unwrap_err().contains("two vectors of the image whose path is a.png"));
        assert!(of(&[batch("name", keys(&["a"]), &[[1.0, 2.0]])], 0..3).unwrap_err().contains("no column"));
    }
}

//! The features of a data set as one list of rows, memory-mapped: a table of one part or more.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use deepmcat_schemas::ImageId;
use deepmcat_schemas::features::{self, FeatureTable, Values};
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use crate::Error;

/// The mapped parts of feature table folders.
#[derive(Debug)]
pub struct FeatureFiles {
    tables: Vec<Table>,
    /// Of several tables: vectors side by side `[n, sum of d]`, in the order of the first.
    joined: Option<(Vec<u32>, usize, Vec<f32>)>,
}

/// The mapped parts of a folder, in the order of their numbers.
#[derive(Debug)]
struct Table {
    folder: PathBuf,
    parts: Vec<(PathBuf, FeatureTable)>,
}

impl FeatureFiles {
    /// Maps `part-0.arrow`, `part-1.arrow` ... of each folder. Of one folder no value is read yet; the tables of several are
    /// joined: those of the images of the first. `weights`, one a folder or none, are shares of the squared length of what is joined, which has length 1 where
    /// all vectors have.
    ///
    /// # Errors
    /// When a folder cannot be listed or holds no part, a part is no feature table, an image is in more than one row of a
    /// table, or a table lacks images of the first.
    pub fn open(folders: &[PathBuf], weights: &[f64]) -> Result<Self, Error> {
        let tables = folders.iter().map(|folder| Table::open(folder)).collect::<Result<Vec<_>, _>>()?;
        let joined = if tables.len() > 1 { Some(join(&tables, weights)?) } else { None };
        Ok(Self { tables, joined })
    }

    /// All as one list of rows.
    ///
    /// # Errors
    /// When parts of a table differ in width or an image is in more than one row.
    pub fn features(&self) -> Result<Features<'_>, Error> {
        let folder = self.tables.first().map_or(Path::new(""), |table| &table.folder);
        match (&self.joined, self.tables.first()) {
            (None, Some(table)) => table.features(),
            (Some((ids, dimensions, values)), _) => Features::of(folder, ids, *dimensions, values),
            (None, None) => Features::of(folder, &[], 0, &[]),
        }
    }
}

impl Table {
    fn open(folder: &Path) -> Result<Self, Error> {
        let open = |path: PathBuf| FeatureTable::open(&path).map(|table| (path, table));
        let parts = features::parts(folder)?.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { folder: folder.to_owned(), parts })
    }

    fn features(&self) -> Result<Features<'_>, Error> {
        let parts = self.parts.iter().map(|(path, table)| Part {
            source: path.clone(),
            ids: table.image_ids(),
            dimensions: table.dimensions(),
            values: table.values(),
        });
        Features::from_parts(&self.folder, parts.collect())
    }
}

/// The vectors of an image side by side, of every image of the first table: ids, width and values.
fn join(tables: &[Table], weights: &[f64]) -> Result<(Vec<u32>, usize, Vec<f32>), Error> {
    let all = tables.iter().map(Table::features).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<u32> = all.first().map_or_else(Vec::new, |first| first.image_ids().iter().map(|id| id.0).collect());
    let dimensions: usize = all.iter().map(Features::dimensions).sum();
    let mut values = vec![0.0; ids.len() * dimensions];
    let weight = |table: usize| weights.get(table).copied().unwrap_or(1.0);
    let total: f64 = (0..all.len()).map(weight).sum();
    let mut first = 0;
    for (table, features) in all.iter().enumerate() {
        let scale = (weight(table) / total).sqrt() as f32;
        let rows: HashMap<u32, usize> = features.image_ids().iter().zip(0..).map(|(id, row)| (id.0, row)).collect();
        let rows: Option<Vec<usize>> = ids.iter().map(|id| rows.get(id).copied()).collect();
        let rows = rows.ok_or_else(|| Error::OtherImages {
            one: all[0].source().to_owned(),
            other: features.source().to_owned(),
        })?;
        let columns = first..first + features.dimensions();
        values.par_chunks_mut(dimensions.max(1)).zip(rows).for_each(|(value, row)| {
            let value = &mut value[columns.clone()];
            features.read(row, value);
            value.iter_mut().for_each(|value| *value *= scale);
        });
        first = columns.end;
    }
    Ok((ids, dimensions, values))
}

/// One part, borrowed: ids `[n]`, values `[n, d]`.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// Its file.
    pub source: PathBuf,
    /// The images `[n]`.
    pub ids: &'a [u32],
    /// The width of a vector, d.
    pub dimensions: usize,
    /// The values `[n * d]`.
    pub values: Values<'a>,
}

/// Rows of features `[n, d]`, borrowed from where they are.
#[derive(Debug, Clone)]
pub struct Features<'a> {
    source: PathBuf,
    parts: Vec<Part<'a>>,
    /// First row of each part.
    starts: Vec<usize>,
    rows: usize,
    dimensions: usize,
}

impl<'a> Features<'a> {
    /// Features in memory: `ids` `[n]`, `values` `[n * d]`.
    ///
    /// # Errors
    /// When an image is in more than one row.
    pub fn from_values(ids: &'a [u32], dimensions: usize, values: &'a [f32]) -> Result<Self, Error> {
        Self::of(Path::new("features in memory"), ids, dimensions, values)
    }

    /// The same, from `source` as messages name it.
    ///
    /// # Errors
    /// When an image is in more than one row.
    pub fn of(source: &Path, ids: &'a [u32], dimensions: usize, values: &'a [f32]) -> Result<Self, Error> {
        let part = Part { source: source.to_owned(), ids, dimensions, values: Values::F32(values) };
        Self::from_parts(source, vec![part])
    }

    fn from_parts(source: &Path, parts: Vec<Part<'a>>) -> Result<Self, Error> {
        let dimensions = parts.first().map_or(0, |part| part.dimensions);
        if let Some(part) = parts.iter().find(|part| part.dimensions != dimensions) {
            let (path, found) = (part.source.clone(), part.dimensions);
            return Err(Error::Dimensions { path, expected: dimensions, found });
        }
        let mut seen = HashSet::new();
        if let Some(&id) = parts.iter().flat_map(|part| part.ids).find(|&&id| !seen.insert(id)) {
            return Err(Error::Duplicate { path: source.to_owned(), image: ImageId(id) });
        }
        let mut rows = 0;
        let mut starts = Vec::with_capacity(parts.len());
        for part in &parts {
            starts.push(rows);
            rows += part.ids.len();
        }
        Ok(Self { source: source.to_owned(), parts, starts, rows, dimensions })
    }

    /// Where the features are from, for messages.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The number of images, n.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True where there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The width of a feature vector, d.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The images `[n]`, in the order of the rows.
    #[must_use]
    pub fn image_ids(&self) -> Vec<ImageId> {
        self.parts.iter().flat_map(|part| part.ids).map(|&id| ImageId(id)).collect()
    }

    /// The parts that the rows are in, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// The part that holds a row and the row's number in it.
    fn locate(&self, row: usize) -> (&Part<'a>, usize) {
        let part = self.starts.partition_point(|&start| start <= row) - 1;
        (&self.parts[part], row - self.starts[part])
    }

    /// A row `[d]` in single precision; `buffer` `[d]` is for rows that have to be converted first.
    #[must_use]
    pub fn row<'b>(&'b self, row: usize, buffer: &'b mut [f32]) -> &'b [f32] {
        let (part, row) = self.locate(row);
        let range = row * self.dimensions..(row + 1) * self.dimensions;
        match part.values {
            Values::F32(values) => &values[range],
            Values::F16(values) => {
                values[range].convert_to_f32_slice(buffer);
                buffer
            }
        }
    }

    /// Copies a row into `into` `[d]`, in single precision.
    pub fn read(&self, row: usize, into: &mut [f32]) {
        let (part, row) = self.locate(row);
        part.values.read(row, into);
    }

    /// The images of some rows.
    #[must_use]
    pub fn ids_of(&self, rows: &[usize]) -> Vec<u32> {
        let ids = self.image_ids();
        rows.iter().map(|&row| ids[row].0).collect()
    }

    /// Copies of some rows `[rows * d]`.
    #[must_use]
    pub fn gather(&self, rows: &[usize]) -> Vec<f32> {
        let mut values = vec![0.0; rows.len() * self.dimensions];
        values.par_chunks_mut(self.dimensions.max(1)).zip(rows).for_each(|(value, &row)| self.read(row, value));
        values
    }

    /// The squared length of every row `[n]`; reads every value once.
    ///
    /// # Errors
    /// When a value is not finite, or so large that k-means could not square it.
    pub fn squared_lengths(&self) -> Result<Vec<f32>, Error> {
        let length = |buffer: &mut Vec<f32>, row: usize| {
            self.read(row, buffer);
            buffer.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() as f32
        };
        let lengths: Vec<f32> =
            (0..self.rows).into_par_iter().map_init(|| vec![0.0; self.dimensions], length).collect();
        let bad = lengths.iter().filter(|length| !length.is_finite()).count();
        match lengths.iter().position(|length| !length.is_finite()) {
            None => Ok(lengths),
            Some(row) => {
                let (part, row) = self.locate(row);
                Err(Error::NonFinite { path: part.source.clone(), image: ImageId(part.ids[row]), rows: bad })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::Stamp;
    use half::f16;

    fn write(folder: &Path, part: u32, ids: std::ops::Range<u32>, dimensions: usize, values: Values<'_>) {
        let ids: Vec<ImageId> = ids.map(ImageId).collect();
        let path = folder.join(format!("part-{part}.arrow"));
        features::write(&path, &ids, dimensions, values, &Stamp::default()).unwrap();
    }

    #[test]
    fn parts_are_one_list_of_rows_in_the_order_of_their_numbers() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("features");
        write(&folder, 10, 3..4, 2, Values::F32(&[6.0, 7.0]));
        write(&folder, 2, 0..3, 2, Values::F16(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(f16::from_f32)));
        let files = FeatureFiles::open(std::slice::from_ref(&folder), &[]).unwrap();
        let features = files.features().unwrap();
        assert_eq!((features.len(), features.dimensions()), (4, 2));
        assert_eq!(features.image_ids(), (0..4).map(ImageId).collect::<Vec<_>>());
        let mut row = [0.0; 2];
        for number in 0..4 {
            features.read(number, &mut row);
            assert_eq!(row, [2.0 * number as f32, 2.0 * number as f32 + 1.0]);
        }
        assert_eq!(features.squared_lengths().unwrap(), [1.0, 13.0, 41.0, 85.0]);
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("width");
        write(&folder, 0, 0..1, 2, Values::F32(&[0.0; 2]));
        write(&folder, 1, 1..2, 3, Values::F32(&[0.0; 3]));
        let error = FeatureFiles::open(std::slice::from_ref(&folder), &[]).unwrap().features().unwrap_err();
        assert!(error.to_string().contains("part-1.arrow: features of 3 dimensions, expected 2"), "{error}");
        let folder = root.path().join("twice");
        write(&folder, 0, 0..2, 1, Values::F32(&[0.0; 2]));
        write(&folder, 1, 1..3, 1, Values::F32(&[0.0; 2]));
        let error = FeatureFiles::open(std::slice::from_ref(&folder), &[]).unwrap().features().unwrap_err();
        assert!(error.to_string().contains("image 1 has more than one row"), "{error}");
    }

    #[test]
    fn vectors_of_several_tables_count_side_by_side() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["one", "other", "short"].map(|name| root.path().join(name));
        write(&folders[0], 0, 0..2, 1, Values::F32(&[1.0, -1.0]));
        // In another order, and in two parts.
        write(&folders[1], 0, 1..2, 2, Values::F32(&[0.6, 0.8]));
        write(&folders[1], 1, 0..1, 2, Values::F32(&[0.0, 1.0]));
        write(&folders[2], 0, 0..1, 1, Values::F32(&[1.0]));
        let files = FeatureFiles::open(&folders[..2], &[1.0, 3.0]).unwrap();
        let features = files.features().unwrap();
        assert_eq!((features.len(), features.dimensions()), (2, 3));
        let mut rows = [[0.0; 3]; 2];
        rows.iter_mut().enumerate().for_each(|(number, row)| features.read(number, row));
        let (one, other) = (0.25_f32.sqrt(), 0.75_f32.sqrt());
        let expected = [[one, 0.0, other], [-one, 0.6 * other, 0.8 * other]];
        assert!(rows.as_flattened().iter().zip(expected.as_flattened()).all(|(a, b)| (a - b).abs() < 1e-6), "{rows:?}");
        let pair = |pair: [usize; 2]| FeatureFiles::open(&pair.map(|number| folders[number].clone()), &[]);
        assert_eq!(pair([2, 0]).unwrap().features().unwrap().len(), 1, "of the images of the first");
        let error = pair([0, 2]).unwrap_err().to_string();
        assert!(error.contains("short lacks features of some images of "), "{error}");
    }

    #[test]
    fn what_is_not_finite_is_named() {
        for bad in [f32::NAN, f32::INFINITY, 3e38] {
            let values = [0.0, 0.0, 1.0, bad, bad, bad];
            let features = Features::from_values(&[5, 6, 7], 2, &values).unwrap();
            let error = features.squared_lengths().unwrap_err().to_string();
            assert!(error.contains("2 feature vectors are not finite, the first of them of image 6"), "{error}");
        }
    }
}

//! What has been encoded so far, in a file beside the table's folder: a program that was killed goes on where it was, and the
//! features of a large archive are not held in memory.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use deepmcat_schemas::features::Owned;
use fs_err::File;
use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::Error;

/// Folder of such files, beside that of the table.
const FOLDER: &str = ".encoding";
/// Bytes before the first value: key (32), rows (8), width (8), and room to begin at a whole line of the cache.
const HEAD: usize = 64;

/// Rows `[rows, d]` of a table that is not whole yet.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
    key: [u8; 32],
    float16: bool,
    /// Rows that are there.
    pub(crate) rows: usize,
    /// d; 0 while there is no row.
    pub(crate) dimensions: usize,
}

impl Partial {
    /// Opens the file of a part of a table. What is in it counts if it was written with the same `key`: of the images, the
    /// network and the settings. Waits while another program has it.
    ///
    /// # Errors
    /// When the file cannot be made or read.
    pub(crate) fn open(table: &Path, part: usize, key: [u8; 32], float16: bool) -> Result<Self, Error> {
        let name = table.file_name().unwrap_or_default().to_string_lossy();
        let path = table.parent().unwrap_or(Path::new("")).join(FOLDER).join(format!("{name}-part-{part}"));
        fs_err::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        let mut options = fs_err::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
        file.file().lock()?;
        let mut partial = Self { path, file, key, float16, rows: 0, dimensions: 0 };
        let mut head = [0; HEAD];
        if partial.file.read_exact(&mut head).is_ok() && head[..32] == key {
            let number = |at: usize| usize::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default());
            let (rows, dimensions) = (number(32), number(40));
            if partial.bytes(rows, dimensions).is_some_and(|end| partial.len().is_ok_and(|there| there >= end)) {
                (partial.rows, partial.dimensions) = (rows, dimensions);
            }
        }
        if partial.rows == 0 {
            partial.file.set_len(0)?;
        }
        Ok(partial)
    }

    fn len(&self) -> std::io::Result<u64> {
        Ok(self.file.file().metadata()?.len())
    }

    /// The length of the file when it holds `rows` rows.
    fn bytes(&self, rows: usize, dimensions: usize) -> Option<u64> {
        let value = if self.float16 { 2 } else { 4 };
        let values = rows.checked_mul(dimensions)?.checked_mul(value)?;
        u64::try_from(values.checked_add(HEAD)?).ok()
    }

    /// Appends rows `[n, d]`. They are on the disk before the file says so.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub(crate) fn append(&mut self, values: &[f32], dimensions: usize) -> Result<(), Error> {
        let end = self.bytes(self.rows, dimensions).unwrap_or(HEAD as u64);
        self.file.seek(SeekFrom::Start(end))?;
        let bytes: Vec<u8> = if self.float16 {
            let mut halves = vec![f16::ZERO; values.len()];
            halves.convert_from_f32_slice(values);
            halves.iter().flat_map(|value| value.to_le_bytes()).collect()
        } else {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        (self.rows, self.dimensions) = (self.rows + values.len() / dimensions.max(1), dimensions);
        let mut head = self.key.to_vec();
        head.extend([self.rows, dimensions].iter().flat_map(|number| (*number as u64).to_le_bytes()));
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&head)?;
        Ok(())
    }

    /// All rows, not read but mapped.
    ///
    /// # Errors
    /// When the file cannot be mapped.
    pub(crate) fn values(&self) -> Result<Owned, Error> {
        if self.rows == 0 {
            return Ok(Owned::from(Vec::new()));
        }
        Ok(Owned::map(self.file.file(), HEAD, self.rows * self.dimensions, self.float16)?)
    }

    /// Removes the file: its table is whole.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn remove(self) -> Result<(), Error> {
        match fs_err::remove_file(&self.path) {
            // Another program was as far before.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        // Other parts may be under way.
        self.path.parent().map(fs_err::remove_dir).and_then(Result::ok);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use deepmcat_schemas::features::Values;

    use super::*;

    fn read(partial: &Partial) -> Vec<f32> {
        let owned = partial.values().unwrap();
        let mut values = vec![0.0; partial.rows * partial.dimensions];
        owned.values().read(0, &mut values);
        values
    }

    #[test]
    fn rows_are_kept_for_the_same_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("encoded");
        for float16 in [false, true] {
            let open = |key: u8| Partial::open(&table, 0, [key; 32], float16).unwrap();
            let mut partial = open(1);
            partial.append(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
            partial.append(&[5.0, 6.0], 2).unwrap();
            drop(partial);
            // A write that was cut short.
            let path = folder.path().join(".encoding/encoded-part-0");
            let mut bytes = fs_err::read(&path).unwrap();
            bytes.extend([9; 7]);
            fs_err::write(&path, &bytes).unwrap();
            let mut again = open(1);
            assert_eq!((again.rows, again.dimensions), (3, 2));
            again.append(&[7.0, 8.0], 2).unwrap();
            assert_eq!(read(&again), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
            assert!(matches!(again.values().unwrap().values(), Values::F16(_)) == float16);
            drop(again);
            // Less than it says is nothing.
            fs_err::write(&path, &bytes[..70]).unwrap();
            assert_eq!(open(1).rows, 0);
            let mut other = open(1);
            other.append(&[1.0], 1).unwrap();
            drop(other);
            let other = open(2);
            assert_eq!(other.rows, 0, "other images, network or settings");
            other.remove().unwrap();
            assert!(!folder.path().join(".encoding").exists());
        }
    }
}

//! What a file gives away to whoever reads it.

use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};

/// All that a file says as text: its name, its bytes and, of a Parquet table, whose columns are compressed, the rows.
///
/// Rows are read without our schemas, so that a table that no test knows of is read too.
///
/// # Panics
/// When the file cannot be read, or is named `.parquet` and is no table.
#[must_use]
pub fn content(path: &Path) -> String {
    let mut text = path.file_name().unwrap().to_string_lossy().into_owned();
    text += &String::from_utf8_lossy(&fs_err::read(path).unwrap());
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let table = SerializedFileReader::new(fs_err::File::open(path).unwrap().into_parts().0).unwrap();
        for row in table.get_row_iter(None).unwrap() {
            text += &row.unwrap().to_string();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmcat_schemas::{ImageId, Labels, Stamp, write_table};

    #[test]
    fn compressed_columns_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.parquet");
        // Neither the first nor the last of the column, which stand in its statistics.
        let label: Vec<String> = (0..5000).map(|row| format!("{:016x}", row * 0x9e37_79b9_7f4a_7c15_u128)).collect();
        let image_id = (0..5000).map(ImageId).collect();
        write_table(&path, &Labels { image_id, label: label.clone() }, &Stamp::default()).unwrap();
        assert!(!String::from_utf8_lossy(&fs_err::read(&path).unwrap()).contains(&label[2500]));
        assert!(content(&path).contains(&label[2500]));
    }
}

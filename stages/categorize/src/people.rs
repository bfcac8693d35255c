//! CSV files for people: the one place beside the table `sources` that names series as their archive does.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use deepmcat_schemas::files::write_beside;
use deepmcat_schemas::{Contradictions, SeriesCategories, Sources};
use deepmcat_stage::for_spreadsheets;

use crate::Error;
use crate::images::{DataSet, Images};

/// Writes the categories of series.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_series(path: &Path, table: &SeriesCategories, of: (&Images, &DataSet)) -> Result<(), Error> {
    let cells = |row: usize| {
        [
            for_spreadsheets(&table.category[row]).into_owned(),
            format!("{:.4}", table.confidence[row]),
            format!("{:.2}", table.agreement[row]),
            table.images[row].to_string(),
            if table.abstain[row] { "yes" } else { "no" }.to_owned(),
        ]
    };
    let header = |row: usize| table.header[row].as_deref().unwrap_or_default();
    write(path, of, &table.series, header, ["category", "confidence", "agreement", "images", "abstain"], cells)
}

/// Writes the series whose header and images disagree.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_headers(path: &Path, table: &Contradictions, of: (&Images, &DataSet)) -> Result<(), Error> {
    let cells = |row: usize| {
        [
            for_spreadsheets(&table.expected[row]).into_owned(),
            format!("{:.2}", table.share[row]),
            format!("{:.2}", table.confidence[row]),
            table.images[row].to_string(),
        ]
    };
    write(
        path,
        of,
        &table.series,
        |row| table.header[row].as_str(),
        ["images_look_like", "share", "confidence", "images"],
        cells,
    )
}

/// A row a series: what it is in the archive, then `cells`, then its name in the tables.
fn write<'a, const N: usize>(
    path: &Path,
    (images, dataset): (&Images, &DataSet),
    series: &[String],
    header: impl Fn(usize) -> &'a str,
    columns: [&str; N],
    cells: impl Fn(usize) -> [String; N],
) -> Result<(), Error> {
    let none = Sources::default();
    let sources = dataset.sources.as_ref().unwrap_or(&none);
    let mut of: HashMap<u32, usize> = HashMap::new();
    for (place, image) in sources.image_id.iter().enumerate() {
        if let Some(&row) = image.and_then(|image| images.rows.get(&image)) {
            of.entry(images.series[row]).or_insert(place);
        }
    }
    let places: HashMap<&str, u32> = images.series_names.iter().map(String::as_str).zip(0..).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["SeriesInstanceUID", "StudyInstanceUID", "SeriesDescription", "source"];
    writer.write_record(head.into_iter().chain(columns).chain(["series"])).map_err(std::io::Error::other)?;
    for (row, name) in series.iter().enumerate() {
        let source = places.get(name.as_str()).and_then(|series| of.get(series)).copied();
        let text = |column: &[Option<String>]| source.and_then(|source| column[source].clone()).unwrap_or_default();
        let file = source.map(|source| sources.source[source].clone()).unwrap_or_default();
        let own =
            [text(&sources.series_uid), text(&sources.study_uid), for_spreadsheets(header(row)).into_owned(), file];
        writer.write_record(own.into_iter().chain(cells(row)).chain([name.clone()])).map_err(std::io::Error::other)?;
    }
    let bytes = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(write_beside(path, |file| file.write_all(&bytes))?)
}

//! `pacs table`: the categories by UID as CSV and Parquet, and a map from categories to names of BIDS for who converts afterwards.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use deepmcat_schemas::files::write_beside;
use deepmcat_schemas::{SeriesByUid, Stamp, write_table};
use deepmcat_stage::for_spreadsheets;

use crate::Error;
use crate::result::RunSeries;

/// Suffixes of BIDS 1.10 for MRI and the data type of each: a category of that name needs no filling in.
const SUFFIXES: [(&str, &str); 22] = [
    ("T1w", "anat"),
    ("T2w", "anat"),
    ("PDw", "anat"),
    ("T2starw", "anat"),
    ("FLAIR", "anat"),
    ("inplaneT1", "anat"),
    ("inplaneT2", "anat"),
    ("angio", "anat"),
    ("T1map", "anat"),
    ("T2map", "anat"),
    ("T2starmap", "anat"),
    ("MP2RAGE", "anat"),
    ("MEGRE", "anat"),
    ("VFA", "anat"),
    ("bold", "func"),
    ("sbref", "func"),
    ("dwi", "dwi"),
    ("phasediff", "fmap"),
    ("magnitude", "fmap"),
    ("fieldmap", "fmap"),
    ("epi", "fmap"),
    ("asl", "perf"),
];

/// Writes `series.csv`, `series.parquet` and `bids.csv` into a folder. What a person filled in in an earlier `bids.csv` stays.
pub(crate) fn write(run: &RunSeries, out: &Path) -> Result<(), Error> {
    let mut table = SeriesByUid::default();
    for series in &run.series {
        table.study_uid.push(series.study.clone());
        table.series_uid.push(series.series.clone());
        table.patient_id.push(series.patient.clone());
        table.description.push(series.description.clone());
        table.category.push(series.category.clone());
        table.confidence.push(series.confidence);
        table.agreement.push(series.agreement);
        table.images.push(series.images);
        table.abstain.push(series.abstain);
        table.source.push(series.source.clone());
    }
    // Parquet goes by way of a folder beside that of a table.
    fs_err::create_dir_all(out)?;
    let stamp = Stamp { stage: "pacs".to_owned(), stage_version: "1".to_owned(), ..Stamp::default() };
    write_table(&out.join("series.parquet"), &table, &stamp)?;
    let text = csv(&table)?;
    write_beside(&out.join("series.csv"), |file| file.write_all(&text))?;
    let path = out.join("bids.csv");
    let text = bids(&table, filled(&path)?)?;
    write_beside(&path, |file| file.write_all(&text))?;
    tracing::info!(
        "{} series and their categories are in {}; it names studies, keep it where the archive is kept",
        table.category.len(),
        out.display()
    );
    if run.nameless > 0 {
        tracing::warn!("{} series have no UIDs, and are in none of them", run.nameless);
    }
    Ok(())
}

fn csv(table: &SeriesByUid) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = [
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "PatientID",
        "SeriesDescription",
        "category",
        "confidence",
        "agreement",
        "images",
        "abstain",
        "source",
    ];
    writer.write_record(head).map_err(std::io::Error::other)?;
    for row in 0..table.category.len() {
        let said = |text: &Option<String>| for_spreadsheets(text.as_deref().unwrap_or_default()).into_owned();
        let cells = [
            table.study_uid[row].clone(),
            table.series_uid[row].clone(),
            said(&table.patient_id[row]),
            said(&table.description[row]),
            for_spreadsheets(&table.category[row]).into_owned(),
            format!("{:.4}", table.confidence[row]),
            format!("{:.4}", table.agreement[row]),
            table.images[row].to_string(),
            table.abstain[row].to_string(),
            for_spreadsheets(&table.source[row]).into_owned(),
        ];
        writer.write_record(cells).map_err(std::io::Error::other)?;
    }
    Ok(writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?)
}

/// Data type, suffix and entities by category, as an earlier file has them.
fn filled(path: &Path) -> Result<BTreeMap<String, [String; 3]>, Error> {
    if !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let wrong = |error: csv::Error| Error::Map { path: path.to_owned(), why: error.to_string() };
    let text = fs_err::read(path)?;
    let (text, delimiter) = deepmcat_stage::from_spreadsheet(&text);
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text);
    let head = reader.headers().map_err(wrong)?.clone();
    let column = |name: &str| head.iter().position(|head| head.trim() == name);
    let (Some(category), Some(datatype), Some(suffix), Some(entities)) =
        (column("category"), column("datatype"), column("suffix"), column("entities"))
    else {
        let why = "it has not the columns category, datatype, suffix, entities".to_owned();
        return Err(Error::Map { path: path.to_owned(), why });
    };
    let mut filled = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        let cell = |place: usize| row.get(place).unwrap_or_default().to_owned();
        filled.insert(cell(category), [datatype, suffix, entities].map(cell));
    }
    Ok(filled)
}

fn bids(table: &SeriesByUid, filled: BTreeMap<String, [String; 3]>) -> Result<Vec<u8>, Error> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for category in &table.category {
        *counts.entry(category).or_default() += 1;
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["category", "datatype", "suffix", "entities", "series"]).map_err(std::io::Error::other)?;
    for (category, count) in counts {
        let shown = for_spreadsheets(category).into_owned();
        let known = SUFFIXES.iter().find(|(suffix, _)| suffix.eq_ignore_ascii_case(category));
        let guess =
            known.map_or_else(Default::default, |(suffix, kind)| [kind, suffix, &""].map(|&text| text.to_owned()));
        let [datatype, suffix, entities] = filled.get(&shown).cloned().unwrap_or(guess);
        let cells = [shown, datatype, suffix, entities, count.to_string()];
        writer.write_record(cells).map_err(std::io::Error::other)?;
    }
    Ok(writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?)
}

//! Names as CSV: what a person fills in, and what is in force.

use std::collections::HashMap;
use std::path::Path;

use deepmcat_decisions::{Naming, RunResult, Target};
use deepmcat_schemas::Names;
use deepmcat_stage::from_spreadsheet;

use crate::Error;

/// The column of clusters and images.
pub(crate) const WHAT: &str = "what";
/// The column of names.
pub(crate) const CATEGORY: &str = "category";

/// The names in a CSV, and the number of rows without one.
///
/// # Errors
/// When the file is no CSV, a row names nothing of the run, or one thing has two names.
pub(crate) fn read(path: &Path, result: &RunResult) -> Result<(Vec<Naming>, usize), Error> {
    let text = fs_err::read(path)?;
    let (text, delimiter) = from_spreadsheet(&text);
    let mut reader = csv::ReaderBuilder::new();
    let mut reader =
        reader.has_headers(false).flexible(true).delimiter(delimiter).trim(csv::Trim::All).from_reader(text);
    let mut rows = Vec::new();
    let (mut what, mut category, mut without) = (0, 1, 0);
    let mut unknown: Vec<(u64, String)> = Vec::new();
    let mut seen: HashMap<Target, (u64, String)> = HashMap::new();
    for (number, row) in reader.records().enumerate() {
        let row = row.map_err(|source| Error::Csv { path: path.to_owned(), source })?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |column: usize| row.get(column).unwrap_or_default().to_owned();
        let target = result.target(&cell(what));
        if number == 0 && target.is_none() {
            let column = |name: &str| row.iter().position(|cell| cell.eq_ignore_ascii_case(name));
            (what, category) = (column(WHAT).unwrap_or(0), column(CATEGORY).unwrap_or(1));
            continue;
        }
        let name = cell(category);
        if name.is_empty() {
            without += 1;
            continue;
        }
        let Some(target) = target else {
            unknown.push((line, cell(what)));
            continue;
        };
        if let Some((before, one)) = seen.insert(target.clone(), (line, name.clone())) {
            if one == name {
                continue;
            }
            return Err(Error::Twice {
                path: path.to_owned(),
                word: target.to_string(),
                one,
                line: before,
                other: name,
                again: line,
            });
        }
        rows.push(Naming { target, category: name, overlap: None });
    }
    match unknown.first() {
        None => Ok((rows, without)),
        Some((line, word)) => {
            let (line, word, count) = (*line, word.clone(), unknown.len());
            Err(Error::Unknown { path: path.to_owned(), count, line, word })
        }
    }
}

/// The names in force as CSV, with what a reader wants to know of each.
pub(crate) fn written(names: &Names) -> Vec<Vec<String>> {
    let head = [WHAT, CATEGORY, "kind", "author", "decision", "carried", "flag"].map(str::to_owned).to_vec();
    let row = |row: usize| {
        let cluster = names.cluster[row].map(|cluster| cluster.to_string());
        vec![
            cluster.or_else(|| names.key[row].clone()).unwrap_or_default(),
            names.category[row].clone(),
            names.kind[row].clone(),
            names.author[row].clone(),
            names.decision[row].to_string(),
            names.overlap[row].map(|overlap| format!("{overlap:.2}")).unwrap_or_default(),
            names.flag[row].clone().unwrap_or_default(),
        ]
    };
    std::iter::once(head).chain((0..names.kind.len()).map(row)).collect()
}

/// Rows as the text of a CSV.
///
/// # Errors
/// When memory runs out.
pub(crate) fn csv(rows: &[Vec<String>]) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(std::io::Error::other)?;
    }
    let bytes = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

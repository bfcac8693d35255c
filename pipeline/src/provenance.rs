//! Which file of an output is not what the runner's stage wrote, and who wrote it then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use deepmcat_schemas::jobs::Job;
use deepmcat_schemas::layout::LABELS;
use deepmcat_schemas::read_stamp;

use crate::dag::Node;
use crate::hashes::Hashes;
use crate::{Error, RunFolder};

/// The files of outputs, by path below the run folder, with the hash of each.
///
/// # Errors
/// When a file cannot be read.
pub fn files(run: &RunFolder, hashes: &Hashes, outputs: &[PathBuf]) -> Result<BTreeMap<PathBuf, String>, Error> {
    let mut files = BTreeMap::new();
    for entry in outputs.iter().flat_map(|output| walkdir::WalkDir::new(run.path.join(output)).into_iter().flatten()) {
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(&run.path).unwrap_or(entry.path()).to_owned();
            files.insert(name, hashes.of(entry.path())?.unwrap_or_default());
        }
    }
    Ok(files)
}

/// The first file of an output that is not what `written` says, and what is there instead.
///
/// # Errors
/// When a file cannot be read.
pub fn describe(
    run: &RunFolder,
    hashes: &Hashes,
    node: &Node,
    output: &Path,
    written: &BTreeMap<PathBuf, String>,
) -> Result<(PathBuf, String), Error> {
    let found = files(run, hashes, &[output.to_owned()])?;
    if found.is_empty() {
        return Ok((output.to_owned(), "is missing".to_owned()));
    }
    let names: BTreeSet<&PathBuf> =
        found.keys().chain(written.keys().filter(|name| name.starts_with(output))).collect();
    let differs = names.into_iter().find(|&name| found.get(name) != written.get(name));
    let path = differs.cloned().unwrap_or_else(|| output.to_owned());
    let what = match (found.contains_key(&path), written.contains_key(&path)) {
        (false, _) => "is missing".to_owned(),
        (true, false) if !written.is_empty() => "was not written by the runner".to_owned(),
        _ => format!("is not what was written ({})", who(node, &run.path.join(&path))),
    };
    Ok((path, what))
}

/// What a table's footer says of its origin.
fn who(node: &Node, path: &Path) -> String {
    if path.extension().is_none_or(|extension| extension != "parquet") {
        return "changed since".to_owned();
    }
    let Ok(found) = read_stamp(path) else {
        return "damaged: no Parquet".to_owned();
    };
    let expected = match &node.job {
        Job::Ingest(job) if path.ends_with(LABELS) => job.labels_stamp(),
        job => job.stamp(),
    };
    if found.config_hash.is_empty() {
        "another program wrote it".to_owned()
    } else if found.stage_version != expected.stage_version {
        format!("another version of {} wrote it", found.stage)
    } else if (found.config_hash, found.seed) == (expected.config_hash, expected.seed) {
        "damaged, or a stage run by hand wrote it from other inputs".to_owned()
    } else {
        format!("{} wrote it with other settings", found.stage)
    }
}

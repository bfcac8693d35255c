//! `deepmcat init`: a run folder with a commented configuration.

use std::path::{Path, PathBuf};

use deepmcat_common::config;
use deepmcat_schemas::files::write_secret;
use deepmcat_schemas::layout::RUN_TOML;
use toml_edit::{Array, Value};

use crate::Error;
use crate::run_folder::write_text;

/// The random key of a run, below its folder.
const KEY: &str = "key";

/// Writes RUN/run.toml, and a random key for the names in its tables, for `inputs`, from a preset and `--set` changes.
///
/// # Errors
/// When an input is missing, the run exists, or a setting is wrong.
pub fn init(inputs: &[PathBuf], run: &Path, preset: &str, sets: &[String]) -> Result<PathBuf, Error> {
    let file = run.join(RUN_TOML);
    if file.exists() {
        return Err(Error::RunExists { path: run.to_owned() });
    }
    let mut paths = Array::new();
    for input in inputs {
        // Absolute, so that the run can be continued from any folder.
        let absolute = fs_err::canonicalize(input).map_err(|_| Error::NoInput { path: input.clone() })?;
        paths.push(absolute.to_string_lossy().into_owned());
    }
    let mut sets = sets.to_vec();
    sets.insert(0, format!("input.paths={}", Value::from(paths)));
    let keyed = sets.iter().any(|set| set.trim_start().starts_with("ingest.key_file"));
    if !keyed {
        sets.push(format!("ingest.key_file={KEY}"));
    }
    let (_, document) = config::resolve(Some(preset), None, &sets)?;
    let head =
        format!("# Made by `deepmcat init` from the preset `{preset}`. Change what you like, then: deepmcat run RUN\n");
    if !keyed {
        write_key(&run.join(KEY))?;
    }
    write_text(&file, &(head + &document.to_string()))?;
    Ok(file)
}

/// Writes a random key that only its owner can read. One that an interrupted `init` left is kept.
fn write_key(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(std::io::Error::other)?;
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(write_secret(path, format!("{text}\n").as_bytes())?)
}

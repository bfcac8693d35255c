//! `deepmcat init`: a run folder with a commented configuration.

use std::path::{Path, PathBuf};

use deepmcat_common::config;
use deepmcat_schemas::layout::RUN_TOML;
use toml_edit::{Array, Value};

use crate::Error;
use crate::run_folder::write_text;

/// Writes RUN/run.toml for `inputs`, from a preset and `--set` changes.
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
    let (_, document) = config::resolve(Some(preset), None, &sets)?;
    let head =
        format!("# Made by `deepmcat init` from the preset `{preset}`. Change what you like, then: deepmcat run RUN\n");
    write_text(&file, &(head + &document.to_string()))?;
    Ok(file)
}

//! `deepmcat init`: a run folder with a commented configuration.

use std::path::{Path, PathBuf};

use deepmcat_schemas::files::write_secret;
use deepmcat_schemas::layout::RUN_TOML;

use crate::run_folder::write_text;
use crate::settings::{ENCODER_SETTING, KEY_SETTING};
use crate::{Error, settings};

/// The random key of a run, below its folder.
pub(crate) const KEY: &str = "key";

/// Writes RUN/run.toml, and a random key for the names in its tables, for `inputs`, from a preset and `--set` changes.
///
/// # Errors
/// When an input is neither the address of a server nor there, or a file that a setting names is missing, or has a path that is not UTF-8, the run exists, or a setting
/// is wrong. Nothing is written then.
pub fn init(inputs: &[PathBuf], run: &Path, preset: &str, sets: &[String]) -> Result<PathBuf, Error> {
    let file = run.join(RUN_TOML);
    if file.exists() {
        return Err(Error::RunExists { path: run.to_owned() });
    }
    let mut all = settings::archive(inputs)?;
    all.extend(settings::absolute(sets)?);
    let keyed = all.iter().any(|set| set.trim_start().starts_with(KEY_SETTING));
    if !keyed {
        all.push(format!("{KEY_SETTING}={KEY}"));
    }
    let (config, mut document) = deepmcat_config::resolve(Some(preset), None, &all)?;
    let chosen = all.iter().any(|set| set.trim_start().starts_with(ENCODER_SETTING));
    if let Some(path) = config.encoder.file().filter(|file| !file.is_file()) {
        // Without training there is nothing else to make the result from.
        if chosen || config.run.networks == 0 {
            return Err(Error::NoFile { path, setting: ENCODER_SETTING });
        }
        tracing::warn!(
            "{}: no such file, so this run does without the encoder, which lowers purity; hint: `make setup` fetches it",
            path.display()
        );
        // One network at least then learns by itself.
        let taught = config.run.taught.min(config.run.networks - 1);
        all.extend([format!("{ENCODER_SETTING}=\"\""), format!("run.taught={taught}")]);
        document = deepmcat_config::resolve(Some(preset), None, &all)?.1;
    }
    let head = format!(
        "# Made by `deepmcat init` from the preset `{preset}`. Change what you like, then: deepmcat run RUN
"
    );
    if !keyed {
        write_key(&run.join(KEY))?;
    }
    write_text(run, &file, &(head + &document.to_string()))?;
    Ok(file)
}

/// Writes a random key that only its owner can read. One that an interrupted `init` left is kept.
pub(crate) fn write_key(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(std::io::Error::other)?;
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(write_secret(path, format!("{text}\n").as_bytes())?)
}

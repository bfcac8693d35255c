//! A run folder: its configuration, and the places of receipts, logs and temporary files.

use std::io::Write;
use std::path::{Path, PathBuf};

use deepmcat_config::{Config, ConfigError};
use deepmcat_schemas::files::write_atomic_by_way_of;
use deepmcat_schemas::layout::{RUN_TOML, TEMPORARY};

use crate::dag::NodeId;
use crate::{Error, settings};

/// Folder of the settings that runs work with, below the run folder.
const FROZEN: &str = ".config";

/// A run folder with its resolved configuration.
#[derive(Debug)]
pub struct RunFolder {
    /// The folder.
    pub path: PathBuf,
    /// The configuration of run.toml, with `--set` changes.
    pub config: Config,
    /// The file that stages read it from, below the folder: run.toml, or what [`Self::freeze`] wrote.
    pub settings: PathBuf,
    /// run.toml with `--set` changes; none where there are none.
    changed: Option<String>,
}

impl RunFolder {
    /// Opens a run folder.
    ///
    /// # Errors
    /// When there is no run.toml, or it does not resolve.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &[])
    }

    /// Opens a run folder as if these settings were changed; run.toml stays as it is until [`Self::save`].
    ///
    /// # Errors
    /// As [`Self::open`], and when a setting is unknown or out of range.
    pub fn open_with(path: &Path, sets: &[String]) -> Result<Self, Error> {
        let file = path.join(RUN_TOML);
        if !file.is_file() {
            return Err(ConfigError::NoRun { path: path.to_owned() }.into());
        }
        let (mut config, document) = deepmcat_config::resolve(None, Some(&file), &settings::absolute(sets)?)?;
        if config.input.paths.is_empty() {
            return Err(Error::EmptyInput { path: file });
        }
        settings::from_run_folder(path, &mut config)?;
        let changed = (!sets.is_empty()).then(|| document.to_string());
        Ok(Self { path: path.to_owned(), config, settings: RUN_TOML.into(), changed })
    }

    /// Writes `--set` changes into run.toml, keeping its comments. Only with the lock held.
    ///
    /// # Errors
    /// When the file cannot be written; it is then as it was.
    pub fn save(&self) -> Result<(), Error> {
        self.changed.as_ref().map_or(Ok(()), |text| write_text(&self.path, &self.path.join(RUN_TOML), text))
    }

    /// Writes the configuration, as it is on this machine, into a file named by its content. Stages read that one, so
    /// that an edit of run.toml while a run is at work is for the next run alone. Only with the lock held.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn freeze(&mut self) -> Result<(), Error> {
        let mut config = self.config.clone();
        config.compute.precision = config.compute.resolved_precision();
        let text = toml_edit::ser::to_string_pretty(&config).map_err(|error| ConfigError::Invalid {
            origin: self.path.join(RUN_TOML).display().to_string(),
            message: error.to_string(),
        })?;
        let text = format!(
            "# What stages of this run read, written by `deepmcat run`. To change a setting: {RUN_TOML}\n{text}"
        );
        let name = format!("{}.toml", &blake3::hash(text.as_bytes()).to_hex()[..16]);
        self.settings = Path::new(FROZEN).join(name);
        let file = self.path.join(&self.settings);
        if fs_err::read(&file).is_ok_and(|there| there == text.as_bytes()) {
            return Ok(());
        }
        write_text(&self.path, &file, &text)
    }

    /// The receipt of a node.
    #[must_use]
    pub fn receipt(&self, node: NodeId) -> PathBuf {
        self.path.join("receipts").join(format!("{node}.json"))
    }

    /// The log of a node.
    #[must_use]
    pub fn log(&self, node: NodeId) -> PathBuf {
        self.path.join("logs").join(format!("{node}.log"))
    }

    /// Removes what killed stages were writing. Only with the lock held.
    ///
    /// # Errors
    /// When a temporary folder cannot be removed.
    pub fn sweep(&self) -> Result<(), Error> {
        // Beside the folder that a table folder is in (`deepmcat_schemas::files`), unless that is a partition.
        for folder in ["", "baseline", "checkpoints"].map(|above| self.path.join(above).join(TEMPORARY)) {
            if folder.exists() {
                fs_err::remove_dir_all(folder)?;
            }
        }
        Ok(())
    }
}

/// Writes a small text file of a run folder, whole or not at all.
pub(crate) fn write_text(run: &Path, path: &Path, text: &str) -> Result<(), Error> {
    // The run's own temporary folder, also for RUN/run.toml: it is on the same disk, and swept.
    let written = write_atomic_by_way_of(&run.join(TEMPORARY), path, |file| file.write_all(text.as_bytes()));
    Ok(written?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join(RUN_TOML), text).unwrap();
        folder
    }

    #[test]
    fn what_is_frozen_reads_back_as_the_same_settings() {
        let folder = folder("[input]\npaths = [\"/a\"]\n[train]\nrate = 1e-5\n[compute]\nprecision = \"auto\"\n");
        let mut run = RunFolder::open_with(folder.path(), &["cluster.k=9".to_owned()]).unwrap();
        run.freeze().unwrap();
        let file = folder.path().join(&run.settings);
        let (frozen, _) = deepmcat_config::resolve(None, Some(&file), &[]).unwrap();
        for stage in ["ingest", "init", "embed", "cluster", "sample", "train"] {
            assert_eq!(frozen.settings_of(stage), run.config.settings_of(stage), "{stage}");
        }
        assert_eq!((frozen.cluster.k, frozen.train.rate), (9, 1e-5));
        // A file by the same name that holds something else is no such file.
        fs_err::write(&file, "[cluster]\nk = 3\n").unwrap();
        run.freeze().unwrap();
        assert_eq!(deepmcat_config::resolve(None, Some(&file), &[]).unwrap().0.cluster.k, 9);
        assert!(!folder.path().join(TEMPORARY).exists());
    }

    #[test]
    fn run_toml_changes_when_it_is_saved_and_not_before() {
        let folder = folder("[input]\npaths = [\"/a\"]\n");
        let read = || fs_err::read_to_string(folder.path().join(RUN_TOML)).unwrap();
        let before = read();
        let run = RunFolder::open_with(folder.path(), &["cluster.k=9".to_owned()]).unwrap();
        assert_eq!(read(), before);
        run.save().unwrap();
        assert!(read().contains("k = 9"));
        let saved = read();
        RunFolder::open(folder.path()).unwrap().save().unwrap();
        assert_eq!(read(), saved);
    }
}

//! A run folder: its configuration, and the places of receipts, logs and temporary files.

use std::path::{Path, PathBuf};

use deepmcat_common::{Config, ConfigError, config};
use deepmcat_schemas::layout::{RUN_TOML, TEMPORARY};

use crate::Error;
use crate::dag::NodeId;

/// A run folder with its resolved configuration.
#[derive(Debug)]
pub struct RunFolder {
    /// The folder.
    pub path: PathBuf,
    /// The configuration of run.toml.
    pub config: Config,
}

impl RunFolder {
    /// Opens a run folder.
    ///
    /// # Errors
    /// When there is no run.toml, or it does not resolve.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &[])
    }

    /// Opens a run folder as if these settings were changed; run.toml stays as it is.
    ///
    /// # Errors
    /// As [`Self::open`], and when a setting is unknown.
    pub fn open_with(path: &Path, sets: &[String]) -> Result<Self, Error> {
        let file = path.join(RUN_TOML);
        if !file.is_file() {
            return Err(ConfigError::NoRun { path: path.to_owned() }.into());
        }
        let (config, _) = config::resolve(None, Some(&file), sets)?;
        if config.input.paths.is_empty() {
            return Err(Error::EmptyInput { path: file });
        }
        Ok(Self { path: path.to_owned(), config })
    }

    /// Writes `--set` changes into run.toml, keeping its comments.
    ///
    /// # Errors
    /// When a setting is unknown or out of range, or the file cannot be written.
    pub fn change(path: &Path, sets: &[String]) -> Result<(), Error> {
        let file = path.join(RUN_TOML);
        if sets.is_empty() {
            return Ok(());
        }
        let (_, document) = config::resolve(None, Some(&file), sets)?;
        write_text(&file, &document.to_string())
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

/// Writes a small text file atomically.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    // The temporary name stands in the run's own temporary folder, also for RUN/run.toml.
    let folder = path.parent().unwrap_or(Path::new(""));
    fs_err::create_dir_all(folder)?;
    let temporary = folder.join(format!(".{}.new", path.file_name().unwrap_or_default().to_string_lossy()));
    let mut file = fs_err::File::create(&temporary)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()?;
    fs_err::rename(&temporary, path)?;
    Ok(())
}

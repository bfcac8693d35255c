//! A run folder: its configuration, and the places of receipts, logs and temporary files.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use deepmcat_config::{Config, ConfigError};
use deepmcat_schemas::files::write_atomic_by_way_of;
use deepmcat_schemas::jobs::NODES;
use deepmcat_schemas::layout::{RUN_TOML, TEMPORARY};

use crate::dag::{Node, NodeId};
use crate::{Error, settings};

/// A run folder with its resolved configuration.
#[derive(Debug)]
pub struct RunFolder {
    /// The folder.
    pub path: PathBuf,
    /// The configuration of run.toml, with `--set` changes.
    pub config: Config,
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
        if config.input.paths.is_empty() && config.input.server.is_empty() {
            return Err(Error::EmptyInput { path: file });
        }
        settings::from_run_folder(path, &mut config)?;
        let changed = (!sets.is_empty()).then(|| document.to_string());
        Ok(Self { path: path.to_owned(), config, changed })
    }

    /// Writes `--set` changes into run.toml, keeping its comments. Only with the lock held.
    ///
    /// # Errors
    /// When the file cannot be written; it is then as it was.
    pub fn save(&self) -> Result<(), Error> {
        self.changed.as_ref().map_or(Ok(()), |text| write_text(&self.path, &self.path.join(RUN_TOML), text))
    }

    /// Writes the job of every node, where its file does not hold it already, and removes those of other nodes: what runs is
    /// files from here on, so that an edit of run.toml is for the next run. Only with the lock held.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_jobs(&self, nodes: &[Node]) -> Result<(), Error> {
        let folder = self.path.join(NODES);
        fs_err::create_dir_all(&folder)?;
        for node in nodes {
            let (file, text) = (self.path.join(node.file()), node.job.text(&head(node)));
            if !fs_err::read(&file).is_ok_and(|there| there == text.as_bytes()) {
                write_text(&self.path, &file, &text)?;
            }
        }
        let own: HashSet<PathBuf> = nodes.iter().map(|node| self.path.join(node.file())).collect();
        for entry in fs_err::read_dir(&folder)? {
            let path = entry?.path();
            if !own.contains(&path) {
                fs_err::remove_file(path)?;
            }
        }
        Ok(())
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
        for folder in ["", "baseline", "encoder", "checkpoints"].map(|above| self.path.join(above).join(TEMPORARY)) {
            if folder.exists() {
                fs_err::remove_dir_all(folder)?;
            }
        }
        Ok(())
    }
}

/// The first lines of a job's file.
fn head(node: &Node) -> String {
    let program = node.job.program();
    format!(
        "The job of {}, written by `deepmcat run` from {RUN_TOML}. Paths start at the run folder.\n\
         To do it again by hand: deepmcat-{program} --job THIS-FILE [--out FOLDER]; of a copy: --run RUN too.",
        node.id
    )
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
    use deepmcat_schemas::jobs::Job;

    use super::*;

    fn folder(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join(RUN_TOML), text).unwrap();
        folder
    }

    #[test]
    fn jobs_read_back_and_those_of_other_settings_go() {
        let folder = folder("[input]\npaths = [\"/a\"]\n[train]\nrate = 1e-5\n[compute]\nprecision = \"auto\"\n");
        let run = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
            RunFolder::open_with(folder.path(), &sets).unwrap()
        };
        let long = run(&["cluster.k=9", "run.epochs=3", "train.schedule=cosine"]);
        let nodes = crate::dag::nodes(&long.config);
        long.write_jobs(&nodes).unwrap();
        for node in &nodes {
            assert_eq!(Job::read(&folder.path().join(node.file())).unwrap(), node.job, "{}", node.id);
        }
        // A file that was changed is written anew.
        let file = folder.path().join("nodes/cluster@1.toml");
        let text = fs_err::read_to_string(&file).unwrap();
        assert!(text.starts_with("# The job of cluster@1") && text.contains("\n[cluster]\nk = 9\n"), "{text}");
        fs_err::write(&file, "[cluster]\nk = 3\n").unwrap();
        let short = run(&["cluster.k=9", "run.epochs=2"]);
        short.write_jobs(&crate::dag::nodes(&short.config)).unwrap();
        assert_eq!(fs_err::read_to_string(&file).unwrap(), text);
        assert!(!folder.path().join("nodes/train@2.toml").exists());
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

//! What is large is kept for some epochs only: features and checkpoints. What an earlier chain of the run left stays until
//! it is asked to go.
//!
//! Receipts stay, with the hashes of what was removed, so fingerprints still hold; a node that needs a removed
//! table makes the runner compute it again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deepmcat_config::{Config, Run};
use deepmcat_schemas::Epoch;
use deepmcat_schemas::files::make_in;
use deepmcat_schemas::layout::{TEMPORARY, epoch_of, epochs, partition};

use crate::plan::{Plan, State};
use crate::{Error, RunFolder};

/// The folders, relative to the run, that the policy does not keep and no node still to be run reads.
#[must_use]
pub fn removable(run: &RunFolder, plan: &Plan) -> Vec<PathBuf> {
    let policy = &run.config.retention;
    let mut folders = Vec::new();
    for (table, last) in [("features", policy.features), ("checkpoints", policy.checkpoints)] {
        if last == 0 {
            continue;
        }
        let done = plan.nodes.iter().zip(&plan.states).filter(|(_, state)| **state == State::Done);
        let written: Vec<(&PathBuf, u32)> = done
            .flat_map(|(node, _)| &node.outputs)
            .filter(|path| path.starts_with(table))
            .filter_map(|path| Some((path, epoch_of(path)?.0)))
            .collect();
        let newest = written.iter().map(|(_, epoch)| *epoch).max().unwrap_or_default();
        let read = |path: &PathBuf| {
            plan.nodes.iter().zip(&plan.states).any(|(node, state)| *state != State::Done && node.inputs.contains(path))
        };
        let kept = |epoch: u32| epoch.saturating_add(last) > newest || marked(&run.config, table, epoch);
        let old = written.into_iter().filter(|(_, epoch)| !kept(*epoch));
        folders.extend(old.map(|(path, _)| path).filter(|&path| run.path.join(path).exists() && !read(path)).cloned());
    }
    folders
}

/// The folders of epochs, relative to the run, that no node writes any more since the settings were changed. Whoever reads
/// a whole table reads them too.
///
/// # Errors
/// When a table's folder cannot be listed.
pub fn strays(run: &RunFolder, plan: &Plan) -> Result<Vec<PathBuf>, Error> {
    let outputs = || plan.nodes.iter().flat_map(|node| &node.outputs);
    let written: BTreeSet<&Path> = outputs().map(PathBuf::as_path).collect();
    let tables: BTreeSet<&str> =
        outputs().filter(|path| epoch_of(path).is_some()).filter_map(|path| path.parent()?.to_str()).collect();
    let mut folders = Vec::new();
    for table in tables {
        let there = epochs(&run.path.join(table))?.into_iter().map(|epoch| partition(Path::new(""), table, epoch));
        folders.extend(there.filter(|folder| !written.contains(folder.as_path())));
    }
    Ok(folders)
}

/// What is kept at the end of a run.
#[derive(Debug)]
pub struct Keeper<'a> {
    config: &'a Config,
}

impl<'a> Keeper<'a> {
    /// Of a run with these settings.
    #[must_use]
    pub fn new(config: &'a Config) -> Self {
        Self { config }
    }

    /// Whether a table folder stays.
    #[must_use]
    pub fn keeps(&self, path: &Path) -> bool {
        let Some(Epoch(epoch)) = epoch_of(path) else { return true };
        // The pass after the last epoch has features of its own, and trains nothing.
        let Config { retention: policy, run: Run { epochs, .. }, .. } = self.config;
        let (table, last, newest) = if path.starts_with("features") {
            ("features", policy.features, *epochs)
        } else {
            ("checkpoints", policy.checkpoints, epochs.saturating_sub(1))
        };
        last == 0 || epoch.saturating_add(last) > newest || marked(self.config, table, epoch)
    }
}

/// True for the checkpoints that are kept besides the last: of every so many epochs, and of each network's last epoch,
/// since the result is made from them.
fn marked(config: &Config, table: &str, epoch: u32) -> bool {
    let every = config.retention.checkpoint_every;
    let ends = || config.run.tracks().any(|track| track.last() == Epoch(epoch));
    table == "checkpoints" && ((every > 0 && epoch.is_multiple_of(every)) || ends())
}

/// Removes what is [`removable`]. Only with the lock held.
///
/// # Errors
/// When a folder cannot be removed.
pub fn prune(run: &RunFolder, plan: &Plan) -> Result<(), Error> {
    for path in removable(run, plan) {
        remove(run, &path)?;
        tracing::debug!("removed {} (retention)", path.display());
    }
    Ok(())
}

/// Removes a folder of the run, relative to it.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(run: &RunFolder, path: &Path) -> Result<(), Error> {
    // Renamed first: a kill in between leaves a whole table or none.
    let name = path.to_string_lossy().replace('/', "-");
    let temporary = run.path.join(TEMPORARY);
    let doomed = temporary.join(name);
    make_in(&temporary, || fs_err::rename(run.path.join(path), &doomed))?;
    fs_err::remove_dir_all(&doomed)?;
    Ok(())
}

/// Bytes of all files below a path.
#[must_use]
pub fn size(path: &Path) -> u64 {
    let files = walkdir::WalkDir::new(path).into_iter().flatten().filter_map(|entry| entry.metadata().ok());
    files.filter(|metadata| metadata.is_file()).map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dag::may_be_absent;

    fn kept(sets: &[&str], table: &str) -> Vec<u32> {
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        let config = deepmcat_config::resolve(None, None, &sets).unwrap().0;
        let folder = |epoch: u32| partition(Path::new(""), table, Epoch(epoch));
        (0..=config.run.epochs).filter(|&epoch| Keeper::new(&config).keeps(&folder(epoch))).collect()
    }

    #[test]
    fn the_last_epochs_and_those_that_are_marked_are_kept() {
        let epochs = "run.epochs=6";
        assert_eq!(kept(&[epochs, "retention.features=2"], "features"), [5, 6]);
        assert_eq!(kept(&[epochs, "retention.features=0"], "features"), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(kept(&[epochs, "retention.features=1000000"], "features"), [0, 1, 2, 3, 4, 5, 6]);
        let checkpoints = |more: &str| kept(&[epochs, "retention.checkpoints=1", more], "checkpoints");
        // Training ends an epoch before the features do.
        assert_eq!(checkpoints("run.networks=1"), [5, 6]);
        assert_eq!(checkpoints("retention.checkpoint_every=2"), [0, 2, 4, 5, 6]);
        // The result is made from the last checkpoint of each network.
        assert_eq!(checkpoints("run.networks=3"), [1, 3, 5, 6]);
    }

    #[test]
    fn only_features_and_checkpoints_of_epochs_may_be_absent() {
        let may = |path: &str| may_be_absent(Path::new(path));
        assert!(may("features/epoch=3") && may("checkpoints/epoch=0"));
        assert!(!may("checkpoints/initial") && !may("assignments/epoch=3") && !may("baseline/features"));
    }
}

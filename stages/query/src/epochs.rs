//! The epochs of a run that have assignments: whose network they are of, and which epoch they compare with.

use std::path::Path;
use std::str::FromStr;

use deepmcat_config::{ConfigError, Run};
use deepmcat_schemas::layout::{RUN_TOML, epochs};
use deepmcat_schemas::{Assignments, Epoch, Table};

use crate::Error;

/// An epoch with assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// The epoch; `run.epochs` is the result.
    pub epoch: Epoch,
    /// Number of the network, from 0, that the cluster numbers follow; those of the result follow the last.
    pub network: u32,
    /// The epoch before, if its clusters have the same numbers. None at the first of a network.
    pub before: Option<Epoch>,
}

/// The epochs of a run that have assignments, in order. Those of earlier settings, which the run no longer writes, are
/// left out with a warning.
///
/// # Errors
/// When the folder is no run, its settings are wrong, or nothing is clustered yet.
pub fn of_run(run: &Path) -> Result<Vec<Pass>, Error> {
    let settings = settings(run)?;
    let folder = run.join(Assignments::NAME);
    let (own, others): (Vec<Epoch>, Vec<Epoch>) =
        epochs(&folder)?.into_iter().partition(|&epoch| settings.assigns(epoch));
    if let [first, ..] = others[..] {
        let count = others.len();
        tracing::warn!(
            "{count} epochs of earlier settings are left out, from epoch {first} on: deepmcat gc lists them"
        );
    }
    if own.is_empty() {
        return Err(Error::NoAssignments { run: run.to_owned() });
    }
    let pass = |&epoch: &Epoch| {
        let before = settings.before(epoch).filter(|before| own.contains(before));
        Pass { epoch, network: settings.track_of(epoch).number as u32, before }
    };
    Ok(own.iter().map(pass).collect())
}

/// How the epochs of a run are shared out, by its run.toml.
fn settings(run: &Path) -> Result<Run, Error> {
    let file = run.join(RUN_TOML);
    if !file.is_file() {
        return Err(ConfigError::NoRun { path: run.to_owned() }.into());
    }
    Ok(deepmcat_config::resolve(None, Some(&file), &[])?.0.run)
}

/// A range of epochs, both ends included: `A..B`, `A..`, `..B` or `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    first: u32,
    last: u32,
}

impl Range {
    /// Whether an epoch is in it.
    #[must_use]
    pub fn contains(self, epoch: Epoch) -> bool {
        (self.first..=self.last).contains(&epoch.0)
    }
}

impl Default for Range {
    fn default() -> Self {
        Self { first: 0, last: u32::MAX }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = |text: &str, open: u32| if text.is_empty() { Some(open) } else { text.parse().ok() };
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        match (end(first, 0), end(last, u32::MAX)) {
            (Some(first), Some(last)) if first <= last && !text.is_empty() => Ok(Self { first, last }),
            _ => Err("expected A..B with A at most B, both included, for example 10..20, 10.. or 10".to_owned()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ranges_include_both_ends() {
        let within = |text: &str| {
            let range: Range = text.parse().unwrap();
            (0..6).filter(|&epoch| range.contains(Epoch(epoch))).collect::<Vec<_>>()
        };
        assert_eq!(within("2..4"), [2, 3, 4]);
        assert_eq!(within("4.."), [4, 5]);
        assert_eq!(within("..1"), [0, 1]);
        assert_eq!(within("3"), [3]);
        for bad in ["4..2", "x", "", "1-2", "-1"] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_epoch_of_a_network_has_none_before() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        fs_err::write(run.join(RUN_TOML), "[run]\nepochs = 6\nnetworks = 3\ntaught = 1\n").unwrap();
        assert!(matches!(of_run(run), Err(Error::NoAssignments { .. })));
        // Networks of epochs 0-1, 2-3 and 4-5, of which the last is taught: epoch 5 has none; 9 is of earlier settings.
        for epoch in [0, 1, 2, 3, 4, 5, 6, 9] {
            fs_err::create_dir_all(run.join(format!("assignments/epoch={epoch}"))).unwrap();
        }
        let passes = of_run(run).unwrap();
        let of = |pass: &Pass| (pass.epoch.0, pass.network, pass.before.map(|before| before.0));
        let expected = [(0, 0, None), (1, 0, Some(0)), (2, 1, None), (3, 1, Some(2)), (4, 2, None), (6, 2, Some(4))];
        assert_eq!(passes.iter().map(of).collect::<Vec<_>>(), expected);
    }
}

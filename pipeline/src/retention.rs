//! What is large is kept for the last epochs only: features and checkpoints.
//!
//! Receipts stay, with the hashes of what was removed, so fingerprints still hold; a node that needs a removed
//! table makes the runner compute it again.

use std::path::Path;

use deepmcat_schemas::layout::epoch_of;

use crate::plan::{Plan, State};
use crate::{Error, RunFolder};

/// True for outputs that retention removes.
#[must_use]
pub fn may_be_absent(output: &Path) -> bool {
    epoch_of(output).is_some() && (output.starts_with("features") || output.starts_with("checkpoints"))
}

/// Removes what is older than the policy keeps and what no node still to be run reads.
///
/// # Errors
/// When a folder cannot be removed.
pub fn prune(run: &RunFolder, plan: &Plan) -> Result<(), Error> {
    let policy = &run.config.retention;
    for (table, keep) in [("features", policy.features), ("checkpoints", policy.checkpoints)] {
        if keep == 0 {
            continue;
        }
        let written = || {
            plan.nodes.iter().enumerate().filter(|(place, _)| plan.states[*place] == State::Done).flat_map(
                |(_, node)| {
                    node.outputs
                        .iter()
                        .filter(|path| path.starts_with(table))
                        .filter_map(|path| Some((path, epoch_of(path)?)))
                },
            )
        };
        let newest = written().map(|(_, epoch)| epoch.0).max().unwrap_or_default();
        for (path, epoch) in written() {
            let read =
                |(place, state): (usize, &State)| *state != State::Done && plan.nodes[place].inputs.contains(path);
            let folder = run.path.join(path);
            if epoch.0 + keep > newest || !folder.exists() || plan.states.iter().enumerate().any(read) {
                continue;
            }
            // Renamed first: a kill in between leaves a whole table or none.
            let doomed = run.path.join(deepmcat_schemas::layout::TEMPORARY).join(format!("{table}-{epoch}"));
            fs_err::create_dir_all(doomed.parent().unwrap_or(&run.path))?;
            fs_err::rename(&folder, &doomed)?;
            fs_err::remove_dir_all(&doomed)?;
            tracing::debug!("removed {} (retention)", path.display());
        }
    }
    Ok(())
}

//! `deepmcat gc`: what retention does not keep, and what no setting writes any more. A dry run unless told otherwise.

use std::path::Path;

use serde_json::json;

use super::explain::{plan_of, print, print_json};
use crate::lock::Lock;
use crate::retention::{removable, remove, size, strays};
use crate::select::Selection;
use crate::{Error, RunFolder};

/// Lists, and with `delete` removes, what no policy keeps and no node still to be run reads, and epochs of earlier settings.
pub(super) fn gc(path: &Path, delete: bool, as_json: bool) -> Result<(), Error> {
    RunFolder::open(path)?;
    // A runner at work decides for itself.
    let _lock = if delete { Some(Lock::take(path)?) } else { None };
    let run = RunFolder::open(path)?;
    let plan = plan_of(&run, false, &Selection::default())?;
    let folders: Vec<_> = [removable(&run, &plan), strays(&run, &plan)?]
        .into_iter()
        .flatten()
        .map(|folder| (size(&run.path.join(&folder)), folder))
        .collect();
    let bytes: u64 = folders.iter().map(|(bytes, _)| bytes).sum();
    if delete {
        for (_, folder) in &folders {
            remove(&run, folder)?;
        }
        run.sweep()?;
    }
    if as_json {
        let list: Vec<_> = folders.iter().map(|(bytes, path)| json!({"path": path, "bytes": bytes})).collect();
        return print_json(&json!({"deleted": delete, "bytes": bytes, "folders": list}));
    }
    for (bytes, folder) in &folders {
        print(&format!("{:>10.1} MB  {}", *bytes as f64 / 1e6, folder.display()))?;
    }
    let megabytes = bytes as f64 / 1e6;
    match (folders.len(), delete) {
        (0, _) => tracing::info!("nothing to remove"),
        (n, true) => tracing::info!("removed {n} folders, {megabytes:.1} MB"),
        (n, false) => {
            tracing::info!("{n} folders, {megabytes:.1} MB may be removed: deepmcat gc {} --delete", path.display())
        }
    }
    Ok(())
}

//! What a node's result depends on: its command, the version of its stage's results, the settings it reads, the contents
//! of its inputs, and what the file system says of the archive.

use std::collections::BTreeMap;
use std::path::Path;

use deepmcat_common::result_version;

use crate::dag::{Arg, Node, Stage};
use crate::hashes::Hashes;
use crate::{Error, RunFolder};

/// The components by name. Two runs of a node with equal components give equal outputs.
pub type Components = BTreeMap<String, String>;

/// Components of a node, given the hash of each input below the run folder.
///
/// # Errors
/// When an input of the user's is missing or cannot be read.
pub fn components(
    run: &RunFolder,
    node: &Node,
    hashes: &Hashes,
    input: impl Fn(&Path) -> Option<String>,
) -> Result<Components, Error> {
    let mut components = Components::new();
    // The user's paths are left out: a moved archive is the same archive.
    let command: Vec<String> = node
        .args
        .iter()
        .filter_map(|arg| match arg {
            Arg::Text(text) => Some(text.clone()),
            Arg::Inside(path) => Some(path.display().to_string()),
            Arg::Outside(_) => None,
        })
        .collect();
    components.insert("command".to_owned(), command.join(" "));
    let (job, config) = node.effective(&run.config);
    components.insert("version of its results".to_owned(), result_version(job).to_string());
    components.extend(config.settings_of(job));
    if node.id.stage == Stage::Ingest {
        // Their table is another one, the node is the same.
        components.insert("version of its labels".to_owned(), result_version("labels").to_string());
        components.extend(config.settings_of("labels"));
    }
    for path in &node.inputs {
        components.insert(format!("input {}", path.display()), input(path).unwrap_or_default());
    }
    for (number, path) in node.outside.iter().enumerate() {
        components.insert(format!("archive {number}"), hashes.of_archive(path)?.unwrap_or_default());
    }
    for (setting, path) in &node.files {
        // A relative path starts at the run folder.
        let path = run.path.join(path);
        if !path.is_file() {
            return Err(Error::NoFile { path, setting });
        }
        components.insert(format!("content of {setting}"), hashes.of(&path)?.unwrap_or_default());
    }
    Ok(components)
}

/// The components that differ: name, old value, new value.
#[must_use]
pub fn differences(old: &Components, new: &Components) -> Vec<(String, String, String)> {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let value = |of: &Components, name: &String| of.get(name).cloned().unwrap_or_else(|| "(none)".to_owned());
    names
        .into_iter()
        .map(|name| (name.clone(), value(old, name), value(new, name)))
        .filter(|(_, old, new)| old != new)
        .collect()
}

//! What a node's result depends on: its command, its stage's version, the settings it reads, its inputs' contents.

use std::collections::BTreeMap;
use std::path::Path;

use crate::dag::{Arg, Node};
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
    components.insert("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let (job, config) = node.effective(&run.config);
    components.extend(config.settings_of(job));
    for path in &node.inputs {
        // What no node writes is the user's: the key file of the ingest.
        let hash = match input(path) {
            Some(hash) => Some(hash),
            None => hashes.of(&run.path.join(path))?,
        };
        components.insert(format!("input {}", path.display()), hash.unwrap_or_default());
    }
    for (number, path) in node.outside.iter().enumerate() {
        let hash = hashes.of(path)?;
        if hash.is_none() && !path.exists() {
            return Err(Error::NoInput { path: path.clone() });
        }
        components.insert(format!("archive {number}"), hash.unwrap_or_default());
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

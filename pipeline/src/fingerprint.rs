//! What a node's result depends on: the settings of its job, the contents of its inputs, and what the file system says of
//! the archive.

use std::collections::BTreeMap;
use std::path::Path;

use crate::dag::Node;
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
    let mut components = node.job.settings();
    for path in &node.inputs {
        components.insert(format!("input {}", path.display()), input(path).unwrap_or_default());
    }
    for (number, path) in node.outside.iter().enumerate() {
        components.insert(format!("archive {number}"), hashes.of_archive(&run.path.join(path))?.unwrap_or_default());
    }
    for (setting, path) in &node.files {
        // A relative path starts at the run folder.
        let path = run.path.join(path);
        if !path.exists() {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dag::nodes;

    fn of(folder: &Path, name: &str, sets: &[&str], input: &str) -> Result<Components, Error> {
        fs_err::write(folder.join("run.toml"), "[input]\npaths = [\"archive\"]\n").unwrap();
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        let run = RunFolder::open_with(folder, &sets)?;
        let node = nodes(&run.config).into_iter().find(|node| node.id.to_string() == name).unwrap();
        components(&run, &node, &Hashes::open(folder, false), |_| Some(input.to_owned()))
    }

    #[test]
    fn each_part_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = |sets: &[&str], input: &str| of(folder.path(), "cluster@0", sets, input).unwrap();
        let plain = cluster(&[], "hash");
        assert!(plain["stage"] == "\"cluster\"" && plain["result_version"] == "3", "{plain:?}");
        assert_eq!(plain["input features/epoch=0"], "hash");
        let names = |other: &Components| {
            let changes = differences(&plain, other).into_iter();
            changes.map(|(name, ..)| name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(&cluster(&["cluster.k=7"], "hash")), "cluster.k");
        assert_eq!(names(&cluster(&["run.seed=7"], "hash")), "seed");
        assert_eq!(names(&cluster(&["train.rate=0.1", "compute.threads=3"], "hash")), "");
        assert_eq!(names(&cluster(&[], "other")), "input features/epoch=0");
    }

    #[test]
    fn the_archive_counts_by_what_the_file_system_says_and_rules_by_what_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let ingest = |sets: &[&str]| of(folder.path(), "ingest", sets, "");
        assert!(matches!(ingest(&[]), Err(Error::NoInput { .. })));
        fs_err::create_dir_all(folder.path().join("archive")).unwrap();
        assert_eq!(ingest(&[]).unwrap()["archive 0"], "", "not mounted");
        let rules = folder.path().join("myrules");
        fs_err::write(&rules, "one").unwrap();
        let set = format!("ingest.rules={}", rules.display());
        let one = ingest(&[&set]).unwrap();
        assert!(!one.values().any(|value| value.contains("myrules")), "not its place: {one:?}");
        fs_err::write(&rules, "two").unwrap();
        let changes = differences(&one, &ingest(&[&set]).unwrap());
        assert_eq!(changes.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["content of ingest.rules"]);
    }
}

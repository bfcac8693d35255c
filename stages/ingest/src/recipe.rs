//! What a data set is made with, as a small file beside it: who made it otherwise is told what differs.

use std::fmt::Debug;
use std::path::Path;

use deepmcat_schemas::SchemaError;
use deepmcat_schemas::files::write_atomic;
use deepmcat_schemas::layout::INGEST_TOML;

use crate::rules::Rules;
use crate::settings::Settings;

/// Names and values of everything that shapes a data set, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe(Vec<(String, String)>);

/// The entry that identifies the key, without giving it away.
pub(crate) const KEY: &str = "key";
/// The entry of the class rules. They shape labels and what is left out, but no image.
const RULES: &str = "rules";

const HEAD: &str =
    "# What made this data set. deepmcat reads it to see what an earlier ingest did; do not change it.\n";

impl Recipe {
    /// Of an ingest with these settings and rules.
    pub fn of(settings: &Settings, rules: &Rules, version: &str) -> Self {
        // A field that is added has to be judged here.
        let Settings {
            rules: _,
            threads: _,
            batch: _,
            fresh: _,
            frames,
            bits,
            window,
            own_window,
            keys,
            limit,
            seconds,
            zip,
        } = settings;
        let rules = blake3::hash(format!("{rules:?}").as_bytes()).to_hex();
        let entry = |name: &str, value: &dyn Debug| (name.to_owned(), format!("{value:?}"));
        Self(vec![
            entry("version", &version),
            entry("frames", frames),
            entry("bits", bits),
            entry("window", window),
            entry("own_window", own_window),
            entry("max_memory_bytes", limit),
            entry("max_seconds", seconds),
            entry("zip_members", &zip.members),
            entry("zip_ratio", &zip.ratio),
            entry(KEY, &keys.name()),
            entry(RULES, &&rules[..16]),
        ])
    }

    /// Reads the recipe of a folder; none where it has none.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = fs_err::read_to_string(folder.join(INGEST_TOML)).ok()?;
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| line.split_once(" = ").map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Writes the recipe into a folder.
    pub fn write(&self, folder: &Path) -> Result<(), SchemaError> {
        write_atomic(&folder.join(INGEST_TOML), |file| std::io::Write::write_all(file, self.text().as_bytes()))
    }

    /// The file's text.
    pub fn text(&self) -> String {
        self.0.iter().fold(HEAD.to_owned(), |text, (name, value)| text + name + " = " + value + "\n")
    }

    /// The entries that differ from those of `other`, with the value there and here.
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let value = |recipe: &Self, name: &str| {
            recipe
                .0
                .iter()
                .find(|(own, _)| own == name)
                .map_or_else(|| "nothing".to_owned(), |(_, value)| value.clone())
        };
        let names = self.0.iter().chain(other.0.iter().filter(|(name, _)| self.0.iter().all(|(own, _)| own != name)));
        let all = names.map(|(name, _)| (name.clone(), value(other, name), value(self, name)));
        all.filter(|(_, there, here)| there != here).collect()
    }

    /// The differences that matter to images: all but those of the class rules.
    pub fn of_images(&self, other: &Self) -> Vec<(String, String, String)> {
        self.differences(other).into_iter().filter(|(name, ..)| name != RULES).collect()
    }
}

/// Differences as a person reads them: `bits: 8 there, 16 now`.
pub(crate) fn shown(differences: &[(String, String, String)]) -> String {
    let one = |(name, there, here): &(String, String, String)| format!("{name}: {there} there, {here} now");
    differences.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_reads_back_and_names_what_differs() {
        let settings =
            Settings::of(&deepmcat_stage::CommonArgs::default().config().unwrap().ingest(Vec::new(), "dataset".into()));
        let rules = Rules::load("none").unwrap();
        let one = Recipe::of(&settings, &rules, "1");
        let folder = tempfile::tempdir().unwrap();
        let dataset = folder.path().join("dataset");
        one.write(&dataset).unwrap();
        assert_eq!(Recipe::read(&dataset).unwrap(), one);
        assert!(Recipe::read(folder.path()).is_none());
        let two = Recipe::of(&Settings { bits: 16, ..settings }, &Rules::load("ukbb").unwrap(), "1");
        let names = |differences: Vec<(String, String, String)>| -> Vec<String> {
            differences.into_iter().map(|(name, ..)| name).collect()
        };
        assert_eq!(names(two.differences(&one)), ["bits", "rules"]);
        assert_eq!(shown(&two.of_images(&one)), "bits: 8 there, 16 now");
    }
}

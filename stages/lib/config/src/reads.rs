//! Which settings a stage's output depends on: what a node's fingerprint and a table's stamp cover.

use std::path::Path;

use deepmcat_schemas::Stamp;

use super::{Compute, Config, FeatureLayer, Ingest, Precision, Run, Schedule};
use crate::processor::has_bfloat16;

/// The version of what each stage writes. Raise it by hand when a change of the code changes a table: nodes that ran
/// before then run again, and stamps tell old tables from new ones. A release that changes no table raises none.
const RESULT_VERSIONS: [(&str, u32); 10] = [
    ("ingest", 1),
    ("labels", 1),
    ("pack", 1),
    ("init", 1),
    ("embed", 1),
    ("raw", 1),
    ("cluster", 1),
    ("sample", 1),
    ("train", 1),
    ("evaluate", 1),
];

/// The version of what a stage writes; `raw` is `embed --raw`, `init` is `train --init`, `labels` a table of ingest.
#[must_use]
pub fn result_version(stage: &str) -> u32 {
    RESULT_VERSIONS.iter().find(|(name, _)| *name == stage).map_or(0, |(_, version)| *version)
}

/// The class rules that are built in (`data/rules`). `ingest.rules` of another name is a file.
pub const RULES: [&str; 3] = ["folders", "none", "ukbb"];

/// The sections that a stage's output depends on.
fn sections(stage: &str) -> &'static [&'static str] {
    match stage {
        "ingest" | "labels" => &["ingest"],
        "init" => &["network"],
        "embed" => &["network", "augment", "embed", "compute"],
        "raw" => &["embed"],
        "cluster" => &["cluster", "compute"],
        "pack" => &["network"],
        "sample" => &["sample"],
        "train" => &["network", "augment", "embed", "train", "compute"],
        _ => &[],
    }
}

impl Ingest {
    /// The file of the class rules, where they are not built in.
    #[must_use]
    pub fn rules_file(&self) -> Option<&Path> {
        (!RULES.contains(&self.rules.as_str())).then(|| Path::new(&self.rules))
    }
}

impl Compute {
    /// The kind of device: `cpu` or `cuda`. Cards of one machine count as equal.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.device.split(':').next().unwrap_or_default()
    }

    /// The arithmetic that `precision` means on this machine: never `Auto`.
    #[must_use]
    pub fn resolved_precision(&self) -> Precision {
        match self.precision {
            Precision::Auto if self.kind() != "cpu" || has_bfloat16() => Precision::Bfloat16,
            Precision::Auto => Precision::Float32,
            precision => precision,
        }
    }
}

impl Config {
    /// Whether a stage draws random numbers, so that `run.seed` counts.
    fn draws(&self, stage: &str) -> bool {
        match stage {
            "init" | "cluster" | "sample" | "train" => true,
            "embed" => self.embed.augment,
            _ => false,
        }
    }

    /// The settings that a stage's output depends on, as `section.key` and value, in order. `raw` is `embed --raw`.
    /// What depends on the machine stands as it is on this one.
    ///
    /// Part of a node's fingerprint, so a change of another setting reruns nothing.
    #[must_use]
    pub fn settings_of(&self, stage: &str) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        if self.draws(stage) {
            settings.push(("run.seed".to_owned(), self.run.seed.to_string()));
        }
        let document = toml_edit::ser::to_document(&self.as_on_this_machine()).unwrap_or_default();
        for &section in sections(stage) {
            for (key, value) in
                document.get(section).and_then(|item| item.as_table_like()).into_iter().flat_map(|t| t.iter())
            {
                let name = format!("{section}.{key}");
                if self.reads(stage, section, &name) {
                    settings.push((name, value.to_string().trim().to_owned()));
                }
            }
        }
        // In effect where a node or a command line merges: the others have it at 0.
        if stage == "cluster" && self.final_pass.merge > 0 {
            settings.push(("final.merge".to_owned(), self.final_pass.merge.to_string()));
        }
        // The rate at an epoch depends on how many its network has, the augmentation on which network it is. Where all
        // have as many epochs, more networks can be added.
        let augments = self.augment.spread > 0.0 && (stage == "train" || stage == "embed" && self.embed.augment);
        if augments || stage == "train" && self.train.schedule == Schedule::Cosine {
            let Run { epochs, networks, .. } = self.run;
            let each = if epochs.is_multiple_of(networks) {
                (epochs / networks).to_string()
            } else {
                format!("{epochs} / {networks}")
            };
            settings.push(("run.epochs / run.networks".to_owned(), each));
        }
        settings
    }

    /// Whether a stage's output depends on a setting of its sections, the others being what they are.
    fn reads(&self, stage: &str, section: &str, name: &str) -> bool {
        let connected = self.network.features == FeatureLayer::Fc;
        match name {
            // Class rules give labels, which have a table of their own; through what they exclude they change which images
            // there are, not any image.
            "ingest.rules" => stage == "labels",
            _ if stage == "labels" => false,
            // Its content counts.
            "ingest.key_file" => false,
            // In effect where a node or a command line says so: the others have it at 1.
            "sample.sure" => self.sample.sure < 1.0,
            // How fast, not which.
            "compute.threads" | "train.threads" => false,
            // One process computes what it did before there was the setting.
            "compute.ranks" => self.compute.ranks > 1 && matches!(stage, "train" | "cluster"),
            _ if stage == "pack" => name == "network.input",
            "network.fc" => connected,
            "network.dropout" => connected && stage == "train",
            // Features that training writes.
            "embed.memory" => stage == "train" && self.embed.memory > 0.0,
            "embed.float16" if stage == "train" => self.embed.memory > 0.0,
            _ if stage == "train" && section == "embed" => false,
            "embed.views" => stage == "embed" && self.embed.augment,
            _ if section == "augment" && stage == "embed" => self.embed.augment,
            _ if stage == "raw" => name == "embed.float16",
            _ => true,
        }
    }

    /// With the device and precision resolved for this machine, and without the place of a rules file,
    /// whose content counts.
    fn as_on_this_machine(&self) -> Self {
        let mut config = self.clone();
        config.compute.device = self.compute.kind().to_owned();
        config.compute.precision = self.compute.resolved_precision();
        if self.ingest.rules_file().is_some() {
            config.ingest.rules = "(a file)".to_owned();
        }
        config
    }

    /// The stamp that a stage puts into its tables: its configuration hash covers what the stage reads. The seed is 0
    /// where the stage draws no random number.
    #[must_use]
    pub fn stamp(&self, stage: &str) -> Stamp {
        let mut hasher = blake3::Hasher::new();
        for (name, value) in self.settings_of(stage) {
            hasher.update(format!("{name}={value}\n").as_bytes());
        }
        Stamp {
            stage: stage.to_owned(),
            stage_version: result_version(stage).to_string(),
            config_hash: hasher.finalize().to_hex()[..16].to_owned(),
            seed: if self.draws(stage) { self.run.seed } else { 0 },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(sets: &[&str]) -> Config {
        super::super::resolve(None, None, &sets.iter().map(|&set| set.to_owned()).collect::<Vec<_>>()).unwrap().0
    }

    #[test]
    fn the_built_in_rules_are_those_of_the_data_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../data/rules");
        let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> =
            files.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names, RULES);
    }

    #[test]
    fn a_rules_file_is_one_whatever_its_name_and_its_place_does_not_count() {
        let settings = |rules: &str| config(&[&format!("ingest.rules={rules}")]).settings_of("labels");
        for rules in ["myrules", "/a/rules.toml", "ukbb.toml", "None"] {
            assert_eq!(config(&[&format!("ingest.rules={rules}")]).ingest.rules_file(), Some(Path::new(rules)));
            assert_eq!(settings(rules), settings("elsewhere/rules"), "{rules}");
        }
        assert_ne!(settings("none"), settings("myrules"));
        assert_eq!(config(&["ingest.rules=ukbb"]).ingest.rules_file(), None);
    }

    #[test]
    fn device_and_arithmetic_count_as_they_are_on_this_machine() {
        let settings = |sets: &[&str]| config(sets).settings_of("train");
        let here = if has_bfloat16() { "bfloat16" } else { "float32" };
        assert_eq!(settings(&["compute.precision=auto"]), settings(&[&format!("compute.precision={here}")]));
        let card = |device: &str| settings(&[&format!("compute.device={device}"), "compute.precision=auto"]);
        assert_eq!(card("cuda:1"), settings(&["compute.device=cuda", "compute.precision=bfloat16"]));
        assert_ne!(card("cuda"), card("cpu"));
    }

    #[test]
    fn the_seed_is_only_in_the_stamps_of_those_who_draw() {
        let seed = |stage: &str, sets: &[&str]| config(&[&["run.seed=7"], sets].concat()).stamp(stage).seed;
        assert_eq!(["init", "embed", "cluster", "sample", "train"].map(|stage| seed(stage, &[])), [7; 5]);
        assert_eq!(["ingest", "pack", "raw", "evaluate"].map(|stage| seed(stage, &[])), [0; 4]);
        assert_eq!(seed("embed", &["embed.augment=false"]), 0);
    }

    #[test]
    fn every_stage_has_a_version_of_its_results() {
        assert!(RESULT_VERSIONS.iter().all(|(stage, version)| *version > 0 && result_version(stage) == *version));
        assert_eq!(config(&[]).stamp("cluster").stage_version, result_version("cluster").to_string());
    }
}

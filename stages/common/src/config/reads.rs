//! Which settings a stage's output depends on: what a node's fingerprint and a table's stamp cover.

use deepmcat_schemas::Stamp;

use super::{Config, FeatureLayer, Run, Schedule};

/// The sections that a stage's output depends on. `run.seed` counts for all.
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

impl Config {
    /// The settings that a stage's output depends on, as `section.key` and value, in order. `raw` is `embed --raw`.
    ///
    /// Part of a node's fingerprint, so a change of another setting reruns nothing.
    #[must_use]
    pub fn settings_of(&self, stage: &str) -> Vec<(String, String)> {
        let mut settings = vec![("run.seed".to_owned(), self.run.seed.to_string())];
        let document = toml_edit::ser::to_document(self).unwrap_or_default();
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
        if stage == "cluster" && self.last.merge > 0 {
            settings.push(("final.merge".to_owned(), self.last.merge.to_string()));
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

    /// The stamp that a stage puts into its tables: its configuration hash covers what the stage reads.
    #[must_use]
    pub fn stamp(&self, stage: &str, stage_version: &str) -> Stamp {
        let mut hasher = blake3::Hasher::new();
        for (name, value) in self.settings_of(stage) {
            hasher.update(format!("{name}={value}\n").as_bytes());
        }
        Stamp {
            stage: stage.to_owned(),
            stage_version: stage_version.to_owned(),
            config_hash: hasher.finalize().to_hex()[..16].to_owned(),
            seed: self.run.seed,
        }
    }
}

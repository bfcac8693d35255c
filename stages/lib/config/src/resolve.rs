//! Resolves a configuration: the paper's settings, then a preset, then a file, then `--set`.

use std::path::Path;

use toml_edit::{DocumentMut, Item, Value};

use super::{Config, ConfigError, PRESETS, preset};

/// Resolves to the typed configuration and to the document it came from, which keeps every comment.
///
/// # Errors
/// When the preset or a key is unknown, the file is absent or no TOML, or a value is out of range.
pub fn resolve(
    preset_name: Option<&str>,
    file: Option<&Path>,
    sets: &[String],
) -> Result<(Config, DocumentMut), ConfigError> {
    let (base, text) = PRESETS[0];
    let mut document = parse(text, base)?;
    if let Some(name) = preset_name.filter(|&name| name != base) {
        apply(&mut document, &parse(preset(name)?, name)?, &format!("preset {name}"))?;
    }
    if let Some(path) = file {
        let origin = path.display().to_string();
        apply(&mut document, &parse(&fs_err::read_to_string(path)?, &origin)?, &origin)?;
    }
    for set in sets {
        set_one(&mut document, set)?;
    }
    let config: Config = toml_edit::de::from_document(document.clone()).map_err(|error| ConfigError::Invalid {
        origin: file.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string()),
        message: error.to_string().trim().to_owned(),
    })?;
    config.check()?;
    Ok((config, document))
}

fn parse(text: &str, origin: &str) -> Result<DocumentMut, ConfigError> {
    text.parse().map_err(|error: toml_edit::TomlError| ConfigError::Invalid {
        origin: origin.to_owned(),
        message: error.to_string().trim().to_owned(),
    })
}

/// Puts the values of `over` in place of those of `document`, keeping the comments of `document`.
fn apply(document: &mut DocumentMut, over: &DocumentMut, origin: &str) -> Result<(), ConfigError> {
    for (section, item) in over.iter() {
        let Some(table) = item.as_table_like() else {
            return Err(unknown(document, origin, section));
        };
        for (key, value) in table.iter() {
            let name = format!("{section}.{key}");
            let Some(value) = value.as_value() else {
                return Err(unknown(document, origin, &name));
            };
            replace(document, &name, value.clone(), origin)?;
        }
    }
    Ok(())
}

fn set_one(document: &mut DocumentMut, set: &str) -> Result<(), ConfigError> {
    let Some((name, text)) = set.split_once('=') else {
        return Err(ConfigError::BadSet { text: set.to_owned() });
    };
    let text = text.trim();
    // A bare word is a string, so that --set compute.device=cuda needs no quotes.
    let value = text.parse::<Value>().unwrap_or_else(|_| Value::from(text));
    replace(document, name.trim(), value, "--set")
}

fn replace(document: &mut DocumentMut, name: &str, value: Value, origin: &str) -> Result<(), ConfigError> {
    let error = unknown(document, origin, name);
    let slot = name
        .split_once('.')
        .and_then(|(section, key)| document.get_mut(section)?.as_table_like_mut()?.get_mut(key))
        .and_then(Item::as_value_mut);
    let Some(slot) = slot else {
        return Err(error);
    };
    // `width = 1` for a number with decimals is what people write.
    let value = match (&*slot, value.as_integer()) {
        (Value::Float(_), Some(whole)) => Value::from(whole as f64),
        _ => value,
    };
    let decor = slot.decor().clone();
    *slot = value;
    *slot.decor_mut() = decor;
    Ok(())
}

fn unknown(document: &DocumentMut, origin: &str, key: &str) -> ConfigError {
    let names = document.iter().flat_map(|(section, item)| {
        let keys = item.as_table_like().into_iter().flat_map(|table| table.iter());
        keys.map(move |(key, _)| format!("{section}.{key}"))
    });
    let suggestion =
        names.map(|name| (strsim::levenshtein(&name, key), name)).min().filter(|(d, _)| *d <= 4).map(|(_, name)| name);
    ConfigError::UnknownKey { origin: origin.to_owned(), key: key.to_owned(), suggestion }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn set(sets: &[&str]) -> Result<(Config, DocumentMut), ConfigError> {
        resolve(None, None, &sets.iter().map(|&set| set.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn every_preset_resolves() {
        for (name, _) in PRESETS {
            resolve(Some(name), None, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn the_papers_settings_are_the_papers() {
        let config = set(&[]).unwrap().0;
        assert_eq!((config.run.epochs, config.train.batch, config.network.input), (200, 256, 224));
        assert_eq!((config.train.rate, config.train.momentum, config.train.weight_decay), (0.05, 0.9, 1e-5));
        assert_eq!((config.cluster.iterations, config.network.fc, config.network.width), (20, 4096, 1.0));
        let k = |name| resolve(Some(name), None, &[]).unwrap().0.cluster.k;
        assert_eq!((k("balanced"), k("large"), k("small")), (24, 104, 104));
    }

    #[test]
    fn set_replaces_the_value_and_keeps_the_comment() {
        let (config, document) = set(&["cluster.k=7", "compute.device=cuda", "network.width=2"]).unwrap();
        assert_eq!((config.cluster.k, config.compute.device.as_str(), config.network.width), (7, "cuda", 2.0));
        let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(comments(&document.to_string()), comments(PRESETS[0].1));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |sets: &[&str]| set(sets).unwrap_err().to_string();
        assert!(message(&["cluster.K=7"]).contains("did you mean `cluster.k`"));
        assert!(message(&["nonsense"]).contains("SECTION.KEY=VALUE"));
        assert!(message(&["cluster.k=1"]).contains("`cluster.k` is 1, expected at least 2"));
        assert!(message(&["cluster.k=many"]).contains("cluster"));
        assert!(resolve(Some("peper"), None, &[]).unwrap_err().to_string().contains("one of paper"));
    }

    #[test]
    fn every_count_has_an_upper_bound() {
        let (_, document) = set(&[]).unwrap();
        for (section, item) in document.iter() {
            for (key, _) in item.as_table().unwrap().iter().filter(|(_, value)| value.is_integer()) {
                let name = format!("{section}.{key}");
                if name == "run.seed" {
                    continue;
                }
                for large in [u32::MAX, u32::MAX - 1] {
                    assert!(set(&[&format!("{name}={large}")]).is_err(), "{name} may be {large}");
                }
            }
        }
        let error = set(&["cluster.k=1000", "final.merge=21"]).unwrap_err().to_string();
        assert!(error.contains("`final.merge` is 21, expected at most 20000 / cluster.k"), "{error}");
        assert!(set(&["augment.ratio=[1.0, inf]"]).is_err() && set(&["train.rate=nan"]).is_err());
    }

    #[test]
    fn a_file_may_name_only_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run.toml");
        fs_err::write(&file, "[cluster]\nk = 9\n").unwrap();
        assert_eq!(resolve(None, Some(&file), &[]).unwrap().0.cluster.k, 9);
        fs_err::write(&file, "[cluster]\nk = \n").unwrap();
        assert!(resolve(None, Some(&file), &[]).unwrap_err().to_string().contains("line 2"));
    }

    #[test]
    fn only_what_a_stage_reads_changes_its_stamp() {
        let hash = |stage: &str, sets: &[&str]| set(sets).unwrap().0.stamp(stage).config_hash;
        assert_ne!(hash("cluster", &[]), hash("cluster", &["cluster.k=7"]));
        assert_eq!(hash("embed", &[]), hash("embed", &["cluster.k=7"]));
        assert_eq!(hash("embed", &[]), hash("embed", &["compute.threads=1"]));
        assert_ne!(hash("embed", &[]), hash("embed", &["run.seed=2"]));
    }

    /// Every setting, with another value that the check lets through, and the stages whose results it changes.
    #[test]
    fn each_setting_changes_the_results_of_those_who_read_it() {
        const STAGES: [&str; 10] =
            ["ingest", "labels", "pack", "init", "embed", "raw", "cluster", "sample", "train", "evaluate"];
        let cases = [
            ("input.paths", "[\"elsewhere\"]", ""), // the archive's content counts, not its place
            ("run.seed", "2", "init embed cluster sample train"),
            ("run.epochs", "3", ""),
            ("run.networks", "2", ""), // of their nodes
            ("run.taught", "1", ""),   // of its nodes
            ("ingest.rules", "ukbb", "labels"),
            ("ingest.frames", "all", "ingest"),
            ("ingest.bits", "16", "ingest"),
            ("ingest.window", "[1.0, 99.0]", "ingest"),
            ("ingest.own_window", "true", "ingest"),
            ("ingest.key_file", "key", ""), // its content counts
            ("ingest.max_memory", "512", "ingest"),
            ("ingest.max_seconds", "60", "ingest"),
            ("network.width", "0.5", "init embed train"),
            ("network.input", "256", "pack init embed train"),
            ("network.pool", "3", "init embed train"),
            ("network.features", "pool", "init embed train"),
            ("network.fc", "64", "init embed train"),
            ("network.dropout", "0.1", "train"),
            ("augment.area", "[0.5, 1.0]", "embed train"),
            ("augment.ratio", "[1.0, 1.0]", "embed train"),
            ("augment.rotation", "5", "embed train"),
            ("augment.bias", "0.1", "embed train"),
            ("augment.gamma", "0.1", "embed train"),
            ("augment.noise", "0.1", "embed train"),
            ("augment.spread", "0.1", "embed train"),
            ("embed.augment", "false", "embed"),
            ("embed.views", "2", "embed"),
            ("embed.memory", "0.5", "train"),
            ("embed.batch", "128", "embed"),
            ("embed.float16", "true", "embed raw"),
            ("cluster.k", "24", "cluster"),
            ("cluster.clusterings", "4", "cluster"),
            ("cluster.start", "spread", "cluster"),
            ("cluster.iterations", "5", "cluster"),
            ("cluster.redo", "2", "cluster"),
            ("cluster.tolerance", "0.1", "cluster"),
            ("sample.uniform", "false", "sample"),
            ("sample.least", "2400", "sample"),
            ("sample.sure", "0.5", "sample"), // of the node that has it
            ("train.batch", "32", "train"),
            ("train.rate", "0.1", "train"),
            ("train.schedule", "cosine", "train"),
            ("train.momentum", "0.5", "train"),
            ("train.weight_decay", "0.1", "train"),
            ("train.head", "kept", "train"),
            ("train.head_rate", "0.1", "train"),
            ("train.threads", "1", ""),
            ("final.augment", "true", ""), // a flag of one node
            ("final.k", "24", ""),
            ("final.merge", "2", "cluster"), // of the node that merges
            ("final.start", "spread", ""),
            ("final.redo", "2", ""),
            ("compute.device", "cuda", "embed cluster train"),
            ("compute.precision", "bfloat16", "embed cluster train"),
            ("compute.threads", "3", ""),
            ("compute.ranks", "2", "cluster train"),
            ("retention.features", "5", ""),
            ("retention.checkpoints", "5", ""),
            ("retention.checkpoint_every", "5", ""),
            ("pipeline.jobs", "5", ""),
            ("pipeline.retries", "5", ""),
            ("pipeline.shards", "5", ""),
            ("pipeline.gpus", "5", ""),
            ("pipeline.launcher", "srun -n {ranks}", ""),
        ];
        let (plain, document) = set(&[]).unwrap();
        for (name, value, expected) in cases {
            // One network has no other to learn from.
            let needs = if name == "run.taught" { "run.networks=2" } else { "run.networks=1" };
            let changed = set(&[needs, &format!("{name}={value}")]).unwrap().0;
            assert_ne!(changed, plain, "{name}");
            let rerun = STAGES.iter().filter(|stage| plain.settings_of(stage) != changed.settings_of(stage));
            assert_eq!(rerun.copied().collect::<Vec<_>>().join(" "), expected, "{name}");
        }
        let all = document.iter().flat_map(|(section, item)| {
            item.as_table().unwrap().iter().map(move |(key, _)| format!("{section}.{key}"))
        });
        assert_eq!(all.collect::<Vec<_>>(), cases.map(|(name, ..)| name.to_owned()), "a case for every setting");
    }

    #[test]
    fn networks_differ_by_their_number_alone() {
        let of = |epochs: &str, networks: &str| {
            let sets = ["augment.bias=0.3", "augment.gamma=0.4", "augment.noise=0.2", "augment.spread=0.5"];
            set(&[&sets[..], &[epochs, networks, "train.schedule=cosine"]].concat()).unwrap().0
        };
        let (few, more) = (of("run.epochs=6", "run.networks=3"), of("run.epochs=10", "run.networks=5"));
        let strengths = |config: &Config| -> Vec<f64> {
            (0..config.run.epochs)
                .step_by(2)
                .map(|epoch| (config.augment_at(epoch + 1).gamma * 250.0).round() / 100.0)
                .collect()
        };
        assert_eq!(strengths(&few), [1.0, 0.5, 1.5]);
        assert_eq!(strengths(&more), [1.0, 0.5, 1.5, 0.75, 1.25]);
        let strong = few.augment_at(5);
        assert!((strong.bias - 0.45).abs() < 1e-12 && (strong.noise - 0.3).abs() < 1e-12);
        assert_eq!(
            (strong.area, few.augment_at(6)),
            (few.augment.area, few.augment.clone()),
            "the pass after the last"
        );
        // So those that are there stay when others are added; not when all get longer.
        let longer = of("run.epochs=9", "run.networks=3");
        for stage in ["embed", "train"] {
            assert_eq!(few.settings_of(stage), more.settings_of(stage));
            assert_ne!(few.settings_of(stage), longer.settings_of(stage));
        }
    }

    #[test]
    fn settings_without_effect_are_not_read() {
        let settings = |stage: &str, sets: &[&str]| set(sets).unwrap().0.settings_of(stage);
        let clean = |more: &str| settings("embed", &["embed.augment=false", more]);
        assert_eq!(clean("augment.noise=1"), clean("embed.views=4"));
        let pool = |more: &str| settings("train", &["network.features=pool", more]);
        assert_eq!(pool("network.fc=7"), pool("network.dropout=0.1"));
    }
}

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
    use deepmcat_schemas::jobs::train::Sgd;

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
        assert_eq!((config.run.epochs, config.train.sgd.batch, config.network.body.input), (200, 256, 224));
        let Sgd { rate, momentum, weight_decay, .. } = config.train.sgd;
        assert_eq!((rate, momentum, weight_decay), (0.05, 0.9, 1e-5));
        let network = &config.network.body;
        assert_eq!((config.cluster.iterations, network.fc, network.width), (20, Some(4096), 1.0));
        let k = |name| resolve(Some(name), None, &[]).unwrap().0.cluster.k;
        assert_eq!((k("balanced"), k("large"), k("small")), (24, 104, 104));
    }

    #[test]
    fn set_replaces_the_value_and_keeps_the_comment() {
        let (config, document) = set(&["cluster.k=7", "compute.device=cuda", "network.width=2"]).unwrap();
        assert_eq!((config.cluster.k, config.compute.device.as_str(), config.network.body.width), (7, "cuda", 2.0));
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
}

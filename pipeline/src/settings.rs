//! The settings that name files: absolute, so that a run can be continued from any folder.

use std::path::{Path, PathBuf};

use deepmcat_config::{BUILT_IN_ENCODER, Config, RULES};
use deepmcat_schemas::jobs::fetch::Address;
use toml_edit::{Array, Value};

use crate::Error;

pub use deepmcat_schemas::jobs::{ENCODER as ENCODER_SETTING, RULES as RULES_SETTING};
/// The setting that names the file with the key of names and identifiers.
pub const KEY_SETTING: &str = "ingest.key_file";
/// The setting that names the folder of a model.
pub const MODEL_SETTING: &str = "input.model";
/// The setting that names the certificates that a server's is signed by.
pub const CA_SETTING: &str = "fetch.ca";
/// The setting that names an archive server.
const SERVER: &str = "input.server";
/// The setting that names the archive.
const INPUTS: &str = "input.paths";

/// `--set` words with the paths in them made absolute; a relative one starts at the current folder.
///
/// # Errors
/// When a file that is named is not there, or its path is not UTF-8.
pub fn absolute(sets: &[String]) -> Result<Vec<String>, Error> {
    let one = |set: &String| {
        let Some((name, text)) = set.split_once('=').map(|(name, text)| (name.trim(), text.trim())) else {
            return Ok(set.clone());
        };
        let value = text.parse::<Value>().unwrap_or_else(|_| Value::from(text));
        match (name, value.as_str(), value.as_array()) {
            (RULES_SETTING, Some(rules), _) if !RULES.contains(&rules) => {
                Ok(format!("{name}={}", Value::from(file(RULES_SETTING, Path::new(rules))?)))
            }
            (KEY_SETTING, Some(key), _) if !key.is_empty() => {
                Ok(format!("{name}={}", Value::from(file(KEY_SETTING, Path::new(key))?)))
            }
            (ENCODER_SETTING, Some(encoder), _) if !["", BUILT_IN_ENCODER].contains(&encoder) => {
                Ok(format!("{name}={}", Value::from(file(ENCODER_SETTING, Path::new(encoder))?)))
            }
            (CA_SETTING, Some(ca), _) if !ca.is_empty() => {
                Ok(format!("{name}={}", Value::from(file(CA_SETTING, Path::new(ca))?)))
            }
            (INPUTS, _, Some(paths)) => {
                let paths: Option<Vec<PathBuf>> = paths.iter().map(|path| path.as_str().map(PathBuf::from)).collect();
                paths.map_or_else(|| Ok(set.clone()), |paths| inputs(&paths))
            }
            _ => Ok(set.clone()),
        }
    };
    sets.iter().map(one).collect()
}

/// The settings that name an archive: its folders and files, and the server whose address is among them.
///
/// # Errors
/// When a folder or file is not there, its path is not UTF-8, or there are two servers.
pub fn archive(inputs: &[PathBuf]) -> Result<Vec<String>, Error> {
    let is_server = |input: &&PathBuf| input.to_str().is_some_and(Address::is_one);
    let (servers, paths): (Vec<&PathBuf>, Vec<&PathBuf>) = inputs.iter().partition(is_server);
    if servers.len() > 1 {
        return Err(Error::TwoServers);
    }
    let paths: Vec<PathBuf> = paths.into_iter().cloned().collect();
    let server = servers.first().and_then(|server| server.to_str()).unwrap_or_default();
    Ok(vec![self::inputs(&paths)?, format!("{SERVER}={}", Value::from(server))])
}

/// `input.paths=[...]` of an archive's folders and files.
///
/// # Errors
/// When one is not there, or its path is not UTF-8.
pub fn inputs(paths: &[PathBuf]) -> Result<String, Error> {
    let mut array = Array::new();
    for path in paths {
        let absolute = fs_err::canonicalize(path).map_err(|_| Error::NoInput { path: path.clone() })?;
        array.push(utf8(absolute)?);
    }
    Ok(format!("{INPUTS}={}", Value::from(array)))
}

/// The absolute path of a file that a setting names.
fn file(setting: &'static str, path: &Path) -> Result<String, Error> {
    if !path.is_file() {
        return Err(Error::NoFile { path: path.to_owned(), setting });
    }
    utf8(fs_err::canonicalize(path)?)
}

fn utf8(path: PathBuf) -> Result<String, Error> {
    path.into_os_string().into_string().map_err(|path| Error::NotUtf8 { path: path.into() })
}

/// Makes relative paths that a person wrote into run.toml absolute: they start at the run folder.
///
/// # Errors
/// When the current folder is gone, or a path is not UTF-8.
pub fn from_run_folder(run: &Path, config: &mut Config) -> Result<(), Error> {
    for path in &mut config.input.paths {
        *path = std::path::absolute(run.join(&path))?;
    }
    if let Some(rules) = config.ingest.rules_file() {
        config.ingest.settings.rules = utf8(std::path::absolute(run.join(rules))?)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_file_stays_as_it_is() {
        let sets = [
            "cluster.k=3",
            "ingest.rules=ukbb",
            "ingest.rules = \"none\"",
            "nonsense",
            "input.paths=[1]",
            "ingest.key_file=",
        ];
        let sets = sets.map(str::to_owned);
        assert_eq!(absolute(&sets).unwrap(), sets);
    }

    #[test]
    fn a_rules_file_of_any_name_becomes_absolute_or_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("myrules");
        let set = [format!("ingest.rules={}", rules.display())];
        let error = absolute(&set).unwrap_err().to_string();
        assert!(error.contains("myrules: no such file") && error.contains("ingest.rules names it"), "{error}");
        fs_err::write(&rules, "").unwrap();
        let there = fs_err::canonicalize(&rules).unwrap();
        assert_eq!(absolute(&set).unwrap(), [format!("ingest.rules=\"{}\"", there.display())]);
    }

    #[test]
    fn relative_paths_in_run_toml_start_at_the_run_folder() {
        let sets = ["ingest.rules=myrules", "input.paths=[\"archive\", \"/a\"]"].map(str::to_owned);
        let mut config = deepmcat_config::resolve(None, None, &sets).unwrap().0;
        from_run_folder(Path::new("/runs/one"), &mut config).unwrap();
        assert_eq!(config.ingest.settings.rules, "/runs/one/myrules");
        assert_eq!(config.input.paths, [Path::new("/runs/one/archive"), Path::new("/a")]);
    }
}

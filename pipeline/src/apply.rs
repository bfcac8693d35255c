//! `deepmcat apply`: a finished run's model as a folder of its own, and the folder in which it is applied to other images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmcat_config::Config;
use deepmcat_decisions::{Log, RunResult, names};
use deepmcat_schemas::files::{make_in, write_secret};
use deepmcat_schemas::layout::{ENCODER_ONNX, MODEL, NETWORKS, RUN_TOML, TEMPORARY, partition};
use deepmcat_schemas::{Cells, Classifier, ClusterShares, Known, Points, References, Table, read_folder};

use crate::init::{KEY, write_key};
use crate::run_folder::write_text;
use crate::settings::{self, ENCODER_SETTING, KEY_SETTING, MODEL_SETTING, RULES_SETTING};
use crate::{Error, RunFolder};

/// What holds a network's weights in a checkpoint; its optimizer is of no use to a model.
const WEIGHTS: &str = "model.safetensors";
/// The tables without which there is no model.
const TABLES: [&str; 5] = [Classifier::NAME, Points::NAME, References::NAME, ClusterShares::NAME, Known::NAME];

/// True for the folder of an exported model.
#[must_use]
pub fn is_model(folder: &Path) -> bool {
    folder.join(Classifier::NAME).is_dir()
}

/// Writes the model of a run, or of an exported model, as the folder `to`: whole or not at all.
///
/// # Errors
/// When there is something already, the run has no categories or they are of an earlier result, or a part is missing.
pub fn export(source: &Path, to: &Path) -> Result<(), Error> {
    if to.exists() {
        return Err(Error::ModelExists { path: to.to_owned() });
    }
    let temporary = to.parent().unwrap_or(Path::new("")).join(TEMPORARY);
    let folder = make_in(&temporary, || tempfile::tempdir_in(&temporary))?;
    let made = folder.path().join(MODEL);
    if is_model(source) {
        copy_folder(source, &made)?
    } else {
        of_run(source, &made)?
    }
    fs_err::rename(&made, to)?;
    drop(folder);
    // Gone when it was the last one.
    drop(fs_err::remove_dir(&temporary));
    Ok(())
}

fn of_run(run: &Path, to: &Path) -> Result<(), Error> {
    let model = run.join(MODEL);
    if !is_model(&model) {
        return Err(Error::NoModel { path: run.to_owned() });
    }
    let RunFolder { config, .. } = RunFolder::open(run)?;
    is_current(run, &model)?;
    for table in TABLES {
        copy_folder(&model.join(table), &to.join(table))?;
    }
    // The map of the result; a run whose pages are not wanted may have none.
    let cells = run.join(Cells::NAME);
    if cells.is_dir() {
        copy_folder(&cells, &to.join(Cells::NAME))?;
    }
    for (number, track) in config.run.tracks().enumerate() {
        let path = partition(run, "checkpoints", track.last()).join(WEIGHTS);
        copy(
            &path,
            &to.join(NETWORKS).join(number.to_string()).join(WEIGHTS),
            "deepmcat run RUN --from train computes it again",
        )?;
    }
    if config.encoder.counts().is_some() {
        copy_encoder(run, &config, &to.join(ENCODER_ONNX))?;
    }
    let sets = [
        "input.paths=[]".to_owned(),
        "input.server=\"\"".to_owned(),
        "fetch.ca=\"\"".to_owned(),
        format!("{KEY_SETTING}=\"\""),
        // What it names is no longer beside it.
        format!(
            "{RULES_SETTING}={}",
            if config.ingest.rules_file().is_some() { "none" } else { &config.ingest.settings.rules }
        ),
        format!("{ENCODER_SETTING}=\"{}\"", if config.encoder.counts().is_some() { ENCODER_ONNX } else { "" }),
    ];
    let (_, document) = deepmcat_config::resolve(None, Some(&run.join(RUN_TOML)), &sets)?;
    fs_err::write(to.join(RUN_TOML), document.to_string())?;
    Ok(())
}

/// Refuses categories of another result than the run's; tells of names that came later.
fn is_current(run: &Path, model: &Path) -> Result<(), Error> {
    let result = RunResult::open(run)?;
    let known: Known = read_folder(&model.join(Known::NAME))?;
    let members = result.members();
    let before: BTreeMap<_, _> = known.key.iter().zip(&known.cluster).collect();
    if before != members.key.iter().zip(&members.cluster).collect() {
        return Err(Error::OldCategories { path: run.to_owned() });
    }
    let classifier: Classifier = read_folder(&model.join(Classifier::NAME))?;
    let newest = names(&Log::open(run)?, &result).decision.into_iter().max().unwrap_or_default();
    if classifier.decision.first().is_some_and(|&decision| decision > 0 && decision != newest) {
        tracing::warn!("names have changed since; update the categories: deepmcat categorize {}", run.display());
    }
    Ok(())
}

/// Copies the encoder, which has to be a network: a table has features of the run's own images only.
fn copy_encoder(run: &Path, config: &Config, to: &Path) -> Result<(), Error> {
    let file = config.encoder.file().unwrap_or_default();
    let file = run.join(file);
    if file.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("onnx")) {
        return Err(Error::NoPart {
            path: file,
            hint: "the encoder of the run is a table of features, which has none of other images; a model needs a network (ONNX)",
        });
    }
    copy(&file, to, "encoder.file in run.toml names it; make setup fetches the built-in one")
}

fn copy(from: &Path, to: &Path, hint: &'static str) -> Result<(), Error> {
    if !from.is_file() {
        return Err(Error::NoPart { path: from.to_owned(), hint });
    }
    fs_err::create_dir_all(to.parent().unwrap_or(Path::new("")))?;
    fs_err::copy(from, to)?;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Error> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.map_err(std::io::Error::from)?;
        let path = to.join(entry.path().strip_prefix(from).unwrap_or(Path::new("")));
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(path)?;
        } else {
            fs_err::copy(entry.path(), path)?;
        }
    }
    Ok(())
}

/// What is to be applied to which images, looked at before anything is written.
#[derive(Debug)]
pub struct Order<'a> {
    source: &'a Path,
    out: &'a Path,
    /// `--set` changes, with the images.
    sets: Vec<String>,
    /// The user names a key.
    keyed: bool,
    /// The model has an encoder.
    encoder: bool,
    /// The folder is there already.
    there: bool,
}

impl<'a> Order<'a> {
    /// The model of `source`, a run or an exported model, for `inputs`, in the folder `out`.
    ///
    /// # Errors
    /// When an input is missing, a setting is wrong, `source` is neither, or a run of another kind is in `out`.
    pub fn new(source: &'a Path, inputs: &[PathBuf], out: &'a Path, sets: &[String]) -> Result<Self, Error> {
        let keyed = sets.iter().any(|set| set.trim_start().starts_with(KEY_SETTING));
        let mut all = settings::archive(inputs)?;
        all.extend(settings::absolute(sets)?);
        let there = out.join(RUN_TOML).exists();
        if there && RunFolder::open(out)?.config.input.model.is_empty() {
            return Err(Error::NotApplied { path: out.to_owned() });
        }
        if !is_model(source) {
            RunFolder::open(source)?;
            if !is_model(&source.join(MODEL)) {
                return Err(Error::NoModel { path: source.to_owned() });
            }
        }
        let (config, _) = deepmcat_config::resolve(None, Some(&source.join(RUN_TOML)), &all)?;
        Ok(Self { source, out, sets: all, keyed, encoder: config.encoder.counts().is_some(), there })
    }

    /// Makes the folder, or brings an earlier one up to date: its own copy of the model, its settings, its key. Returns the
    /// `--set` changes that it still needs. Only with the lock held.
    ///
    /// # Errors
    /// As [`export`].
    pub fn prepare(mut self) -> Result<Vec<String>, Error> {
        let (file, model) = (self.out.join(RUN_TOML), self.out.join(MODEL));
        let newer = self.out.join(format!("{MODEL}.new"));
        if newer.exists() {
            fs_err::remove_dir_all(&newer)?;
        }
        export(self.source, &newer)?;
        if model.exists() {
            fs_err::remove_dir_all(&model)?;
        }
        fs_err::rename(&newer, &model)?;
        if self.there {
            return Ok(self.sets);
        }
        self.sets.push(format!("{MODEL_SETTING}={MODEL}"));
        if self.encoder {
            self.sets.push(format!("{ENCODER_SETTING}={MODEL}/{ENCODER_ONNX}"));
        }
        if !self.keyed {
            keep_key(self.source, self.out)?;
            self.sets.push(format!("{KEY_SETTING}={KEY}"));
        }
        let (_, document) = deepmcat_config::resolve(None, Some(&model.join(RUN_TOML)), &self.sets)?;
        let head = "# Made by `deepmcat apply`: the settings are those of the model. To go on: deepmcat run OUT\n";
        write_text(self.out, &file, &(head.to_owned() + &document.to_string()))?;
        Ok(Vec::new())
    }
}

/// The key of the run, so that a subject has one name in both; a model has none, and gets a new one.
fn keep_key(source: &Path, out: &Path) -> Result<(), Error> {
    let key = if is_model(source) { String::new() } else { RunFolder::open(source)?.config.ingest.key_file };
    let own = source.join(key);
    if own.is_file() { Ok(write_secret(&out.join(KEY), &fs_err::read(own)?)?) } else { write_key(&out.join(KEY)) }
}

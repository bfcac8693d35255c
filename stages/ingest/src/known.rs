//! What earlier ingests into the same folder made of files that are still as they were: not made again.
//!
//! Two kinds of them are used: a finished data set, whose images keep their ids, and the batches of an ingest that was
//! killed. A file is as it was when its size and its time of change are; whoever doubts that says `--fresh`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use deepmcat_schemas::layout::{INPUTS, MANIFEST, REJECTS, SOURCES};
use deepmcat_schemas::{Inputs, Manifest, Rejects, SchemaError, Sources, Table, read_stamp, read_table};

use crate::dataset::{Row, seal};
use crate::dicom_file::Identity;
use crate::reject::{FrameRange, Reason, Reject};
use crate::scan::Job;
use crate::summary::Summary;
use crate::walk::{Found, Input, Origin, Stat};

/// What is known of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownFile {
    stat: Stat,
    work: u64,
    /// Its images.
    pub rows: Vec<Row>,
    /// Why it has none, or which of its frames have become none.
    pub rejects: Vec<Reject>,
    /// The folder that holds its images' PNGs, below `images`.
    pub folder: PathBuf,
}

/// What is known of the files of an archive.
#[derive(Debug, Default)]
pub(crate) struct Known {
    files: HashMap<Origin, KnownFile>,
    /// Ids of the finished data set's images, by their keys.
    ids: HashMap<u64, u32>,
}

impl Known {
    /// Reads what lies in the data set folder and in its batches, as far as it was made with the same `settings`.
    pub fn load(out: &Path, batches: &[PathBuf], settings: &str) -> Self {
        let mut known = Self::default();
        // What cannot be read is not known: it is made again.
        let folders = batches.iter().map(|batch| (batch.as_path(), batch.parent().unwrap_or(batch)));
        for (tables, images) in std::iter::once((out, out)).chain(folders) {
            if let Err(error) = known.add(tables, images, settings) {
                tracing::debug!("{}: not used again: {error}", tables.display());
            }
        }
        known
    }

    fn add(&mut self, tables: &Path, folder: &Path, settings: &str) -> Result<(), SchemaError> {
        let path = tables.join(INPUTS);
        if read_stamp(&path)?.config_hash != seal(tables, settings) {
            return Ok(());
        }
        let inputs: Inputs = read_table(&path)?;
        let (manifest, sources): (Manifest, Sources) = (optional(tables, MANIFEST)?, optional(tables, SOURCES)?);
        let rejects: Rejects = read_table(&tables.join(REJECTS))?;
        if tables == folder {
            let ids = manifest.key.iter().zip(&manifest.image_id);
            self.ids = ids.filter_map(|(key, id)| Some((u64::from_str_radix(key, 16).ok()?, id.0))).collect();
        }
        for row in 0..inputs.source.len() {
            let origin = Origin { source: inputs.source[row].clone(), member: inputs.member[row].clone() };
            let stat = Stat { bytes: inputs.bytes[row], modified: inputs.modified[row] };
            let file = KnownFile { stat, work: inputs.work[row], folder: folder.to_owned(), ..KnownFile::default() };
            self.files.insert(origin, file);
        }
        for index in 0..sources.source.len().min(manifest.key.len()) {
            let origin = Origin { source: sources.source[index].clone(), member: sources.member[index].clone() };
            if let Some(file) = self.files.get_mut(&origin) {
                file.rows.push(row(&manifest, &sources, index));
            }
        }
        for index in 0..rejects.source.len() {
            let origin = Origin { source: rejects.source[index].clone(), member: rejects.member[index].clone() };
            if let (Some(file), Ok(reason)) = (self.files.get_mut(&origin), rejects.reason[index].parse::<Reason>()) {
                let frames = rejects.frame[index].zip(rejects.frames[index]);
                let frames = frames.map(|(first, count)| FrameRange { first, count });
                file.rejects.push(Reject { frames, ..Reject::new(reason, rejects.message[index].clone()) });
            }
        }
        Ok(())
    }

    /// What is known of a file that is to be read as `job` says; nothing where it has changed.
    pub fn file(&self, input: &Input, job: &Job) -> Option<&KnownFile> {
        let known = self.files.get(&input.origin())?;
        let told = !known.rejects.is_empty() || !known.rows.is_empty();
        (known.stat == input.stat && known.work == job.work() && told).then_some(known)
    }

    /// The counts of the finished data set, where the archive holds just its files, all as they were.
    pub fn unchanged(&self, found: &Found) -> Option<Summary> {
        if self.ids.is_empty() {
            return None;
        }
        let here = found.files.len() + found.rejects.len();
        let same = |input: &Input| self.files.get(&input.origin()).is_some_and(|known| known.stat == input.stat);
        let rejected = |origin: &Origin| self.files.get(origin).is_some_and(|known| !known.rejects.is_empty());
        let as_they_were = here == self.files.len()
            && found.files.iter().all(same)
            && found.rejects.iter().all(|(origin, _)| rejected(origin))
            && self.files.values().all(|file| file.rows.iter().all(|row| row.is_in(&file.folder)));
        as_they_were.then(|| self.summary())
    }

    fn summary(&self) -> Summary {
        let rows = || self.files.values().flat_map(|file| &file.rows);
        let mut summary =
            Summary { inputs: self.files.len() as u64, images: Some(self.ids.len() as u64), ..Summary::default() };
        for file in self.files.values() {
            summary.files += u64::from(!file.rows.is_empty());
            file.rejects.iter().for_each(|reject| summary.count(reject));
        }
        for label in rows().filter_map(|row| row.label.clone()) {
            *summary.labels.entry(label).or_default() += 1;
        }
        summary.flags = rows().flat_map(|row| &row.flags).fold(BTreeMap::new(), |mut flags, flag| {
            *flags.entry(*flag).or_default() += 1;
            flags
        });
        summary
    }

    /// Orders rows so that the images of the finished data set keep their ids and new ones follow. Where some of them
    /// are gone, ids are given anew: they are dense.
    pub fn order(&self, rows: &mut [Row]) {
        let kept = rows.iter().filter(|row| self.ids.contains_key(&row.key)).count();
        let keep = kept == self.ids.len();
        if !keep {
            tracing::warn!("images of the earlier data set are gone: image ids are given anew");
        }
        let id = |row: &Row| self.ids.get(&row.key).copied().filter(|_| keep).unwrap_or(u32::MAX);
        rows.sort_by_key(|row| (id(row), row.input, row.slice, row.frame));
    }
}

/// A table that is left out where it would be empty.
fn optional<T: Table>(folder: &Path, name: &str) -> Result<T, SchemaError> {
    let path = folder.join(name);
    if path.exists() { read_table(&path) } else { Ok(T::default()) }
}

fn row(manifest: &Manifest, sources: &Sources, index: usize) -> Row {
    let spacing = manifest.spacing_x[index].zip(manifest.spacing_y[index]);
    let flags = manifest.flags[index].as_deref().unwrap_or_default();
    Row {
        input: 0,
        frame: sources.frame[index],
        slice: sources.slice[index],
        key: u64::from_str_radix(&manifest.key[index], 16).unwrap_or_default(),
        pixels: manifest.pixels[index].clone(),
        width: manifest.width[index],
        height: manifest.height[index],
        spacing,
        window: (manifest.window_low[index], manifest.window_high[index]),
        format: crate::dataset::FORMATS
            .into_iter()
            .find(|format| *format == manifest.format[index])
            .unwrap_or_default(),
        label: manifest.label[index].clone(),
        subject: manifest.subject[index].clone(),
        series: manifest.series[index].clone(),
        flags: crate::flags::parse(flags),
        identity: Identity {
            patient: sources.patient_id[index].clone(),
            study: sources.study_uid[index].clone(),
            series: sources.series_uid[index].clone(),
            object: sources.sop_uid[index].clone(),
            description: sources.series_description[index].clone(),
            burned_in: manifest.burned_in[index],
            overlay: flags.split(',').any(|flag| flag == "overlay"),
        },
    }
}

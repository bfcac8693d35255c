//! What earlier ingests into the same folder made of files that are still as they were: not made again.
//!
//! Two kinds of them are used: a finished data set, whose images keep their ids, and the batches of an ingest that was
//! killed. A file is unchanged where [`FileStat`] says so. Its PNGs are whole where they have the size that they were
//! written with and have not changed since, or else where they still have their pixels. Whoever doubts that says
//! `--fresh`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deepmcat_schemas::layout::{INPUTS, LABELS, MANIFEST, REJECTS, SOURCES};
use deepmcat_schemas::{
    FileStat, Inputs, Labels, Manifest, Rejects, SchemaError, Sources, Table, read_stamp, read_table,
};

use crate::choose::Conversion;
use crate::discover::Found;
use crate::flags::Flags;
use crate::formats::FORMATS;
use crate::image::{Row, written};
use crate::inputs::{Input, Origin};
use crate::keys::Keys;
use crate::png_out;
use crate::publish::seal;
use crate::recipe::Recipe;
use crate::reject::{FrameRange, Reason, Reject};
use crate::slice::Identity;
use crate::summary::Summary;

/// What is known of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct EarlierFile {
    stat: FileStat,
    work: u64,
    /// Hash of its PNGs' sizes.
    written: u64,
    /// When the tables were sealed that say so, in nanoseconds since 1970.
    sealed: u64,
    /// Its images.
    pub rows: Vec<Row>,
    /// Why it has none, or which of its frames have become none.
    pub rejects: Vec<Reject>,
    /// The folder that holds its images' PNGs, below `images`.
    pub folder: PathBuf,
}

/// What is known of the files of an archive.
#[derive(Debug)]
pub(crate) struct Earlier {
    keys: Keys,
    /// By the keyed hash of the input.
    files: HashMap<u64, EarlierFile>,
    /// Ids of the finished data set's images, by their keys.
    ids: HashMap<u64, u32>,
    /// True where the finished data set was made with the same class rules too.
    same_rules: bool,
    /// How many files were taken over.
    taken: AtomicU64,
}

impl Earlier {
    /// Nothing.
    pub fn none(keys: &Keys) -> Self {
        let (files, ids) = (HashMap::new(), HashMap::new());
        Self { keys: keys.clone(), files, ids, same_rules: false, taken: AtomicU64::new(0) }
    }

    /// Reads what lies in the data set folder and in its batches, as far as its images were made by the same `recipe`.
    pub fn load(out: &Path, batches: &[PathBuf], recipe: &Recipe, keys: &Keys) -> Self {
        let mut known = Self::none(keys);
        known.same_rules = Recipe::read(out).is_some_and(|earlier| earlier == *recipe);
        // What cannot be read is not known: it is made again.
        let folders = batches.iter().map(|batch| (batch.as_path(), batch.parent().unwrap_or(batch)));
        for (tables, images) in std::iter::once((out, out)).chain(folders) {
            if let Err(error) = known.add(tables, images, recipe) {
                tracing::debug!("{}: not used again: {error}", tables.display());
            }
        }
        known
    }

    fn add(&mut self, tables: &Path, folder: &Path, recipe: &Recipe) -> Result<(), SchemaError> {
        let path = tables.join(INPUTS);
        let same = Recipe::read(tables).is_some_and(|earlier| recipe.of_images(&earlier).is_empty());
        if !same || read_stamp(&path)?.config_hash != seal(tables) {
            return Ok(());
        }
        let inputs: Inputs = read_table(&path)?;
        let (manifest, sources): (Manifest, Sources) = (optional(tables, MANIFEST)?, optional(tables, SOURCES)?);
        let rejects: Rejects = read_table(&tables.join(REJECTS))?;
        if tables == folder {
            let ids = manifest.key.iter().zip(&manifest.image_id);
            self.ids = ids.filter_map(|(key, id)| Some((parsed(key)?, id.0))).collect();
        }
        let sealed = FileStat::of(&path).map_or(0, |stat| stat.modified);
        for (row, input) in inputs.input.into_iter().enumerate() {
            let (bytes, modified) = (inputs.bytes[row], inputs.modified[row]);
            let stat = FileStat { bytes, modified, changed: inputs.changed[row], inode: inputs.inode[row] };
            let (work, written) = (inputs.work[row], inputs.written[row]);
            let file = EarlierFile { stat, work, written, sealed, folder: folder.to_owned(), ..EarlierFile::default() };
            self.files.extend(parsed(&input).map(|input| (input, file)));
        }
        for (row, image) in sources.image_id.iter().enumerate() {
            let Some(image) = image.map(|image| image as usize).filter(|&image| image < manifest.key.len()) else {
                continue;
            };
            if let Some(file) = parsed(&sources.input[row]).and_then(|input| self.files.get_mut(&input)) {
                file.rows.push(image_row(&manifest, image, &sources, row));
            }
        }
        for (row, input) in rejects.input.iter().enumerate() {
            if let (Some(file), Ok(reason)) =
                (parsed(input).and_then(|input| self.files.get_mut(&input)), rejects.reason[row].parse::<Reason>())
            {
                let frames = rejects.frame[row].zip(rejects.frames[row]);
                let frames = frames.map(|(first, count)| FrameRange { first, count });
                file.rejects.push(Reject { frames, ..Reject::new(reason, rejects.message[row].clone()) });
            }
        }
        Ok(())
    }

    fn of(&self, origin: &Origin) -> Option<&EarlierFile> {
        self.files.get(&self.keys.input(&origin.source, origin.member.as_deref()))
    }

    /// What is known of a file that is to be read as `conversion` says; nothing where it has changed.
    pub fn file(&self, input: &Input, conversion: &Conversion) -> Option<&EarlierFile> {
        let known = self.of(&input.origin)?;
        let told = !known.rejects.is_empty() || !known.rows.is_empty();
        (known.stat == input.stat && known.work == conversion.work && told).then_some(known)
    }

    /// Counts a file as taken over.
    pub fn take(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// How many files were taken over.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The counts of the finished data set, where the archive holds just its files, all unchanged.
    pub fn unchanged(&self, out: &Path, found: &Found) -> Option<Summary> {
        if self.ids.is_empty() || !self.same_rules {
            return None;
        }
        let (inputs, readable) = (&found.inputs, found.inputs.readable() as u32);
        let same = |input| self.of(&inputs.origin(input)).is_some_and(|known| known.stat == inputs.stat(input));
        let rejected = |input| self.of(&inputs.origin(input)).is_some_and(|known| !known.rejects.is_empty());
        let as_they_were = inputs.len() == self.files.len()
            && (0..readable).all(same)
            && (readable..inputs.len() as u32).all(rejected)
            && self.files.values().all(|file| file.as_written().is_some());
        if !as_they_were {
            return None;
        }
        let labels: Labels = read_table(&out.join(LABELS)).ok()?;
        let mut summary = self.summary();
        for label in labels.label {
            *summary.labels.entry(label).or_default() += 1;
        }
        Some(summary)
    }

    fn summary(&self) -> Summary {
        let rows = || self.files.values().flat_map(|file| &file.rows);
        let mut summary =
            Summary { inputs: self.files.len() as u64, images: Some(self.ids.len() as u64), ..Summary::default() };
        for file in self.files.values() {
            summary.files += u64::from(!file.rows.is_empty());
            file.rejects.iter().for_each(|reject| summary.count(reject.reason, reject.frames));
        }
        summary.taken_over = summary.files;
        summary.flags = rows().flat_map(|row| row.flags.names()).fold(BTreeMap::new(), |mut flags, flag| {
            *flags.entry(flag).or_default() += 1;
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
            tracing::warn!("images of the earlier data set are gone: all images get new ids");
        }
        let id = |row: &Row| self.ids.get(&row.key).copied().filter(|_| keep).unwrap_or(u32::MAX);
        rows.sort_by_key(|row| (id(row), row.input, row.slice, row.frame));
    }
}

impl EarlierFile {
    /// Its images with what their PNGs are like now; none where one is missing or not as it was written.
    fn as_written(&self) -> Option<Vec<Row>> {
        let mut rows = self.rows.clone();
        let there = rows.iter_mut().all(|row| row.look_in(&self.folder).is_some_and(|changed| changed <= self.sealed));
        (there && written(rows.iter()) == self.written).then_some(rows)
    }

    /// Its images, where their PNGs are whole: as they were written, or, where they have been copied since, with the
    /// same pixels.
    pub fn sound(&self) -> Option<Vec<Row>> {
        self.as_written().or_else(|| {
            let mut rows = self.rows.clone();
            let same = |row: &mut Row| {
                let found = png_out::read_hash(&row.png_in(&self.folder));
                row.look_in(&self.folder).is_some() && found.is_some_and(|found| found == row.pixels)
            };
            rows.iter_mut().all(same).then_some(rows)
        })
    }
}

/// A table that is left out where it would be empty.
fn optional<T: Table>(folder: &Path, name: &str) -> Result<T, SchemaError> {
    let path = folder.join(name);
    if path.exists() { read_table(&path) } else { Ok(T::default()) }
}

/// A hash as the tables have it.
fn parsed(hex: &str) -> Option<u64> {
    u64::from_str_radix(hex, 16).ok()
}

/// An image by its place in the manifest and its `row` of the sources.
fn image_row(manifest: &Manifest, index: usize, sources: &Sources, row: usize) -> Row {
    let spacing = manifest.spacing_x[index].zip(manifest.spacing_y[index]);
    let flags = manifest.flags[index].as_deref().unwrap_or_default();
    let format = FORMATS.into_iter().map(|format| format.sort()).find(|sort| *sort == manifest.format[index]);
    Row {
        input: 0,
        frame: sources.frame[row],
        slice: sources.slice[row],
        key: parsed(&manifest.key[index]).unwrap_or_default(),
        pixels: parsed(&manifest.pixels[index]).unwrap_or_default(),
        width: manifest.width[index],
        height: manifest.height[index],
        spacing,
        window: (manifest.window_low[index], manifest.window_high[index]),
        format: format.unwrap_or_default(),
        label: None,
        png: 0,
        subject: manifest.subject[index].as_deref().and_then(parsed),
        series: parsed(&manifest.series[index]).unwrap_or_default(),
        flags: Flags::parse(flags),
        object: sources.sop_uid[row].as_deref().map(Box::from),
        identity: Arc::new(Identity {
            patient: sources.patient_id[row].clone(),
            study: sources.study_uid[row].clone(),
            series: sources.series_uid[row].clone(),
            object: None,
            description: sources.series_description[row].clone(),
            burned_in: manifest.burned_in[index],
            overlay: flags.split(',').any(|flag| flag == "overlay"),
            mosaic: flags.split(',').any(|flag| flag == "mosaic"),
        }),
    }
}

//! Writes the data set: PNGs and tables in batches into `.partial`, then everything into place; the manifest and the
//! table of inputs come last.
//!
//! An earlier data set stays whole until the new images are all written. From the moment its manifest is removed
//! until the new one is there, the folder holds no data set that a reader would take for one.

mod tables;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use deepmcat_schemas::layout::{INGEST_TOML, INPUTS, LABELS, MANIFEST, REJECTS, SOURCES};
use deepmcat_schemas::{Inputs, Labels, Manifest, Rejects, Sources, Stamp, read_table, write_parts};

use crate::durable;
use crate::error::Error;
use crate::image::{IMAGES, Row};
use crate::recipe::{KEY, Recipe, shown};

pub(crate) use tables::Content;

/// What is being made, and what a killed ingest leaves for the next one.
const PARTIAL: &str = ".partial";
/// In it, the images of the data set that is being replaced.
const REPLACED: &str = "replaced";

/// A data set that is being written.
#[derive(Debug)]
pub(crate) struct Writer {
    out: PathBuf,
    partial: PathBuf,
    /// What it is made with.
    recipe: Recipe,
    /// Batches of images that are written, with their tables; those of a killed ingest too.
    pub batches: Vec<PathBuf>,
    /// Held as long as the data set is written.
    _lock: std::fs::File,
}

impl Writer {
    /// Makes sure that `out` may be replaced and that nobody else is replacing it.
    ///
    /// `fresh` throws away what an earlier ingest with another key left; without it that is an error.
    pub fn new(out: &Path, recipe: Recipe, fresh: bool) -> Result<Self, Error> {
        check(out)?;
        let differs = |earlier: Recipe| recipe.of_images(&earlier).iter().any(|(name, ..)| name == KEY);
        if !fresh && Recipe::read(out).is_some_and(differs) {
            return Err(Error::OtherKey { out: out.to_owned() });
        }
        let partial = out.join(PARTIAL);
        let open = || {
            fs_err::create_dir_all(partial.join(IMAGES))?;
            let lock = fs_err::File::create(partial.join("lock"))?.into_parts().0;
            if lock.try_lock().is_err() {
                return Ok(None);
            }
            // What an ingest that was killed at its very end was replacing.
            if partial.join(REPLACED).exists() {
                fs_err::remove_dir_all(partial.join(REPLACED))?;
            }
            Ok(Some(lock))
        };
        let Some(lock) = open().map_err(|error| Error::io(&partial, "made", error))? else {
            return Err(Error::Busy { out: out.to_owned() });
        };
        let batches: Vec<PathBuf> = (0..).map(|n| batch(&partial, n)).take_while(|batch| batch.exists()).collect();
        let other = |batch: &PathBuf| {
            let differences = Recipe::read(batch).map(|earlier| recipe.of_images(&earlier)).unwrap_or_default();
            (!differences.is_empty()).then(|| shown(&differences))
        };
        let differences = batches.iter().find_map(other);
        let mut writer = Self { out: out.to_owned(), partial, recipe, batches, _lock: lock };
        if fresh || differences.is_some() {
            if let Some(differences) = differences {
                tracing::warn!("the work of an interrupted ingest is not used: {differences}");
            }
            writer.clear().map_err(|error| Error::io(&writer.partial, "cleared", error))?;
        }
        Ok(writer)
    }

    /// Images of the finished data set that would be replaced; 0 where there is none.
    pub fn earlier_images(&self) -> usize {
        read_table::<Manifest>(&self.out.join(MANIFEST)).map_or(0, |manifest| manifest.image_id.len())
    }

    /// Images in the finished data set that came from sources below `prefix`.
    pub fn earlier_inputs(&self, prefix: &str) -> usize {
        let sources = read_table::<Sources>(&self.out.join(SOURCES)).unwrap_or_default();
        let below = sources.source.iter().zip(&sources.member).filter(|(source, _)| source.starts_with(prefix));
        below.collect::<HashSet<_>>().len()
    }

    /// Removes what another ingest left.
    fn clear(&mut self) -> std::io::Result<()> {
        for folder in self.batches.drain(..) {
            fs_err::remove_dir_all(folder)?;
        }
        fs_err::remove_dir_all(self.partial.join(IMAGES))?;
        fs_err::create_dir_all(self.partial.join(IMAGES))
    }

    /// Where the PNG of a row is written for now; its folder is there and itself is not.
    pub fn path(&self, row: &Row) -> Result<PathBuf, Error> {
        let path = self.partial.join(row.relative());
        let folder = path.parent().unwrap_or(&path);
        fs_err::create_dir_all(folder).map_err(|error| Error::io(folder, "made", error))?;
        // Never written over: it may be a link to an image of the data set that is being replaced.
        remove_if_there(&path)?;
        Ok(path)
    }

    /// The data set.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Where PNGs are written for now.
    pub fn folder(&self) -> &Path {
        &self.partial
    }

    /// Takes over the PNG of an image that is known already.
    pub fn keep(&self, row: &Row, folder: &Path) -> Result<(), Error> {
        let from = folder.join(row.relative());
        if folder == self.partial {
            return Ok(());
        }
        let path = self.path(row)?;
        // A file system without links gets a copy.
        let done = std::fs::hard_link(&from, &path).or_else(|_| fs_err::copy(&from, &path).map(drop));
        done.map_err(|error| Error::io(&path, "written", error))
    }

    /// Removes the PNG of a row that is not to be.
    pub fn remove(&self, row: &Row) -> Result<(), Error> {
        remove_if_there(&self.partial.join(row.relative()))
    }

    /// Writes the tables of a batch, so that a killed ingest goes on after it. The table of inputs is its last.
    pub fn batch(&mut self, content: &Content<'_>, stamp: &Stamp) -> Result<(), Error> {
        let folder = batch(&self.partial, self.batches.len());
        self.sync(content.rows)?;
        self.recipe.write(&folder)?;
        write_parts::<Rejects>(&folder.join(REJECTS), content.rejects(), stamp)?;
        write_parts::<Sources>(&folder.join(SOURCES), content.sources(), stamp)?;
        write_parts::<Manifest>(&folder.join(MANIFEST), content.manifest(), stamp)?;
        self.write_inputs(&folder, content, stamp)?;
        self.batches.push(folder);
        Ok(())
    }

    /// Writes the table of inputs, the last of a folder's tables, which seals the others.
    fn write_inputs(&self, folder: &Path, content: &Content<'_>, stamp: &Stamp) -> Result<(), Error> {
        let stamp = Stamp { config_hash: seal(folder), ..stamp.clone() };
        Ok(write_parts::<Inputs>(&folder.join(INPUTS), content.inputs(), &stamp)?)
    }

    /// Makes the PNGs of `rows` durable, before a table says that they are there.
    fn sync(&self, rows: &[Row]) -> Result<(), Error> {
        let images = self.partial.join(IMAGES);
        let files = rows.iter().map(|row| row.png_in(&self.partial));
        durable::sync(&images, files).map_err(|error| Error::io(&images, "made durable", error))
    }

    /// Leaves the data set as it is.
    pub fn leave(self) -> Result<(), Error> {
        fs_err::remove_dir_all(&self.partial).map_err(|error| Error::io(&self.partial, "removed", error))
    }

    /// Ends without changing the data set or the batches of a killed ingest.
    pub fn abandon(self) -> Result<(), Error> {
        if self.batches.is_empty() { self.leave() } else { Ok(()) }
    }

    /// Puts everything into place: rejects, sources, images, and the manifest as the mark that all is done.
    ///
    /// Without an image there is no manifest; the caller makes sure that there was none before.
    pub fn finish(self, content: &Content<'_>, stamp: &Stamp, of_labels: &Stamp) -> Result<(), Error> {
        let images = self.partial.join(IMAGES);
        remove_others(&images, content.rows).map_err(|error| Error::io(&images, "cleared", error))?;
        self.sync(content.rows)?;
        // No inputs, no manifest: until all is in place the folder is no data set that anybody would take for one.
        remove_if_there(&self.out.join(INPUTS))?;
        remove_if_there(&self.out.join(MANIFEST))?;
        write_parts::<Rejects>(&self.out.join(REJECTS), content.rejects(), stamp)?;
        write_parts::<Sources>(&self.out.join(SOURCES), content.sources(), stamp)?;
        write_parts::<Labels>(&self.out.join(LABELS), content.labels(), of_labels)?;
        self.recipe.write(&self.out)?;
        let place = self.out.join(IMAGES);
        let swap = || {
            if place.exists() {
                fs_err::rename(&place, self.partial.join(REPLACED))?;
            }
            fs_err::rename(&images, &place)
        };
        swap().map_err(|error| Error::io(&place, "put into place", error))?;
        if !content.rows.is_empty() {
            write_parts::<Manifest>(&self.out.join(MANIFEST), content.manifest(), stamp)?;
        }
        self.write_inputs(&self.out, content, stamp)?;
        fs_err::remove_dir_all(&self.partial).map_err(|error| Error::io(&self.partial, "removed", error))
    }
}

/// Hash of the recipe and of the tables that a folder holds: those that were changed by hand are not used again.
pub(crate) fn seal(folder: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in [INGEST_TOML, MANIFEST, SOURCES, REJECTS] {
        let path = folder.join(file);
        // Without an image there is no manifest.
        let length = fs_err::metadata(&path).map_or(0, |file| file.len());
        hasher.update(&length.to_le_bytes());
        // One that cannot be read to its end has another seal than before.
        drop(fs_err::File::open(&path).and_then(|mut file| std::io::copy(&mut file, &mut hasher)));
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// The folder of a batch.
fn batch(partial: &Path, number: usize) -> PathBuf {
    partial.join(format!("batch-{number}"))
}

/// Removes images that no row names: of files that changed since an ingest was killed.
fn remove_others(images: &Path, rows: &[Row]) -> std::io::Result<()> {
    let named: HashSet<u64> = rows.iter().map(|row| row.key).collect();
    for folder in fs_err::read_dir(images)? {
        let folder = folder?.path();
        let mut left = 0;
        for image in fs_err::read_dir(&folder)? {
            let image = image?.path();
            let key = image.file_stem().and_then(|stem| u64::from_str_radix(stem.to_str()?, 16).ok());
            if key.is_some_and(|key| named.contains(&key)) {
                left += 1;
            } else {
                fs_err::remove_file(image)?;
            }
        }
        if left == 0 {
            fs_err::remove_dir(folder)?;
        }
    }
    Ok(())
}

/// Refuses a folder whose `images` are not known to be deepmcat's.
fn check(out: &Path) -> Result<(), Error> {
    let not = |found| Err(Error::NotADataset { out: out.to_owned(), found });
    if out.exists() && !out.is_dir() {
        return not("a file");
    }
    if out.join(IMAGES).exists() && !out.join(SOURCES).exists() {
        return not("a folder with `images` but without sources.parquet");
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), Error> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, "removed", error)),
        _ => Ok(()),
    }
}

//! Writes the data set: PNGs and tables in batches into `.partial`, then everything into place; the manifest and the
//! table of inputs come last.
//!
//! An earlier data set stays whole until the new images are all written. From the moment its manifest is removed
//! until the new one is there, the folder holds no data set that a reader would take for one.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use deepmcat_schemas::layout::{INGEST_TOML, INPUTS, LABELS, MANIFEST, REJECTS, SOURCES};
use deepmcat_schemas::{FileStat, ImageId, Inputs, Labels, Manifest, Rejects, Sources, Stamp, read_table, write_table};

use crate::dicom_file::Identity;
use crate::keys::Keys;
use crate::recipe::{KEY, Recipe, shown};
use crate::reject::Reject;
use crate::walk::{Input, Origin};
use crate::{Error, durable};

/// One image on its way into the tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// Number of the input file.
    pub input: u32,
    /// Frame in the source file.
    pub frame: u32,
    /// Slice in its series.
    pub slice: u32,
    /// Key of the image.
    pub key: u64,
    /// Hash of the PNG's size and pixels.
    pub pixels: String,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Distance of columns and rows in mm.
    pub spacing: Option<(f32, f32)>,
    /// Intensities that are black and white.
    pub window: (f32, f32),
    /// dicom, nifti or image.
    pub format: &'static str,
    /// Class.
    pub label: Option<String>,
    /// Keyed hash of the subject, where something says which it is.
    pub subject: Option<String>,
    /// Keyed hash of the series.
    pub series: String,
    /// What is odd about it.
    pub flags: Vec<&'static str>,
    /// For the sources table.
    pub identity: Identity,
    /// Bytes of the PNG.
    pub png: u64,
}

impl Row {
    /// The PNG below the data set: 256 folders, so that none grows too long.
    fn relative(&self) -> String {
        format!("{IMAGES}/{:02x}/{:016x}.png", self.key >> 56, self.key)
    }

    /// Its PNG below the data set or the partial folder.
    pub fn png_in(&self, folder: &Path) -> PathBuf {
        folder.join(self.relative())
    }

    /// Looks at its PNG below `folder`: when it was last changed, in nanoseconds since 1970; none where it is not there.
    pub fn look_in(&mut self, folder: &Path) -> Option<u64> {
        let stat = FileStat::of(&self.png_in(folder)).ok()?;
        self.png = stat.bytes;
        Some(stat.modified)
    }
}

/// Hash of the sizes of an input's PNGs: tells whether one was cut short.
pub(crate) fn written<'a>(rows: impl Iterator<Item = &'a Row>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for row in rows {
        hasher.update(&row.png.to_le_bytes());
    }
    let hash = hasher.finalize();
    u64::from_le_bytes(std::array::from_fn(|byte| hash.as_bytes()[byte]))
}

/// Where the images of a data set are.
const IMAGES: &str = "images";
/// What a source can be.
pub(crate) const FORMATS: [&str; 3] = ["dicom", "nifti", "image"];
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
                tracing::warn!("what a killed ingest left is not used: {differences}");
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
        write_table(&folder.join(REJECTS), &content.rejects_table(), stamp)?;
        write_table(&folder.join(SOURCES), &content.sources(), stamp)?;
        write_table(&folder.join(MANIFEST), &content.manifest(), stamp)?;
        self.write_inputs(&folder, content, stamp)?;
        self.batches.push(folder);
        Ok(())
    }

    /// Writes the table of inputs, the last of a folder's tables, which seals the others.
    fn write_inputs(&self, folder: &Path, content: &Content<'_>, stamp: &Stamp) -> Result<(), Error> {
        let stamp = Stamp { config_hash: seal(folder), ..stamp.clone() };
        Ok(write_table(&folder.join(INPUTS), &content.inputs_table(), &stamp)?)
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
        write_table(&self.out.join(REJECTS), &content.rejects_table(), stamp)?;
        write_table(&self.out.join(SOURCES), &content.sources(), stamp)?;
        write_table(&self.out.join(LABELS), &content.labels(), of_labels)?;
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
            write_table(&self.out.join(MANIFEST), &content.manifest(), stamp)?;
        }
        self.write_inputs(&self.out, content, stamp)?;
        fs_err::remove_dir_all(&self.partial).map_err(|error| Error::io(&self.partial, "removed", error))
    }
}

/// Hash of the recipe and of the tables that a folder holds: those that were changed by hand are not used again.
pub(crate) fn seal(folder: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in [INGEST_TOML, MANIFEST, SOURCES, REJECTS] {
        // Without an image there is no manifest.
        let bytes = fs_err::read(folder.join(file)).unwrap_or_default();
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
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

/// What the tables of a data set, or of a batch of it, are made of.
pub(crate) struct Content<'a> {
    /// All files of the archive.
    pub inputs: &'a [Input],
    /// What hides names.
    pub keys: &'a Keys,
    /// The inputs to account for, with the hash of what was read of each; 0 where nothing was.
    pub accounts: Vec<(Origin, FileStat, u64)>,
    /// Images, in the order of their ids.
    pub rows: &'a [Row],
    /// Files without images, and frames that became none.
    pub rejects: &'a [(Origin, Reject)],
    /// Bits a pixel of the PNGs.
    pub bits: u8,
}

impl Content<'_> {
    fn manifest(&self) -> Manifest {
        let mut manifest = Manifest::default();
        for (id, row) in self.rows.iter().enumerate() {
            manifest.image_id.push(ImageId(id as u32));
            manifest.key.push(format!("{:016x}", row.key));
            manifest.path.push(row.relative());
            manifest.subject.push(row.subject.clone());
            manifest.series.push(row.series.clone());
            manifest.slice.push(row.slice);
            manifest.pixels.push(row.pixels.clone());
            manifest.width.push(row.width);
            manifest.height.push(row.height);
            manifest.spacing_x.push(row.spacing.map(|spacing| spacing.0));
            manifest.spacing_y.push(row.spacing.map(|spacing| spacing.1));
            manifest.bits.push(self.bits.into());
            manifest.window_low.push(row.window.0);
            manifest.window_high.push(row.window.1);
            manifest.format.push(row.format.to_owned());
            manifest.burned_in.push(row.identity.burned_in);
            manifest.flags.push((!row.flags.is_empty()).then(|| row.flags.join(",")));
        }
        manifest
    }

    fn labels(&self) -> Labels {
        let mut labels = Labels::default();
        for (id, row) in self.rows.iter().enumerate() {
            if let Some(label) = &row.label {
                labels.image_id.push(ImageId(id as u32));
                labels.label.push(label.clone());
            }
        }
        labels
    }

    /// The keyed hash of an input.
    fn key(&self, origin: &Origin) -> String {
        self.keys.input(&origin.source, origin.member.as_deref())
    }

    fn sources(&self) -> Sources {
        let mut sources = Sources::default();
        let mut push = |origin: &Origin, image: Option<(usize, &Row)>| {
            let row = image.map(|(_, row)| row);
            let identity = |part: fn(&Identity) -> &Option<String>| row.and_then(|row| part(&row.identity).clone());
            sources.input.push(self.key(origin));
            sources.image_id.push(image.map(|(id, _)| id as u32));
            sources.source.push(origin.source.clone());
            sources.member.push(origin.member.clone());
            sources.frame.push(row.map_or(0, |row| row.frame));
            sources.slice.push(row.map_or(0, |row| row.slice));
            sources.patient_id.push(identity(|identity| &identity.patient));
            sources.study_uid.push(identity(|identity| &identity.study));
            sources.series_uid.push(identity(|identity| &identity.series));
            sources.sop_uid.push(identity(|identity| &identity.object));
            sources.series_description.push(identity(|identity| &identity.description));
        };
        let mut with_images = HashSet::new();
        for image in self.rows.iter().enumerate() {
            let origin = self.inputs.get(image.1.input as usize).map(Input::origin).unwrap_or_default();
            push(&origin, Some(image));
            with_images.insert(origin);
        }
        for (origin, ..) in self.accounts.iter().filter(|(origin, ..)| !with_images.contains(origin)) {
            push(origin, None);
        }
        sources
    }

    fn rejects_table(&self) -> Rejects {
        let mut table = Rejects::default();
        for (origin, reject) in self.rejects {
            table.input.push(self.key(origin));
            table.frame.push(reject.frames.map(|frames| frames.first));
            table.frames.push(reject.frames.map(|frames| frames.count));
            table.reason.push(reject.reason.to_string());
            table.message.push(reject.message.clone());
        }
        table
    }

    fn inputs_table(&self) -> Inputs {
        let mut images: HashMap<Origin, Vec<&Row>> = HashMap::new();
        for row in self.rows {
            if let Some(input) = self.inputs.get(row.input as usize) {
                images.entry(input.origin()).or_default().push(row);
            }
        }
        let mut table = Inputs::default();
        for (origin, stat, work) in &self.accounts {
            table.input.push(self.key(origin));
            table.bytes.push(stat.bytes);
            table.modified.push(stat.modified);
            table.changed.push(stat.changed);
            table.inode.push(stat.inode);
            table.work.push(*work);
            table.written.push(written(images.get(origin).into_iter().flatten().copied()));
        }
        table
    }
}

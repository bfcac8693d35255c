//! Writes the data set: PNGs into a temporary folder, then everything into place; the manifest comes last.
//!
//! An earlier data set stays whole until the new images are all written. From the moment its manifest is removed
//! until the new one is there, the folder holds no data set that a reader would take for one.

use std::path::{Path, PathBuf};

use deepmcat_schemas::layout::{MANIFEST, REJECTS, SOURCES};
use deepmcat_schemas::{ImageId, Manifest, Rejects, Sources, Stamp, files, write_table};
use tempfile::TempDir;

use crate::Error;
use crate::dicom_file::Identity;
use crate::reject::Reject;
use crate::walk::{Input, Origin};

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
    /// Keyed hash of the subject.
    pub subject: String,
    /// Keyed hash of the series.
    pub series: String,
    /// What is odd about it.
    pub flags: Vec<&'static str>,
    /// For the sources table.
    pub identity: Identity,
}

impl Row {
    /// The PNG below the data set: 256 folders, so that none grows too long.
    fn relative(&self) -> String {
        format!("{IMAGES}/{:02x}/{:016x}.png", self.key >> 56, self.key)
    }
}

const IMAGES: &str = "images";

/// A data set that is being written.
#[derive(Debug)]
pub(crate) struct Writer {
    out: PathBuf,
    temporary: TempDir,
}

impl Writer {
    /// Makes sure that `out` may be replaced, and makes the temporary folder on its file system.
    pub fn new(out: &Path) -> Result<Self, Error> {
        check(out)?;
        let folder = files::temporary_folder(&out.join(MANIFEST));
        let make = || {
            fs_err::create_dir_all(&folder)?;
            let temporary = tempfile::Builder::new().prefix("ingest-").tempdir_in(&folder)?;
            for first in 0..=u8::MAX {
                fs_err::create_dir_all(temporary.path().join(IMAGES).join(format!("{first:02x}")))?;
            }
            Ok(temporary)
        };
        let temporary = make().map_err(|error| Error::io(&folder, "made", error))?;
        Ok(Self { out: out.to_owned(), temporary })
    }

    /// Where the PNG of a row is written for now.
    pub fn path(&self, row: &Row) -> PathBuf {
        self.temporary.path().join(row.relative())
    }

    /// Removes the PNG of a row that is not to be.
    pub fn remove(&self, row: &Row) -> Result<(), Error> {
        let path = self.path(row);
        fs_err::remove_file(&path).map_err(|error| Error::io(&path, "removed", error))
    }

    /// Puts everything into place: rejects, sources, images, and the manifest as the mark that all is done.
    ///
    /// Without an image there is no manifest.
    pub fn finish(
        self,
        inputs: &[Input],
        rows: &[Row],
        rejects: &[(Origin, Reject)],
        bits: u8,
        stamp: &Stamp,
    ) -> Result<(), Error> {
        let (manifest, sources) = tables(inputs, rows, bits);
        remove_if_there(&self.out.join(MANIFEST))?;
        write_table(&self.out.join(REJECTS), &rejects_table(rejects), stamp)?;
        write_table(&self.out.join(SOURCES), &sources, stamp)?;
        let images = self.out.join(IMAGES);
        let swap = || {
            if images.exists() {
                fs_err::rename(&images, self.temporary.path().join("replaced"))?;
            }
            fs_err::rename(self.temporary.path().join(IMAGES), &images)?;
            // The 256 folders were made before it was known which are needed.
            for folder in fs_err::read_dir(&images)? {
                drop(std::fs::remove_dir(folder?.path()));
            }
            Ok(())
        };
        swap().map_err(|error| Error::io(&images, "put into place", error))?;
        if !rows.is_empty() {
            write_table(&self.out.join(MANIFEST), &manifest, stamp)?;
        }
        let folder = self.temporary.path().parent().map(Path::to_owned);
        self.temporary.close().map_err(|error| Error::io(&self.out, "cleaned up", error))?;
        // Gone when nobody else is writing.
        folder.map(std::fs::remove_dir);
        Ok(())
    }
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

fn tables(inputs: &[Input], rows: &[Row], bits: u8) -> (Manifest, Sources) {
    let (mut manifest, mut sources) = (Manifest::default(), Sources::default());
    for (id, row) in rows.iter().enumerate() {
        let id = ImageId(id as u32);
        manifest.image_id.push(id);
        manifest.key.push(format!("{:016x}", row.key));
        manifest.path.push(row.relative());
        manifest.label.push(row.label.clone());
        manifest.subject.push(row.subject.clone());
        manifest.series.push(row.series.clone());
        manifest.slice.push(row.slice);
        manifest.pixels.push(row.pixels.clone());
        manifest.width.push(row.width);
        manifest.height.push(row.height);
        manifest.spacing_x.push(row.spacing.map(|spacing| spacing.0));
        manifest.spacing_y.push(row.spacing.map(|spacing| spacing.1));
        manifest.bits.push(bits.into());
        manifest.window_low.push(row.window.0);
        manifest.window_high.push(row.window.1);
        manifest.format.push(row.format.to_owned());
        manifest.burned_in.push(row.identity.burned_in);
        manifest.flags.push((!row.flags.is_empty()).then(|| row.flags.join(",")));
        let input = inputs.get(row.input as usize);
        sources.image_id.push(id);
        sources.source.push(input.map(|input| input.source.clone()).unwrap_or_default());
        sources.member.push(input.and_then(|input| input.member.clone()));
        sources.frame.push(row.frame);
        sources.slice.push(row.slice);
        sources.patient_id.push(row.identity.patient.clone());
        sources.study_uid.push(row.identity.study.clone());
        sources.series_uid.push(row.identity.series.clone());
        sources.sop_uid.push(row.identity.object.clone());
        sources.series_description.push(row.identity.description.clone());
    }
    (manifest, sources)
}

fn rejects_table(rejects: &[(Origin, Reject)]) -> Rejects {
    let mut table = Rejects::default();
    for (origin, reject) in rejects {
        table.source.push(origin.source.clone());
        table.member.push(origin.member.clone());
        table.reason.push(reject.reason.to_string());
        table.message.push(reject.message.clone());
    }
    table
}

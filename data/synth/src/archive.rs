//! Writes a whole archive: every scan in parallel, into a folder that appears when it is complete.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use deepmcat_stage::Progress;
use fs_err as fs;
use rayon::prelude::*;
use serde::Serialize;

use crate::args::Format;
use crate::class::Class;
use crate::error::Error;
use crate::scan::{Phantom, Scan};
use crate::{write_dicom, write_nifti, write_png, write_zip};

/// What to write.
#[derive(Debug, Clone)]
pub struct Order {
    /// The scans.
    pub phantom: Phantom,
    /// How many subjects.
    pub subjects: u32,
    /// Classes of each subject; a class named twice is written once.
    pub classes: Vec<Class>,
    /// File format.
    pub format: Format,
    /// Share of the series whose header says that they are of another class.
    pub mislabel: f64,
}

/// A series whose header says that it is of another class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mislabelled {
    /// SeriesInstanceUID (0020,000E).
    pub series_uid: String,
    /// Its class.
    pub class: &'static str,
    /// Its SeriesDescription (0008,103E).
    pub header: String,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// The folder.
    pub out: PathBuf,
    /// File format.
    pub format: Format,
    /// Seed of all draws.
    pub seed: u64,
    /// Strength of the nuisances.
    pub hardness: f32,
    /// Side of the images, in pixels.
    pub size: usize,
    /// Time frames of cines.
    pub frames: u32,
    /// Subjects.
    pub subjects: u32,
    /// Slices at t=0: what the paper calls images.
    pub images: u64,
    /// Files in the archive.
    pub files: u64,
    /// Slices at t=0 by class.
    pub classes: BTreeMap<&'static str, u64>,
    /// Series whose header says that they are of another class.
    pub mislabelled: Vec<Mislabelled>,
    /// Time taken, in s.
    pub seconds: f64,
}

/// Writes the archive of `order` to `out`. It is written beside `out` and renamed when complete:
/// what a killed run leaves (`.NAME.partial`) is swept by the next.
///
/// # Errors
/// When `out` exists and is not an empty folder, or something cannot be written.
pub fn generate(order: &Order, out: &Path) -> Result<Facts, Error> {
    let start = Instant::now();
    if order.format == Format::Png && order.phantom.frames > 1 {
        return Err(Error::FramesInPng { frames: order.phantom.frames });
    }
    if order.mislabel > 0.0 && order.format != Format::Dicom {
        return Err(Error::NoHeader);
    }
    let partial = prepare(out)?;
    let written = write_all(order, &partial).and_then(|written| {
        if out.exists() {
            fs::remove_dir(out)?; // empty: renaming over it works on some systems only
        }
        fs::rename(&partial, out)?;
        Ok(written)
    });
    let Written { files, images, mislabelled } = match written {
        Ok(written) => written,
        Err(error) => {
            // the first error is the one to tell
            drop(fs::remove_dir_all(&partial));
            return Err(error);
        }
    };
    let classes: BTreeMap<&'static str, u64> = images.iter().map(|(class, &count)| (class.name(), count)).collect();
    Ok(Facts {
        out: out.to_owned(),
        format: order.format,
        seed: order.phantom.seed,
        hardness: order.phantom.hardness,
        size: order.phantom.size,
        frames: order.phantom.frames,
        subjects: order.subjects,
        images: classes.values().sum(),
        files,
        classes,
        mislabelled,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Checks that `out` is free and makes the folder that the archive grows in, on the same file
/// system.
fn prepare(out: &Path) -> Result<PathBuf, Error> {
    if out.exists() {
        if !out.is_dir() {
            return Err(Error::NotAFolder { path: out.to_owned() });
        }
        if fs::read_dir(out)?.next().is_some() {
            return Err(Error::NotEmpty { path: out.to_owned() });
        }
    }
    let name = out.file_name().ok_or_else(|| Error::NoName { path: out.to_owned() })?;
    let mut partial_name = std::ffi::OsString::from(".");
    partial_name.push(name);
    partial_name.push(".partial");
    let partial = out.with_file_name(partial_name);
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir_all(&partial)?;
    Ok(partial)
}

/// What was written.
struct Written {
    files: u64,
    /// Slices at t=0 of each class.
    images: BTreeMap<Class, u64>,
    mislabelled: Vec<Mislabelled>,
}

fn write_all(order: &Order, folder: &Path) -> Result<Written, Error> {
    let mut classes = order.classes.clone();
    classes.sort_unstable();
    classes.dedup();
    // What is written together: the scan of a class, or a zip with those of several.
    let groups: Vec<(u32, Vec<Class>)> = match order.format {
        Format::UkbZip => write_zip::FIELDS
            .into_iter()
            .map(|(field, own)| (field, own.iter().copied().filter(|class| classes.contains(class)).collect()))
            .collect(),
        _ => classes.into_iter().map(|class| (0, vec![class])).collect(),
    };
    let tasks: Vec<(u32, &(u32, Vec<Class>))> =
        (0..order.subjects).flat_map(|subject| groups.iter().map(move |group| (subject, group))).collect();
    let progress = Progress::new(tasks.len() as u64, "series");
    let counts = tasks
        .par_iter()
        .map(|&(subject, (field, classes))| {
            let scans: Vec<Scan> = classes.iter().map(|&class| order.phantom.scan(subject, class)).collect();
            let (files, mislabelled) = write_group(order, subject, *field, &scans, folder)?;
            progress.inc(1);
            let images = |scan: &Scan| (scan.class, scan.images.len() as u64);
            Ok((files, mislabelled, scans.iter().map(images).collect::<Vec<_>>()))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    progress.finish();
    let files = counts.iter().map(|(files, ..)| files).sum();
    let mislabelled = counts.iter().flat_map(|(_, mislabelled, _)| mislabelled).cloned().collect();
    let mut images = BTreeMap::<Class, u64>::new();
    for (class, count) in counts.into_iter().flat_map(|(.., images)| images) {
        *images.entry(class).or_default() += count;
    }
    Ok(Written { files, images, mislabelled })
}

/// Writes what belongs together; gives the number of files, and the series whose header is another's.
fn write_group(
    order: &Order,
    subject: u32,
    field: u32,
    scans: &[Scan],
    folder: &Path,
) -> Result<(u64, Vec<Mislabelled>), Error> {
    let seed = order.phantom.seed;
    let mut mislabelled = Vec::new();
    let files: Result<u64, Error> = match order.format {
        Format::Nifti => scans.iter().map(|scan| write_nifti::write(scan, folder)).sum(),
        Format::Dicom => {
            scans.iter().map(|scan| write_dicom::write(scan, seed, order.mislabel, folder, &mut mislabelled)).sum()
        }
        Format::Png => scans.iter().map(|scan| write_png::write(scan, folder)).sum(),
        Format::UkbZip => {
            let scout = Phantom { frames: 1, ..order.phantom }.scan(subject, Class::Ao);
            write_zip::write(field, scans, &scout, seed, folder)
        }
    };
    Ok((files?, mislabelled))
}

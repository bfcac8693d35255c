//! Ingest: archives of NIfTI, DICOM, PNG and JPEG to PNG slices at t=0 with a manifest.
//!
//! Two passes over the archive. The first reads headers and chooses what becomes an image (`scan`); the second
//! decodes just that (`convert`). Every file ends as a source of images or as a row of the rejects; what it holds
//! can end neither the run nor take more than its share of memory.

mod archive;
mod args;
mod convert;
mod dataset;
mod dicom_file;
mod durable;
mod earlier;
mod error;
mod flags;
mod guard;
mod keys;
mod listing;
mod nifti_file;
mod picture;
mod place;
mod png_out;
mod raster;
mod recipe;
mod reject;
mod report;
pub mod rules;
mod scan;
mod settings;
mod slice;
mod sniff;
mod subject;
mod summary;
mod walk;
mod window;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use dataset::Content;
use deepmcat_schemas::{FileStat, Stamp, jobs};
use deepmcat_stage::Progress;
use earlier::Earlier;
use rayon::prelude::*;
use recipe::Recipe;

pub use archive::ZipLimits;
pub use args::{Args, Means};
pub use error::Error;
pub use keys::Keys;
pub use listing::Compared;
pub use reject::{FrameRange, Reason, Reject};
pub use settings::Settings;
pub use summary::Summary;

/// Stack of a worker: DICOM sequences nest, and their reader calls itself.
const STACK: usize = 64 << 20;

/// Does a job.
///
/// # Errors
/// When the key, an input or the output folder is wrong, or the output cannot be written.
pub fn run(job: jobs::Ingest, means: &Means) -> Result<(), Error> {
    let mut settings = Settings::of(&job);
    if let Some(key) = &job.inputs.key {
        settings.keys = Keys::from_file(key)?;
    }
    settings.threads = means.jobs.unwrap_or_default();
    settings.fresh = means.fresh;
    let summary = ingest(&job.inputs.archive, &job.outputs.dataset, &settings, &Stamps::of(&job), means.dry_run)?;
    report::log(&summary, means.dry_run);
    if means.json {
        deepmcat_stage::print(&serde_json::json!(summary).to_string()).map_err(Error::Print)?;
    }
    Ok(())
}

/// The stamps of an ingest's tables.
#[derive(Debug, Clone)]
pub struct Stamps {
    /// Of all but the labels: class rules change nothing in them but through what they exclude.
    pub images: Stamp,
    /// Of the table of labels.
    pub labels: Stamp,
}

impl Stamps {
    /// By the settings that the tables depend on.
    #[must_use]
    pub fn of(job: &jobs::Ingest) -> Self {
        Self { images: job.stamp(), labels: job.labels_stamp() }
    }
}

/// Makes the data set `out` of all files below `inputs`; in a dry run writes nothing.
///
/// The same inputs, settings and stamp give the same bytes, whatever the number of threads.
///
/// # Errors
/// When an input is absent, `out` must not be replaced, a class rule is faulty, nothing is an image, or a file
/// cannot be written. A bad input file is a row of the rejects.
pub fn ingest(
    inputs: &[PathBuf],
    out: &Path,
    settings: &Settings,
    stamps: &Stamps,
    dry_run: bool,
) -> Result<Summary, Error> {
    let stamp = &stamps.images;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.threads as usize)
        .stack_size(STACK)
        .build()
        .map_err(|source| Error::Threads { threads: settings.threads, source })?;
    let rules = rules::Rules::load(&settings.rules)?;
    let found = pool.install(|| walk::walk(inputs, out, settings.zip))?;
    // Before anything is read, so that an unchanged archive is not.
    let prepared = if dry_run {
        None
    } else {
        let recipe = Recipe::of(settings, &rules, &stamp.stage_version);
        let writer = dataset::Writer::new(out, recipe.clone(), settings.fresh)?;
        for (input, prefix) in &found.empty {
            if let files @ 1.. = writer.earlier_inputs(prefix) {
                writer.abandon()?;
                return Err(Error::EmptyNow { input: input.clone(), out: out.to_owned(), files });
            }
        }
        let earlier = if settings.fresh {
            Earlier::none(&settings.keys)
        } else {
            Earlier::load(out, &writer.batches, &recipe, &settings.keys)
        };
        if let Some(summary) = earlier.unchanged(out, &found) {
            tracing::info!("{}: no input has changed since it was made; --fresh makes it again", out.display());
            return writer.leave().map(|()| summary);
        }
        Some((writer, earlier))
    };
    let mut scan = pool.install(|| scan::scan(&found.files, &rules, settings));
    let total = (found.files.len() + found.rejects.len()) as u64;
    let of = |input: u32| found.files.get(input as usize).map(walk::Input::origin).unwrap_or_default();
    let walked: Vec<walk::Origin> = found.rejects.iter().map(|(origin, _)| origin.clone()).collect();
    let mut rejects = found.rejects;
    rejects.extend(std::mem::take(&mut scan.rejects).into_iter().map(|(input, reject)| (of(input), reject)));
    let Some((mut writer, earlier)) = prepared else {
        let left = scan.jobs.iter().flat_map(|job| job.left.iter().map(|reject| (of(job.input), reject.clone())));
        rejects.extend(left);
        let count = |job: &scan::Job| scan::count(job, &found.files[job.input as usize], settings.frames);
        let counts: Vec<(u64, u64)> = pool.install(|| scan.jobs.par_iter().map(count).collect());
        let files = scan.jobs.len() as u64;
        let other = scan.jobs.iter().filter(|job| !matches!(job.work, scan::Work::Dicom(_))).count() as u64;
        let labels = scan.jobs.iter().zip(&counts);
        let labels = labels.flat_map(|(job, &(images, _))| (0..images).map(|_| job.label.as_deref()));
        let images = Some(counts.iter().map(|(images, _)| images).sum());
        let series = scan.series + other;
        let mut summary =
            Summary { inputs: total, files, images, series, ..Summary::new(labels, &rejects, &rules, &scan) };
        summary.later(counts.iter().map(|(_, later)| later).sum());
        return Ok(summary);
    };
    let mut rows = Vec::new();
    let jobs = std::mem::take(&mut scan.jobs);
    let mut work: Vec<u64> = vec![0; found.files.len()];
    let progress = Progress::new(jobs.len() as u64, "files converted");
    let write_back = durable::WriteBack::start(writer.folder());
    for chunk in jobs.chunks(settings.batch) {
        let outcomes =
            pool.install(|| convert::convert(&found.files, chunk, settings, &writer, &earlier, &progress))?;
        let (from, rejected) = (rows.len(), rejects.len());
        for outcome in outcomes {
            rows.extend(outcome.rows);
            rejects.extend(outcome.rejects.into_iter().map(|(input, reject)| (of(input), reject)));
        }
        let mut accounts = Vec::with_capacity(chunk.len());
        for job in chunk {
            work[job.input as usize] = job.work();
            let input = &found.files[job.input as usize];
            accounts.push((input.origin(), input.stat, job.work()));
        }
        // The last batch is followed by the whole.
        if chunk.len() == settings.batch {
            let (rows, rejects) = (&rows[from..], &rejects[rejected..]);
            let (inputs, keys, bits) = (&found.files, &settings.keys, settings.bits);
            let batch = Content { inputs, keys, accounts, rows, rejects, bits };
            writer.batch(&batch, stamp)?;
        }
    }
    drop(write_back);
    progress.finish();
    rejects.sort_by(|a, b| (&a.0, a.1.frames).cmp(&(&b.0, b.1.frames)));
    earlier.order(&mut rows);
    flags::mark_duplicates(&mut rows);
    let labels = rows.iter().map(|row| row.label.as_deref());
    let files = count_files(&rows);
    let summary = Summary {
        inputs: total,
        files,
        taken_over: earlier.taken(),
        images: Some(rows.len() as u64),
        series: rows.iter().map(|row| &row.series).collect::<BTreeSet<_>>().len() as u64,
        flags: Summary::flags(&rows),
        ..Summary::new(labels, &rejects, &rules, &scan)
    };
    let files = found.files.iter().zip(&work).map(|(input, &work)| (input.origin(), input.stat, work));
    let accounts = files.chain(walked.into_iter().map(|origin| (origin, FileStat::default(), 0))).collect();
    let (keys, bits) = (&settings.keys, settings.bits);
    let content = Content { inputs: &found.files, keys, accounts, rows: &rows, rejects: &rejects, bits };
    check_keys(&content)?;
    let none = rows.is_empty();
    if none && let images @ 1.. = writer.earlier_images() {
        let (inputs, reasons) = (total as usize, summary.reasons());
        writer.abandon()?;
        return Err(Error::NothingLeft { out: out.to_owned(), inputs, reasons, images });
    }
    writer.finish(&content, stamp, &stamps.labels)?;
    if none {
        return Err(Error::NoImages { inputs: total as usize, reasons: summary.reasons() });
    }
    Ok(summary)
}

/// The files that images came from.
fn count_files(rows: &[dataset::Row]) -> u64 {
    rows.iter().map(|row| row.input).collect::<BTreeSet<_>>().len() as u64
}

/// No two images may have one key, since it names the PNG, and no two inputs.
fn check_keys(content: &Content<'_>) -> Result<(), Error> {
    let mut seen = HashSet::with_capacity(content.rows.len());
    if let Some(row) = content.rows.iter().find(|row| !seen.insert(row.key)) {
        return Err(Error::Collision { what: "images", key: format!("{:016x}", row.key) });
    }
    let mut seen = HashSet::with_capacity(content.accounts.len());
    let keys = content.accounts.iter().map(|(origin, ..)| content.keys.input(&origin.source, origin.member.as_deref()));
    match keys.map(|key| (seen.insert(key.clone()), key)).find(|(new, _)| !new) {
        Some((_, key)) => Err(Error::Collision { what: "inputs", key }),
        None => Ok(()),
    }
}

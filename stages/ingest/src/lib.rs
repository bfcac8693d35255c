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
mod error;
mod flags;
mod guard;
mod keys;
mod known;
mod listing;
mod nifti_file;
mod picture;
mod place;
mod png_out;
mod raster;
mod reject;
pub mod rules;
mod scan;
mod settings;
mod slice;
mod sniff;
mod summary;
mod walk;
mod window;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use dataset::Content;
use deepmcat_common::Progress;
use deepmcat_schemas::Stamp;
use known::Known;

pub use archive::ZipLimits;
pub use args::Args;
pub use error::Error;
pub use keys::Keys;
pub use listing::Compared;
pub use reject::{FrameRange, Reason, Reject};
pub use settings::{DEFAULT_LIMIT, Settings};
pub use summary::Summary;

/// Kinds of unmatched files that a dry run shows.
const SHOWN: usize = 10;

/// Stack of a worker: DICOM sequences nest, and their reader calls itself.
const STACK: usize = 64 << 20;

/// Runs the stage as its command line says.
///
/// # Errors
/// When the configuration, an input or the output folder is wrong, or the output cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let mut config = args.common.config()?;
    // Into the configuration, so that the tables' stamp covers them.
    if let Some(rules) = args.rules {
        config.ingest.rules = rules;
    }
    config.ingest.frames = args.frames.unwrap_or(config.ingest.frames);
    let mut settings = Settings::of(&config);
    if let Some(path) = &args.key_file {
        settings.keys = Keys::from_file(path)?;
    }
    settings.limit = args.max_memory.saturating_mul(1 << 20);
    settings.seconds = args.max_seconds;
    settings.threads = args.jobs.unwrap_or(settings.threads);
    settings.fresh = args.fresh;
    settings.shard = args.shard;
    settings.zip = ZipLimits { members: args.max_members, ratio: args.max_ratio };
    let stamp = config.stamp("ingest", env!("CARGO_PKG_VERSION"));
    let summary = ingest(&args.inputs, &args.out, &settings, &stamp, args.dry_run)?;
    let images = summary.images.map_or_else(|| "(dry run)".to_owned(), |images| format!("-> {images} images"));
    tracing::info!("{} inputs: {} files {images}; {}", summary.inputs, summary.files, summary.reasons());
    for (flag, count) in &summary.flags {
        tracing::info!("{count:>9} images are flagged {flag}");
    }
    let Compared { same, different, absent } = summary.compared;
    if different + absent > 0 {
        tracing::warn!(
            "of the files that the archive's own lists name, {same} are as listed, {different} have another \
             SeriesDescription (the file's counts) and {absent} are not there"
        );
    }
    if args.dry_run {
        for (rule, count) in &summary.rules {
            tracing::info!("{count:>9} files by the rule of {rule}");
        }
        for rule in &summary.idle_rules {
            tracing::warn!("no file matched the rule of {rule}");
        }
        let mut unmatched: Vec<_> = summary.unmatched.iter().collect();
        unmatched.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        for (what, count) in unmatched.iter().take(SHOWN) {
            tracing::info!("{count:>9} files by no rule: {what}");
        }
        if unmatched.len() > SHOWN {
            tracing::info!("          and {} more kinds by no rule; --json lists all", unmatched.len() - SHOWN);
        }
    }
    if args.json {
        // stdout is for data
        #[allow(clippy::print_stdout)]
        {
            println!("{}", serde_json::json!(summary));
        }
    }
    Ok(())
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
    stamp: &Stamp,
    dry_run: bool,
) -> Result<Summary, Error> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(settings.threads as usize)
        .stack_size(STACK)
        .build()
        .map_err(|source| Error::Threads { threads: settings.threads, source })?;
    let rules = rules::Rules::load(&settings.rules)?;
    let found = pool.install(|| walk::walk(inputs, out, settings.zip))?;
    // Before anything is read, so that an unchanged archive is not.
    let hash = settings.hash(&rules, stamp);
    let prepared = if dry_run {
        None
    } else {
        let writer = dataset::Writer::new(out, hash.clone(), settings.shard)?;
        let known = if settings.fresh { Known::default() } else { Known::load(out, &writer.batches, &hash) };
        if let Some(summary) = known.unchanged(&found) {
            tracing::info!("{}: no input has changed since it was made; --fresh makes it again", out.display());
            return writer.leave().map(|()| summary);
        }
        Some((writer, known))
    };
    let mut scan = pool.install(|| scan::scan(&found.files, &rules, settings));
    let total = (found.files.len() + found.rejects.len()) as u64;
    let of = |input: u32| found.files.get(input as usize).map(walk::Input::origin).unwrap_or_default();
    let walked: Vec<walk::Origin> = found.rejects.iter().map(|(origin, _)| origin.clone()).collect();
    let mut rejects = found.rejects;
    rejects.extend(std::mem::take(&mut scan.rejects).into_iter().map(|(input, reject)| (of(input), reject)));
    let Some((mut writer, known)) = prepared else {
        let left = scan.jobs.iter().flat_map(|job| job.left.iter().map(|reject| (of(job.input), reject.clone())));
        rejects.extend(left);
        let labels = scan.jobs.iter().map(|job| job.label.as_deref());
        let files = scan.jobs.len() as u64;
        return Ok(Summary { inputs: total, files, ..Summary::new(labels, &rejects, &rules, &scan) });
    };
    let mut rows = Vec::new();
    let mut jobs = std::mem::take(&mut scan.jobs);
    if let Some(shard) = settings.shard {
        jobs = jobs.drain(shard.rows(jobs.len(), 1)).collect();
    }
    let mut work: Vec<u64> = vec![0; found.files.len()];
    let progress = Progress::new(jobs.len() as u64, "files converted");
    for chunk in jobs.chunks(settings.batch) {
        let outcomes = pool.install(|| convert::convert(&found.files, chunk, settings, &writer, &known, &progress))?;
        let (from, rejected) = (rows.len(), rejects.len());
        for outcome in outcomes {
            rows.extend(outcome.rows);
            rejects.extend(outcome.rejects.into_iter().map(|(input, reject)| (of(input), reject)));
        }
        let mut told = Vec::with_capacity(chunk.len());
        for job in chunk {
            work[job.input as usize] = job.work();
            let input = &found.files[job.input as usize];
            told.push((input.origin(), input.stat, job.work()));
        }
        // The last batch is followed by the whole, unless that is another process's.
        if chunk.len() == settings.batch || settings.shard.is_some() {
            let (rows, rejects) = (&rows[from..], &rejects[rejected..]);
            let batch = Content { inputs: &found.files, told, rows, rejects, bits: settings.bits };
            writer.batch(&batch, stamp)?;
        }
    }
    progress.finish();
    if let Some(shard) = settings.shard {
        tracing::info!("part {shard} is done: {} images; once all are, run ingest without --shard", rows.len());
        let labels = rows.iter().map(|row| row.label.as_deref());
        let (files, images) = (count_files(&rows), Some(rows.len() as u64));
        let inputs = work.iter().filter(|&&work| work != 0).count() as u64;
        return Ok(Summary { inputs, files, images, ..Summary::new(labels, &[], &rules, &scan) });
    }
    rejects.sort_by(|a, b| (&a.0, a.1.frames).cmp(&(&b.0, b.1.frames)));
    known.order(&mut rows);
    check_keys(&rows, &found.files)?;
    flags::mark_duplicates(&mut rows);
    let labels = rows.iter().map(|row| row.label.as_deref());
    let files = count_files(&rows);
    let summary = Summary {
        inputs: total,
        files,
        images: Some(rows.len() as u64),
        flags: Summary::flags(&rows),
        ..Summary::new(labels, &rejects, &rules, &scan)
    };
    let files = found.files.iter().zip(&work).map(|(input, &work)| (input.origin(), input.stat, work));
    let told = files.chain(walked.into_iter().map(|origin| (origin, walk::Stat::default(), 0))).collect();
    let content = Content { inputs: &found.files, told, rows: &rows, rejects: &rejects, bits: settings.bits };
    writer.finish(&content, stamp)?;
    if summary.images == Some(0) {
        return Err(Error::NoImages { inputs: total as usize, reasons: summary.reasons() });
    }
    Ok(summary)
}

/// The files that images came from.
fn count_files(rows: &[dataset::Row]) -> u64 {
    rows.iter().map(|row| row.input).collect::<BTreeSet<_>>().len() as u64
}

/// No two images may have one key: it names the PNG.
fn check_keys(rows: &[dataset::Row], inputs: &[walk::Input]) -> Result<(), Error> {
    let mut seen = HashSet::with_capacity(rows.len());
    match rows.iter().find(|row| !seen.insert(row.key)) {
        None => Ok(()),
        Some(row) => {
            let source_file = inputs.get(row.input as usize).map(|input| input.source.clone()).unwrap_or_default();
            Err(Error::Collision { source_file, key: format!("{:016x}", row.key) })
        }
    }
}

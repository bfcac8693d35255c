//! Ingest: archives of NIfTI, DICOM, PNG and JPEG to PNG slices at t=0 with a manifest.
//!
//! A line of rooms: `discover` (what inputs there are), `scan` (what each is), `choose` (what becomes an image),
//! `convert` (pixels to PNG), `publish` (tables, and everything into place). Every file ends as a
//! source of images or as a row of the rejects; what it holds can end neither the run nor take more than its share of
//! memory.

mod args;
mod choose;
mod convert;
mod discover;
mod durable;
mod earlier;
mod error;
mod flags;
mod format;
mod formats;
mod guard;
mod hash;
mod headers;
mod image;
mod ingest;
mod inputs;
mod keys;
mod pairs;
mod place;
mod png_out;
mod publish;
mod raster;
mod recipe;
mod reject;
mod report;
pub mod rules;
mod scan;
mod series;
mod settings;
mod slice;
mod subject;
mod summary;
mod texts;
mod window;

use deepmcat_schemas::jobs;

pub use args::{Args, Means};
pub use discover::zip::ZipLimits;
pub use error::Error;
pub use ingest::ingest;
pub use keys::Keys;
pub use reject::{FrameRange, Reason, Reject};
pub use scan::Compared;
pub use settings::{Settings, Stamps};
pub use summary::Summary;

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

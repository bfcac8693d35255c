//! Ingest: archives of NIfTI, DICOM, PNG and JPEG to PNG slices at t=0 with a manifest.
//!
//! A line of rooms: `discover` (what inputs there are), `scan` (what each is), `choose` (what becomes an image),
//! `convert` (pixels to PNG), `publish` (tables, and everything into place). Every file ends as a source of images or as a row of the rejects; what it holds
//! can end neither the run nor take more than its share of memory.

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

use std::path::Path;

use deepmcat_config::Config;
use deepmcat_schemas::Stamp;

pub use args::Args;
pub use discover::zip::ZipLimits;
pub use error::Error;
pub use ingest::ingest;
pub use keys::Keys;
pub use reject::{FrameRange, Reason, Reject};
pub use scan::Compared;
pub use settings::Settings;
pub use summary::Summary;

/// Runs the stage as its command line says.
///
/// # Errors
/// When the configuration, an input or the output folder is wrong, or the output cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let mut config = args.common.config()?;
    // Into the configuration, so that the tables' stamp covers them.
    if let Some(rules) = args.rules.clone() {
        config.ingest.rules = rules;
    }
    config.ingest.frames = args.frames.unwrap_or(config.ingest.frames);
    let mut settings = Settings::of(&config);
    settings.keys = keys(&args, &config)?;
    settings.limit = args.max_memory.map_or(settings.limit, |mib| mib.saturating_mul(1 << 20));
    settings.seconds = args.max_seconds.unwrap_or(settings.seconds);
    settings.threads = args.jobs.unwrap_or(settings.threads);
    settings.fresh = args.fresh;
    settings.zip = ZipLimits { members: args.max_members, ratio: args.max_ratio };
    let summary = ingest(&args.inputs, &args.out, &settings, &Stamps::of(&config), args.dry_run)?;
    report::log(&summary, args.dry_run);
    if args.json {
        deepmcat_stage::print(&serde_json::json!(summary).to_string()).map_err(Error::Print)?;
    }
    Ok(())
}

/// The key of the hashes: that of the command line, else of the configuration, else the one that everybody knows.
fn keys(args: &Args, config: &Config) -> Result<Keys, Error> {
    let configured = Path::new(&config.ingest.key_file);
    // A relative path in a configuration file starts at that file, so that a run folder can be moved.
    let base = args.common.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    match &args.key_file {
        Some(path) => Keys::from_file(path),
        None if config.ingest.key_file.is_empty() => Ok(Keys::public()),
        None => Keys::from_file(&base.join(configured)),
    }
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
    pub fn of(config: &Config) -> Self {
        let of = |job| config.stamp(job);
        Self { images: of("ingest"), labels: of("labels") }
    }
}

//! Report: a result as one page that needs no network and reads without script.

mod args;
mod error;
mod facts;
mod page;
mod pictures;

use std::io::Write;

use deepmcat_schemas::files::write_beside;
use deepmcat_schemas::jobs;
use deepmcat_stage::{Threads, Timings};

pub use args::Args;
pub use error::Error;
pub use facts::Facts;

/// Does a job.
///
/// # Errors
/// When a table or an image is absent or damaged, or the page cannot be written.
pub fn run(job: &jobs::Report, means: Threads) -> Result<(), Error> {
    let mut timings = Timings::new();
    deepmcat_stage::set_threads(means.threads)?;
    let facts = Facts::read(job)?;
    timings.lap("read");
    let strips = pictures::strips(&job.inputs.dataset, &facts)?;
    timings.lap("pictures");
    let page = page::page(job, &facts, &strips)?;
    timings.lap("page");
    write_beside(&job.outputs.report, |file| file.write_all(page.as_bytes()))?;
    timings.lap("write");
    tracing::info!("{}: {:.1} MB", job.outputs.report.display(), page.len() as f64 / 1e6);
    timings.log();
    Ok(())
}

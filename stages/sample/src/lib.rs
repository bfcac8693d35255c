//! Assignments to a training order that is uniform over pseudo-labels.

mod args;
mod draw;
mod error;

pub use args::Args;
pub use draw::draw;
pub use error::Error;

use deepmcat_schemas::{Assignments, PART_0, jobs, read_folder, write_table};
use deepmcat_stage::Timings;

/// Does a job.
///
/// # Errors
/// When the assignments are absent, empty or no assignments, or the table cannot be written.
pub fn run(job: jobs::Sample) -> Result<(), Error> {
    let mut timings = Timings::new();
    let assignments: Assignments = read_folder(&job.inputs.assignments)?;
    if assignments.image_id.is_empty() {
        return Err(Error::Empty { path: job.inputs.assignments });
    }
    timings.lap("read");
    let samples = draw(&assignments, &job.sample, job.seed, job.epoch);
    timings.lap("compute");
    write_table(&job.outputs.samples.join(PART_0), &samples, &job.stamp())?;
    timings.lap("write");
    timings.log();
    Ok(())
}

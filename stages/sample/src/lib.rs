//! Assignments to a training order that is uniform over pseudo-labels.

mod args;
mod draw;
mod error;

pub use args::Args;
pub use draw::draw;
pub use error::Error;

use deepmcat_schemas::{Assignments, PART_0, read_folder, write_table};
use deepmcat_stage::Timings;

/// Runs the stage.
///
/// # Errors
/// When the assignments are absent, empty or no assignments, or the table cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let mut timings = Timings::new();
    let mut config = args.common.config()?;
    // Into the configuration, so that the table's stamp covers it.
    config.sample.sure = args.sure.unwrap_or(1.0);
    let assignments: Assignments = read_folder(&args.assignments)?;
    if assignments.image_id.is_empty() {
        return Err(Error::Empty { path: args.assignments });
    }
    timings.lap("read");
    let samples = draw(&assignments, &config.sample, config.run.seed, args.epoch);
    timings.lap("compute");
    write_table(&args.out.join(PART_0), &samples, &config.stamp("sample"))?;
    timings.lap("write");
    timings.log();
    Ok(())
}

//! `deepmcat-categorize`: a category for every image and series of a result.

use deepmcat_categorize::Args;
use deepmcat_stage::Front;

fn main() -> std::process::ExitCode {
    // Not by a job: a person calls it when a run has long ended, and no node is it.
    let run = |args: Args| args.job().and_then(|(job, means)| deepmcat_categorize::run(job, means));
    deepmcat_stage::main_with(|args: &Args| args.common.verbosity, run)
}

//! `deepmcat`: makes, plans, runs and explains a run; passes `deepmcat STAGE ...` on to `deepmcat-STAGE`.

use deepmcat_pipeline::args::Args;

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &Args| args.verbosity, deepmcat_pipeline::commands::run)
}

//! `deepmcat-names`: names for the clusters and images of a run.

use deepmcat_names::Args;

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &Args| args.verbosity, deepmcat_names::run)
}

//! `deepmcat-review`: a page on this machine, for naming the clusters of a run by keyboard.

use deepmcat_review::Args;

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &Args| args.verbosity, deepmcat_review::run)
}

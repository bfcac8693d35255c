//! `deepmcat-history`: how the clusters of a run's images changed over its epochs.

use deepmcat_query::history::Args;

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &Args| args.verbosity, deepmcat_query::history::run)
}

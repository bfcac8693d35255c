//! `deepmcat-sql`: answers an SQL query over a run's tables.

use deepmcat_query::sql::Args;

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &Args| args.verbosity, deepmcat_query::sql::run)
}

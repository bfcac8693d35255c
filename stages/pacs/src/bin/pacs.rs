//! `deepmcat-pacs`: the categories of a run back into an archive server.

use deepmcat_pacs::PacsArgs;

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &PacsArgs| args.verbosity, deepmcat_pacs::pacs)
}

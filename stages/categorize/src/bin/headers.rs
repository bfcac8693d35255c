//! `deepmcat-headers`: series whose header and images disagree.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &deepmcat_categorize::HeaderArgs| args.verbosity, deepmcat_categorize::headers)
}

//! `deepmcat-categorize`: a category for every image and series of a result.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_categorize::Args>()
}

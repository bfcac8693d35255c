//! `deepmcat-place`: images of another archive into the categories of a model.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_categorize::PlaceArgs>()
}

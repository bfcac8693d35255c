//! `deepmcat-pack`: decodes and resizes the images of a data set once.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_pack::Args>()
}

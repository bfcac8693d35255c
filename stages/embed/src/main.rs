//! `deepmcat-embed`: the images of a data set to l2-normalised features.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_embed::Args>()
}

//! `deepmcat-sample`: draws the images an epoch trains on.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_sample::Args>()
}

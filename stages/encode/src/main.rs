//! `deepmcat-encode`: images to features by a frozen encoder.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_encode::Args>()
}

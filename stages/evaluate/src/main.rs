//! `deepmcat-evaluate`: measures the assignments of an epoch.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_evaluate::Args>()
}

//! `deepmcat-evaluate`: measures the assignments of an epoch.

fn main() -> std::process::ExitCode {
    deepmcat_common::main(deepmcat_evaluate::run)
}

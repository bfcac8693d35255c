//! `deepmcat-train`: one epoch of training on pseudo-labels.

fn main() -> std::process::ExitCode {
    deepmcat_common::main(deepmcat_train::run)
}

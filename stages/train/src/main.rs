//! `deepmcat-train`: one epoch of training on pseudo-labels.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_train::Args>()
}

//! deepmcat-synth: writes a made-up cardiac MR archive for demos, tests and benchmarks.

fn main() -> std::process::ExitCode {
    deepmcat_common::main(deepmcat_synth::run)
}

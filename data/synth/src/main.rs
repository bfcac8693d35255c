//! deepmcat-synth: writes a made-up cardiac MR archive for demos, tests and benchmarks.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &deepmcat_synth::Args| args.common.verbosity, deepmcat_synth::run)
}

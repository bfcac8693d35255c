//! `deepmcat-audit`: how sure a threshold of confidence is, certified by a person's look at drawn images.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main_with(|args: &deepmcat_audit::Args| args.verbosity, deepmcat_audit::run)
}

//! `deepmcat-report`: a result as one page.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_report::Args>()
}

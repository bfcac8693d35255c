//! `deepmcat-fetch`: the instances of an archive server as files of a folder.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_pacs::Args>()
}

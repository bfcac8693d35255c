//! `deepmcat-ingest`: archives of NIfTI, DICOM, PNG and JPEG to a data set of PNG slices.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_ingest::Args>()
}

//! What a machine may lack that a test needs. libtest has no word for a test that finds so when it runs, so the test says
//! so in a line that `tests/count.awk` counts; where `DEEPMCAT_REQUIRE` names what is lacking, the test fails instead.

use std::io::Write;
use std::path::{Path, PathBuf};

/// What a test may need beyond Rust and libtorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Slurm's daemons and commands.
    Slurm,
    /// Archives in `../shared/data`.
    Shared,
    /// The packages of `tests/requirements.txt`.
    Python,
    /// The encoder that `make setup` fetches.
    Encoder,
    /// Chromium and its driver.
    Browser,
    /// Node, which runs the tests of the pages' own functions.
    Node,
    /// Orthanc with its DICOMweb plugin, DCMTK and dicom3tools.
    Orthanc,
    /// The right to mount a file system.
    Mount,
}

impl Need {
    /// Its name in `DEEPMCAT_REQUIRE`, a list with commas.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Slurm => "slurm",
            Self::Shared => "shared",
            Self::Python => "python",
            Self::Encoder => "encoder",
            Self::Browser => "browser",
            Self::Node => "node",
            Self::Orthanc => "orthanc",
            Self::Mount => "mount",
        }
    }

    fn is_in(self, required: &str) -> bool {
        required.split(',').any(|name| name.trim() == self.name())
    }
}

/// Says that the test of this thread is skipped, which has to return then.
///
/// # Panics
/// Where `DEEPMCAT_REQUIRE` names the need.
pub fn skip(need: Need, reason: &str) {
    let required = std::env::var("DEEPMCAT_REQUIRE").unwrap_or_default();
    assert!(!need.is_in(&required), "DEEPMCAT_REQUIRE names {}, but {reason}", need.name());
    let thread = std::thread::current();
    let reason = reason.lines().next().unwrap_or_default();
    // Not by `eprintln!`, whose text libtest holds back where a test passes.
    let line = format!("\nskipped: {}: {reason}\n", thread.name().unwrap_or("a test"));
    drop(std::io::stderr().write_all(line.as_bytes()));
}

/// The folder NAME of `../shared/data` beside the checkout (or of `$DEEPMCAT_SHARED/data`): real files, which this
/// repository may not hold. Where it is absent the test is skipped.
#[must_use]
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = find(name);
    if folder.is_none() {
        skip(Need::Shared, &format!("{name} is not in ../shared/data (DEEPMCAT_SHARED names another folder)"));
    }
    folder
}

/// True where the set-up has fetched the encoder; else the test is skipped.
#[must_use]
pub fn has_encoder() -> bool {
    let there = deepmcat_config::encoders().join("efficientnet-lite0.onnx").is_file();
    if !there {
        skip(Need::Encoder, "make setup could not fetch the encoder");
    }
    there
}

fn find(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("DEEPMCAT_SHARED").map_or_else(beside, PathBuf::from);
    shared.join("data").join(name).canonicalize().ok().filter(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_required_by_its_name() {
        assert!(Need::Python.is_in("slurm, python") && Need::Slurm.is_in("slurm"));
        assert!(!Need::Slurm.is_in("") && !Need::Slurm.is_in("slurmctld,python"));
    }

    #[test]
    fn what_is_not_there_is_none() {
        assert_eq!(find("no such archive"), None);
    }
}

//! The job of `ingest`: an archive to a data set.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{OutOfRange, must, within};
use super::{Check, paths};

/// An archive to a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// What it reads; all of it is the user's.
    pub inputs: Inputs,
    /// What it writes.
    pub outputs: Outputs,
    /// Its settings.
    pub ingest: Settings,
}

paths! {
    /// What an ingest reads.
    Inputs {
        /// Folders and files of the archive.
        archive: Vec<PathBuf>,
        /// File of the class rules, where they are not built in.
        rules: Option<PathBuf>,
        /// File whose content keys the hashes of names and identifiers; none: a key that everybody knows.
        key: Option<PathBuf>,
    }

    /// What an ingest writes.
    Outputs {
        /// Folder of the data set.
        dataset: PathBuf,
    }
}

/// Files to PNG slices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Class rules that are built in; with a file of rules its content counts, and this says so.
    pub rules: String,
    /// Which time frames become images.
    pub frames: Frames,
    /// Bits a pixel of the PNGs, 8 or 16.
    pub bits: u8,
    /// Percentiles of the intensities that become black and white.
    pub window: [f64; 2],
    /// Whether a window that a file brings goes before percentiles.
    pub own_window: bool,
    /// Memory that one input file may take, in MiB.
    pub max_memory: u64,
    /// Seconds that one input file may take.
    pub max_seconds: u64,
    /// Members that a zip may have.
    pub max_members: u64,
    /// How many times its packed size a large member of a zip may inflate to.
    pub max_ratio: u64,
}

/// Which time frames become images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frames {
    /// The first (t=0), as the paper does.
    First,
    /// Every one.
    All,
}

impl Settings {
    /// Refuses what no file can be read with.
    ///
    /// # Errors
    /// When a setting is out of range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        must(matches!(self.bits, 8 | 16), "ingest.bits", "8 or 16", self.bits)?;
        within("ingest.max_memory", self.max_memory, 1..=1 << 20, "1 to 1048576 MiB")?;
        within("ingest.max_seconds", self.max_seconds, 1..=86_400, "1 to 86400")?;
        within("ingest.max_members", self.max_members, 1..=1_000_000_000, "1 to 1000000000")?;
        within("ingest.max_ratio", self.max_ratio, 1..=1_000_000, "1 to 1000000")?;
        let [low, high] = self.window;
        must(
            (0.0..100.0).contains(&low) && low < high && high <= 100.0,
            "ingest.window",
            "[low, high] percentiles within 0 and 100",
            format_args!("[{low:?}, {high:?}]"),
        )
    }
}

impl Check for Ingest {
    fn check(&self) -> Result<(), OutOfRange> {
        self.ingest.check()
    }
}

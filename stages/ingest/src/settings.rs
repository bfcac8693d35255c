//! What the job needs to know, as typed values.

use deepmcat_schemas::jobs::ingest::Frames;
use deepmcat_schemas::{Stamp, jobs};

use crate::discover::zip::ZipLimits;
use crate::keys::Keys;

/// Settings of one ingest.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name or file of the class rules.
    pub rules: String,
    /// Which time frames become images.
    pub frames: Frames,
    /// Bits a pixel of the PNGs, 8 or 16.
    pub bits: u8,
    /// Percentiles that become black and white.
    pub window: [f64; 2],
    /// A window that a file brings goes before percentiles.
    pub own_window: bool,
    /// Key of the hashes of ids and paths.
    pub keys: Keys,
    /// Bytes of memory that one input file may take.
    pub limit: u64,
    /// Seconds that one input file may take.
    pub seconds: u64,
    /// What a zip may be.
    pub zip: ZipLimits,
    /// Threads; 0: all cores.
    pub threads: u32,
    /// Files converted between two batches: what a killed ingest has to convert again at most.
    pub batch: usize,
    /// Read everything anew, whatever an earlier ingest into the same folder knows.
    pub fresh: bool,
}

const DEFAULT_BATCH: usize = 2048;

impl Settings {
    /// The settings of a job, with the key that is no secret: its key file is not read here.
    #[must_use]
    pub fn of(job: &jobs::Ingest) -> Self {
        let jobs::ingest::Settings { max_memory, max_seconds, max_members, max_ratio, .. } = job.ingest;
        let file = job.inputs.rules.as_ref().map(|rules| rules.to_string_lossy().into_owned());
        Self {
            rules: file.unwrap_or_else(|| job.ingest.rules.clone()),
            frames: job.ingest.frames,
            bits: job.ingest.bits,
            window: job.ingest.window,
            own_window: job.ingest.own_window,
            keys: Keys::public(),
            limit: max_memory.saturating_mul(1 << 20),
            seconds: max_seconds,
            zip: ZipLimits { members: usize::try_from(max_members).unwrap_or(usize::MAX), ratio: max_ratio },
            batch: DEFAULT_BATCH,
            fresh: false,
            threads: 0,
        }
    }
}

/// The stamps of an ingest's tables.
#[derive(Debug, Clone)]
pub struct Stamps {
    /// Of all but the labels: class rules change nothing in them but through what they exclude.
    pub images: Stamp,
    /// Of the table of labels.
    pub labels: Stamp,
}

impl Stamps {
    /// By the settings that the tables depend on.
    #[must_use]
    pub fn of(job: &jobs::Ingest) -> Self {
        Self { images: job.stamp(), labels: job.labels_stamp() }
    }
}

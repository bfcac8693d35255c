//! What the job needs to know, as typed values.

use deepmcat_config::{Config, Frames};

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

/// What a zip may be unless told otherwise: UK Biobank's hold some hundred members, and images deflate to a half.
pub const DEFAULT_ZIP: ZipLimits = ZipLimits { members: 1_000_000, ratio: 200 };

impl Settings {
    /// The settings of a configuration, with the key that is no secret: its key file is not read here.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            rules: config.ingest.rules.clone(),
            frames: config.ingest.frames,
            bits: config.ingest.bits,
            window: config.ingest.window,
            own_window: config.ingest.own_window,
            keys: Keys::public(),
            limit: config.ingest.max_memory.saturating_mul(1 << 20),
            seconds: config.ingest.max_seconds,
            zip: DEFAULT_ZIP,
            batch: DEFAULT_BATCH,
            fresh: false,
            threads: config.compute.threads,
        }
    }
}

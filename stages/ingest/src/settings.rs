//! What the job needs to know, as typed values.

use deepmcat_common::{Config, Frames, Shard};
use deepmcat_schemas::Stamp;

use crate::archive::ZipLimits;
use crate::keys::Keys;
use crate::rules::Rules;

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
    /// Convert only this part of the files, for an ingest without it to put together.
    pub shard: Option<Shard>,
    /// Read everything anew, whatever an earlier ingest into the same folder knows.
    pub fresh: bool,
}

/// Memory that one input file may take unless told otherwise.
pub const DEFAULT_LIMIT: u64 = 1 << 30;

/// Seconds that one input file may take unless told otherwise.
pub const DEFAULT_SECONDS: u64 = 300;

const DEFAULT_BATCH: usize = 2048;

/// What a zip may be unless told otherwise: UK Biobank's hold some hundred members, and images deflate to a half.
pub const DEFAULT_ZIP: ZipLimits = ZipLimits { members: 1_000_000, ratio: 200 };

impl Settings {
    /// The settings of a configuration, with keys from its seed.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            rules: config.ingest.rules.clone(),
            frames: config.ingest.frames,
            bits: config.ingest.bits,
            window: config.ingest.window,
            own_window: config.ingest.own_window,
            keys: Keys::from_seed(config.run.seed),
            limit: DEFAULT_LIMIT,
            seconds: DEFAULT_SECONDS,
            zip: DEFAULT_ZIP,
            batch: DEFAULT_BATCH,
            shard: None,
            fresh: false,
            threads: config.compute.threads,
        }
    }

    /// Hash of everything that shapes images and rejects: what was made with another one is not used again.
    #[must_use]
    pub fn hash(&self, rules: &Rules, stamp: &Stamp) -> String {
        let Self {
            rules: _,
            threads: _,
            batch: _,
            shard: _,
            fresh: _,
            frames,
            bits,
            window,
            own_window,
            keys,
            limit,
            seconds,
            zip,
        } = self;
        let keys = keys.subject("");
        let version = env!("CARGO_PKG_VERSION");
        let shape = (version, frames, bits, window, own_window, limit, seconds, zip, keys, rules, stamp);
        blake3::hash(format!("{shape:?}").as_bytes()).to_hex()[..16].to_owned()
    }
}

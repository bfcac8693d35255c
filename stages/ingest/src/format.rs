//! What a format of images has to say: how a file of it is known, what it is by its header, and what its images are.

use blake3::Hasher;
use deepmcat_schemas::jobs::ingest::Frames;

use crate::inputs::Input;
use crate::place::Place;
use crate::reject::{FrameRange, Reject};
use crate::rules::{Rules, Verdict};
use crate::series::{Chosen, Header};
use crate::settings::Settings;
use crate::slice::{Identity, Sink, Stop};

/// A format. One that is added is a file of its own and a line in [`crate::formats::FORMATS`].
pub(crate) trait Format: Sync {
    /// What a person calls it.
    fn name(&self) -> &'static str;
    /// What the manifest calls its images.
    fn sort(&self) -> &'static str {
        "image"
    }
    /// How the names of its files end, in small letters.
    fn endings(&self) -> &'static [&'static str];
    /// Whether a file that begins with these bytes is one.
    fn sniff(&self, head: &[u8]) -> bool;
    /// Whether these bytes are all there is of a sound file's beginning; `named`: its name ends like one.
    fn is_cut(&self, head: &[u8], named: bool) -> bool;
    /// What a file is by its header. No pixel is read.
    fn scan(&self, input: &Input, rules: &Rules, limit: u64) -> Result<Scanned, Reject> {
        let _ = limit;
        Scanned::whole(input, rules, |_| ())
    }
    /// How many images a file gives by its header, and how many frames of it become none besides those that are known.
    fn count(&self, place: &Place, chosen: &[Chosen], frames: Frames) -> (u64, u64) {
        let _ = (place, frames);
        (chosen.len().max(1) as u64, 0)
    }
    /// Reads the images of a file, of one with a [`Header`] the chosen frames; each goes to `sink`.
    fn read(&self, place: &Place, chosen: &[Chosen], how: &Settings, sink: &mut Sink<'_>) -> Result<Read, Stop>;
}

/// A file by its header.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// What the class rules say of it.
    pub verdict: Verdict,
    /// Its SeriesDescription, where no class rule matches: to write one.
    pub description: Option<String>,
    /// How it is read.
    pub content: Content,
}

/// How a file is read.
#[derive(Debug)]
pub(crate) enum Content {
    /// By frames, which are chosen with those of other files.
    Frames(Header),
    /// By itself; with a hash of how.
    Whole(u64),
}

impl Scanned {
    /// A file that is read by itself; `with` adds what else is read.
    pub fn whole(input: &Input, rules: &Rules, with: impl FnOnce(&mut Hasher)) -> Result<Self, Reject> {
        let verdict = rules.admit(&input.name(), |_| None)?;
        Ok(Self { verdict, description: None, content: Content::Whole(work(None, with)) })
    }
}

/// A hash of how a file is read, the same in every run; never 0.
pub(crate) fn work(series: Option<u64>, with: impl FnOnce(&mut Hasher)) -> u64 {
    let mut hasher = Hasher::new();
    with(&mut hasher);
    hasher.update(&series.unwrap_or_default().to_le_bytes());
    let hash = hasher.finalize();
    let eight: [u8; 8] = std::array::from_fn(|byte| hash.as_bytes()[byte]);
    u64::from_le_bytes(eight).max(1)
}

/// What is known of a file once it is read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Whom and what it is about.
    pub identity: Identity,
    /// Its frames that were not read.
    pub unread: Option<FrameRange>,
}

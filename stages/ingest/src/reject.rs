//! Inputs that give no image, and why.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

use crate::texts::Terms;

/// Why an input, or a frame of it, gave no image: the reason codes of `rejects.parquet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A time frame after the first of its slice.
    NotT0,
    /// A copy of a DICOM object that is there already, with the same pixels.
    Duplicate,
    /// An acquisition that was done again later.
    DuplicateAcquisition,
    /// Kept out by a class rule.
    Excluded,
    /// A file that goes with another, as .img with .hdr.
    Companion,
    /// Nothing that deepmcat knows as an image.
    NotAnImage,
    /// An image by its signs, but damaged or contradictory.
    Unreadable,
    /// Ends before its pixels do.
    Truncated,
    /// A sound image of a kind that is not decoded here.
    Unsupported,
    /// Asks for more memory than one file may take.
    TooLarge,
    /// Took longer to read than one file may.
    TooSlow,
    /// A zip, or a member of one, made to do harm.
    Unsafe,
    /// A decoder failed in a way it should not.
    DecoderPanic,
}

impl Reason {
    const ALL: [Self; 13] = [
        Self::NotT0,
        Self::Duplicate,
        Self::DuplicateAcquisition,
        Self::Excluded,
        Self::Companion,
        Self::NotAnImage,
        Self::Unreadable,
        Self::Truncated,
        Self::Unsupported,
        Self::TooLarge,
        Self::TooSlow,
        Self::Unsafe,
        Self::DecoderPanic,
    ];

    /// The code in the table.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotT0 => "not_t0",
            Self::Duplicate => "duplicate",
            Self::Excluded => "excluded",
            Self::Companion => "companion",
            Self::NotAnImage => "not_an_image",
            Self::Unreadable => "unreadable",
            Self::Truncated => "truncated",
            Self::Unsupported => "unsupported",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::DuplicateAcquisition => "duplicate_acquisition",
            Self::Unsafe => "unsafe",
            Self::DecoderPanic => "decoder_panic",
        }
    }
}

impl std::str::FromStr for Reason {
    type Err = ();

    fn from_str(code: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|reason| reason.code() == code).ok_or(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A run of frames of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameRange {
    /// The first, from 0.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl FrameRange {
    /// The runs that sorted frame numbers make.
    pub(crate) fn runs(frames: impl IntoIterator<Item = u32>) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::new();
        for frame in frames {
            match runs.last_mut() {
                Some(run) if run.first + run.count == frame => run.count += 1,
                _ => runs.push(Self { first: frame, count: 1 }),
            }
        }
        runs
    }
}

/// One input that gives no image, or a run of its frames that become none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The code.
    pub reason: Reason,
    /// The frames that it is about; none where it is the whole input.
    pub frames: Option<FrameRange>,
    /// What was wrong, in words; never holds a patient's data.
    pub message: String,
    /// The class rule that kept it out.
    pub(crate) rule: Option<usize>,
}

/// The rejects of an archive in few bytes each, since it may have millions: many have the same message.
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    rows: Vec<Row>,
    messages: Terms<String>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    input: u32,
    message: u32,
    /// No frames: it is the whole input.
    frames: FrameRange,
    reason: Reason,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rejected<'a> {
    /// Number of the input.
    pub input: u32,
    /// As of a [`Reject`].
    pub reason: Reason,
    /// As of a [`Reject`].
    pub frames: Option<FrameRange>,
    /// As of a [`Reject`].
    pub message: &'a str,
}

impl Rejects {
    /// Adds one of an input.
    pub fn push(&mut self, input: u32, reject: &Reject) {
        let message = self.messages.number(reject.message.clone());
        let frames = reject.frames.unwrap_or(FrameRange { first: 0, count: 0 });
        self.rows.push(Row { input, message, frames, reason: reject.reason });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Rejected<'_>> {
        self.since(0)
    }

    /// Those added after the first `known`.
    pub fn since(&self, known: usize) -> impl Iterator<Item = Rejected<'_>> {
        self.rows[known..].iter().map(|row| Rejected {
            input: row.input,
            reason: row.reason,
            frames: Some(row.frames).filter(|frames| frames.count > 0),
            message: self.messages.get(row.message),
        })
    }

    /// Puts them in an order of the inputs, and those of one input in that of their frames.
    pub fn sort_by(&mut self, order: impl Fn(u32, u32) -> Ordering) {
        let frames = |row: &Row| (row.frames.count > 0, row.frames);
        self.rows.sort_by(|a, b| order(a.input, b.input).then_with(|| frames(a).cmp(&frames(b))));
    }
}

impl Reject {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, frames: None, message: message.into(), rule: None }
    }

    /// Frames after the first time of their slices.
    pub(crate) fn not_t0(frames: Option<FrameRange>) -> Self {
        Self { frames, ..Self::new(Reason::NotT0, "a later time frame of its slice") }
    }

    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(Reason::Unreadable, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Reason::Unsupported, message)
    }

    /// Refuses `bytes` above the limit of one file, before they are taken.
    pub(crate) fn if_larger(bytes: u64, limit: u64, what: &str) -> Result<(), Self> {
        if bytes <= limit {
            return Ok(());
        }
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let message = format!("{what}: {} MiB, more than the {} MiB of --max-memory", mib(bytes), mib(limit));
        Err(Self::new(Reason::TooLarge, message))
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(Reason::TooSlow, "took longer to read than the --max-seconds that one file may")
    }

    /// An I/O error met while reading an input's content.
    pub(crate) fn from_io(error: &std::io::Error, what: &str) -> Self {
        let reason = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Reason::Truncated,
            std::io::ErrorKind::TimedOut => return Self::too_slow(),
            _ => Reason::Unreadable,
        };
        Self::new(reason, format!("{what}: {}", error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_back() {
        assert!(Reason::ALL.into_iter().all(|reason| reason.code().parse() == Ok(reason)));
        assert_eq!("not_a_code".parse::<Reason>(), Err(()));
    }

    #[test]
    fn frames_that_follow_each_other_are_one_run() {
        let run = |first, count| FrameRange { first, count };
        assert_eq!(FrameRange::runs([1, 2, 3, 7, 9, 10]), [run(1, 3), run(7, 1), run(9, 2)]);
        assert!(FrameRange::runs([]).is_empty());
    }
}

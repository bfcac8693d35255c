//! What the headers of files of series say: which frames there are, of which place, time and kind, and which series
//! they are of. What is chosen is chosen by this alone.

use std::cmp::Ordering;

use crate::hash::{hash, mix};

/// One frame of a file: its place, its time and its kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    /// Number of the input; set once all files are known.
    pub input: u32,
    /// Frame in the file, from 0.
    pub frame: u32,
    /// Hash of the series that it belongs to; set once all files are known.
    pub series: u64,
    /// Hash of what makes two images of a series different, but for place and time.
    pub kind: u64,
    /// ImageOrientationPatient (0020,0037): directions of a row and of a column.
    pub orientation: Option<[f32; 6]>,
    /// ImagePositionPatient (0020,0032) in mm.
    pub position: Option<[f64; 3]>,
    /// SliceLocation (0020,1041) in mm, or the number of the slice in its file.
    pub location: Option<f32>,
    /// When it was taken.
    pub times: Times,
    /// InstanceNumber (0020,0013) and, in an enhanced object, the frame's number after it; infinite where it has none.
    pub instance: f64,
}

impl Frame {
    /// A hash of all that the header says of a frame: the same for copies of a file.
    pub fn said(&self) -> u64 {
        let one = Self { input: 0, series: 0, ..self.clone() };
        hash(&[Some(format!("{one:?}"))])
    }
}

/// When a frame was taken, as far as it is said; a time that is not said is infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Times {
    /// TriggerTime (0018,1060) in ms, temporal position, share of the heart's or the breath's cycle, FrameReferenceTime
    /// (0054,1300) and InversionTime (0018,0082) in ms: what tells times of one place apart, the first one first. The
    /// images of an inversion recovery are one picture at several times.
    pub order: [f32; 5],
    /// When it was acquired, and when its content was made, in seconds.
    pub clocks: [f64; 2],
    /// How many times the header says one place has; 0 where it does not.
    pub said: u32,
}

/// What a file says of the series that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    /// Hash of SeriesInstanceUID; none where it is empty or a word such as "ANONYMIZED".
    pub uid: Option<u64>,
    /// Hash of what all files of a series have in common.
    pub facts: u64,
    /// Hash of the folder that the file is in.
    pub folder: u64,
    /// The facts name a patient.
    pub named: bool,
}

impl Said {
    /// A hash of UID and facts: the same for copies, wherever they are.
    pub fn identity(&self) -> u64 {
        mix(&[self.uid.unwrap_or(0), self.facts])
    }
}

/// What was acquired, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Acquisition {
    /// Hash of patient, study and SeriesDescription.
    pub what: u64,
    /// Date, time and SeriesNumber (0020,0011).
    pub when: [f64; 3],
}

impl Acquisition {
    /// Which of two was earlier.
    pub fn order(&self, other: &Self) -> Ordering {
        let mut pairs = self.when.iter().zip(&other.when);
        pairs.find_map(|(a, b)| Some(a.total_cmp(b)).filter(|order| order.is_ne())).unwrap_or(Ordering::Equal)
    }
}

/// What a file of a series is before its pixels are read.
#[derive(Debug)]
pub(crate) struct Header {
    /// Its frames, at least one.
    pub frames: Vec<Frame>,
    /// What it says of its series.
    pub said: Said,
    /// Its frames are a run of their own, as of an ultrasound: not at one place with those of another file.
    pub alone: bool,
    /// Hash of SOPInstanceUID (0008,0018), of the series and of how values are meant; 0 where it has none.
    pub object: u64,
    /// SeriesDescription (0008,103E), hashed as lists of files are.
    pub description: u64,
    /// What was acquired when, where the rules ask for it.
    pub acquisition: Option<Acquisition>,
}

/// A frame that becomes an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Chosen {
    /// Number of the input.
    pub input: u32,
    /// Frame in the file.
    pub frame: u32,
    /// Slice in the series, from 0.
    pub slice: u32,
}

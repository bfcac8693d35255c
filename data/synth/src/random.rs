//! Random draws that depend on what is drawn alone, never on the order or the thread that draws it.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What a stream of draws is for; one stream never feeds two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Body and heart of a subject.
    Anatomy = 1,
    /// Scan plane of a stack of slices.
    Plane = 2,
    /// Tissue signals, texture, coil, artefacts: what all frames of a slice share.
    Look = 3,
    /// Thermal noise of one frame.
    Noise = 4,
    /// DICOM unique identifiers.
    Identifier = 5,
    /// Order of the files in a folder.
    FileOrder = 6,
    /// Series whose header says that they are of another class.
    Mislabel = 7,
}

/// Where in an archive a draw belongs. `ALL` stands for "shared by all of these".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Subject number, from 0.
    pub subject: u32,
    /// Class code, see [`crate::Class`].
    pub class: u32,
    /// Slice of the stack, from 0.
    pub slice: u32,
    /// Time frame, from 0.
    pub frame: u32,
}

/// The coordinate of a draw that all subjects, classes, slices or frames share.
pub const ALL: u32 = u32::MAX;

/// The stream of draws of one place and purpose: ChaCha8 keyed by exactly these numbers.
#[must_use]
pub fn stream(seed: u64, place: Place, purpose: Purpose) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let words = [place.subject, place.class, place.slice, place.frame, purpose as u32];
    for (bytes, word) in key[8..].chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// The draws that the phantom's description is written in.
pub trait Draw: Rng {
    /// N(mean, sd).
    fn normal(&mut self, mean: f32, sd: f32) -> f32 {
        let z: f32 = StandardNormal.sample(self);
        mean + sd * z
    }

    /// N(mean, sd), clipped to `[low, high]` where it would become absurd.
    fn clipped(&mut self, mean: f32, sd: f32, low: f32, high: f32) -> f32 {
        self.normal(mean, sd).clamp(low, high)
    }

    /// U(low, high).
    fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.random::<f32>()
    }

    /// True with probability `p`.
    fn chance(&mut self, p: f32) -> bool {
        self.random::<f32>() < p
    }
}

impl<R: Rng> Draw for R {}

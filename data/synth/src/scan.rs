//! One series of one subject: its slices and frames as images, with the geometry to store them.

use crate::class::Class;
use crate::contrast::Contrast;
use crate::degrade::Degrade;
use crate::image::Image;
use crate::motion::{Beat, COVERED};
use crate::plane::Stack;
use crate::random::{ALL, Place, Purpose, stream};
use crate::subject::Anatomy;

/// What makes an archive what it is; two archives of the same `Phantom` hold the same scans,
/// whatever their file format.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phantom {
    /// Seed of all draws.
    pub seed: u64,
    /// How much scans differ beyond their class: 0.7 is `standard`, 1 is `hard`.
    pub hardness: f32,
    /// Side of the images, in pixels.
    pub size: usize,
    /// Time frames of the series that are cines.
    pub frames: u32,
}

/// The images of one class of one subject.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Subject number, from 0.
    pub subject: u32,
    /// Class of all of its images.
    pub class: Class,
    /// Scan planes.
    pub stack: Stack,
    /// `[slice][frame]`, values in [0, 1].
    pub images: Vec<Vec<Image>>,
    /// Time from one frame to the next, in ms.
    pub frame_ms: f32,
    /// Length of a heart beat, in ms.
    pub beat_ms: f32,
}

impl Scan {
    /// Frames of each slice.
    #[must_use]
    pub fn frames(&self) -> u32 {
        self.images.first().map_or(0, Vec::len) as u32
    }

    /// Side of the images, in pixels.
    #[must_use]
    pub fn size(&self) -> usize {
        let first = self.images.first().and_then(|frames| frames.first());
        first.map_or(0, |image| image.size)
    }

    /// Distance of pixel centres, in mm.
    #[must_use]
    pub fn pixel_mm(&self) -> f32 {
        10.0 * self.stack.first.fov / self.size() as f32
    }

    /// Distance of slices (or thickness of the only one), in mm.
    #[must_use]
    pub fn slice_mm(&self) -> f32 {
        10.0 * self.stack.step.squared().sqrt()
    }
}

/// Name of a subject in folders and tags. Made up: no person is behind it.
#[must_use]
pub fn subject_name(subject: u32) -> String {
    format!("phantom-{:04}", subject + 1)
}

impl Phantom {
    /// Frames that series of `class` have.
    #[must_use]
    pub const fn frames_of(&self, class: Class) -> u32 {
        if class.is_cine() { self.frames } else { 1 }
    }

    /// Scans `subject` with the sequence of `class`.
    #[must_use]
    pub fn scan(&self, subject: u32, class: Class) -> Scan {
        let anatomy = Anatomy::draw(self.seed, subject);
        let stack = Stack::draw(self.seed, subject, class, &anatomy, self.hardness);
        let frames = self.frames_of(class);
        let poses: Vec<(Beat, Anatomy)> =
            (0..frames).map(|frame| Beat::at(frame, frames)).map(|beat| (beat, anatomy.at(beat))).collect();
        let images = (0..stack.slices).map(|slice| self.slice(subject, class, slice, &stack, &poses)).collect();
        Scan {
            subject,
            class,
            images,
            frame_ms: COVERED * anatomy.beat_ms / frames as f32,
            beat_ms: anatomy.beat_ms,
            stack,
        }
    }

    /// All frames of one slice.
    fn slice(&self, subject: u32, class: Class, slice: u32, stack: &Stack, poses: &[(Beat, Anatomy)]) -> Vec<Image> {
        let place = Place { subject, class: class.code(), slice, frame: ALL };
        let mut look = stream(self.seed, place, Purpose::Look);
        let Some((_, end_diastole)) = poses.first() else {
            return Vec::new();
        };
        let contrast = Contrast::draw(&mut look, class, end_diastole, self.hardness);
        let degrade = Degrade::draw(&mut look, class, self.size, self.hardness);
        let plane = stack.plane(slice);

        let mut white = None;
        let frames = (0_u32..).zip(poses).map(|(frame, (beat, anatomy))| {
            let (signal, void) = contrast.paint(anatomy, &plane, *beat, self.size);
            let mut noise = stream(self.seed, Place { frame, ..place }, Purpose::Noise);
            let mut image = degrade.apply(&mut noise, &signal, &void);
            let white = *white.get_or_insert_with(|| degrade.white_point(&image));
            degrade.store(&mut image, white);
            image
        });
        frames.collect()
    }
}

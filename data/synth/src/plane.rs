//! Where each class is cut: the scan plane of every slice of a subject's series.

use crate::class::Class;
use crate::random::{ALL, Draw, Place, Purpose, stream};
use crate::subject::Anatomy;
use crate::vector::{Vec3, vec3};

/// A square field of view in the body, in cm.
#[derive(Debug, Clone, Copy)]
pub struct Plane {
    /// Centre of the image.
    pub centre: Vec3,
    /// Direction of growing columns, of length 1.
    pub right: Vec3,
    /// Direction of growing rows, of length 1.
    pub down: Vec3,
    /// Side of the field of view.
    pub fov: f32,
}

impl Plane {
    /// The point at (`u`, `v`), both in [-.5, .5] from left to right and from top to bottom.
    #[must_use]
    pub fn point(&self, u: f32, v: f32) -> Vec3 {
        self.centre + self.right * (u * self.fov) + self.down * (v * self.fov)
    }

    /// Centre of pixel (`column`, `row`) of an image of `size` x `size` pixels.
    #[must_use]
    pub fn pixel(&self, column: usize, row: usize, size: usize) -> Vec3 {
        let at = |index: usize| (index as f32 + 0.5) / size as f32 - 0.5;
        self.point(at(column), at(row))
    }

    /// Row direction x column direction as DICOM takes it (in its right-handed patient frame).
    #[must_use]
    pub fn normal(&self) -> Vec3 {
        -self.right.cross(self.down)
    }

    fn new(centre: Vec3, right: Vec3, down: Vec3, fov: f32) -> Self {
        let right = right.unit();
        let down = (down - right * down.dot(right)).unit();
        Self { centre, right, down, fov }
    }

    /// Tilted out of the plane about both of its axes.
    fn tilted(self, about_right: f32, about_down: f32) -> Self {
        let down = self.down.turned(self.right, about_right);
        let right = self.right.turned(down, about_down);
        Self { right, down, ..self }
    }

    /// What is seen turns clockwise by `degrees`.
    fn turned(self, degrees: f32) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Self { right: self.right * cos - self.down * sin, down: self.right * sin + self.down * cos, ..self }
    }
}

/// Parallel slices that share rotation, shift and field of view, as one acquisition has them.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The first slice.
    pub first: Plane,
    /// From one slice to the next, in cm; along the plane's normal. Its length is the slice
    /// thickness where there is one slice only.
    pub step: Vec3,
    /// How many slices.
    pub slices: u32,
}

/// Thickness of every slice, in cm.
pub const THICKNESS: f32 = 0.8;

impl Stack {
    /// Slice `slice`, from 0 (the base, where the stack runs from base to apex).
    #[must_use]
    pub fn plane(&self, slice: u32) -> Plane {
        Plane { centre: self.first.centre + self.step * slice as f32, ..self.first }
    }

    /// Draws the planes of `class` for a subject. `hardness` widens what differs from one scan to
    /// the next: field of view, turn and shift.
    #[must_use]
    pub fn draw(seed: u64, subject: u32, class: Class, anatomy: &Anatomy, hardness: f32) -> Self {
        let place = Place { subject, class: class.code(), slice: ALL, frame: ALL };
        let mut rng = stream(seed, place, Purpose::Plane);
        let r = &mut rng;
        let slices = class.slices(subject);
        let (mut plane, levels) = view(r, class, anatomy, slices);

        plane.fov *= r.normal(1.0, 0.08 * hardness).clamp(0.75, 1.3);
        plane = plane.turned(r.normal(0.0, 10.0 * hardness));
        let shift = [r.normal(0.0, hardness), r.normal(0.0, hardness)];
        plane.centre = plane.centre + plane.right * shift[0] + plane.down * shift[1];

        let Some((first, spacing)) = levels else {
            return Self { step: plane.normal() * THICKNESS, first: plane, slices };
        };
        let normal = plane.normal();
        let to_apex = if normal.dot(anatomy.frame.z) < 0.0 { -normal } else { normal };
        plane.centre = plane.centre + to_apex * (first * anatomy.frame.scale);
        let step = if spacing > 0.0 { spacing * anatomy.frame.scale } else { THICKNESS };
        Self { first: plane, step: to_apex * step, slices }
    }
}

/// The class's own plane and, across the long axis, (first level, spacing) in heart coordinates.
fn view(r: &mut impl Draw, class: Class, anatomy: &Anatomy, slices: u32) -> (Plane, Option<(f32, f32)>) {
    let heart = &anatomy.frame;
    let mut tilt = |sd: f32| (r.normal(0.0, sd), r.normal(0.0, sd));
    match class {
        Class::Ao => {
            let (a, b) = tilt(4.0);
            let height = 7.0 + r.normal(0.0, 0.55);
            (transverse(heart.centre, height).tilted(a, b), None)
        }
        Class::Flow | Class::FlowMag | Class::FlowPha => {
            let (a, b) = tilt(4.0);
            let height = 5.6 + r.normal(0.0, 0.55);
            (transverse(heart.centre, height).tilted(14.0 + a, b), None)
        }
        Class::La4ch | Class::La2ch | Class::La3ch => {
            let (a, b) = tilt(5.0);
            let (about, aside) = match class {
                Class::La4ch => (8.0, -1.5),
                Class::La2ch => (72.0, 0.0),
                _ => (128.0, 0.6),
            };
            let (sin, cos) = (about + r.normal(0.0, 5.0)).to_radians().sin_cos();
            let right = heart.x * cos + heart.y * sin;
            let off = right.cross(heart.z) * r.normal(0.0, 0.25);
            let centre = heart.body_point(vec3(0.0, 0.0, -1.5)) + right * (aside * heart.scale) + off;
            let plane = Plane::new(centre, right, -heart.z, 24.0);
            (plane.tilted(a, b).turned(40.0), None)
        }
        Class::Lvot => {
            let (a, b) = tilt(4.0);
            let aorta = &anatomy.vessels.ascending;
            let up = (aorta.to - aorta.from).unit();
            // holds the aorta and the normal of the 3-chamber plane (that of long axis and aorta)
            let across = heart.z.cross(up);
            let right = if across.x < 0.0 { -across } else { across };
            (Plane::new(aorta.from, right, -up, 24.0).tilted(a, b), None)
        }
        Class::Sa => {
            const LEVELS: (f32, f32) = (-3.4, 4.4);
            let (a, b) = tilt(4.0);
            let spacing = (LEVELS.1 - LEVELS.0) / (slices.max(2) - 1) as f32;
            let first = LEVELS.0 + r.normal(0.0, 0.15);
            (short_axis(anatomy).tilted(a, b), Some((first, spacing)))
        }
        Class::CineTag => {
            let (a, b) = tilt(4.0);
            let first = -2.0 + r.normal(0.0, 0.35);
            (short_axis(anatomy).tilted(a, b), Some((first, 2.2)))
        }
        Class::Shmolli | Class::ShmolliFitpar | Class::ShmolliT1map => {
            let (a, b) = tilt(4.0);
            let level = 0.2 + r.normal(0.0, 0.6);
            (short_axis(anatomy).tilted(a, b), Some((level, 0.0)))
        }
    }
}

/// Across the body, `height` cm above the heart, seen from the feet as radiologists do, centred
/// half way from the middle of the body to the heart.
fn transverse(heart: Vec3, height: f32) -> Plane {
    let centre = vec3(0.5 * heart.x, 0.5 * heart.y, heart.z + height);
    Plane::new(centre, vec3(1.0, 0.0, 0.0), vec3(0.0, -1.0, 0.0), 27.0)
}

/// Across the long axis at level 0, the septum to the left of the image.
fn short_axis(anatomy: &Anatomy) -> Plane {
    let heart = &anatomy.frame;
    let centre = heart.body_point(vec3(-1.3, 0.0, 0.0));
    Plane::new(centre, heart.x, -heart.y, 24.0)
}

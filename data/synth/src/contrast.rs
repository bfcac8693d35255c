//! From tissue to signal: the contrast of each sequence, before the scanner degrades it.

use crate::class::Class;
use crate::image::Image;
use crate::motion::Beat;
use crate::plane::Plane;
use crate::random::Draw;
use crate::subject::Anatomy;
use crate::subject::TISSUES;
use crate::tissue::Tissue;
use crate::vector::vec3;

/// Relative signal by tissue: air, fat, muscle, lung, liver, bone, myocardium, blood left, blood
/// right, ascending aorta, descending aorta, pulmonary artery.
type Signals = [f32; TISSUES];

const CINE: Signals = [0.01, 0.80, 0.30, 0.07, 0.42, 0.40, 0.33, 0.82, 0.78, 0.82, 0.84, 0.80];
const FLOW: Signals = [0.01, 0.50, 0.38, 0.08, 0.42, 0.34, 0.40, 0.62, 0.60, 0.92, 0.90, 0.78];
/// Background suppressed, else it cannot be told from `FLOW`.
const FLOW_MAG: Signals = [0.01, 0.16, 0.13, 0.02, 0.16, 0.10, 0.14, 0.34, 0.32, 0.95, 0.90, 0.75];
const T1_WEIGHTED: Signals = [0.01, 0.78, 0.45, 0.06, 0.55, 0.40, 0.52, 0.30, 0.30, 0.32, 0.33, 0.30];
const T1_MAP: Signals = [0.0, 0.14, 0.40, 0.0, 0.30, 0.20, 0.42, 0.68, 0.70, 0.68, 0.68, 0.70];
const FIT: Signals = [0.0, 0.70, 0.86, 0.0, 0.84, 0.75, 0.88, 0.80, 0.78, 0.74, 0.72, 0.74];
const TAGGED: Signals = [0.01, 0.62, 0.48, 0.06, 0.50, 0.40, 0.52, 0.60, 0.58, 0.62, 0.62, 0.60];

/// Signal per unit of velocity: ascending and descending aorta flow opposite ways.
const VELOCITY: [(Tissue, f32); 3] =
    [(Tissue::AscendingAorta, 0.42), (Tissue::DescendingAorta, -0.36), (Tissue::PulmonaryArtery, 0.25)];

/// The signal of one slice of one subject, drawn once for all of its frames.
#[derive(Debug, Clone)]
pub struct Contrast {
    class: Class,
    signals: Signals,
    /// Peak velocity of the phase image.
    velocity: f32,
    tags: Option<Tags>,
}

impl Contrast {
    /// Draws the contrast; `hardness` scales how tissues vary from image to image.
    pub fn draw(r: &mut impl Draw, class: Class, anatomy: &Anatomy, hardness: f32) -> Self {
        let table = match class {
            Class::Flow => FLOW,
            Class::FlowMag => FLOW_MAG,
            Class::Shmolli => T1_WEIGHTED,
            Class::ShmolliT1map => T1_MAP,
            Class::ShmolliFitpar => FIT,
            Class::CineTag => TAGGED,
            Class::FlowPha => [0.5; TISSUES],
            _ => CINE,
        };
        let mut signals: Signals = std::array::from_fn(|tissue| {
            let factor = r.clipped(1.0, 0.08 * hardness, 0.6, 1.4);
            table[tissue] * anatomy.signal[tissue] * factor
        });
        let velocity = r.uniform(0.35, 1.0);
        // blood recovers faster or slower than muscle: the inversion time decides which is brighter
        let inversion = r.uniform(0.7, 1.35);
        if class == Class::Shmolli {
            for signal in &mut signals[Tissue::BloodLeft as usize..] {
                *signal *= inversion;
            }
        }
        let tags = (class == Class::CineTag).then(|| Tags::draw(r));
        if class == Class::FlowPha {
            signals = [0.5; TISSUES]; // mid-grey: no velocity
        }
        Self { class, signals, velocity, tags }
    }

    /// The signal at every pixel, and where there is none (noise will fill phase and maps there).
    /// `anatomy` is posed at `beat`.
    #[must_use]
    pub fn paint(&self, anatomy: &Anatomy, plane: &Plane, beat: Beat, size: usize) -> (Image, Vec<bool>) {
        let signals = self.at(beat);
        let mut void = Vec::with_capacity(size * size);
        let mut image = Image::from_fn(size, |column, row| {
            let tissue = anatomy.tissue(plane.pixel(column, row, size));
            void.push(tissue.is_void());
            signals[tissue as usize]
        });
        if let Some(tags) = &self.tags {
            tags.apply(&mut image, anatomy, plane, beat);
        }
        (image, void)
    }

    /// Signals at a moment of the beat: velocity in phase images, inflow in magnitudes.
    fn at(&self, beat: Beat) -> Signals {
        let mut signals = self.signals;
        match self.class {
            Class::FlowPha => {
                for (tissue, gain) in VELOCITY {
                    signals[tissue as usize] += gain * self.velocity * beat.flow;
                }
            }
            Class::Flow | Class::FlowMag => {
                // fresh blood is bright; without flow it is saturated
                let inflow = 1.0 - 0.45 * (1.0 - beat.flow).clamp(0.0, 1.0);
                scale_vessels(&mut signals, inflow);
            }
            Class::Ao | Class::Lvot => {
                // balanced sequences lose signal where blood streams, from ejection on
                let streaming = (3.0 * beat.contraction).min(1.0);
                scale_vessels(&mut signals, 1.0 - 0.25 * streaming);
            }
            _ => {}
        }
        signals
    }
}

/// The great vessels' signal times `factor`.
fn scale_vessels(signals: &mut Signals, factor: f32) {
    for (tissue, _) in VELOCITY {
        signals[tissue as usize] *= factor;
    }
}

/// The grid of a tagged cine: two sets of dark lines.
#[derive(Debug, Clone)]
struct Tags {
    /// Angles of the two wave vectors, in degrees.
    angles: [f32; 2],
    /// Distance of the lines, in cm.
    spacing: f32,
    /// How dark they are, in [0, 1].
    depth: f32,
    /// Offsets, in periods.
    offsets: [f32; 2],
    /// Bending: amplitude in cm, wave number per cm, phase.
    warp: [f32; 3],
}

impl Tags {
    fn draw(r: &mut impl Draw) -> Self {
        Self {
            angles: [45.0 + r.normal(0.0, 4.0), 135.0 + r.normal(0.0, 4.0)],
            spacing: r.uniform(0.72, 0.9),
            depth: r.uniform(0.55, 0.85),
            offsets: [r.uniform(0.0, 1.0), r.uniform(0.0, 1.0)],
            warp: [r.uniform(0.05, 0.15), r.uniform(0.3, 0.7), r.uniform(0.0, std::f32::consts::TAU)],
        }
    }

    /// Darkens the lines. They were laid down at end-diastole and follow the tissue, and they fade
    /// with T1 over the beat.
    fn apply(&self, image: &mut Image, anatomy: &Anatomy, plane: &Plane, beat: Beat) {
        let depth = self.depth * (-0.9 * beat.phase).exp();
        // the long axis cuts the plane here: muscle moves towards it
        let along = anatomy.frame.z;
        let apex_ward = (plane.centre - anatomy.frame.centre).dot(along);
        let axis = anatomy.frame.body_point(vec3(0.0, 0.0, apex_ward / anatomy.frame.scale));
        let offset = axis - plane.centre;
        let axis = [offset.dot(plane.right), offset.dot(plane.down)];
        let [amplitude, wave, phase] = self.warp;
        let half = 0.5 * plane.fov;
        image.shade(|u, v, value| {
            let (x, y) = (u * half, v * half);
            let (dx, dy) = (x - axis[0], y - axis[1]);
            let pull = 0.3 * beat.contraction * (-(dx * dx + dy * dy) / 18.0).exp();
            let (x, y) = (x + pull * dx, y + pull * dy);
            let x = x + amplitude * (wave * y + phase).sin();
            let y = y + amplitude * (wave * x + 2.0 * phase).sin();
            let line = |index: usize| {
                let (sin, cos) = self.angles[index].to_radians().sin_cos();
                let turns = (x * cos + y * sin) / self.spacing + self.offsets[index];
                let raised = 0.5 + 0.5 * (std::f32::consts::TAU * turns).cos();
                1.0 - depth * raised * raised
            };
            value * line(0) * line(1)
        });
    }
}

//! The anatomy of one subject: where every organ lies, drawn once and posed at any time of the beat.

use crate::motion::Beat;
use crate::random::{ALL, Draw, Place, Purpose, stream};
use crate::shape::{Capsule, Column, Ellipsoid};
use crate::vector::{Vec3, vec3};

/// How many tissues there are (`tissue.rs`).
pub const TISSUES: usize = 12;

/// Thorax: |x/a|^2.4 + |y/b|^2.4 <= 1, a rim of fat and muscle inside; endless along Z.
#[derive(Debug, Clone, Copy)]
pub struct Torso {
    /// Half width, in cm.
    pub a: f32,
    /// Half depth, in cm.
    pub b: f32,
    /// Thickness of the subcutaneous fat, in cm.
    pub fat: f32,
}

impl Torso {
    /// Whether `p` lies within the torso after `rim` cm are taken off.
    #[must_use]
    pub fn contains(&self, p: Vec3, rim: f32) -> bool {
        let (x, y) = ((p.x / (self.a - rim)).abs(), (p.y / (self.b - rim)).abs());
        // well inside or outside, which most points are, needs no powers
        let most = x.max(y);
        most <= 0.74 || (most <= 1.0 && x.powf(2.4) + y.powf(2.4) <= 1.0)
    }
}

/// Heart coordinates: x to the lateral wall, y up, z to the apex; q = axes^T (P - centre) / scale.
#[derive(Debug, Clone, Copy)]
pub struct HeartFrame {
    /// Origin in the body, in cm.
    pub centre: Vec3,
    /// Towards the lateral wall.
    pub x: Vec3,
    /// Upwards, across the long axis.
    pub y: Vec3,
    /// Along the long axis, to the apex.
    pub z: Vec3,
    /// Size of the heart.
    pub scale: f32,
}

impl HeartFrame {
    /// Heart coordinates of a point of the body.
    #[must_use]
    pub fn heart_point(&self, p: Vec3) -> Vec3 {
        let d = (p - self.centre) * (1.0 / self.scale);
        vec3(d.dot(self.x), d.dot(self.y), d.dot(self.z))
    }

    /// The direction (not scaled) in the body of a direction in heart coordinates.
    #[must_use]
    pub fn direction(&self, q: Vec3) -> Vec3 {
        self.x * q.x + self.y * q.y + self.z * q.z
    }

    /// The point of the body at heart coordinates `q`.
    #[must_use]
    pub fn body_point(&self, q: Vec3) -> Vec3 {
        self.centre + self.direction(q) * self.scale
    }
}

/// Chambers of the heart, in heart coordinates; they move with the beat.
#[derive(Debug, Clone)]
pub struct Chambers {
    /// z of the valve plane.
    pub base: f32,
    /// Cavity of the left ventricle, a half ellipsoid below `base`.
    pub left_ventricle: Ellipsoid,
    /// Thickness of the left ventricle's wall.
    pub wall: f32,
    /// Papillary muscles.
    pub papillary: [Capsule; 2],
    /// Right ventricle with its wall, below `base`.
    pub right_ventricle: Ellipsoid,
    /// Left atrium with its wall, above the valve plane.
    pub left_atrium: Ellipsoid,
    /// Right atrium with its wall, above the valve plane.
    pub right_atrium: Ellipsoid,
}

/// Great vessels, in the body.
#[derive(Debug, Clone)]
pub struct Vessels {
    /// Ascending aorta, from its root upwards.
    pub ascending: Capsule,
    /// Outflow tract, from inside the left ventricle to the root.
    pub outflow: Capsule,
    /// Descending aorta.
    pub descending: Column,
    /// Pulmonary trunk and its two branches.
    pub pulmonary: [Capsule; 3],
    /// Superior vena cava, above `cava_from`.
    pub cava: Column,
    /// Z at which the superior vena cava ends.
    pub cava_from: f32,
}

/// Everything that is fixed for a subject. Lengths in cm, body frame unless said otherwise.
#[derive(Debug, Clone)]
pub struct Anatomy {
    /// Outline of the chest.
    pub torso: Torso,
    /// Right and left lung.
    pub lungs: [Ellipsoid; 2],
    /// Vessels in the lungs: balls.
    pub lung_vessels: Vec<Ellipsoid>,
    /// Liver, and stomach with spleen.
    pub abdomen: [Ellipsoid; 2],
    /// Spine.
    pub spine: Column,
    /// Breast bone, above `STERNUM_END`.
    pub sternum: Column,
    /// Heart coordinates.
    pub frame: HeartFrame,
    /// Fat around the heart, in heart coordinates.
    pub pericardial_fat: Ellipsoid,
    /// Chambers, in heart coordinates.
    pub chambers: Chambers,
    /// Great vessels.
    pub vessels: Vessels,
    /// The subject's own factor on the signal of each tissue.
    pub signal: [f32; TISSUES],
    /// Length of a heart beat, in ms.
    pub beat_ms: f32,
}

/// Z below which there is no breast bone.
pub const STERNUM_END: f32 = -7.0;

impl Anatomy {
    /// Draws subject `subject` of the archive `seed`, at end-diastole.
    #[must_use]
    pub fn draw(seed: u64, subject: u32) -> Self {
        let place = Place { subject, class: ALL, slice: ALL, frame: ALL };
        let mut rng = stream(seed, place, Purpose::Anatomy);
        let r = &mut rng;

        let size = r.clipped(1.0, 0.08, 0.82, 1.2);
        let torso = Torso {
            a: 15.5 * size * r.normal(1.0, 0.04),
            b: 10.6 * size * r.normal(1.0, 0.04),
            fat: r.clipped(1.5, 0.6, 0.4, 3.2),
        };
        let frame = heart_frame(r);
        let lungs = lungs(&torso);
        Self {
            lung_vessels: lung_vessels(r, &lungs),
            lungs,
            abdomen: abdomen(r),
            spine: Column { x: 0.0, y: -0.72 * torso.b, semi_x: 2.1, semi_y: 2.0 },
            sternum: Column { x: 0.0, y: torso.b - torso.fat - 0.7, semi_x: 1.6, semi_y: 0.55 },
            pericardial_fat: Ellipsoid { centre: vec3(-1.6, 0.0, -2.2), semi: vec3(6.1, 5.0, 8.2) },
            chambers: chambers(r),
            vessels: vessels(r, &frame),
            signal: std::array::from_fn(|_| r.normal(1.0, 0.06)),
            beat_ms: r.clipped(950.0, 130.0, 600.0, 1400.0),
            frame,
            torso,
        }
    }

    /// The same subject at another moment of the beat: the left ventricle shrinks by about 35% in
    /// area and its wall thickens, the valve plane moves 1 cm to the apex, the atria fill, the
    /// aorta widens with the flow.
    #[must_use]
    pub fn at(&self, beat: Beat) -> Self {
        let mut posed = self.clone();
        let s = beat.contraction;
        let down = s / self.frame.scale;
        let c = &mut posed.chambers;
        c.base += down;
        let radial = 1.0 - (1.0 - 0.65_f32.sqrt()) * s;
        // the apex stays where it is: the half ellipsoid gets shorter by what the base moves
        c.left_ventricle.centre.z += down;
        c.left_ventricle.semi = c.left_ventricle.semi.times(vec3(radial, radial, 1.0));
        c.left_ventricle.semi.z -= down;
        c.wall *= 1.0 + 0.4 * s;
        for muscle in &mut c.papillary {
            for end in [&mut muscle.from, &mut muscle.to] {
                *end = end.times(vec3(radial, radial, 1.0));
            }
            muscle.radius *= 1.0 + 0.15 * s;
        }
        c.right_ventricle.centre = c.right_ventricle.centre + vec3(0.3 * s, 0.0, down);
        c.right_ventricle.semi = c.right_ventricle.semi.times(vec3(1.0 - 0.16 * s, 1.0 - 0.12 * s, 1.0));
        c.right_ventricle.semi.z -= down;
        for atrium in [&mut c.left_atrium, &mut c.right_atrium] {
            atrium.centre.z += 0.5 * down;
            atrium.semi = atrium.semi.times(vec3(1.0 + 0.08 * s, 1.0 + 0.08 * s, 1.0));
            atrium.semi.z += 0.5 * down;
        }
        // at t=0 the pressure wave has not come yet
        let pulse = 1.0 + 0.08 * (2.0 * s).min(1.0);
        // the valve plane takes the roots of aorta and pulmonary trunk along
        let moved = self.frame.direction(vec3(0.0, 0.0, s));
        let v = &mut posed.vessels;
        for end in [&mut v.ascending.from, &mut v.outflow.to, &mut v.pulmonary[0].from] {
            *end = *end + moved;
        }
        posed.vessels.ascending.radius *= pulse;
        posed.vessels.descending.semi_x *= pulse;
        posed.vessels.descending.semi_y *= pulse;
        posed
    }
}

fn heart_frame(r: &mut impl Draw) -> HeartFrame {
    let z = vec3(0.62, 0.55, -0.56).unit();
    let side = vec3(0.6, -0.8, 0.0);
    let x = (side - z * side.dot(z)).unit();
    let across = x.cross(z);
    let y = if across.z < 0.0 { -across } else { across };
    let turns = [r.normal(0.0, 7.0), r.normal(0.0, 7.0), r.normal(0.0, 9.0)];
    let turned = |v: Vec3| {
        v.turned(vec3(0.0, 0.0, 1.0), turns[2])
            .turned(vec3(0.0, 1.0, 0.0), turns[1])
            .turned(vec3(1.0, 0.0, 0.0), turns[0])
    };
    HeartFrame {
        centre: vec3(3.4, 2.0, 0.0) + jitter(r, 0.6),
        x: turned(x),
        y: turned(y),
        z: turned(z),
        scale: r.clipped(1.0, 0.08, 0.8, 1.22),
    }
}

fn lungs(torso: &Torso) -> [Ellipsoid; 2] {
    let k = torso.a / 15.5;
    let depth = torso.b - torso.fat;
    [
        Ellipsoid { centre: vec3(-7.9 * k, -0.3, 2.5), semi: vec3(5.3 * k, depth - 1.4, 12.5) },
        Ellipsoid { centre: vec3(8.2 * k, -0.9, 2.5), semi: vec3(5.0 * k, depth - 1.6, 12.5) },
    ]
}

fn lung_vessels(r: &mut impl Draw, lungs: &[Ellipsoid; 2]) -> Vec<Ellipsoid> {
    let count = r.uniform(10.0, 22.0) as usize;
    (0..count)
        .map(|_| {
            let lung = &lungs[usize::from(r.chance(0.5))];
            // evenly within the ellipsoid: a direction, and a cube root for the distance
            let direction = jitter(r, 1.0).unit();
            let radius = 0.92 * r.uniform(0.0, 1.0).cbrt();
            let size = r.uniform(0.25, 0.6);
            Ellipsoid { centre: lung.centre + lung.semi.times(direction * radius), semi: vec3(size, size, size) }
        })
        .collect()
}

fn abdomen(r: &mut impl Draw) -> [Ellipsoid; 2] {
    [
        Ellipsoid {
            centre: vec3(-5.5, 1.0, -10.5) + jitter(r, 1.0).times(vec3(0.8, 0.5, 0.9)),
            semi: vec3(9.5, 8.0, 6.3),
        },
        Ellipsoid { centre: vec3(8.2, -2.0, -11.5) + jitter(r, 0.7), semi: vec3(4.5, 5.5, 5.5) },
    ]
}

fn chambers(r: &mut impl Draw) -> Chambers {
    let (radial, long) = (r.clipped(1.0, 0.09, 0.75, 1.3), r.clipped(1.0, 0.09, 0.75, 1.3));
    Chambers {
        base: -3.0,
        left_ventricle: Ellipsoid {
            centre: vec3(0.0, 0.0, -3.0),
            semi: vec3(2.35 * radial, 2.35 * radial, 6.8 * long),
        },
        wall: r.clipped(1.0, 0.17, 0.65, 1.6),
        papillary: [
            papillary(r, vec3(1.05, 1.15, -0.4), vec3(0.8, 0.9, 2.0)),
            papillary(r, vec3(0.3, -1.5, -0.4), vec3(0.2, -1.1, 2.0)),
        ],
        right_ventricle: chamber(r, vec3(-3.5, 0.3, -3.0), vec3(3.3, 3.8, 6.6), 0.25, 0.08),
        right_atrium: chamber(r, vec3(-4.3, -0.5, -5.2), vec3(2.5, 2.5, 2.4), 0.3, 0.12),
        left_atrium: chamber(r, vec3(0.3, -0.5, -5.4), vec3(2.4, 2.2, 2.3), 0.25, 0.12),
    }
}

fn papillary(r: &mut impl Draw, from: Vec3, to: Vec3) -> Capsule {
    Capsule { from: from + jitter(r, 0.15), to: to + jitter(r, 0.15), radius: 0.42 }
}

fn chamber(r: &mut impl Draw, centre: Vec3, semi: Vec3, shift: f32, size: f32) -> Ellipsoid {
    let mut factor = || r.clipped(1.0, size, 1.0 - 3.0 * size, 1.0 + 3.0 * size);
    let semi = semi.times(vec3(factor(), factor(), factor()));
    Ellipsoid { centre: centre + jitter(r, shift), semi }
}

fn vessels(r: &mut impl Draw, frame: &HeartFrame) -> Vessels {
    let h = frame.centre + jitter(r, 0.3);
    let root = frame.body_point(vec3(-1.05, 1.1, -3.1) + jitter(r, 0.2));
    let arch = vec3(-1.5 + r.normal(0.0, 0.5), 1.5 + r.normal(0.0, 0.5), 9.5);
    let trunk = h + vec3(-1.0, -0.6, 6.6);
    let descending = r.clipped(1.15, 0.12, 0.85, 1.6);
    Vessels {
        ascending: Capsule { from: root, to: arch, radius: r.clipped(1.5, 0.15, 1.1, 2.0) },
        outflow: Capsule { from: frame.body_point(vec3(-0.5, 0.6, -2.0)), to: root, radius: 1.15 },
        descending: Column {
            x: 2.0 + r.normal(0.0, 0.5),
            y: -5.8 + r.normal(0.0, 0.5),
            semi_x: descending,
            semi_y: descending,
        },
        pulmonary: [
            Capsule { from: frame.body_point(vec3(-3.2, 2.9, -2.2)), to: trunk, radius: 1.35 },
            Capsule { from: trunk, to: h + vec3(-7.3, -3.2, 6.8), radius: 1.0 },
            Capsule { from: trunk, to: h + vec3(3.0, -4.0, 7.2), radius: 1.05 },
        ],
        cava: Column { x: h.x - 7.0, y: h.y + 1.5, semi_x: 0.9, semi_y: 0.9 },
        cava_from: h.z + 2.0,
    }
}

/// N(0, sd) in each coordinate.
fn jitter(r: &mut impl Draw, sd: f32) -> Vec3 {
    vec3(r.normal(0.0, sd), r.normal(0.0, sd), r.normal(0.0, sd))
}

//! The solids the phantom is made of: ellipsoids, capsules and upright cylinders.

use crate::vector::Vec3;

/// All points with ((p - centre) / semi)^2 <= 1.
#[derive(Debug, Clone, Copy)]
pub struct Ellipsoid {
    /// Centre, in cm.
    pub centre: Vec3,
    /// Semi-axes along the three axes of the frame it is given in, in cm.
    pub semi: Vec3,
}

impl Ellipsoid {
    /// Whether the solid holds `p`.
    #[must_use]
    pub fn contains(&self, p: Vec3) -> bool {
        let d = p - self.centre;
        let (x, y, z) = (d.x / self.semi.x, d.y / self.semi.y, d.z / self.semi.z);
        x * x + y * y + z * z <= 1.0
    }

    /// The same solid with every semi-axis longer by `by` (shorter where negative).
    #[must_use]
    pub fn grown(&self, by: Vec3) -> Self {
        Self { centre: self.centre, semi: self.semi + by }
    }
}

/// All points within `radius` of the segment from `from` to `to`.
#[derive(Debug, Clone, Copy)]
pub struct Capsule {
    /// One end of the segment, in cm.
    pub from: Vec3,
    /// The other end, in cm.
    pub to: Vec3,
    /// Radius, in cm.
    pub radius: f32,
}

impl Capsule {
    /// Squared distance of `p` to the segment.
    #[must_use]
    pub fn distance_squared(&self, p: Vec3) -> f32 {
        let axis = self.to - self.from;
        let along = ((p - self.from).dot(axis) / axis.squared()).clamp(0.0, 1.0);
        (p - self.from - axis * along).squared()
    }

    /// Whether the solid holds `p`.
    #[must_use]
    pub fn contains(&self, p: Vec3) -> bool {
        self.distance_squared(p) <= self.radius * self.radius
    }
}

/// An endless upright cylinder of elliptic section.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Centre of the section, in cm.
    pub x: f32,
    /// Centre of the section, in cm.
    pub y: f32,
    /// Semi-axis from side to side, in cm.
    pub semi_x: f32,
    /// Semi-axis from back to front, in cm.
    pub semi_y: f32,
}

impl Column {
    /// Whether the solid holds `p`.
    #[must_use]
    pub fn contains(&self, p: Vec3) -> bool {
        let (x, y) = ((p.x - self.x) / self.semi_x, (p.y - self.y) / self.semi_y);
        x * x + y * y <= 1.0
    }
}

//! Three-dimensional vectors in the body frame: X = left, Y = anterior, Z = superior, in cm.

use std::ops::{Add, Mul, Neg, Sub};

/// A point or a direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vec3 {
    /// Towards the subject's left.
    pub x: f32,
    /// Towards the front.
    pub y: f32,
    /// Towards the head.
    pub z: f32,
}

/// Short for building a [`Vec3`].
#[must_use]
pub const fn vec3(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    /// Inner product.
    #[must_use]
    pub fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    /// Cross product of the coordinates. The body frame is left-handed, so this points the other
    /// way than the cross product of the same two directions in DICOM's patient frame.
    #[must_use]
    pub fn cross(self, other: Self) -> Self {
        vec3(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    /// Squared length.
    #[must_use]
    pub fn squared(self) -> f32 {
        self.dot(self)
    }

    /// The direction alone, of length 1.
    #[must_use]
    pub fn unit(self) -> Self {
        self * (1.0 / self.squared().sqrt())
    }

    /// Coordinate by coordinate product.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        vec3(self.x * other.x, self.y * other.y, self.z * other.z)
    }

    /// Turned about `axis` (of length 1) by `degrees` (Rodrigues).
    #[must_use]
    pub fn turned(self, axis: Self, degrees: f32) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        self * cos + axis.cross(self) * sin + axis * (axis.dot(self) * (1.0 - cos))
    }

    /// Millimetres in DICOM's patient frame: left, posterior, superior (PS3.3 C.7.6.2.1.1).
    #[must_use]
    pub fn to_lps_mm(self) -> [f32; 3] {
        [10.0 * self.x, -10.0 * self.y, 10.0 * self.z]
    }

    /// Millimetres in NIfTI's world frame: right, anterior, superior.
    #[must_use]
    pub fn to_ras_mm(self) -> [f32; 3] {
        [-10.0 * self.x, 10.0 * self.y, 10.0 * self.z]
    }
}

impl Add for Vec3 {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        vec3(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        vec3(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        vec3(self.x * factor, self.y * factor, self.z * factor)
    }
}

impl Neg for Vec3 {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

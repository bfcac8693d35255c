//! What lies at a point: the tissue labels and the order the organs are painted in.

use crate::subject::{Anatomy, STERNUM_END};
use crate::vector::{Vec3, vec3};

/// A tissue; the number is the column of the contrast tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Tissue {
    /// Outside the body.
    Air,
    /// Under the skin and around the heart.
    Fat,
    /// Chest wall, walls of vessels.
    Muscle,
    /// Lung.
    Lung,
    /// Liver, stomach and spleen.
    Liver,
    /// Spine and breast bone.
    Bone,
    /// Heart muscle.
    Myocardium,
    /// Blood of the left heart.
    BloodLeft,
    /// Blood of the right heart, veins and lung vessels.
    BloodRight,
    /// Ascending aorta.
    AscendingAorta,
    /// Descending aorta.
    DescendingAorta,
    /// Pulmonary trunk and branches.
    PulmonaryArtery,
}

impl Tissue {
    /// Whether MR gets no signal there, so that phase and maps show noise.
    #[must_use]
    pub const fn is_void(self) -> bool {
        matches!(self, Self::Air | Self::Lung)
    }

    /// Whether it is blood of the chambers or of the great vessels.
    #[must_use]
    pub const fn is_blood(self) -> bool {
        self as u8 >= Self::BloodLeft as u8
    }
}

/// Wall of the atria, in heart coordinates.
const ATRIUM_WALL: Vec3 = vec3(-0.2, -0.2, -0.2);
/// Wall of the right ventricle, in heart coordinates.
const RIGHT_WALL: Vec3 = vec3(-0.38, -0.38, -0.38);

impl Anatomy {
    /// The tissue at `p` (body frame, cm). Organs are asked from the last painted to the first,
    /// so the first that holds the point wins.
    #[must_use]
    pub fn tissue(&self, p: Vec3) -> Tissue {
        if !self.torso.contains(p, 0.0) {
            return Tissue::Air;
        }
        if !self.torso.contains(p, self.torso.fat) {
            return Tissue::Fat;
        }
        if let Some(tissue) = self.vessel(p).or_else(|| self.heart(p)) {
            return tissue;
        }
        if p.z > self.vessels.cava_from && self.vessels.cava.contains(p) {
            return Tissue::BloodRight;
        }
        if self.spine.contains(p) || (p.z > STERNUM_END && self.sternum.contains(p)) {
            return Tissue::Bone;
        }
        if self.abdomen.iter().any(|organ| organ.contains(p)) {
            return Tissue::Liver;
        }
        if self.lungs.iter().any(|lung| lung.contains(p)) {
            let vessel = self.lung_vessels.iter().any(|ball| ball.contains(p));
            return if vessel { Tissue::BloodRight } else { Tissue::Lung };
        }
        Tissue::Muscle
    }

    /// Aorta and pulmonary artery.
    fn vessel(&self, p: Vec3) -> Option<Tissue> {
        const DESCENDING_WALL: f32 = 0.18;
        const ASCENDING_WALL: f32 = 0.2;
        let v = &self.vessels;
        let (dx, dy) = (p.x - v.descending.x, p.y - v.descending.y);
        let distance = dx.hypot(dy) - v.descending.semi_x;
        if distance <= 0.0 {
            return Some(Tissue::DescendingAorta);
        }
        if distance <= DESCENDING_WALL {
            return Some(Tissue::Muscle);
        }
        if v.outflow.contains(p) {
            return Some(Tissue::BloodLeft);
        }
        let distance = v.ascending.distance_squared(p).sqrt() - v.ascending.radius;
        if distance <= 0.0 {
            return Some(Tissue::AscendingAorta);
        }
        if distance <= ASCENDING_WALL {
            return Some(Tissue::Muscle);
        }
        let pulmonary = v.pulmonary.iter().any(|branch| branch.contains(p));
        pulmonary.then_some(Tissue::PulmonaryArtery)
    }

    /// Chambers, their walls and the fat around them.
    fn heart(&self, p: Vec3) -> Option<Tissue> {
        let q = self.frame.heart_point(p);
        if !self.pericardial_fat.grown(vec3(3.0, 3.0, 3.0)).contains(q) {
            return None; // far from the heart, which most points are
        }
        let c = &self.chambers;
        // leaflets: a thin ring across the mitral valve
        let (dx, dy) = (q.x - 0.2, q.y + 0.3);
        let off_axis = dx.hypot(dy);
        if (q.z - c.base - 0.05).abs() < 0.12 && (0.5..2.0).contains(&off_axis) {
            return Some(Tissue::Myocardium);
        }
        let ventricles = q.z > c.base;
        let left = &c.left_ventricle;
        if q.z > c.base - 0.1 && left.contains(q) {
            let muscle = c.papillary.iter().any(|muscle| muscle.contains(q));
            return Some(if muscle { Tissue::Myocardium } else { Tissue::BloodLeft });
        }
        if ventricles && left.grown(vec3(c.wall, c.wall, 0.8 * c.wall)).contains(q) {
            return Some(Tissue::Myocardium);
        }
        if q.z < c.base + 0.2 {
            for (atrium, blood) in [(&c.left_atrium, Tissue::BloodLeft), (&c.right_atrium, Tissue::BloodRight)] {
                if atrium.grown(ATRIUM_WALL).contains(q) {
                    return Some(blood);
                }
                if atrium.contains(q) {
                    return Some(Tissue::Myocardium);
                }
            }
        }
        if ventricles && c.right_ventricle.contains(q) {
            let cavity = c.right_ventricle.grown(RIGHT_WALL).contains(q);
            return Some(if cavity { Tissue::BloodRight } else { Tissue::Myocardium });
        }
        self.pericardial_fat.contains(q).then_some(Tissue::Fat)
    }
}

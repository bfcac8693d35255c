//! Turns a volume so that its slices look as DICOM shows them, however its axes are stored.
//!
//! The convention is DICOM's for standard planes (PS3.3 C.7.6.2.1.1): to the right of the screen is the patient's
//! left (axial, coronal) or back (sagittal); down is the back (axial) or the feet (coronal, sagittal). Slices are
//! numbered along DICOM's normal, rows x columns: to the head, the back, or the right.
//!
//! Which axis the slices follow must not depend on the storage order either: an axis of a single voxel; else the
//! one whose voxel size differs from the two others (thick slices, or thin ones); else, where all three differ,
//! the one with the largest; else the one to the head.

use super::header::Header;

/// An axis of the display as a walk through the stored voxels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    /// Voxels along it.
    pub length: usize,
    /// Stored voxels from one to the next.
    pub stride: usize,
    /// True where it runs against the stored order.
    pub flipped: bool,
}

/// How slices are cut and turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    /// To the right of the screen.
    pub columns: Axis,
    /// Down the screen.
    pub rows: Axis,
    /// From slice to slice.
    pub slices: Axis,
    /// Distance of columns and rows in mm.
    pub spacing: Option<(f32, f32)>,
}

/// Voxel sizes within this share of each other are the same.
const SAME: f64 = 0.01;

/// Patient axes: right-left, back-front, feet-head.
const RIGHT: usize = 0;
const FRONT: usize = 1;
const HEAD: usize = 2;

impl View {
    /// The view of a volume.
    pub fn of(header: &Header) -> Self {
        let steps = &header.steps;
        let lengths: [usize; 3] = std::array::from_fn(|axis| header.dims[axis] as usize);
        let sizes = steps.map(|step| step.iter().map(|part| part * part).sum::<f64>().sqrt());
        // stored[p]: the stored axis that follows patient axis p.
        let stored = closest(steps, &sizes);
        let along = |patient: usize| (lengths[stored[patient]], sizes[stored[patient]]);
        let normal = slice_axis([RIGHT, FRONT, HEAD].map(along));
        let (right_of_screen, down) = match normal {
            HEAD => (RIGHT, FRONT),
            FRONT => (RIGHT, HEAD),
            _ => (FRONT, HEAD),
        };
        let strides = [1, lengths[0], lengths[0] * lengths[1]];
        // Every in-plane direction of the convention points against a patient axis: to the left, back or feet.
        let axis = |patient: usize, towards: f64| {
            let axis = stored[patient];
            Axis { length: lengths[axis], stride: strides[axis], flipped: steps[axis][patient] * towards < 0.0 }
        };
        let size = |patient: usize| sizes[stored[patient]] as f32;
        Self {
            columns: axis(right_of_screen, -1.0),
            rows: axis(down, -1.0),
            slices: axis(normal, if normal == FRONT { -1.0 } else { 1.0 }),
            spacing: Some((size(right_of_screen), size(down))),
        }
    }
}

/// For each patient axis the stored axis closest to it: the assignment with the largest sum of squared cosines.
fn closest(steps: &[[f64; 3]; 3], sizes: &[f64; 3]) -> [usize; 3] {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1]];
    let fit = |order: &[usize; 3]| -> f64 {
        order.iter().enumerate().map(|(patient, &axis)| (steps[axis][patient] / sizes[axis]).powi(2)).sum()
    };
    let mut best = ORDERS[0];
    for order in &ORDERS[1..] {
        if fit(order) > fit(&best) + 1e-9 {
            best = *order;
        }
    }
    best
}

/// The patient axis that slices follow, from (voxels, voxel size) along each patient axis.
fn slice_axis(axes: [(usize, f64); 3]) -> usize {
    let single = |axis: &usize| axes[*axis].0 == 1;
    if let Some(axis) = [HEAD, FRONT, RIGHT].into_iter().find(single) {
        return axis;
    }
    let size = |axis: usize| axes[axis].1;
    let same = |a: usize, b: usize| (size(a) - size(b)).abs() <= SAME * size(a).max(size(b));
    match (same(RIGHT, FRONT), same(FRONT, HEAD), same(RIGHT, HEAD)) {
        (true, false, false) => HEAD,
        (false, true, false) => RIGHT,
        (false, false, true) => FRONT,
        (false, false, false) => {
            let largest = |a: usize, b: usize| if size(b) > size(a) { b } else { a };
            largest(largest(HEAD, FRONT), RIGHT)
        }
        _ => HEAD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_the_odd_one_out() {
        assert_eq!(slice_axis([(64, 2.0), (64, 2.0), (10, 8.0)]), HEAD);
        assert_eq!(slice_axis([(10, 8.0), (64, 2.0), (64, 2.0)]), RIGHT);
        assert_eq!(slice_axis([(64, 3.3), (90, 3.0), (64, 3.3)]), FRONT);
        assert_eq!(slice_axis([(91, 2.0), (109, 2.0), (91, 2.0)]), HEAD);
        assert_eq!(slice_axis([(9, 1.0), (9, 3.0), (9, 2.0)]), FRONT);
        assert_eq!(slice_axis([(200, 1.8), (1, 6.0), (180, 1.8)]), FRONT);
    }

    #[test]
    fn oblique_axes_go_to_the_closest_patient_axis() {
        // A short-axis stack: no axis within 20 degrees of the patient's.
        let steps = [[0.7, -0.6, -0.4], [0.1, 0.6, -0.8], [0.7, 0.5, 0.5]];
        let sizes = steps.map(|step: [f64; 3]| step.iter().map(|part| part * part).sum::<f64>().sqrt());
        let mut found = closest(&steps, &sizes);
        let turned = [steps[2], steps[0], steps[1]];
        let again = closest(&turned, &[sizes[2], sizes[0], sizes[1]]);
        assert_eq!(found.map(|axis| (axis + 1) % 3), again);
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2]);
    }
}

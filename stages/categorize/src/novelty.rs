//! How unlike all others an image is: its distance to the fifth nearest image of other subjects, as a p-value against those
//! of images whose own subject was held out (Sun and others, 2022; Bates and others, 2023).

use deepmcat_features::{Among, Compared, Features, IMAGES, tensor};
use deepmcat_stage::random::some_of;
use tch::{Device, Kind, TchError, Tensor};

use crate::images::Images;

/// Which nearest image counts.
const NEAREST: usize = 5;
/// Images whose distances are held at once.
const BLOCK: usize = 256;

/// How unlike the others the images of a result are, and what others are compared with.
#[derive(Debug)]
pub(crate) struct Novelty {
    /// The p-value of every image `[n]`: the share of images that are at least as far from those of other subjects.
    pub(crate) values: Vec<f32>,
    /// The images that all are compared with, by row `[r]`.
    pub(crate) some: Vec<usize>,
    /// Their own squared distances to the fifth nearest of other subjects `[r]`; infinite where there is none.
    pub(crate) fifths: Vec<f32>,
}

/// Compares every image with those of other subjects.
///
/// # Errors
/// When memory runs out.
pub(crate) fn novelty(features: &Features<'_>, images: &Images, device: Device) -> Result<Novelty, TchError> {
    let some = some_of(features.len(), IMAGES);
    let groups = |rows: &[usize]| -> Result<Tensor, TchError> {
        let groups: Vec<i64> = rows.iter().map(|&row| i64::from(images.groups[row])).collect();
        Tensor::f_from_slice(&groups)?.f_to_device(device)
    };
    let rows: Vec<usize> = (0..features.len()).collect();
    let wanted = NEAREST.min(some.len()) as i64;
    let among = Among::new(&tensor(features, &some)?, device)?;
    let distances =
        among.each(features, &rows, BLOCK, &groups(&some)?, |Compared { rows, mut scores, own, beside, .. }| {
            let same = groups(rows)?.f_unsqueeze(1)?.f_eq_tensor(&beside.f_unsqueeze(0)?)?;
            let squared = scores.f_add_(&own)?.f_masked_fill_(&same, f64::INFINITY)?;
            let nearest = squared.f_topk(wanted, 1, false, true)?.0.f_select(1, wanted - 1)?;
            Vec::<f32>::try_from(nearest.f_to_device(Device::Cpu)?.f_contiguous()?)
        })?;
    let fifths: Vec<f32> = some.iter().map(|&row| distances[row]).collect();
    let values = p_values(&fifths, &distances);
    Ok(Novelty { values, some, fifths })
}

/// The p-values of distances among those of images that are known.
fn p_values(fifths: &[f32], distances: &[f32]) -> Vec<f32> {
    // Of an image whose others are all of its own subject nothing can be said.
    let mut known: Vec<f32> = fifths.iter().copied().filter(|distance| distance.is_finite()).collect();
    known.sort_by(f32::total_cmp);
    let value = |&distance: &f32| {
        if !distance.is_finite() {
            return 1.0;
        }
        let nearer = known.partition_point(|&other| other < distance);
        (1 + known.len() - nearer) as f32 / (known.len() + 1) as f32
    };
    distances.iter().map(value).collect()
}

/// The places of the nearest of other images `[r, d]` to each image, the nearest first, and the p-values of the images.
///
/// # Errors
/// When memory runs out.
pub(crate) fn among_others(
    features: &Features<'_>,
    others: &Tensor,
    fifths: &[f32],
    device: Device,
) -> Result<(Vec<Vec<i64>>, Vec<f32>), TchError> {
    let wanted = (NEAREST as i64).min(others.size()[0]);
    let rows: Vec<usize> = (0..features.len()).collect();
    let among = Among::new(others, device)?;
    let found = among.each(features, &rows, BLOCK, &Tensor::f_zeros([1], (Kind::Float, device))?, |compared| {
        let Compared { mut scores, own, .. } = compared;
        let (squared, places) = scores.f_add_(&own)?.f_topk(wanted, 1, false, true)?;
        let last = Vec::<f32>::try_from(squared.f_select(1, wanted - 1)?.f_to_device(Device::Cpu)?.f_contiguous()?)?;
        let places = Vec::<i64>::try_from(places.f_to_device(Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
        Ok(places.chunks_exact(wanted as usize).map(<[i64]>::to_vec).zip(last).collect())
    })?;
    let (places, distances): (Vec<Vec<i64>>, Vec<f32>) = found.into_iter().unzip();
    let values = p_values(fifths, &distances);
    Ok((places, values))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_from_all_other_subjects_is_novel() {
        // Forty images of forty subjects in a row, then ten of one subject far away: near each other, far from all else.
        let ids: Vec<u32> = (0..50).collect();
        let values: Vec<f32> = (0..50).map(|row| if row < 40 { row as f32 / 100.0 } else { 5.0 }).collect();
        let features = Features::from_values(&ids, 1, &values).unwrap();
        let groups = (0..50).map(|row| if row < 40 { row } else { 99 }).collect();
        let found = novelty(&features, &Images { groups, ..Images::default() }, Device::Cpu).unwrap().values;
        assert!(found[40..].iter().all(|&value| value <= 11.0 / 51.0), "{found:?}");
        assert!(found[10..30].iter().all(|&value| value > 0.3), "{found:?}");
        // Without other subjects nothing is told.
        let groups = vec![7; 50];
        let found = novelty(&features, &Images { groups, ..Images::default() }, Device::Cpu).unwrap().values;
        assert_eq!(found, [1.0; 50]);
    }
}

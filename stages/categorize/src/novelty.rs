//! How unlike all others an image is: its distance to the fifth nearest image of other subjects, over that of its neighbours
//! to theirs (a local outlier factor, Breunig and others, 2000), as a p-value against images whose own subject was held out
//! (Bates and others, 2023).
//!
//! The distance alone calls images of a kind that varies much novel, and misses those that lie close to a dense kind.

use deepmcat_features::{Among, Compared, Features, IMAGES, tensor};
use deepmcat_stage::random::some_of;
use tch::{Device, Kind, TchError, Tensor};

use crate::images::Images;

/// Which nearest image counts.
const NEAREST: usize = 5;
/// Images whose distances are held at once.
const BLOCK: usize = 256;
/// Keeps images that are there twice from dividing by nothing.
const LEAST: f32 = 1e-6;

/// How unlike the others the images of a result are, and what others are compared with.
#[derive(Debug)]
pub(crate) struct Novelty {
    /// The p-value of every image `[n]`: the share of images that are at least as unlike those of other subjects.
    pub(crate) values: Vec<f32>,
    /// The images that all are compared with, by row `[r]`.
    pub(crate) some: Vec<usize>,
    /// Their distances to the fifth nearest of other subjects `[r]`; infinite where there is none.
    pub(crate) fifths: Vec<f32>,
    /// How unlike those they are `[r]`; infinite where nothing can be said.
    pub(crate) unlike: Vec<f32>,
}

/// The nearest of the images that all are compared with: their places, the nearest first, and the distance to the last.
pub(crate) type Nearest = (Vec<i64>, f32);

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
    let among = Among::new(&tensor(features, &some)?, device)?;
    let found = among.each(features, &rows, BLOCK, &groups(&some)?, |compared| {
        let Compared { rows, scores, own, beside, .. } = compared;
        let same = groups(rows)?.f_unsqueeze(1)?.f_eq_tensor(&beside.f_unsqueeze(0)?)?;
        nearest(&(scores + own).f_masked_fill_(&same, f64::INFINITY)?)
    })?;
    let fifths: Vec<f32> = some.iter().map(|&row| found[row].1).collect();
    let all = unlike(&found, &fifths);
    let unlike: Vec<f32> = some.iter().map(|&row| all[row]).collect();
    Ok(Novelty { values: p_values(&unlike, &all), some, fifths, unlike })
}

/// The nearest of other images `[r, d]` to each image.
///
/// # Errors
/// When memory runs out.
pub(crate) fn nearest_of(features: &Features<'_>, others: &Tensor, device: Device) -> Result<Vec<Nearest>, TchError> {
    let rows: Vec<usize> = (0..features.len()).collect();
    let among = Among::new(others, device)?;
    among.each(features, &rows, BLOCK, &Tensor::f_zeros([1], (Kind::Float, device))?, |compared| {
        nearest(&(compared.scores + compared.own))
    })
}

/// Of squared distances `[b, r]`.
fn nearest(squared: &Tensor) -> Result<Vec<Nearest>, TchError> {
    let wanted = (NEAREST as i64).min(squared.size()[1]);
    let (squared, places) = squared.f_topk(wanted, 1, false, true)?;
    let last = squared.f_select(1, wanted - 1)?.f_clamp_min(0.0)?.f_sqrt()?;
    let last = Vec::<f32>::try_from(last.f_to_device(Device::Cpu)?.f_contiguous()?)?;
    let places = Vec::<i64>::try_from(places.f_to_device(Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
    Ok(places.chunks_exact(wanted as usize).map(<[i64]>::to_vec).zip(last).collect())
}

/// How unlike its nearest each image is; infinite where it has none, or these have none.
pub(crate) fn unlike(found: &[Nearest], fifths: &[f32]) -> Vec<f32> {
    let one = |(places, distance): &Nearest| {
        let known = places.iter().map(|&place| fifths[place as usize]).filter(|fifth| fifth.is_finite());
        let (sum, count) = known.fold((0.0, 0), |(sum, count), fifth| (sum + fifth, count + 1));
        if count == 0 { f32::INFINITY } else { (distance + LEAST) / (sum / count as f32 + LEAST) }
    };
    found.iter().map(one).collect()
}

/// The p-values of what is so unlike others, among images that are known.
pub(crate) fn p_values(known: &[f32], all: &[f32]) -> Vec<f32> {
    // Of an image whose others are all of its own subject nothing can be said.
    let mut known: Vec<f32> = known.iter().copied().filter(|unlike| unlike.is_finite()).collect();
    known.sort_by(f32::total_cmp);
    let value = |&unlike: &f32| {
        if !unlike.is_finite() {
            return 1.0;
        }
        let below = known.partition_point(|&other| other < unlike);
        (1 + known.len() - below) as f32 / (known.len() + 1) as f32
    };
    all.iter().map(value).collect()
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

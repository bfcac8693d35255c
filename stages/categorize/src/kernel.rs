//! The classifier: `p(c|x) = (sum_i w_i exp(-|x - x_i|^2 / tau) [y_i = c] + e/C) / (sum_i w_i exp(-|x - x_i|^2 / tau) + e)`
//! over the named points, with one parameter, tau.
//!
//! tau is the one with the least log loss where points are told without those of their subject: temperature scaling in kernel
//! form. Images of a named cluster are told twice, by all answers and by all but their own: by all alone they would be too
//! sure, since the name of their cluster may be wrong for them; without it alone, of no category where clusters of one category
//! have nothing in common. e makes what is far from all points of no category.

use deepmcat_features::{Among, Compared, Features};
use deepmcat_stage::random::some_of;
use rayon::prelude::*;
use tch::{Device, TchError, Tensor};

use crate::images::Images;
use crate::points::Points;

/// What keeps an image that is far from all points from being sure.
const FAR: f64 = 1e-6;
/// Points at most by which tau is chosen.
const JUDGES: usize = 2000;
/// tau where no point can be judged without its answer.
const USUAL: f64 = 0.05;
/// Images whose distances are held at once.
const BLOCK: usize = 512;

/// The classifier with its points on a device.
pub(crate) struct Kernel<'a> {
    points: &'a Points,
    among: Among,
    /// `[m, c]`: the weight of each in its category.
    shares: Tensor,
}

/// Points that were told without what they are to tell: categories `[v]`, probabilities `[v * c]`, rows `[v]`.
#[derive(Debug, Default)]
pub(crate) struct HeldOut {
    pub(crate) classes: Vec<u32>,
    pub(crate) shares: Vec<f64>,
    pub(crate) rows: Vec<usize>,
}

impl<'a> Kernel<'a> {
    /// # Errors
    /// When memory runs out.
    pub(crate) fn new(points: &'a Points, dimensions: usize, device: Device) -> Result<Self, TchError> {
        let (m, c) = (points.classes.len(), points.categories.len());
        let all = Tensor::f_from_slice(&points.values)?.f_view([m as i64, dimensions as i64])?;
        let mut shares = vec![0.0_f32; m * c];
        for (row, (&class, &weight)) in points.classes.iter().zip(&points.weights).enumerate() {
            shares[row * c + class as usize] = weight;
        }
        let shares = Tensor::f_from_slice(&shares)?.f_view([m as i64, c as i64])?.f_to_device(device)?;
        Ok(Self { points, among: Among::new(&all, device)?, shares })
    }

    /// Does `work` on the squared distances `[b, m]` of blocks of rows, with the weights `[m, c]`; all in order.
    fn each<R: Send>(
        &self,
        features: &Features<'_>,
        rows: &[usize],
        work: impl Fn(Tensor, Tensor) -> Result<Vec<R>, TchError> + Send + Sync,
    ) -> Result<Vec<R>, TchError> {
        self.among.each(features, rows, BLOCK, &self.shares, |Compared { mut scores, own, beside, .. }| {
            work(scores.f_add_(&own)?.f_clamp_min_(0.0)?, beside)
        })
    }

    /// The probabilities of every image `[n * c]`.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn classify(&self, features: &Features<'_>, tau: f64) -> Result<Vec<f32>, TchError> {
        let c = self.points.categories.len();
        let rows: Vec<usize> = (0..features.len()).collect();
        self.each(features, &rows, |squared, shares| {
            let near = squared.f_mul_scalar(-1.0 / tau)?.f_exp_()?.f_mm(&shares)?.f_to_device(Device::Cpu)?;
            let near = Vec::<f32>::try_from(near.f_contiguous()?.f_view([-1])?)?;
            Ok(near.chunks_exact(c).flat_map(|near| share(near.iter().map(|&near| f64::from(near)), c)).collect())
        })
    }

    /// tau, and what the points that chose it are told as with it.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn choose(&self, features: &Features<'_>, images: &Images) -> Result<(f64, HeldOut), TchError> {
        let points = self.points;
        let c = points.categories.len();
        let group = |point: usize| points.rows[point].map(|row| images.groups[row]);
        let apart = |judge: usize, point: usize, without: bool| {
            let other = points.answers[judge] != points.answers[point];
            (other || !without) && judge != point && group(judge) != group(point)
        };
        // A category that only one answer gives cannot be told without it.
        let told = |&judge: &usize| {
            let same = |&point: &usize| points.classes[point] == points.classes[judge] && apart(judge, point, true);
            (0..points.classes.len()).any(|point| same(&point))
        };
        let images_of: Vec<usize> = (0..points.classes.len()).filter(|&point| points.rows[point].is_some()).collect();
        let drawn = some_of(images_of.len(), JUDGES).into_iter().map(|place| images_of[place]);
        let judges: Vec<usize> = drawn.collect();
        if judges.is_empty() {
            return Ok((USUAL, HeldOut::default()));
        }
        let without: Vec<bool> = judges.par_iter().map(told).collect();
        // An image that was named is its own answer: with it there is nothing to tell.
        let mut sizes = vec![0_u32; points.count as usize];
        points.answers.iter().for_each(|&answer| sizes[answer as usize] += 1);
        let with: Vec<bool> = judges.iter().map(|&judge| sizes[points.answers[judge] as usize] > 1).collect();
        let rows: Vec<usize> = judges.iter().filter_map(|&judge| points.rows[judge]).collect();
        let m = points.classes.len();
        let squared: Vec<Vec<f32>> = self.each(features, &rows, |squared, _| {
            let squared = Vec::<f32>::try_from(squared.f_to_device(Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
            Ok(squared.chunks_exact(m).map(<[f32]>::to_vec).collect())
        })?;
        let tell = |tau: f64, chosen: &[bool], without: bool| -> (Vec<u32>, Vec<f64>) {
            let one = |(&judge, squared): (&usize, &Vec<f32>)| {
                let mut near = vec![0.0; c];
                for (point, &squared) in squared.iter().enumerate().filter(|&(point, _)| apart(judge, point, without)) {
                    let weight = f64::from(points.weights[point]);
                    near[points.classes[point] as usize] += weight * (-f64::from(squared) / tau).exp();
                }
                share(near.into_iter(), c).map(f64::from).collect::<Vec<_>>()
            };
            let chosen = || judges.par_iter().zip(&squared).zip(chosen).filter(|(_, chosen)| **chosen);
            let classes = chosen().map(|((&judge, _), _)| points.classes[judge]).collect();
            (classes, chosen().map(|(pair, _)| one(pair)).collect::<Vec<_>>().concat())
        };
        // From a tenth of the distance of neighbours to that of anything.
        let taus = (0..25).map(|step| 0.01 * 2.0_f64.powf(f64::from(step) / 4.0));
        let judged = taus.map(|tau| {
            let loss = |(classes, shares): (Vec<u32>, Vec<f64>)| log_loss(&classes, &shares, c);
            (tau, loss(tell(tau, &without, true)) + loss(tell(tau, &with, false)))
        });
        let (tau, loss) = judged.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((USUAL, 0.0));
        tracing::debug!("tau {tau:.4}: log loss {loss:.4} of {} points", rows.len());
        let (classes, shares) = tell(tau, &without, true);
        let rows = rows.into_iter().zip(without).filter_map(|(row, chosen)| chosen.then_some(row)).collect();
        Ok((tau, HeldOut { classes, shares, rows }))
    }
}

/// Probabilities from how near each category is.
fn share(near: impl Iterator<Item = f64> + Clone, c: usize) -> impl Iterator<Item = f32> {
    let sum: f64 = near.clone().sum();
    near.map(move |near| ((near + FAR / c as f64) / (sum + FAR)) as f32)
}

/// Mean negative logarithm of the probability of what is right: `classes` `[v]`, `shares` `[v * c]`.
pub(crate) fn log_loss(classes: &[u32], shares: &[f64], c: usize) -> f64 {
    let loss = |(&class, shares): (&u32, &[f64])| -shares[class as usize].max(1e-12).ln();
    classes.iter().zip(shares.chunks_exact(c.max(1))).map(loss).sum::<f64>() / classes.len().max(1) as f64
}

/// Raises probabilities `[v * c]` to a power and makes them sum to 1 again.
pub(crate) fn sharpen(shares: &[f64], c: usize, power: f64) -> Vec<f64> {
    let mut sharper = shares.to_vec();
    for row in sharper.chunks_exact_mut(c.max(1)) {
        let most = row.iter().copied().fold(0.0, f64::max);
        if most > 0.0 {
            row.iter_mut().for_each(|share| *share = (*share / most).powf(power));
        }
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|share| *share = if sum > 0.0 { *share / sum } else { 1.0 / c as f64 });
    }
    sharper
}

/// The power that makes held-out probabilities say how likely they are right: that of the least log loss, where one answer in
/// twenty may be wrong, so that one of them does not decide over all.
pub(crate) fn power(classes: &[u32], shares: &[f64], c: usize) -> f64 {
    let powers = (-8..=16).map(|step| 2.0_f64.powf(f64::from(step) / 4.0));
    let judged = powers.map(|power| {
        let told: Vec<f64> = sharpen(shares, c, power).iter().map(|share| 0.95 * share + 0.05 / c as f64).collect();
        (power, log_loss(classes, &told, c))
    });
    judged.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(1.0, |(power, _)| power)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Two categories on a line, and the probabilities as numpy gives them:
    /// `k = w * exp(-(x - p)**2 / tau); (k[y == c].sum() + 1e-6 / 2) / (k.sum() + 1e-6)`.
    #[test]
    fn probabilities_are_those_of_the_formula() {
        let points = Points {
            categories: vec!["a".to_owned(), "b".to_owned()],
            values: vec![0.0, 0.2, 1.0],
            weights: vec![1.0, 0.5, 1.0],
            classes: vec![0, 0, 1],
            answers: vec![0, 1, 2],
            rows: vec![Some(0), Some(1), Some(2)],
            ..Points::default()
        };
        let features = Features::from_values(&[0, 1, 2], 1, &[0.5, 0.1, 9.0]).unwrap();
        let found = Kernel::new(&points, 1, Device::Cpu).unwrap().classify(&features, 0.1).unwrap();
        let expected = [0.776_611_2, 0.223_388_8, 0.999_776, 0.000_224, 0.5, 0.5];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn clusters_of_one_category_need_not_look_alike() {
        // Six clusters along six axes, of three categories: nothing but its own name tells what a cluster is.
        let mut points =
            Points { categories: ["a", "b", "c"].map(str::to_owned).to_vec(), count: 6, ..Points::default() };
        let mut values = Vec::new();
        for row in 0..48_usize {
            let cluster = row % 6;
            let mut value = [0.0_f32; 7];
            (value[cluster], value[6]) = (1.0, 0.02 * row as f32);
            values.extend(value);
            points.values.extend(value);
            points.weights.push(0.125);
            points.classes.push((cluster % 3) as u32);
            points.answers.push(cluster as u32);
            points.rows.push(Some(row));
        }
        let ids: Vec<u32> = (0..48).collect();
        let features = Features::from_values(&ids, 7, &values).unwrap();
        let images = Images { groups: ids.clone(), ..Images::default() };
        let kernel = Kernel::new(&points, 7, Device::Cpu).unwrap();
        let (tau, held) = kernel.choose(&features, &images).unwrap();
        assert_eq!((held.rows.len(), held.shares.len()), (48, 144));
        let told = kernel.classify(&features, tau).unwrap();
        for (row, told) in told.chunks_exact(3).enumerate() {
            assert!(told[row % 3] > 0.9, "{row}: {told:?} with tau {tau}");
        }
    }

    #[test]
    fn a_power_makes_probabilities_as_sure_as_they_are_right() {
        // Nine of ten are right at .6: the power that makes .6 to .9.
        let classes: Vec<u32> = (0..100).map(|row| u32::from(row % 10 == 0)).collect();
        let shares: Vec<f64> = classes.iter().flat_map(|_| [0.6, 0.4]).collect();
        let sharper = sharpen(&shares, 2, power(&classes, &shares, 2));
        assert!((sharper[0] - 0.9).abs() < 0.02, "{}", sharper[0]);
    }
}

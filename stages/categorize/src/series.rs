//! The category of a series: the mean of its images' probabilities, to a power of its own.

use std::collections::{BTreeMap, HashMap};

use deepmcat_schemas::{SeriesCategories, Sources};

use crate::images::Images;
use crate::kernel::{HeldOut, power, sharpen};

/// Series by which the power is chosen at least.
const JUDGES: usize = 20;

/// The category of every series that has an image in the result. `shares` `[n * c]`, `classes` `[n]` of the images, and how
/// novel they are; `power` of the mean, `threshold` and `novelty` as in the job.
pub(crate) fn series(
    images: &Images,
    (categories, shares): (&[String], &[f32]),
    classes: &[u32],
    novel: &[bool],
    power: f64,
    threshold: f64,
    sources: Option<&Sources>,
) -> SeriesCategories {
    let c = categories.len();
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, &series) in images.series.iter().enumerate() {
        members.entry(series).or_default().push(row);
    }
    let headers = sources.map(|sources| headers(images, sources)).unwrap_or_default();
    let mut table = SeriesCategories::default();
    for (series, rows) in members {
        let mut mean = vec![0.0; c];
        for &row in &rows {
            mean.iter_mut().zip(&shares[row * c..(row + 1) * c]).for_each(|(sum, &share)| *sum += f64::from(share));
        }
        let mean = sharpen(&mean, c, power);
        let class = first_of_most(mean.iter().copied());
        let share_of =
            |holds: &dyn Fn(usize) -> bool| rows.iter().filter(|&&row| holds(row)).count() as f64 / rows.len() as f64;
        table.series.push(images.series_names[series as usize].clone());
        table.category.push(categories[class].clone());
        table.confidence.push(mean[class] as f32);
        table.agreement.push(share_of(&|row| classes[row] as usize == class) as f32);
        table.images.push(rows.len() as u32);
        table.abstain.push(mean[class] < threshold || share_of(&|row| novel[row]) > 0.5);
        table.header.push(headers.get(&series).cloned());
    }
    table
}

/// The power that makes the confidence of series say how likely they are right; 1 where too few of several images are known.
pub(crate) fn power_of(images: &Images, held: &HeldOut, c: usize) -> f64 {
    let mut means: BTreeMap<(u32, u32), (usize, Vec<f64>)> = BTreeMap::new();
    for ((&class, &row), shares) in held.classes.iter().zip(&held.rows).zip(held.shares.chunks_exact(c.max(1))) {
        let (count, mean) = means.entry((images.series[row], class)).or_insert_with(|| (0, vec![0.0; c]));
        *count += 1;
        mean.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
    }
    means.retain(|_, (count, _)| *count > 1);
    if means.len() < JUDGES {
        return 1.0;
    }
    let classes: Vec<u32> = means.keys().map(|&(_, class)| class).collect();
    let shares: Vec<f64> = means.into_values().flat_map(|(_, mean)| mean).collect();
    power(&classes, &sharpen(&shares, c, 1.0), c)
}

/// The place of the largest; of equals the first.
pub(crate) fn first_of_most(values: impl Iterator<Item = f64>) -> usize {
    let most = values.enumerate().fold(
        (0, f64::MIN),
        |best, (place, value)| {
            if value > best.1 { (place, value) } else { best }
        },
    );
    most.0
}

/// The commonest SeriesDescription of each series; of equals the first in order.
fn headers(images: &Images, sources: &Sources) -> HashMap<u32, String> {
    let mut counts: HashMap<u32, BTreeMap<&str, usize>> = HashMap::new();
    for (image, text) in sources.image_id.iter().zip(&sources.series_description) {
        let row = image.and_then(|image| images.rows.get(&image));
        if let (Some(&row), Some(text)) = (row, text.as_deref().filter(|text| !text.is_empty())) {
            *counts.entry(images.series[row]).or_default().entry(text).or_default() += 1;
        }
    }
    let most = |texts: BTreeMap<&str, usize>| {
        texts.into_iter().rev().max_by_key(|&(_, count)| count).map(|(text, _)| text.to_owned()).unwrap_or_default()
    };
    counts.into_iter().map(|(series, texts)| (series, most(texts))).collect()
}

//! Header against pixels: series whose images look like those of another SeriesDescription. What a person typed, or a
//! protocol left over from the scan before, is wrong now and then; the images are what they are.
//!
//! Descriptions serve as labels with errors in them, and each series is told by the images most like its own (as in confident
//! learning, Northcutt and others, 2021). Neither names nor labels are needed, and no header reaches a cluster.

use std::collections::{BTreeMap, HashMap};

use deepmcat_config::ConfigError;
use deepmcat_features::{Among, Compared, FeatureFiles, Features, IMAGES, tensor};
use deepmcat_machine::Compute;
use deepmcat_schemas::jobs::check::share;
use deepmcat_schemas::layout::{DATASET, partition};
use deepmcat_schemas::{Assignments, Contradictions, PART_0, Stamp, Table, read_folder, write_table};
use deepmcat_stage::random::some_of;
use tch::{Device, TchError, Tensor};

use crate::args::{HeaderArgs, result_of};
use crate::images::{DataSet, Images};
use crate::{Error, people};

/// Images most like one that tell what it is called elsewhere: half of those that a description has, within these.
const NEAREST: std::ops::RangeInclusive<usize> = 10..=30;
/// Images whose distances are held at once.
const BLOCK: usize = 256;
/// Series that a description needs to be judged by the others.
const SERIES: usize = 6;
/// Share of what looks like a description's images that has it too, on average: below, images do not tell it from others.
const TOLD: f64 = 0.5;

/// Lists the series of a run whose header and images disagree.
///
/// # Errors
/// When the run has no result, a table is absent, or the list cannot be written.
pub fn headers(args: HeaderArgs) -> Result<(), Error> {
    share("--threshold", args.threshold).map_err(ConfigError::from)?;
    let (result, job) = result_of(&args.run)?;
    let device = Compute::start(job.compute, &args.machine)?.device;
    let files = FeatureFiles::open(&job.inputs.features, &job.weights)?;
    let features = files.features()?;
    features.squared_lengths()?;
    let dataset = DataSet::read(&args.run.join(DATASET))?;
    let path = partition(&args.run, Assignments::NAME, result.epoch);
    let assignments: Assignments = read_folder(&path)?;
    let images = Images::of_result(&features, (&path, &assignments), &dataset)?;
    let texts = texts(&images, &dataset);
    let described = texts.iter().filter(|text| text.is_some()).count();
    if described == 0 {
        return Err(Error::NoHeaders { path: dataset.folder });
    }
    let found = contradictions(&features, &images, &texts, args.threshold, device)?;
    let stamp = Stamp { stage: "headers".to_owned(), stage_version: "1".to_owned(), ..Stamp::default() };
    write_table(&args.run.join(Contradictions::NAME).join(PART_0), &found, &stamp)?;
    if let Some(file) = &args.csv {
        people::write_headers(file, &found, (&images, &dataset))?;
        tracing::info!("{} names patients: keep it where the archive is kept", file.display());
    }
    let lines = (0..found.series.len()).map(|row| {
        let [header, expected] = [&found.header[row], &found.expected[row]];
        format!(
            "{}  {} images  `{header}`, like `{expected}` ({:.2})",
            found.series[row], found.images[row], found.confidence[row]
        )
    });
    let mut lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    let what = if found.series.len() == 1 { "series has a header that its" } else { "series have a header that their" };
    lines.push(format!("{} {what} images contradict", found.series.len()));
    deepmcat_stage::print(&lines.join("\n")).map_err(Error::Print)?;
    tracing::info!("{described} of {} images have a SeriesDescription", texts.len());
    Ok(())
}

/// The SeriesDescription of each image `[n]`.
fn texts(images: &Images, dataset: &DataSet) -> Vec<Option<String>> {
    let mut texts = vec![None; images.ids.len()];
    if let Some(sources) = &dataset.sources {
        for (image, text) in sources.image_id.iter().zip(&sources.series_description) {
            if let Some(&row) = image.and_then(|image| images.rows.get(&image)) {
                texts[row] = text.clone().filter(|text| !text.trim().is_empty());
            }
        }
    }
    texts
}

/// What is seen of a series: images, what its own share is, and what its images are called elsewhere.
#[derive(Default)]
struct Seen {
    images: u32,
    own: f64,
    others: BTreeMap<u32, f64>,
}

/// The series, the surest first.
fn contradictions(
    features: &Features<'_>,
    images: &Images,
    texts: &[Option<String>],
    threshold: f64,
    device: Device,
) -> Result<Contradictions, TchError> {
    let described: Vec<usize> = (0..texts.len()).filter(|&row| texts[row].is_some()).collect();
    let mut kinds: HashMap<String, u32> = HashMap::new();
    let mut of: Vec<u32> = vec![0; texts.len()];
    let mut counts: Vec<BTreeMap<&str, usize>> = Vec::new();
    for &row in &described {
        let text = texts[row].as_deref().unwrap_or_default();
        let next = kinds.len() as u32;
        let kind = *kinds.entry(kind(text)).or_insert(next);
        counts.resize_with(kinds.len(), BTreeMap::new);
        *counts[kind as usize].entry(text).or_default() += 1;
        of[row] = kind;
    }
    let mut sizes: Vec<usize> = counts.iter().map(|texts| texts.values().sum()).collect();
    sizes.sort_unstable();
    let wanted = (sizes[sizes.len() / 2] / 2).clamp(*NEAREST.start(), *NEAREST.end());
    let nearest = nearest(features, images, &described, wanted, device)?;
    let mut series: BTreeMap<(u32, u32), (Seen, &str)> = BTreeMap::new();
    for (&row, nearest) in described.iter().zip(&nearest) {
        let (seen, text) = series.entry((images.series[row], of[row])).or_default();
        *text = texts[row].as_deref().unwrap_or_default();
        seen.images += 1;
        for &other in nearest {
            let weight = 1.0 / nearest.len() as f64;
            if of[other] == of[row] { seen.own += weight } else { *seen.others.entry(of[other]).or_default() += weight }
        }
    }
    // How well the images of a description tell it, by series.
    let mut told: HashMap<u32, (usize, f64)> = HashMap::new();
    for ((_, kind), (seen, _)) in &series {
        let (count, sum) = told.entry(*kind).or_default();
        *count += 1;
        *sum += seen.own / f64::from(seen.images);
    }
    let is_told =
        |kind: u32| told.get(&kind).is_some_and(|&(count, sum)| count >= SERIES && sum >= TOLD * count as f64);
    let mut found: Vec<(f64, u32, &str, u32, f64, u32)> = Vec::new();
    for (&(number, kind), (seen, text)) in &series {
        let mean = |sum: f64| sum / f64::from(seen.images);
        let best = seen.others.iter().rev().max_by(|a, b| a.1.total_cmp(b.1));
        let Some((&expected, &sum)) = best else { continue };
        let confidence = 1.0 - mean(seen.own);
        if confidence >= threshold && is_told(kind) && is_told(expected) {
            found.push((confidence, number, text, expected, mean(sum), seen.images));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.4.total_cmp(&a.4)).then(a.1.cmp(&b.1)));
    let mut table = Contradictions::default();
    for (confidence, number, text, expected, share, count) in found {
        let usual =
            counts[expected as usize].iter().rev().max_by_key(|(_, count)| **count).map_or("", |(text, _)| text);
        table.series.push(images.series_names[number as usize].clone());
        table.header.push(text.to_owned());
        table.expected.push(usual.to_owned());
        table.share.push(share as f32);
        table.confidence.push(confidence as f32);
        table.images.push(count);
    }
    Ok(table)
}

/// The `wanted` rows most like each of `rows`, of other subjects and series, among those or as many of them as can be compared.
fn nearest(
    features: &Features<'_>,
    images: &Images,
    rows: &[usize],
    wanted: usize,
    device: Device,
) -> Result<Vec<Vec<usize>>, TchError> {
    let some: Vec<usize> = some_of(rows.len(), IMAGES).into_iter().map(|place| rows[place]).collect();
    let belongs = |rows: &[usize]| -> Result<Tensor, TchError> {
        let numbers = rows.iter().map(|&row| i64::from(images.groups[row]));
        let numbers: Vec<i64> = numbers.chain(rows.iter().map(|&row| i64::from(images.series[row]))).collect();
        Tensor::f_from_slice(&numbers)?.f_view([2, rows.len() as i64])?.f_to_device(device)
    };
    let wanted = wanted.min(some.len()) as i64;
    let among = Among::new(&tensor(features, &some)?, device)?;
    let found = among.each(features, rows, BLOCK, &belongs(&some)?, |compared| {
        let Compared { rows, scores, beside, .. } = compared;
        let same = belongs(rows)?.f_unsqueeze(2)?.f_eq_tensor(&beside.f_unsqueeze(1)?)?.f_any_dim(0, false)?;
        let (scores, places) = scores.f_masked_fill(&same, f64::INFINITY)?.f_topk(wanted, 1, false, true)?;
        let scores = Vec::<f32>::try_from(scores.f_to_device(Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
        let places = Vec::<i64>::try_from(places.f_to_device(Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
        let pairs: Vec<(f32, i64)> = scores.into_iter().zip(places).collect();
        // What is infinitely far is of its own subject or series.
        let others = |pairs: &[(f32, i64)]| pairs.iter().filter(|pair| pair.0.is_finite()).map(|pair| pair.1).collect();
        Ok(pairs.chunks_exact(wanted as usize).map(others).collect::<Vec<Vec<i64>>>())
    })?;
    Ok(found.into_iter().map(|places| places.into_iter().map(|place| some[place as usize]).collect()).collect())
}

/// A description without its numbers: `SAX_b3` and `SAX_b4` are levels of one stack, and `t2_tse 2` a repeat.
fn kind(header: &str) -> String {
    let mut kind = String::new();
    for character in header.trim().chars() {
        if !character.is_ascii_digit() {
            kind.extend(character.to_lowercase());
        } else if !kind.ends_with('#') {
            kind.push('#');
        }
    }
    kind
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Three heaps of forty series of one image each, of forty subjects, and what each series is called.
    fn found(call: impl Fn(usize) -> Option<String>) -> Contradictions {
        let values: Vec<f32> = (0..120).flat_map(|row| [(row / 40) as f32, row as f32 / 1000.0]).collect();
        let ids: Vec<u32> = (0..120).collect();
        let features = Features::from_values(&ids, 2, &values).unwrap();
        let series_names = (0..120).map(|row| format!("s{row}")).collect();
        let images = Images { groups: ids.clone(), series: ids.clone(), series_names, ..Images::default() };
        let texts: Vec<Option<String>> = (0..120).map(call).collect();
        contradictions(&features, &images, &texts, 0.96, Device::Cpu).unwrap()
    }

    #[test]
    fn a_series_that_looks_like_those_of_another_description_is_found() {
        let heap = |row: usize| Some(format!("{}_b{}", ["SAX", "lvot", "Flow"][row / 40], row % 3));
        let found = found(|row| match row {
            7 => Some("FLOW_b1".to_owned()),
            9 => None,
            50 => Some("a special one".to_owned()), // which no other series has: nothing can be said
            _ => heap(row),
        });
        assert_eq!((found.series, found.header), (vec!["s7".to_owned()], vec!["FLOW_b1".to_owned()]));
        assert!(found.expected[0].starts_with("SAX_b") && found.confidence == [1.0] && found.images == [1]);
    }

    #[test]
    fn two_descriptions_of_one_thing_do_not_contradict_each_other() {
        // A tenth of the first heap has another word for it.
        let found = found(|row| {
            Some(if row < 40 && row % 5 == 0 { "short axis" } else { ["SAX", "lvot", "Flow"][row / 40] }.to_owned())
        });
        assert!(found.series.is_empty(), "{:?}", found.header);
    }
}

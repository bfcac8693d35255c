//! Place: images of another archive into the categories of a model.

use deepmcat_features::{FeatureFiles, Features};
use deepmcat_machine::Compute;
use deepmcat_map::Frame;
use deepmcat_schemas::jobs::place::Outputs;
use deepmcat_schemas::{Map, PART_0, jobs, write_table};
use deepmcat_stage::Timings;
use rayon::prelude::*;
use tch::{Device, Tensor};

use crate::clusters::with_clusters;
use crate::images::{DataSet, Images};
use crate::kernel::Kernel;
use crate::model::Model;
use crate::novelty::{nearest_of, p_values, unlike};
use crate::told::{Tables, Told};
use crate::{Error, How, PlaceMeans};

/// Does a job.
///
/// An image is of the cluster of the image of the result that is nearest to it, and is told by the named points, or where
/// labels were propagated by the nearest images, as it would have been in the result. One that the result has, by its pixels,
/// is what it was there.
///
/// # Errors
/// When a table is absent or not of the model, or tables cannot be written.
pub fn place(job: jobs::Place, means: PlaceMeans) -> Result<(), Error> {
    let mut timings = Timings::new();
    let stamp = job.stamp();
    let device = Compute::start(job.compute, &means.machine)?.device;
    let mut model = Model::read(&job.inputs.model)?;
    let files = FeatureFiles::open(&job.inputs.features, &job.weights)?;
    let features = files.features()?;
    features.squared_lengths()?;
    if features.dimensions() != model.dimensions() {
        let (expected, found) = (features.dimensions(), model.dimensions());
        return Err(Error::OtherWidth { path: job.inputs.model, expected, found });
    }
    let dataset = DataSet::read(&job.inputs.dataset)?;
    let mut images = Images::of(&features, &dataset)?;
    timings.lap("read");
    let (mut shares, mut novelty) = told(&model, &features, &mut images, device)?;
    let known = as_before(&mut model, &dataset, &mut images, &mut shares, &mut novelty);
    timings.lap("compute");
    let map = model.cells.as_ref().map(|cells| map(&features, &images, cells)).unwrap_or_default();
    write_table(&job.outputs.map.join(PART_0), &map, &stamp)?;
    let how = How { method: model.method.clone(), tau: model.tau, answers: model.answers };
    let told = Told {
        points: &model.points,
        shares: &shares,
        novelty: &novelty,
        power: model.power,
        sure: model.sure,
        novel: model.novel,
        how,
    };
    let Outputs { categories, series, .. } = &job.outputs;
    let tables = Tables { categories, series, figures: job.outputs.figures() };
    told.finish(&images, &dataset, &tables, &stamp, Some(&job.outputs.csv), (means.json, job.seed))?;
    let novel = novelty.iter().filter(|&&value| f64::from(value) < model.novel).count();
    tracing::info!(
        "{} images, {known} of them already in the model's run, {novel} unlike all of its images",
        novelty.len()
    );
    timings.lap("write");
    timings.log();
    Ok(())
}

/// Probabilities `[n * c]` and p-values of novelty `[n]`; gives the images their clusters.
fn told(
    model: &Model,
    features: &Features<'_>,
    images: &mut Images,
    device: Device,
) -> Result<(Vec<f32>, Vec<f32>), Error> {
    let c = model.points.categories.len();
    let references = &model.references;
    let size = [references.value.len() as i64, features.dimensions() as i64];
    let others = Tensor::f_from_slice(&references.value.concat())?.f_view(size)?;
    let known =
        |values: &[Option<f32>]| values.iter().map(|value| value.unwrap_or(f32::INFINITY)).collect::<Vec<f32>>();
    let nearest = nearest_of(features, &others, device)?;
    let novelty = p_values(&known(&references.unlike), &unlike(&nearest, &known(&references.fifth)));
    images.clusters = nearest.iter().map(|(places, _)| references.cluster[places[0] as usize]).collect();
    let shares = match model.tau {
        Some(tau) => {
            let own = Kernel::new(&model.points, features.dimensions(), device)?.classify(features, tau)?;
            let own: Vec<f64> = own.into_iter().map(f64::from).collect();
            let told = with_clusters(&own, &images.clusters, &model.shares, c);
            told.into_iter().map(|share| share as f32).collect()
        }
        None => nearest.iter().flat_map(|(places, _)| mean(places, &references.shares, c)).collect(),
    };
    Ok((shares, novelty))
}

/// The mean of some rows.
fn mean(places: &[i64], rows: &[Vec<f32>], c: usize) -> Vec<f32> {
    let mut mean = vec![0.0; c];
    for &place in places {
        mean.iter_mut().zip(&rows[place as usize]).for_each(|(sum, share)| *sum += share / places.len() as f32);
    }
    mean
}

/// Gives images of the model's run what they have there; returns how many there are.
fn as_before(
    model: &mut Model,
    dataset: &DataSet,
    images: &mut Images,
    shares: &mut [f32],
    novelty: &mut [f32],
) -> usize {
    let c = model.points.categories.len();
    let manifest = &dataset.manifest;
    let found: Vec<(usize, usize)> = images
        .places
        .iter()
        .enumerate()
        .filter_map(|(row, &place)| Some((row, model.find(&manifest.key[place], &manifest.pixels[place])?)))
        .collect();
    for &(row, before) in &found {
        let Model { known, points, .. } = &mut *model;
        shares[row * c..(row + 1) * c].copy_from_slice(&known.shares[before]);
        novelty[row] = known.novelty[before];
        images.clusters[row] = known.cluster[before];
        let named = known.named[before].as_ref().and_then(|named| points.categories.binary_search(named).ok());
        points.named.extend(named.map(|class| (row, class as u32)));
        // Labels may have made the model.
        points.seen.insert(row);
    }
    found.len()
}

/// Where the images lie on the map of the model's run.
fn map(features: &Features<'_>, images: &Images, cells: &deepmcat_schemas::Cells) -> Map {
    let frame = Frame::of(cells);
    let place = |buffer: &mut Vec<f32>, row: usize| {
        // Every cluster that holds an image has a cell.
        let cell = cells.cluster.iter().position(|cluster| *cluster == images.clusters[row]).unwrap_or_default();
        frame.place(cells, cell, features.row(row, buffer))
    };
    let places: Vec<[u32; 2]> =
        (0..features.len()).into_par_iter().map_init(|| vec![0.0; features.dimensions()], place).collect();
    Map {
        image_id: images.ids.clone(),
        x: places.iter().map(|place| place[0]).collect(),
        y: places.iter().map(|place| place[1]).collect(),
    }
}

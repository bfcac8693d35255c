//! Map: the images of a result as points of a plane, what is alike together.

mod args;
mod axes;
mod cells;
mod error;
mod layout;

use std::collections::HashMap;

use deepmcat_features::{FeatureFiles, Features};
use deepmcat_schemas::{Assignments, Cells, Clusters, ImageId, Map, PART_0, jobs, read_folder, write_table};
use deepmcat_stage::{Means, Timings};
use rayon::prelude::*;

pub use args::Args;
pub use cells::{Frame, cells};
pub use error::Error;

/// Does a job.
///
/// # Errors
/// When a table is wrong, the tables are not of one result, or the map cannot be written.
pub fn run(job: jobs::Map, means: Means) -> Result<(), Error> {
    let mut timings = Timings::new();
    deepmcat_stage::set_threads(means.threads)?;
    let files = FeatureFiles::open(&job.inputs.features, &job.weights)?;
    let features = files.features()?;
    let assignments: Assignments = read_folder(&job.inputs.assignments)?;
    let clusters: Clusters = read_folder(&job.inputs.clusters)?;
    let previous: Option<Cells> = job.inputs.previous.as_deref().map(read_folder).transpose()?;
    timings.lap("read");
    let found = found(&job, &features, &assignments, &clusters)?;
    let mut members = vec![Vec::new(); clusters.cluster.len()];
    found.iter().enumerate().for_each(|(row, &cluster)| members[cluster].push(row));
    let cells = cells(&features, &clusters, &members, previous.as_ref());
    let map = map(&features, &cells, &clusters, &found);
    timings.lap("compute");
    let stamp = job.stamp();
    write_table(&job.outputs.cells.join(PART_0), &cells, &stamp)?;
    write_table(&job.outputs.map.join(PART_0), &map, &stamp)?;
    timings.lap("write");
    tracing::info!("{} images in {} cells", map.image_id.len(), cells.cluster.len());
    timings.log();
    Ok(())
}

/// The row of `clusters` of each row of the features `[n]`.
fn found(
    job: &jobs::Map,
    features: &Features<'_>,
    assignments: &Assignments,
    clusters: &Clusters,
) -> Result<Vec<usize>, Error> {
    let jobs::map::Inputs { assignments: of_epoch, clusters: of_clusters, .. } = &job.inputs;
    let other =
        |other: &std::path::Path, what: String| Error::OtherFit { one: of_epoch.clone(), other: other.into(), what };
    let width = clusters.centroid.first().map_or(0, Vec::len);
    if width != features.dimensions() {
        let what = format!("centroids have {width} dimensions, features {}", features.dimensions());
        return Err(Error::OtherFit { one: of_clusters.clone(), other: features.source().to_owned(), what });
    }
    let numbers: HashMap<u32, usize> = clusters.cluster.iter().zip(0..).map(|(name, place)| (name.0, place)).collect();
    let own: HashMap<ImageId, u32> =
        assignments.image_id.iter().zip(&assignments.cluster).map(|(&id, cluster)| (id, cluster.0)).collect();
    if own.len() != features.len() {
        let what = format!("{} images have a cluster, {} have features", own.len(), features.len());
        return Err(other(features.source(), what));
    }
    let find = |id: ImageId| {
        let cluster = own.get(&id).ok_or_else(|| other(features.source(), format!("image {id} has no cluster")))?;
        numbers.get(cluster).copied().ok_or_else(|| other(of_clusters, format!("there is no cluster {cluster}")))
    };
    features.image_ids().into_iter().map(find).collect()
}

/// Where every image lies.
fn map(features: &Features<'_>, cells: &Cells, clusters: &Clusters, found: &[usize]) -> Map {
    let cell: HashMap<u32, usize> = cells.cluster.iter().zip(0..).map(|(name, place)| (name.0, place)).collect();
    let frame = Frame::of(cells);
    let place = |buffer: &mut Vec<f32>, (row, cluster): (usize, &usize)| {
        // Every cluster that holds an image has a cell.
        let cell = cell.get(&clusters.cluster[*cluster].0).copied().unwrap_or_default();
        frame.place(cells, cell, features.row(row, buffer))
    };
    let places: Vec<[u32; 2]> =
        found.par_iter().enumerate().map_init(|| vec![0.0; features.dimensions()], place).collect();
    Map {
        image_id: features.image_ids(),
        x: places.iter().map(|place| place[0]).collect(),
        y: places.iter().map(|place| place[1]).collect(),
    }
}

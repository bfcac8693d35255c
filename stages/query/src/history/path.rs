//! A row an epoch of one image.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{BooleanArray, Float32Array, RecordBatch, UInt32Array};
use deepmcat_schemas::layout::{DATASET, MANIFEST, partition};
use deepmcat_schemas::{Assignments, Manifest, Table, part_files, read_columns, read_row};
use rayon::prelude::*;

use super::{clusters_of, column_of};
use crate::Error;
use crate::epochs::Pass;
use crate::output::rows_of;

/// Where an image is at one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Station {
    /// None where the epoch has no such clustering.
    cluster: Option<u32>,
    distance: f32,
    margin: f32,
}

/// The answer: `epoch`, `network`, `cluster`, `flipped`, `distance`, `margin`; null at epochs that did not assign the image.
/// Distance and margin are those of the first clustering.
pub(super) fn rows(run: &Path, passes: &[Pass], image: &str, clustering: usize) -> Result<RecordBatch, Error> {
    let image = number(run, image)?;
    let stations: Vec<Option<Station>> =
        passes.par_iter().map(|pass| station(run, pass, image, clustering)).collect::<Result<_, _>>()?;
    if clustering > 0 && stations.iter().flatten().all(|station| station.cluster.is_none()) {
        return Err(Error::NoClustering { clustering });
    }
    let cluster = |place: usize| stations[place].and_then(|station| station.cluster);
    let flipped = |(place, pass): (usize, &Pass)| {
        let before = passes.iter().position(|other| Some(other.epoch) == pass.before)?;
        Some(cluster(before)? != cluster(place)?)
    };
    let of_station = |of: fn(&Station) -> f32| {
        Arc::new(stations.iter().map(|station| station.as_ref().map(of)).collect::<Float32Array>())
    };
    rows_of([
        ("epoch", Arc::new(UInt32Array::from_iter_values(passes.iter().map(|pass| pass.epoch.0)))),
        ("network", Arc::new(UInt32Array::from_iter_values(passes.iter().map(|pass| pass.network)))),
        ("cluster", Arc::new((0..passes.len()).map(cluster).collect::<UInt32Array>())),
        ("flipped", Arc::new(passes.iter().enumerate().map(flipped).collect::<BooleanArray>())),
        ("distance", of_station(|station| station.distance)),
        ("margin", of_station(|station| station.margin)),
    ])
}

/// The `image_id` of an image that is named by it or by its key.
fn number(run: &Path, image: &str) -> Result<u32, Error> {
    let path = run.join(DATASET).join(MANIFEST);
    let mut images = 0;
    for batch in read_columns::<Manifest>(&path, &["image_id", "key"])? {
        images += batch.num_rows();
        let (ids, keys) = (batch.column(0).as_primitive::<UInt32Type>(), batch.column(1).as_string::<i32>());
        for (id, key) in ids.values().iter().zip(keys.iter().flatten()) {
            // A key may be of digits alone: of 16, which no image_id has.
            if key == image || image.parse() == Ok(*id) {
                return Ok(*id);
            }
        }
    }
    Err(Error::NoImage { image: image.to_owned(), last: images.saturating_sub(1) })
}

/// Finds the image among an epoch's, then reads its row alone.
fn station(run: &Path, pass: &Pass, image: u32, clustering: usize) -> Result<Option<Station>, Error> {
    for part in part_files::<Assignments>(&partition(run, Assignments::NAME, pass.epoch))? {
        let mut before = 0;
        for batch in read_columns::<Assignments>(&part, &["image_id"])? {
            let ids = batch.column(0).as_primitive::<UInt32Type>().values();
            let Some(row) = ids.iter().position(|&id| id == image) else {
                before += ids.len();
                continue;
            };
            let columns = [column_of(clustering), "distance", "margin"];
            let row = read_row::<Assignments>(&part, &columns, before + row)?;
            return Ok(row.map(|row| Station {
                cluster: clusters_of(row.column(0), clustering).first().copied(),
                distance: row.column(1).as_primitive::<Float32Type>().value(0),
                margin: row.column(2).as_primitive::<Float32Type>().value(0),
            }));
        }
    }
    Ok(None)
}

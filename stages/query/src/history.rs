//! `deepmcat history`: how the clusters of the images changed over the epochs of a run.

mod args;
mod flows;
mod images;
mod path;
mod per_epoch;

pub use args::Args;

use std::path::Path;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use deepmcat_schemas::layout::{DATASET, MANIFEST, partition};
use deepmcat_schemas::{Assignments, Manifest, Table, count_rows, read_columns};
use rayon::prelude::*;

use crate::Error;
use crate::epochs::{self, Pass, Range};
use crate::output::SOME;
use args::Question;

/// The cluster of an image in an epoch that did not assign it.
pub const ABSENT: u32 = u32::MAX;

/// Does what the command line asks for.
///
/// # Errors
/// When the run has no such assignments, a table is damaged, or the answer cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let passes = epochs::of_run(&args.run)?;
    let within = |range: Range| -> Result<Vec<Pass>, Error> {
        let chosen: Vec<Pass> = passes.iter().filter(|pass| range.contains(pass.epoch)).copied().collect();
        if chosen.is_empty() { Err(Error::NoEpochs { there: there(&passes) }) } else { Ok(chosen) }
    };
    let load = |passes| History::load(&args.run, passes, args.clustering);
    let question = args.question.unwrap_or_default();
    let most = if matches!(question, Question::Images { .. } | Question::Flows { .. }) { SOME } else { 0 };
    let rows = match question {
        Question::Epochs { epochs } => per_epoch::rows(&load(within(epochs)?)?)?,
        Question::Images { epochs, last } => images::rows(&load(within(epochs)?)?, last)?,
        Question::Flows { from, to, moved } => {
            let find = |epoch| passes.iter().find(|pass| pass.epoch == epoch).copied();
            let pass = |epoch| find(epoch).ok_or_else(|| Error::NoEpoch { epoch, there: there(&passes) });
            flows::rows(&load(vec![pass(from)?, pass(to)?])?, moved)?
        }
        Question::Path { image } => path::rows(&args.run, &passes, &image, args.clustering)?,
    };
    args.output.write(&rows, most)
}

/// Which epochs there are, in words.
fn there(passes: &[Pass]) -> String {
    let list: Vec<String> = passes.iter().map(|pass| pass.epoch.to_string()).collect();
    match list.as_slice() {
        [first, .., last] if list.len() > 20 => format!("there are {} between {first} and {last}", list.len()),
        list => format!("there are {}", list.join(", ")),
    }
}

/// The clusters of all images at some epochs.
#[derive(Debug)]
pub struct History {
    /// The epochs.
    pub passes: Vec<Pass>,
    /// Images of the run.
    pub images: usize,
    /// Cluster of each image at each epoch, `[passes, images]`, or [`ABSENT`].
    pub clusters: Vec<u32>,
}

impl History {
    /// Reads the clusters of these epochs, of the first clustering (0) or of a further one.
    ///
    /// # Errors
    /// When a table is absent, damaged or of another data set, or no epoch has that clustering.
    pub fn load(run: &Path, passes: Vec<Pass>, clustering: usize) -> Result<Self, Error> {
        let images = count_rows::<Manifest>(&run.join(DATASET).join(MANIFEST))?;
        let mut clusters = vec![ABSENT; passes.len() * images];
        let rows = clusters.par_chunks_mut(images.max(1)).zip(&passes);
        let filled: Vec<bool> = rows.map(|(row, pass)| fill(run, pass, clustering, row)).collect::<Result<_, _>>()?;
        if !filled.contains(&true) {
            return Err(Error::NoClustering { clustering });
        }
        Ok(Self { passes, images, clusters })
    }

    /// The clusters at the epoch of a place.
    #[must_use]
    pub fn at(&self, place: usize) -> &[u32] {
        &self.clusters[place * self.images..][..self.images]
    }

    /// The place of the epoch that the one of a place compares with.
    #[must_use]
    pub fn before(&self, place: usize) -> Option<usize> {
        let before = self.passes[place].before?;
        self.passes.iter().position(|pass| pass.epoch == before)
    }
}

/// Fills in the clusters of an epoch; returns whether it has that clustering.
fn fill(run: &Path, pass: &Pass, clustering: usize, row: &mut [u32]) -> Result<bool, Error> {
    let folder = partition(run, Assignments::NAME, pass.epoch);
    let (mut filled, images) = (clustering == 0, row.len());
    for batch in read_columns::<Assignments>(&folder, &["image_id", column_of(clustering)])? {
        let clusters = clusters_of(batch.column(1), clustering);
        filled |= !clusters.is_empty();
        for (&image, cluster) in batch.column(0).as_primitive::<UInt32Type>().values().iter().zip(clusters) {
            let place = row.get_mut(image as usize);
            *place.ok_or_else(|| Error::OtherImages { path: folder.clone(), image, images })? = cluster;
        }
    }
    Ok(filled)
}

/// The column that holds a clustering.
fn column_of(clustering: usize) -> &'static str {
    if clustering == 0 { "cluster" } else { "others" }
}

/// The clusters of a clustering in its column; none where the epoch has no such clustering.
fn clusters_of(column: &ArrayRef, clustering: usize) -> Vec<u32> {
    if clustering == 0 {
        return column.as_primitive::<UInt32Type>().values().to_vec();
    }
    let lists = column.as_list::<i32>();
    let values = lists.values().as_primitive::<UInt32Type>().values();
    let list = |ends: &[i32]| &values[ends[0] as usize..ends[1] as usize];
    lists.value_offsets().windows(2).map_while(|ends| list(ends).get(clustering - 1).copied()).collect()
}

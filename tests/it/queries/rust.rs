//! The Rust of docs/guide/queries.md, between the lines of dashes.

// ----
use std::error::Error;
use std::path::Path;

use deepmcat_schemas::layout::{epochs, partition};
use deepmcat_schemas::{Assignments, Table, read_folder};
use polars::prelude::*;

/// The clusters of a run of one network at every epoch: `epoch`, `image_id`, `cluster`.
pub fn assignments(run: &Path) -> Result<LazyFrame, Box<dyn Error>> {
    let mut frames = Vec::new();
    for epoch in epochs(&run.join("assignments"))? {
        let table: Assignments = read_folder(&partition(run, "assignments", epoch))?;
        let frame = df!(
            "epoch" => vec![epoch.0; table.len()],
            "image_id" => table.image_id.iter().map(|image| image.0).collect::<Vec<u32>>(),
            "cluster" => table.cluster.iter().map(|cluster| cluster.0).collect::<Vec<u32>>(),
        )?;
        frames.push(frame.lazy());
    }
    Ok(concat(frames, UnionArgs::default())?)
}

/// The ten most restless images: `image_id`, `flips`.
pub fn restless(run: &Path) -> Result<DataFrame, Box<dyn Error>> {
    let order = SortMultipleOptions::default().with_order_descending_multi([true, false]);
    let flips = assignments(run)?
        .sort(["epoch"], SortMultipleOptions::default())
        .with_column(col("cluster").shift(lit(1)).over([col("image_id")])?.alias("past"))
        .filter(col("past").neq(col("cluster")))
        .group_by([col("image_id")])
        .agg([len().alias("flips")])
        .sort(["flips", "image_id"], order)
        .limit(10);
    Ok(flips.collect()?)
}
// ----

//! `deepmcat apply`: other images into the categories of a run or model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmcat_schemas::{Categories, CategoryMetrics, SeriesCategories, Table, read_folder};
use serde_json::json;

use super::explain::{print, print_json};
use crate::apply::Order;
use crate::lock::Lock;
use crate::schedule::{self, Options};
use crate::{Error, RunFolder, apply};

/// Exports the model where that is asked for, and applies it where there are images.
pub(super) fn apply(
    source: &Path,
    inputs: &[PathBuf],
    out: Option<&Path>,
    export: Option<&Path>,
    sets: &[String],
    jobs: Option<usize>,
    as_json: bool,
) -> Result<(), Error> {
    if let Some(to) = export {
        apply::export(source, to)?;
        tracing::info!(
            "{} is the model: it holds features of the run's images, which may allow a guess at an image, and no name of a patient",
            to.display()
        );
    }
    let Some(out) = out else { return Ok(()) };
    let order = Order::new(source, inputs, out, sets)?;
    fs_err::create_dir_all(out)?;
    let lock = Lock::take(out)?;
    let sets = order.prepare()?;
    let run = RunFolder::open_with(out, &sets)?;
    schedule::run(&run, &lock, &Options { jobs, ..Options::default() })?;
    say(out, as_json)
}

/// How many images and series have which category.
fn say(out: &Path, as_json: bool) -> Result<(), Error> {
    let categories: Categories = read_folder(&out.join(Categories::NAME))?;
    let series: SeriesCategories = read_folder(&out.join(SeriesCategories::NAME))?;
    let metrics: CategoryMetrics = read_folder(&out.join(CategoryMetrics::NAME))?;
    // Without labels there is no row.
    let metrics = Some(metrics).filter(|metrics| !metrics.images.is_empty());
    let mut counts: BTreeMap<&str, [u32; 4]> = BTreeMap::new();
    let tables = [(&categories.category, &categories.abstain), (&series.category, &series.abstain)];
    for (place, (names, abstain)) in tables.into_iter().enumerate() {
        for (name, &abstain) in names.iter().zip(abstain) {
            let count = counts.entry(name).or_default();
            count[2 * place] += 1;
            count[2 * place + 1] += u32::from(abstain);
        }
    }
    if as_json {
        let rows = counts.iter().map(|(name, [images, unsure, series, unsure_series])| {
            json!({"category": name, "images": images, "abstained": unsure, "series": series, "series_abstained": unsure_series})
        });
        let rows: Vec<_> = rows.collect();
        let metrics = metrics.map(|metrics| metrics.json(0));
        return print_json(
            &json!({"images": categories.image_id.len(), "series": series.series.len(), "categories": rows, "metrics": metrics}),
        );
    }
    let width = counts.keys().map(|name| name.chars().count()).max().unwrap_or(0).max("category".len());
    let mut lines = vec![format!(
        "{:<width$}  {:>8}  {:>10}  {:>8}  {:>10}",
        "category", "images", "to look at", "series", "to look at"
    )];
    for (name, [images, unsure, of_series, unsure_series]) in counts {
        lines.push(format!("{name:<width$}  {images:>8}  {unsure:>10}  {of_series:>8}  {unsure_series:>10}"));
    }
    if let Some(metrics) = metrics {
        lines.push(format!("\n{} images with a label: accuracy {:.4}", metrics.images[0], metrics.accuracy[0]));
    }
    print(&lines.join("\n"))?;
    let csv = out.join("series.csv");
    tracing::info!(
        "{} has the series with their UIDs: it names patients, keep it where the archive is kept",
        csv.display()
    );
    Ok(())
}

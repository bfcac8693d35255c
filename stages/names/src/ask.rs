//! What to name next: clusters without a name by their medoid, then images of which little is known.

use std::collections::{BTreeMap, HashMap, HashSet};

use deepmcat_decisions::{Log, RunResult, Target};
use deepmcat_schemas::{Categories, ClusterId, SchemaError, Table, read_folder};

use crate::Error;
use crate::table::{CATEGORY, WHAT};

/// The rows of a CSV to fill in.
pub(crate) fn ask(log: &Log, result: &RunResult, unsure: &[f64], count: usize) -> Vec<Vec<String>> {
    let head = [WHAT, CATEGORY, "why", "cluster", "images", "image"].map(str::to_owned).to_vec();
    let rows = clusters(log, result).into_iter().chain(images(log, result, unsure, count));
    std::iter::once(head).chain(rows.take(count)).collect()
}

/// How unsure each image is `[n]`, 0 to 1: by the categories of this result, where there are any, else by its cluster.
///
/// # Errors
/// When the table of categories is damaged.
pub(crate) fn unsure(result: &RunResult) -> Result<Vec<f64>, Error> {
    let folder = result.run.join(Categories::NAME);
    let categories: Categories = match read_folder(&folder) {
        Err(SchemaError::Missing(_) | SchemaError::NoParts { .. }) => return Ok(between(result)),
        categories => categories?,
    };
    let rows = categories.image_id.iter().zip(&categories.cluster).zip(&categories.confidence);
    let told: HashMap<_, f64> = rows.map(|(image, &confidence)| (image, 1.0 - f64::from(confidence))).collect();
    let assignments = &result.assignments;
    let rows = assignments.image_id.iter().zip(&assignments.cluster);
    // Of other images or clusters: they are of an earlier result.
    let own: Option<Vec<f64>> = rows.map(|row| told.get(&row).copied()).collect();
    Ok(own.unwrap_or_else(|| between(result)))
}

/// How unsure the cluster of each image is `[n]`, 0 to 1: the distance to its own mean over that to the nearest other.
fn between(result: &RunResult) -> Vec<f64> {
    let rows = result.assignments.distance.iter().zip(&result.assignments.margin);
    let share = |(&distance, &margin): (&f32, &f32)| {
        let other = f64::from(distance) + f64::from(margin);
        if other > 0.0 { (f64::from(distance) / other).clamp(0.0, 1.0) } else { 1.0 }
    };
    rows.map(share).collect()
}

/// The clusters without a name, the largest first, each with the image nearest to its mean.
fn clusters(log: &Log, result: &RunResult) -> Vec<Vec<String>> {
    let assignments = &result.assignments;
    let mut medoids: BTreeMap<ClusterId, usize> = BTreeMap::new();
    for (row, &cluster) in assignments.cluster.iter().enumerate() {
        let medoid = medoids.entry(cluster).or_insert(row);
        if assignments.distance[row] < assignments.distance[*medoid] {
            *medoid = row;
        }
    }
    let size = |cluster: ClusterId| result.sizes()[&cluster];
    let mut unnamed: Vec<(ClusterId, usize)> =
        medoids.into_iter().filter(|&(cluster, _)| log.category(&result.cluster(cluster)).is_none()).collect();
    unnamed.sort_by_key(|&(cluster, _)| (std::cmp::Reverse(size(cluster)), cluster));
    let paths = paths(result);
    let row = |(cluster, medoid): (ClusterId, usize)| {
        let path = paths[&assignments.image_id[medoid].0].1.clone();
        row(cluster.to_string(), "cluster without a name: its medoid", cluster, size(cluster), path)
    };
    unnamed.into_iter().map(row).collect()
}

/// Images without a name of their own: again and again the least sure one of the cluster of which most is unsure for each
/// image that was named or asked for there.
fn images(log: &Log, result: &RunResult, unsure: &[f64], count: usize) -> Vec<Vec<String>> {
    let assignments = &result.assignments;
    let paths = paths(result);
    let mut named: HashSet<u32> = HashSet::new();
    for (target, _) in log.in_force() {
        if let Target::Image { image } = target {
            named.extend(result.image(image).map(|image| image.0));
        }
    }
    // By cluster: how much is unsure, what is known, and its images, the surest first.
    let mut open: BTreeMap<ClusterId, (f64, usize, Vec<usize>)> = BTreeMap::new();
    for (row, &cluster) in assignments.cluster.iter().enumerate() {
        let (sum, known, rows) = open.entry(cluster).or_insert((0.0, 1, Vec::new()));
        *sum += unsure[row];
        if named.contains(&assignments.image_id[row].0) {
            *known += 1;
        } else {
            rows.push(row);
        }
    }
    for (_, _, rows) in open.values_mut() {
        rows.sort_by(|&a, &b| unsure[a].total_cmp(&unsure[b]).then(b.cmp(&a)));
    }
    let mut asked = Vec::new();
    while asked.len() < count {
        let left = open.iter().filter(|(_, (_, _, rows))| !rows.is_empty());
        let each = left.map(|(&cluster, &(sum, known, _))| (cluster, sum / known as f64));
        let Some((cluster, _)) = each.max_by(|(_, a), (_, b)| a.total_cmp(b)) else { break };
        let Some((_, known, rows)) = open.get_mut(&cluster) else { break };
        let Some(image) = rows.pop() else { break };
        *known += 1;
        let (key, path) = paths[&assignments.image_id[image].0].clone();
        asked.push(row(key, "unsure image of a large cluster", cluster, result.sizes()[&cluster], path));
    }
    asked
}

fn row(what: String, why: &str, cluster: ClusterId, size: u32, path: String) -> Vec<String> {
    vec![what, String::new(), why.to_owned(), cluster.to_string(), size.to_string(), path]
}

/// Key and PNG of each image, below the run folder.
fn paths(result: &RunResult) -> HashMap<u32, (String, String)> {
    let manifest = &result.manifest;
    let rows = manifest.image_id.iter().zip(manifest.key.iter().zip(&manifest.path));
    rows.map(|(image, (key, path))| (image.0, (key.clone(), format!("dataset/{path}")))).collect()
}

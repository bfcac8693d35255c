//! What the page shows and no decision changes: clusters with their images, what headers and labels say, the map.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use deepmcat_decisions::{Carried, Log, Naming, RunResult, Target, carry, mark};
use deepmcat_schemas::layout::{DATASET, LABELS, MANIFEST, SOURCES, partition};
use deepmcat_schemas::{
    Categories, ClusterId, Clusters, ImageId, Labels, Map, SchemaError, Sources, Table, read_folder, read_table,
};
use serde::Serialize;

use crate::Error;
use crate::split::squared;

/// Images of a page of a sheet.
pub(crate) const PAGE: usize = 100;
/// Most similar clusters that are shown beside one.
const NEIGHBOURS: usize = 8;
/// Images of a neighbour that are shown.
const STRIP: usize = 6;
/// Texts that are listed with their counts.
const LISTED: usize = 40;
/// Overlap from which on a cluster's name in an earlier result is proposed.
const MOST: f64 = 0.5;
/// Characters of a proposed name at most, as of a category.
const LONGEST: usize = 200;

/// All of it.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) result: RunResult,
    /// The clusters that hold images, the largest first.
    pub(crate) clusters: Vec<Cluster>,
    /// Place in `clusters` by number.
    places: HashMap<ClusterId, usize>,
    /// What headers call each image.
    headers: Texts,
    /// The label of each image.
    labels: Texts,
    /// How sure its cluster is of each image: what the order `unsure` begins with is small.
    sure: Vec<f32>,
    /// x, y and the place of the cluster of each image: see [`Data::map`].
    map: Option<Vec<u8>>,
}

/// A cluster that holds images.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) number: ClusterId,
    /// Its images, the nearest to the centroid first.
    pub(crate) members: Vec<u32>,
    /// Different subjects among them; 0 where nothing says which they are.
    subjects: usize,
    /// The most similar others, as places, with their distance.
    neighbours: Vec<(usize, f32)>,
    /// What it might be called.
    proposal: Option<Proposal>,
    /// Mean confidence of its images, where the result has categories.
    confidence: Option<f32>,
}

/// What a cluster might be called, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Proposal {
    /// The name.
    pub(crate) name: String,
    /// Share of the images that say something which say this; of an earlier result, of the images of either cluster that
    /// are in both.
    pub(crate) share: f64,
    /// `earlier` (people called it so in an earlier result), `labels` or `headers`.
    pub(crate) from: &'static str,
}

/// How the images of a sheet are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Nearest,
    Farthest,
    Random,
    Unsure,
    Subject,
}

impl Order {
    /// By its name in an address.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let all = [
            ("nearest", Self::Nearest),
            ("farthest", Self::Farthest),
            ("random", Self::Random),
            ("unsure", Self::Unsure),
            ("subject", Self::Subject),
        ];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, order)| order)
    }
}

/// A text of each image, or none: few different ones, so each is kept once.
#[derive(Debug, Default)]
struct Texts {
    texts: Vec<String>,
    /// Place of the text from 1; 0: none.
    of: Vec<u32>,
}

impl Texts {
    fn new(images: usize, rows: impl Iterator<Item = (usize, String)>) -> Self {
        let (mut texts, mut of, mut places) = (Vec::new(), vec![0; images], HashMap::<String, u32>::new());
        for (image, text) in rows {
            let Some(slot) = of.get_mut(image).filter(|_| !text.trim().is_empty()) else { continue };
            *slot = *places.entry(text).or_insert_with_key(|text| {
                texts.push(text.clone());
                texts.len() as u32
            });
        }
        Self { texts, of }
    }

    fn get(&self, image: u32) -> Option<&str> {
        let place = *self.of.get(image as usize)? as usize;
        Some(&self.texts[place.checked_sub(1)?])
    }

    /// The texts of some images with their counts, the most frequent first.
    fn counts(&self, images: &[u32]) -> Vec<(&str, usize)> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        images.iter().filter_map(|&image| self.get(image)).for_each(|text| *counts.entry(text).or_default() += 1);
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        counts
    }
}

impl Data {
    /// Reads a finished run.
    ///
    /// # Errors
    /// When it has no result, or a table is damaged.
    pub(crate) fn read(run: &Path, log: &Log) -> Result<Self, Error> {
        let result = RunResult::open(run)?;
        let images = result.manifest.image_id.len();
        if let Some(image) = result.assignments.image_id.iter().find(|image| image.0 as usize >= images) {
            return Err(Error::OtherImages { path: run.join(DATASET).join(MANIFEST), image: *image });
        }
        let path = run.join(DATASET).join(LABELS);
        let labels: Labels = if path.exists() { read_table(&path)? } else { Labels::default() };
        let labels = labels.image_id.into_iter().map(|image| image.0 as usize).zip(labels.label);
        let labels = Texts::new(images, labels);
        let path = run.join(DATASET).join(SOURCES);
        let sources: Sources = if path.exists() { read_table(&path)? } else { Sources::default() };
        let headers = sources.image_id.into_iter().zip(sources.series_description);
        let headers = headers.filter_map(|(image, text)| Some((image? as usize, text?)));
        let headers = Texts::new(images, headers);
        let mut clusters = clusters(&result, &labels, &headers)?;
        let earlier = earlier(log, &result)?;
        for cluster in &mut clusters {
            cluster.proposal = earlier.get(&cluster.number).cloned().or(cluster.proposal.take());
        }
        let places = clusters.iter().zip(0..).map(|(cluster, place)| (cluster.number, place)).collect();
        let (sure, is_confidence) = sure(&result)?;
        for cluster in clusters.iter_mut().filter(|_| is_confidence) {
            let sum: f64 = cluster.members.iter().map(|&image| f64::from(sure[image as usize])).sum();
            cluster.confidence = Some((sum / cluster.members.len() as f64) as f32);
        }
        let map = map(run, &result, &places)?;
        Ok(Self { result, clusters, places, headers, labels, sure, map })
    }

    /// The place of a cluster.
    pub(crate) fn place(&self, number: u32) -> Option<usize> {
        self.places.get(&ClusterId(number)).copied()
    }

    /// The place of an image's cluster.
    pub(crate) fn place_of_image(&self, image: u32) -> Option<usize> {
        let ids = &self.result.assignments.image_id;
        let row = if ids.get(image as usize) == Some(&ImageId(image)) {
            image as usize
        } else {
            ids.iter().position(|id| id.0 == image)?
        };
        self.places.get(&self.result.assignments.cluster[row]).copied()
    }

    /// Key of an image.
    pub(crate) fn key(&self, image: u32) -> Option<&String> {
        self.result.manifest.key.get(image as usize)
    }

    /// The files of images, below the data set; none where one is not there.
    pub(crate) fn paths(&self, images: &[u32]) -> Option<Vec<String>> {
        images.iter().map(|&image| self.result.manifest.path.get(image as usize).cloned()).collect()
    }

    /// What the page needs once.
    pub(crate) fn overview(&self) -> serde_json::Value {
        let cluster = |cluster: &Cluster| {
            serde_json::json!({
                "number": cluster.number.0,
                "size": cluster.members.len(),
                "medoid": cluster.members.first(),
                "subjects": cluster.subjects,
                "proposal": cluster.proposal,
                "confidence": cluster.confidence,
            })
        };
        serde_json::json!({
            "run": self.result.run.display().to_string(),
            "result": self.result.id,
            "images": self.result.assignments.image_id.len(),
            "columns": crate::tiles::COLUMNS,
            "map": self.map.is_some(),
            "clusters": self.clusters.iter().map(cluster).collect::<Vec<_>>(),
        })
    }

    /// What stands beside a cluster: neighbours, and what headers and labels say.
    pub(crate) fn beside(&self, place: usize) -> serde_json::Value {
        let cluster = &self.clusters[place];
        let neighbour = |&(place, distance): &(usize, f32)| {
            let other = &self.clusters[place];
            let images = &other.members[..other.members.len().min(STRIP)];
            serde_json::json!({"number": other.number.0, "distance": distance, "images": images})
        };
        let listed = |texts: &Texts| {
            let counts = texts.counts(&cluster.members);
            serde_json::json!({"different": counts.len(), "first": &counts[..counts.len().min(LISTED)]})
        };
        let manifest = &self.result.manifest;
        let rows = || cluster.members.iter().map(|&image| image as usize);
        let series: HashSet<&String> = rows().map(|row| &manifest.series[row]).collect();
        serde_json::json!({
            "number": cluster.number.0,
            "neighbours": cluster.neighbours.iter().map(neighbour).collect::<Vec<_>>(),
            "headers": listed(&self.headers),
            "labels": listed(&self.labels),
            "subjects": cluster.subjects,
            "series": series.len(),
        })
    }

    /// A page of a cluster's images in an order, and how many pages there are.
    pub(crate) fn sheet(&self, place: usize, order: Order, page: usize) -> (Vec<u32>, usize) {
        let mut images = self.clusters[place].members.clone();
        let manifest = &self.result.manifest;
        match order {
            Order::Nearest => {}
            Order::Farthest => images.reverse(),
            // Keys are hashes: their order is one by chance, and stays.
            Order::Random => images.sort_by_key(|&image| &manifest.key[image as usize]),
            Order::Unsure => {
                images.sort_by(|&a, &b| self.sure[a as usize].total_cmp(&self.sure[b as usize]).then(a.cmp(&b)));
            }
            Order::Subject => images.sort_by_key(|&image| {
                let row = image as usize;
                (&manifest.subject[row], &manifest.series[row], manifest.slice[row], image)
            }),
        }
        let pages = images.len().div_ceil(PAGE);
        (images.into_iter().skip(page.saturating_mul(PAGE)).take(PAGE).collect(), pages)
    }

    /// An image by itself: its size, window, what is said of it, and the slices of its series.
    pub(crate) fn image(&self, image: u32) -> Option<serde_json::Value> {
        let manifest = &self.result.manifest;
        let row = image as usize;
        let series = manifest.series.get(row)?;
        let place = self.place_of_image(image).map(|place| self.clusters[place].number.0);
        let mut slices: Vec<u32> = (0..manifest.series.len())
            .filter(|&other| manifest.series[other] == *series)
            .map(|other| other as u32)
            .collect();
        slices.sort_by_key(|&other| (manifest.slice[other as usize], other));
        Some(serde_json::json!({
            "image": image,
            "cluster": place,
            "width": manifest.width[row],
            "height": manifest.height[row],
            "spacing": [manifest.spacing_x[row], manifest.spacing_y[row]],
            "low": manifest.window_low[row],
            "high": manifest.window_high[row],
            "header": self.headers.get(image),
            "label": self.labels.get(image),
            "flags": manifest.flags[row],
            "slices": slices,
        }))
    }

    /// The most frequent name of some images: how a part of a cluster might be called.
    pub(crate) fn proposal(&self, images: &[u32]) -> Option<Proposal> {
        proposal(&self.labels, &self.headers, images)
    }

    /// Little-endian u16, one column after the other: x from the left, y from the bottom, place of the cluster, of each image
    /// that has a cluster; none where the run has no map of this result.
    pub(crate) fn map(&self) -> Option<&Vec<u8>> {
        self.map.as_ref()
    }
}

fn clusters(result: &RunResult, labels: &Texts, headers: &Texts) -> Result<Vec<Cluster>, Error> {
    let assignments = &result.assignments;
    let mut members: BTreeMap<ClusterId, Vec<(f32, u32)>> = BTreeMap::new();
    let rows = assignments.image_id.iter().zip(&assignments.cluster).zip(&assignments.distance);
    rows.for_each(|((image, &cluster), &distance)| members.entry(cluster).or_default().push((distance, image.0)));
    let table: Clusters = read_folder(&partition(&result.run, Clusters::NAME, result.epoch))?;
    let mut centroids: HashMap<ClusterId, Vec<f32>> = table.cluster.into_iter().zip(table.centroid).collect();
    let mut clusters: Vec<Cluster> = members
        .into_iter()
        .map(|(number, mut members)| {
            members.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let members: Vec<u32> = members.into_iter().map(|(_, image)| image).collect();
            let subject = |&image: &u32| result.manifest.subject[image as usize].as_ref();
            let subjects = members.iter().filter_map(subject).collect::<HashSet<_>>().len();
            let proposal = proposal(labels, headers, &members);
            Cluster { number, members, subjects, neighbours: Vec::new(), proposal, confidence: None }
        })
        .collect();
    clusters.sort_by_key(|cluster| (std::cmp::Reverse(cluster.members.len()), cluster.number));
    let centroids: Vec<Vec<f32>> =
        clusters.iter().map(|cluster| centroids.remove(&cluster.number).unwrap_or_default()).collect();
    for place in 0..clusters.len() {
        let others = (0..clusters.len()).filter(|&other| other != place && !centroids[other].is_empty());
        let mut all: Vec<(usize, f32)> =
            others.map(|other| (other, squared(&centroids[place], &centroids[other]).sqrt())).collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        all.truncate(NEIGHBOURS);
        clusters[place].neighbours = all;
    }
    Ok(clusters)
}

/// What clusters were called in earlier results of the run, of which they hold most images.
fn earlier(log: &Log, result: &RunResult) -> Result<HashMap<ClusterId, Proposal>, Error> {
    let older = |target: &Target| matches!(target, Target::Cluster { result: of, .. } if *of != result.id);
    if !log.in_force().any(|(target, _)| older(target)) {
        return Ok(HashMap::new());
    }
    let mut found = HashMap::new();
    for Carried { naming: Naming { target, category: name, overlap }, .. } in carry(log, result, log, result)? {
        let share = overlap.unwrap_or_default();
        if let Target::Cluster { cluster, .. } = target
            && share >= MOST
            && mark(&name).is_none()
        {
            found.insert(cluster, Proposal { name, share, from: "earlier" });
        }
    }
    Ok(found)
}

/// The majority of labels where there are any, else of SeriesDescriptions.
fn proposal(labels: &Texts, headers: &Texts, images: &[u32]) -> Option<Proposal> {
    [(labels, "labels"), (headers, "headers")].into_iter().find_map(|(texts, from)| {
        let counts = texts.counts(images);
        let total: usize = counts.iter().map(|(_, count)| count).sum();
        let (text, count) = counts.first()?;
        let name = as_category(text)?;
        Some(Proposal { name, share: *count as f64 / total as f64, from })
    })
}

/// A text of a header as a category may be: on one line, not too long; none where nothing is left.
fn as_category(text: &str) -> Option<String> {
    let line: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let short: String = line.trim().chars().take(LONGEST).collect();
    Some(short.trim().to_owned()).filter(|name| !name.is_empty())
}

/// How sure each image is: its confidence where this result has categories (true), else its margin.
fn sure(result: &RunResult) -> Result<(Vec<f32>, bool), Error> {
    let mut sure = vec![0.0; result.manifest.image_id.len()];
    let assignments = &result.assignments;
    for (image, &margin) in assignments.image_id.iter().zip(&assignments.margin) {
        sure[image.0 as usize] = margin;
    }
    let table: Categories = match read_folder(&result.run.join(Categories::NAME)) {
        Err(SchemaError::Missing(_) | SchemaError::NoParts { .. }) => return Ok((sure, false)),
        table => table?,
    };
    if table.image_id != assignments.image_id || table.cluster != assignments.cluster {
        // Of an earlier result.
        return Ok((sure, false));
    }
    for (image, &confidence) in table.image_id.iter().zip(&table.confidence) {
        sure[image.0 as usize] = confidence;
    }
    Ok((sure, true))
}

fn map(run: &Path, result: &RunResult, places: &HashMap<ClusterId, usize>) -> Result<Option<Vec<u8>>, Error> {
    let table: Map = match read_folder(&run.join(Map::NAME)) {
        Err(SchemaError::Missing(_) | SchemaError::NoParts { .. }) => return Ok(None),
        table => table?,
    };
    let at: HashMap<ImageId, usize> = table.image_id.iter().copied().zip(0..).collect();
    let rows: Option<Vec<usize>> = result.assignments.image_id.iter().map(|image| at.get(image).copied()).collect();
    let Some(rows) = rows else { return Ok(None) };
    let bytes = |value: usize| u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes();
    let x = rows.iter().flat_map(|&row| bytes(table.x[row] as usize));
    let y = rows.iter().flat_map(|&row| bytes(table.y[row] as usize));
    let cluster = result.assignments.cluster.iter().flat_map(|cluster| bytes(places[cluster]));
    Ok(Some(x.chain(y).chain(cluster).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_before_headers_and_headers_become_names() {
        let texts = |texts: &[&str]| Texts::new(texts.len(), texts.iter().map(|text| (*text).to_owned()).enumerate());
        let headers = texts(&["T1 <b>\n", "T1 <b>\n", "T2", ""]);
        let labels = texts(&["", "", "", "SA"]);
        let none = texts(&["", "", "", ""]);
        let name = |labels: &Texts, images: &[u32]| {
            proposal(labels, &headers, images).map(|one| (one.name, one.share, one.from))
        };
        assert_eq!(name(&none, &[0, 1, 2, 3]), Some(("T1 <b>".to_owned(), 2.0 / 3.0, "headers")));
        assert_eq!(name(&labels, &[0, 1, 2, 3]), Some(("SA".to_owned(), 1.0, "labels")));
        assert_eq!(name(&labels, &[0]).map(|one| one.2), Some("headers"));
        assert_eq!(name(&none, &[3]), None);
        assert_eq!(as_category(&"x".repeat(500)).map(|name| name.len()), Some(200));
        assert_eq!(as_category("\t\u{7}"), None);
    }
}

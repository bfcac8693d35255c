//! What a reader should look at: headers that are wrong, images far from their cluster, oddities of the archive.

use std::collections::{BTreeMap, HashMap};

use deepmcat_schemas::{Contradictions, Manifest};

use super::{Cluster, Image, STRIP};

/// Share of a cluster's images that has to agree on a SeriesDescription before others are told.
const AGREED: f64 = 0.8;
/// Rows of a list of what to look at.
const LISTED: usize = 40;
/// Images of a series that are shown.
const SHOWN: usize = 5;

/// What a reader should look at.
#[derive(Debug, Default)]
pub struct Act {
    /// Series whose header is wrong, the surest first; none where nobody asked (`deepmcat headers`).
    pub wrong: Option<Vec<Wrong>>,
    /// Series whose SeriesDescription is another than that of nearly all images of their cluster.
    pub strangers: Vec<Stranger>,
    /// How many there are of these.
    pub stranger_count: usize,
    /// Images that are far from their centroid: places in `images`.
    pub outliers: Vec<usize>,
    /// Images with the pixels of an image of another subject.
    pub shared: usize,
    /// Images by flag of the manifest.
    pub flags: BTreeMap<String, usize>,
    /// Images with text that may be burned in.
    pub burned_in: usize,
}

/// A series whose images look like those of another description.
#[derive(Debug, Clone)]
pub struct Wrong {
    /// Hash of the series.
    pub series: String,
    /// Its SeriesDescription.
    pub header: String,
    /// What its images are called elsewhere.
    pub expected: String,
    /// How sure it is that the header is wrong.
    pub confidence: f32,
    /// Its images.
    pub images: u32,
    /// Some of them: rows of the manifest.
    pub shown: Vec<usize>,
}

/// A series in a cluster of another name.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// Hash of the series.
    pub series: String,
    /// Its SeriesDescription.
    pub header: String,
    /// The cluster.
    pub cluster: u32,
    /// Images of the series in it.
    pub images: usize,
    /// What nearly all of its images are called.
    pub others: String,
    /// Share of its images that are.
    pub share: f64,
}

impl Act {
    pub(super) fn new(
        images: &[Image],
        clusters: &[Cluster],
        manifest: &Manifest,
        headers: &[Option<String>],
        contradictions: Option<&Contradictions>,
    ) -> Self {
        let mut act = Self { wrong: contradictions.and_then(|table| wrong(table, manifest)), ..Self::default() };
        // They are what a better list says already.
        let rough = if act.wrong.is_none() { clusters } else { &[] };
        for cluster in rough {
            act.strangers_of(cluster, images, manifest, headers);
        }
        act.strangers.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.series.cmp(&b.series)));
        act.stranger_count = act.strangers.len();
        act.strangers.truncate(LISTED);

        // How many times farther than its cluster's images are on average.
        let mut far: Vec<(f64, usize)> = Vec::new();
        for cluster in clusters.iter().filter(|cluster| cluster.distance > 0.0) {
            let farthest = cluster.members.iter().rev().take(STRIP);
            far.extend(farthest.map(|&place| (f64::from(images[place].distance) / cluster.distance, place)));
        }
        far.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        act.outliers = far.into_iter().take(2 * STRIP).map(|(_, place)| place).collect();

        let mut subjects: HashMap<&str, &str> = HashMap::new();
        for (pixels, subject) in manifest.pixels.iter().zip(&manifest.subject) {
            let Some(subject) = subject else { continue };
            if *subjects.entry(pixels).or_insert(subject) != subject.as_str() {
                act.shared += 1;
            }
        }
        for flag in manifest.flags.iter().flatten().flat_map(|flags| flags.split(',')) {
            *act.flags.entry(flag.trim().to_owned()).or_default() += 1;
        }
        act.burned_in = manifest.burned_in.iter().filter(|&&burned_in| burned_in).count();
        act
    }

    fn strangers_of(&mut self, cluster: &Cluster, images: &[Image], manifest: &Manifest, headers: &[Option<String>]) {
        let named: usize = cluster.headers.iter().map(|(_, count)| count).sum();
        let Some((most, count)) = cluster.headers.first() else { return };
        let share = *count as f64 / named as f64;
        if share < AGREED {
            return;
        }
        let mut series: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for &place in &cluster.members {
            let row = images[place].row;
            if let Some(header) = headers[row].as_ref().filter(|header| *header != most) {
                *series.entry((&manifest.series[row], header)).or_default() += 1;
            }
        }
        let strangers = series.into_iter().map(|((series, header), images)| Stranger {
            series: series.to_owned(),
            header: header.to_owned(),
            cluster: cluster.number,
            images,
            others: most.clone(),
            share,
        });
        self.strangers.extend(strangers);
    }
}

/// The series whose header is wrong; none where the list is of another data set.
fn wrong(table: &Contradictions, manifest: &Manifest) -> Option<Vec<Wrong>> {
    let mut rows: HashMap<&str, Vec<usize>> = table.series.iter().map(|series| (series.as_str(), Vec::new())).collect();
    for (row, series) in manifest.series.iter().enumerate() {
        if let Some(rows) = rows.get_mut(series.as_str()) {
            rows.push(row);
        }
    }
    let of = |place: usize| {
        let rows = rows.get(table.series[place].as_str()).filter(|rows| !rows.is_empty())?;
        let step = rows.len().div_ceil(SHOWN);
        Some(Wrong {
            series: table.series[place].clone(),
            header: table.header[place].clone(),
            expected: table.expected[place].clone(),
            confidence: table.confidence[place],
            images: table.images[place],
            shown: rows.iter().step_by(step).copied().collect(),
        })
    };
    (0..table.series.len()).map(of).collect()
}

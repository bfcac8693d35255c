//! What the page says: everything that is computed from the tables, before a word of it is written.

use std::collections::{BTreeMap, HashMap};

use deepmcat_schemas::jobs::Report;
use deepmcat_schemas::layout::{LABELS, MANIFEST, SOURCES, epoch_of};
use deepmcat_schemas::{
    Assignments, Categories, CategoryMetrics, Clusters, Epoch, Labels, Manifest, Map, Metrics, Names, Sources,
    read_folder, read_table,
};
use deepmcat_stage::random::some_of;

use crate::Error;

/// Images of a strip at most.
const STRIP: usize = 10;
/// Clusters whose strips are as long as that; of more, strips are shorter, so that the page stays small.
const STRIPS: usize = 110;
/// Share of a cluster's images that has to agree on a SeriesDescription before others are told.
const AGREED: f64 = 0.8;
/// Rows of a list of what to look at.
const LISTED: usize = 40;

/// All of it.
#[derive(Debug)]
pub struct Facts {
    /// The images.
    pub manifest: Manifest,
    /// Place of each shown image on the map, where there is one.
    pub places: Option<HashMap<u32, [u32; 2]>>,
    /// Cluster of each assigned image, by its row here.
    pub images: Vec<Image>,
    /// The clusters that hold images, the largest first.
    pub clusters: Vec<Cluster>,
    /// Clusters asked for.
    pub asked: usize,
    /// Figures of each epoch, in order.
    pub epochs: Vec<(Epoch, Metrics)>,
    /// Figures of k-means on raw pixels.
    pub raw: Option<Metrics>,
    /// Figures of k-means on the encoder's features.
    pub encoder: Option<Metrics>,
    /// Classes, in order.
    pub classes: Vec<String>,
    /// What a reader should look at.
    pub act: Act,
    /// Names that people gave to clusters.
    pub names: BTreeMap<u32, String>,
    /// What follows from them.
    pub categories: Option<Named>,
}

/// The categories of a result.
#[derive(Debug)]
pub struct Named {
    /// The categories, the largest first.
    pub rows: Vec<Category>,
    /// Their figures, where labels measure them.
    pub metrics: Option<CategoryMetrics>,
}

/// One category.
#[derive(Debug, Clone)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Its images.
    pub images: usize,
    /// Sum of their confidences.
    pub confidence: f64,
    /// Images that a person should look at.
    pub abstained: usize,
}

/// One assigned image.
#[derive(Debug, Clone, Copy)]
pub struct Image {
    /// Its row of the manifest.
    pub row: usize,
    /// Its cluster's number.
    pub cluster: u32,
    /// Distance to the centroid.
    pub distance: f32,
    /// Its class by the rules, a place in `Facts::classes`.
    pub class: Option<usize>,
}

/// One cluster that holds images.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its number.
    pub number: u32,
    /// Its images, the nearest to the centroid first: places in `images`.
    pub members: Vec<usize>,
    /// Different subjects among them; 0 where nothing says which they are.
    pub subjects: usize,
    /// Images of each class of `Facts::classes`.
    pub by_class: Vec<u32>,
    /// SeriesDescriptions, the most frequent first, with their images.
    pub headers: Vec<(String, usize)>,
    /// Mean distance to the centroid.
    pub distance: f64,
    /// Places in `members` of the nearest, of some drawn from all, and of the farthest.
    pub strips: [Vec<usize>; 3],
}

/// What a reader should look at.
#[derive(Debug, Default)]
pub struct Act {
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

impl Cluster {
    /// Its most frequent class and that one's share of the images that have a class.
    #[must_use]
    pub fn majority(&self) -> Option<(usize, f64)> {
        let total: u32 = self.by_class.iter().sum();
        // Of equals `max_by_key` takes the last; the first is wanted.
        let (class, &most) = self.by_class.iter().enumerate().rev().max_by_key(|&(_, &count)| count)?;
        (total > 0).then(|| (class, f64::from(most) / f64::from(total)))
    }
}

impl Facts {
    /// Reads the tables of a job.
    ///
    /// # Errors
    /// When a table is absent or damaged, or they are of different data sets.
    pub fn read(job: &Report) -> Result<Self, Error> {
        let inputs = &job.inputs;
        let manifest: Manifest = read_table(&inputs.dataset.join(MANIFEST))?;
        let count = manifest.image_id.len();
        // Ids are dense, in the manifest's order.
        let path = inputs.dataset.join(LABELS);
        let labels: Labels = if path.exists() { read_table(&path)? } else { Labels::default() };
        let mut classes = labels.label.clone();
        classes.sort_unstable();
        classes.dedup();
        let place = |label: &String| classes.partition_point(|class| class < label);
        let class_of: HashMap<u32, usize> =
            labels.image_id.iter().map(|id| id.0).zip(labels.label.iter().map(place)).collect();
        let mut headers: Vec<Option<String>> = vec![None; count];
        let path = inputs.dataset.join(SOURCES);
        if path.exists() {
            let table: Sources = read_table(&path)?;
            for (id, header) in table.image_id.into_iter().zip(table.series_description) {
                if let Some(slot) = id.and_then(|id| headers.get_mut(id as usize)) {
                    *slot = header;
                }
            }
        }
        let assignments: Assignments = read_folder(&inputs.assignments)?;
        let table: Clusters = read_folder(&inputs.clusters)?;
        let map: Option<Map> = inputs.map.as_deref().map(read_folder).transpose()?;
        let one = |folder: &std::path::PathBuf| read_folder::<Metrics>(folder);
        let epochs = inputs.metrics.iter().map(|folder| Ok((epoch_of(folder).unwrap_or_default(), one(folder)?)));
        let epochs = epochs.collect::<Result<Vec<_>, Error>>()?;
        let raw = inputs.raw.as_ref().map(one).transpose()?;
        let encoder = inputs.encoder.as_ref().map(one).transpose()?;

        let rows = assignments.image_id.iter().zip(&assignments.cluster).zip(&assignments.distance);
        let images: Vec<Image> = rows
            .map(|((id, cluster), &distance)| Image {
                row: id.0 as usize,
                cluster: cluster.0,
                distance,
                class: class_of.get(&id.0).copied(),
            })
            .collect();
        if let Some(image) = images.iter().find(|image| image.row >= count) {
            return Err(Error::OtherImages { path: inputs.assignments.clone(), image: image.row as u32 });
        }
        let clusters = clusters(&images, &manifest, &headers, classes.len());
        let names = inputs.names.as_deref().map(read_folder::<Names>).transpose()?.map_or_else(BTreeMap::new, names);
        let metrics = inputs.category_metrics.as_deref().map(read_folder::<CategoryMetrics>).transpose()?;
        let metrics = metrics.filter(|metrics| !metrics.images.is_empty());
        let categories = inputs.categories.as_deref().map(read_folder::<Categories>).transpose()?;
        let categories = categories.and_then(|table| Named::of(&table, metrics, &images));
        let act = Act::new(&images, &clusters, &manifest, &headers);
        let places = map.map(|map| {
            let places = map.x.into_iter().zip(map.y).map(|(x, y)| [x, y]);
            map.image_id.into_iter().map(|id| id.0).zip(places).collect()
        });
        Ok(Self {
            manifest,
            places,
            images,
            clusters,
            asked: table.cluster.len(),
            epochs,
            raw,
            encoder,
            classes,
            act,
            names,
            categories,
        })
    }

    /// The figures of what is shown.
    #[must_use]
    pub fn last(&self) -> Option<&Metrics> {
        self.epochs.last().map(|(_, metrics)| metrics)
    }
}

/// The names of clusters that count.
fn names(table: Names) -> BTreeMap<u32, String> {
    let rows = table.cluster.into_iter().zip(table.category).zip(table.flag);
    rows.filter_map(|((cluster, name), flag)| cluster.filter(|_| flag.is_none()).map(|cluster| (cluster, name)))
        .collect()
}

impl Named {
    /// None where the categories are of another result than `images`.
    fn of(table: &Categories, metrics: Option<CategoryMetrics>, images: &[Image]) -> Option<Self> {
        let own: HashMap<u32, u32> = images.iter().map(|image| (image.row as u32, image.cluster)).collect();
        let same = table.image_id.iter().zip(&table.cluster).all(|(id, cluster)| own.get(&id.0) == Some(&cluster.0));
        if !same || own.len() != table.image_id.len() {
            return None;
        }
        let mut rows: BTreeMap<&str, Category> = BTreeMap::new();
        for ((name, &confidence), &abstain) in table.category.iter().zip(&table.confidence).zip(&table.abstain) {
            let row = rows.entry(name).or_insert_with(|| Category {
                name: name.clone(),
                images: 0,
                confidence: 0.0,
                abstained: 0,
            });
            row.images += 1;
            row.confidence += f64::from(confidence);
            row.abstained += usize::from(abstain);
        }
        let mut rows: Vec<Category> = rows.into_values().collect();
        rows.sort_by(|a, b| b.images.cmp(&a.images).then_with(|| a.name.cmp(&b.name)));
        Some(Self { rows, metrics: metrics.filter(|metrics| !metrics.images.is_empty()) })
    }
}

fn clusters(images: &[Image], manifest: &Manifest, headers: &[Option<String>], classes: usize) -> Vec<Cluster> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    images.iter().enumerate().for_each(|(place, image)| members.entry(image.cluster).or_default().push(place));
    let length = (STRIPS * STRIP / members.len().max(1)).clamp(1, STRIP);
    let mut clusters: Vec<Cluster> = members
        .into_iter()
        .map(|(number, mut members)| {
            members.sort_by(|&a, &b| {
                images[a].distance.total_cmp(&images[b].distance).then(images[a].row.cmp(&images[b].row))
            });
            let mut subjects: Vec<&String> =
                members.iter().filter_map(|&place| manifest.subject[images[place].row].as_ref()).collect();
            subjects.sort_unstable();
            subjects.dedup();
            let mut by_class = vec![0; classes];
            let mut of_header: HashMap<&str, usize> = HashMap::new();
            for &place in &members {
                let row = images[place].row;
                if let Some(class) = images[place].class {
                    by_class[class] += 1;
                }
                if let Some(header) = &headers[row] {
                    *of_header.entry(header).or_default() += 1;
                }
            }
            let mut of_header: Vec<(String, usize)> =
                of_header.into_iter().map(|(header, count)| (header.to_owned(), count)).collect();
            of_header.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            let distance = members.iter().map(|&place| f64::from(images[place].distance)).sum::<f64>();
            let shown = length.min(members.len());
            let strips = [
                (0..shown).collect(),
                some_of(members.len(), shown),
                (members.len() - shown..members.len()).rev().collect(),
            ];
            let (subjects, distance) = (subjects.len(), distance / members.len() as f64);
            Cluster { number, members, subjects, by_class, headers: of_header, distance, strips }
        })
        .collect();
    clusters.sort_by_key(|cluster| (std::cmp::Reverse(cluster.members.len()), cluster.number));
    clusters
}

impl Act {
    fn new(images: &[Image], clusters: &[Cluster], manifest: &Manifest, headers: &[Option<String>]) -> Self {
        let mut act = Self::default();
        for cluster in clusters {
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

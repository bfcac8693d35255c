//! What the page says: everything that is computed from the tables, before a word of it is written.

mod act;
mod moves;
mod named;

use std::collections::{BTreeMap, HashMap};

use deepmcat_schemas::jobs::Report;
use deepmcat_schemas::layout::{LABELS, MANIFEST, SOURCES, epoch_of};
use deepmcat_schemas::{
    Assignments, Clusters, Contradictions, Epoch, Labels, Manifest, Map, Metrics, Names, Sources, read_folder,
    read_table,
};
use deepmcat_stage::random::some_of;

use crate::Error;

pub use act::{Act, Stranger, Wrong};
pub use moves::Moves;
pub use named::{Certificate, Measured, Named};

/// Images of a strip at most.
const STRIP: usize = 10;
/// Clusters whose strips are as long as that; of more, strips are shorter, so that the page stays small.
const STRIPS: usize = 110;

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
    /// How images moved between clusters; none where no two epochs compare.
    pub moves: Option<Moves>,
    /// What a reader should look at.
    pub act: Act,
    /// Names that people gave to clusters.
    pub names: BTreeMap<u32, String>,
    /// What follows from them.
    pub categories: Option<Named>,
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
        let categories = Named::read(inputs, &images)?;
        let moves = Moves::read(&inputs.history, &job.networks, count)?;
        let contradictions = inputs.contradictions.as_deref().map(read_folder::<Contradictions>).transpose()?;
        let act = Act::new(&images, &clusters, &manifest, &headers, contradictions.as_ref());
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
            moves,
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

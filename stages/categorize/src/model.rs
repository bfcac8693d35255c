//! What a result's categories leave for images of other archives: the named points, images to compare with, and what was
//! said of each image of the result.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use deepmcat_features::Features;
use deepmcat_schemas::{
    Cells, Classifier, ClusterShares, Known, Manifest, PART_0, Points as PointsTable, References, Stamp, Table,
    read_folder, write_table,
};

use crate::Error;
use crate::clusters::Shares;
use crate::images::Images;
use crate::novelty::Novelty;
use crate::points::Points;
use crate::told::Told;

/// The method that has a tau.
pub(crate) const KERNEL: &str = "kernel";

/// What a model is made of.
pub(crate) struct Frozen<'a> {
    pub(crate) told: &'a Told<'a>,
    pub(crate) features: &'a Features<'a>,
    pub(crate) images: &'a Images,
    pub(crate) novelty: &'a Novelty,
    /// What the images of each cluster are told as on average, each by itself; empty where that is of no use.
    pub(crate) shares: &'a Shares,
}

impl Frozen<'_> {
    /// Writes the tables of the model; `decision` is the newest of the names.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(crate) fn write(&self, folder: &Path, manifest: &Manifest, decision: u64, stamp: &Stamp) -> Result<(), Error> {
        let Self { told, features, images, novelty, shares } = self;
        let (c, d) = (told.points.categories.len(), features.dimensions());
        let of_row = |row: usize| told.shares[row * c..(row + 1) * c].to_vec();
        let classifier = Classifier {
            method: vec![told.how.method.clone()],
            tau: vec![told.how.tau],
            series_power: vec![told.power],
            threshold: vec![told.sure],
            novelty: vec![told.novel],
            decision: vec![decision],
            answers: vec![told.how.answers],
        };
        let points = PointsTable {
            category: told.points.classes.iter().map(|&class| told.points.categories[class as usize].clone()).collect(),
            weight: told.points.weights.clone(),
            value: told.points.values.chunks_exact(d.max(1)).map(<[f32]>::to_vec).collect(),
        };
        let value = |&row: &usize| {
            let mut value = vec![0.0; d];
            features.read(row, &mut value);
            value
        };
        let references = References {
            cluster: novelty.some.iter().map(|&row| images.clusters[row]).collect(),
            fifth: novelty.fifths.iter().map(|&fifth| Some(fifth).filter(|fifth| fifth.is_finite())).collect(),
            unlike: novelty.unlike.iter().map(|&unlike| Some(unlike).filter(|unlike| unlike.is_finite())).collect(),
            shares: novelty.some.iter().map(|&row| of_row(row)).collect(),
            value: novelty.some.iter().map(value).collect(),
        };
        let of_clusters = ClusterShares {
            cluster: shares.keys().copied().collect(),
            shares: shares.values().map(|shares| shares.iter().map(|&share| share as f32).collect()).collect(),
        };
        let rows = 0..images.ids.len();
        let named =
            |row: usize| told.points.named.get(&row).map(|&class| told.points.categories[class as usize].clone());
        let known = Known {
            key: images.places.iter().map(|&place| manifest.key[place].clone()).collect(),
            pixels: images.places.iter().map(|&place| manifest.pixels[place].clone()).collect(),
            cluster: images.clusters.clone(),
            named: rows.clone().map(named).collect(),
            novelty: told.novelty.to_vec(),
            shares: rows.map(of_row).collect(),
        };
        write(folder, &points, stamp)?;
        write(folder, &references, stamp)?;
        write(folder, &of_clusters, stamp)?;
        write(folder, &known, stamp)?;
        // The last: a model without it is none.
        write(folder, &classifier, stamp)
    }
}

fn write<T: Table>(folder: &Path, table: &T, stamp: &Stamp) -> Result<(), Error> {
    Ok(write_table(&folder.join(T::NAME).join(PART_0), table, stamp)?)
}

/// A model as it is read.
pub(crate) struct Model {
    pub(crate) method: String,
    pub(crate) tau: Option<f64>,
    pub(crate) power: f64,
    pub(crate) sure: f64,
    pub(crate) novel: f64,
    pub(crate) answers: u32,
    pub(crate) points: Points,
    pub(crate) references: References,
    pub(crate) shares: Shares,
    /// Cells of the result's map; none where the run made none.
    pub(crate) cells: Option<Cells>,
    /// The images that it knows.
    pub(crate) known: Known,
    by_key: HashMap<String, usize>,
    by_pixels: HashMap<String, usize>,
}

impl Model {
    /// Reads a model.
    ///
    /// # Errors
    /// When a table is absent, damaged, or not of the others.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(Classifier::NAME);
        if !path.exists() {
            return Err(Error::NoModel { path: folder.to_owned() });
        }
        let classifier: Classifier = read_folder(&path)?;
        let points: PointsTable = read_folder(&folder.join(PointsTable::NAME))?;
        let references: References = read_folder(&folder.join(References::NAME))?;
        let shares: ClusterShares = read_folder(&folder.join(ClusterShares::NAME))?;
        let known: Known = read_folder(&folder.join(Known::NAME))?;
        let cells = folder.join(Cells::NAME);
        let damaged = |what: &'static str| Error::BadModel { path: folder.to_owned(), what };
        let categories: BTreeSet<&String> = points.category.iter().collect();
        let (c, d) = (categories.len(), points.value.first().map_or(0, Vec::len));
        let wide = |rows: &[Vec<f32>], width: usize| rows.iter().all(|row| row.len() == width);
        if classifier.method.len() != 1 || c == 0 || references.value.is_empty() {
            return Err(damaged("a table is empty"));
        }
        if !wide(&points.value, d) || !wide(&references.value, d) {
            return Err(damaged("features are not all of one width"));
        }
        if ![&references.shares, &shares.shares, &known.shares].into_iter().all(|rows| wide(rows, c)) {
            return Err(damaged("probabilities are not all of the same categories"));
        }
        if (classifier.method[0] == KERNEL) != classifier.tau[0].is_some() {
            return Err(damaged("its kernel has no tau"));
        }
        let categories: Vec<String> = categories.into_iter().cloned().collect();
        let place = |category: &String| categories.binary_search(category).unwrap_or_default() as u32;
        // An image that is there twice is what it was the first time.
        let first = |names: &[String]| {
            let mut first = HashMap::new();
            names.iter().zip(0..).for_each(|(name, row)| _ = first.entry(name.clone()).or_insert(row));
            first
        };
        Ok(Self {
            method: classifier.method[0].clone(),
            tau: classifier.tau[0],
            power: classifier.series_power[0],
            sure: classifier.threshold[0],
            novel: classifier.novelty[0],
            answers: classifier.answers[0],
            points: Points {
                classes: points.category.iter().map(place).collect(),
                categories,
                values: points.value.concat(),
                weights: points.weight,
                ..Points::default()
            },
            references,
            shares: shares
                .cluster
                .into_iter()
                .zip(shares.shares.iter().map(|row| row.iter().map(|&share| f64::from(share)).collect()))
                .collect(),
            cells: if cells.exists() { Some(read_folder(&cells)?) } else { None },
            by_key: first(&known.key),
            by_pixels: first(&known.pixels),
            known,
        })
    }

    /// The width of its features.
    pub(crate) fn dimensions(&self) -> usize {
        self.references.value.first().map_or(0, Vec::len)
    }

    /// What the result said of an image with these pixels, as a row of the images that it knows; of several that of the same
    /// key.
    pub(crate) fn find(&self, key: &str, pixels: &str) -> Option<usize> {
        let same = |&row: &usize| self.known.pixels[row] == pixels;
        self.by_key.get(key).copied().filter(same).or_else(|| self.by_pixels.get(pixels).copied())
    }
}

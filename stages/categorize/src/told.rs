//! From probabilities to tables: categories of images and series, what labels say of them, and what is printed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use deepmcat_schemas::{
    Categories, CategoryMetrics, Labels, PART_0, Reliability, SeriesCategories, Stamp, write_table,
};

use crate::images::{DataSet, Images};
use crate::points::Points;
use crate::report::{self, Figures};
use crate::{Error, How, Measured, people, series};

/// What images are told as.
pub(crate) struct Told<'a> {
    /// What it was made from: the categories, and the images that were named themselves.
    pub(crate) points: &'a Points,
    /// Probabilities `[n * c]`.
    pub(crate) shares: &'a [f32],
    /// p-values of novelty `[n]`.
    pub(crate) novelty: &'a [f32],
    /// Power of the mean probabilities of a series.
    pub(crate) power: f64,
    /// Confidence below which a person should look.
    pub(crate) sure: f64,
    /// p-value of novelty below which a person should look.
    pub(crate) novel: f64,
    /// How it was done.
    pub(crate) how: How,
}

/// The folders of the tables.
pub(crate) struct Tables<'a> {
    pub(crate) categories: &'a PathBuf,
    pub(crate) series: &'a PathBuf,
    /// Of metrics, classes, risk and reliability.
    pub(crate) figures: [&'a PathBuf; 4],
}

impl Told<'_> {
    /// Writes the tables, prints the figures, and says what was done.
    ///
    /// # Errors
    /// When something cannot be written.
    pub(crate) fn finish(
        &self,
        images: &Images,
        dataset: &DataSet,
        tables: &Tables<'_>,
        stamp: &Stamp,
        csv: Option<&Path>,
        (json, seed): (bool, u64),
    ) -> Result<(), Error> {
        let (categories, classes) = self.categories(images);
        let novel: Vec<bool> = self.novelty.iter().map(|&value| f64::from(value) < self.novel).collect();
        let told = (self.points.categories.as_slice(), self.shares);
        let sources = dataset.sources.as_ref();
        let series = series::series(images, told, &classes, &novel, self.power, self.sure, sources);
        let figures = self.measured(&dataset.labels, images, (&categories, &series), seed);
        write(tables, &categories, &series, figures.as_ref(), stamp)?;
        if let Some(file) = csv {
            people::write_series(file, &series, (images, dataset))?;
            tracing::info!("{} names patients: keep it where the archive is kept", file.display());
        }
        let figures = figures.as_ref().map(|(figures, _)| figures);
        let said = if json {
            serde_json::to_string_pretty(&report::json(&self.how, &categories, &series, figures)).unwrap_or_default()
        } else {
            report::text(&categories, &series, figures)
        };
        deepmcat_stage::print(&said).map_err(Error::Print)?;
        let n = categories.abstain.len();
        let sure = categories.abstain.iter().filter(|&&abstain| !abstain).count() as f64 / n.max(1) as f64;
        tracing::info!(
            "{} categories by {} from {} answers; {:.1} % of the images have a confidence of {} or more (deepmcat audit says how often these are wrong)",
            self.points.categories.len(),
            self.how.method,
            self.how.answers,
            100.0 * sure,
            self.sure
        );
        Ok(())
    }

    /// The table of images, and each one's category as a place.
    fn categories(&self, images: &Images) -> (Categories, Vec<u32>) {
        let Self { points, shares, novelty, .. } = self;
        let c = points.categories.len();
        let (mut table, mut classes) = (Categories::default(), Vec::new());
        for (row, shares) in shares.chunks_exact(c).enumerate() {
            let likely = |other: Option<usize>| {
                let value = |(class, &share): (usize, &f32)| if Some(class) == other { -1.0 } else { f64::from(share) };
                series::first_of_most(shares.iter().enumerate().map(value))
            };
            let first = likely(None);
            let named = points.named.get(&row).map(|&class| class as usize);
            let class = named.unwrap_or(first);
            let second = (c > 1).then(|| likely(Some(class)));
            let confidence = if named.is_some() { 1.0 } else { shares[class] };
            let unsure = f64::from(confidence) < self.sure || f64::from(novelty[row]) < self.novel;
            table.image_id.push(images.ids[row]);
            table.category.push(points.categories[class].clone());
            table.confidence.push(confidence);
            table.second.push(second.map(|second| points.categories[second].clone()));
            table.novelty.push(novelty[row]);
            table.abstain.push(named.is_none() && unsure);
            table.named.push(named.is_some());
            table.cluster.push(images.clusters[row]);
            classes.push(class as u32);
        }
        (table, classes)
    }

    /// Figures by the labels that named nothing; none without any.
    fn measured(
        &self,
        labels: &Labels,
        images: &Images,
        (categories, series): (&Categories, &SeriesCategories),
        seed: u64,
    ) -> Option<(Figures, Measured)> {
        let Self { points, shares, .. } = self;
        let unknown = labels.image_id.iter().filter(|image| !images.rows.contains_key(&image.0)).count();
        if unknown > 0 {
            tracing::warn!("{unknown} labels are of images that the result does not have; they are ignored");
        }
        let own: HashMap<&str, usize> = labels
            .image_id
            .iter()
            .zip(&labels.label)
            .filter_map(|(image, label)| Some((label.as_str(), *images.rows.get(&image.0)?)))
            .collect();
        if !own.is_empty() && !points.categories.iter().any(|category| own.contains_key(category.as_str())) {
            tracing::warn!("no category has the name of a label: nothing is measured");
            return None;
        }
        let names: BTreeSet<&str> = points.categories.iter().map(String::as_str).chain(own.into_keys()).collect();
        let places: BTreeMap<&str, u32> = names.iter().copied().zip(0..).collect();
        let mut measured =
            Measured { classes: names.iter().map(|&name| name.to_owned()).collect(), ..Measured::default() };
        let c = points.categories.len();
        let of_category: Vec<u32> = points.categories.iter().map(|category| places[category.as_str()]).collect();
        let (mut sure, mut wrong) = (0_u32, 0_u32);
        let mut of_series: HashMap<u32, Option<&str>> = HashMap::new();
        for (image, label) in labels.image_id.iter().zip(&labels.label) {
            let Some(&row) = images.rows.get(&image.0) else { continue };
            // Who named these knew what they are.
            if points.named.contains_key(&row) {
                of_series.insert(images.series[row], None);
                continue;
            }
            if points.seen.contains(&row) {
                continue;
            }
            let shares = &shares[row * c..(row + 1) * c];
            let shares = shares.iter().map(|&share| f64::from(share)).zip(of_category.iter().copied());
            let told = &categories.category[row];
            measured.push(places[label.as_str()], places[told.as_str()], f64::from(categories.confidence[row]), shares);
            measured.groups.push(images.groups[row]);
            if !categories.abstain[row] {
                sure += 1;
                wrong += u32::from(told != label);
            }
            let one = of_series.entry(images.series[row]).or_insert(Some(label));
            *one = one.filter(|one| *one == label);
        }
        if measured.is_empty() {
            return None;
        }
        let by_name: HashMap<&str, &String> = series.series.iter().map(String::as_str).zip(&series.category).collect();
        let judged: Vec<bool> = of_series
            .into_iter()
            .filter_map(|(place, label)| {
                let category = by_name.get(images.series_names[place as usize].as_str())?;
                Some(category.as_str() == label?)
            })
            .collect();
        let (accuracy, recall, classes) = measured.by_class(seed);
        let n = measured.len();
        let present: HashSet<_> = measured.truth.iter().collect();
        let metrics = CategoryMetrics {
            images: vec![n as u32],
            classes: vec![present.len() as u32],
            accuracy: vec![measured.accuracy()],
            accuracy_low: vec![accuracy[0]],
            accuracy_high: vec![accuracy[1]],
            macro_recall: vec![measured.macro_recall()],
            macro_recall_low: vec![recall[0]],
            macro_recall_high: vec![recall[1]],
            ece: vec![measured.ece()],
            brier: vec![measured.brier()],
            aurc: vec![measured.aurc()],
            coverage_at_2: vec![measured.coverage_at(0.02)],
            error_at_90: vec![measured.risk_at(0.9)],
            coverage: vec![f64::from(sure) / n as f64],
            error: vec![(sure > 0).then(|| f64::from(wrong) / f64::from(sure))],
            series: vec![judged.len() as u32],
            series_accuracy: vec![
                (!judged.is_empty())
                    .then(|| judged.iter().filter(|&&right| right).count() as f64 / judged.len() as f64),
            ],
        };
        let risk = measured.risk_coverage();
        Some((Figures { metrics, classes, risk }, measured))
    }
}

/// Writes all tables; those of figures have no rows where nothing was measured.
fn write(
    tables: &Tables<'_>,
    categories: &Categories,
    series: &SeriesCategories,
    figures: Option<&(Figures, Measured)>,
    stamp: &Stamp,
) -> Result<(), Error> {
    write_table(&tables.categories.join(PART_0), categories, stamp)?;
    write_table(&tables.series.join(PART_0), series, stamp)?;
    let [of_metrics, of_classes, of_risk, of_reliability] = tables.figures.map(|folder| folder.join(PART_0));
    let none = (Figures::default(), Measured::default());
    let (Figures { metrics, classes, risk }, measured) = figures.unwrap_or(&none);
    let reliability = if measured.is_empty() { Reliability::default() } else { measured.reliability() };
    write_table(&of_metrics, metrics, stamp)?;
    write_table(&of_classes, classes, stamp)?;
    write_table(&of_risk, risk, stamp)?;
    write_table(&of_reliability, &reliability, stamp)?;
    Ok(())
}

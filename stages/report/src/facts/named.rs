//! The categories of a result: what names came to, how right that is, and whether an audit says so.

use std::collections::{BTreeMap, HashMap};

use deepmcat_schemas::jobs::report::Inputs;
use deepmcat_schemas::{
    Audit, Categories, CategoryMetrics, ClassMetrics, Classifier, Reliability, RiskCoverage, read_folder,
};

use super::Image;
use crate::Error;

/// Images that wait for a person and are shown.
const SHOWN: usize = 20;

/// The categories of a result.
#[derive(Debug)]
pub struct Named {
    /// The categories, the largest first.
    pub rows: Vec<Category>,
    /// Images that wait for a person, the least sure first: rows of the manifest.
    pub waiting: Vec<usize>,
    /// Their figures, where labels measure them.
    pub measured: Option<Measured>,
    /// What an audit says of them.
    pub certificate: Certificate,
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

/// Figures of categories that labels measure.
#[derive(Debug)]
pub struct Measured {
    /// Over all images.
    pub metrics: CategoryMetrics,
    /// Of each class.
    pub classes: ClassMetrics,
    /// What is wrong above each confidence.
    pub curve: RiskCoverage,
    /// How right each confidence is.
    pub reliability: Reliability,
}

/// What an audit says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Certificate {
    /// There was none.
    None,
    /// It was of other categories.
    Old,
    /// Not even the strictest threshold holds.
    Failed {
        /// Error that was to be certified.
        target: f64,
    },
    /// The loosest threshold that holds.
    Holds {
        /// The confidence.
        threshold: f64,
        /// Error that is certified.
        target: f64,
        /// Probability that it holds.
        level: f64,
        /// Share of all images.
        coverage: f64,
        /// Answers above the threshold, and wrong ones among them.
        answers: [u32; 2],
    },
}

impl Named {
    /// None where there are no categories, or those of another result than `images`.
    ///
    /// # Errors
    /// When a table is damaged.
    pub(super) fn read(inputs: &Inputs, images: &[Image]) -> Result<Option<Self>, Error> {
        let Some(table) = inputs.categories.as_deref().map(read_folder::<Categories>).transpose()? else {
            return Ok(None);
        };
        let own: HashMap<u32, u32> = images.iter().map(|image| (image.row as u32, image.cluster)).collect();
        let same = table.image_id.iter().zip(&table.cluster).all(|(id, cluster)| own.get(&id.0) == Some(&cluster.0));
        if !same || own.len() != table.image_id.len() {
            return Ok(None);
        }
        let audit = inputs.audit.as_deref().map(read_folder::<Audit>).transpose()?;
        let classifier = inputs.classifier.as_deref().map(read_folder::<Classifier>).transpose()?;
        let certificate = audit.map_or(Certificate::None, |audit| Certificate::of(&audit, &table, classifier.as_ref()));
        Ok(Some(Self { rows: rows(&table), waiting: waiting(&table), measured: Measured::read(inputs)?, certificate }))
    }
}

fn rows(table: &Categories) -> Vec<Category> {
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
    rows
}

fn waiting(table: &Categories) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..table.abstain.len()).filter(|&row| table.abstain[row]).collect();
    rows.sort_by(|&a, &b| table.confidence[a].total_cmp(&table.confidence[b]).then(a.cmp(&b)));
    rows.into_iter().take(SHOWN).map(|row| table.image_id[row].0 as usize).collect()
}

impl Measured {
    /// None where nothing measures the categories.
    fn read(inputs: &Inputs) -> Result<Option<Self>, Error> {
        let metrics = inputs.category_metrics.as_deref().map(read_folder::<CategoryMetrics>).transpose()?;
        let Some(metrics) = metrics.filter(|metrics| !metrics.images.is_empty()) else { return Ok(None) };
        Ok(Some(Self {
            metrics,
            classes: inputs.class_metrics.as_deref().map(read_folder).transpose()?.unwrap_or_default(),
            curve: inputs.risk_coverage.as_deref().map(read_folder).transpose()?.unwrap_or_default(),
            reliability: inputs.reliability.as_deref().map(read_folder).transpose()?.unwrap_or_default(),
        }))
    }
}

impl Certificate {
    fn of(audit: &Audit, table: &Categories, classifier: Option<&Classifier>) -> Self {
        let Some(&target) = audit.target.first() else { return Self::None };
        let novel = classifier.and_then(|classifier| classifier.novelty.first()).copied().unwrap_or_default();
        // Categories are those that were audited where each threshold covers as many of them.
        let coverage = |threshold: f64| {
            let is_covered = |row: &usize| {
                table.named[*row]
                    || f64::from(table.novelty[*row]) >= novel && f64::from(table.confidence[*row]) >= threshold
            };
            (0..table.named.len()).filter(is_covered).count() as f64 / table.named.len().max(1) as f64
        };
        let differs = |(&threshold, &covered): (&f64, &f64)| (coverage(threshold) - covered).abs() > 1e-9;
        if audit.threshold.iter().zip(&audit.coverage).any(differs) {
            return Self::Old;
        }
        match audit.certified.iter().rposition(|&certified| certified) {
            None => Self::Failed { target },
            Some(row) => Self::Holds {
                threshold: audit.threshold[row],
                target,
                level: audit.level[row],
                coverage: audit.coverage[row],
                answers: [audit.answered[row], audit.wrong[row]],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_of_the_categories_that_were_audited() {
        let table = Categories {
            novelty: vec![0.5, 0.5, 0.001, 0.5],
            confidence: vec![0.99, 0.8, 0.99, 0.1],
            named: vec![false, false, false, true],
            ..Categories::default()
        };
        let audit = Audit {
            threshold: vec![0.95, 0.7],
            coverage: vec![0.5, 0.75],
            certified: vec![true, false],
            target: vec![0.02; 2],
            level: vec![0.95; 2],
            answered: vec![150, 300],
            wrong: vec![0, 9],
            ..Audit::default()
        };
        let classifier = Classifier { novelty: vec![0.01], ..Classifier::default() };
        let of = |audit: &Audit, table: &Categories| Certificate::of(audit, table, Some(&classifier));
        let holds = Certificate::Holds { threshold: 0.95, target: 0.02, level: 0.95, coverage: 0.5, answers: [150, 0] };
        assert_eq!(of(&audit, &table), holds);
        let failed = Audit { certified: vec![false; 2], ..audit.clone() };
        assert_eq!(of(&failed, &table), Certificate::Failed { target: 0.02 });
        assert_eq!(of(&Audit::default(), &table), Certificate::None);
        let other = Categories { named: vec![false; 4], ..table };
        assert_eq!(of(&audit, &other), Certificate::Old);
    }
}

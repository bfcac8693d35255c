//! What a person reads: how many images have which category, and how right that is.

use deepmcat_schemas::{Categories, CategoryMetrics, ClassMetrics, RiskCoverage, SeriesCategories, Table};
use serde_json::{Value, json};

use crate::How;

/// The figures that labels give.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) metrics: CategoryMetrics,
    pub(crate) classes: ClassMetrics,
    pub(crate) risk: RiskCoverage,
}

/// All of it as one JSON object; `metrics`, `classes` and `risk_coverage` are null without labels.
pub(crate) fn json(how: &How, categories: &Categories, series: &SeriesCategories, figures: Option<&Figures>) -> Value {
    let rows = |table: &dyn Fn(usize) -> Value, len: usize| (0..len).map(table).collect::<Vec<_>>();
    let abstained = categories.abstain.iter().filter(|&&abstain| abstain).count();
    json!({
        "method": how.method,
        "parameter": how.tau,
        "answers": how.answers,
        "audited": false,
        "images": categories.image_id.len(),
        "abstained": abstained,
        "series": series.series.len(),
        "metrics": figures.map(|figures| figures.metrics.json(0)),
        "classes": figures.map(|figures| {
            rows(&|row| Value::Object(figures.classes.json(row)), figures.classes.class.len())
        }),
        "risk_coverage": figures.map(|figures| {
            rows(&|row| Value::Object(figures.risk.json(row)), figures.risk.risk.len())
        }),
    })
}

/// The same as text: a line a category, then the figures.
pub(crate) fn text(categories: &Categories, series: &SeriesCategories, figures: Option<&Figures>) -> String {
    let Some(Figures { metrics, classes, .. }) = figures else { return counts(categories, series) };
    let mut lines = vec![["class", "images", "category", "precision", "95 %", "recall", "95 %"].map(str::to_owned)];
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let between = |low: Option<f64>, high: Option<f64>| match (low, high) {
        (Some(low), Some(high)) => format!("{low:.3} to {high:.3}"),
        _ => "-".to_owned(),
    };
    for row in 0..classes.class.len() {
        lines.push([
            classes.class[row].clone(),
            classes.images[row].to_string(),
            classes.predicted[row].to_string(),
            figure(classes.precision[row]),
            between(classes.precision_low[row], classes.precision_high[row]),
            figure(classes.recall[row]),
            between(classes.recall_low[row], classes.recall_high[row]),
        ]);
    }
    let mut said = aligned(&lines);
    let m = metrics;
    said += &format!(
        "\n\n{} images with a label that named nothing\naccuracy {:.4} ({:.4} to {:.4}), macro recall {:.4} ({:.4} to {:.4})\n\
         ECE {:.4} (n = {}), Brier {:.4}, AURC {:.4}, coverage at 2 % error {:.3}, error at 90 % coverage {:.4}\n\
         not abstained {:.3}, error among these {}",
        m.images[0],
        m.accuracy[0],
        m.accuracy_low[0],
        m.accuracy_high[0],
        m.macro_recall[0],
        m.macro_recall_low[0],
        m.macro_recall_high[0],
        m.ece[0],
        m.images[0],
        m.brier[0],
        m.aurc[0],
        m.coverage_at_2[0],
        m.error_at_90[0],
        m.coverage[0],
        m.error[0].map_or_else(|| "-".to_owned(), |error| format!("{error:.4}")),
    );
    if let Some(accuracy) = m.series_accuracy[0] {
        said += &format!("\nseries: accuracy {accuracy:.4} (n = {})", m.series[0]);
    }
    said
}

/// Images and series of each category, and how many of them a person should look at.
fn counts(categories: &Categories, series: &SeriesCategories) -> String {
    let names: std::collections::BTreeSet<&String> = categories.category.iter().collect();
    let count = |all: &[String], abstain: &[bool], name: &str| {
        let of = || all.iter().zip(abstain).filter(|(category, _)| *category == name);
        [of().count(), of().filter(|(_, abstain)| **abstain).count()]
    };
    let mut lines = vec![["category", "images", "to look at", "series", "to look at"].map(str::to_owned)];
    for name in names {
        let [images, unsure] = count(&categories.category, &categories.abstain, name);
        let [of_series, unsure_series] = count(&series.category, &series.abstain, name);
        let [images, unsure, of_series, unsure_series] =
            [images, unsure, of_series, unsure_series].map(|count| count.to_string());
        lines.push([name.clone(), images, unsure, of_series, unsure_series]);
    }
    aligned(&lines)
}

/// Columns as wide as they need be; the first to the left, the others to the right.
fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let cell = |(column, text): (usize, &String)| {
        let width = widths[column];
        if column == 0 { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let line = |line: &[String; N]| line.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

//! What the labels say of the clusters, and the curves over the epochs.

use deepmcat_schemas::jobs::Report;
use maud::{Markup, html};

use super::plot::{Curve, numbers, plot};
use super::{count, figure};
use crate::facts::Facts;

/// Share of a class's images that lie in clusters of that class from which it counts as found.
const FOUND: f64 = 0.5;

pub(super) fn classes(facts: &Facts) -> Markup {
    if facts.classes.is_empty() {
        return html! { h2 { "Clusters by class" }
        p { "There are no labels. Class rules (setting ingest.rules) give images a class by their headers or folders, to measure by." } };
    }
    let total = |class: usize| facts.clusters.iter().map(|cluster| u64::from(cluster.by_class[class])).sum::<u64>();
    let kept = |class: usize| -> u64 {
        let own = facts.clusters.iter().filter(|cluster| cluster.majority().is_some_and(|(most, _)| most == class));
        own.map(|cluster| u64::from(cluster.by_class[class])).sum()
    };
    let recall = |class: usize| kept(class) as f64 / total(class).max(1) as f64;
    let found = (0..facts.classes.len()).filter(|&class| recall(class) >= FOUND).count();
    html! {
        h2 { (found) " of " (count(facts.classes.len(), "class has", "classes have")) " clusters of their own" }
        p { "Images of each class in each cluster. The last line is the share of a class that lies in clusters where it is the most frequent." }
        div.wide { table.classes {
            thead { tr { th scope="col" { "cluster" } @for class in &facts.classes { th scope="col" { (class) } } } }
            tbody { @for cluster in &facts.clusters {
                @let size: u32 = cluster.by_class.iter().sum();
                tr { th scope="row" { a href={ "#c" (cluster.number) } { (cluster.number) } }
                    @for &images in &cluster.by_class {
                        @if images == 0 { td {} }
                        @else { td style={ "--share:" (format!("{:.2}", f64::from(images) / f64::from(size))) } { (images) } }
                    }
                }
            } }
            tfoot { tr { th scope="row" { "kept" } @for class in 0..facts.classes.len() { td { (figure(recall(class))) } } } }
        } }
    }
}

pub(super) fn curves(job: &Report, facts: &Facts) -> Markup {
    let last = facts.last().and_then(|last| last.purity.first().copied().flatten());
    let start = facts.epochs.first().and_then(|(_, metrics)| metrics.purity.first().copied().flatten());
    let lines: [Curve<'_>; 3] = [
        ("purity", |metrics| &metrics.purity),
        ("balanced purity", |metrics| &metrics.balanced_purity),
        ("NMI", |metrics| &metrics.nmi_labels),
    ];
    let (Some(start), Some(last)) = (start, last) else {
        return html! { h2 { "Quality by epoch" } p { "There are no labels to measure by. How much clusters still move is under History." } };
    };
    let raw = facts.raw.as_ref().and_then(|raw| raw.purity.first().copied().flatten());
    html! {
        h2 {
            @if facts.epochs.len() > 1 { "Purity went from " (figure(start)) " to " (figure(last)) }
            @else { "Purity is " (figure(last)) }
            @if let Some(raw) = raw { "; raw pixels have " (figure(raw)) }
        }
        p { "For evaluation only: labels reach neither training nor clustering."
            @if facts.epochs.len() > 1 { " Epochs are of augmented images; the last point is the result, of clean ones." } }
        (plot(job, facts, "Quality by the labels", &lines, raw))
        (numbers(facts, &lines))
    }
}

//! The head: what was clustered, how good it is, and what is wrong with it.

use deepmcat_schemas::Metrics;
use deepmcat_schemas::jobs::Report;
use maud::{Markup, html};

use super::{count, figure, figure_or_dash, grouped, percent};
use crate::facts::Facts;

/// Share of the images in one cluster that is told.
const LARGE: f64 = 0.25;
/// Share of the images that changed cluster at the last epoch that is told.
const MOVING: f64 = 0.1;
/// Fall of NMI with the labels below its best that is told.
const FELL: f64 = 0.02;

pub(super) fn head(job: &Report, facts: &Facts) -> Markup {
    let images = count(facts.images.len(), "image", "images");
    let clusters = count(facts.clusters.len(), "cluster", "clusters");
    let subjects: std::collections::HashSet<&String> = facts.manifest.subject.iter().flatten().collect();
    let warnings = warnings(job, facts);
    html! {
        h1 { (images) " in " (clusters) }
        p.verdict { (verdict(facts)) }
        @if facts.images.len() < facts.manifest.image_id.len() {
            p { "The run is under way, or learns from a part of the archive: epoch " (job.epoch) " has "
                (grouped(facts.images.len())) " of " (grouped(facts.manifest.image_id.len())) " images." }
        }
        dl.facts {
            div { dt { "Subjects" } dd { @if subjects.is_empty() { "not known" } @else { (grouped(subjects.len())) } } }
            div { dt { "Clusters" } dd { (facts.clusters.len()) " of " (facts.asked) } }
            div { dt { "Largest cluster" } dd { (facts.last().map_or_else(String::new, |last| percent(last.largest_share.first().copied().unwrap_or_default()))) } }
        }
        @if let Some(last) = facts.last() { (beside(facts, last)) }
        div.warnings role="note" {
            @if warnings.is_empty() { p { "No warnings." } }
            @else { ul { @for (link, text) in warnings { li { a href={ "#" (link) } { (text) } } } } }
        }
    }
}

fn first(values: &[Option<f64>]) -> Option<f64> {
    values.first().copied().flatten()
}

/// One sentence.
fn verdict(facts: &Facts) -> String {
    let Some(purity) = facts.last().and_then(|last| first(&last.purity)) else {
        return "There are no labels, so how good the clusters are is for you to see: look at their images below."
            .to_owned();
    };
    let beside = |name: &str, metrics: &Option<Metrics>| {
        let purity = first(&metrics.as_ref()?.purity)?;
        Some(format!("{} {name}", figure(purity)))
    };
    let others: Vec<String> =
        [beside("on raw pixels", &facts.raw), beside("on the frozen encoder's features", &facts.encoder)]
            .into_iter()
            .flatten()
            .collect();
    let others =
        if others.is_empty() { String::new() } else { format!(", where plain k-means has {}", others.join(" and ")) };
    let wrong = 1.0 - purity;
    format!(
        "By the labels that there are, {} of the images are in a cluster of their own class (purity {}{others}); {} are not.",
        percent(purity),
        figure(purity),
        percent(wrong)
    )
}

/// The result and what stands beside it, at the same number of clusters.
fn beside(facts: &Facts, last: &Metrics) -> Markup {
    if first(&last.purity).is_none() {
        return html! {};
    }
    let rows =
        [("this result", Some(last)), ("frozen encoder", facts.encoder.as_ref()), ("raw pixels", facts.raw.as_ref())];
    html! {
        div.wide { table {
            caption { "The result beside plain k-means on what takes no learning, at the same number of clusters" }
            thead { tr { th scope="col" { "features" } th scope="col" { "purity" } th scope="col" { "balanced" } th scope="col" { "NMI" } th scope="col" { "ARI" } } }
            tbody {
                @for (name, metrics) in rows { @if let Some(metrics) = metrics {
                    tr { th scope="row" { (name) }
                        @for value in [&metrics.purity, &metrics.balanced_purity, &metrics.nmi_labels, &metrics.ari] {
                            td { (figure_or_dash(first(value))) }
                        }
                    }
                } }
            }
        } }
    }
}

fn warnings(job: &Report, facts: &Facts) -> Vec<(&'static str, String)> {
    let mut warnings = Vec::new();
    let last = facts.last();
    if let Some(share) = last.and_then(|last| last.largest_share.first()).filter(|&&share| share > LARGE) {
        warnings.push(("clusters", format!("One cluster holds {} of the images.", percent(*share))));
    }
    let empty = facts.asked.saturating_sub(facts.clusters.len());
    if empty > 0 {
        warnings.push(("clusters", format!("{} hold no image.", count(empty, "cluster", "clusters"))));
    }
    // The pass after the last epoch is made otherwise: what moved is told by the epoch before.
    let learned = facts.epochs.iter().rev().find(|(epoch, _)| *epoch < job.epoch);
    if let Some(share) = learned.and_then(|(_, metrics)| first(&metrics.changed_share)).filter(|&share| share > MOVING)
    {
        warnings.push((
            "history",
            format!("Clusters still move: {} of the images changed theirs at the last epoch.", percent(share)),
        ));
    }
    let best = facts.epochs.iter().filter_map(|(_, metrics)| first(&metrics.nmi_labels)).fold(0.0, f64::max);
    if let Some(now) = last.and_then(|last| first(&last.nmi_labels)).filter(|&now| now < best - FELL) {
        warnings.push(("curves", format!("NMI with the labels is {} and was {}.", figure(now), figure(best))));
    }
    let act = &facts.act;
    if act.shared > 0 {
        warnings.push((
            "look",
            format!("{} the pixels of another subject's image.", count(act.shared, "image has", "images have")),
        ));
    }
    if act.burned_in > 0 {
        warnings
            .push(("look", format!("{} hold text in the pixels.", count(act.burned_in, "image may", "images may"))));
    }
    if act.stranger_count > 0 {
        let series = count(act.stranger_count, "series lies", "series lie");
        warnings.push(("look", format!("{series} among images of another description.")));
    }
    warnings
}

//! What the labels say of the clusters, and the curves over the epochs.

use deepmcat_schemas::jobs::Report;
use deepmcat_schemas::{Epoch, Metrics};
use maud::{Markup, html};

use super::{count, figure, figure_or_dash, percent};
use crate::facts::Facts;

/// Share of a class's images that lie in clusters of that class from which it counts as found.
const FOUND: f64 = 0.5;
/// Width and height of a curve's picture, in its own unit.
const SIZE: [f64; 2] = [640.0, 240.0];

/// A curve: its name, its values, and a line of comparison.
type Curve<'a> = (&'a str, fn(&Metrics) -> &Vec<Option<f64>>);

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
        p { "For evaluation only: labels reach neither training nor clustering. Epochs are of augmented images; the last point is the result, of clean ones." }
        (plot(job, facts, "Quality by the labels", &lines, raw))
        (numbers(facts, &lines))
    }
}

pub(super) fn history(job: &Report, facts: &Facts) -> Markup {
    let lines: [Curve<'_>; 2] = [
        ("NMI with the epoch before", |metrics| &metrics.nmi_previous),
        ("share of images that changed cluster", |metrics| &metrics.changed_share),
    ];
    let changed = facts
        .epochs
        .iter()
        .rev()
        .filter(|(epoch, _)| *epoch < job.epoch)
        .find_map(|(_, metrics)| metrics.changed_share.first().copied().flatten());
    let Some(changed) = changed else {
        return html! { h2 { "History" } p { "There is one clustering only, so nothing moved." } };
    };
    html! {
        h2 { "At the last epoch " (percent(changed)) " of the images changed cluster" }
        p { "Numbers are aligned from epoch to epoch, so that a number means the same. A network begins anew where its curve does." }
        (plot(job, facts, "How much clusters move", &lines, None))
        (numbers(facts, &lines))
        p { code { "deepmcat history RUN" } " tells the path of every image." }
    }
}

/// Curves over the epochs, from 0 to 1, anew for each network; `beside` is a level to compare with.
fn plot(job: &Report, facts: &Facts, title: &str, lines: &[Curve<'_>], beside: Option<f64>) -> Markup {
    let [width, height] = SIZE;
    let most = f64::from(job.epoch.0.max(1));
    let x = |epoch: Epoch| 40.0 + f64::from(epoch.0) / most * (width - 60.0);
    let y = |value: f64| height - 25.0 - value.clamp(0.0, 1.0) * (height - 40.0);
    let part = |epoch: Epoch| job.networks.iter().filter(|&&first| first <= epoch).count();
    let parts = |values: fn(&Metrics) -> &Vec<Option<f64>>| {
        let mut parts: Vec<(usize, Vec<(f64, f64)>)> = Vec::new();
        for (epoch, metrics) in &facts.epochs {
            let Some(value) = values(metrics).first().copied().flatten() else { continue };
            // The result is of all networks.
            let part = if *epoch == job.epoch { usize::MAX } else { part(*epoch) };
            let point = (x(*epoch), y(value));
            match parts.last_mut().filter(|(last, _)| *last == part) {
                Some((_, points)) => points.push(point),
                None => parts.push((part, vec![point])),
            }
        }
        parts
    };
    html! { figure.plot {
        svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label={ (title) ": " (lines.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")) } {
            @for level in [0.0, 0.25, 0.5, 0.75, 1.0] {
                line.grid x1="40" x2=(width - 20.0) y1=(y(level)) y2=(y(level)) {}
                text x="34" y=(y(level) + 4.0) text-anchor="end" { (format!("{level:.2}")) }
            }
            text x=(width / 2.0) y=(height - 4.0) text-anchor="middle" { "epoch, 0 to " (job.epoch) }
            @if let Some(level) = beside {
                line.beside x1="40" x2=(width - 20.0) y1=(y(level)) y2=(y(level)) {}
                text.beside x=(width - 22.0) y=(y(level) - 4.0) text-anchor="end" { "raw pixels" }
            }
            @for (place, (_, values)) in lines.iter().enumerate() {
                @for (_, points) in parts(*values) {
                    @if let [(x, y)] = points[..] { circle class={ "dot" (place) } cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="4" {} }
                    @else { polyline class={ "line" (place) } points=(points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")) {} }
                }
            }
        }
        figcaption { @for (place, (name, _)) in lines.iter().enumerate() { span class={ "key key" (place) } { (name) } } }
    } }
}

fn numbers(facts: &Facts, lines: &[Curve<'_>]) -> Markup {
    html! { details { summary { "Numbers" }
        div.wide { table {
            thead { tr { th scope="col" { "epoch" } @for (name, _) in lines { th scope="col" { (name) } } } }
            tbody { @for (epoch, metrics) in &facts.epochs { tr { th scope="row" { (epoch) }
                @for (_, values) in lines { td { (figure_or_dash(values(metrics).first().copied().flatten())) } } } } }
        } }
    } }
}

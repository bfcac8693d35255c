//! The categories that names came to: how many, how sure, how right by the labels and by an audit.

use deepmcat_schemas::jobs::Report;
use maud::{Markup, html};

use super::plot::{Axis, curve};
use super::{count, figure, figure_or_dash, grouped, percent, strips};
use crate::Error;
use crate::facts::{Certificate, Facts, Measured};

/// Points of a drawn curve.
const POINTS: usize = 200;

pub(super) fn section(job: &Report, facts: &Facts) -> Result<Markup, Error> {
    let clusters = facts.clusters.len();
    let named = facts.clusters.iter().filter(|cluster| facts.names.contains_key(&cluster.number)).count();
    let Some(categories) = &facts.categories else {
        return Ok(html! {
            h2 { "Categories: " (named) " of " (count(clusters, "cluster has", "clusters have")) " a name" }
            @if named == 0 {
                p { code { "deepmcat names RUN ask > todo.csv" } " lists what to name; fill in the column, then " code { "deepmcat names RUN import todo.csv" }
                    " and " code { "deepmcat categorize RUN" } " make a category of every image." }
            } @else { p { code { "deepmcat categorize RUN" } " makes a category of every image from these names." } }
        });
    };
    let images: usize = categories.rows.iter().map(|row| row.images).sum();
    let waiting: usize = categories.rows.iter().map(|row| row.abstained).sum();
    let share = |part: usize, of: usize| percent(part as f64 / of.max(1) as f64);
    Ok(html! {
        h2 { (count(categories.rows.len(), "category", "categories")) "; " (share(waiting, images)) " of the images wait for a person" }
        p { (named) " of " (count(clusters, "cluster has", "clusters have")) " a name. " (certificate(categories.certificate)) }
        div.wide { table.sortable {
            thead { tr { th.text scope="col" { "category" } th scope="col" { "images" } th scope="col" { "share" } th scope="col" { "mean confidence" } th scope="col" { "to look at" } } }
            tbody { @for row in &categories.rows { tr {
                th scope="row" { (row.name) } td { (grouped(row.images)) } td { (share(row.images, images)) }
                td { (figure(row.confidence / row.images as f64)) } td { (grouped(row.abstained)) }
            } } }
        } }
        @if !categories.waiting.is_empty() {
            h3 { "The least sure of those that wait" }
            (strips(job, facts, &categories.waiting, "images whose category is unsure")?)
        }
        @match &categories.measured {
            Some(measured) => (by_labels(measured))
            None => p { "No label measures these categories: an audit does (" code { "deepmcat audit RUN draw" } ")." }
        }
    })
}

fn certificate(certificate: Certificate) -> Markup {
    match certificate {
        Certificate::None => {
            html! { "Confidences are not audited: " code { "deepmcat audit RUN plan" } " says how many answers that takes." }
        }
        Certificate::Old => {
            html! { "The audit is of other categories than these: " code { "deepmcat audit RUN draw" } " draws a new sample." }
        }
        Certificate::Failed { target } => html! {
            strong { "Not certified: " } "the audit does not show that at most " (percent(target)) " of the surest images are wrong."
        },
        Certificate::Holds { threshold, target, level, coverage, answers: [answers, wrong] } => html! {
            strong { "Certified: " } "of the images with a confidence of " (figure(threshold)) " or more, " (percent(coverage))
            " of all, at most " (percent(target)) " are wrong, at a level of " (percent(level)) " (" (count(answers as usize, "answer", "answers"))
            ", " (wrong) " wrong)."
        },
    }
}

/// How right the categories are, by labels that named none of them.
fn by_labels(measured: &Measured) -> Markup {
    let Measured { metrics, classes, curve: risks, reliability } = measured;
    let step = risks.coverage.len().div_ceil(POINTS).max(1);
    let risk: Vec<(f64, f64)> = risks.coverage.iter().copied().zip(risks.risk.iter().copied()).step_by(step).collect();
    let bins = reliability.confidence.iter().zip(&reliability.accuracy);
    let bins: Vec<(f64, f64)> =
        bins.filter_map(|(confidence, accuracy)| Some(((*confidence)?, (*accuracy)?))).collect();
    let interval = |value: Option<f64>, low: Option<f64>, high: Option<f64>| match (value, low, high) {
        (Some(value), Some(low), Some(high)) => format!("{} ({} to {})", figure(value), figure(low), figure(high)),
        (value, ..) => figure_or_dash(value),
    };
    html! {
        h3 { "Accuracy is " (figure(metrics.accuracy[0])) " by the labels of " (count(metrics.images[0] as usize, "image", "images")) " that named nothing" }
        p { "95 % interval " (figure(metrics.accuracy_low[0])) " to " (figure(metrics.accuracy_high[0])) "; macro recall " (figure(metrics.macro_recall[0]))
            "; error among the surest 90 % " (figure(metrics.error_at_90[0])) "; " (percent(metrics.coverage_at_2[0])) " of the images can be kept at an error of 2 %." }
        div.plots {
            (curve("Error among the surest images", [Axis { name: "share of the images, the surest first", most: 1.0 },
                Axis { name: "share wrong", most: risk.iter().map(|point| point.1).fold(0.02, f64::max) }], &risk, false))
            (curve("Accuracy by confidence", [Axis { name: "confidence", most: 1.0 }, Axis { name: "share right", most: 1.0 }], &bins, true))
        }
        details { summary { "Accuracy by confidence, in numbers; calibration error " (figure(metrics.ece[0])) ", Brier score " (figure(metrics.brier[0])) }
            div.wide { table {
                thead { tr { th scope="col" { "confidence" } th scope="col" { "images" } th scope="col" { "mean confidence" } th scope="col" { "share right" } } }
                tbody { @for bin in 0..reliability.low.len() { tr {
                    th scope="row" { (format!("{:.2} to {:.2}", reliability.low[bin], reliability.high[bin])) } td { (grouped(reliability.images[bin] as usize)) }
                    td { (figure_or_dash(reliability.confidence[bin])) } td { (figure_or_dash(reliability.accuracy[bin])) }
                } } }
            } }
        }
        details { summary { "Precision and recall of each class, with 95 % intervals" }
            div.wide { table.sortable {
                thead { tr { th.text scope="col" { "class" } th scope="col" { "labelled" } th scope="col" { "categorized" } th scope="col" { "precision" } th scope="col" { "recall" } } }
                tbody { @for row in 0..classes.class.len() { tr {
                    th scope="row" { (classes.class[row]) } td { (grouped(classes.images[row] as usize)) } td { (grouped(classes.predicted[row] as usize)) }
                    td { (interval(classes.precision[row], classes.precision_low[row], classes.precision_high[row])) }
                    td { (interval(classes.recall[row], classes.recall_low[row], classes.recall_high[row])) }
                } } }
            } }
        }
    }
}

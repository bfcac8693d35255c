//! How images moved between clusters while the networks learned.

use deepmcat_schemas::jobs::Report;
use maud::{Markup, html};

use super::plot::{Curve, numbers, plot};
use super::{SMALL, count, grouped, percent};
use crate::Error;
use crate::facts::{Facts, Moves};
use crate::pictures::strip;

pub(super) fn section(job: &Report, facts: &Facts) -> Result<Markup, Error> {
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
        return Ok(html! { h2 { "History" } p { "There is one clustering only, so nothing moved." } });
    };
    Ok(html! {
        h2 { "At the last epoch " (percent(changed)) " of the images changed cluster" }
        p { "Numbers are aligned from epoch to epoch, so that a number means the same. A new line is a new network." }
        (plot(job, facts, "How much clusters move", &lines, None))
        (numbers(facts, &lines))
        @if let Some(moves) = &facts.moves { (restless(job, facts, moves)?) }
        p { code { "deepmcat history RUN" } " gives the path of every image." }
    })
}

/// Which clusters changed images, and which images would not settle.
fn restless(job: &Report, facts: &Facts, moves: &Moves) -> Result<Markup, Error> {
    let [before, last] = moves.between;
    let most = moves.restless.first().map_or(0, |one| one.flips);
    let picture = |row: usize| strip(&job.inputs.dataset, facts, &[row]);
    let pictures = moves.restless.iter().map(|one| picture(one.row)).collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        h3 { (count(moves.moved, "image", "images")) " changed cluster at least once" @if most > 1 { ", one " (most) " times" } }
        @if !moves.restless.is_empty() {
            details open { summary { "The " (moves.restless.len()) " that changed most" }
                p { "A path lists the clusters of an image in order; ×3 is a stay of three epochs, and | stands before a new network." }
                div.wide { table.sortable {
                    thead { tr { th scope="col" { "image" } th scope="col" { "id" } th scope="col" { "changes" } th scope="col" { "of" } th.text scope="col" { "path" } } }
                    tbody { @for (one, picture) in moves.restless.iter().zip(&pictures) { tr {
                        td { img loading="lazy" src=(picture) height=(SMALL) width=(SMALL) alt={ "Image " (one.row) }; }
                        th scope="row" { (one.row) } td { (one.flips) } td { (one.compared) } td.text { (one.path) }
                    } } }
                } }
            }
        }
        @if !moves.flows.is_empty() {
            details { summary { "The largest moves from epoch " (before) " to " (last) }
                div.wide { table.sortable {
                    thead { tr { th scope="col" { "from cluster" } th scope="col" { "to cluster" } th scope="col" { "images" } } }
                    tbody { @for &(from, to, images) in &moves.flows { tr { th scope="row" { (from) } td { (to) } td { (grouped(images as usize)) } } } }
                } }
            }
        }
    })
}

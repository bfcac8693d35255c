//! The clusters: a table that sorts, and a card with images for each.

use maud::{Markup, html};

use super::{count, figure, figure_or_dash, grouped, percent};
use crate::facts::{Cluster, Facts};

/// Share of a cluster's images in one class from which it counts as of that class.
const PURE: f64 = 0.95;
/// Side of an image on the page, in pixels: less than it has, for screens of high density.
const SHOWN: usize = 48;
/// SeriesDescriptions of a card.
const HEADERS: usize = 3;

pub(super) fn section(facts: &Facts, strips: &[[String; 3]]) -> Markup {
    let pure =
        facts.clusters.iter().filter(|cluster| cluster.majority().is_some_and(|(_, share)| share >= PURE)).count();
    let labelled = !facts.classes.is_empty();
    html! {
        h2 {
            @if labelled { (pure) " of " (count(facts.clusters.len(), "cluster is", "clusters are")) " of one class" }
            @else { (count(facts.clusters.len(), "cluster", "clusters")) ", the largest first" }
        }
        details open {
            summary { "Table of clusters" }
            div.wide { table.sortable {
                thead { tr {
                    th scope="col" { "cluster" } th scope="col" { "images" } th scope="col" { "subjects" }
                    @if labelled { th.text scope="col" { "class" } th scope="col" { "share" } }
                    th scope="col" { "distance" } th.text scope="col" { "description" }
                } }
                tbody { @for cluster in &facts.clusters { (row(facts, cluster, labelled)) } }
            } }
        }
        div.cards { @for (cluster, strips) in facts.clusters.iter().zip(strips) { (card(facts, cluster, strips)) } }
    }
}

fn row(facts: &Facts, cluster: &Cluster, labelled: bool) -> Markup {
    let majority = cluster.majority();
    html! { tr {
        th scope="row" { a href={ "#c" (cluster.number) } { (cluster.number) } }
        td { (grouped(cluster.members.len())) }
        td { @if cluster.subjects > 0 { (grouped(cluster.subjects)) } @else { "–" } }
        @if labelled {
            td.text { @if let Some((class, _)) = majority { (facts.classes[class]) } @else { "–" } }
            td { (figure_or_dash(majority.map(|(_, share)| share))) }
        }
        td { (figure(cluster.distance)) }
        td.text { @if let Some((header, _)) = cluster.headers.first() { (header) } @else { "–" } }
    } }
}

fn card(facts: &Facts, cluster: &Cluster, strips: &[String; 3]) -> Markup {
    let images = cluster.members.len();
    let majority = cluster.majority();
    let names = ["nearest to the middle", "drawn at random", "farthest from the middle"];
    html! { article.card id={ "c" (cluster.number) } {
        h3 { "Cluster " (cluster.number)
            @if let Some(name) = facts.names.get(&cluster.number) { ", named " q { (name) } }
            @if let Some((class, share)) = majority { ": " (facts.classes[class]) " (" (percent(share)) ")" } }
        p { (count(images, "image", "images")) " (" (percent(images as f64 / facts.images.len() as f64)) ")"
            @if cluster.subjects > 0 { " of " (count(cluster.subjects, "subject", "subjects")) }
            @for (place, (header, of)) in cluster.headers.iter().take(HEADERS).enumerate() {
                @if place == 0 { "; in the header: " } @else { ", " }
                q { (header) } " (" (of) ")"
            }
        }
        @for ((strip, name), shown) in strips.iter().zip(names).zip(&cluster.strips) {
            // One strip says it all where the cluster has no more images.
            @if name == names[0] || shown.len() < images {
                figure.strip {
                    figcaption { (name) }
                    img loading="lazy" src=(strip) height=(SHOWN) width=(SHOWN * shown.len())
                        alt={ (shown.len()) " images of cluster " (cluster.number) ", " (name) };
                }
            }
        }
    } }
}

//! The map: a picture that prints, and the points for the script, which makes it a map to move in.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use maud::{Markup, html};

use super::{count, percent};
use crate::Error;
use crate::facts::Facts;
use crate::pictures::{COLOURS, points};

/// Clusters whose number stands on the printed map.
const NAMED: usize = 120;

pub(super) fn section(facts: &Facts) -> Result<Markup, Error> {
    let Some(places) = &facts.places else {
        return Ok(html! { h2 { "Map" } p { "The map is made at the end of the run." } });
    };
    let place = |row: usize| places.get(&(row as u32)).copied().unwrap_or_default();
    let shown: Vec<[u32; 2]> = facts.images.iter().map(|image| place(image.row)).collect();
    let by_class = !facts.classes.is_empty();
    let colours: Vec<usize> = facts
        .images
        .iter()
        .map(|image| if by_class { image.class.unwrap_or(COLOURS.len() - 1) } else { image.cluster as usize })
        .collect();
    let middles: Vec<(u32, [u32; 2])> = facts
        .clusters
        .iter()
        .map(|cluster| {
            let middle = |axis: usize| {
                let mut values: Vec<u32> = cluster.members.iter().map(|&member| shown[member][axis]).collect();
                values.sort_unstable();
                values[values.len() / 2]
            };
            (cluster.number, [middle(0), middle(1)])
        })
        .collect();
    let largest =
        facts.clusters.first().map_or(0.0, |cluster| cluster.members.len() as f64 / facts.images.len() as f64);
    let coloured = if by_class { "class" } else { "cluster" };
    let picture = points(&shown, &colours)?;
    let data = packed(facts, &shown)?;
    let percent_of = |value: u32| format!("{:.2}", f64::from(value) / 655.35);
    Ok(html! {
        h2 { "Map: " (count(facts.clusters.len(), "cluster", "clusters")) ", the largest with " (percent(largest)) " of the images" }
        p { "Each point is an image, coloured by its " (coloured) "; images that are alike lie together. Distances between far groups mean little. "
            "Each number is a cluster's and leads to its images." }
        figure.map {
            div.plane {
                img src=(picture) alt={ "Map of " (facts.images.len()) " images in " (facts.clusters.len()) " groups" };
                svg viewBox="0 0 100 100" aria-hidden="true" {
                    @for (number, [x, y]) in middles.iter().take(NAMED) {
                        a href={ "#c" (number) } tabindex="-1" { text x=(percent_of(*x)) y=(percent_of(65_535 - *y)) { (number) } }
                    }
                }
            }
            figcaption.script {}
            @if by_class {
                ul.legend { @for (class, name) in facts.classes.iter().enumerate() {
                    @let [r, g, b] = COLOURS[class % COLOURS.len()];
                    @let colour = format!("rgb({r},{g},{b})");
                    @let fill = if (class / COLOURS.len()).is_multiple_of(2) { colour.as_str() } else { "transparent" };
                    li { span.dot style={ "border-color:" (colour) ";background:" (fill) } {} (name) }
                } }
            }
        }
        script type="application/json" id="points" data-count=(shown.len()) data-clusters=(names(facts)) data-classes=(facts.classes.join("\u{1f}")) { (data) }
    })
}

fn names(facts: &Facts) -> String {
    let numbers: Vec<String> = facts.clusters.iter().map(|cluster| cluster.number.to_string()).collect();
    numbers.join(",")
}

/// x, y, the place of the cluster on the page and the class (from 1; 0: none) of every point, as little-endian u16 one
/// column after the other, deflated.
fn packed(facts: &Facts, shown: &[[u32; 2]]) -> Result<String, Error> {
    let order: std::collections::HashMap<u32, usize> =
        facts.clusters.iter().zip(0..).map(|(cluster, place)| (cluster.number, place)).collect();
    let columns = [
        shown.iter().map(|place| place[0] as usize).collect::<Vec<_>>(),
        shown.iter().map(|place| place[1] as usize).collect(),
        facts.images.iter().map(|image| order.get(&image.cluster).copied().unwrap_or_default()).collect(),
        facts.images.iter().map(|image| image.class.map_or(0, |class| class + 1)).collect(),
    ];
    let bytes: Vec<u8> =
        columns.iter().flatten().flat_map(|&value| u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes()).collect();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes)?;
    Ok(STANDARD.encode(encoder.finish()?))
}

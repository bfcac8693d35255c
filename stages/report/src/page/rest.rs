//! What a reader should look at, categories, and how the result was made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deepmcat_schemas::jobs::Report;
use deepmcat_stage::for_spreadsheets;
use maud::{Markup, html};

use super::{count, figure, grouped, percent};
use crate::Error;
use crate::facts::{Facts, Stranger};
use crate::pictures::{TILE, strip};

/// Images of a strip.
const ROW: usize = 10;

pub(super) fn look(job: &Report, facts: &Facts) -> Result<Markup, Error> {
    let act = &facts.act;
    let rows: Vec<usize> = act.outliers.iter().map(|&place| facts.images[place].row).collect();
    let strips = rows.chunks(ROW).map(|rows| strip(&job.inputs.dataset, facts, rows)).collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        h2 { "To look at" }
        h3 { @if act.stranger_count == 0 { "No series lies among images of another description" }
            @else { (count(act.stranger_count, "series lies", "series lie")) " among images of another description" } }
        @if act.strangers.is_empty() {
            p { "A series is listed where nearly all images of its cluster have one SeriesDescription and it has another." }
        } @else {
            p { "The header says one thing and the images another, or the cluster mixes two: the first are the clearest. "
                a download="strangers.csv" href={ "data:text/csv;base64," (STANDARD.encode(csv(&act.strangers)?)) } { "As CSV" } }
            div.wide { table.sortable {
                thead { tr { th scope="col" { "series" } th scope="col" { "images" } th.text scope="col" { "its header" } th scope="col" { "cluster" } th.text scope="col" { "header of the others" } th scope="col" { "share" } } }
                tbody { @for stranger in &act.strangers { tr {
                    th scope="row" { code { (stranger.series) } } td { (stranger.images) } td.text { (stranger.header) }
                    td { a href={ "#c" (stranger.cluster) } { (stranger.cluster) } } td.text { (stranger.others) } td { (percent(stranger.share)) }
                } } }
            } }
        }
        h3 { "Images farthest from their cluster" }
        @for (place, (strip, rows)) in strips.iter().zip(rows.chunks(ROW)).enumerate() {
            figure.strip {
                img loading="lazy" src=(strip) height=(TILE) width=(TILE * rows.len()) alt={ "Outliers " (place * ROW + 1) " to " (place * ROW + rows.len()) };
                figcaption { "images " (rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
            }
        }
        h3 { "Oddities of the archive" }
        ul {
            li { (count(act.shared, "image has", "images have")) " the pixels of an image of another subject" }
            li { (count(act.burned_in, "image may", "images may")) " hold text in the pixels" }
            @for (flag, images) in &act.flags { li { (count(*images, "image is", "images are")) " marked " code { (flag) } } }
        }
        p { "Columns " code { "flags" } " and " code { "burned_in" } " of " code { "dataset/manifest.parquet" } " say which; " code { "dataset/rejects.parquet" } " lists what gave no image." }
    })
}

fn csv(strangers: &[Stranger]) -> Result<Vec<u8>, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::Io(error.into());
    writer.write_record(["series", "images", "header", "cluster", "header_of_others", "share"]).map_err(failed)?;
    for Stranger { series, header, cluster, images, others, share } in strangers {
        let [images, cluster, share] = [images.to_string(), cluster.to_string(), format!("{share:.3}")];
        let [header, others] = [header, others].map(|text| for_spreadsheets(text));
        let record = [series.as_str(), &images, &header, &cluster, &others, &share];
        writer.write_record(record).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| Error::Io(error.into_error()))
}

pub(super) fn categories(facts: &Facts) -> Markup {
    let clusters = facts.clusters.len();
    let named = facts.clusters.iter().filter(|cluster| facts.names.contains_key(&cluster.number)).count();
    let Some(categories) = &facts.categories else {
        return html! {
            h2 { "Categories: " (named) " of " (count(clusters, "cluster has", "clusters have")) " a name" }
            @if named == 0 {
                p { code { "deepmcat names RUN ask > todo.csv" } " lists what to name; fill in the column, then " code { "deepmcat names RUN import todo.csv" }
                    " and " code { "deepmcat categorize RUN" } " make a category of every image." }
            } @else { p { code { "deepmcat categorize RUN" } " makes a category of every image from these names." } }
        };
    };
    let images: usize = categories.rows.iter().map(|row| row.images).sum();
    let waiting: usize = categories.rows.iter().map(|row| row.abstained).sum();
    let share = |part: usize, of: usize| percent(part as f64 / of.max(1) as f64);
    html! {
        h2 { (count(categories.rows.len(), "category", "categories")) "; " (share(waiting, images)) " of the images wait for a person" }
        p { (named) " of " (count(clusters, "cluster has", "clusters have")) " a name. Confidences are not audited." }
        @if let Some(metrics) = &categories.metrics {
            p { "By the labels of " (count(metrics.images[0] as usize, "image", "images")) " that named nothing: accuracy " (figure(metrics.accuracy[0]))
                " (95 % interval " (figure(metrics.accuracy_low[0])) " to " (figure(metrics.accuracy_high[0])) "), macro recall " (figure(metrics.macro_recall[0]))
                ", calibration error " (figure(metrics.ece[0])) ", error among the surest 90 % " (figure(metrics.error_at_90[0])) "." }
        }
        div.wide { table.sortable {
            thead { tr { th.text scope="col" { "category" } th scope="col" { "images" } th scope="col" { "share" } th scope="col" { "mean confidence" } th scope="col" { "to look at" } } }
            tbody { @for row in &categories.rows { tr {
                th scope="row" { (row.name) } td { (grouped(row.images)) } td { (share(row.images, images)) }
                td { (figure(row.confidence / row.images as f64)) } td { (grouped(row.abstained)) }
            } } }
        } }
    }
}

pub(super) fn made(job: &Report) -> Markup {
    html! {
        h2 { "How it was made" }
        p { "Images are cut from the archive's files at the first time frame, made into features by networks that saw no label, and grouped by k-means on these features. "
            @if job.epoch.0 > 0 { "They learned the clusters, which were found anew, in " (count(job.epoch.0 as usize, "epoch", "epochs")) "." } }
        table { caption { "Settings" } tbody { @for (name, value) in &job.made { tr { th scope="row" { code { (name) } } td.text { (value) } } } } }
        p { code { "run.toml" } " has all settings, " code { "nodes/" } " what each program was told, and each table its stamp: program, version, hash of settings, seed." }
        p { "Do not use it for diagnosis or for decisions about a patient. Clusters follow how images look, and so the scanner, protocol and site as well as the anatomy; a name that people gave a cluster is not checked by it." }
    }
}

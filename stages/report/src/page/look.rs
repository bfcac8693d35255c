//! What a reader should look at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deepmcat_schemas::jobs::Report;
use deepmcat_stage::for_spreadsheets;
use maud::{Markup, html};

use super::{SMALL, count, figure, percent, strips};
use crate::Error;
use crate::facts::{Act, Facts, Stranger, Wrong};
use crate::pictures::strip;

/// Series of a list.
const LISTED: usize = 40;

pub(super) fn section(job: &Report, facts: &Facts) -> Result<Markup, Error> {
    let act = &facts.act;
    let rows: Vec<usize> = act.outliers.iter().map(|&place| facts.images[place].row).collect();
    Ok(html! {
        h2 { "To look at" }
        @match &act.wrong {
            Some(wrong) => (headers(job, facts, wrong)?)
            None => (strangers(act)?)
        }
        h3 { "Images farthest from their cluster" }
        (strips(job, facts, &rows, "images far from their cluster")?)
        h3 { "Oddities of the archive" }
        ul {
            li { (count(act.shared, "image has", "images have")) " the pixels of an image of another subject" }
            li { (count(act.burned_in, "image may", "images may")) " hold text in the pixels" }
            @for (flag, images) in &act.flags { li { (count(*images, "image is", "images are")) " marked " code { (flag) } } }
        }
        p { "Columns " code { "flags" } " and " code { "burned_in" } " of " code { "dataset/manifest.parquet" } " say which; " code { "dataset/rejects.parquet" } " lists what gave no image." }
    })
}

/// Series whose images look like those of another description.
fn headers(job: &Report, facts: &Facts, wrong: &[Wrong]) -> Result<Markup, Error> {
    let listed = &wrong[..wrong.len().min(LISTED)];
    let pictures =
        listed.iter().map(|one| strip(&job.inputs.dataset, facts, &one.shown)).collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        h3 { @if wrong.is_empty() { "No header contradicts its images" }
            @else { (count(wrong.len(), "series has a header that its images contradict", "series have headers that their images contradict")) } }
        @if !wrong.is_empty() {
            p { "Images that look like those of the series have another SeriesDescription. The surest come first"
                @if wrong.len() > listed.len() { "; the first " (listed.len()) " are shown" } ". "
                a download="headers.csv" href=(download(&header_rows(wrong))?) { "All as CSV" } }
            div.wide { table.sortable {
                thead { tr { th scope="col" { "series" } th.text scope="col" { "pictures" } th scope="col" { "images" } th.text scope="col" { "its header" } th.text scope="col" { "looks like" } th scope="col" { "confidence" } } }
                tbody { @for (one, strip) in listed.iter().zip(&pictures) { tr {
                    th scope="row" { code { (one.series) } }
                    td.text { img loading="lazy" src=(strip) height=(SMALL) width=(SMALL * one.shown.len()) alt={ (one.shown.len()) " images of a series called " (one.header) }; }
                    td { (one.images) } td.text { (one.header) } td.text { (one.expected) } td { (figure(f64::from(one.confidence))) }
                } } }
            } }
        }
    })
}

/// Series whose description is not that of their cluster.
fn strangers(act: &Act) -> Result<Markup, Error> {
    Ok(html! {
        h3 { @if act.stranger_count == 0 { "No series lies among images of another description" }
            @else { (count(act.stranger_count, "series lies", "series lie")) " among images of another description" } }
        @if act.strangers.is_empty() {
            p { "A series is listed where nearly all images of its cluster have one SeriesDescription and it has another." }
        } @else {
            p { "The header says one thing and the images another, or the cluster mixes two: the first are the clearest. " code { "deepmcat headers RUN" } " makes a surer list. "
                a download="strangers.csv" href=(download(&stranger_rows(&act.strangers))?) { "As CSV" } }
            div.wide { table.sortable {
                thead { tr { th scope="col" { "series" } th scope="col" { "images" } th.text scope="col" { "its header" } th scope="col" { "cluster" } th.text scope="col" { "header of the others" } th scope="col" { "share" } } }
                tbody { @for stranger in &act.strangers { tr {
                    th scope="row" { code { (stranger.series) } } td { (stranger.images) } td.text { (stranger.header) }
                    td { a href={ "#c" (stranger.cluster) } { (stranger.cluster) } } td.text { (stranger.others) } td { (percent(stranger.share)) }
                } } }
            } }
        }
    })
}

fn header_rows(wrong: &[Wrong]) -> Vec<Vec<String>> {
    let names = ["series", "images", "header", "looks_like", "confidence"].map(str::to_owned).to_vec();
    let row = |one: &Wrong| {
        let [header, expected] = [&one.header, &one.expected].map(|text| for_spreadsheets(text).into_owned());
        vec![one.series.clone(), one.images.to_string(), header, expected, format!("{:.3}", one.confidence)]
    };
    std::iter::once(names).chain(wrong.iter().map(row)).collect()
}

fn stranger_rows(strangers: &[Stranger]) -> Vec<Vec<String>> {
    let names = ["series", "images", "header", "cluster", "header_of_others", "share"].map(str::to_owned).to_vec();
    let row = |one: &Stranger| {
        let [header, others] = [&one.header, &one.others].map(|text| for_spreadsheets(text).into_owned());
        let [images, cluster, share] = [one.images.to_string(), one.cluster.to_string(), format!("{:.3}", one.share)];
        vec![one.series.clone(), images, header, cluster, others, share]
    };
    std::iter::once(names).chain(strangers.iter().map(row)).collect()
}

/// Rows as the address of a CSV.
fn download(rows: &[Vec<String>]) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.write_record(row)).map_err(|error| Error::Io(error.into()))?;
    let bytes = writer.into_inner().map_err(|error| Error::Io(error.into_error()))?;
    Ok(format!("data:text/csv;base64,{}", STANDARD.encode(bytes)))
}

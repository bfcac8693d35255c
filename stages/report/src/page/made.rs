//! How the result was made, and what it must not be used for.

use deepmcat_schemas::jobs::Report;
use maud::{Markup, html};

use super::count;

pub(super) fn section(job: &Report) -> Markup {
    html! {
        h2 { "How it was made" }
        p { "Images are cut from the archive's files at the first time frame, made into features by networks that saw no label, and grouped by k-means on these features. "
            @if job.epoch.0 > 0 { "They learned the clusters, which were found again in each of " (count(job.epoch.0 as usize, "epoch", "epochs")) "." } }
        table { caption { "Settings" } tbody { @for (name, value) in &job.made { tr { th scope="row" { code { (name) } } td.text { (value) } } } } }
        p { code { "run.toml" } " has all settings, " code { "nodes/" } " what each program was told, and each table its stamp: program, version, hash of settings, seed." }
        p { "Do not use it for diagnosis or for decisions about a patient. Clusters follow how images look, and so the scanner, protocol and site as well as the anatomy; a name that people gave a cluster is not checked by it." }
    }
}

//! The page: its head and the order of its sections, which is that of a reader's questions.

mod categories;
mod clusters;
mod figures;
mod history;
mod look;
mod made;
mod map;
mod plot;
mod verdict;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deepmcat_schemas::jobs::Report;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::facts::Facts;
use crate::pictures::{TILE, strip};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The whole page. `strips` has the three strips of each of `facts.clusters`.
///
/// # Errors
/// When a picture cannot be made.
pub fn page(job: &Report, facts: &Facts, strips: &[[String; 3]]) -> Result<String, Error> {
    // Only this script runs, and nothing is loaded from anywhere.
    let hash = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let policy = format!(
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    let sections: [(&str, &str, Markup); 8] = [
        ("map", "Map", map::section(facts)?),
        ("clusters", "Clusters", clusters::section(facts, strips)),
        ("classes", "Classes", figures::classes(facts)),
        ("curves", "Curves", figures::curves(job, facts)),
        ("history", "History", history::section(job, facts)?),
        ("look", "To look at", look::section(job, facts)?),
        ("categories", "Categories", categories::section(job, facts)?),
        ("made", "How it was made", made::section(job)),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "deepmcat report: " (facts.images.len()) " images" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (verdict::head(job, facts)) }
                nav aria-label="Sections" { ul { @for (id, title, _) in &sections { li { a href={ "#" (id) } { (title) } } } } }
                main { @for (id, _, body) in &sections { section id=(id) { (body) } } }
                footer { p { "Made by deepmcat " (env!("CARGO_PKG_VERSION")) ". For research: not a medical device." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

/// Images of a strip.
const ROW: usize = 10;
/// Side of an image in a table, in pixels.
const SMALL: usize = 40;

/// Strips of images with their numbers: `rows` of the manifest, which are all `what`.
fn strips(job: &Report, facts: &Facts, rows: &[usize], what: &str) -> Result<Markup, Error> {
    let parts = rows.chunks(ROW).map(|rows| Ok((rows, strip(&job.inputs.dataset, facts, rows)?)));
    let parts = parts.collect::<Result<Vec<_>, Error>>()?;
    Ok(html! { @for (rows, picture) in &parts {
        figure.strip {
            img loading="lazy" src=(picture) height=(TILE) width=(TILE * rows.len()) alt={ (rows.len()) " " (what) };
            figcaption { "images " (rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
        }
    } })
}

/// A share or a figure of quality, with three digits.
fn figure(value: f64) -> String {
    format!("{value:.3}")
}

/// A figure that may be absent.
fn figure_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), figure)
}

/// A share in percent.
fn percent(share: f64) -> String {
    match share * 100.0 {
        share if share > 0.0 && share < 0.05 => "under 0.1\u{a0}%".to_owned(),
        share if share < 100.0 && share > 99.9 => "over 99.9\u{a0}%".to_owned(),
        share => format!("{share:.1}\u{a0}%"),
    }
}

/// A count with its noun.
fn count(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A number with commas between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let groups =
        digits.as_bytes()[first..].chunks(3).map(|group| group.iter().map(|&digit| char::from(digit)).collect());
    let first = (first > 0).then(|| digits[..first].to_owned());
    first.into_iter().chain(groups).collect::<Vec<String>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 12, 999, 1000, 192_276, 1_000_000].map(grouped),
            ["0", "12", "999", "1,000", "192,276", "1,000,000"]
        );
        assert_eq!(
            [0.0, 0.0004, 0.031, 0.25, 1.0].map(percent),
            ["0.0\u{a0}%", "under 0.1\u{a0}%", "3.1\u{a0}%", "25.0\u{a0}%", "100.0\u{a0}%"]
        );
        assert_eq!((count(1, "image", "images"), figure_or_dash(None)), ("1 image".to_owned(), "–".to_owned()));
    }
}

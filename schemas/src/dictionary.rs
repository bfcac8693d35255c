//! The data dictionary: `docs/guide/tables.md`, made from the tables' own declarations.

use std::fmt::Write;
use std::path::Path;

use crate::catalog::{Entry, OF_DATASET, OF_MODEL, OF_REVIEW, OF_RUN, Place};
use crate::{features, pixels};

const HEAD: &str = "# Tables\n\nMade from the code by `cargo run -p deepmcat-schemas --example dictionary`; a test compares it with the code.\n\n\
Every table's footer (Parquet key-value metadata, Arrow schema metadata) holds `deepmcat.table`, \
`deepmcat.schema_version`, `deepmcat.stage`, `deepmcat.stage_version` (the version of the stage's results, raised when \
they change), `deepmcat.config_hash` (of the settings of its job) and `deepmcat.seed` (0 if it draws nothing). \
`epoch` is in the path (`epoch=7`), never in the file.\n";

/// The page as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    OF_DATASET.iter().for_each(|table| describe(&mut page, table));
    pixels_page(&mut page);
    features_page(&mut page);
    OF_RUN.iter().chain(&OF_MODEL).chain(&OF_REVIEW).for_each(|table| describe(&mut page, table));
    page
}

const COLUMNS: &str = "\n| column | type | null | meaning |\n|---|---|---|---|\n";

fn head(page: &mut String, name: &str, version: u32, path: &str, doc: &str) {
    // Writing to a String cannot fail.
    let _ = write!(page, "\n## {name} (v{version})\n`{path}`: {}\n{COLUMNS}", doc.trim());
}

fn describe(page: &mut String, table: &Entry) {
    let parts = match table.place {
        Place::Dataset(_) => "",
        Place::Epochs => "/epoch=T/part-0.parquet",
        Place::Parts | Place::Model => "/part-N.parquet",
        Place::Results => "/RESULT.parquet",
    };
    let path = table.path(Path::new("")).display().to_string() + parts;
    head(page, table.name, table.version, &path, table.doc);
    for column in (table.columns)() {
        let null = if column.nullable { "yes" } else { "" };
        let _ = writeln!(page, "| `{}` | {} | {null} | {} |", column.name, column.data_type, column.doc);
    }
}

fn pixels_page(page: &mut String) {
    head(page, pixels::NAME, pixels::VERSION, "pixels/part-0.arrow", pixels::DOC);
    page.push_str("| `image_id` | UInt32 |  | The image. |\n");
    page.push_str("| `pixels` | FixedSizeList(side * side x UInt8) |  | Grey levels, row by row. |\n");
}

fn features_page(page: &mut String) {
    head(page, features::NAME, features::VERSION, "features/epoch=T/part-0.arrow", features::DOC);
    page.push_str("| `image_id` | UInt32 |  | The image. |\n");
    page.push_str("| `features` | FixedSizeList(d x Float32 or Float16) |  | Unit vector of d values. |\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn the_page_in_docs_is_what_the_code_says() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/tables.md");
        let written = fs_err::read_to_string(page).unwrap();
        assert!(
            written == super::markdown(),
            "docs/guide/tables.md is out of date: cargo run -p deepmcat-schemas --example dictionary > docs/guide/tables.md"
        );
    }
}

//! The data dictionary: `docs/tables.md`, made from the tables' own declarations.

use std::fmt::Write;

use crate::table::Table;
use crate::{
    Assignments, Categories, CategoryMetrics, Cells, ClassMetrics, Clusters, Events, Inputs, Labels, Manifest, Map,
    Members, Metrics, Names, Rejects, Reliability, RiskCoverage, Samples, SeriesCategories, Sources, Training,
    features, pixels,
};

const HEAD: &str = "# Tables\n\nMade from the code by `cargo run -p deepmcat-schemas --example dictionary`; a test keeps it true.\n\n\
Every table's footer (Parquet key-value metadata, Arrow schema metadata) holds `deepmcat.table`, \
`deepmcat.schema_version`, `deepmcat.stage`, `deepmcat.stage_version` (the version of the stage's results, raised when \
they change), `deepmcat.config_hash` (of the settings of its job) and `deepmcat.seed` (0 where it draws nothing). \
`epoch` is in the path (`epoch=7`), never in the file.\n";

/// The page as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    describe::<Manifest>(&mut page, "dataset/manifest.parquet");
    describe::<Labels>(&mut page, "dataset/labels.parquet");
    describe::<Sources>(&mut page, "dataset/sources.parquet");
    describe::<Rejects>(&mut page, "dataset/rejects.parquet");
    describe::<Inputs>(&mut page, "dataset/inputs.parquet");
    pixels_page(&mut page);
    features_page(&mut page);
    describe::<Assignments>(&mut page, "assignments/epoch=T/part-0.parquet");
    describe::<Clusters>(&mut page, "clusters/epoch=T/part-0.parquet");
    describe::<Map>(&mut page, "map/part-0.parquet");
    describe::<Cells>(&mut page, "cells/part-0.parquet");
    describe::<Samples>(&mut page, "samples/epoch=T/part-0.parquet");
    describe::<Training>(&mut page, "training/epoch=T/part-0.parquet");
    describe::<Metrics>(&mut page, "metrics/epoch=T/part-0.parquet");
    describe::<Events>(&mut page, "events/part-N.parquet");
    describe::<Names>(&mut page, "names/part-0.parquet");
    describe::<Members>(&mut page, "review/members/RESULT.parquet");
    describe::<Categories>(&mut page, "categories/part-0.parquet");
    describe::<SeriesCategories>(&mut page, "series/part-0.parquet");
    describe::<CategoryMetrics>(&mut page, "category-metrics/part-0.parquet");
    describe::<ClassMetrics>(&mut page, "class-metrics/part-0.parquet");
    describe::<RiskCoverage>(&mut page, "risk-coverage/part-0.parquet");
    describe::<Reliability>(&mut page, "reliability/part-0.parquet");
    page
}

const COLUMNS: &str = "\n| column | type | null | meaning |\n|---|---|---|---|\n";

fn head(page: &mut String, name: &str, version: u32, path: &str, doc: &str) {
    // Writing to a String cannot fail.
    let _ = write!(page, "\n## {name} (v{version})\n`{path}`: {}\n{COLUMNS}", doc.trim());
}

fn describe<T: Table>(page: &mut String, path: &str) {
    head(page, T::NAME, T::VERSION, path, T::DOC);
    for column in T::columns() {
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
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tables.md");
        let written = fs_err::read_to_string(page).unwrap();
        assert!(
            written == super::markdown(),
            "docs/tables.md is out of date: cargo run -p deepmcat-schemas --example dictionary > docs/tables.md"
        );
    }
}

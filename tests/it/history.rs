//! The README's queries over the history of assignments, run for real with DuckDB and with polars.

use std::path::Path;

use crate::python::python;
use crate::world::World;

/// The code block of the README that follows a line with `marker`.
fn readme_block(marker: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs_err::read_to_string(readme).unwrap();
    let after = text.split_once(marker).unwrap_or_else(|| panic!("README.md has no `{marker}`")).1;
    let block = after.split_once("```").unwrap().1.split_once("```").unwrap().0;
    block.split_once('\n').unwrap().1.replace("runs/demo", "run")
}

#[test]
fn duckdb_and_polars_agree_on_the_ten_images_that_changed_most() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let sql = readme_block("<!-- query: duckdb -->");
    let duckdb = python(
        &world,
        "duckdb",
        &format!("import duckdb\nfor row in duckdb.sql('''{sql}''').fetchall(): print(row[0], row[-1])"),
    );
    let code = readme_block("<!-- query: polars -->");
    let polars = python(&world, "polars", &format!("{code}\nfor row in changed.rows(): print(row[0], row[-1])"));
    let (Some(duckdb), Some(polars)) = (duckdb, polars) else { return };
    assert_eq!(duckdb.lines().count(), 10, "{duckdb}");
    let polars_rows: Vec<&str> = polars.lines().rev().take(10).collect();
    let duckdb_rows: Vec<&str> = duckdb.lines().rev().take(10).collect();
    assert_eq!(polars_rows, duckdb_rows);
}

#[test]
fn tensorboard_reads_loss_and_metrics() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let code = "
import glob
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
for file in glob.glob('run/tensorboard/*'):
    for event in EventFileLoader(file).Load():
        for value in event.summary.value:
            print(value.tag, event.step, round(value.tensor.float_val[0], 4))
";
    let Some(lines) = python(&world, "tensorboard", code) else { return };
    let scalar = |name: &str| lines.lines().filter(|line| line.starts_with(&format!("{name} "))).count();
    let steps = deepmcat_schemas::read_folder::<deepmcat_schemas::Training>(&world.path("run/training/epoch=0"));
    assert_eq!(scalar("train/loss"), 2 * steps.unwrap().step.len());
    assert_eq!((scalar("clusters/purity"), scalar("raw_pixels/purity")), (3, 1));
    let status: serde_json::Value = serde_json::from_str(&world.deepmcat(&["status", "run", "--json"])).unwrap();
    let purity = status["metrics"][3]["purity"].as_f64().unwrap();
    assert!(lines.contains(&format!("clusters/purity 2 {}", (purity * 1e4).round() / 1e4)), "{lines}");
}

//! The README's queries over the history of assignments, run for real with DuckDB and with polars.

use std::path::Path;
use std::process::Command;

use crate::world::World;

/// The code block of the README that follows a line with `marker`.
fn readme_block(marker: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs_err::read_to_string(readme).unwrap();
    let after = text.split_once(marker).unwrap_or_else(|| panic!("README.md has no `{marker}`")).1;
    let block = after.split_once("```").unwrap().1.split_once("```").unwrap().0;
    block.split_once('\n').unwrap().1.replace("runs/demo", "run")
}

/// Runs Python code in the world's directory; `None`, with a line that says so, without the packages.
fn python(world: &World, package: &str, code: &str) -> Option<String> {
    let python = std::env::var("DEEPMCAT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let packages = std::env::var("DEEPMCAT_TEST_PYTHONPATH").unwrap_or_default();
    let command = |code: &str| {
        let mut command = Command::new(&python);
        command.args(["-c", code]).env("PYTHONPATH", &packages).current_dir(world.path(""));
        command
    };
    if !command(&format!("import {package}")).output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {package} for Python is not there (make test fetches it)");
        return None;
    }
    let output = command(code).output().unwrap();
    assert!(output.status.success(), "{}\n{code}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
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

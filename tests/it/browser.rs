//! The pages in a real browser, which `tests/browser/*.py` drive, and their own functions in Node.

use std::path::Path;
use std::process::Command;

use deepmcat_schemas::{Sources, Stamp, read_table, write_table};
use deepmcat_testing::{Need, skip};

use crate::world::{World, program};

/// Runs a script of `tests/browser`; false where there is no browser.
fn in_browser(script: &str, words: &[&Path]) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(script);
    let python = std::env::var("DEEPMCAT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python).arg(script).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if let Some(reason) = said.strip_prefix("skipped: browser: ") {
        skip(Need::Browser, reason.trim());
        return false;
    }
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn the_report_and_a_whole_review_work_in_a_browser() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run", "--set", "cluster.k=12"]);
    // Headers as nobody should write them.
    let path = world.path("run/dataset/sources.parquet");
    let sources: Sources = read_table(&path).unwrap();
    let long = "W".repeat(460);
    let hostile = format!("</script><script>alert(1)</script>\u{202e}\u{1f480}{long}");
    let series_description = sources.image_id.iter().map(|image| image.map(|_| hostile.clone())).collect();
    write_table(&path, &Sources { series_description, ..sources }, &Stamp::default()).unwrap();
    world.deepmcat(&["report", "run", "--out", "page.html"]);
    if !in_browser("report.py", &[&world.path("page.html")]) {
        return;
    }
    world.deepmcat(&["categorize", "run", "--from-labels", "--per-class", "2"]);
    world.deepmcat(&["audit", "run", "draw", "-n", "5", "--out", "audit.csv"]);
    assert!(in_browser("review.py", &[&world.path("run"), Path::new("--program"), &program("deepmcat-review")]));
}

#[test]
fn the_pages_own_functions_work() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stages/review/js-tests");
    let files = fs_err::read_dir(tests).unwrap().map(|entry| entry.unwrap().path());
    let Ok(output) = Command::new("node").arg("--test").args(files).output() else {
        return skip(Need::Node, "node is not installed");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

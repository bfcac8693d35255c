//! A model of a finished run, applied to other images; an audit of its categories; headers against pixels.

use std::collections::BTreeMap;
use std::path::Path;

use deepmcat_schemas::files::hash_file;
use deepmcat_schemas::{
    Audit, AuditSample, Categories, ClusterId, Contradictions, Known, Manifest, Map, SeriesCategories, read_folder,
    read_table,
};
use deepmcat_testing::has_encoder;
use serde_json::Value;

use crate::world::World;

/// A finished run of the synthetic archive with categories from its labels.
fn categorized() -> World {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    world.deepmcat(&["categorize", "run", "--from-labels", "--per-class", "2"]);
    world
}

/// Hashes of all files below a folder.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().display().to_string(), hash_file(entry.path()).unwrap())).collect()
}

fn categories(world: &World, folder: &str) -> Categories {
    read_folder(&world.path(folder).join("categories")).unwrap()
}

#[test]
fn the_runs_own_images_come_out_as_they_are_and_the_run_is_not_touched() {
    let world = categorized();
    let before = files(&world.path("run"));
    let said = world.deepmcat(&["apply", "run", "archive", "--out", "again"]);
    assert!(said.contains("to look at") && said.contains("CINE_TAG"), "{said}");
    assert_eq!(files(&world.path("run")), before);
    assert_eq!(categories(&world, "again"), categories(&world, "run"));
    let series = |folder: &str| -> SeriesCategories { read_folder(&world.path(folder).join("series")).unwrap() };
    assert_eq!(series("again"), series("run"), "the key is the same, so are the names of series");
    let csv = fs_err::read_to_string(world.path("again/series.csv")).unwrap();
    assert!(csv.starts_with("SeriesInstanceUID,") && csv.lines().count() == series("run").series.len() + 1);
    // Their places on the map, too, but for the rounding of other batches.
    let map = |folder: &str| -> Map { read_folder(&world.path(folder).join("map")).unwrap() };
    let far = map("again").x.iter().zip(&map("run").x).filter(|(one, other)| one.abs_diff(**other) > 600).count();
    assert!(far * 20 <= map("run").x.len(), "{far} are elsewhere");
    // Again: nothing is left to do, and nothing changes.
    let done = files(&world.path("again/categories"));
    let output = world.command(&["apply", "run", "archive", "--out", "again"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !said.contains(" done in "), "{said}");
    assert_eq!(files(&world.path("again/categories")), done);
    // Other names make another model, and the place of images alone is done anew.
    world.deepmcat(&["categorize", "run", "--from-labels", "--per-class", "3"]);
    let output = world.command(&["apply", "run", "archive", "--out", "again"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("1 node to run, 3 done"), "{said}");
    assert_eq!(categories(&world, "again"), categories(&world, "run"));
}

#[test]
fn an_exported_model_works_without_the_run() {
    let world = categorized();
    world.deepmcat(&["synth", "later", "--subjects", "2", "--size", "48", "--format", "dicom", "--seed", "9"]);
    let said = world.deepmcat(&["apply", "run", "later", "--out", "by-run", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    let by_run = categories(&world, "by-run");
    assert_eq!(said["images"], by_run.image_id.len());
    assert_eq!(said["metrics"]["images"], 49, "by the same class rules: {said}");
    world.deepmcat(&["apply", "run", "--export", "models/study"]);
    fs_err::remove_dir_all(world.path("run")).unwrap();
    world.deepmcat(&["apply", "models/study", "later", "--out", "by-model"]);
    assert_eq!(categories(&world, "by-model"), by_run);
    let clusters: Known = read_folder(&world.path("models/study/known")).unwrap();
    assert!(by_run.cluster.iter().all(|cluster| clusters.cluster.contains(cluster)));
    let manifest = |run: &str| -> Manifest { read_table(&world.path(run).join("dataset/manifest.parquet")).unwrap() };
    assert_ne!(manifest("by-model").subject, manifest("by-run").subject, "a model has no key: a new one is made");
    // The folder is one of a run: the other commands work on it.
    assert!(world.deepmcat(&["status", "by-model"]).contains("4 of 4 nodes done"));
    assert!(world.deepmcat(&["plan", "by-model"]).is_empty());
    let counted = "SELECT COUNT(*) AS n FROM categories";
    assert!(
        world.deepmcat(&["sql", "by-model", counted, "--format", "csv"]).contains(&by_run.image_id.len().to_string())
    );
}

#[test]
fn what_cannot_be_applied_is_told() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let message = world.fails(2, &["apply", "run", "archive", "--out", "new"]);
    assert!(
        message.contains("run: neither a run with categories nor a model")
            && message.contains("hint: deepmcat categorize"),
        "{message}"
    );
    world.deepmcat(&["categorize", "run", "--from-labels"]);
    let message = world.fails(2, &["apply", "run", "nowhere", "--out", "new"]);
    assert!(message.contains("nowhere: no such file or folder"), "{message}");
    assert!(!world.path("new").exists(), "nothing is made for what cannot be done");
    let message = world.fails(2, &["apply", "run", "archive", "--out", "run"]);
    assert!(message.contains("a run that does not apply a model is here"), "{message}");
    world.deepmcat(&["apply", "run", "--export", "model"]);
    let message = world.fails(2, &["apply", "run", "--export", "model"]);
    assert!(message.contains("model: exists already"), "{message}");
    fs_err::remove_file(world.path("model/points/part-0.parquet")).unwrap();
    let message = world.fails(2, &["apply", "model", "archive", "--out", "damaged"]);
    assert!(message.contains("points"), "{message}");
    assert!(world.fails(2, &["apply", "run", "archive"]).contains("--out"));
    // Categories of an earlier result.
    world.deepmcat(&["run", "run", "--set", "final.k=9"]);
    let message = world.fails(2, &["apply", "run", "archive", "--out", "new"]);
    assert!(message.contains("its categories are of an earlier result"), "{message}");
}

/// By the frozen encoder alone, which the model has with it.
#[test]
fn a_model_has_its_encoder() {
    if !has_encoder() {
        return;
    }
    let world = World::new();
    world.small_run();
    fs_err::remove_dir_all(world.path("run")).unwrap();
    world.deepmcat(&[
        "init",
        "archive",
        "--run",
        "run",
        "--preset",
        "quick",
        "--set",
        "cluster.k=6",
        "--set",
        "ingest.rules=ukbb",
    ]);
    world.deepmcat(&["run", "run"]);
    world.deepmcat(&["categorize", "run", "--from-labels"]);
    world.deepmcat(&["apply", "run", "--export", "model"]);
    assert!(world.path("model/encoder.onnx").is_file() && !world.path("model/networks").exists());
    fs_err::remove_dir_all(world.path("run")).unwrap();
    world.deepmcat(&["apply", "model", "archive", "--out", "again"]);
    let known: Known = read_folder(&world.path("model/known")).unwrap();
    let again = categories(&world, "again");
    let clusters: BTreeMap<&String, ClusterId> = known.pixels.iter().zip(known.cluster).collect();
    let manifest: Manifest = read_table(&world.path("again/dataset/manifest.parquet")).unwrap();
    assert!(manifest.pixels.iter().zip(&again.cluster).all(|(pixels, cluster)| clusters[pixels] == *cluster));
}

#[test]
fn an_audit_certifies_what_its_answers_bear_out() {
    let world = categorized();
    let message = world.fails(2, &["audit", "run", "certify", "audit.csv"]);
    assert!(
        message.contains("no images have been drawn yet") && message.contains("hint: deepmcat audit RUN draw"),
        "{message}"
    );
    let plan = world.deepmcat(&["audit", "run", "plan", "--target", "0.05"]);
    assert!(plan.contains("59 answers do, where every one of them is right"), "{plan}");
    // What came of labels alone has a page of its own too.
    let own = fs_err::read(world.path("run/report.html")).unwrap();
    world.deepmcat(&["report", "run"]);
    assert!(fs_err::read(world.path("run/report.html")).unwrap() == own && world.path("run/categories.html").is_file());
    world.deepmcat(&["audit", "run", "draw", "-n", "40", "--out", "audit.csv"]);
    let sample: AuditSample = read_folder(&world.path("run/audit-sample")).unwrap();
    let table = categories(&world, "run");
    assert_eq!(sample.key.len(), 40);
    let csv = fs_err::read_to_string(world.path("audit.csv")).unwrap();
    let message = world.fails(2, &["audit", "run", "certify", "audit.csv"]);
    assert!(message.contains("40 of 40 drawn images have no answer"), "{message}");
    let answered = |wrong: usize| -> String {
        let answer = |(row, line): (usize, &str)| match row {
            0 => line.to_owned(),
            _ => line.replacen(",,", if row <= wrong { ",no," } else { ",yes," }, 1),
        };
        csv.lines().enumerate().map(answer).collect::<Vec<_>>().join("\n")
    };
    let goal = ["--target", "0.2", "--json"];
    let certify = |text: &str| -> Value {
        fs_err::write(world.path("answers.csv"), text).unwrap();
        let words = [&["audit", "run", "certify", "answers.csv"][..], &goal].concat();
        serde_json::from_str(&world.deepmcat(&words)).unwrap()
    };
    let all = certify(&answered(0));
    assert_eq!((all["answers"].as_u64(), all["certificate"]["wrong"].as_u64()), (Some(40), Some(0)));
    let threshold = all["certificate"]["threshold"].as_f64().unwrap();
    let audit: Audit = read_folder(&world.path("run/audit")).unwrap();
    assert!(audit.certified.iter().all(|&certified| certified) && audit.threshold.last() == Some(&threshold));
    let page = || {
        world.deepmcat(&["report", "run", "--out", "page.html"]);
        fs_err::read_to_string(world.path("page.html")).unwrap()
    };
    assert!(page().contains("<strong>Certified: </strong>") && page().contains("(40 answers, 0 wrong)"));
    assert!(certify(&answered(40))["certificate"].is_null());
    assert!(page().contains("<strong>Not certified: </strong>"));
    // A category in the place of yes, and one that is another's.
    let [first, other] =
        [&sample.category[0], table.category.iter().find(|other| **other != sample.category[0]).unwrap()];
    let named = |name: &str| answered(0).replacen(",yes,", &format!(",{name},"), 1);
    assert_eq!(certify(&named(first))["certificate"]["wrong"], 0);
    assert!(
        certify(&named(other))["certificate"]["wrong"] != 0 || certify(&named(other))["certificate"]["answered"] != 40
    );
    fs_err::write(world.path("answers.csv"), answered(0) + "\nffffffffffffffff,x,yes,y\n").unwrap();
    let message = world.fails(2, &["audit", "run", "certify", "answers.csv"]);
    assert!(message.contains("line 42: image `ffffffffffffffff` was not drawn"), "{message}");
    // Categories change, and the answers are of others.
    world.deepmcat(&["categorize", "run", "--from-labels", "--per-class", "1"]);
    let message = world.fails(2, &["audit", "run", "certify", "audit.csv"]);
    assert!(message.contains("have another category or confidence now"), "{message}");
    assert!(!page().contains("ertified: </strong>"), "a certificate of other categories");
}

#[test]
fn a_wrong_header_is_found_by_the_images() {
    if !has_encoder() {
        return;
    }
    let world = World::new();
    let words = ["synth", "archive", "--subjects", "24", "--format", "dicom", "--mislabel", "0.02", "--json"];
    let facts: Value = serde_json::from_str(&world.deepmcat(&words)).unwrap();
    let planted = facts["mislabelled"].as_array().unwrap();
    let wrong: Vec<&str> = planted.iter().map(|one| one["series_uid"].as_str().unwrap()).collect();
    assert!(wrong.len() > 4, "{facts}");
    world.deepmcat(&["init", "archive", "--run", "run", "--preset", "quick", "--set", "cluster.k=26"]);
    world.deepmcat(&["run", "run"]);
    let said = world.deepmcat(&["headers", "run", "--csv", "list.csv"]);
    let found: Contradictions = read_folder(&world.path("run/contradictions")).unwrap();
    assert_eq!(said.lines().count(), found.series.len() + 1 + usize::from(!found.series.is_empty()), "{said}");
    let csv = fs_err::read_to_string(world.path("list.csv")).unwrap();
    assert!(csv.starts_with("SeriesInstanceUID,StudyInstanceUID,SeriesDescription,source,images_look_like,"), "{csv}");
    let uids: Vec<&str> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    let right = uids.iter().filter(|uid| wrong.contains(uid)).count();
    assert!(
        right * 10 >= uids.len() * 8 && right * 10 >= wrong.len() * 7,
        "{right} of {} planted, {} listed",
        wrong.len(),
        uids.len()
    );
    world.deepmcat(&["report", "run"]);
    let page = fs_err::read_to_string(world.path("run/categories.html")).unwrap();
    let told = format!("{} series have headers that their images contradict", found.series.len());
    assert!(page.contains(&told) && page.contains(&found.series[0]) && page.contains("download=\"headers.csv\""));
    let message = world.fails(2, &["headers", "run", "--threshold", "2"]);
    assert!(message.contains("`--threshold` is 2"), "{message}");
    let message = world.fails(2, &["synth", "other", "--subjects", "1", "--mislabel", "0.1"]);
    assert!(message.contains("--mislabel is for --format dicom"), "{message}");
    // An archive without headers has nothing to judge.
    fs_err::remove_file(world.path("run/dataset/sources.parquet")).unwrap();
    let message = world.fails(2, &["headers", "run"]);
    assert!(message.contains("no image has a SeriesDescription"), "{message}");
}

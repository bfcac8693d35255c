//! Single stages again: `--from`, `--force`, `--only`, `--until`, stages run by hand, `gc`, shards, events.

use deepmcat_schemas::layout::epochs;
use deepmcat_schemas::{Epoch, Events, read_folder};
use serde_json::Value;

use crate::world::{World, assert_same, tables};

/// The nodes that `plan` would run, one after the other.
fn planned(world: &World, more: &[&str]) -> String {
    let plan = world.deepmcat(&[&["plan", "run"], more].concat());
    plan.lines().filter_map(|line| line.split_whitespace().next()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_selection_runs_what_it_says_and_nothing_else() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run", "--set", "retention.features=0", "--until", "cluster@0"]);
    assert_eq!(epochs(&world.path("run/assignments")).unwrap(), [Epoch(0)]);
    assert!(!world.path("run/samples").exists() && !world.path("run/baseline").exists());
    let message = world.fails(2, &["run", "run", "--only", "train@0"]);
    assert!(message.contains("train@0 needs sample@0, which is not done (never finished)"), "{message}");
    assert!(message.contains("hint: --until train@0"), "{message}");
    assert_eq!(planned(&world, &["--only", "sample@0"]), "sample@0");
    world.deepmcat(&["run", "run"]);

    let before = tables(&world.path("run"));
    assert_eq!(planned(&world, &[]), "");
    assert_eq!(planned(&world, &["--force", "cluster@1"]).split(' ').next(), Some("cluster@1"));
    assert_eq!(planned(&world, &["--from", "cluster@2"]), "cluster@2 evaluate@2 map report");
    assert_eq!(planned(&world, &["--from", "sample", "--until", "train@0"]), "sample@0 train@0");
    assert_eq!(planned(&world, &["--from", "evaluate"]), "evaluate@raw evaluate@0 evaluate@1 evaluate@2 report");
    assert_eq!(planned(&world, &["--set", "cluster.k=12", "--only", "cluster@0"]), "cluster@0");
    assert_eq!(planned(&world, &["--set", "pipeline.jobs=7"]), "");
    world.deepmcat(&["run", "run", "--from", "embed@1"]);
    assert_same(&tables(&world.path("run")), &before);
    let message = world.fails(2, &["run", "run", "--from", "embed@9"]);
    assert!(message.contains("no node `embed@9`"), "{message}");
}

#[test]
fn only_the_nodes_that_read_a_setting_run_again() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run", "--set", "retention.features=0"]);
    let direct = |set: &str| {
        let plan: Value = serde_json::from_str(&world.deepmcat(&["plan", "run", "--json", "--set", set])).unwrap();
        let changed = |node: &&Value| node["reason"].as_str().unwrap().starts_with("changed");
        let names =
            plan.as_array().unwrap().iter().filter(changed).map(|node| node["node"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    // The clean pass and the baseline see no augmentation.
    assert_eq!(direct("augment.noise=0.1"), "embed@0");
    assert_eq!(direct("embed.float16=true"), "embed@raw embed@0");
    assert_eq!(direct("final.redo=2"), "cluster@raw cluster@2");
    assert_eq!(direct("sample.uniform=false"), "sample@0");
    assert_eq!(direct("retention.checkpoints=9"), "");
}

#[test]
fn a_stage_run_by_hand_is_accepted_or_explained() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let by_hand = |more: &[&str]| {
        let words =
            ["sample", "--assignments", "run/assignments/epoch=1", "--epoch", "1", "--out", "run/samples/epoch=1"];
        world.deepmcat(&[&words[..], &["--config", "run/run.toml"], more].concat());
    };
    by_hand(&[]);
    assert_eq!(planned(&world, &[]), "", "the same bytes are the same table");
    // The job again, as the runner does it; a copy of it with other settings, elsewhere.
    let table = || fs_err::read(world.path("run/samples/epoch=1/part-0.parquet")).unwrap();
    let before = table();
    world.deepmcat(&["sample", "--job", "run/nodes/sample@1.toml"]);
    assert!(table() == before);
    let job = fs_err::read_to_string(world.path("run/nodes/sample@1.toml")).unwrap();
    fs_err::write(world.path("copy.toml"), job.replace("uniform = true", "uniform = false")).unwrap();
    let message = world.fails(2, &["sample", "--job", "copy.toml"]);
    assert!(message.contains("copy.toml: not in the folder `nodes` of a run") && message.contains("hint: --run"));
    world.deepmcat(&["sample", "--job", "copy.toml", "--run", "run", "--out", "else"]);
    assert!(fs_err::read(world.path("else/samples/epoch=1/part-0.parquet")).unwrap() != before && table() == before);
    for (wrong, says) in [
        (job.replace("least = ", "fewest = "), "unknown field `fewest`"),
        (job.replace("uniform = true", "uniform = 3"), "expected a boolean"),
        (
            job.replace("result_version = 1", "result_version = 9"),
            "asks for results of version 9, but this program gives 1",
        ),
        (
            job.replace("\nleast = ", "\nsure = 7.0\nleast = "),
            "setting `sample.sure` is 7, expected above 0, at most 1",
        ),
        ("not = [toml".to_owned(), "copy.toml: "),
    ] {
        fs_err::write(world.path("copy.toml"), wrong).unwrap();
        let message = world.fails(2, &["sample", "--job", "copy.toml", "--run", "run"]);
        assert!(message.contains(says), "{says}: {message}");
    }
    let message = world.fails(2, &["cluster", "--job", "run/nodes/sample@1.toml"]);
    assert!(message.contains("is a job of sample\nhint: deepmcat-sample --job "), "{message}");
    by_hand(&["--set", "sample.uniform=false"]);
    let why = world.deepmcat(&["why", "run", "sample@1"]);
    let expected =
        "output samples/epoch=1/part-0.parquet is not what was written (sample wrote it with other settings)";
    assert!(why.contains(expected), "{why}");

    fs_err::remove_file(world.path("run/receipts/sample@1.json")).unwrap();
    let why = world.deepmcat(&["why", "run", "sample@1"]);
    assert!(why.contains("never finished by the runner; samples/epoch=1 is there"), "{why}");
}

#[test]
fn an_edit_that_keeps_size_and_time_of_change_is_found() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let before = tables(&world.path("run"));
    let path = world.path("run/metrics/epoch=1/part-0.parquet");
    let modified = fs_err::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs_err::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    fs_err::OpenOptions::new().write(true).open(&path).unwrap().file().set_modified(modified).unwrap();
    assert_eq!(planned(&world, &[]), "evaluate@1 report");
    // All tables and the archive again; the same data set comes out.
    world.deepmcat(&["run", "run", "--verify"]);
    assert_same(&tables(&world.path("run")), &before);
}

#[test]
fn gc_removes_what_the_policy_does_not_keep_and_the_run_stays_whole() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&[
        "run",
        "run",
        "--set",
        "retention.features=0",
        "--set",
        "retention.checkpoints=0",
        "--set",
        "run.epochs=4",
    ]);
    assert_eq!(world.deepmcat(&["gc", "run"]), "");
    let toml = world.path("run/run.toml");
    let text = fs_err::read_to_string(&toml).unwrap();
    let text = text.replace("\nfeatures = 0", "\nfeatures = 2").replace("checkpoints = 0", "checkpoints = 1");
    fs_err::write(&toml, text.replace("checkpoint_every = 0", "checkpoint_every = 2")).unwrap();

    let dry = world.deepmcat(&["gc", "run"]);
    let expected = ["features/epoch=0", "features/epoch=1", "features/epoch=2", "checkpoints/epoch=1"];
    assert_eq!(dry.lines().filter_map(|line| line.split_whitespace().last()).collect::<Vec<_>>(), expected);
    assert!(world.path("run/features/epoch=0").exists(), "dry unless told otherwise");
    world.deepmcat(&["gc", "run", "--delete"]);
    assert_eq!(epochs(&world.path("run/features")).unwrap(), [3, 4].map(Epoch));
    assert_eq!(epochs(&world.path("run/checkpoints")).unwrap(), [0, 2, 3].map(Epoch));
    assert_eq!(planned(&world, &[]), "");
    // What was removed is made again where it is needed: embed@2 from the checkpoint of epoch 1, that from epoch 0's.
    let assignments = tables(&world.path("run"));
    fs_err::remove_dir_all(world.path("run/assignments/epoch=2")).unwrap();
    world.deepmcat(&["run", "run"]);
    assert_same(&tables(&world.path("run")), &assignments);
}

#[test]
fn shards_change_no_table() {
    let world = World::new();
    world.small_run();
    world.init("shards");
    world.deepmcat(&["run", "run"]);
    world.deepmcat(&["run", "shards", "-j", "2", "--set", "pipeline.shards=3"]);
    let without_features = |run: &str| {
        let mut tables = tables(&world.path(run));
        tables.retain(|path, _| path.extension().is_none_or(|extension| extension != "arrow"));
        tables
    };
    assert_same(&without_features("shards"), &without_features("run"));
    let parts = fs_err::read_dir(world.path("shards/features/epoch=2")).unwrap().count();
    assert_eq!(parts, 3);
    // Another number of parts is no reason to run, and leaves none of the old ones when a node does.
    assert_eq!(world.deepmcat(&["plan", "shards", "--set", "pipeline.shards=1"]), "");
    world.deepmcat(&["run", "shards", "--set", "pipeline.shards=1", "--force", "embed@2"]);
    assert_same(
        &tables(&world.path("shards")).into_iter().filter(|(path, _)| !path.starts_with("baseline")).collect(),
        &tables(&world.path("run")).into_iter().filter(|(path, _)| !path.starts_with("baseline")).collect(),
    );
}

#[test]
fn every_process_is_a_row_of_events() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run", "--until", "embed@0", "--set", "pipeline.shards=2"]);
    let read = || read_folder::<Events>(&world.path("run/events")).unwrap();
    let events = read();
    let mut rows: Vec<_> =
        events.node.iter().zip(&events.shard).map(|(node, shard)| format!("{node} {shard}")).collect();
    rows.sort();
    assert_eq!(rows, ["embed@0 0", "embed@0 1", "ingest 0", "init 0", "pack 0"]);
    for row in 0..5 {
        assert_eq!((events.exit_code[row], events.signal[row], events.attempt[row]), (Some(0), None, 1));
        assert!(events.peak_memory[row] > 1e6 && events.end[row] >= events.start[row]);
    }
    world.deepmcat(&["run", "run", "--until", "cluster@0"]);
    let parts = fs_err::read_dir(world.path("run/events")).unwrap().count();
    assert_eq!((parts, read().node.len()), (2, 6), "a part for each run");
    world.deepmcat(&["run", "run", "--until", "cluster@0"]);
    assert_eq!(fs_err::read_dir(world.path("run/events")).unwrap().count(), 2, "none for nothing");
}

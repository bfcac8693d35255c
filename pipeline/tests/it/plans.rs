//! What a run does again, and what it does not.

use crate::bench::Bench;

/// All nodes of a run of two epochs.
const ALL: &str = "ingest pack init embed@raw cluster@raw evaluate@raw embed@0 cluster@0 evaluate@0 sample@0 train@0 \
    embed@1 cluster@1 evaluate@1 sample@1 train@1 embed@2 cluster@2 evaluate@2 map report";

#[test]
fn what_is_selected_and_what_depends_on_it() {
    let bench = Bench::new();
    assert_eq!(bench.planned(&[]), ALL);
    assert_eq!(bench.planned(&["--until", "pack"]), "ingest pack");
    bench.ok(&["run", "run"]);
    let last = "cluster@2 evaluate@2 map report";
    let from_sample_1 = "sample@1 train@1 embed@2 cluster@2 evaluate@2 map report";
    let from_cluster_1 = format!("cluster@1 evaluate@1 {from_sample_1}");
    let cases: [(&[&str], &str); 18] = [
        (&[], ""),
        (&["--from", "cluster@2"], last),
        (&["--from", "sample@1"], from_sample_1),
        (&["--from", "cluster@1"], &from_cluster_1),
        (&["--from", "ingest"], &ALL.replace("init ", "")),
        (&["--from", "sample", "--until", "train@0"], "sample@0 train@0"),
        (&["--from", "evaluate"], "evaluate@raw evaluate@0 evaluate@1 evaluate@2 report"),
        (&["--force", "evaluate@1"], "evaluate@1 report"),
        (&["--force", "cluster@2"], last),
        (&["--force", "cluster@raw", "--only", "cluster@raw"], "cluster@raw"),
        (&["--only", "embed@1"], ""),
        (&["--verify"], "ingest"),
        (&["--verify", "--only", "embed@1"], ""),
        (&["--set", "pipeline.jobs=7", "--set", "compute.threads=3", "--set", "pipeline.shards=2"], ""),
        (&["--set", "final.redo=3"], "cluster@raw evaluate@raw cluster@2 evaluate@2 map report"),
        (&["--set", "sample.least=9", "--until", "sample@0"], "sample@0"),
        (
            &["--set", "run.epochs=3"],
            "embed@2 cluster@2 evaluate@2 sample@2 train@2 embed@3 cluster@3 evaluate@3 map report",
        ),
        // What draws nothing does not depend on the seed: no image is decoded or packed again.
        (&["--set", "run.seed=2", "--until", "embed@0", "--until", "cluster@raw"], "init cluster@raw embed@0"),
    ];
    for (more, expected) in cases {
        assert_eq!(bench.planned(more), expected, "{more:?}");
    }
}

#[test]
fn an_equal_outcome_ends_what_waited_and_another_does_not() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    bench.calls();
    // The same bytes come out: the nodes after it are found to be done.
    bench.ok(&["run", "run", "--force", "pack"]);
    assert_eq!(bench.calls().len(), 1);
    bench.ok(&["run", "run", "--set", "cluster.k=5"]);
    let ran: Vec<String> = bench.calls().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(ran.iter().filter(|stage| *stage == "cluster").count(), 4);
    assert!(!ran.iter().any(|stage| ["ingest", "pack"].contains(&stage.as_str())), "{ran:?}");
}

#[test]
fn labels_that_are_added_later_train_nothing_again() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    bench.calls();
    bench.ok(&["run", "run", "--set", "ingest.rules=folders"]);
    let ran: Vec<String> = bench.calls().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(ran, ["ingest", "evaluate", "evaluate", "evaluate", "evaluate", "report"]);
}

#[test]
fn a_table_that_was_changed_or_lost_is_made_again() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    let table = bench.path("run/samples/epoch=1/part-0.parquet");
    let sample = bench.read("run/samples/epoch=1/part-0.parquet");
    fs_err::write(&table, "edited").unwrap();
    let (why, _) = bench.ok(&["why", "run", "sample@1"]);
    assert!(why.contains("output samples/epoch=1/part-0.parquet is not what was written"), "{why}");
    bench.ok(&["run", "run"]);
    assert_eq!(fs_err::read_to_string(&table).unwrap(), sample);
    fs_err::remove_file(&table).unwrap();
    assert!(bench.ok(&["why", "run", "sample@1"]).0.contains("output samples/epoch=1 is missing"));
    bench.ok(&["run", "run"]);
    assert_eq!(bench.planned(&[]), "");
}

#[test]
fn verify_reads_what_the_file_system_calls_unchanged() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    // As a failing disk does it: other bytes, the same size, times and inode.
    let table = bench.path("run/samples/epoch=1/part-0.parquet");
    fs_err::write(&table, bench.read("run/samples/epoch=1/part-0.parquet").replace(' ', "_")).unwrap();
    let store = bench.path("run/receipts/hashes.json");
    let mut known: serde_json::Value = serde_json::from_slice(&fs_err::read(&store).unwrap()).unwrap();
    known["samples/epoch=1/part-0.parquet"][0] =
        serde_json::to_value(deepmcat_schemas::FileStat::of(&table).unwrap()).unwrap();
    fs_err::write(&store, known.to_string()).unwrap();
    assert_eq!(bench.planned(&[]), "");
    assert_eq!(bench.planned(&["--verify"]), "ingest sample@1 train@1 embed@2 cluster@2 evaluate@2 map report");
    // What it read is kept.
    assert!(bench.planned(&[]).starts_with("sample@1 "));
}

#[test]
fn retention_removes_what_nobody_reads_any_more() {
    let bench = Bench::new();
    bench.ok(&["run", "run", "--set", "retention.features=1", "--set", "retention.checkpoints=1"]);
    let there = |table: &str| {
        let folders = fs_err::read_dir(bench.path("run").join(table)).unwrap();
        let mut names: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!((there("features"), there("checkpoints")), ("epoch=2".into(), "epoch=1 initial".into()));
    assert_eq!(bench.planned(&[]), "");
    // Removed tables that a node needs are computed again, and then removed again.
    bench.calls();
    assert_eq!(bench.planned(&["--force", "sample@0"]).split(' ').next(), Some("sample@0"));
    fs_err::remove_dir_all(bench.path("run/assignments/epoch=1")).unwrap();
    assert!(bench.planned(&[]).starts_with("train@0 embed@1 cluster@1 evaluate@1 "), "{}", bench.planned(&[]));
    bench.ok(&["run", "run"]);
    assert_eq!((there("features"), there("checkpoints")), ("epoch=2".into(), "epoch=1 initial".into()));
    // The largest number of epochs keeps all, and does not wrap around.
    let message = bench.fails(2, &["plan", "run", "--set", "retention.features=4294967295"]);
    assert!(message.contains("`retention.features` is 4294967295, expected 0 to 1000000"), "{message}");
}

#[test]
fn no_part_of_an_earlier_sharding_stays() {
    let bench = Bench::new();
    let parts = |folder: &str| fs_err::read_dir(bench.path("run").join(folder)).unwrap().count();
    bench.ok(&["run", "run", "--set", "pipeline.shards=2"]);
    assert_eq!((parts("features/epoch=1"), parts("features/epoch=2")), (2, 2));
    bench.ok(&["run", "run", "--set", "pipeline.shards=1", "--force", "embed@2"]);
    assert_eq!((parts("features/epoch=1"), parts("features/epoch=2")), (2, 1));
    // What is in a folder that a node writes is that node's.
    fs_err::write(bench.path("run/samples/epoch=0/part-7.parquet"), "of another program").unwrap();
    bench.ok(&["run", "run"]);
    assert_eq!(parts("samples/epoch=0"), 1);
}

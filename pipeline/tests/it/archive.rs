//! Whether the archive has changed: judged without reading it.

use std::process::{Command, Stdio};

use crate::bench::Bench;

#[test]
fn no_file_of_the_archive_is_read() {
    let bench = Bench::new();
    // Whoever opens it waits for ever.
    assert!(Command::new("mkfifo").arg(bench.path("archive/3.nii")).status().unwrap().success());
    let words = ["run", "run", "--until", "pack"];
    let mut run = bench.command(&words).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..3000 {
        if let Some(status) = run.try_wait().unwrap() {
            assert!(status.success());
            assert_eq!(bench.planned(&["--until", "pack"]), "");
            assert!(!bench.read("run/receipts/hashes.json").contains("archive"), "only of the run's own tables");
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    run.kill().unwrap();
    panic!("the archive was read");
}

#[test]
fn a_touched_archive_is_looked_at_by_ingest_alone() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    bench.calls();
    let file = fs_err::File::options().write(true).open(bench.path("archive/1.png")).unwrap();
    file.file().set_modified(std::time::SystemTime::now()).unwrap();
    assert!(bench.ok(&["why", "run", "ingest"]).0.contains("changed: archive 0: "));
    bench.ok(&["run", "run"]);
    let calls = bench.calls();
    assert!(calls.len() == 1 && calls[0].starts_with("ingest ") && !calls[0].contains("--fresh"), "{calls:?}");
    assert_eq!(bench.planned(&[]), "");
}

#[test]
fn a_file_replaced_by_one_of_equal_size_and_time_is_seen() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    bench.replace("archive/1.png", "ONE");
    assert!(bench.planned(&[]).starts_with("ingest pack "));
    let before = bench.read("run/dataset/manifest.parquet");
    bench.ok(&["run", "run"]);
    assert_ne!(bench.read("run/dataset/manifest.parquet"), before);
    assert_eq!(bench.planned(&[]), "");
}

#[test]
fn who_doubts_the_file_system_has_the_archive_read() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    bench.calls();
    for doubt in [&["--verify"][..], &["--from", "ingest", "--until", "ingest"], &["--force", "ingest"]] {
        bench.ok(&[&["run", "run"], doubt].concat());
        let calls = bench.calls();
        assert!(calls.len() == 1 && calls[0].starts_with("ingest ") && calls[0].ends_with(" --fresh"), "{calls:?}");
    }
    // Other images than the file system told of: everything after them is made again.
    bench.tell("fail-pack", "1");
    fs_err::write(bench.path("archive/1.png"), "ONE").unwrap();
    bench.fails(1, &["run", "run"]);
    bench.untell("fail-pack");
    let receipt = bench.path("run/receipts/ingest.json");
    let text = fs_err::read_to_string(&receipt).unwrap();
    let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
    for path in ["dataset/manifest.parquet", "dataset/sources.parquet", "dataset/rejects.parquet"] {
        assert!(old["outputs"][path].is_string(), "{old}");
    }
    bench.ok(&["run", "run"]);
    // The receipt of an ingest that kept an old picture: the same archive, another manifest.
    fs_err::write(bench.path("run/dataset/manifest.parquet"), "an old picture").unwrap();
    let hash = |path: &str| deepmcat_schemas::files::hash_file(&bench.path("run").join(path)).unwrap();
    old["outputs"]["dataset/manifest.parquet"] = hash("dataset/manifest.parquet").into();
    fs_err::write(&receipt, old.to_string()).unwrap();
    let pack = bench.path("run/receipts/pack.json");
    let text = fs_err::read_to_string(&pack).unwrap();
    let mut of_pack: serde_json::Value = serde_json::from_str(&text).unwrap();
    of_pack["components"]["input dataset/manifest.parquet"] = hash("dataset/manifest.parquet").into();
    fs_err::write(&pack, of_pack.to_string()).unwrap();
    bench.calls();
    assert_eq!(bench.planned(&["--until", "pack"]), "");
    bench.ok(&["run", "run", "--until", "pack", "--verify"]);
    assert_eq!(bench.calls().len(), 2, "pack was judged by the old picture and runs again");
}

#[test]
fn an_archive_or_a_rules_file_that_is_gone_is_named() {
    let bench = Bench::new();
    fs_err::rename(bench.path("archive"), bench.path("elsewhere")).unwrap();
    let message = bench.fails(2, &["run", "run"]);
    assert!(message.contains("archive: no such file or folder") && message.contains("input.paths"), "{message}");
    fs_err::rename(bench.path("elsewhere"), bench.path("archive")).unwrap();
    fs_err::write(bench.path("myrules"), "one").unwrap();
    bench.ok(&["run", "run", "--set", "ingest.rules=myrules", "--until", "pack"]);
    fs_err::remove_file(bench.path("myrules")).unwrap();
    let message = bench.fails(2, &["run", "run"]);
    assert!(message.contains("myrules: no such file\n") && message.contains("ingest.rules names it"), "{message}");
    fs_err::write(bench.path("myrules"), "one").unwrap();
    fs_err::remove_file(bench.path("run/key")).unwrap();
    let message = bench.fails(2, &["run", "run"]);
    assert!(message.contains("run/key: no such file\n") && message.contains("ingest.key_file names it"), "{message}");
}

//! What a run works with: settings that nobody changes under it, files that they name, where it was computed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::bench::Bench;

#[test]
fn a_run_that_is_refused_leaves_run_toml_to_the_byte() {
    let bench = Bench::new();
    let before = bench.read("run/run.toml");
    let mut runner = bench.held_at("train");
    let message = bench.fails(1, &["run", "run", "--set", "train.rate=0.5"]);
    assert!(message.contains(&format!("process {}", runner.id())), "{message}");
    assert_eq!(bench.read("run/run.toml"), before);
    bench.untell("hold-train");
    assert!(runner.wait().unwrap().success());
    for refused in [
        &["--set", "train.rate=0.5", "--from", "embed@9"][..],
        &["--set", "train.rate=0.5", "--set", "cluster.k=1"],
        &["--set", "train.rate=0.5", "--set", "ingest.rules=absent"],
        &["--set", "train.rate=0.5", "--set", "input.paths=[\"absent\"]"],
        &["--set", "cluster.k=9", "--only", "train@1"],
    ] {
        bench.fails(2, &[&["run", "run"], refused].concat());
        assert_eq!(bench.read("run/run.toml"), before, "{refused:?}");
    }
    bench.ok(&["run", "run", "--set", "train.rate=0.5"]);
    assert!(bench.read("run/run.toml").contains("rate = 0.5"));
}

#[test]
fn an_edit_of_run_toml_is_for_the_next_run() {
    let bench = Bench::new();
    bench.ok(&["run", "run"]);
    let undisturbed = bench.read("run/assignments/epoch=2/part-0.parquet");
    fs_err::remove_dir_all(bench.path("run/receipts")).unwrap();
    bench.calls();
    let mut runner = bench.held_at("sample");
    let text = bench.read("run/run.toml");
    assert!(text.contains("\nuniform = true") && text.contains("\nk = 13"));
    let edited = text.replace("\nuniform = true", "\nuniform = false").replace("\nk = 13", "\nk = 7");
    fs_err::write(bench.path("run/run.toml"), edited).unwrap();
    bench.untell("hold-sample");
    assert!(runner.wait().unwrap().success());
    assert_eq!(bench.read("run/assignments/epoch=2/part-0.parquet"), undisturbed);
    let calls = bench.calls();
    assert!(calls.iter().all(|line| line.split(' ').nth(2).unwrap().starts_with("run/nodes/")), "{calls:?}");
    assert!(bench.read("run/nodes/cluster@1.toml").contains("\nk = 13\n"));
    let (plan, _) = bench.ok(&["plan", "run"]);
    assert!(plan.contains("cluster@0    changed: cluster.k: 13 -> 7"), "{plan}");
    // What a person would type is as it was.
    let (commands, _) = bench.ok(&["plan", "run", "--commands", "--only", "cluster@raw"]);
    assert!(commands.starts_with("deepmcat-cluster --job run/nodes/cluster@raw.toml"), "{commands}");
}

#[test]
fn a_rules_file_counts_by_its_content_whatever_its_name() {
    let bench = Bench::new();
    fs_err::write(bench.path("myrules"), "one").unwrap();
    let message = bench.fails(2, &["init", "archive", "--run", "none", "--set", "ingest.rules=absent"]);
    assert!(message.contains("absent: no such file") && message.contains("one of folders, none, ukbb"), "{message}");
    assert!(!bench.path("none").exists());
    bench.ok(&["init", "archive", "--run", "ruled", "--preset", "ci", "--set", "ingest.rules=myrules"]);
    let absolute = fs_err::canonicalize(bench.path("myrules")).unwrap();
    assert!(bench.read("ruled/run.toml").contains(&format!("rules = \"{}\"", absolute.display())));
    let until = ["--until", "pack"];
    bench.ok(&[&["run", "ruled"], &until[..]].concat());
    let plan = |name: &str| bench.ok(&[&["plan", name], &until[..]].concat()).0;
    assert_eq!(plan("ruled"), "");
    fs_err::write(bench.path("myrules"), "two").unwrap();
    assert!(plan("ruled").contains("changed: content of ingest.rules: "), "{}", plan("ruled"));
    bench.ok(&[&["run", "ruled"], &until[..]].concat());
    // The same rules at another place are the same rules.
    fs_err::rename(bench.path("myrules"), bench.path("moved.toml")).unwrap();
    bench.ok(&[&["run", "ruled", "--set", "ingest.rules=moved.toml"], &until[..]].concat());
    let there = fs_err::canonicalize(bench.path("moved.toml")).unwrap();
    assert!(bench.read("ruled/run.toml").contains(&there.display().to_string()));
    assert_eq!(plan("ruled"), "");
}

#[test]
fn a_path_that_run_toml_cannot_hold_is_refused() {
    let bench = Bench::new();
    let odd = bench.path("archive").join(OsStr::from_bytes(b"caf\xe9"));
    fs_err::create_dir_all(&odd).unwrap();
    let init = |inputs: &[&std::path::Path]| {
        let mut command = bench.command(&["init", "--run", "odd"]);
        command.args(inputs).output().unwrap()
    };
    let output = init(&[&odd]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("the path is not UTF-8") && message.contains("hint: name a folder above it"), "{message}");
    assert!(!bench.path("odd").exists());
    // As the hint says.
    assert!(init(&[&bench.path("archive")]).status.success());
}

#[test]
fn another_machine_is_told_and_is_no_reason_to_run() {
    let bench = Bench::new();
    let (_, said) = bench.ok(&["run", "run"]);
    assert!(!said.contains("otherwise"), "{said}");
    bench.tell("libtorch", "2.1");
    assert_eq!(bench.planned(&[]), "");
    let (_, said) = bench.ok(&["run", "run"]);
    assert!(!said.contains("otherwise"), "nothing is computed: {said}");
    let (why, _) = bench.ok(&["why", "run", "embed@1"]);
    assert!(why.contains("\non libtorch 2.0, ") && why.contains("no reason to run: libtorch: 2.0 -> 2.1"), "{why}");
    assert!(!bench.ok(&["why", "run", "sample@1"]).0.contains("libtorch"));
    let (_, said) = bench.ok(&["run", "run", "--set", "run.epochs=3"]);
    assert!(said.contains("were computed differently (libtorch: 2.0 -> 2.1)"), "{said}");
}

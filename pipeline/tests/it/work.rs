//! Stages that fail, forget or are stopped.

use std::process::Command;

use crate::bench::Bench;

#[test]
fn a_signal_ends_a_run_and_the_next_goes_on() {
    let bench = Bench::new();
    for (name, code, stage) in [("INT", 130, "embed"), ("TERM", 143, "train")] {
        let runner = bench.held_at(stage);
        let kill = Command::new("sh").args(["-c", &format!("kill -{name} {}", runner.id())]).status();
        assert!(kill.unwrap().success());
        let output = runner.wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert!(message.contains("hint: continue with: deepmcat run run"), "{message}");
        bench.untell(&format!("hold-{stage}"));
        bench.untell(&format!("held-{stage}"));
        assert_eq!(bench.read("run/.lock"), "");
    }
    bench.ok(&["run", "run"]);
    assert_eq!(bench.planned(&[]), "");
    let stages = bench.calls();
    assert_eq!(stages.iter().filter(|line| line.starts_with("ingest ")).count(), 1, "{stages:?}");
}

#[test]
fn a_second_runner_is_refused_and_a_killed_one_is_not_in_the_way() {
    let bench = Bench::new();
    let mut runner = bench.held_at("pack");
    let holder = format!("process {}", runner.id());
    for words in [&["run", "run"][..], &["gc", "run", "--delete"]] {
        let message = bench.fails(1, words);
        assert!(message.contains(&holder) && message.contains("hint: wait for it"), "{message}");
    }
    bench.ok(&["status", "run"]);
    bench.ok(&["plan", "run"]);
    runner.kill().unwrap();
    runner.wait().unwrap();
    bench.untell("hold-pack");
    let (_, said) = bench.ok(&["run", "run"]);
    assert!(said.contains("was killed; continuing where it was"), "{said}");
}

#[test]
fn a_failed_stage_is_tried_again_unless_the_mistake_is_the_users() {
    let bench = Bench::new();
    bench.tell("fail-sample", "1");
    let message = bench.fails(1, &["run", "run"]);
    assert!(message.contains("sample@0 failed: exit code 1\n  error: told to fail"), "{message}");
    let tried = |calls: &[String]| calls.iter().filter(|line| line.starts_with("sample ")).count();
    assert_eq!(tried(&bench.calls()), 2);
    bench.tell("fail-sample", "2");
    bench.fails(2, &["run", "run"]);
    assert_eq!(tried(&bench.calls()), 1);
    // What does not depend on it is done.
    bench.fails(2, &["run", "run", "--keep-going"]);
    let (status, _) = bench.ok(&["status", "run"]);
    assert!(status.starts_with("9 of 21 nodes done"), "{status}");
    bench.untell("fail-sample");
    bench.ok(&["run", "run"]);
    assert_eq!(bench.planned(&[]), "");
}

#[test]
fn a_stage_that_does_not_write_what_it_has_to_is_no_success() {
    let bench = Bench::new();
    // Of features and checkpoints the runner otherwise takes it that retention removed them.
    for stage in ["embed", "train"] {
        bench.tell(&format!("forget-{stage}"), "");
        let message = bench.fails(1, &["run", "run"]);
        assert!(message.contains("ended without an error but did not write"), "{message}");
        bench.untell(&format!("forget-{stage}"));
    }
    bench.ok(&["run", "run"]);
}

#[test]
fn what_is_written_for_a_run_stays_in_it() {
    let bench = Bench::new();
    bench.ok(&["run", "run", "--set", "cluster.k=5"]);
    let names = |folder: &str| {
        let mut names: Vec<String> = fs_err::read_dir(bench.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(""), ["archive", "bin", "run"], "no temporary folder beside the run");
    assert!(!names("run").contains(&".tmp".to_owned()) && names("run").contains(&"nodes".to_owned()));
    assert!(names("run/receipts").iter().all(|name| name.ends_with(".json")));
}

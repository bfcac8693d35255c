//! Killed runs: whatever dies and whenever, `deepmcat run` ends with the tables of a run that was never disturbed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::world::{World, assert_same, tables};

/// Starts `deepmcat run` in the background.
fn start(world: &World, run: &str) -> Child {
    world.command(&["run", run]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until a path is there.
fn wait_for(path: &Path) {
    for _ in 0..6000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} did not appear within a minute", path.display());
}

/// The process whose command line holds all of `words` and that works in `folder`.
fn process(words: &[&str], folder: &Path) -> Option<u32> {
    let folder = folder.canonicalize().unwrap();
    fs_err::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let line = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let here = std::fs::read_link(entry.path().join("cwd")).ok()? == folder;
        let all = words.iter().all(|word| line.contains(word));
        (here && all).then(|| entry.file_name().to_string_lossy().parse().ok())?
    })
}

#[test]
fn a_runner_killed_anywhere_leaves_nothing_to_repair() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let undisturbed = tables(&world.path("run"));

    world.init("killed");
    let killed = world.path("killed");
    let moments =
        ["logs/ingest.log", "logs/embed@0.log", "logs/train@0.log", "receipts/train@0.json", "logs/cluster@2.log"];
    for moment in moments {
        let mut runner = start(&world, "killed");
        wait_for(&killed.join(moment));
        runner.kill().unwrap(); // SIGKILL
        runner.wait().unwrap();
    }
    world.deepmcat(&["run", "killed"]);
    assert_same(&tables(&killed), &undisturbed);
    assert!(!killed.join(".tmp").exists(), "what was half-written is swept");
}

#[test]
fn a_killed_stage_is_tried_again() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let undisturbed = tables(&world.path("run"));

    world.init("hurt");
    let hurt = world.path("hurt");
    let mut runner = start(&world, "hurt");
    wait_for(&hurt.join("logs/train@0.log"));
    // Only the trainer of this very test: it works in this test's directory.
    let trainer = loop {
        assert!(runner.try_wait().unwrap().is_none(), "the trainer was never seen");
        if let Some(id) = process(&["deepmcat-train", "hurt/nodes/train@0.toml"], &world.path("")) {
            break id;
        }
    };
    assert!(Command::new("sh").args(["-c", &format!("kill -9 {trainer}")]).status().unwrap().success());
    assert!(runner.wait().unwrap().success(), "a stage that was killed is tried again");
    assert_same(&tables(&hurt), &undisturbed);
}

#[test]
fn a_second_runner_is_refused_and_names_the_first() {
    let world = World::new();
    world.small_run();
    let mut runner = start(&world, "run");
    wait_for(&world.path("run/logs/ingest.log"));
    let message = world.fails(1, &["run", "run"]);
    assert!(message.contains(&format!("process {}", runner.id())), "{message}");
    runner.kill().unwrap();
    runner.wait().unwrap();
}

#[test]
fn stages_end_with_their_runner() {
    let world = World::new();
    world.small_run();
    let mut runner = start(&world, "run");
    wait_for(&world.path("run/logs/train@0.log"));
    runner.kill().unwrap();
    runner.wait().unwrap();
    // The stage's lock on its log is free as soon as it has ended.
    let log = fs_err::File::open(world.path("run/logs/train@0.log")).unwrap();
    for _ in 0..500 {
        if log.file().try_lock().is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the trainer still runs five seconds after its runner was killed");
}

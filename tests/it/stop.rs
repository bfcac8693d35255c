//! Stopped and killed runners: everything before is intact, and the next run goes on.

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::world::{World, assert_same, tables};

/// Starts `deepmcat run run` and waits until a file is there.
fn start_until(world: &World, file: &str) -> Child {
    let mut runner = world.command(&["run", "run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..6000 {
        if world.path(file).exists() {
            return runner;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    runner.kill().unwrap();
    let message = runner.wait_with_output().unwrap().stderr;
    panic!("{file} did not appear within a minute: {}", String::from_utf8_lossy(&message));
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status().unwrap().success());
}

#[test]
fn a_signal_ends_a_run_tidily() {
    let world = World::new();
    world.small_run();
    for (name, code, moment) in [("INT", 130, "run/logs/init.log"), ("TERM", 143, "run/logs/train@0.log")] {
        let runner = start_until(&world, moment);
        signal(name, runner.id());
        let Output { status, stderr, .. } = runner.wait_with_output().unwrap();
        let message = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{message}");
        assert!(message.contains("hint: go on with: deepmcat run run"), "{message}");
        assert!(!message.contains("failed"), "{message}");
        assert!(!world.path("run/.tmp").exists(), "what was half-written is swept");
        assert_eq!(fs_err::read_to_string(world.path("run/.lock")).unwrap(), "");
    }
    world.deepmcat(&["run", "run"]);
    world.init("again");
    world.deepmcat(&["run", "again"]);
    assert_same(&tables(&world.path("run")), &tables(&world.path("again")));
}

#[test]
fn a_killed_runners_lock_is_no_hindrance() {
    let world = World::new();
    world.small_run();
    let mut runner = start_until(&world, "run/logs/init.log");
    runner.kill().unwrap(); // SIGKILL
    runner.wait().unwrap();
    let output = world.command(&["run", "run"]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{message}");
    let host = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let expected = format!("the runner before (process {} on {}) was killed", runner.id(), host.trim());
    assert!(message.contains(&expected), "{message}");
}

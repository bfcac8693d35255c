//! Stopped and killed runners, full disks, folders that may not be written: a clear message, everything before is
//! intact, and the next run goes on.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use deepmcat_testing::{Need, skip};

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
        assert!(message.contains("hint: continue with: deepmcat run run"), "{message}");
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
    let expected = format!("the previous runner (process {} on {}) was killed", runner.id(), host.trim());
    assert!(message.contains(&expected), "{message}");
}

/// Runs `mount WORDS... FOLDER`; false where that is not allowed, in which case the test is skipped.
fn mount(words: &[&str], folder: &Path) -> bool {
    let mounted = Command::new("mount").args(words).arg(folder).output().is_ok_and(|output| output.status.success());
    if !mounted {
        skip(Need::Mount, "there is no disk of its own without the right to mount");
    }
    mounted
}

/// A disk that is unmounted however the test ends.
struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_and_one_that_may_not_be_written_lose_nothing() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let all = walkdir::WalkDir::new(world.path("run")).into_iter().flatten().filter_map(|entry| entry.metadata().ok());
    let bytes: u64 = all.map(|metadata| metadata.len()).sum();
    for percent in [25, 50, 75] {
        let disk = Disk(world.path(&format!("disk{percent}")));
        fs_err::create_dir_all(&disk.0).unwrap();
        if !mount(&["-t", "tmpfs", "-o", &format!("size={}", bytes * percent / 100), "tmpfs"], &disk.0) {
            return;
        }
        let run = format!("disk{percent}/run");
        world.init(&run);
        let message = world.fails(1, &["run", &run]);
        assert!(message.contains("No space left on device"), "{percent} %: {message}");
        for above in ["", "baseline", "checkpoints"] {
            assert!(!world.path(&run).join(above).join(".tmp").exists(), "{percent} %: half-written files are swept");
        }
        assert!(mount(&["-o", "remount,size=1g"], &disk.0));
        world.deepmcat(&["run", &run]);
        assert_same(&tables(&world.path(&run)), &tables(&world.path("run")));
        if percent == 75 {
            assert!(mount(&["-o", "remount,ro"], &disk.0));
            let message = world.fails(1, &["run", &run, "--force", "evaluate@1"]);
            assert!(message.contains("Read-only file system") && message.contains("hint:"), "{message}");
            assert!(world.deepmcat(&["status", &run]).contains("nodes done"), "it can still be looked at");
        }
    }
}

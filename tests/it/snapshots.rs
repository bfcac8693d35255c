//! What programs say, word for word, as `snapshots/NAME.txt` holds it: a changed word shows in a review.
//!
//! After a change on purpose: `DEEPMCAT_SNAPSHOTS=write cargo test -p deepmcat-tests snapshots::`, then read the diff.

use std::path::Path;
use std::process::Command;

use crate::world::{STAGES, World};

/// Compares with the snapshot of a name, or writes it where that is asked for.
fn check(name: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/snapshots").join(format!("{name}.txt"));
    if std::env::var("DEEPMCAT_SNAPSHOTS").is_ok_and(|what| what == "write") {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        return fs_err::write(&path, said).unwrap();
    }
    let kept = fs_err::read_to_string(&path).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (kept, said) = (lines(&kept), lines(said));
    let place = kept.iter().zip(&said).take_while(|(kept, said)| kept == said).count();
    assert!(
        kept == said,
        "{name}: line {} was `{}` and is `{}` (on purpose? tests/it/snapshots.rs says how to keep it)",
        place + 1,
        kept.get(place).map_or("", String::as_str),
        said.get(place).map_or("", String::as_str)
    );
}

/// A transcript of `deepmcat WORDS...`: the line, what is on stdout and stderr, the exit code where it is not 0.
fn transcript(world: &World, words: &[&str]) -> String {
    let mut command: Command = world.command(words);
    // Help is as wide as the terminal.
    command.env_remove("COLUMNS").env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let [said, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let code = output.status.code().unwrap();
    let ended = if code == 0 { String::new() } else { format!("(exit code {code})\n") };
    let here = world.path("").canonicalize().unwrap();
    format!("$ deepmcat {}\n{said}{errors}{ended}", words.join(" ")).replace(here.to_str().unwrap(), "HERE")
}

#[test]
fn help() {
    let world = World::new();
    let commands = ["init", "apply", "run", "plan", "status", "why", "gc", "export", "doctor"];
    check("help/deepmcat", &transcript(&world, &["--help"]));
    for command in ["import", "carry", "ask"] {
        check(&format!("help/names-{command}"), &transcript(&world, &["names", "run", command, "--help"]));
    }
    for command in ["write", "undo", "status", "sr", "table"] {
        check(&format!("help/pacs-{command}"), &transcript(&world, &["pacs", command, "--help"]));
    }
    for program in STAGES.iter().chain(&commands) {
        check(&format!("help/{program}"), &transcript(&world, &[program, "--help"]));
    }
}

#[test]
fn errors() {
    let world = World::new();
    fs_err::create_dir_all(world.path("archive")).unwrap();
    fs_err::write(world.path("archive/notes.txt"), "no image").unwrap();
    let lines: [&[&str]; 13] = [
        &["run", "nowhere"],
        &["paint", "x"],
        &["init", "absent", "--run", "run"],
        &["init", "archive", "--run", "run", "--preset", "peper"],
        &["init", "archive", "--run", "run", "--set", "cluster.kk=3"],
        &["init", "archive", "--run", "run", "--set", "cluster.k=1"],
        &["init", "archive", "--run", "run", "--set", "compute.threads=100000"],
        &["init", "archive", "--run", "run", "--set", "run.epochs=4000000000"],
        &["ingest", "archive", "--out", "dataset"],
        &["ingest", "archive"],
        &["embed", "--dataset", "absent", "--raw", "--out", "features"],
        &["train", "--init", "--out", "weights", "--set", "compute.device=tpu"],
        &["cluster", "--features", "absent", "--assignments", "a", "--clusters", "c"],
    ];
    let said: Vec<String> = lines.iter().map(|words| transcript(&world, words)).collect();
    check("errors", &said.join("\n"));
}

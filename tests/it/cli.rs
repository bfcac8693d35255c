//! The command line: help, errors that say what to do, exit codes.

use serde_json::Value;

use crate::world::{STAGES, World, program};

#[test]
fn every_program_has_help_with_an_example() {
    for stage in STAGES {
        let world = World::new();
        let help = world.deepmcat(&[stage, "--help"]);
        assert!(help.contains("Usage:") && help.contains("Example"), "{stage}: {help}");
        let direct = std::process::Command::new(program(&format!("deepmcat-{stage}"))).arg("--help").output().unwrap();
        assert_eq!(String::from_utf8(direct.stdout).unwrap(), help);
    }
    for words in [["help", "names"], ["help", "plan"]] {
        let world = World::new();
        assert_eq!(world.deepmcat(&words), world.deepmcat(&[words[1], "--help"]));
    }
    let help = World::new().deepmcat(&["--help"]);
    assert!(help.contains("Example"), "{help}");
}

#[test]
fn the_version_says_what_the_programs_compute_with() {
    let said = World::new().deepmcat(&["--version"]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0] == concat!("deepmcat ", env!("CARGO_PKG_VERSION")) && lines[1].starts_with("commit "), "{said}");
    assert!(lines[2].starts_with("libtorch 2.") && lines[3].starts_with("encoder "), "{said}");
    assert_eq!(World::new().deepmcat(&["-V"]).trim(), lines[0]);
}

#[test]
fn mistakes_are_usage_errors_that_say_what_to_do() {
    let world = World::new();
    let message = world.fails(2, &["run", "nowhere"]);
    assert!(message.contains("nowhere: no run.toml here") && message.contains("hint: make one with"), "{message}");
    let message = world.fails(2, &["paint", "x"]);
    assert!(message.contains("deepmcat-paint: no such program"), "{message}");
    let message = world.fails(2, &["init", "absent", "--run", "run"]);
    assert!(message.contains("absent: no such file or folder"), "{message}");

    fs_err::create_dir_all(world.path("archive")).unwrap();
    let message = world.fails(2, &["init", "archive", "--run", "run", "--preset", "peper"]);
    assert!(message.contains("unknown preset `peper`"), "{message}");
    let message = world.fails(2, &["init", "archive", "--run", "run", "--set", "cluster.kk=3"]);
    assert!(message.contains("did you mean `cluster.k`?"), "{message}");
    assert!(!world.path("run").exists(), "a refused init leaves nothing");

    world.deepmcat(&["init", "archive", "--run", "run"]);
    let message = world.fails(2, &["init", "archive", "--run", "run"]);
    assert!(message.contains("there is a run here already"), "{message}");
    let message = world.fails(2, &["why", "run", "embed@1000"]);
    assert!(message.contains("no node `embed@1000`"), "{message}");
}

#[test]
fn run_toml_says_what_every_setting_means() {
    let world = World::new();
    fs_err::create_dir_all(world.path("archive")).unwrap();
    world.deepmcat(&["init", "archive", "--run", "run"]);
    let text = fs_err::read_to_string(world.path("run/run.toml")).unwrap();
    let mut commented = false;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('[')) {
        assert!(line.starts_with('#') || commented, "no comment above `{line}`");
        commented = true;
    }
    assert!(text.contains("width = 0.25"), "the preset's value stands in place of the paper's:\n{text}");
}

#[test]
fn an_archive_without_images_ends_in_a_clear_message() {
    let world = World::new();
    fs_err::create_dir_all(world.path("archive")).unwrap();
    fs_err::write(world.path("archive/notes.txt"), "no image").unwrap();
    world.deepmcat(&["init", "archive", "--run", "run", "--preset", "ci"]);
    let message = world.fails(2, &["run", "run"]);
    assert!(message.contains("no image"), "{message}");
}

#[test]
fn more_clusters_than_images_is_a_usage_error_and_not_retried() {
    let world = World::new();
    world.deepmcat(&["synth", "archive", "--subjects", "1", "--size", "48", "--classes", "LVOT,AO", "--format", "png"]);
    world.init("run");
    let message = world.fails(2, &["run", "run"]);
    assert!(message.contains("cluster@raw failed: exit code 2"), "{message}");
    assert!(message.contains("cluster.k") || message.contains("13 clusters"), "{message}");
}

#[test]
fn a_table_of_another_kind_is_refused_by_name() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let message = world.fails(
        2,
        &[
            "sample",
            "--assignments",
            "run/clusters/epoch=0",
            "--epoch",
            "0",
            "--out",
            "run/samples/epoch=9",
            "--preset",
            "ci",
        ],
    );
    assert!(message.contains("expected table `assignments v2`, found `clusters v1`"), "{message}");
    assert!(!world.path("run/samples/epoch=9").exists());
}

#[test]
fn the_doctor_finds_what_is_missing() {
    let world = World::new();
    world.small_run();
    let findings: Value = serde_json::from_str(&world.deepmcat(&["doctor", "run", "--json"])).unwrap();
    let verdict = |findings: &Value, what: &str| {
        let all = findings.as_array().unwrap();
        all.iter().find(|finding| finding["what"] == what).unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(["stages", "libtorch", "memory", "disk"].map(|what| verdict(&findings, what)), ["ok"; 4]);

    // deepmcat alone, and a run that wants a graphics card and more room than any disk has.
    world.init("large");
    let toml = world.path("large/run.toml");
    let text = fs_err::read_to_string(&toml).unwrap().replace("epochs = 2", "epochs = 10000");
    let text = text.replace("\nwidth = 0.0625", "\nwidth = 8.0").replace("checkpoints = 2", "checkpoints = 0");
    fs_err::write(&toml, text).unwrap();
    let alone = world.path("alone");
    fs_err::create_dir_all(&alone).unwrap();
    fs_err::copy(program("deepmcat"), alone.join("deepmcat")).unwrap();
    let mut doctor = std::process::Command::new(alone.join("deepmcat"));
    let output = doctor.args(["doctor", "large"]).env("PATH", "").current_dir(world.path("")).output().unwrap();
    let (said, hint) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{said}{hint}");
    assert!(said.contains("BAD  stages     deepmcat-fetch is neither beside deepmcat nor on PATH"), "{said}");
    assert!(said.contains("BAD  libtorch ") && said.contains("BAD  disk "), "{said}");
    assert!(hint.contains("3 of the things that a run needs"), "{hint}");
}

#[test]
fn programs_can_read_the_log() {
    let world = World::new();
    world.small_run();
    let lines = |words: &[&str]| -> Vec<Value> {
        let output = world.command(words).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
    };
    let plan = lines(&["plan", "run", "--log-format", "json"]);
    let estimate = plan.last().unwrap()["message"].as_str().unwrap();
    assert!(estimate.starts_with("disk space of the whole run with 100000 images (not counted yet)"), "{estimate}");
    let failed = lines(&["why", "run", "embed@99", "--log-format", "json"]);
    assert_eq!(failed[0]["level"], "ERROR");
    assert!(failed[0]["message"].as_str().unwrap().contains("no node `embed@99`"));
    assert!(failed[0]["timestamp"].as_f64().unwrap() > 1.7e9);
    assert!(world.deepmcat(&["completions", "bash"]).contains("complete -F _deepmcat"));
}

#[test]
fn without_the_encoder_a_run_is_made_that_needs_none_or_it_is_refused() {
    let world = World::new();
    fs_err::create_dir_all(world.path("archive")).unwrap();
    let init = |more: &[&str]| {
        let words = [&["init", "archive", "--run", "run"], more].concat();
        let output = world.command(&words).env("DEEPMCAT_ENCODERS", "nowhere").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for more in [&["--preset", "quick"][..], &["--set", "encoder.file=efficientnet-lite0"]] {
        let (code, said) = init(more);
        assert!(
            code == Some(2) && said.contains("nowhere/efficientnet-lite0.onnx") && said.contains("make setup"),
            "{said}"
        );
    }
    assert!(!world.path("run").exists());
    let (code, said) = init(&[]);
    assert!(code == Some(0) && said.contains("does without the encoder") && said.contains("make setup"), "{said}");
    let toml = fs_err::read_to_string(world.path("run/run.toml")).unwrap();
    assert!(
        toml.contains("\nfile = \"\"") && toml.contains("\nnetworks = 2") && toml.contains("\ntaught = 1"),
        "{toml}"
    );
    world.deepmcat(&["plan", "run"]);
}

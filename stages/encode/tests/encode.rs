//! Checks the built-in encoder against PyTorch (`fixtures/make_golden.py`), feature tables made elsewhere, and the error
//! messages.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use deepmcat_schemas::features::FeatureTable;
use deepmcat_testing::{dataset, has_encoder};
use tempfile::TempDir;

const SIDE: u32 = 224;

/// Image j of the golden values: a pattern that needs no file.
fn image(j: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| (x * (3 + j) + y * (5 + 2 * j) + x * y / (7 + j)) % 256;
    (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| pixel(x, y) as u8)).collect()
}

fn run(folder: &Path, words: &[&str]) -> (bool, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_deepmcat-encode"));
    let output = command.current_dir(folder).args(["--dataset", "set"]).args(words).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn images(count: u32) -> TempDir {
    let folder = TempDir::new().unwrap();
    dataset(&folder.path().join("set"), (0..count).map(|j| ([SIDE; 2], image(j))));
    folder
}

#[test]
fn the_encoder_gives_what_pytorch_gives_whatever_the_threads_and_parts() {
    if !has_encoder() {
        return;
    }
    let folder = images(4);
    let words = ["--set", "encoder.file=efficientnet-lite0", "--set"];
    for (threads, out) in [("compute.threads=1", "one"), ("compute.threads=2", "two")] {
        let (well, said) = run(folder.path(), &[&words[..], &[threads, "--out", out]].concat());
        assert!(well, "{said}");
    }
    let bytes = |out: &str| fs_err::read(folder.path().join(out).join("part-0.arrow")).unwrap();
    assert!(bytes("one") == bytes("two"), "threads change features");
    let table = FeatureTable::open(&folder.path().join("one/part-0.arrow")).unwrap();
    assert_eq!((table.len(), table.dimensions()), (4, 1280));
    // Four images are one batch: two of three parts have none, but the width of the other.
    for part in 0..3 {
        let shard = format!("{part}/3");
        let (well, said) =
            run(folder.path(), &[&words[..], &["compute.threads=2", "--shard", &shard, "--out", "parts"]].concat());
        assert!(well, "{said}");
        let part = FeatureTable::open(&folder.path().join(format!("parts/part-{part}.arrow"))).unwrap();
        assert_eq!(part.dimensions(), 1280);
    }
    let parts: Vec<usize> = (0..3)
        .map(|part| FeatureTable::open(&folder.path().join(format!("parts/part-{part}.arrow"))).unwrap().len())
        .collect();
    assert_eq!(parts.iter().sum::<usize>(), 4, "{parts:?}");
    let golden: serde_json::Value = serde_json::from_str(include_str!("../fixtures/golden.json")).unwrap();
    for (row, golden) in golden["features"].as_array().unwrap().iter().enumerate() {
        let mut feature = vec![0.0; 1280];
        table.values().read(row, &mut feature);
        // The table's rows have length 1.
        let length = golden["l2"].as_f64().unwrap();
        let first = golden["first"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
        for (found, expected) in feature.iter().zip(first) {
            assert!((f64::from(*found) * length - expected).abs() < 1e-4 * length.max(1.0), "{row}: {found}");
        }
        let mean = feature.iter().map(|&value| f64::from(value)).sum::<f64>() / 1280.0 * length;
        assert!((mean - golden["mean"].as_f64().unwrap()).abs() < 1e-4, "{row}: {mean}");
    }
}

#[test]
fn a_killed_program_goes_on_where_it_was() {
    if !has_encoder() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let pixels = |j: u32| (0..64).map(|place| (place * (j % 251) % 256) as u8).collect();
    dataset(&folder.path().join("set"), (0..1100).map(|j| ([8; 2], pixels(j))));
    let words = ["--dataset", "set", "--set", "encoder.file=efficientnet-lite0", "--out", "killed"];
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_deepmcat-encode"));
    let mut child = command.current_dir(folder.path()).args(words).arg("--quiet").spawn().unwrap();
    let partial = folder.path().join(".encoding/killed-part-0");
    while !fs_err::metadata(&partial).is_ok_and(|file| file.len() > 64) && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Between the values and the word that they are there it may have been killed: then it starts again.
    let kept = partial.is_file();
    let (well, said) = run(folder.path(), &words[2..]);
    assert!(
        well && (!kept || said.contains("1024 of 1100 images were encoded before") || said.contains("timing")),
        "{said}"
    );
    assert!(!folder.path().join(".encoding").exists());
    let (well, said) = run(folder.path(), &["--set", "encoder.file=efficientnet-lite0", "--out", "whole"]);
    assert!(well, "{said}");
    let bytes = |out: &str| fs_err::read(folder.path().join(out).join("part-0.arrow")).unwrap();
    assert!(bytes("killed") == bytes("whole"));
}

#[test]
fn what_does_not_fit_the_network_is_said_with_the_setting() {
    if !has_encoder() {
        return;
    }
    let folder = images(1);
    let built_in = ["--set", "encoder.file=efficientnet-lite0", "--out", "out", "--set"];
    for (setting, expected) in [
        ("encoder.side=64", "hint: set encoder.channels and encoder.side"),
        ("encoder.output=nothing", "it has no output `nothing`\nhint: encoder.output is one of features"),
    ] {
        let (well, said) = run(folder.path(), &[&built_in[..], &[setting]].concat());
        assert!(!well && said.contains(expected), "{said}");
    }
    fs_err::write(folder.path().join("torn.onnx"), b"\x08\x08").unwrap();
    let (well, said) = run(folder.path(), &["--from", "torn.onnx", "--out", "out"]);
    assert!(!well && said.contains("torn.onnx: ") && said.contains("hint:"), "{said}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn without_the_set_up_it_says_how_to_get_it() {
    let folder = images(1);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_deepmcat-encode"));
    let words = ["--dataset", "set", "--set", "encoder.file=efficientnet-lite0", "--out", "out"];
    let output = command.current_dir(folder.path()).env("DEEPMCAT_ENCODERS", "nowhere").args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("nowhere/") && said.contains("make setup"), "{said}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn features_of_the_user_need_no_engine() {
    let folder = images(3);
    // NPY, version 1.0, of 3 rows of 2 numbers.
    let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
    let head = format!("{head:<117}\n");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend(u16::try_from(head.len()).unwrap().to_le_bytes());
    npy.extend(head.as_bytes());
    npy.extend([3.0_f32, 4.0, 0.0, 2.0, 5.0, 0.0].iter().flat_map(|value| value.to_le_bytes()));
    fs_err::write(folder.path().join("own.npy"), &npy).unwrap();
    let (well, said) = run(folder.path(), &["--from", "own.npy", "--out", "out"]);
    assert!(well, "{said}");
    let table = FeatureTable::open(&folder.path().join("out/part-0.arrow")).unwrap();
    let mut feature = [0.0; 2];
    table.values().read(0, &mut feature);
    assert_eq!((table.len(), feature), (3, [0.6, 0.8]));

    fs_err::write(folder.path().join("short.npy"), &npy[..npy.len() - 4]).unwrap();
    let (well, said) = run(folder.path(), &["--from", "short.npy", "--out", "none"]);
    assert!(!well && said.contains("short.npy"), "{said}");
    let (well, said) = run(folder.path(), &["--out", "none"]);
    assert!(!well && said.contains("no encoder was given"), "{said}");
    assert!(!folder.path().join("none").exists());
}

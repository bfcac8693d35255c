//! What holds of every data set: order, keys, replacement, the same bytes again.

use std::collections::BTreeMap;
use std::path::Path;

use deepmcat_ingest::{Error, Keys, Settings};

use crate::support::{run, settings, try_run};

/// An 8-bit grey PNG of 4 x 4.
fn png(path: &Path, level: u8) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(fs_err::File::create(path).unwrap(), 4, 4);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&[level; 16]).unwrap();
}

fn archive(folder: &Path) {
    for (name, level) in [("b/s2_1.png", 7), ("a/s1_1.png", 1), ("a/s2_2.png", 2), ("top.png", 9)] {
        png(&folder.join(name), level);
    }
    fs_err::write(folder.join("a/notes.txt"), "no image").unwrap();
    fs_err::write(folder.join("a/torn.png"), b"\x89PNG\r\n\x1a\n").unwrap();
}

/// All files of a folder with their bytes.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file()) {
        let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        files.insert(name, fs_err::read(entry.path()).unwrap());
    }
    files
}

#[test]
fn pictures_are_kept_and_their_folder_is_their_class() {
    let folder = tempfile::tempdir().unwrap();
    archive(&folder.path().join("in"));
    let dataset = run(&folder.path().join("in"), &folder.path().join("out"), &settings());
    assert_eq!(dataset.sources.source, ["a/s1_1.png", "a/s2_2.png", "b/s2_1.png", "top.png"]);
    let labels: Vec<_> = dataset.manifest.label.iter().map(Option::as_deref).collect();
    assert_eq!(labels, [Some("a"), Some("a"), Some("b"), None]);
    assert_eq!(dataset.levels(2), [7; 16]);
    assert_eq!((dataset.manifest.window_low[0], dataset.manifest.window_high[0]), (0.0, 255.0));
    // The same subject in two class folders.
    assert_eq!(dataset.manifest.subject[1], dataset.manifest.subject[2]);
    assert_eq!(dataset.reason("a/notes.txt"), Some("not_an_image"));
    assert_eq!(dataset.reason("a/torn.png"), Some("unreadable"));
}

#[test]
fn the_same_bytes_whatever_the_threads_and_the_place() {
    let folder = tempfile::tempdir().unwrap();
    archive(&folder.path().join("in"));
    archive(&folder.path().join("moved/elsewhere"));
    let one = Settings { threads: 1, ..settings() };
    let two = Settings { threads: 2, ..settings() };
    run(&folder.path().join("in"), &folder.path().join("one"), &one);
    run(&folder.path().join("moved/elsewhere"), &folder.path().join("two"), &two);
    assert_eq!(bytes(&folder.path().join("one")), bytes(&folder.path().join("two")));
    assert!(!folder.path().join(".tmp").exists());
}

#[test]
fn another_key_gives_other_names() {
    let folder = tempfile::tempdir().unwrap();
    archive(&folder.path().join("in"));
    let key = folder.path().join("key");
    fs_err::write(&key, [5; 32]).unwrap();
    let keyed = Settings { keys: Keys::from_file(&key).unwrap(), ..settings() };
    let a = run(&folder.path().join("in"), &folder.path().join("a"), &settings());
    let b = run(&folder.path().join("in"), &folder.path().join("b"), &keyed);
    assert!(a.manifest.key.iter().all(|key| !b.manifest.key.contains(key)));
    assert_eq!(a.manifest.pixels, b.manifest.pixels);
}

#[test]
fn an_earlier_data_set_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    run(&input, &out, &settings());
    fs_err::remove_file(input.join("b/s2_1.png")).unwrap();
    // check_account finds what would be left over.
    assert_eq!(run(&input, &out, &settings()).manifest.image_id.len(), 3);
}

#[test]
fn a_folder_that_is_no_data_set_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("holiday"));
    archive(&input);
    png(&out.join("images/beach.png"), 1);
    assert!(matches!(try_run(&[input], &out, &settings()), Err(Error::NotADataset { .. })));
    assert!(out.join("images/beach.png").exists());
}

#[test]
fn without_an_image_the_rejects_say_why_and_there_is_no_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    fs_err::create_dir_all(&input).unwrap();
    fs_err::write(input.join("a.txt"), "text").unwrap();
    let error = try_run(&[input], &out, &settings()).err().unwrap();
    assert!(error.to_string().contains("1 not_an_image"), "{error}");
    assert!(out.join("rejects.parquet").exists() && !out.join("manifest.parquet").exists());
}

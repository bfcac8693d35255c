//! What holds of every data set: order, keys, replacement, the same bytes again.

use std::collections::BTreeMap;
use std::path::Path;

use deepmcat_ingest::{Error, Keys, Settings, ingest};

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

/// All files of a folder with their bytes; without the table of inputs, which says when each was changed.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).filter(|e| e.file_type().is_file()) {
        let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        if name != "inputs.parquet" {
            files.insert(name, fs_err::read(entry.path()).unwrap());
        }
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
    assert!(bytes(&folder.path().join("one")) == bytes(&folder.path().join("two")));
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
    // As an ingest leaves it that is killed while it replaces another.
    png(&out.join(".partial/replaced/old.png"), 1);
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

/// Changes a file's pixels but neither its size nor its time, so that only who reads it again can tell.
fn change_unseen(path: &Path, level: u8) {
    let before = fs_err::metadata(path).unwrap();
    png(path, level);
    assert_eq!(fs_err::metadata(path).unwrap().len(), before.len());
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    let first = run(&input, &out, &settings());
    let before = bytes(&out);
    change_unseen(&input.join("b/s2_1.png"), 8);
    let second = run(&input, &out, &settings());
    assert!(bytes(&out) == before);
    assert_eq!((&second.summary.rejects, &second.summary.labels), (&first.summary.rejects, &first.summary.labels));
    // What was changed in the data set is made again: an image, a table.
    change_unseen(&input.join("b/s2_1.png"), 7);
    fs_err::remove_file(out.join(&first.manifest.path[0])).unwrap();
    run(&input, &out, &settings());
    assert!(bytes(&out) == before);
    fs_err::copy(out.join("rejects.parquet"), out.join("manifest.parquet")).unwrap();
    run(&input, &out, &settings());
    assert!(bytes(&out) == before);
    // New settings read it, and so does --fresh.
    change_unseen(&input.join("b/s2_1.png"), 8);
    let bits = Settings { bits: 16, ..settings() };
    assert_ne!(run(&input, &folder.path().join("out"), &bits).manifest.pixels, first.manifest.pixels);
    run(&input, &out, &settings());
    change_unseen(&input.join("b/s2_1.png"), 9);
    let fresh = Settings { fresh: true, ..settings() };
    assert_eq!(run(&input, &out, &fresh).levels(2), [9; 16]);
}

#[test]
fn new_files_are_added_and_known_images_keep_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    let before = run(&input, &out, &settings()).manifest;
    change_unseen(&input.join("b/s2_1.png"), 8);
    png(&input.join("a/s0_1.png"), 5);
    fs_err::remove_file(input.join("top.png")).unwrap();
    png(&input.join("top.png"), 6);
    fs_err::write(input.join("a/notes.txt"), "no image, but longer").unwrap();
    let after = run(&input, &out, &settings());
    assert_eq!(after.manifest.key[..4], before.key);
    assert_eq!(after.sources.source[4], "a/s0_1.png");
    // Only the changed file was read again.
    assert_eq!((after.levels(2), after.levels(3)), (vec![7; 16], vec![6; 16]));
}

#[test]
fn an_ingest_that_broke_off_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    let batches = Settings { batch: 1, threads: 1, ..settings() };
    run(&input, &folder.path().join("whole"), &batches);
    // A file where the third batch's folder is to be: the run fails there as on a full disk.
    let hurdle = out.join(".partial/batch-2");
    fs_err::create_dir_all(hurdle.parent().unwrap()).unwrap();
    fs_err::write(&hurdle, "in the way").unwrap();
    let error = try_run(std::slice::from_ref(&input), &out, &batches).err().unwrap();
    assert!(error.to_string().contains("batch-2"), "{error}");
    assert!(!out.join("manifest.parquet").exists());
    fs_err::remove_file(hurdle).unwrap();
    change_unseen(&input.join("a/s1_1.png"), 9);
    let resumed = run(&input, &out, &batches);
    assert!(bytes(&out) == bytes(&folder.path().join("whole")) && !out.join(".partial").exists());
    assert_eq!(resumed.levels(0), [1; 16]);
}

/// A NIfTI-1 header of 2 x 2 voxels of 8 bits whose voxels are in a file of their own.
fn pair_header() -> Vec<u8> {
    let mut head = vec![0_u8; 348];
    head[..4].copy_from_slice(&348_i32.to_le_bytes());
    for (at, value) in [(40, 2_i16), (42, 2), (44, 2), (70, 2), (72, 8)] {
        head[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    head[344..].copy_from_slice(b"ni1\0");
    head
}

#[test]
fn pairs_are_read_together_in_folders_and_in_zips() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    fs_err::create_dir_all(&input).unwrap();
    let file = |path: &str, bytes: &[u8]| fs_err::write(input.join(path), bytes).unwrap();
    file("a.hdr", &pair_header());
    file("a.img", &[0, 50, 100, 255]);
    let mut zip = zip::ZipWriter::new(fs_err::File::create(input.join("b.zip")).unwrap());
    for (name, bytes) in
        [("s/a.img", [0, 50, 100, 255].as_slice()), ("s/a.hdr", &pair_header()), ("c.hdr", &pair_header())]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, bytes).unwrap();
    }
    zip.finish().unwrap();
    let pairs = run(&input, &out, &settings());
    assert_eq!(pairs.summary.images, Some(2));
    assert_eq!(pairs.sources.member[1].as_deref(), Some("s/a.hdr"));
    assert_eq!(pairs.manifest.pixels[0], pairs.manifest.pixels[1]);
    let reasons: Vec<&str> = pairs.rejects.reason.iter().map(String::as_str).collect();
    assert_eq!(reasons, ["companion", "unreadable", "companion"]);
    // Other voxels under the same header are seen.
    file("a.img", &[0, 50, 255, 100]);
    assert_ne!(run(&input, &out, &settings()).manifest.pixels[0], pairs.manifest.pixels[0]);
}

#[test]
fn parts_by_several_processes_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in");
    archive(&input);
    let stamp = deepmcat_common::CommonArgs::default().config().unwrap().stamp("ingest", "0");
    run(&input, &folder.path().join("plain"), &settings());
    for count in [1, 2, 3, 9] {
        let out = folder.path().join(format!("parts-{count}"));
        let mut images = 0;
        for index in (0..count).rev() {
            let shard = Some(format!("{index}/{count}").parse().unwrap());
            let settings = Settings { shard, ..settings() };
            images += ingest(std::slice::from_ref(&input), &out, &settings, &stamp, false).unwrap().images.unwrap();
            assert!(!out.join("manifest.parquet").exists());
        }
        assert_eq!(images, 4);
        // Put together without reading a file again.
        change_unseen(&input.join("b/s2_1.png"), 8);
        run(&input, &out, &settings());
        change_unseen(&input.join("b/s2_1.png"), 7);
        assert!(bytes(&out) == bytes(&folder.path().join("plain")), "{count}");
        assert!(!out.join(".partial").exists());
    }
}

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
    for (name, level) in [("b/p002_1.png", 7), ("a/p001_1.png", 1), ("a/p002_2.png", 2), ("top.png", 9)] {
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
fn pictures_are_kept_and_have_the_class_that_the_rules_give() {
    let folder = tempfile::tempdir().unwrap();
    archive(&folder.path().join("in"));
    let folders = Settings { rules: "folders".to_owned(), ..settings() };
    let dataset = run(&folder.path().join("in"), &folder.path().join("out"), &folders);
    assert_eq!(dataset.image_sources(), ["a/p001_1.png", "a/p002_2.png", "b/p002_1.png", "top.png"]);
    assert_eq!([0, 1, 2, 3].map(|image| dataset.label(image)), [Some("a"), Some("a"), Some("b"), None]);
    assert_eq!(dataset.levels(2), [7; 16]);
    assert_eq!((dataset.manifest.window_low[0], dataset.manifest.window_high[0]), (0.0, 255.0));
    // The same subject in two class folders; nothing says whose the last is.
    assert_eq!(dataset.manifest.subject[1], dataset.manifest.subject[2]);
    assert_ne!(dataset.manifest.subject[0], dataset.manifest.subject[1]);
    assert_eq!(dataset.manifest.subject[3], None);
    assert_eq!(dataset.reason("a/notes.txt"), Some("not_an_image"));
    assert_eq!(dataset.reason("a/torn.png"), Some("truncated"));
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
    fs_err::remove_file(input.join("b/p002_1.png")).unwrap();
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

/// Changes a file's pixels, but neither its size nor its time.
fn replace(path: &Path, level: u8) {
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
    assert_eq!((first.summary.files, first.summary.taken_over), (4, 0));
    let before = bytes(&out);
    let again = |wanted: u64, settings: &Settings| {
        let dataset = run(&input, &out, settings);
        assert_eq!(dataset.summary.taken_over, wanted);
        dataset
    };
    let second = again(4, &settings());
    assert!(bytes(&out) == before);
    assert_eq!((&second.summary.rejects, &second.summary.labels), (&first.summary.rejects, &first.summary.labels));
    // A file that was replaced under its size and time is seen.
    replace(&input.join("b/p002_1.png"), 8);
    assert_eq!(again(3, &settings()).levels(2), [8; 16]);
    replace(&input.join("b/p002_1.png"), 7);
    again(3, &settings());
    assert!(bytes(&out) == before);
    // New settings read all, and so does --fresh.
    assert_ne!(again(0, &Settings { bits: 16, ..settings() }).manifest.pixels, first.manifest.pixels);
    again(0, &settings());
    again(0, &Settings { fresh: true, ..settings() });
    assert!(bytes(&out) == before);
}

#[test]
fn a_damaged_data_set_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    let first = run(&input, &out, &settings());
    let before = bytes(&out);
    let png = out.join(&first.manifest.path[0]);
    let whole = fs_err::read(&png).unwrap();
    let other = fs_err::read(out.join(&first.manifest.path[1])).unwrap();
    // Missing, cut short as by a full disk, zeros as after a power cut, another picture.
    let damages: [&dyn Fn(); 5] = [
        &|| fs_err::remove_file(&png).unwrap(),
        &|| fs_err::write(&png, &whole[..whole.len() / 2]).unwrap(),
        &|| fs_err::write(&png, b"").unwrap(),
        &|| fs_err::write(&png, vec![0; whole.len()]).unwrap(),
        &|| fs_err::write(&png, &other).unwrap(),
    ];
    for damage in damages {
        damage();
        assert_eq!(run(&input, &out, &settings()).summary.taken_over, 3);
        assert!(bytes(&out) == before);
    }
    // A copy of the data set is as good as itself.
    fs_err::write(&png, &whole).unwrap();
    assert_eq!(run(&input, &out, &settings()).summary.taken_over, 4);
    fs_err::copy(out.join("rejects.parquet"), out.join("manifest.parquet")).unwrap();
    assert_eq!(run(&input, &out, &settings()).summary.taken_over, 0);
    assert!(bytes(&out) == before);
}

#[test]
fn other_class_rules_change_labels_and_decode_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    let plain = run(&input, &out, &settings());
    let tables = || ["manifest.parquet", "sources.parquet"].map(|name| fs_err::read(out.join(name)).unwrap());
    let before = tables();
    assert!(plain.labels.label.is_empty(), "`none` gives no picture its folder's name");
    let folders = Settings { rules: "folders".to_owned(), ..settings() };
    let named = run(&input, &out, &folders);
    assert_eq!((named.summary.taken_over, named.label(2)), (4, Some("b")));
    assert!(tables() == before, "what training reads is unchanged to the byte");
    assert_eq!(run(&input, &out, &settings()).labels, plain.labels);
    // What is kept out is gone, and comes back.
    let rules = folder.path().join("rules");
    fs_err::write(&rules, "[[rule]]\nfield = \"folder\"\npattern = \"^a$\"\nexclude = true\n").unwrap();
    let some = run(&input, &out, &Settings { rules: rules.to_str().unwrap().to_owned(), ..settings() });
    assert_eq!((some.summary.images, some.reason("a/p001_1.png")), (Some(2), Some("excluded")));
    assert_eq!(run(&input, &out, &settings()).summary.images, Some(4));
}

#[test]
fn nothing_good_is_replaced_by_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    run(&input, &out, &settings());
    let before = bytes(&out);
    let fails = |settings: &Settings| {
        let error = try_run(std::slice::from_ref(&input), &out, settings).err().unwrap();
        assert!(matches!(error, Error::NothingLeft { images: 4, .. }), "{error}");
        assert!(bytes(&out) == before);
    };
    // Rules that exclude all.
    let rules = folder.path().join("rules");
    fs_err::write(&rules, "[[rule]]\nfield = \"path\"\npattern = \".\"\nexclude = true\n").unwrap();
    fails(&Settings { rules: rules.to_str().unwrap().to_owned(), ..settings() });
    // The archive is there but empty, as a mount point is; or holds files that are no images.
    fs_err::rename(&input, folder.path().join("elsewhere")).unwrap();
    fs_err::create_dir(&input).unwrap();
    fails(&settings());
    fails(&Settings { fresh: true, ..settings() });
    fs_err::write(input.join("readme.txt"), "not mounted").unwrap();
    fails(&settings());
    fs_err::remove_dir_all(&input).unwrap();
    fs_err::rename(folder.path().join("elsewhere"), &input).unwrap();
    assert_eq!(run(&input, &out, &settings()).summary.taken_over, 4);
}

#[test]
fn one_of_several_inputs_that_is_not_mounted_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two, out) = (folder.path().join("one"), folder.path().join("two"), folder.path().join("out"));
    archive(&one);
    archive(&two);
    let inputs = [one.clone(), two.clone()];
    try_run(&inputs, &out, &settings()).unwrap();
    let before = bytes(&out);
    fs_err::rename(&two, folder.path().join("elsewhere")).unwrap();
    fs_err::create_dir(&two).unwrap();
    let error = try_run(&inputs, &out, &settings()).err().unwrap();
    assert!(matches!(error, Error::EmptyNow { files: 6, .. }), "{error}");
    assert!(bytes(&out) == before);
    // An input that never gave anything may be empty.
    fs_err::remove_dir(&two).unwrap();
    fs_err::rename(folder.path().join("elsewhere"), &two).unwrap();
    let new = folder.path().join("new");
    fs_err::create_dir(&new).unwrap();
    try_run(&[one, two, new], &out, &settings()).unwrap();
}

#[test]
fn a_data_set_made_with_another_key_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out, key) = (folder.path().join("in"), folder.path().join("out"), folder.path().join("key"));
    archive(&input);
    fs_err::write(&key, [5; 32]).unwrap();
    let keyed = Settings { keys: Keys::from_file(&key).unwrap(), ..settings() };
    run(&input, &out, &keyed);
    let before = bytes(&out);
    let error = try_run(std::slice::from_ref(&input), &out, &settings()).err().unwrap();
    assert!(matches!(error, Error::OtherKey { .. }), "{error}");
    assert!(bytes(&out) == before);
    run(&input, &out, &Settings { fresh: true, ..settings() });
    assert!(bytes(&out) != before);
}

#[test]
fn new_files_are_added_and_known_images_keep_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    archive(&input);
    let before = run(&input, &out, &settings()).manifest;
    png(&input.join("a/p000_1.png"), 5);
    fs_err::remove_file(input.join("top.png")).unwrap();
    png(&input.join("top.png"), 6);
    fs_err::write(input.join("a/notes.txt"), "no image, but longer").unwrap();
    let after = run(&input, &out, &settings());
    assert_eq!(after.manifest.key[..4], before.key);
    assert_eq!(after.image_sources()[4], "a/p000_1.png");
    assert_eq!((after.summary.taken_over, after.levels(3)), (3, vec![6; 16]));
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
    let resumed = run(&input, &out, &batches);
    assert!(bytes(&out) == bytes(&folder.path().join("whole")) && !out.join(".partial").exists());
    // Two images and the reject of the torn one are in the two batches.
    assert_eq!(resumed.summary.taken_over, 2);
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

//! Names of files and folders in a whole run: in the table of sources, and nowhere else.

use std::path::Path;

use crate::world::World;

const NAME: &str = "DOE^JOHN";

#[test]
fn a_run_holds_names_in_the_table_of_sources_alone() {
    let world = World::new();
    world.small_run();
    // A patient's name on the folder of one subject, on a picture without pixels and on what is no image.
    let subject = fs_err::read_dir(world.path("archive")).unwrap().next().unwrap().unwrap().path();
    fs_err::rename(&subject, world.path("archive").join(NAME)).unwrap();
    fs_err::write(world.path(&format!("archive/{NAME}/{NAME}.png")), b"\x89PNG\r\n\x1a\n").unwrap();
    fs_err::write(world.path(&format!("archive/{NAME}.txt")), NAME).unwrap();
    let output = world.command(&["run", "run"]).output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{}", said[1]);
    for text in said {
        assert!(!text.contains(NAME), "{text}");
    }
    let commands: [&[&str]; 3] =
        [&["status", "run"], &["why", "run", "ingest"], &["plan", "run", "--set", "ingest.bits=16"]];
    for command in commands {
        assert!(!world.deepmcat(command).contains(NAME), "{command:?}");
    }
    let files = walkdir::WalkDir::new(world.path("run")).into_iter().map(Result::unwrap);
    let files: Vec<_> = files.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect();
    assert!(files.iter().any(|file| file.ends_with("receipts/hashes.json")), "{files:?}");
    let named: Vec<_> = files
        .iter()
        // The whole name: three letters of it stand in any megabyte of weights by chance.
        .filter(|file| deepmcat_testing::content(file).contains(NAME) || file.to_string_lossy().contains(NAME))
        .map(|file| file.strip_prefix(world.path("run")).unwrap())
        .collect();
    assert_eq!(named, [Path::new("dataset/sources.parquet")]);
}

//! UK Biobank's zips, read in place: the same images as from the files, and what must be kept out is.

use std::collections::{BTreeMap, BTreeSet};

use deepmcat_schemas::{ImageId, Labels, Manifest, Rejects, Sources, read_table};

use crate::world::World;

const SUBJECTS: usize = 8;

/// Pixels and class of every image of a data set, sorted.
fn images(world: &World, dataset: &str) -> Vec<(String, Option<String>)> {
    let manifest: Manifest = read_table(&world.path(dataset).join("manifest.parquet")).unwrap();
    let labels: Labels = read_table(&world.path(dataset).join("labels.parquet")).unwrap();
    let labels: BTreeMap<ImageId, String> = labels.image_id.into_iter().zip(labels.label).collect();
    let label = manifest.image_id.iter().map(|id| labels.get(id).cloned());
    let mut images: Vec<_> = manifest.pixels.iter().cloned().zip(label).collect();
    images.sort();
    images
}

#[test]
fn zips_give_the_images_of_the_files_and_nothing_that_must_be_kept_out() {
    let world = World::new();
    let subjects = SUBJECTS.to_string();
    let synth = ["--subjects", &subjects, "--size", "32", "--frames", "3"];
    world.deepmcat(&[&["synth", "zips", "--format", "ukb-zip"], &synth[..]].concat());
    world.deepmcat(&[&["synth", "files", "--format", "dicom"], &synth[..]].concat());
    let ingest = |archive, out| world.deepmcat(&["ingest", archive, "--out", out, "--rules", "ukbb", "--json"]);
    ingest("files", "plain");
    let summary: serde_json::Value = serde_json::from_str(&ingest("zips", "zipped")).unwrap();

    // Subject 5's long-axis views are in one series that names no view: three images without a class.
    let (plain, zipped) = (images(&world, "plain"), images(&world, "zipped"));
    let pixels = |images: &[(String, Option<String>)]| images.iter().map(|image| image.0.clone()).collect::<Vec<_>>();
    assert_eq!(pixels(&zipped), pixels(&plain));
    let differ: Vec<_> = zipped.iter().zip(&plain).filter(|(a, b)| a.1 != b.1).map(|(a, b)| (&a.1, &b.1)).collect();
    assert_eq!(differ.len(), 3, "{differ:?}");
    assert!(differ.iter().all(|(zipped, plain)| zipped.is_none() && plain.as_ref().unwrap().starts_with("LA_")));

    let rejects: Rejects = read_table(&world.path("zipped/rejects.parquet")).unwrap();
    let sources: Sources = read_table(&world.path("zipped/sources.parquet")).unwrap();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in &rejects.reason {
        *reasons.entry(reason).or_default() += 1;
    }
    // A scout, two results drawn by the scanner and four maps of the abdomen a subject; a list of files a zip; the
    // two-chamber views of subjects 2 and 6 that were done again.
    assert_eq!((reasons["excluded"], reasons["companion"]), (7 * SUBJECTS, 8 * SUBJECTS));
    assert_eq!(reasons["duplicate_acquisition"], 2);
    assert!(sources.member.iter().all(Option::is_some));
    assert_eq!(summary["inputs"], sources.input.iter().collect::<BTreeSet<_>>().len());
    let compared = &summary["compared"];
    assert_eq!((&compared["different"], &compared["absent"]), (&0.into(), &0.into()), "{compared}");
    assert!(compared["same"].as_u64().unwrap() > 3 * 24 * SUBJECTS as u64 / 2, "{compared}");

    // One person is one subject in either form.
    let subjects = |dataset: &str| {
        let manifest: Manifest = read_table(&world.path(dataset).join("manifest.parquet")).unwrap();
        manifest.subject.into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(subjects("zipped"), subjects("plain"));
    assert_eq!(subjects("zipped").len(), SUBJECTS);
}

#[test]
fn a_dry_run_says_what_each_rule_matched_and_what_none_did() {
    let world = World::new();
    let synth = ["synth", "zips", "--format", "ukb-zip", "--subjects", "6", "--size", "16", "--classes"];
    world.deepmcat(&[&synth[..], &["LA_2CH,LA_3CH,LA_4CH"]].concat());
    let output = world.command(&["ingest", "zips", "--out", "none", "--rules", "ukbb", "--dry-run"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !world.path("none").exists(), "{said}");
    // Five subjects, and the one of them whose view was acquired twice.
    assert!(said.contains("6 files by the rule of line 44, SeriesDescription ^CINE_segmented_LAX_2Ch$"), "{said}");
    assert!(said.contains("3 files by no rule: SeriesDescription CINE_segmented_LAX"), "{said}");
}

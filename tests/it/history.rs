//! `deepmcat history` on assignments made by hand, and on a run whose metrics say the same.

use std::path::Path;

use deepmcat_schemas::layout::{PART_0, partition};
use deepmcat_schemas::{Assignments, ClusterId, Epoch, ImageId, Manifest, Metrics, Stamp, read_folder, write_table};
use serde_json::{Value, json};

use crate::world::World;

/// The run folder `run` of five images: two networks of two epochs and the result. `_`: not assigned.
const CLUSTERS: [(u32, &str); 5] = [(0, "00112"), (1, "0112_"), (2, "22100"), (3, "2210_"), (4, "22110")];

fn made_by_hand(world: &World) {
    let run = world.path("run");
    fs_err::create_dir_all(&run).unwrap();
    fs_err::write(run.join("run.toml"), "[run]\nepochs = 4\nnetworks = 2\n").unwrap();
    write_table(&run.join("dataset/manifest.parquet"), &manifest(5), &Stamp::default()).unwrap();
    for (epoch, clusters) in CLUSTERS {
        write_epoch(&run, epoch, clusters);
    }
}

fn write_epoch(run: &Path, epoch: u32, clusters: &str) {
    let mut table = Assignments::default();
    for (image, cluster) in clusters.chars().enumerate() {
        let Some(cluster) = cluster.to_digit(10) else { continue };
        table.image_id.push(ImageId(image as u32));
        table.cluster.push(ClusterId(cluster));
        table.distance.push(0.5 + image as f32);
        table.margin.push(0.25);
        // The second clustering of the epochs turns the numbers round; the result has none.
        table.others.push(if epoch < 4 { vec![ClusterId(2 - cluster)] } else { Vec::new() });
    }
    write_table(&partition(run, "assignments", Epoch(epoch)).join(PART_0), &table, &Stamp::default()).unwrap();
}

fn manifest(images: u32) -> Manifest {
    let count = images as usize;
    let texts = |text: &str| (0..images).map(|image| format!("{text}{image}")).collect::<Vec<_>>();
    Manifest {
        image_id: (0..images).map(ImageId).collect(),
        key: texts("key"),
        path: texts("images/"),
        subject: vec![None; count],
        series: texts("series"),
        slice: vec![0; count],
        pixels: texts("pixels"),
        width: vec![8; count],
        height: vec![8; count],
        spacing_x: vec![None; count],
        spacing_y: vec![None; count],
        bits: vec![8; count],
        window_low: vec![0.0; count],
        window_high: vec![255.0; count],
        format: vec!["dicom".to_owned(); count],
        burned_in: vec![false; count],
        flags: vec![None; count],
    }
}

fn asked(world: &World, words: &[&str]) -> Vec<Value> {
    let said = world.deepmcat(&[&["history", "run"], words, &["--format", "json"]].concat());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn columns(rows: &[Value], names: &[&str]) -> Vec<Value> {
    rows.iter().map(|row| names.iter().map(|name| row[name].clone()).collect()).collect()
}

#[test]
fn flips_are_counted_within_a_network_and_where_both_epochs_have_the_image() {
    let world = World::new();
    made_by_hand(&world);
    let epochs = asked(&world, &[]);
    let found = columns(&epochs, &["epoch", "network", "before", "images", "clusters", "compared", "flips"]);
    let expected = [
        json!([0, 0, null, 5, 3, null, null]),
        json!([1, 0, 0, 4, 3, 4, 2]),
        json!([2, 1, null, 5, 3, null, null]),
        json!([3, 1, 2, 4, 3, 4, 0]),
        json!([4, 1, 3, 5, 3, 4, 1]),
    ];
    assert_eq!(found, expected);
    assert_eq!(columns(&epochs, &["stability"])[1], json!([0.5]));

    let images = asked(&world, &["images", "--last", "3"]);
    let found = columns(&images, &["image_id", "epochs", "compared", "flips", "cluster", "last_flip"]);
    let expected = [
        json!([3, 5, 3, 2, 1, 4]),
        json!([1, 5, 3, 1, 2, 1]),
        json!([0, 5, 3, 0, 2, null]),
        json!([2, 5, 3, 0, 1, null]),
        json!([4, 3, 0, 0, 0, null]),
    ];
    assert_eq!(found, expected);
    // The last three epochs of the second network: 0, 0, 1.
    let entropy = images[0]["entropy"].as_f64().unwrap();
    let third: f64 = 1.0 / 3.0;
    assert!((entropy + third * third.log2() + 2.0 * third * (2.0 * third).log2()).abs() < 1e-12, "{entropy}");
    assert_eq!(columns(&images[4..], &["entropy", "stability"]), [json!([0.0, null])]);
    assert_eq!(columns(&asked(&world, &["images", "--epochs", "..1"])[..1], &["image_id", "epochs"]), [json!([1, 2])]);
}

#[test]
fn flows_and_paths_follow_images_through_the_epochs() {
    let world = World::new();
    made_by_hand(&world);
    let of = ["from_cluster", "to_cluster", "images", "share_from", "share_to"];
    let flows = columns(&asked(&world, &["flows", "0", "1"]), &of);
    let expected = [
        json!([0, 0, 1, 0.5, 1.0]),
        json!([0, 1, 1, 0.5, 0.5]),
        json!([1, 1, 1, 0.5, 0.5]),
        json!([1, 2, 1, 0.5, 1.0]),
        json!([2, null, 1, 1.0, 1.0]),
    ];
    assert_eq!(flows, expected);
    let moved = columns(&asked(&world, &["flows", "3", "4", "--moved"]), &of[..3]);
    assert_eq!(moved, [json!([0, 1, 1]), json!([null, 0, 1])]);
    let between = world.command(&["history", "run", "flows", "1", "2"]).output().unwrap();
    assert!(String::from_utf8_lossy(&between.stderr).contains("two networks"));

    let path = asked(&world, &["path", "3"]);
    let expected = [
        json!([0, 1, null, 3.5]),
        json!([1, 2, true, 3.5]),
        json!([2, 0, null, 3.5]),
        json!([3, 0, false, 3.5]),
        json!([4, 1, true, 3.5]),
    ];
    assert_eq!(columns(&path, &["epoch", "cluster", "flipped", "distance"]), expected);
    assert_eq!(asked(&world, &["path", "key3"]), path);
    let absent = columns(&asked(&world, &["path", "4"]), &["cluster", "flipped", "margin"]);
    assert_eq!(absent[1], json!([null, null, null]));
    // The second clustering has the numbers turned round, and no result.
    let other = columns(&asked(&world, &["path", "3", "--clustering", "1"]), &["cluster"]);
    assert_eq!(other, [json!([1]), json!([0]), json!([2]), json!([2]), json!([null])]);
    let other = columns(&asked(&world, &["epochs", "--clustering", "1"]), &["images", "flips"]);
    assert_eq!(other[3..], [json!([4, 0]), json!([0, 0])]);
}

#[test]
fn a_run_says_the_same_as_its_metrics() {
    let world = World::new();
    world.deepmcat(&["synth", "archive", "--subjects", "3", "--size", "48", "--format", "dicom"]);
    world.init("run");
    world.deepmcat(&["run", "run", "--set", "run.epochs=4", "--set", "run.networks=2", "--set", "embed.most=60"]);
    let rows = asked(&world, &[]);
    assert_eq!(rows.len(), 5);
    let mut partial = false;
    for row in &rows {
        let epoch = Epoch(row["epoch"].as_u64().unwrap() as u32);
        let metrics: Metrics = read_folder(&partition(&world.path("run"), "metrics", epoch)).unwrap();
        assert_eq!(row["images"], metrics.images[0], "{row}");
        assert_eq!(row["clusters"], metrics.clusters_used[0], "{row}");
        let changed = row["stability"].as_f64().map(|stability| 1.0 - stability);
        assert_eq!(changed.is_some(), metrics.changed_share[0].is_some(), "{row}");
        let difference = changed.unwrap_or_default() - metrics.changed_share[0].unwrap_or_default();
        assert!(difference.abs() < 1e-12, "{row} {difference}");
        partial |= row["images"] != rows[4]["images"];
    }
    assert!(partial, "epochs are of some images: {rows:?}");
    let flips = |rows: &[Value]| rows.iter().filter_map(|row| row["flips"].as_u64()).sum::<u64>();
    assert!(flips(&rows) > 0);
    assert_eq!(flips(&asked(&world, &["images"])), flips(&rows));
}

#[test]
fn answers_come_as_files_too_and_mistakes_say_what_there_is() {
    let world = World::new();
    made_by_hand(&world);
    world.deepmcat(&["history", "run", "images", "--out", "images.csv"]);
    let text = fs_err::read_to_string(world.path("images.csv")).unwrap();
    assert!(text.starts_with("image_id,epochs,compared,flips,stability,entropy,cluster,last_flip\n3,5,3,2,"), "{text}");
    assert!(text.lines().count() == 6 && !world.path(".tmp").exists(), "{text}");
    world.deepmcat(&["history", "run", "--out", "epochs.parquet"]);
    assert!(deepmcat_testing::content(&world.path("epochs.parquet")).contains("stability: 0.5"));

    let refused = [
        (&["flows", "0", "9"][..], "epoch 9 has no assignments\nhint: there are 0, 1, 2, 3, 4"),
        (&["epochs", "--epochs", "7..9"], "no epoch of --epochs has assignments\nhint: there are 0, 1, 2, 3, 4"),
        (&["path", "5"], "no image `5` in this run\nhint: give an image_id from 0 to 4"),
        (&["--clustering", "2"], "no epoch of the query has a clustering 2\nhint: "),
    ];
    for (words, expected) in refused {
        let message = world.fails(2, &[&["history", "run"], words].concat());
        assert!(message.contains(expected), "{message}");
    }
    fs_err::remove_dir_all(world.path("run/assignments")).unwrap();
    let message = world.fails(2, &["history", "run"]);
    assert!(message.contains("run: no epoch has assignments yet\nhint: deepmcat run run"), "{message}");
    let message = world.fails(2, &["history", "nowhere"]);
    assert!(message.contains("nowhere: no run.toml here"), "{message}");
}

//! The stage over files: tables as the contract has them, numbers kept over epochs, errors that name the file.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use clap::Parser;
use deepmcat_cluster::{Args, run};
use deepmcat_schemas::features::{self, Values};
use deepmcat_schemas::{Assignments, Clusters, ImageId, PART_0, Stamp, read_folder};
use deepmcat_stage::{Failure, Front};
use half::f16;

const IMAGES: usize = 90;

/// Three groups of images around (1, 0), (0, 1) and (-1, 0), 30 each.
fn values() -> Vec<f32> {
    let angle = |image: usize| (image % 3) as f32 * std::f32::consts::FRAC_PI_2 + (image / 3) as f32 * 0.005;
    (0..IMAGES).flat_map(|image| [angle(image).cos(), angle(image).sin()]).collect()
}

fn write(root: &Path, values: Values<'_>) {
    let ids: Vec<ImageId> = (0..values.len() as u32 / 2).map(ImageId).collect();
    features::write(&root.join("features").join("part-0.arrow"), &ids, 2, values, &Stamp::default()).unwrap();
}

/// Runs the stage with the tables of `epoch`, as a user would call it.
fn cluster(root: &Path, epoch: u32, more: &[&str]) -> Result<(Assignments, Clusters), deepmcat_cluster::Error> {
    let path = |table: &str| root.join(table).to_str().unwrap().to_owned();
    let table = |name: &str, epoch: u32| path(&format!("{name}/epoch={epoch}"));
    let mut line = vec!["deepmcat-cluster".to_owned(), "--features".to_owned(), path("features")];
    line.extend(["--epoch".to_owned(), epoch.to_string(), "--assignments".to_owned(), table("assignments", epoch)]);
    line.extend(["--clusters".to_owned(), table("clusters", epoch)]);
    if epoch > 0 {
        line.extend(["--previous".to_owned(), table("assignments", epoch - 1)]);
    }
    line.extend(["--set", "cluster.k=3", "--set", "cluster.redo=4"].map(str::to_owned));
    line.extend(more.iter().map(|&word| word.to_owned()));
    let (job, means) = Args::parse_from(line).job()?;
    run(job, means)?;
    let read = |name: &str| root.join(name).join(format!("epoch={epoch}"));
    Ok((read_folder(&read("assignments"))?, read_folder(&read("clusters"))?))
}

#[test]
fn the_tables_agree_with_each_other() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), Values::F32(&values()));
    let (assignments, clusters) = cluster(root.path(), 0, &[]).unwrap();
    assert_eq!(assignments.image_id, (0..IMAGES as u32).map(ImageId).collect::<Vec<_>>());
    assert_eq!(clusters.size, [30; 3]);
    for image in 0..IMAGES {
        assert_eq!(assignments.cluster[image], assignments.cluster[image % 3], "image {image}");
        assert!(assignments.margin[image] > 1.0 && assignments.distance[image] < 0.1, "image {image}");
    }
    for (cluster, &inertia) in clusters.cluster.iter().zip(&clusters.inertia) {
        let own = assignments.cluster.iter().zip(&assignments.distance).filter(|(of, _)| *of == cluster);
        let sum: f64 = own.map(|(_, &distance)| f64::from(distance).powi(2)).sum();
        assert!((sum - inertia).abs() < 1e-6, "cluster {cluster}: {sum} and {inertia}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let bytes = || {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), Values::F32(&values()));
        cluster(root.path(), 0, &["--set", "cluster.k=20"]).unwrap();
        ["assignments", "clusters"]
            .map(|table| fs_err::read(root.path().join(table).join("epoch=0").join(PART_0)).unwrap())
    };
    assert!(bytes() == bytes());
}

#[test]
fn further_clusterings_start_elsewhere_and_keep_their_numbers() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), Values::F32(&values()));
    let settings = ["--set", "cluster.clusterings=4", "--set", "cluster.k=12", "--set", "cluster.redo=1"];
    let (first, _) = cluster(root.path(), 0, &settings).unwrap();
    let (alone, _) = cluster(root.path(), 0, &settings[2..]).unwrap();
    assert_eq!((&first.cluster, alone.others), (&alone.cluster, vec![Vec::new(); IMAGES]));
    let clustering =
        |table: &Assignments, number: usize| -> Vec<_> { table.others.iter().map(|others| others[number]).collect() };
    for number in 0..3 {
        assert_ne!(clustering(&first, number), first.cluster);
        assert_ne!(clustering(&first, number), clustering(&first, (number + 1) % 3));
    }
    cluster(root.path(), 0, &settings).unwrap();
    // From where they ended nothing moves, so every image keeps its number in every clustering.
    let same = [&settings[..], &["--set", "cluster.start=previous"]].concat();
    cluster(root.path(), 1, &same).unwrap();
    let (second, _) = cluster(root.path(), 2, &same).unwrap();
    let before: Assignments = read_folder(&root.path().join("assignments/epoch=1")).unwrap();
    assert_eq!((before.cluster, before.others), (second.cluster, second.others));
}

#[test]
fn numbers_are_kept_over_epochs_and_precisions() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), Values::F32(&values()));
    let (first, _) = cluster(root.path(), 0, &[]).unwrap();
    let halves: Vec<f16> = values().into_iter().map(f16::from_f32).collect();
    write(root.path(), Values::F16(&halves));
    // Other starts, since the epoch is another: the groups are found in another order, and numbered as before.
    for epoch in 1..5 {
        let (now, clusters) = cluster(root.path(), epoch, &[]).unwrap();
        assert_eq!(now.cluster, first.cluster, "epoch {epoch}");
        assert_eq!(clusters.cluster.len(), 3);
    }
}

#[test]
fn what_is_wrong_with_the_features_is_said_with_the_file() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), Values::F32(&[0.0, 1.0, 2.0, 3.0]));
    let error = cluster(root.path(), 0, &[]).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("2 images cannot fill 3 clusters"), "{error}");
    let mut bad = values();
    bad[11] = f32::NAN;
    write(root.path(), Values::F32(&bad));
    let error = cluster(root.path(), 0, &[]).unwrap_err();
    assert!(!error.is_usage(), "a failed training may be tried again: {error}");
    assert!(error.to_string().contains("part-0.arrow: 1 feature vectors are not finite"), "{error}");
    assert!(error.to_string().contains("of image 5"), "{error}");
    let error = cluster(&root.path().join("absent"), 0, &[]).unwrap_err();
    assert!(format!("{error:?}").contains("absent"), "{error:?}");
    fs_err::create_dir_all(root.path().join("empty/features")).unwrap();
    let error = cluster(&root.path().join("empty"), 0, &[]).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("holds no part"), "{error}");
    assert!(!root.path().join("assignments").exists(), "nothing is written by a run that failed");
}

#[test]
fn clusters_are_merged_to_fewer() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), Values::F32(&values()));
    let (assignments, clusters) = cluster(root.path(), 0, &["--merge-from", "15"]).unwrap();
    // Fifteen parts of three groups become the groups again.
    assert_eq!(clusters.size, [30; 3]);
    for image in 0..IMAGES {
        assert_eq!(assignments.cluster[image], assignments.cluster[image % 3], "image {image}");
    }
    let error = cluster(root.path(), 0, &["--merge-from", "2"]).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("--merge-from 2"), "{error}");
}

//! The stage from its command line to its table, on a small data set.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use clap::Parser;
use deepmcat_embed::{Args, Error, RAW_SIDE, run};
use deepmcat_machine::Compute;
use deepmcat_network::{Vgg, checkpoint};
use deepmcat_schemas::features::{FeatureTable, Values};
use deepmcat_schemas::jobs::Network;
use deepmcat_schemas::{Epoch, Stamp};
use deepmcat_stage::{Failure, Front};

const IMAGES: u32 = 11;

/// A data set of grey PNGs of several sizes, and a checkpoint of initial weights for the `ci` preset.
fn run_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let image = |number: u32| {
        let (width, height) = (40 + number, 64);
        ([width, height], (0..width * height).map(|i| (i * (number + 1) / 9 % 256) as u8).collect())
    };
    deepmcat_testing::dataset(&folder.path().join("dataset"), (0..IMAGES).map(image));
    let vgg = Vgg::draw(&network(), (1, 0), Compute::cpu()).unwrap();
    checkpoint::write_model(&folder.path().join("weights"), &vgg, &Stamp::default()).unwrap();
    let vgg = Vgg::draw(&network(), (1, 5), Compute::cpu()).unwrap();
    checkpoint::write_model(&folder.path().join("second"), &vgg, &Stamp::default()).unwrap();
    folder
}

fn network() -> Network {
    let common = deepmcat_stage::CommonArgs { preset: Some("ci".to_owned()), ..Default::default() };
    common.config().unwrap().init(Epoch(0), "initial".into()).network
}

/// Runs the stage with paths below `folder` and gives the table's file.
fn embed(folder: &Path, out: &str, more: &[&str]) -> Result<Vec<u8>, Error> {
    let at = |name: &str| folder.join(name).into_os_string();
    let mut words = vec!["deepmcat-embed".into(), "--preset".into(), "ci".into()];
    words.extend(["--dataset".into(), at("dataset"), "--out".into(), at(out)]);
    if !more.contains(&"--raw") {
        words.extend(["--weights".into(), at("weights")]);
    }
    words.extend(more.iter().map(Into::into));
    let (task, means) = Args::parse_from(words).job()?;
    run(task, &means)?;
    let part = fs_err::read_dir(folder.join(out)).unwrap().next().unwrap().unwrap();
    Ok(fs_err::read(part.path()).unwrap())
}

fn table(folder: &Path, file: &str) -> (Vec<u32>, Vec<f32>, usize) {
    let table = FeatureTable::open(&folder.join(file)).unwrap();
    let values = match table.values() {
        Values::F32(values) => values.to_vec(),
        Values::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
    };
    (table.image_ids().to_vec(), values, table.dimensions())
}

#[test]
fn features_are_unit_vectors_in_the_manifests_order_and_the_same_each_time() {
    let folder = run_folder();
    let one = embed(folder.path(), "one", &["--epoch", "3"]).unwrap();
    assert_eq!(one, embed(folder.path(), "again", &["--epoch", "3"]).unwrap());
    assert_ne!(one, embed(folder.path(), "other", &["--epoch", "4"]).unwrap());
    let (ids, values, dimensions) = table(folder.path(), "one/part-0.arrow");
    assert_eq!((ids, dimensions), ((0..IMAGES).collect(), 32));
    for row in values.chunks(dimensions) {
        let length: f32 = row.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}

#[test]
fn clean_features_do_not_depend_on_the_epoch() {
    let folder = run_folder();
    let one = embed(folder.path(), "one", &["--set", "embed.augment=false", "--epoch", "3"]).unwrap();
    assert_eq!(one, embed(folder.path(), "two", &["--set", "embed.augment=false", "--epoch", "4"]).unwrap());
    let (_, clean, _) = table(folder.path(), "one/part-0.arrow");
    embed(folder.path(), "off", &["--set", "embed.augment=false"]).unwrap();
    assert_eq!(clean, table(folder.path(), "off/part-0.arrow").1);
}

#[test]
fn features_of_two_networks_stand_side_by_side() {
    let folder = run_folder();
    let second = folder.path().join("second").display().to_string();
    let of = |out: &str, more: &[&str]| {
        embed(folder.path(), out, more).unwrap();
        table(folder.path(), &format!("{out}/part-0.arrow"))
    };
    let (_, first, dimensions) = of("first", &["--epoch", "3"]);
    let (ids, both, twice) = of("both", &["--epoch", "3", "--weights", &second]);
    assert_eq!((ids, twice), ((0..IMAGES).collect(), 2 * dimensions));
    for (both, first) in both.chunks(twice).zip(first.chunks(dimensions)) {
        let (left, right) = both.split_at(dimensions);
        let length = |half: &[f32]| half.iter().map(|value| value * value).sum::<f32>();
        assert!((length(left) - 0.5).abs() < 1e-5 && (length(right) - 0.5).abs() < 1e-5);
        assert!(left.iter().zip(first).all(|(half, whole)| (half * 2.0_f32.sqrt() - whole).abs() < 1e-5));
        assert_ne!(left, right);
    }
}

#[test]
fn shards_together_are_the_whole() {
    let folder = run_folder();
    // Eleven images in six batches: shards are cut where batches are, so that a batch holds the same images as in one go.
    let batches = ["--epoch", "1", "--set", "embed.batch=2"];
    embed(folder.path(), "whole", &batches).unwrap();
    let (ids, values, _) = table(folder.path(), "whole/part-0.arrow");
    let (mut all_ids, mut all) = (Vec::new(), Vec::new());
    for shard in 0..3 {
        let part = format!("{shard}/3");
        embed(folder.path(), &format!("s{shard}"), &[&batches[..], &["--shard", &part]].concat()).unwrap();
        let (ids, values, _) = table(folder.path(), &format!("s{shard}/part-{shard}.arrow"));
        assert!(ids.len() >= 3, "shard {shard} has images {ids:?}");
        all_ids.extend(ids);
        all.extend(values);
    }
    assert_eq!(ids, all_ids);
    assert!(values.iter().map(|value| value.to_bits()).eq(all.iter().map(|value| value.to_bits())));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let folder = run_folder();
    let with = |out: &str, threads: &str| {
        embed(folder.path(), out, &["--epoch", "1", "--set", "embed.batch=2", "--set", threads]).unwrap();
        table(folder.path(), &format!("{out}/part-0.arrow"))
    };
    let one = with("one", "compute.threads=1");
    assert_eq!(one, with("three", "compute.threads=3"));
    assert_eq!(one, with("many", "compute.threads=16"), "more threads than batches");
}

#[test]
fn half_precision_is_half_the_bytes() {
    let folder = run_folder();
    let single = embed(folder.path(), "f32", &[]).unwrap().len();
    let half = embed(folder.path(), "f16", &["--set", "embed.float16=true"]).unwrap().len();
    let (single_table, half_table) =
        (table(folder.path(), "f32/part-0.arrow").1, table(folder.path(), "f16/part-0.arrow").1);
    // Arrow fills up what a buffer takes to a multiple of 64 bytes.
    let less = 2 * single_table.len();
    assert!((less - 64..=less + 64).contains(&(single - half)), "{single} and {half} bytes");
    let rounded: Vec<f32> = single_table.iter().map(|&value| half::f16::from_f32(value).to_f32()).collect();
    assert_eq!(half_table, rounded);
}

#[test]
fn raw_pixels_need_no_network() {
    let folder = run_folder();
    fs_err::remove_dir_all(folder.path().join("weights")).unwrap();
    embed(folder.path(), "raw", &["--raw"]).unwrap();
    let (ids, values, dimensions) = table(folder.path(), "raw/part-0.arrow");
    assert_eq!((ids.len(), dimensions), (IMAGES as usize, RAW_SIDE * RAW_SIDE));
    let row = &values[..dimensions];
    let (sum, squares) = row.iter().fold((0.0, 0.0), |(sum, squares), value| (sum + value, squares + value * value));
    assert!(sum.abs() < 1e-3 && (squares - 1.0_f32).abs() < 1e-4, "{sum} {squares}");
}

#[test]
fn errors_name_what_is_wrong() {
    let folder = run_folder();
    let error = embed(folder.path(), "x", &["--set", "network.width=0.5"]).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("model.safetensors"), "{error}");
    let error = embed(folder.path(), "x", &["--set", "compute.device=cuda:77"]).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("cuda:77"), "{error}");
}

#[test]
fn a_part_without_images_is_an_empty_table() {
    let folder = run_folder();
    embed(folder.path(), "x", &["--shard", "30/31"]).unwrap();
    let (ids, values, _) = table(folder.path(), "x/part-30.arrow");
    assert!(ids.is_empty() && values.is_empty());
}

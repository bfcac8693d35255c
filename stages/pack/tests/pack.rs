//! The stage from its command line to its pixel table, on small data sets.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use clap::Parser;
use deepmcat_pack::{Args, Error, run};
use deepmcat_schemas::pixels::PixelTable;
use deepmcat_schemas::{ARROW_PART_0, ImageId};
use deepmcat_stage::{Failure, Front};
use deepmcat_testing::dataset;

fn pack(folder: &Path) -> Result<PixelTable, Error> {
    let at = |name: &str| folder.join(name).into_os_string();
    let words = ["deepmcat-pack", "--preset", "ci", "--set", "network.input=32"].map(Into::into).to_vec();
    let paths = ["--dataset".into(), at("dataset"), "--out".into(), at("pixels")];
    let (job, means) = Args::parse_from([words, paths.to_vec()].concat()).job()?;
    run(job, means)?;
    Ok(PixelTable::open(&folder.join("pixels").join(ARROW_PART_0)).unwrap())
}

/// By the formula of `fixtures/make_golden.py`.
fn formula([width, height]: [u32; 2]) -> Vec<u8> {
    let pixel = |place: u32| {
        let (x, y) = (place % width, place / width);
        ((x * x + 3 * x * y + 7 * y) / 5 % 256) as u8
    };
    (0..width * height).map(pixel).collect()
}

/// `fixtures/golden.txt`, made by `fixtures/make_golden.py` with Pillow.
#[test]
fn images_are_resized_as_pillow_resizes_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    let mut images = Vec::new();
    for line in include_str!("../fixtures/golden.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let size = [words[0], words[1]].map(|word| word.parse().unwrap());
        let byte = |place: usize| u8::from_str_radix(&words[3][place..place + 2], 16).unwrap();
        expected.push((0..words[3].len()).step_by(2).map(byte).collect::<Vec<u8>>());
        images.push((size, formula(size)));
    }
    dataset(&folder.path().join("dataset"), images.clone());
    let table = pack(folder.path()).unwrap();
    assert_eq!((table.len(), table.side()), (4, 43));
    for (row, (expected, (size, _))) in expected.iter().zip(&images).enumerate() {
        assert_eq!(table.image_id(row), Some(ImageId(row as u32)));
        let found = table.pixels(row).unwrap();
        let apart = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(found.len() == expected.len() && apart <= Some(1), "{size:?}: {apart:?} grey levels apart");
    }
    // What needs no resizing stays as it is.
    assert_eq!(table.pixels(2).unwrap(), images[2].1);
}

#[test]
fn a_torn_png_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let size = [60, 50];
    dataset(&folder.path().join("dataset"), [(size, formula(size)), (size, formula(size))]);
    let torn = folder.path().join("dataset/images/1.png");
    let whole = fs_err::read(&torn).unwrap();
    for length in [whole.len() / 2, 20, 0] {
        fs_err::write(&torn, &whole[..length]).unwrap();
        let error = pack(folder.path()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("images/1.png") && said.contains("hint: "), "{length} bytes: {said}");
        assert!(!folder.path().join("pixels").join(ARROW_PART_0).exists());
    }
    fs_err::remove_file(&torn).unwrap();
    let error = pack(folder.path()).unwrap_err();
    assert!(format!("{error} {error:?}").contains("images/1.png"), "{error}");
    fs_err::write(&torn, &whole).unwrap();
    assert_eq!(pack(folder.path()).unwrap().len(), 2);
    fs_err::remove_file(folder.path().join("dataset/manifest.parquet")).unwrap();
    assert!(!pack(folder.path()).unwrap_err().to_string().is_empty());
}

#[test]
fn a_manifest_that_is_none_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    dataset(&folder.path().join("dataset"), [([8, 8], formula([8, 8]))]);
    fs_err::write(folder.path().join("dataset/manifest.parquet"), b"no table").unwrap();
    let error = pack(folder.path()).unwrap_err();
    assert!(error.to_string().contains("manifest.parquet"), "{error} {}", error.is_usage());
}

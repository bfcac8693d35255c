//! Batches: their order, their draws and their failures do not depend on timing.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use deepmcat_network::{Batch, Batches, Item};
use deepmcat_pixels::{Images, View};
use deepmcat_schemas::jobs::Augment;
use deepmcat_stage::random::Purpose;
use proptest::prelude::*;
use tch::Device;

const SIDE: usize = 32;

fn images(folder: &Path, count: usize) -> Images {
    let name = |number: usize| format!("{number}.png");
    for number in 0..count {
        let pixels: Vec<u8> = (0..40 * 40).map(|i| (i * (number + 3) % 256) as u8).collect();
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, 40, 40);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        deepmcat_schemas::files::write_atomic(&folder.join(name(number)), |file| file.write_all(&png)).unwrap();
    }
    Images::open(folder, &(0..count).map(name).collect::<Vec<_>>(), 43).unwrap()
}

fn view() -> View {
    let settings = Augment { area: [0.5, 1.0], ratio: [0.75, 1.33], rotation: 15.0, bias: 0.3, gamma: 0.5, noise: 0.4 };
    View::Augmented { settings, seed: 1, epoch: 2, purpose: Purpose::EmbedAugment, number: 0 }
}

#[test]
fn a_view_is_the_same_in_whatever_batch_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let images = Arc::new(images(folder.path(), 7));
    proptest!(ProptestConfig::with_cases(20), |(rows in proptest::collection::vec(0_usize..7, 1..20), size in 1_usize..9)| {
        let items: Vec<Item> = rows.iter().map(|&row| Item { row, draw: row as u32 }).collect();
        let all = |size| {
            let batches = Batches::start(Arc::clone(&images), items.clone(), view(), (size, SIDE), Device::Cpu);
            let batches: Vec<Batch> = batches.map(Result::unwrap).collect();
            let pixels = |batch: Batch| Vec::<f32>::try_from(batch.pixels.flatten(0, -1)).unwrap();
            batches.into_iter().flat_map(pixels).collect::<Vec<f32>>()
        };
        prop_assert_eq!(all(size), all(100));
    });
}

#[test]
fn a_reader_that_stops_early_ends_the_producer() {
    let folder = tempfile::tempdir().unwrap();
    let images = Arc::new(images(folder.path(), 2));
    let items = vec![Item { row: 1, draw: 0 }; 1000];
    let mut batches = Batches::start(Arc::clone(&images), items, view(), (2, SIDE), Device::Cpu);
    assert_eq!(batches.next().unwrap().unwrap().count, 2);
    drop(batches);
    assert_eq!(Arc::strong_count(&images), 1);
}

#[test]
fn a_missing_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Images::open(folder.path(), &["gone.png".to_owned()], 32).unwrap_err();
    let deepmcat_pixels::Error::Io(source) = error else { panic!("{error}") };
    assert!(source.to_string().contains("gone.png"), "{source}");
}

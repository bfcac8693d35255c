//! Makes a run folder of many epochs of made-up assignments, with the writer of the stages: `benches/history.py` asks it.
//!
//! `many_epochs FOLDER EPOCHS IMAGES`: 104 clusters of unequal sizes; a third of the images flip at first, ever fewer later.

use std::path::Path;

use deepmcat_schemas::layout::{DATASET, MANIFEST, PART_0, RUN_TOML, partition};
use deepmcat_schemas::{Assignments, ClusterId, Epoch, ImageId, Manifest, Stamp, write_table};
use rand::{Rng, RngExt, SeedableRng};
use rayon::prelude::*;

const CLUSTERS: f64 = 104.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, epochs, images] = words.as_slice() else { return Err("FOLDER EPOCHS IMAGES".into()) };
    let (run, epochs, images): (&Path, u32, u32) = (Path::new(folder), epochs.parse()?, images.parse()?);
    fs_err::create_dir_all(run)?;
    fs_err::write(run.join(RUN_TOML), format!("[run]\nepochs = {}\nnetworks = 1\n", epochs - 1))?;
    write_table(&run.join(DATASET).join(MANIFEST), &manifest(images), &Stamp::default())?;
    let image_id: Vec<ImageId> = (0..images).map(ImageId).collect();
    let mut random = generator(u32::MAX);
    let mut clusters: Vec<ClusterId> = (0..images).map(|_| cluster(&mut random)).collect();
    let mut all = Vec::new();
    for epoch in 0..epochs {
        let share = 0.02 + 0.3 / f64::from(epoch + 1);
        for of in &mut clusters {
            if random.random_bool(share) {
                *of = cluster(&mut random);
            }
        }
        all.push(clusters.clone());
    }
    (0..epochs).into_par_iter().try_for_each(|epoch| {
        let mut random = generator(epoch);
        let mut distances = |scale: f32| (0..images).map(|_| scale * random.random::<f32>()).collect();
        let table = Assignments {
            image_id: image_id.clone(),
            cluster: all[epoch as usize].clone(),
            distance: distances(1.0),
            margin: distances(0.3),
            others: vec![Vec::new(); images as usize],
        };
        write_table(&partition(run, "assignments", Epoch(epoch)).join(PART_0), &table, &Stamp::default())
    })?;
    Ok(())
}

fn generator(number: u32) -> rand_chacha::ChaCha8Rng {
    rand_chacha::ChaCha8Rng::seed_from_u64(u64::from(number))
}

/// A cluster: the lower its number, the more images are in it.
fn cluster(random: &mut impl Rng) -> ClusterId {
    ClusterId((CLUSTERS * random.random::<f64>().powi(2)) as u32)
}

fn manifest(images: u32) -> Manifest {
    let count = images as usize;
    let keys = |salt: u64| {
        (0..u64::from(images)).map(move |id| format!("{:016x}", (id ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    };
    Manifest {
        image_id: (0..images).map(ImageId).collect(),
        key: keys(1).collect(),
        path: keys(1).map(|key| format!("images/{key}.png")).collect(),
        subject: keys(2).map(Some).collect(),
        series: keys(3).collect(),
        slice: vec![0; count],
        pixels: keys(4).collect(),
        width: vec![256; count],
        height: vec![256; count],
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

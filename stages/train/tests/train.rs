//! The stage from its command line to its checkpoint, on a small data set.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use clap::Parser;
use deepmcat_schemas::{ClusterId, Epoch, ImageId, PART_0, Samples, Stamp, Training, read_table, write_table};
use deepmcat_stage::{Failure, Front};
use deepmcat_train::{Args, Error, run};

const IMAGES: u32 = 12;
const DRAWS: u32 = 33;

/// A data set of two kinds of grey PNGs, with the kinds as pseudo-labels.
fn run_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let image = |number: u32| {
        let stripe = |i: u32| if number.is_multiple_of(2) { i % 48 } else { i / 48 };
        ([48, 48], (0..48 * 48).map(|i| if stripe(i) / 6 % 2 == 0 { 30 } else { 220 }).collect())
    };
    deepmcat_testing::dataset(&folder.path().join("dataset"), (0..IMAGES).map(image));
    let samples = Samples {
        position: (0..DRAWS).collect(),
        image_id: (0..DRAWS).map(|draw| ImageId(draw * 7 % IMAGES)).collect(),
        cluster: (0..DRAWS).map(|draw| ClusterId(draw * 7 % IMAGES % 2)).collect(),
        others: vec![Vec::new(); DRAWS as usize],
    };
    write_table(&folder.path().join("samples").join(PART_0), &samples, &Stamp::default()).unwrap();
    folder
}

/// Runs the stage by its flags.
fn by(args: Args) -> Result<(), Error> {
    let (task, means) = args.job()?;
    run(task, &means)
}

fn init(folder: &Path) {
    let out = folder.join("initial");
    by(Args::parse_from([
        "deepmcat-train".as_ref(),
        "--preset".as_ref(),
        "ci".as_ref(),
        "--init".as_ref(),
        "--out".as_ref(),
        out.as_os_str(),
    ]))
    .unwrap();
}

/// Trains an epoch from the checkpoint `from` into `out`.
fn train(folder: &Path, from: &str, epoch: &str, out: &str, more: &[&str]) -> Result<Training, Error> {
    let mut words = vec!["deepmcat-train".into(), "--preset".into(), "ci".into(), "--epoch".into(), epoch.into()];
    let training = format!("training-{out}");
    let paths =
        [("dataset", "dataset"), ("samples", "samples"), ("weights", from), ("out", out), ("training", &training)];
    for (flag, name) in paths {
        words.extend([format!("--{flag}").into(), folder.join(name).into_os_string()]);
    }
    words.extend(more.iter().map(Into::into));
    by(Args::parse_from(words))?;
    Ok(read_table(&folder.join(&training).join(PART_0)).unwrap())
}

/// d of the network of `ci`.
fn network_width() -> usize {
    let config =
        Args::parse_from(["deepmcat-train", "--preset", "ci", "--init", "--out", "x"]).common.config().unwrap();
    let network = config.init(Epoch(0), "initial".into()).network;
    usize::try_from(deepmcat_architecture::dimensions(&network)).unwrap()
}

fn checkpoint(folder: &Path, name: &str) -> [Vec<u8>; 2] {
    ["model.safetensors", "optimizer.safetensors"].map(|file| fs_err::read(folder.join(name).join(file)).unwrap())
}

#[test]
fn two_runs_give_the_same_bytes() {
    let folder = run_folder();
    init(folder.path());
    for fc in [&[][..], &["--set", "network.features=\"fc\"", "--set", "network.fc=24"]] {
        if !fc.is_empty() {
            let out = folder.path().join("initial").into_os_string();
            let mut words =
                vec!["deepmcat-train".into(), "--init".into(), "--preset".into(), "ci".into(), "--out".into(), out];
            words.extend(fc.iter().map(Into::into));
            by(Args::parse_from(words)).unwrap();
        }
        let one = train(folder.path(), "initial", "5", "one", fc).unwrap();
        let two = train(folder.path(), "initial", "5", "two", fc).unwrap();
        assert_eq!(checkpoint(folder.path(), "one"), checkpoint(folder.path(), "two"));
        assert_eq!((one.step, one.loss, one.learning_rate), (two.step, two.loss, two.learning_rate));
        train(folder.path(), "initial", "6", "other", fc).unwrap();
        assert_ne!(checkpoint(folder.path(), "one"), checkpoint(folder.path(), "other"));
    }
}

#[test]
fn a_last_batch_of_one_is_left_out_and_the_loss_falls() {
    let folder = run_folder();
    init(folder.path());
    // 33 draws in batches of 16: the single last one does not count.
    let first = train(folder.path(), "initial", "0", "0", &[]).unwrap();
    assert_eq!(first.step, [0, 1]);
    assert!((first.loss[0] - 2.0_f32.ln()).abs() < 0.1, "{:?}", first.loss);
    let steps = &["--set", "train.batch=4", "--set", "augment.noise=0", "--set", "augment.rotation=5"];
    let mut last = first;
    for epoch in 1..=6 {
        let (from, out) = ((epoch - 1).to_string(), epoch.to_string());
        last = train(folder.path(), &from, &out, &out, steps).unwrap();
        assert_eq!(last.step.len(), 8);
    }
    let mean = last.loss.iter().sum::<f32>() / last.loss.len() as f32;
    assert!(mean < 0.55, "stripes are not told apart: {mean}");
}

/// Of the loss before the first step: bfloat16 has eight significant bits, and the last layer starts near zero. What
/// comes after a few steps hangs on how sums round, so nothing is said of it but that the loss falls.
const ROUNDING: f32 = 0.02;

#[test]
fn bfloat16_starts_where_single_precision_does_and_learns() {
    let folder = run_folder();
    init(folder.path());
    let common = ["--set", "train.batch=4", "--set", "augment.noise=0", "--set", "augment.rotation=5"];
    let losses = |precision: &str, epochs: u32| -> Vec<Vec<f32>> {
        let sets = [&common[..], &["--set", precision]].concat();
        let mut from = "initial".to_owned();
        let mut epoch = |epoch: u32| {
            let out = format!("{precision}-{epoch}");
            let table = train(folder.path(), &from, &epoch.to_string(), &out, &sets).unwrap();
            from = out;
            table.loss
        };
        (0..epochs).map(&mut epoch).collect()
    };
    let (single, half) = (losses("compute.precision=float32", 1), losses("compute.precision=bfloat16", 6));
    assert!((single[0][0] - half[0][0]).abs() < ROUNDING, "{} and {}", single[0][0], half[0][0]);
    assert_ne!(single[0], half[0]);
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    // In single precision it falls from 0.62 to 0.14.
    assert!(mean(&half[5]) < mean(&half[0]) - 0.1, "{half:?}");
    assert_eq!(half[..1], losses("compute.precision=bfloat16", 1));
}

#[test]
fn momentum_is_carried_from_epoch_to_epoch() {
    let folder = run_folder();
    init(folder.path());
    train(folder.path(), "initial", "0", "0", &[]).unwrap();
    train(folder.path(), "0", "1", "1", &[]).unwrap();
    let [model, _] = checkpoint(folder.path(), "1");
    fs_err::copy(folder.path().join("initial/optimizer.safetensors"), folder.path().join("0/optimizer.safetensors"))
        .unwrap();
    train(folder.path(), "0", "1", "2", &[]).unwrap();
    assert_ne!(model, checkpoint(folder.path(), "2")[0]);
}

#[test]
fn a_kept_last_layer_goes_on_where_it_was() {
    let folder = run_folder();
    init(folder.path());
    let kept = &["--set", "train.head=\"kept\"", "--set", "train.batch=4", "--set", "augment.noise=0"];
    let start = |table: &Training| table.loss[0];
    let mut last = train(folder.path(), "initial", "0", "0", kept).unwrap();
    assert!((start(&last) - 2.0_f32.ln()).abs() < 0.1, "the first epoch has nothing to keep: {:?}", last.loss);
    for epoch in 1..=4 {
        let (from, out) = ((epoch - 1).to_string(), epoch.to_string());
        last = train(folder.path(), &from, &out, &out, kept).unwrap();
    }
    assert!(start(&last) < 0.6, "a new layer starts at ln 2: {:?}", last.loss);
    // Another run over the same folder that keeps nothing leaves nothing.
    assert!(folder.path().join("4/head.safetensors").exists());
    train(folder.path(), "3", "4", "4", &[]).unwrap();
    assert!(!folder.path().join("4/head.safetensors").exists());
}

/// Two equal clusterings under strong decay: the first layer of the two is the only layer of one.
#[test]
fn a_layer_of_several_learns_and_decays_as_if_it_were_the_only_one() {
    let folder = run_folder();
    init(folder.path());
    let one_step = ["--set", "train.head=\"kept\"", "--set", "train.batch=64", "--set", "train.weight_decay=0.5"];
    let more = [&one_step[..], &["--set", "train.head_rate=0.5"]].concat();
    let head = |out: &str| {
        assert_eq!(train(folder.path(), "initial", "0", out, &more).unwrap().step.len(), 1);
        let head =
            deepmcat_network::checkpoint::read_head(&folder.path().join(out), network_width() as i64).unwrap().unwrap();
        let first = head.weight.get(0).flatten(0, -1);
        Vec::<f32>::try_from(first).unwrap()
    };
    let alone = head("alone");
    let path = folder.path().join("samples").join(PART_0);
    let mut samples: Samples = read_table(&path).unwrap();
    samples.others = samples.cluster.iter().map(|&cluster| vec![cluster]).collect();
    write_table(&path, &samples, &Stamp::default()).unwrap();
    let of_two = head("two");
    let largest = alone.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let apart = alone.iter().zip(&of_two).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest > 0.0 && apart < 1e-4 * largest, "{apart} of {largest}");
}

#[test]
fn a_cosine_schedule_is_in_the_table() {
    let folder = run_folder();
    init(folder.path());
    let cosine = &["--set", "train.schedule=\"cosine\"", "--set", "run.epochs=2", "--set", "train.rate=0.5"];
    let first = train(folder.path(), "initial", "0", "0", cosine).unwrap();
    let second = train(folder.path(), "0", "1", "1", cosine).unwrap();
    assert_eq!(first.learning_rate[0], 0.5);
    let rates = [first.learning_rate, second.learning_rate].concat();
    assert!(rates.is_sorted_by(|a, b| a > b) && rates[rates.len() - 1] > 0.0, "{rates:?}");
}

#[test]
fn a_loss_that_is_not_finite_ends_the_epoch_and_writes_nothing() {
    let folder = run_folder();
    init(folder.path());
    let wild = ["--set", "train.rate=1e30", "--set", "train.head_rate=1e30", "--set", "train.batch=4"];
    let error = train(folder.path(), "initial", "0", "0", &wild).unwrap_err();
    assert!(!error.is_usage() && error.to_string().contains("not finite"), "{error}");
    assert!(error.to_string().contains("hint: lower train.rate"), "{error}");
    assert!(!folder.path().join("0").exists());
}

#[test]
fn a_checkpoint_of_another_network_is_refused() {
    let folder = run_folder();
    init(folder.path());
    let error = train(folder.path(), "initial", "0", "0", &["--set", "network.width=0.5"]).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("features.0.weight"), "{error}");
}

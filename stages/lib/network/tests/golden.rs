//! The network, SGD and bilinear sampling against PyTorch's own figures.
//!
//! `fixtures/golden.txt` was written by `fixtures/make_golden.py` with torch 2.13.0 (CPU). Weights and images are
//! made here and there by one formula, a chirp, so that no weights need storing.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use deepmcat_architecture::{Entry, Role, dimensions, entries};
use deepmcat_machine::Compute;
use deepmcat_network::sgd::Rates;
use deepmcat_network::vgg::{Dropout, images};
use deepmcat_network::{Embedder, Head, Sgd, Vgg};
use deepmcat_pixels::resample::{Affine, sample};
use deepmcat_schemas::jobs::{FeatureLayer, Network};
use tch::{Device, Kind, Tensor};

const SIDE: usize = 64;
const BATCH: usize = 6;
const CLUSTERS: i64 = 5;

fn golden() -> HashMap<&'static str, Vec<f64>> {
    let line = |line: &'static str| {
        let mut words = line.split(' ');
        (words.next().unwrap(), words.map(|word| word.parse().unwrap()).collect())
    };
    include_str!("../fixtures/golden.txt").lines().map(line).collect()
}

/// `sin(0.37 i^2 + number)`
fn wave(count: i64, number: usize) -> Vec<f64> {
    (0..count).map(|place| (0.37 * place as f64 * place as f64 + number as f64).sin()).collect()
}

/// Tensor number `number` of a network, by the formula of `make_golden.py`.
fn filled(shape: &[i64], role: Role, number: usize) -> Tensor {
    let factor = (4.0 / shape.iter().skip(1).product::<i64>() as f64).sqrt();
    let value = |wave: f64| match role {
        Role::Weight { .. } => wave * factor,
        Role::Scale | Role::Variance => 1.0 + 0.3 * wave,
        Role::Bias | Role::Mean => 0.1 * wave,
        Role::Batches => 0.0,
    };
    let values: Vec<f32> = wave(shape.iter().product(), number).into_iter().map(|wave| value(wave) as f32).collect();
    let tensor = Tensor::from_slice(&values).view(shape);
    if role == Role::Batches { tensor.to_kind(Kind::Int64) } else { tensor }
}

fn network(features: FeatureLayer) -> (Network, Vgg, Tensor) {
    let network = Network { width: 0.125, input: 64, pool: 2, features, fc: Some(24) };
    let fill = |(number, Entry { shape, role, .. }): (usize, &Entry)| filled(shape, *role, number);
    let tensors = entries(&network).iter().enumerate().map(fill).collect();
    let size = SIDE * SIDE;
    let waves = wave((BATCH * size) as i64, 0).into_iter().enumerate();
    let pixels: Vec<f32> = waves.map(|(i, wave)| (wave * 1.3) as f32 * (1 + i / size) as f32).collect();
    let images = images(&pixels, BATCH, SIDE, Device::Cpu).unwrap();
    let vgg = Vgg::new(&network, tensors, Compute::cpu()).unwrap();
    (network, vgg, images)
}

/// Values agree to `tolerance` of the largest expected one.
fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let errors = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / largest);
    let worst = errors.fold(0.0_f64, f64::max);
    assert!(worst <= tolerance, "{name}: off by {worst:e} of the largest value");
}

fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.flatten(0, -1).to_kind(Kind::Double)).unwrap()
}

fn check_features(name: &str, layer: FeatureLayer) {
    let (_, vgg, images) = network(layer);
    let found = Embedder::new(&vgg).unwrap().embed(&images).unwrap();
    assert_close(name, &values(&found), &golden()[format!("{name}.features").as_str()], 1e-5);
}

#[test]
fn pooled_features_are_pytorchs() {
    check_features("pool", FeatureLayer::Pool);
}

#[test]
fn fully_connected_features_are_pytorchs_before_the_last_relu() {
    check_features("fc", FeatureLayer::Fc);
}

fn check_training(name: &str, layer: FeatureLayer) {
    let (network, mut vgg, images) = network(layer);
    let head = {
        let mut head = Head::draw([1, CLUSTERS], dimensions(&network), 1, 0, Device::Cpu).unwrap();
        let role = Role::Weight { sd: 1.0 };
        tch::no_grad(|| {
            head.weight.copy_(&filled(&[CLUSTERS, dimensions(&network)], role, 0).unsqueeze(0));
            head.bias.copy_(&filled(&[CLUSTERS], Role::Bias, 1).unsqueeze(0));
        });
        head
    };
    let weights: Vec<Tensor> = vgg.trained().map(|(_, tensor)| tensor.shallow_clone()).collect();
    let zeros = weights.iter().map(Tensor::zeros_like).collect();
    let mut body = Sgd::new(Rates { rate: 0.005, momentum: 0.9, decay: 0.01 }, weights, zeros).unwrap();
    let rates = Rates { rate: 0.01, momentum: 0.0, decay: 0.01 };
    let top = vec![head.weight.shallow_clone(), head.bias.shallow_clone()];
    let mut top = Sgd::new(rates, top, Vec::new()).unwrap();
    let labels = Tensor::arange(BATCH as i64, (Kind::Int64, Device::Cpu)).remainder(CLUSTERS);

    let mut losses = Vec::new();
    for step in 0..3 {
        let features = vgg.forward(&images, Dropout { rate: 0.0, seed: 0, epoch: 0, step }).unwrap();
        // The reference puts the ReLU behind either layer; pooled maps are not negative already.
        let loss = head.loss(&features, &labels).unwrap();
        let both: Vec<&Tensor> = body.weights().iter().chain(top.weights()).collect();
        let gradients = Tensor::f_run_backward(&[&loss], &both, false, false).unwrap();
        let (of_body, of_top) = gradients.split_at(body.weights().len());
        body.step(of_body).unwrap();
        top.step(of_top).unwrap();
        losses.push(loss.double_value(&[]));
    }
    let golden = golden();
    let golden = |what: &str| &golden[format!("{name}.{what}").as_str()];
    assert_close("losses", &losses, golden("losses"), 2e-5);
    let squares = |tensor: &Tensor| tensor.to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[]);
    let states = vgg.tensors().filter(|(entry, _)| entry.role != Role::Batches).map(|(_, tensor)| squares(tensor));
    for (found, expected) in states.zip(golden("state")) {
        assert_close("state", &[found], &[*expected], 1e-4);
    }
    assert_close("head", &[squares(&head.weight), squares(&head.bias)], golden("head"), 1e-5);
    let batches = vgg.tensors().find(|(entry, _)| entry.role == Role::Batches).unwrap().1;
    assert_eq!(batches.int64_value(&[]), 3);
}

#[test]
fn three_steps_of_pooled_training_are_pytorchs() {
    check_training("pool", FeatureLayer::Pool);
}

#[test]
fn three_steps_of_fully_connected_training_are_pytorchs() {
    check_training("fc", FeatureLayer::Fc);
}

#[test]
fn bilinear_sampling_is_pytorchs() {
    let source: Vec<u8> = (0..12 * 12).map(|i| (i * 37 % 256) as u8).collect();
    let rows = [([0.8, 0.1, 0.05], [-0.1, 0.7, -0.1]), ([1.2, 0.6, 0.3], [-0.6, 1.2, 0.2])];
    for (number, (x, y)) in rows.into_iter().enumerate() {
        let mut target = vec![0.0_f32; 49];
        sample(&source, 12, &Affine { x, y }, 7, &mut target);
        let found: Vec<f64> = target.into_iter().map(f64::from).collect();
        assert_close("sample", &found, &golden()[format!("sample.{number}").as_str()], 1e-5);
    }
}

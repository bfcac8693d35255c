//! Real scans that nobody here made: the chain over them, where they stand beside the checkout.

use deepmcat_schemas::{Epoch, Manifest, Metrics, Rejects, layout::partition, read_folder, read_table};

use deepmcat_testing::shared;

use crate::world::World;

/// The whole chain with the smallest network: that it holds on real files, not that it learns.
fn chain(world: &World, input: &std::path::Path, sets: &[&str]) -> (Manifest, Rejects, Metrics) {
    let input = input.to_str().unwrap();
    let mut words = vec!["init", input, "--run", "run", "--preset", "ci", "--set", "run.epochs=1"];
    for set in sets {
        words.extend(["--set", set]);
    }
    world.deepmcat(&words);
    world.deepmcat(&["run", "run"]);
    let run = world.path("run");
    let manifest = read_table(&run.join("dataset/manifest.parquet")).unwrap();
    let rejects = read_table(&run.join("dataset/rejects.parquet")).unwrap();
    (manifest, rejects, read_folder(&partition(&run, "metrics", Epoch(1))).unwrap())
}

#[test]
fn philips_mr_sequences() {
    let Some(input) = shared("mr-sequences-philips") else { return };
    let world = World::new();
    let sets = ["ingest.rules=folders", "ingest.frames=all", "cluster.k=72"];
    let (manifest, rejects, metrics) = chain(&world, &input, &sets);
    assert_eq!((manifest.image_id.len(), metrics.classes[0], metrics.labelled[0]), (1016, 9, 1016));
    assert_eq!(rejects.reason, ["not_an_image"], "SOURCE.txt alone");
    assert!(metrics.purity[0].unwrap() > 0.4);
}

#[test]
fn medical_mnist() {
    let Some(input) = shared("medical-mnist-dev") else { return };
    let world = World::new();
    let (manifest, _, metrics) = chain(&world, &input, &["ingest.rules=folders", "cluster.k=48"]);
    assert_eq!((manifest.image_id.len(), metrics.classes[0]), (3000, 6));
    assert!(metrics.purity[0].unwrap() > 0.5);
}

#[test]
fn pig_cine_gives_nine_slices_at_t0() {
    let Some(input) = shared("pig-ep-cmr") else { return };
    let world = World::new();
    world.deepmcat(&["ingest", input.to_str().unwrap(), "--out", "run/dataset"]);
    let manifest: Manifest = read_table(&world.path("run/dataset/manifest.parquet")).unwrap();
    let rejects: Rejects = read_table(&world.path("run/dataset/rejects.parquet")).unwrap();
    assert_eq!(manifest.image_id.len(), 9);
    let later = rejects.reason.iter().filter(|reason| *reason == "not_t0").count();
    assert_eq!(later, 171, "every other frame is accounted for");
}

//! Names and labels to categories, and how right they are.

use std::collections::BTreeMap;

use deepmcat_schemas::layout::partition;
use deepmcat_schemas::{
    Assignments, Categories, CategoryMetrics, Epoch, Labels, Manifest, SeriesCategories, read_folder, read_table,
};
use serde_json::Value;

use crate::world::World;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A finished run of the synthetic archive, with its tables.
struct Finished {
    world: World,
    manifest: Manifest,
    labels: Labels,
    clusters: Vec<u32>,
}

fn finished() -> Finished {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let manifest: Manifest = read_table(&world.path("run/dataset/manifest.parquet")).unwrap();
    let labels: Labels = read_table(&world.path("run/dataset/labels.parquet")).unwrap();
    let assignments: Assignments = read_folder(&partition(&world.path("run"), "assignments", Epoch(2))).unwrap();
    assert_eq!((&assignments.image_id, &labels.image_id), (&manifest.image_id, &manifest.image_id));
    let clusters = assignments.cluster.iter().map(|cluster| cluster.0).collect();
    Finished { world, manifest, labels, clusters }
}

impl Finished {
    /// Gives every cluster the commonest label of its images.
    fn name_clusters(&self) {
        let mut counts: BTreeMap<u32, BTreeMap<&str, usize>> = BTreeMap::new();
        for (cluster, label) in self.clusters.iter().zip(&self.labels.label) {
            *counts.entry(*cluster).or_default().entry(label).or_default() += 1;
        }
        let row = |(cluster, labels): (u32, BTreeMap<&str, usize>)| {
            format!("{cluster},{}\n", labels.into_iter().max_by_key(|label| label.1).unwrap().0)
        };
        fs_err::write(self.world.path("names.csv"), counts.into_iter().map(row).collect::<String>()).unwrap();
        self.world.deepmcat(&["names", "run", "import", "names.csv"]);
    }

    fn categories(&self, folder: &str) -> Categories {
        read_folder(&self.world.path(folder).join("categories")).unwrap()
    }
}

#[test]
fn names_become_categories_of_images_and_series() {
    let finished = finished();
    let (world, manifest) = (&finished.world, &finished.manifest);
    let message = world.fails(2, &["categorize", "run"]);
    assert!(
        message.contains("no cluster and no image has a name") && message.contains("hint: deepmcat names"),
        "{message}"
    );
    finished.name_clusters();
    // A name of an image outranks its cluster's; another author gives it a name that no label has.
    fs_err::write(world.path("one.csv"), format!("{},phantom of a phantom\n", manifest.key[5])).unwrap();
    world.deepmcat(&["names", "run", "import", "one.csv", "--author", "ben"]);
    let said = json(&world.deepmcat(&["categorize", "run", "--json", "--csv", "out/series.csv"]));
    let table = finished.categories("run");
    assert_eq!(table.image_id, manifest.image_id);
    assert_eq!((table.category[5].as_str(), table.confidence[5], table.named[5]), ("phantom of a phantom", 1.0, true));
    assert_eq!(table.named.iter().filter(|&&named| named).count(), 1);
    for row in 0..table.category.len() {
        assert!((0.0..=1.0).contains(&table.confidence[row]) && (0.0..=1.0).contains(&table.novelty[row]));
        assert_ne!(table.second[row].as_ref(), Some(&table.category[row]));
        let unsure = table.confidence[row] < 0.9 || table.novelty[row] < 0.01;
        assert_eq!(table.abstain[row], unsure && !table.named[row]);
    }
    // The named image and the medoids that whoever named the clusters has seen measure nothing.
    let used: std::collections::BTreeSet<u32> = finished.clusters.iter().copied().collect();
    let measured = said["metrics"]["images"].as_u64().unwrap() as usize;
    assert!(
        (table.category.len() - used.len() - 1..=table.category.len() - used.len()).contains(&measured),
        "{measured}"
    );
    assert!(
        said["metrics"]["accuracy"].as_f64().unwrap() > 0.5 && said["method"] == "kernel" && said["audited"] == false
    );

    let series: SeriesCategories = read_folder(&world.path("run/series")).unwrap();
    let all: std::collections::BTreeSet<&String> = manifest.series.iter().collect();
    assert_eq!(series.series.len(), all.len());
    assert_eq!(series.images.iter().sum::<u32>() as usize, manifest.image_id.len());
    assert!(series.header.iter().all(Option::is_some));
    let csv = fs_err::read_to_string(world.path("out/series.csv")).unwrap();
    assert!(csv.starts_with("SeriesInstanceUID,") && csv.lines().count() == all.len() + 1, "{csv}");
    assert!(csv.lines().nth(1).unwrap().split(',').next().unwrap().contains('.'), "a UID: {csv}");

    // What to name next is what is least sure of its cluster.
    let asked = world.deepmcat(&["names", "run", "ask", "-n", "1"]);
    let key = asked.lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    let asked = manifest.key.iter().position(|other| *other == key).unwrap();
    let of_cluster =
        (0..table.cluster.len()).filter(|&row| table.cluster[row] == table.cluster[asked] && !table.named[row]);
    assert_eq!(of_cluster.map(|row| table.confidence[row]).reduce(f32::min), Some(table.confidence[asked]));

    // The same again to the bit, for people as text, and by the labels' absence nothing is measured and all else is the same.
    let before: Vec<u8> = fs_err::read(world.path("run/categories/part-0.parquet")).unwrap();
    let text = world.deepmcat(&["categorize", "run"]);
    assert!(text.contains("coverage at 2 % error") && text.contains("macro recall"), "{text}");
    fs_err::remove_file(world.path("run/dataset/labels.parquet")).unwrap();
    let said = json(&world.deepmcat(&["categorize", "run", "--json"]));
    let metrics: CategoryMetrics = read_folder(&world.path("run/category-metrics")).unwrap();
    assert!(said["metrics"].is_null() && metrics.images.is_empty());
    assert_eq!(
        fs_err::read(world.path("run/categories/part-0.parquet")).unwrap(),
        before,
        "no label reaches a category"
    );
}

#[test]
fn labels_become_categories_and_do_not_measure_themselves() {
    let finished = finished();
    let (world, labels) = (&finished.world, &finished.labels);
    let classes: std::collections::BTreeSet<&String> = labels.label.iter().collect();
    let words = ["categorize", "run", "--from-labels", "--per-class", "1", "--out", "one", "--json"];
    let said = json(&world.deepmcat(&words));
    let one = finished.categories("one");
    assert_eq!(one.named.iter().filter(|&&named| named).count(), classes.len());
    assert_eq!(said["metrics"]["images"].as_u64().unwrap() as usize, labels.label.len() - classes.len());
    for row in (0..labels.label.len()).filter(|&row| one.named[row]) {
        assert_eq!(one.category[row], labels.label[row]);
    }
    assert!(!world.path("run/categories").exists(), "--out leaves the run alone");
    let other = json(&world.deepmcat(&[&words[..], &["--set", "run.seed=2"]].concat()));
    assert_ne!(finished.categories("one").named, one.named, "another seed draws others");
    assert_eq!(other["answers"], said["answers"]);
    // All labels: nothing is left to measure by.
    let said = json(&world.deepmcat(&["categorize", "run", "--from-labels", "--out", "all", "--json"]));
    assert!(said["metrics"].is_null() && said["method"] == "kernel");
    assert_eq!(finished.categories("all").category, labels.label);
    let message = world.fails(2, &["categorize", "run", "--per-class", "5"]);
    assert!(message.contains("--from-labels"), "{message}");
    let message = world.fails(2, &["categorize", "run", "--from-labels", "--threshold", "2"]);
    assert!(message.contains("`--threshold` is 2, expected 0 to below 1"), "{message}");
}

#[test]
fn what_does_not_belong_to_the_result_is_told() {
    let finished = finished();
    let world = &finished.world;
    world.init("fresh");
    let message = world.fails(2, &["categorize", "fresh"]);
    assert!(message.contains("no result yet"), "{message}");
    finished.name_clusters();
    // Labels of images that the result does not have.
    let mut labels = finished.labels.clone();
    labels.image_id.iter_mut().take(3).for_each(|image| image.0 += 100_000);
    let path = world.path("run/dataset/labels.parquet");
    deepmcat_schemas::write_table(&path, &labels, &deepmcat_schemas::read_stamp(&path).unwrap()).unwrap();
    let output = world.command(&["categorize", "run"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("3 labels are of images that the result does not have"), "{said}");
    // Names of an older result.
    world.deepmcat(&["run", "run", "--set", "final.k=9"]);
    let message = world.fails(2, &["categorize", "run"]);
    assert!(message.contains("are of an earlier result (deepmcat names RUN carry)"), "{message}");
}

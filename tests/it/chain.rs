//! The whole chain on a small synthetic archive: every table, the plan, and what a changed setting reruns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use deepmcat_schemas::layout::{epochs, partition};
use deepmcat_schemas::{
    Assignments, Clusters, Epoch, ImageId, Labels, Manifest, Map, Metrics, Samples, Sources, Stamp, Training,
    read_folder, read_table, write_table,
};

use crate::world::{World, assert_same, program, tables};

#[test]
fn a_run_gives_every_table_and_then_has_nothing_to_do() {
    let world = World::new();
    world.small_run();
    let printed = world.deepmcat(&["run", "run"]);
    assert!(printed.contains("purity") && printed.contains("raw") && printed.contains("final"), "{printed}");

    let run = world.path("run");
    let manifest: Manifest = read_table(&run.join("dataset/manifest.parquet")).unwrap();
    let images = manifest.image_id.len();
    assert!(images > 60, "{images}");
    let labels: Labels = read_table(&run.join("dataset/labels.parquet")).unwrap();
    assert_eq!(labels.image_id, manifest.image_id, "every synthetic series has a class");
    let sources: Sources = read_table(&run.join("dataset/sources.parquet")).unwrap();
    let of_images: Vec<ImageId> = sources.image_id.iter().flatten().map(|&id| ImageId(id)).collect();
    assert_eq!(of_images, manifest.image_id);
    let page = fs_err::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("Content-Security-Policy") && page.contains("default-src 'none'"));
    assert!(!page.contains("src=\"http") && !page.contains("<link"), "the page loads nothing");
    for (id, text) in
        [("map", "Map: "), ("clusters", "Cluster "), ("classes", "of their own"), ("curves", "Purity went from")]
    {
        let from = page.find(&format!("<section id=\"{id}\">")).unwrap();
        assert!(page[from..].contains(text), "{id}");
    }
    assert!(page.contains("data:image/jpeg;base64,") && page.len() < 8_000_000);
    let map: Map = read_table(&run.join("map/part-0.parquet")).unwrap();
    assert_eq!(map.image_id, manifest.image_id);
    assert!(map.x.iter().max() > Some(&50_000) || map.y.iter().max() > Some(&50_000));
    assert!(manifest.path.iter().all(|path| run.join("dataset").join(path).is_file()));

    for epoch in [0, 1, 2].map(Epoch) {
        let assignments: Assignments = read_folder(&partition(&run, "assignments", epoch)).unwrap();
        assert_eq!(assignments.image_id, manifest.image_id);
        let clusters: Clusters = read_folder(&partition(&run, "clusters", epoch)).unwrap();
        assert_eq!(clusters.size.iter().sum::<u32>() as usize, images);
        let metrics: Metrics = read_folder(&partition(&run, "metrics", epoch)).unwrap();
        assert_eq!(metrics.nmi_previous[0].is_some(), epoch.0 > 0);
        assert!(metrics.purity[0].unwrap() > 1.0 / 13.0);
    }
    for epoch in [0, 1].map(Epoch) {
        let samples: Samples = read_folder(&partition(&run, "samples", epoch)).unwrap();
        assert_eq!(samples.position.len(), images);
        let training: Training = read_folder(&partition(&run, "training", epoch)).unwrap();
        assert!(training.loss.iter().all(|loss| loss.is_finite()));
    }
    // Retention keeps two checkpoints and, by default, the features of the last epoch alone.
    assert_eq!(epochs(&run.join("features")).unwrap(), [Epoch(2)]);
    assert_eq!(epochs(&run.join("checkpoints")).unwrap(), [Epoch(0), Epoch(1)]);

    let before = tables(&run);
    world.deepmcat(&["run", "run"]);
    assert_eq!(world.deepmcat(&["plan", "run"]), "");
    assert_same(&tables(&run), &before);
}

#[test]
fn two_runs_give_the_same_bytes_with_as_many_threads() {
    let world = World::new();
    world.small_run();
    let threads = ["--set", "compute.threads=2"];
    for again in ["again", "later"] {
        world.init(again);
    }
    world.deepmcat(&[&["run", "run"], &threads[..]].concat());
    world.deepmcat(&[&["run", "again", "-j", "1"], &threads[..]].concat());
    assert_same(&tables(&world.path("run")), &tables(&world.path("again")));
    // With another number, training alone rounds otherwise: what comes before it is the same.
    world.deepmcat(&["run", "later", "--set", "compute.threads=1", "--until", "sample@0"]);
    let both = [tables(&world.path("run")), tables(&world.path("later"))];
    let common = |of: &BTreeMap<PathBuf, String>| {
        let here = |path: &PathBuf| both.iter().all(|tables| tables.contains_key(path));
        of.iter().filter(|(path, _)| here(path)).map(|(path, hash)| (path.clone(), hash.clone())).collect()
    };
    let [one, other]: [BTreeMap<_, _>; 2] = [common(&both[0]), common(&both[1])];
    assert!(one.len() > 60 && one.keys().any(|path| path.starts_with("samples")), "{:?}", one.keys());
    assert_same(&one, &other);
}

#[test]
fn a_report_shows_what_others_wrote_as_text() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let path = world.path("run/dataset/labels.parquet");
    let labels: Labels = read_table(&path).unwrap();
    let hostile = "</script><script>alert(1)</script>\"'>\u{202e}\u{1f600}";
    let label = labels.image_id.iter().map(|_| hostile.to_owned()).collect();
    write_table(&path, &Labels { label, ..labels }, &Stamp::default()).unwrap();
    world.deepmcat(&["report", "run", "--out", "page.html"]);
    let page = fs_err::read_to_string(world.path("page.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)"));
    assert_eq!(page.matches("<script").count(), 2, "the points and the page's own");
    assert!(!page.contains("<script>alert"));
    let restless = page.contains("changed cluster at least once") && page.contains("A path lists the clusters");
    assert!(restless, "two epochs of one network compare");
    let message = world.fails(2, &["report", "run", "--epoch", "99"]);
    assert!(message.contains("epoch 99 has no clusters and metrics\nhint: the last that has them is 2"), "{message}");
}

/// What `small-data` adds to the paper's chain: epochs of some of the images, further clusterings under kept layers, more draws, a merged
/// result.
#[test]
fn several_clusterings_reach_the_training_and_the_result_has_one() {
    let world = World::new();
    world.small_run();
    let sets = [
        "cluster.clusterings=3",
        "cluster.start=previous",
        "train.head=kept",
        "sample.least=100",
        "embed.most=60",
        "final.merge=2",
        "retention.features=0",
        "train.threads=1",
    ];
    let line = |run| [vec!["run", run], sets.iter().flat_map(|set| ["--set", set]).collect()].concat();
    world.init("again");
    world.deepmcat(&[line("run"), vec!["--set", "compute.threads=1"]].concat());
    // The number of cores changes nothing where training has a thread.
    world.deepmcat(&[line("again"), vec!["--set", "compute.threads=3", "--set", "pipeline.jobs=0"]].concat());
    assert_same(&tables(&world.path("run")), &tables(&world.path("again")));

    let others = |epoch: u32| -> Vec<usize> {
        let table: Assignments = read_folder(&world.path(&format!("run/assignments/epoch={epoch}"))).unwrap();
        table.others.iter().map(Vec::len).collect()
    };
    assert!(others(0).iter().chain(&others(1)).all(|&count| count == 2));
    assert!(others(2).iter().all(|&count| count == 0), "nothing is trained after the result");
    let samples: Samples = read_folder(&world.path("run/samples/epoch=1")).unwrap();
    assert_eq!((samples.position.len(), others(0).len(), others(1).len()), (100, 60, 60));
    let images = |epoch: u32| -> BTreeSet<ImageId> {
        let table: Assignments = read_folder(&world.path(&format!("run/assignments/epoch={epoch}"))).unwrap();
        table.image_id.into_iter().collect()
    };
    assert_eq!(images(0), images(1), "epochs learn from the same images");
    assert!(images(2).len() > 60 && images(2).is_superset(&images(1)), "the result is of all");
    assert!(samples.others.iter().all(|others| others.len() == 2));
    let clusters: Clusters = read_folder(&world.path("run/clusters/epoch=2")).unwrap();
    assert_eq!(clusters.size.len(), 13, "as many as asked for, merged from 26");
}

#[test]
fn several_networks_give_one_result_and_a_rerun_of_it_trains_none() {
    let world = World::new();
    world.small_run();
    let sets = ["--set", "run.epochs=4", "--set", "run.networks=2", "--set", "retention.checkpoints=1"];
    let sets = [&sets[..], &["--set", "train.schedule=cosine"]].concat();
    world.deepmcat(&[&["run", "run"][..], &sets].concat());
    world.init("again");
    world.deepmcat(&[&["run", "again", "--jobs", "1"][..], &sets].concat());
    assert_same(&tables(&world.path("run")), &tables(&world.path("again")));

    let metrics = |epoch: u32| read_folder::<Metrics>(&world.path(&format!("run/metrics/epoch={epoch}"))).unwrap();
    let has_before = |epoch| metrics(epoch).nmi_previous[0].is_some();
    assert_eq!([0, 1, 2, 3, 4].map(has_before), [false, true, false, true, true], "the second network starts anew");
    let width = |epoch: u32| {
        let clusters: Clusters = read_folder(&world.path(&format!("run/clusters/epoch={epoch}"))).unwrap();
        clusters.centroid[0].len()
    };
    assert_eq!(width(4), 2 * width(3));
    assert_ne!(
        fs_err::read(world.path("run/checkpoints/initial/model.safetensors")).unwrap(),
        fs_err::read(world.path("run/checkpoints/initial-2/model.safetensors")).unwrap()
    );
    // The last checkpoint of either network stays, so the pass after them can be made again.
    assert_eq!(epochs(&world.path("run/checkpoints")).unwrap(), [1, 3].map(Epoch));
    let plan = world.deepmcat(&["plan", "run", "--force", "embed@4"]);
    assert!(plan.contains("embed@4") && !plan.contains("train@"), "{plan}");
    // One more network of as many epochs leaves those that are there; longer ones do not.
    let networks = |epochs: &str| world.deepmcat(&["plan", "run", "--set", epochs, "--set", "run.networks=3"]);
    let plan = networks("run.epochs=6");
    assert!(plan.contains("train@4") && plan.contains("train@5") && !plan.contains("train@3"), "{plan}");
    assert!(networks("run.epochs=9").contains("train@0      changed: horizon.epochs: 2 -> 3"));
}

#[test]
fn a_taught_network_trains_on_what_is_sure_of_the_clusters_before_it() {
    let world = World::new();
    world.small_run();
    let sets = ["run.epochs=4", "run.networks=2", "run.taught=1", "sample.sure=0.5"];
    let sets: Vec<&str> = sets.iter().flat_map(|&set| ["--set", set]).collect();
    // The second network learns by itself first, then anew from the other.
    world.deepmcat(&[&["run", "run"][..], &sets, &["--set", "run.taught=0"]].concat());
    world.deepmcat(&[&["run", "run"][..], &sets].concat());

    // Its later epochs have no assignments; those of the run before are not told as this one's, and may go.
    assert_eq!(epochs(&world.path("run/assignments")).unwrap(), [0, 1, 2, 3, 4].map(Epoch));
    let status: serde_json::Value = serde_json::from_str(&world.deepmcat(&["status", "run", "--json"])).unwrap();
    let passes: Vec<&str> =
        status["metrics"].as_array().unwrap().iter().map(|row| row["pass"].as_str().unwrap()).collect();
    assert_eq!(passes, ["raw", "0", "1", "2", "final"]);
    world.deepmcat(&["gc", "run", "--delete"]);
    assert_eq!(epochs(&world.path("run/assignments")).unwrap(), [0, 1, 2, 4].map(Epoch));
    assert_eq!(epochs(&world.path("run/samples")).unwrap(), [0, 1, 2, 3].map(Epoch));
    let taught: Assignments = read_folder(&world.path("run/assignments/epoch=2")).unwrap();
    let mut ranks = std::collections::HashMap::new();
    for (&image, (&cluster, &distance)) in taught.image_id.iter().zip(taught.cluster.iter().zip(&taught.distance)) {
        let all = || taught.cluster.iter().zip(&taught.distance).filter(|(other, _)| **other == cluster);
        let nearer = all().filter(|(_, other)| **other < distance).count();
        ranks.insert(image, (cluster, nearer, all().count()));
    }
    for epoch in [2, 3] {
        let samples: Samples = read_folder(&world.path(&format!("run/samples/epoch={epoch}"))).unwrap();
        assert_eq!(samples.image_id.len(), taught.image_id.len());
        for (image, drawn_as) in samples.image_id.iter().zip(&samples.cluster) {
            let (cluster, nearer, size) = ranks[image];
            assert!(cluster == *drawn_as && nearer < size.div_ceil(2), "{nearer} of {size} are nearer");
        }
    }
    let last: Metrics = read_folder(&world.path("run/metrics/epoch=4")).unwrap();
    assert!(last.nmi_previous[0].is_some(), "compared with what it was taught");
    assert_eq!(world.deepmcat(&["plan", "run"]), "");
}

#[test]
fn a_frozen_encoder_stands_beside_the_result() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    // The raw pixels, as a table that was made elsewhere: its figures are known.
    let raw = world.path("run/baseline/features/part-0.arrow");
    fs_err::copy(&raw, world.path("own.arrow")).unwrap();
    let set = format!("encoder.file={}", world.path("own.arrow").display());
    world.deepmcat(&["run", "run", "--set", &set]);
    let status: serde_json::Value = serde_json::from_str(&world.deepmcat(&["status", "run", "--json"])).unwrap();
    let row = |pass: &str| {
        let mut row = status["metrics"].as_array().unwrap().iter().find(|row| row["pass"] == pass).unwrap().clone();
        for measured in ["pass", "seconds"] {
            row.as_object_mut().unwrap().remove(measured);
        }
        row
    };
    assert_eq!(row("encoder"), row("raw"));
    // Its content counts, not its time.
    fs_err::copy(&raw, world.path("own.arrow")).unwrap();
    assert_eq!(world.deepmcat(&["plan", "run"]), "");
    let mut bytes = fs_err::read(&raw).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(world.path("own.arrow"), bytes).unwrap();
    let plan = world.deepmcat(&["plan", "run"]);
    assert!(plan.contains("encode@encoder") && !plan.contains("@raw"), "{plan}");
}

#[test]
fn a_changed_setting_reruns_what_reads_it_and_nothing_else() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run", "--set", "retention.features=0"]);
    let before = tables(&world.path("run"));

    let toml = world.path("run/run.toml");
    let text = fs_err::read_to_string(&toml).unwrap();
    fs_err::write(&toml, text.replace("k = 13", "k = 11")).unwrap();
    let plan = world.deepmcat(&["plan", "run"]);
    assert!(plan.contains("cluster@0    changed: cluster.k: 13 -> 11"), "{plan}");
    assert!(!plan.contains("ingest") && !plan.contains("embed@0 ") && !plan.contains("embed@raw"), "{plan}");
    let why = world.deepmcat(&["why", "run", "cluster@0"]);
    assert!(why.contains("cluster.k: 13 -> 11"), "{why}");
    assert!(world.deepmcat(&["why", "run", "train@0"]).contains("waits"));

    world.deepmcat(&["run", "run"]);
    let after = tables(&world.path("run"));
    let same = |path: &str| before.get(std::path::Path::new(path)) == after.get(std::path::Path::new(path));
    assert!(same("dataset/manifest.parquet") && same("features/epoch=0/part-0.arrow"));
    assert!(!same("assignments/epoch=0/part-0.parquet") && !same("assignments/epoch=2/part-0.parquet"));

    // What changes no result reruns nothing.
    world.deepmcat(&["run", "run", "--set", "pipeline.jobs=1", "--set", "compute.threads=2"]);
    assert_same(&tables(&world.path("run")), &after);
}

#[test]
fn a_damaged_table_is_noticed_and_made_again() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let before = tables(&world.path("run"));
    let damaged = world.path("run/assignments/epoch=1/part-0.parquet");
    fs_err::write(&damaged, b"edited").unwrap();
    let plan = world.deepmcat(&["plan", "run"]);
    assert!(
        plan.contains("output assignments/epoch=1/part-0.parquet is not what was written (damaged: no Parquet)"),
        "{plan}"
    );
    // Its input was removed by retention: embed@1 has to run again first.
    assert!(plan.contains("embed@1      its output was removed by retention and cluster@1 needs it"), "{plan}");
    world.deepmcat(&["run", "run"]);
    let after = tables(&world.path("run"));
    assert_same(&after, &before);
}

#[test]
fn more_epochs_go_on_from_the_last() {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let first = tables(&world.path("run"));
    world.deepmcat(&["run", "run", "--set", "run.epochs=3"]);
    let run = world.path("run");
    assert_eq!(epochs(&run.join("assignments")).unwrap(), [0, 1, 2, 3].map(Epoch));
    let path = std::path::Path::new("samples/epoch=1/part-0.parquet");
    assert_eq!(first.get(path), tables(&run).get(path));
    // And back: the training of the epoch that now is the result is not told as its own.
    world.deepmcat(&["run", "run", "--set", "run.epochs=2"]);
    let status: serde_json::Value = serde_json::from_str(&world.deepmcat(&["status", "run", "--json"])).unwrap();
    let last = status["metrics"].as_array().unwrap().last().unwrap();
    assert!(last["pass"] == "final" && last["loss"].is_null(), "{last}");
    assert!(world.deepmcat(&["gc", "run"]).contains("training/epoch=2"));
}

/// Figures of an epoch whose features are one point, or whose images are in one cluster.
fn collapsed(clusters_used: u32, spread: f64) -> Metrics {
    Metrics {
        images: vec![84],
        clusters: vec![13],
        clusters_used: vec![clusters_used],
        largest_share: vec![0.2],
        nmi_previous: vec![Some(0.1)],
        changed_share: vec![Some(0.9)],
        nmi_labels: vec![None],
        purity: vec![None],
        balanced_purity: vec![None],
        ari: vec![None],
        ami: vec![None],
        labelled: vec![0],
        classes: vec![0],
        inertia: vec![0.0],
        spread: vec![spread],
    }
}

/// The figures are made up: what a training collapses to hangs on how the processor rounds.
#[test]
fn a_run_that_collapses_ends_and_says_why() {
    let world = World::new();
    world.small_run();
    let figures = world.path("figures.parquet");
    let evaluate = format!(
        "#!/bin/sh\n'{}' \"$@\" || exit\ncase $2 in */evaluate@1.toml) \
         if test -f '{figures}'; then cp '{figures}' run/metrics/epoch=1/part-0.parquet; fi;; esac\n",
        program("deepmcat-evaluate").display(),
        figures = figures.display()
    );
    let run = |more: &[&str]| world.command_with("deepmcat-evaluate", &evaluate, &[&["run", "run"], more].concat());
    let one_point = "the network gives all images the same feature";
    // Of two signs the cause is told: of one point k-means makes one cluster or several, by chance.
    for (used, spread, why) in [(13, 1e-7, one_point), (1, 0.0, one_point), (1, 0.3, "all images are in one cluster")] {
        write_table(&figures, &collapsed(used, spread), &Stamp::default()).unwrap();
        for forced in [&["--force", "evaluate@1"][..], &[]] {
            let output = run(forced).output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{message}");
            assert!(message.contains(&format!("error: epoch 1: {why}")) && message.contains("hint: "), "{message}");
            // Warned of when it is evaluated.
            let warned = message.contains("features are nearly alike");
            assert_eq!(warned, spread < 1e-3 && !forced.is_empty(), "{message}");
        }
        let warned = world.deepmcat(&["status", "run"]).contains("warning: epoch 1: features are nearly alike");
        assert_eq!(warned, spread < 1e-3);
    }
    fs_err::remove_file(&figures).unwrap();
    let output = run(&["--set", "train.rate=0.01"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

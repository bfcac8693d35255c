//! Which nodes a run has, what they read, and which settings each of them uses.

use super::*;
use crate::dag::dependencies;
use deepmcat_schemas::jobs::Job;

pub(in crate::dag) fn graph() -> Vec<Node> {
    graph_with(&[])
}

fn graph_with(more: &[&str]) -> Vec<Node> {
    let sets = ["run.epochs=2", "input.paths=[\"archive\"]"].iter().chain(more);
    let sets: Vec<String> = sets.map(|&set| set.to_owned()).collect();
    nodes(&deepmcat_config::resolve(None, None, &sets).unwrap().0)
}

fn names(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|node| node.id.to_string()).collect()
}

/// The job of a node.
fn job<J: TryFrom<Job, Error = Job>>(nodes: &[Node], name: &str) -> J {
    let node = nodes.iter().find(|node| node.id.to_string() == name).unwrap_or_else(|| panic!("no {name}"));
    J::try_from(node.job.clone()).unwrap_or_else(|job| panic!("{name} is a job of {}", job.kind()))
}

use deepmcat_schemas::jobs::{Init, Sample, Train};

#[test]
fn only_the_result_is_merged_and_only_to_fewer_clusters() {
    let job = |sets: &[&str], name: &str| job::<Cluster>(&graph_with(sets), name);
    let fewer = ["final.merge=2", "final.k=5", "cluster.k=40"];
    let last = job(&fewer, "cluster@2");
    let KMeans { k, clusterings, redo, .. } = last.cluster;
    assert_eq!((k, clusterings, redo, last.merge_from), (5, 1, 1, Some(80)));
    assert_eq!(job(&["final.merge=2", "cluster.k=40"], "cluster@2").merge_from, Some(80));
    assert_eq!(job(&["final.merge=1", "cluster.k=40"], "cluster@2").merge_from, None);
    assert_eq!((job(&fewer, "cluster@1").merge_from, job(&fewer, "cluster@raw").merge_from), (None, None));
    let start = |name: &str| job(&["final.start=spread"], name).cluster.start;
    assert!(start("cluster@2") == start("cluster@raw") && start("cluster@1") != start("cluster@2"));
}

#[test]
fn every_input_is_the_output_of_an_earlier_node() {
    let nodes = graph();
    for (place, (node, reads)) in nodes.iter().zip(dependencies(&nodes)).enumerate() {
        assert!(reads.iter().all(|&earlier| earlier < place), "{}", node.id);
        let written: Vec<_> = reads.iter().flat_map(|&earlier| &nodes[earlier].outputs).collect();
        assert!(node.inputs.iter().all(|input| written.contains(&input)), "{}", node.id);
    }
}

#[test]
fn the_chain_is_the_papers_with_a_final_clean_pass() {
    let expected = "ingest pack init embed@raw cluster@raw evaluate@raw \
        embed@0 cluster@0 evaluate@0 sample@0 train@0 embed@1 cluster@1 evaluate@1 sample@1 train@1 \
        embed@2 cluster@2 evaluate@2 map report";
    assert_eq!(names(&graph()).join(" "), expected.split_whitespace().collect::<Vec<_>>().join(" "));
    let [one, last] = ["embed@1", "embed@2"].map(|name| job::<Embed>(&graph(), name));
    assert!(one.views.is_some() && last.views.is_none());
    assert_eq!(last.inputs.weights, [Path::new("checkpoints/epoch=1")]);
}

#[test]
fn an_encoder_teaches_and_stands_beside_the_networks() {
    let sets = ["run.epochs=4", "run.networks=2", "run.taught=2", "encoder.file=a.onnx", "final.smooth=3"];
    let nodes = graph_with(&sets);
    let embeds: Vec<String> = names(&nodes).into_iter().filter(|name| name.starts_with("embed@")).collect();
    assert_eq!(embeds, ["embed@raw", "embed@4"], "taught by the encoder alone");
    let taught = job::<Cluster>(&nodes, "cluster@2");
    assert_eq!((taught.inputs.features, taught.smooth), (vec![PathBuf::from(ENCODED)], 3));
    let result = job::<Cluster>(&nodes, "cluster@4");
    assert_eq!(result.inputs.features, [at("features", Epoch(4)), ENCODED.into()]);
    assert_eq!((result.weights, result.smooth), (vec![1.0, 1.0], 3));
    let beside = job::<Cluster>(&nodes, "cluster@encoder");
    assert_eq!((beside.smooth, beside.merge_from), (0, None), "plain k-means");
    // Pseudo-labels of a network that is not taught come from both, without smoothing.
    let own = job::<Cluster>(&graph_with(&["encoder.file=a.onnx", "final.smooth=3"]), "cluster@1");
    assert_eq!((own.inputs.features.len(), own.weights, own.smooth), (2, vec![1.0, 1.0], 0));
    let apart = job::<Cluster>(&graph_with(&["encoder.file=a.onnx", "encoder.weight=0"]), "cluster@2");
    assert_eq!((apart.inputs.features, apart.weights), (vec![at("features", Epoch(2))], Vec::new()));
}

#[test]
fn without_networks_the_result_is_the_encoders() {
    let nodes = graph_with(&["run.epochs=0", "run.networks=0", "encoder.file=a.onnx"]);
    let expected = "ingest embed@raw cluster@raw evaluate@raw encode@encoder cluster@encoder evaluate@encoder \
        cluster@0 evaluate@0 map report";
    assert_eq!(names(&nodes).join(" "), expected.split_whitespace().collect::<Vec<_>>().join(" "));
    assert_eq!(job::<Cluster>(&nodes, "cluster@0").inputs.features, [PathBuf::from(ENCODED)]);
}

#[test]
fn a_taught_network_trains_on_the_clusters_of_those_before_it() {
    let sets = ["run.epochs=6", "run.networks=3", "run.taught=1", "sample.sure=0.5"];
    let nodes = graph_with(&sets);
    let embed = job::<Embed>(&nodes, "embed@4");
    assert_eq!(embed.inputs.weights, [at("checkpoints", Epoch(1)), at("checkpoints", Epoch(3))]);
    assert!(embed.views.is_none() && job::<Cluster>(&nodes, "cluster@4").inputs.previous.is_none());
    assert_eq!(job::<Train>(&nodes, "train@4").inputs.weights, Path::new("checkpoints/initial-4"));
    // One set of pseudo-labels for all its epochs, and no features of its own.
    let names = names(&nodes);
    assert!(["embed@5", "cluster@5", "evaluate@5"].iter().all(|absent| !names.iter().any(|name| name == absent)));
    let fourth = at("assignments", Epoch(4));
    for epoch in [4, 5] {
        let sample = job::<Sample>(&nodes, &format!("sample@{epoch}"));
        assert_eq!((sample.inputs.assignments, sample.sample.sure), (fourth.clone(), 0.5));
    }
    assert_eq!(job::<Sample>(&nodes, "sample@3").sample.sure, 1.0);
    assert_eq!(job::<Cluster>(&nodes, "cluster@6").inputs.previous, Some(fourth.clone()));
    assert_eq!(job::<Evaluate>(&nodes, "evaluate@6").inputs.previous, Some(fourth));
    let weights = job::<Embed>(&nodes, "embed@6").inputs.weights;
    assert_eq!(weights, [1, 3, 5].map(|epoch| at("checkpoints", Epoch(epoch))));
}

#[test]
fn several_taught_networks_have_the_same_teachers_and_wait_for_no_other() {
    let nodes = graph_with(&["run.epochs=8", "run.networks=4", "run.taught=2"]);
    let weights = |name: &str| job::<Embed>(&nodes, name).inputs.weights;
    assert_eq!(weights("embed@4"), [at("checkpoints", Epoch(1)), at("checkpoints", Epoch(3))]);
    assert_eq!(weights("embed@4"), weights("embed@6"));
    let assignments = |name: &str| job::<Sample>(&nodes, name).inputs.assignments;
    assert_eq!(assignments("sample@5"), at("assignments", Epoch(4)));
    assert_eq!(assignments("sample@7"), at("assignments", Epoch(6)));
    let trained = nodes.iter().filter(|node| node.id.stage == Stage::Train).map(|node| node.id.to_string());
    let turns = ["train@0", "train@2", "train@1", "train@3", "train@4", "train@6", "train@5", "train@7"];
    assert_eq!(trained.collect::<Vec<_>>(), turns);
}

#[test]
fn networks_of_their_own_all_give_the_result() {
    let nodes = graph_with(&["run.epochs=5", "run.networks=2", "final.merge=0"]);
    let init = |name: &str| job::<Init>(&nodes, name);
    assert_eq!(init("init").outputs.checkpoint, Path::new("checkpoints/initial"));
    assert_eq!(init("init@2").outputs.checkpoint, Path::new("checkpoints/initial-2"));
    assert_eq!((init("init").epoch, init("init@2").epoch), (Epoch(0), Epoch(2)));
    let weights = |name: &str| job::<Embed>(&nodes, name).inputs.weights;
    assert_eq!(weights("embed@1"), [at("checkpoints", Epoch(0))]);
    assert_eq!(weights("embed@2"), [Path::new("checkpoints/initial-2")]);
    assert_eq!(weights("embed@5"), [at("checkpoints", Epoch(1)), at("checkpoints", Epoch(4))]);
    let from = |name: &str| job::<Train>(&nodes, name).inputs.weights;
    assert_eq!(from("train@2"), Path::new("checkpoints/initial-2"));
    assert_eq!(from("train@3"), at("checkpoints", Epoch(2)));
    // Clusters of the network before would be drawn into a space that knows nothing yet.
    let previous = |name: &str| job::<Cluster>(&nodes, name).inputs.previous;
    assert_eq!((previous("cluster@2"), job::<Evaluate>(&nodes, "evaluate@2").inputs.previous), (None, None));
    assert_eq!(previous("cluster@3"), Some(at("assignments", Epoch(2))));
    assert_eq!(previous("cluster@5"), Some(at("assignments", Epoch(4))));
}

#[test]
fn what_a_server_has_is_received_and_read_like_a_folder() {
    let nodes = graph_with(&["input.server=orthanc+https://pacs:8042", "fetch.ca=ca.pem", "fetch.connections=3"]);
    assert_eq!(names(&nodes)[..3], ["fetch", "ingest", "pack"]);
    assert_eq!(nodes[1].outside, [Path::new("archive"), Path::new("received/instances")]);
    assert_eq!((&nodes[1].inputs, &dependencies(&nodes)[1]), (&nodes[0].outputs, &vec![0]));
    assert_eq!(nodes[0].files, [(CA_SETTING, PathBuf::from("ca.pem"))]);
    let sets = ["fetch.connections=3".to_owned()];
    let line = nodes[0].command_line(Path::new("run"), &deepmcat_config::resolve(None, None, &sets).unwrap().0, (0, 1));
    assert!(line.windows(2).any(|pair| pair[0] == "--connections" && pair[1] == "3"), "{line:?}");
}

/// Every setting, with another value that the check lets through, and the nodes whose jobs it changes.
#[test]
fn a_model_is_applied_without_learning_or_clustering() {
    let sets = ["input.model=model", "run.networks=2", "run.taught=1", "encoder.file=model/encoder.onnx"];
    let nodes = graph_with(&sets);
    assert_eq!(names(&nodes).join(" "), "ingest pack embed@2 encode@encoder place");
    let embed: Embed = job(&nodes, "embed@2");
    assert_eq!(embed.inputs.weights, ["model/networks/0", "model/networks/1"].map(PathBuf::from));
    assert!(embed.most.is_none() && embed.views.is_none(), "as in the pass after the last epoch");
    let place: deepmcat_schemas::jobs::Place = job(&nodes, "place");
    assert_eq!(place.weights.len(), place.inputs.features.len());
    // Parts of the model are no outputs of any node, and their content counts.
    let place = nodes.last().unwrap();
    assert!(place.inputs.iter().all(|input| !input.starts_with("model")) && place.files.len() == 1);
    // Without networks there is nothing to pack; an encoder that does not count gives no features.
    let quick = [
        "input.model=model",
        "run.epochs=0",
        "run.networks=0",
        "run.taught=0",
        "encoder.file=e.onnx",
        "encoder.weight=1.0",
    ];
    assert_eq!(names(&graph_with(&quick)).join(" "), "ingest encode@encoder place");
    let alone = ["input.model=model", "encoder.file=e.onnx", "encoder.weight=0.0"];
    assert_eq!(names(&graph_with(&alone)).join(" "), "ingest pack embed@2 place");
}

#[test]
fn each_setting_changes_the_jobs_of_those_who_use_it() {
    const EMBED: &str = "embed@0 embed@1";
    let body = "init embed@0 train@0 embed@1 train@1 embed@2";
    let seeded =
        "init cluster@raw embed@0 cluster@0 sample@0 train@0 embed@1 cluster@1 sample@1 train@1 cluster@2 report";
    let seen = "embed@0 train@0 embed@1 train@1";
    let (draws, trains) = ("sample@0 sample@1", "train@0 train@1");
    let (learning, last) = ("cluster@0 cluster@1", "cluster@raw cluster@2");
    let clusters = "cluster@raw cluster@0 cluster@1 cluster@2";
    let cards = "cluster@raw embed@0 cluster@0 train@0 embed@1 cluster@1 train@1 embed@2 cluster@2";
    let cases = [
        ("input.paths", "[\"elsewhere\"]", ""), // the archive's content counts, not its place
        ("input.server", "orthanc://localhost", ""), // a node more
        ("input.model", "models/study", ""),    // other nodes, with the settings of the model's run
        ("run.seed", "2", seeded),
        ("run.epochs", "3", "embed@2 report"), // an epoch of training
        ("run.networks", "2", "report"),
        ("run.taught", "1", "embed@1 report"), // the first epoch of a network that others teach
        ("fetch.modality", "[\"MR\"]", "fetch"),
        ("fetch.dates", "20200101-", "fetch"),
        ("fetch.description", "*cine*", "fetch"),
        ("fetch.max_size", "512", "fetch"),
        ("fetch.plain_http", "true", "fetch"),
        ("fetch.ca", "ca.pem", ""), // its content counts
        ("fetch.connections", "5", ""),
        ("fetch.timeout", "5", ""),
        ("fetch.retries", "5", ""),
        ("ingest.rules", "ukbb", "ingest"),
        ("ingest.frames", "all", "ingest"),
        ("ingest.bits", "16", "ingest"),
        ("ingest.window", "[1.0, 99.0]", "ingest"),
        ("ingest.own_window", "true", "ingest"),
        ("ingest.key_file", "key", ""), // its content counts
        ("ingest.max_memory", "512", "ingest"),
        ("ingest.max_seconds", "60", "ingest"),
        ("ingest.max_members", "60", "ingest"),
        ("ingest.max_ratio", "60", "ingest"),
        ("network.width", "0.5", body),
        ("network.input", "256", &format!("pack {body}")),
        ("network.pool", "3", body),
        ("network.features", "pool", body),
        ("network.fc", "64", body),
        ("network.dropout", "0.1", trains),
        ("augment.area", "[0.5, 1.0]", seen),
        ("augment.ratio", "[1.0, 1.0]", seen),
        ("augment.rotation", "5", seen),
        ("augment.bias", "0.1", seen),
        ("augment.gamma", "0.1", seen),
        ("augment.noise", "0.1", seen),
        ("augment.spread", "0.1", ""), // of the first network
        ("embed.augment", "false", EMBED),
        ("embed.views", "2", EMBED),
        ("embed.most", "40", "embed@0 embed@1 report"),
        ("embed.batch", "128", "embed@0 embed@1 embed@2"),
        ("embed.float16", "true", "embed@raw embed@0 embed@1 embed@2"),
        ("encoder.file", "features.npy", "cluster@0 cluster@1 cluster@2 map report"),
        ("encoder.weight", "3.0", "cluster@0 cluster@1 cluster@2 map"),
        ("encoder.side", "32", "encode@encoder"),
        ("encoder.channels", "1", "encode@encoder"),
        ("encoder.mean", "[0.5, 0.5, 0.5]", "encode@encoder"),
        ("encoder.deviation", "[0.2, 0.2, 0.2]", "encode@encoder"),
        ("encoder.output", "features", "encode@encoder"),
        ("encoder.pooling", "first", "encode@encoder"),
        ("cluster.k", "24", "cluster@raw cluster@0 cluster@1 cluster@2 report"),
        ("cluster.clusterings", "4", "cluster@0 cluster@1 report"),
        ("cluster.start", "spread", learning),
        ("cluster.iterations", "5", clusters),
        ("cluster.redo", "2", learning),
        ("cluster.tolerance", "0.1", clusters),
        ("sample.uniform", "false", draws),
        ("sample.least", "2400", draws),
        ("sample.sure", "0.5", ""), // of a network that others teach
        ("train.batch", "32", trains),
        ("train.rate", "0.1", trains),
        ("train.schedule", "cosine", trains),
        ("train.momentum", "0.5", trains),
        ("train.weight_decay", "0.1", trains),
        ("train.head", "kept", trains),
        ("train.head_rate", "0.1", trains),
        ("train.threads", "1", ""),
        ("final.augment", "true", "embed@2"),
        ("final.k", "24", last),
        ("final.smooth", "2", "cluster@2 report"),
        ("final.merge", "2", "cluster@2 report"),
        ("final.start", "spread", last),
        ("final.redo", "2", "cluster@raw cluster@2 report"),
        ("compute.device", "cuda", cards),
        ("compute.precision", "bfloat16", "embed@0 train@0 embed@1 train@1 embed@2"),
        ("compute.threads", "3", ""),
        ("retention.features", "5", ""),
        ("retention.checkpoints", "5", ""),
        ("retention.checkpoint_every", "5", ""),
        ("pipeline.jobs", "5", ""),
        ("pipeline.retries", "5", ""),
        ("pipeline.shards", "5", ""),
        ("pipeline.gpus", "5", ""),
    ];
    let config = |sets: &[&str]| {
        deepmcat_config::resolve(None, None, &sets.iter().map(|&set| set.to_owned()).collect::<Vec<_>>()).unwrap()
    };
    for (name, value, expected) in &cases {
        // One network has no other to learn from.
        let more = match *name {
            "run.taught" => "run.networks=2",
            _ if name.starts_with("fetch.") => "input.server=orthanc://localhost",
            _ if name.starts_with("encoder.") && *name != "encoder.file" => "encoder.file=network.onnx",
            _ => "run.networks=1",
        };
        // One is of no use without the other.
        let pair = match *name {
            "encoder.mean" => "encoder.deviation=[1.0, 1.0, 1.0]",
            "encoder.deviation" => "encoder.mean=[0.0, 0.0, 0.0]",
            _ => more,
        };
        let plain = config(&["run.epochs=2", more]).0;
        let changed = config(&["run.epochs=2", more, pair, &format!("{name}={value}")]).0;
        assert_ne!(changed, plain, "{name}: of no section");
        let (plain, changed) = (nodes(&plain), nodes(&changed));
        let other = |node: &&Node| {
            let before = plain.iter().find(|before| before.id == node.id);
            before.is_some_and(|before| before.job.settings() != node.job.settings())
        };
        let changed: Vec<String> = changed.iter().filter(other).map(|node| node.id.to_string()).collect();
        assert_eq!(changed.join(" "), *expected, "{name}");
    }
    let (_, document) = config(&[]);
    let all = document
        .iter()
        .flat_map(|(section, item)| item.as_table().unwrap().iter().map(move |(key, _)| format!("{section}.{key}")));
    assert_eq!(all.collect::<Vec<_>>(), cases.map(|(name, ..)| name.to_owned()), "a case for every setting");
}

//! Which nodes a run has: the paper's chain, its baseline, and the result.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use deepmcat_config::{Config, Final, Run};
use deepmcat_schemas::Epoch;
use deepmcat_schemas::layout::{LABELS, MANIFEST, REJECTS, SOURCES};

use super::{Arg, Node, Pass, Stage};
use crate::settings::{KEY_SETTING, RULES_SETTING};

fn at(table: &str, epoch: Epoch) -> PathBuf {
    deepmcat_schemas::layout::partition(Path::new(""), table, epoch)
}

/// Where a network is before its first epoch.
fn initial(first: u32) -> PathBuf {
    if first == 0 { "checkpoints/initial".into() } else { format!("checkpoints/initial-{first}").into() }
}

/// The epoch before one, where the same network was trained at it.
fn before(run: &Run, epoch: Epoch) -> Option<Epoch> {
    (run.network_of(epoch.0).start < epoch.0).then(|| Epoch(epoch.0 - 1))
}

/// The checkpoint that an epoch starts from.
fn checkpoint_before(run: &Run, epoch: Epoch) -> PathBuf {
    before(run, epoch).map_or_else(|| initial(epoch.0), |before| at("checkpoints", before))
}

/// The epoch whose assignments a network trains on at an epoch: those of its first, where it is taught.
fn labelled(run: &Run, epoch: Epoch) -> Epoch {
    if run.is_taught(epoch.0) { Epoch(run.network_of(epoch.0).start) } else { epoch }
}

/// The epochs in the order in which they are trained. Networks that do not wait for each other take an epoch in turn:
/// where nodes run side by side, all end at the same time, and none has the machine for itself at the end.
fn order(run: &Run) -> Vec<Epoch> {
    let mut epochs: Vec<u32> = (0..run.epochs).collect();
    epochs.sort_by_cached_key(|&epoch| (run.is_taught(epoch), epoch - run.network_of(epoch).start));
    epochs.into_iter().map(Epoch).collect()
}

/// All nodes of a run: each stands after the nodes whose outputs it reads.
#[must_use]
pub fn nodes(config: &Config) -> Vec<Node> {
    let once = |stage| Node::new(stage, Pass::Once);
    let mut nodes = vec![
        ingest(config),
        once(Stage::Pack).reads_dataset().writes("--out", "pixels"),
        once(Stage::Init).flag("--init").writes("--out", initial(0)),
    ];
    let run = &config.run;
    for first in run.epochs_of_networks().map(|epochs| epochs.start).skip(1) {
        let node = Node::new(Stage::Init, Pass::Epoch(Epoch(first)));
        nodes.push(node.flag("--init").epoch(Epoch(first)).writes("--out", initial(first)));
    }
    nodes.extend(baseline(config));
    for epoch in order(run) {
        if labelled(run, epoch) == epoch {
            let [embed, cluster, evaluate] = if run.is_taught(epoch.0) {
                of_networks(config, run.own(), epoch)
            } else {
                assign(run, epoch, [checkpoint_before(run, epoch)])
            };
            if !remembered(config, epoch) {
                nodes.push(embed);
            }
            nodes.extend([cluster, evaluate]);
        }
        nodes.extend(learn(config, epoch));
    }
    nodes.extend(last(config));
    nodes
}

fn ingest(config: &Config) -> Node {
    let mut node = Node::new(Stage::Ingest, Pass::Once);
    for path in &config.input.paths {
        node.args.push(Arg::Outside(path.clone()));
        node.outside.push(path.clone());
    }
    node.files.extend(config.ingest.rules_file().map(|rules| (RULES_SETTING, rules.to_owned())));
    if !config.ingest.key_file.is_empty() {
        // Its content counts, not its place; one beside run.toml moves with the run.
        let key = PathBuf::from(&config.ingest.key_file);
        node = node.flag("--key-file");
        node.args.push(if key.is_absolute() { Arg::Outside(key.clone()) } else { Arg::Inside(key.clone()) });
        node.files.push((KEY_SETTING, key));
    }
    node = node.flag("--out");
    node.args.push(Arg::Inside("dataset".into()));
    node.outputs = [MANIFEST, LABELS, SOURCES, REJECTS].map(|table| Path::new("dataset").join(table)).to_vec();
    node
}

/// k-means on raw pixels: stands beside every purity we print, since purity rises with k by itself.
fn baseline(config: &Config) -> [Node; 3] {
    let node = |stage| Node::new(stage, Pass::Raw);
    let epoch = Epoch(0);
    [
        node(Stage::Embed).flag("--raw").reads_dataset().epoch(epoch).writes("--out", "baseline/features"),
        as_last(config, node(Stage::Cluster).reads("--features", "baseline/features"))
            .epoch(epoch)
            .writes("--assignments", "baseline/assignments")
            .writes("--clusters", "baseline/clusters"),
        node(Stage::Evaluate)
            .reads_dataset()
            .reads_labels()
            .reads("--assignments", "baseline/assignments")
            .reads("--clusters", "baseline/clusters")
            .writes("--out", "baseline/metrics"),
    ]
}

/// The pass after the last epoch: its clusters are the result.
fn last(config: &Config) -> [Node; 3] {
    let [embed, cluster, evaluate] = of_networks(config, config.run.networks as usize, Epoch(config.run.epochs));
    let Final { k, merge, .. } = config.final_pass;
    let mut cluster = as_last(config, cluster);
    // The baseline is left as plain k-means: merging is part of what it stands beside.
    let (from, asked) = (merge.saturating_mul(config.cluster.k), if k == 0 { config.cluster.k } else { k });
    if from > asked {
        cluster = cluster.flag("--merge-from").flag(&from.to_string());
    }
    [embed, cluster, evaluate]
}

/// embed -> cluster -> evaluate by the first so many networks together.
fn of_networks(config: &Config, count: usize, epoch: Epoch) -> [Node; 3] {
    let networks = config.run.epochs_of_networks().take(count);
    let ends = networks.map(|epochs| at("checkpoints", Epoch(epochs.end - 1)));
    let [embed, cluster, evaluate] = assign(&config.run, epoch, ends);
    [if config.final_pass.augment { embed } else { embed.flag("--clean") }, cluster, evaluate]
}

/// k-means with the settings of the pass after the last epoch.
fn as_last(config: &Config, mut node: Node) -> Node {
    let Final { k, start, redo, .. } = config.final_pass;
    if k != 0 {
        node = node.flag("--k").flag(&k.to_string());
    }
    // What no training follows needs no further pseudo-labels.
    node = node.flag("--clusterings").flag("1").flag("--redo").flag(&redo.to_string());
    match start.to_possible_value() {
        Some(name) if start != config.cluster.start => node.flag("--start").flag(name.get_name()),
        _ => node,
    }
}

/// embed -> cluster -> evaluate of one epoch, or of the pass after the last, by the networks of some checkpoints.
fn assign(run: &Run, epoch: Epoch, weights: impl IntoIterator<Item = PathBuf>) -> [Node; 3] {
    let node = |stage| Node::new(stage, Pass::Epoch(epoch));
    let mut embed = node(Stage::Embed).reads_dataset().reads("--pixels", "pixels");
    for weights in weights {
        embed = embed.reads("--weights", weights);
    }
    embed = embed.epoch(epoch);
    let mut cluster = node(Stage::Cluster).reads("--features", at("features", epoch)).epoch(epoch);
    let mut evaluate = node(Stage::Evaluate)
        .reads_dataset()
        .reads_labels()
        .reads("--assignments", at("assignments", epoch))
        .reads("--clusters", at("clusters", epoch));
    if let Some(before) = before(run, epoch).map(|before| labelled(run, before)) {
        cluster = cluster.reads("--previous", at("assignments", before));
        evaluate = evaluate.reads("--previous", at("assignments", before));
    }
    [
        embed.writes("--out", at("features", epoch)),
        cluster.writes("--assignments", at("assignments", epoch)).writes("--clusters", at("clusters", epoch)),
        evaluate.writes("--out", at("metrics", epoch)),
    ]
}

/// Whether the features of an epoch come from the training of the one before, and not from embedding.
fn remembered(config: &Config, epoch: Epoch) -> bool {
    let run = &config.run;
    config.embed.memory > 0.0 && epoch.0 < run.epochs && !run.is_taught(epoch.0) && before(run, epoch).is_some()
}

/// sample -> train of one epoch.
fn learn(config: &Config, epoch: Epoch) -> [Node; 2] {
    let node = |stage| Node::new(stage, Pass::Epoch(epoch));
    let mut train = node(Stage::Train)
        .reads_dataset()
        .reads("--pixels", "pixels")
        .reads("--samples", at("samples", epoch))
        .reads("--weights", checkpoint_before(&config.run, epoch))
        .epoch(epoch)
        .writes("--out", at("checkpoints", epoch))
        .writes("--training", at("training", epoch));
    let next = Epoch(epoch.0 + 1);
    if remembered(config, next) {
        train = train.reads("--features", at("features", epoch)).writes("--next-features", at("features", next));
    }
    let mut sample = node(Stage::Sample).reads("--assignments", at("assignments", labelled(&config.run, epoch)));
    if config.run.is_taught(epoch.0) && config.sample.sure < 1.0 {
        sample = sample.flag("--sure").flag(&config.sample.sure.to_string());
    }
    [sample.epoch(epoch).writes("--out", at("samples", epoch)), train]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::dag::dependencies;

    pub(in crate::dag) fn graph() -> Vec<Node> {
        graph_with(&[])
    }

    fn graph_with(more: &[&str]) -> Vec<Node> {
        let sets = ["run.epochs=2", "input.paths=[\"archive\"]"].iter().chain(more);
        let sets: Vec<String> = sets.map(|&set| set.to_owned()).collect();
        nodes(&deepmcat_config::resolve(None, None, &sets).unwrap().0)
    }

    /// The command line of a node.
    fn line(nodes: &[Node], name: &str) -> String {
        let node = nodes.iter().find(|node| node.id.to_string() == name).unwrap();
        let words = node
            .command_line(Path::new("r"), Path::new("run.toml"), (0, 1))
            .into_iter()
            .map(|word| word.into_string().unwrap());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_the_result_is_merged_and_only_to_fewer_clusters() {
        let line = |sets: &[&str], name: &str| line(&graph_with(sets), name);
        let fewer = ["final.merge=2", "final.k=5", "cluster.k=40"];
        assert!(line(&fewer, "cluster@2").contains("--k 5 --clusterings 1 --redo 1 --merge-from 80"));
        assert!(line(&["final.merge=2", "cluster.k=40"], "cluster@2").contains("--merge-from 80"));
        assert!(!line(&fewer, "cluster@1").contains("--merge-from"));
        assert!(line(&["final.start=spread"], "cluster@2").ends_with("--start spread"));
        assert!(!line(&["final.start=spread"], "cluster@1").contains("--start"));
        assert!(!line(&fewer, "cluster@raw").contains("--merge-from"));
        for same in [["final.merge=1", "final.k=0"], ["final.merge=0", "final.k=5"]] {
            assert!(!line(&same, "cluster@2").contains("--merge-from"), "{same:?}");
        }
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
        let names: Vec<String> = graph().iter().map(|node| node.id.to_string()).collect();
        let expected = "ingest pack init embed@raw cluster@raw evaluate@raw \
            embed@0 cluster@0 evaluate@0 sample@0 train@0 embed@1 cluster@1 evaluate@1 sample@1 train@1 \
            embed@2 cluster@2 evaluate@2";
        assert_eq!(names.join(" "), expected.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(
            line(&graph(), "embed@2"),
            "--config r/run.toml --dataset r/dataset --pixels r/pixels --weights r/checkpoints/epoch=1 --epoch 2 --out r/features/epoch=2 --clean"
        );
    }

    #[test]
    fn with_a_memory_training_writes_the_next_features() {
        let nodes = graph_with(&["run.epochs=4", "run.networks=2", "embed.memory=0.5"]);
        let names: Vec<String> = nodes.iter().map(|node| node.id.to_string()).collect();
        let embeds: Vec<&String> = names.iter().filter(|name| name.starts_with("embed@")).collect();
        assert_eq!(embeds, ["embed@raw", "embed@0", "embed@2", "embed@4"]);
        let next = "--features r/features/epoch=0 --next-features r/features/epoch=1";
        assert!(line(&nodes, "train@0").ends_with(next));
        assert!(line(&nodes, "cluster@1").contains("--features r/features/epoch=1 "));
        // What follows the last epoch of a network embeds.
        assert!(!line(&nodes, "train@1").contains("features") && !line(&nodes, "train@3").contains("features"));
    }

    #[test]
    fn a_taught_network_trains_on_the_clusters_of_those_before_it() {
        let sets = ["run.epochs=6", "run.networks=3", "run.taught=1", "sample.sure=0.5", "embed.memory=0.5"];
        let nodes = graph_with(&sets);
        let line = |name: &str| line(&nodes, name);
        let embed = line("embed@4");
        assert!(embed.contains("--weights r/checkpoints/epoch=1 --weights r/checkpoints/epoch=3 --epoch 4"), "{embed}");
        assert!(embed.ends_with("--clean") && !line("cluster@4").contains("--previous"));
        assert!(line("train@4").contains("--weights r/checkpoints/initial-4 "));
        // One set of pseudo-labels for all its epochs, and no features of its own.
        let names: Vec<String> = nodes.iter().map(|node| node.id.to_string()).collect();
        assert!(["embed@5", "cluster@5", "evaluate@5"].iter().all(|absent| !names.iter().any(|name| name == absent)));
        for epoch in [4, 5] {
            let sample = line(&format!("sample@{epoch}"));
            assert!(sample.contains("--assignments r/assignments/epoch=4 --sure 0.5 "), "{sample}");
            assert!(!line(&format!("train@{epoch}")).contains("features"));
        }
        assert!(!line("sample@3").contains("--sure"));
        assert!(line("cluster@6").contains("--previous r/assignments/epoch=4"));
        assert!(line("evaluate@6").contains("--previous r/assignments/epoch=4"));
        assert!(line("embed@6").contains("--weights r/checkpoints/epoch=3 --weights r/checkpoints/epoch=5 "));
    }

    #[test]
    fn several_taught_networks_have_the_same_teachers_and_wait_for_no_other() {
        let nodes = graph_with(&["run.epochs=8", "run.networks=4", "run.taught=2", "embed.memory=0.5"]);
        let line = |name: &str| line(&nodes, name);
        let teachers = "--weights r/checkpoints/epoch=1 --weights r/checkpoints/epoch=3 --epoch";
        assert!(line("embed@4").contains(teachers) && line("embed@6").contains(teachers));
        assert!(line("sample@5").contains("--assignments r/assignments/epoch=4 "));
        assert!(line("sample@7").contains("--assignments r/assignments/epoch=6 "));
        let trained = nodes.iter().filter(|node| node.id.stage == Stage::Train).map(|node| node.id.to_string());
        let turns = ["train@0", "train@2", "train@1", "train@3", "train@4", "train@6", "train@5", "train@7"];
        assert_eq!(trained.collect::<Vec<_>>(), turns);
    }

    #[test]
    fn networks_of_their_own_all_give_the_result() {
        let nodes = graph_with(&["run.epochs=5", "run.networks=2", "final.merge=0"]);
        let line = |name: &str| line(&nodes, name);
        assert!(line("init").ends_with("--init --out r/checkpoints/initial"));
        assert!(line("init@2").ends_with("--init --epoch 2 --out r/checkpoints/initial-2"));
        assert!(line("embed@1").contains("--weights r/checkpoints/epoch=0 "));
        assert!(line("embed@2").contains("--weights r/checkpoints/initial-2 "));
        assert!(line("train@2").contains("--weights r/checkpoints/initial-2 "));
        assert!(line("train@3").contains("--weights r/checkpoints/epoch=2 "));
        // Clusters of the network before would be drawn into a space that knows nothing yet.
        assert!(!line("cluster@2").contains("--previous") && !line("evaluate@2").contains("--previous"));
        assert!(line("cluster@3").contains("--previous r/assignments/epoch=2"));
        assert!(line("embed@5").contains("--weights r/checkpoints/epoch=1 --weights r/checkpoints/epoch=4 "));
        assert!(line("cluster@5").contains("--previous r/assignments/epoch=4"));
    }
}

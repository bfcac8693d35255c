//! Which nodes a run has: the paper's loop over the epochs of each track, its baseline, and the result.

use std::path::{Path, PathBuf};

use deepmcat_config::{Config, Final, Run, Track};
use deepmcat_schemas::Epoch;
use deepmcat_schemas::jobs::cluster::KMeans;
use deepmcat_schemas::jobs::{Cluster, Embed, Evaluate, Map, cluster, embed, evaluate, map, report, train};
use deepmcat_schemas::layout::{DATASET, INSTANCES, RECEIVED, RECEIVED_JSON};

use super::{Node, Pass, Stage, applied};
use crate::settings::{CA_SETTING, ENCODER_SETTING, KEY_SETTING, RULES_SETTING};

/// The encoder's features.
pub(super) const ENCODED: &str = "encoder/features";

/// All nodes of a run: each stands after the nodes whose outputs it reads.
#[must_use]
pub fn nodes(config: &Config) -> Vec<Node> {
    if let Some(model) = Some(&config.input.model).filter(|model| !model.is_empty()) {
        return applied::nodes(config, Path::new(model));
    }
    let mut nodes = archive(config);
    if config.run.networks > 0 {
        nodes.push(pack(config));
    }
    nodes.extend(config.run.tracks().map(|track| init(config, &track)));
    nodes.extend(baseline(config));
    nodes.extend(encoder(config).into_iter().flatten());
    for (track, epoch) in order(&config.run) {
        if track.labelled(epoch) == epoch {
            nodes.extend(embed(config, epoch, track.taught));
            nodes.push(cluster(config, epoch));
            nodes.push(evaluate(config, epoch));
        }
        nodes.push(sample(config, &track, epoch));
        nodes.push(train(config, &track, epoch));
    }
    nodes.extend(result(config));
    nodes.push(report(config));
    nodes
}

/// The epochs of all tracks in the order in which they are trained. Tracks that do not wait for each other take an epoch
/// in turn: where nodes run side by side, all end at the same time, and none has the machine for itself at the end.
fn order(run: &Run) -> Vec<(Track, Epoch)> {
    let epochs_of = |track: Track| track.epochs.clone().map(move |epoch| (track.clone(), Epoch(epoch)));
    let mut epochs: Vec<(Track, Epoch)> = run.tracks().flat_map(epochs_of).collect();
    epochs.sort_by_key(|(track, epoch)| (track.taught, epoch.0 - track.epochs.start));
    epochs
}

pub(super) fn at(table: &str, epoch: Epoch) -> PathBuf {
    deepmcat_schemas::layout::partition(Path::new(""), table, epoch)
}

/// Where a network is before its first epoch.
fn initial(track: &Track) -> PathBuf {
    match track.first() {
        Epoch(0) => "checkpoints/initial".into(),
        first => format!("checkpoints/initial-{first}").into(),
    }
}

/// The checkpoint that an epoch of a track starts from.
fn checkpoint_before(track: &Track, epoch: Epoch) -> PathBuf {
    track.before(epoch).map_or_else(|| initial(track), |before| at("checkpoints", before))
}

/// The assignments that those of an epoch are compared with.
fn previous(config: &Config, epoch: Epoch) -> Option<PathBuf> {
    config.run.before(epoch).map(|before| at("assignments", before))
}

/// The networks whose features an epoch's clusters are made from: its own; of a taught track those that teach; in the result
/// all. None: the encoder's alone.
fn networks(config: &Config, epoch: Epoch) -> Vec<PathBuf> {
    let track = config.run.track_of(epoch);
    if epoch.0 == config.run.epochs {
        ends(&config.run, config.run.networks as usize)
    } else if track.taught {
        ends(&config.run, config.run.own())
    } else {
        vec![checkpoint_before(&track, epoch)]
    }
}

/// The last checkpoints of the first so many tracks.
fn ends(run: &Run, count: usize) -> Vec<PathBuf> {
    run.tracks().take(count).map(|track| at("checkpoints", track.last())).collect()
}

/// What makes the data set: `ingest`, and before it `fetch` where there is a server.
pub(super) fn archive(config: &Config) -> Vec<Node> {
    let mut paths = config.input.paths.clone();
    if config.input.server.is_empty() {
        return vec![ingest(config, paths)];
    }
    let received = Path::new(RECEIVED);
    let job = config.fetch(config.input.server.clone(), received.join(RECEIVED_JSON));
    let files = job.inputs.ca.clone().map(|ca| (CA_SETTING, ca)).into_iter().collect();
    let fetch = Node::new(Stage::Fetch, Pass::Once, job).with_files_of_user(Vec::new(), files);
    paths.push(received.join(INSTANCES));
    let mut ingest = ingest(config, paths);
    // That the instances are complete; which they are, the file system says as of any archive.
    ingest.inputs.extend(fetch.outputs.clone());
    vec![fetch, ingest]
}

fn ingest(config: &Config, paths: Vec<PathBuf>) -> Node {
    let job = config.ingest(paths, DATASET.into());
    let files = [(RULES_SETTING, &job.inputs.rules), (KEY_SETTING, &job.inputs.key)];
    let files = files.into_iter().filter_map(|(setting, file)| Some((setting, file.clone()?))).collect();
    let outside = job.inputs.archive.clone();
    Node::new(Stage::Ingest, Pass::Once, job).with_files_of_user(outside, files)
}

pub(super) fn pack(config: &Config) -> Node {
    Node::new(Stage::Pack, Pass::Once, config.pack(DATASET.into(), "pixels".into()))
}

fn init(config: &Config, track: &Track) -> Node {
    let pass = if track.number == 0 { Pass::Once } else { Pass::Epoch(track.first()) };
    Node::new(Stage::Init, pass, config.init(track.first(), initial(track)))
}

/// k-means on raw pixels: stands beside every purity we print, since purity rises with k by itself.
fn baseline(config: &Config) -> [Node; 3] {
    let features = Node::new(Stage::Embed, Pass::Raw, config.raw(DATASET.into(), "baseline/features".into()));
    let [cluster, evaluate] = beside(config, "baseline", Pass::Raw);
    [features, cluster, evaluate]
}

/// The same on the features of an encoder that is not trained here.
fn encoder(config: &Config) -> Option<[Node; 3]> {
    let job = config.encode(config.encoder.file()?, DATASET.into(), ENCODED.into());
    let files = vec![(ENCODER_SETTING, job.inputs.encoder.clone())];
    let features = Node::new(Stage::Encode, Pass::Encoder, job).with_files_of_user(Vec::new(), files);
    let [cluster, evaluate] = beside(config, "encoder", Pass::Encoder);
    Some([features, cluster, evaluate])
}

/// Plain k-means as in the result and its figures, of the features in `folder`.
fn beside(config: &Config, folder: &str, pass: Pass) -> [Node; 2] {
    let below = |table: &str| Path::new(folder).join(table);
    let inputs = cluster::Inputs { features: vec![below("features")], previous: None };
    let outputs = cluster::Outputs { assignments: below("assignments"), clusters: below("clusters") };
    let mut cluster = config.cluster(Epoch(0), inputs, outputs);
    as_result(config, &mut cluster.cluster);
    let inputs = evaluate::Inputs {
        dataset: DATASET.into(),
        assignments: below("assignments"),
        clusters: below("clusters"),
        previous: None,
    };
    let evaluate = Evaluate { inputs, outputs: evaluate::Outputs { metrics: below("metrics") } };
    [Node::new(Stage::Cluster, pass, cluster), Node::new(Stage::Evaluate, pass, evaluate)]
}

/// The pass after the last epoch, by the networks of all tracks: its clusters are the result.
fn result(config: &Config) -> Vec<Node> {
    let epoch = Epoch(config.run.epochs);
    let mut job = of_clusters(config, epoch);
    let from = config.final_pass.merge.saturating_mul(job.cluster.k);
    as_result(config, &mut job.cluster);
    // The baseline is left as plain k-means: merging is part of what it stands beside.
    job.merge_from = (from > job.cluster.k).then_some(from);
    let map = Map {
        inputs: map::Inputs {
            features: job.inputs.features.clone(),
            assignments: job.outputs.assignments.clone(),
            clusters: job.outputs.clusters.clone(),
            previous: None,
        },
        outputs: map::Outputs { map: "map".into(), cells: "cells".into() },
        weights: job.weights.clone(),
    };
    let map = Node::new(Stage::Map, Pass::Once, map);
    let cluster = Node::new(Stage::Cluster, Pass::Epoch(epoch), job);
    embed(config, epoch, true).into_iter().chain([cluster, evaluate(config, epoch), map]).collect()
}

/// The page that shows the result and the way to it.
fn report(config: &Config) -> Node {
    let last = Epoch(config.run.epochs);
    let measured = order(&config.run).into_iter().filter(|(track, epoch)| track.labelled(*epoch) == *epoch);
    let mut epochs: Vec<Epoch> = measured.map(|(_, epoch)| epoch).chain([last]).collect();
    epochs.sort_unstable();
    let inputs = report::Inputs {
        dataset: DATASET.into(),
        assignments: at("assignments", last),
        clusters: at("clusters", last),
        map: Some("map".into()),
        // People name clusters when the run is over; `deepmcat report` shows that.
        names: None,
        categories: None,
        category_metrics: None,
        class_metrics: None,
        risk_coverage: None,
        reliability: None,
        audit: None,
        classifier: None,
        contradictions: None,
        history: epochs.iter().filter(|&&epoch| epoch < last).map(|&epoch| at("assignments", epoch)).collect(),
        metrics: epochs.into_iter().map(|epoch| at("metrics", epoch)).collect(),
        raw: Some("baseline/metrics".into()),
        encoder: config.encoder.file().map(|_| "encoder/metrics".into()),
    };
    Node::new(Stage::Report, Pass::Once, config.report(last, inputs, "report.html".into()))
}

/// k-means with the settings of the pass after the last epoch.
fn as_result(config: &Config, kmeans: &mut KMeans) {
    let Final { k, start, redo, .. } = config.final_pass;
    let k = if k == 0 { kmeans.k } else { k };
    // What no training follows needs no further pseudo-labels.
    *kmeans = KMeans { k, start, redo, clusterings: 1, ..kmeans.clone() };
}

/// The features of an epoch's networks, where it has any. `clean`: of networks that have learned, whose features of clean
/// images are better.
fn embed(config: &Config, epoch: Epoch, clean: bool) -> Option<Node> {
    let weights = Some(networks(config, epoch)).filter(|weights| !weights.is_empty())?;
    let inputs = embed::Inputs { dataset: DATASET.into(), pixels: Some("pixels".into()), weights };
    let job = config.embed(epoch, inputs, at("features", epoch));
    let views = job.views.filter(|_| !clean || config.final_pass.augment);
    // The result is of all images.
    let most = job.most.filter(|_| epoch.0 < config.run.epochs);
    Some(Node::new(Stage::Embed, Pass::Epoch(epoch), Embed { views, most, ..job }))
}

/// An epoch's clusters: of the features of its networks, and of the encoder's beside them.
fn of_clusters(config: &Config, epoch: Epoch) -> Cluster {
    let mut features = Vec::new();
    let mut weights = Vec::new();
    if !networks(config, epoch).is_empty() {
        features.push(at("features", epoch));
        weights.push(1.0);
    }
    if let Some(weight) = config.encoder.counts() {
        features.push(ENCODED.into());
        weights.push(weight);
    }
    let inputs = cluster::Inputs { features, previous: previous(config, epoch) };
    let outputs = cluster::Outputs { assignments: at("assignments", epoch), clusters: at("clusters", epoch) };
    let mut job = config.cluster(epoch, inputs, outputs);
    if weights.len() > 1 {
        job.weights = weights;
    }
    // Of networks that have learned.
    if epoch.0 == config.run.epochs || config.run.track_of(epoch).taught {
        job.smooth = config.final_pass.smooth;
    }
    job
}

fn cluster(config: &Config, epoch: Epoch) -> Node {
    Node::new(Stage::Cluster, Pass::Epoch(epoch), of_clusters(config, epoch))
}

fn evaluate(config: &Config, epoch: Epoch) -> Node {
    let inputs = evaluate::Inputs {
        dataset: DATASET.into(),
        assignments: at("assignments", epoch),
        clusters: at("clusters", epoch),
        previous: previous(config, epoch),
    };
    let job = Evaluate { inputs, outputs: evaluate::Outputs { metrics: at("metrics", epoch) } };
    Node::new(Stage::Evaluate, Pass::Epoch(epoch), job)
}

fn sample(config: &Config, track: &Track, epoch: Epoch) -> Node {
    let mut job = config.sample(epoch, at("assignments", track.labelled(epoch)), at("samples", epoch));
    if track.taught {
        job.sample.sure = config.sample.sure;
    }
    Node::new(Stage::Sample, Pass::Epoch(epoch), job)
}

fn train(config: &Config, track: &Track, epoch: Epoch) -> Node {
    let inputs = train::Inputs {
        dataset: DATASET.into(),
        pixels: Some("pixels".into()),
        samples: at("samples", epoch),
        weights: checkpoint_before(track, epoch),
    };
    let outputs = train::Outputs { checkpoint: at("checkpoints", epoch), training: at("training", epoch) };
    Node::new(Stage::Train, Pass::Epoch(epoch), config.train(epoch, inputs, outputs))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests;

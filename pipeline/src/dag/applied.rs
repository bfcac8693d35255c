//! Which nodes there are where images are put into the categories of a model: nothing is learned and nothing clustered.

use std::path::{Path, PathBuf};

use deepmcat_config::Config;
use deepmcat_schemas::Epoch;
use deepmcat_schemas::jobs::{Embed, embed, place};
use deepmcat_schemas::layout::{DATASET, ENCODER_ONNX, NETWORKS};

use super::chain::{ENCODED, archive, at, pack};
use super::{Node, Pass, Stage};
use crate::settings::MODEL_SETTING;

/// All nodes: each stands after the nodes whose outputs it reads. Features are made as those of the result were of which the
/// model is.
pub(super) fn nodes(config: &Config, model: &Path) -> Vec<Node> {
    let mut nodes = archive(config);
    let (mut features, mut weights) = (Vec::new(), Vec::new());
    if config.run.networks > 0 {
        let epoch = Epoch(config.run.epochs);
        nodes.extend([pack(config), embed(config, epoch, &model.join(NETWORKS))]);
        features.push(at("features", epoch));
        weights.push(1.0);
    }
    if let Some(weight) = config.encoder.counts() {
        let encoder = model.join(ENCODER_ONNX);
        let node =
            Node::new(Stage::Encode, Pass::Encoder, config.encode(encoder.clone(), DATASET.into(), ENCODED.into()));
        nodes.push(of_model(node, encoder));
        features.push(ENCODED.into());
        weights.push(weight);
    }
    if weights.len() < 2 {
        weights.clear();
    }
    let inputs = place::Inputs { dataset: DATASET.into(), features, model: model.to_owned() };
    let place = Node::new(Stage::Place, Pass::Once, config.place(inputs, Path::new(""), weights));
    nodes.push(of_model(place, model.to_owned()));
    nodes
}

/// The features of all networks, as in the pass after the last epoch.
fn embed(config: &Config, epoch: Epoch, networks: &Path) -> Node {
    let weights = (0..config.run.networks).map(|number| networks.join(number.to_string())).collect();
    let inputs = embed::Inputs { dataset: DATASET.into(), pixels: Some("pixels".into()), weights };
    let job = config.embed(epoch, inputs, at("features", epoch));
    let views = job.views.filter(|_| config.final_pass.augment);
    of_model(Node::new(Stage::Embed, Pass::Epoch(epoch), Embed { views, most: None, ..job }), networks.to_owned())
}

/// A node that reads a part of the model.
fn of_model(node: Node, part: PathBuf) -> Node {
    node.with_files_of_user(Vec::new(), vec![(MODEL_SETTING, part)])
}

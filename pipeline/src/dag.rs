//! A node of a run: its job, inputs and outputs. `chain` says which nodes there are, `applied` which where a model is
//! applied.

mod applied;
mod chain;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use deepmcat_config::Config;
use deepmcat_schemas::Epoch;
use deepmcat_schemas::jobs::{Job, NODES};
use deepmcat_schemas::layout::epoch_of;

pub use chain::nodes;

use crate::Error;

/// A job; all but `Init` are the stage of the same name (`Init` is `train --init`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Stage {
    Fetch,
    Ingest,
    Pack,
    Init,
    Embed,
    Encode,
    Cluster,
    Sample,
    Train,
    Evaluate,
    Map,
    Report,
    Place,
}

impl Stage {
    /// All of them, in the order of a run.
    pub const ALL: [Self; 13] = [
        Self::Fetch,
        Self::Ingest,
        Self::Pack,
        Self::Init,
        Self::Embed,
        Self::Encode,
        Self::Cluster,
        Self::Sample,
        Self::Train,
        Self::Evaluate,
        Self::Map,
        Self::Report,
        Self::Place,
    ];

    /// Its name in commands and file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Ingest => "ingest",
            Self::Pack => "pack",
            Self::Init => "init",
            Self::Embed => "embed",
            Self::Encode => "encode",
            Self::Cluster => "cluster",
            Self::Sample => "sample",
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Map => "map",
            Self::Report => "report",
            Self::Place => "place",
        }
    }
}

/// Which pass over the data set a node belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pass {
    /// Before the first epoch.
    Once,
    /// The raw-pixel baseline.
    Raw,
    /// The frozen encoder.
    Encoder,
    /// An epoch; the last is the final pass.
    Epoch(Epoch),
}

/// True for outputs that retention removes.
#[must_use]
pub fn may_be_absent(output: &Path) -> bool {
    epoch_of(output).is_some() && (output.starts_with("features") || output.starts_with("checkpoints"))
}

/// The name of a node: `ingest`, `embed@7`, `cluster@raw`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// What is done.
    pub stage: Stage,
    /// In which pass.
    pub pass: Pass,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pass {
            Pass::Once => write!(f, "{}", self.stage.name()),
            Pass::Raw => write!(f, "{}@raw", self.stage.name()),
            Pass::Encoder => write!(f, "{}@encoder", self.stage.name()),
            Pass::Epoch(epoch) => write!(f, "{}@{epoch}", self.stage.name()),
        }
    }
}

impl FromStr for NodeId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::BadNode { node: text.to_owned(), stages: Stage::ALL.map(Stage::name).join(", ") };
        let (name, pass) = match text.split_once('@') {
            None => (text, Pass::Once),
            Some((name, "raw")) => (name, Pass::Raw),
            Some((name, "encoder")) => (name, Pass::Encoder),
            Some((name, epoch)) => (name, Pass::Epoch(epoch.parse().map_err(|_| unknown())?)),
        };
        let stage = Stage::ALL.into_iter().find(|stage| stage.name() == name).ok_or_else(unknown)?;
        Ok(Self { stage, pass })
    }
}

/// One node: the job of a stage, and what it reads and writes.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// What its stage is told to do, with paths below the run folder.
    pub job: Job,
    /// What it reads below the run folder: outputs of earlier nodes.
    pub inputs: Vec<PathBuf>,
    /// The archive's folders and files: whether they changed is judged by the file system alone.
    pub outside: Vec<PathBuf>,
    /// Other files and folders of the user's that it reads, with the settings that name them: their content counts.
    pub files: Vec<(&'static str, PathBuf)>,
    /// What it writes below the run folder: files, or folders that it owns.
    pub outputs: Vec<PathBuf>,
}

impl Node {
    fn new(stage: Stage, pass: Pass, job: impl Into<Job>) -> Self {
        let job = job.into();
        let (inputs, outputs) = (job.reads(), job.writes());
        Self { id: NodeId { stage, pass }, job, inputs, outside: Vec::new(), files: Vec::new(), outputs }
    }

    /// The same, where some of what it reads is the user's and no output of another node.
    fn with_files_of_user(self, outside: Vec<PathBuf>, files: Vec<(&'static str, PathBuf)>) -> Self {
        let is_users = |path: &PathBuf| outside.contains(path) || files.iter().any(|(_, file)| path.starts_with(file));
        let inputs = self.inputs.into_iter().filter(|path| !is_users(path)).collect();
        Self { inputs, outside, files, ..self }
    }

    /// Processes that share the node's work: `--shard I/N` of what makes features.
    #[must_use]
    pub fn shards(&self, config: &Config) -> usize {
        if matches!(self.id.stage, Stage::Embed | Stage::Encode) { config.pipeline.shards as usize } else { 1 }
    }

    /// True for what takes long to start.
    #[must_use]
    pub fn loads_libtorch(&self) -> bool {
        matches!(self.id.stage, Stage::Init | Stage::Embed | Stage::Cluster | Stage::Train | Stage::Place)
    }

    /// True for what computes on a graphics card.
    #[must_use]
    pub fn uses_card(&self, config: &Config) -> bool {
        let computes = match self.id.stage {
            Stage::Embed => self.id.pass != Pass::Raw,
            Stage::Cluster | Stage::Train | Stage::Place => true,
            _ => false,
        };
        computes && config.compute.device.starts_with("cuda")
    }

    /// The card of one of its processes, by turns: networks trained side by side and shards do not share one as long as
    /// there are others.
    #[must_use]
    pub fn card(&self, config: &Config, shard: usize) -> usize {
        let track = match self.id.pass {
            Pass::Epoch(epoch) => config.run.tracks().find(|track| track.epochs.contains(&epoch.0)),
            _ => None,
        };
        (track.map_or(0, |track| track.number) + shard) % config.pipeline.gpus as usize
    }

    /// Threads of each of its processes, 0 being all; none where it computes nothing to speak of.
    #[must_use]
    pub fn threads(&self, config: &Config) -> Option<usize> {
        match self.id.stage {
            Stage::Fetch | Stage::Sample | Stage::Evaluate => None,
            _ => Some(config.compute.threads as usize),
        }
    }

    /// The file of its job, below the run folder.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        Path::new(NODES).join(format!("{}.toml", self.id))
    }

    /// The whole line as a user would type it, of one of the processes that share the work.
    #[must_use]
    pub fn shown(&self, run: &Path, config: &Config, shard: (usize, usize)) -> String {
        let mut words = vec![format!("deepmcat-{}", self.job.program())];
        let line = self.command_line(run, config, shard);
        words.extend(line.iter().map(|word| word.to_string_lossy().into_owned()));
        words.join(" ")
    }

    /// The arguments of one of the processes that share the work: the job, and with what means it is done.
    #[must_use]
    pub fn command_line(&self, run: &Path, config: &Config, (shard, shards): (usize, usize)) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["--job".into(), run.join(self.file()).into()];
        let mut add = |flag: &str, value: String| line.extend([flag.into(), value.into()]);
        if let Some(threads @ 1..) = self.threads(config) {
            add("--threads", threads.to_string());
        }
        if self.id.stage == Stage::Train && config.train.threads > 0 {
            add("--network-threads", config.train.threads.to_string());
        }
        if self.id.stage == Stage::Fetch {
            let means = &config.fetch;
            add("--connections", means.connections.to_string());
            add("--timeout", means.timeout.to_string());
            add("--retries", means.retries.to_string());
        }
        if let Some(card) = config.compute.card().filter(|_| self.uses_card(config)) {
            add("--device", card.to_owned());
        }
        if shards > 1 {
            add("--shard", format!("{shard}/{shards}"));
        }
        line
    }
}

/// For each node, the places in `nodes` of those whose outputs it reads.
#[must_use]
pub fn dependencies(nodes: &[Node]) -> Vec<Vec<usize>> {
    let writers: std::collections::HashMap<&Path, usize> = nodes
        .iter()
        .enumerate()
        .flat_map(|(place, node)| node.outputs.iter().map(move |output| (output.as_path(), place)))
        .collect();
    let reads = |node: &Node| {
        let mut places: Vec<usize> =
            node.inputs.iter().filter_map(|path| writers.get(path.as_path()).copied()).collect();
        places.sort_unstable();
        places.dedup();
        places
    };
    nodes.iter().map(reads).collect()
}

/// The error for a node that a run does not have: says which there are in its place.
#[must_use]
pub fn no_node(id: NodeId, nodes: &[Node]) -> Error {
    let of_stage: Vec<NodeId> = nodes.iter().map(|node| node.id).filter(|node| node.stage == id.stage).collect();
    let epochs =
        || of_stage.iter().filter_map(|node| if let Pass::Epoch(epoch) = node.pass { Some(epoch) } else { None });
    let mut there: Vec<String> =
        of_stage.iter().filter(|node| !matches!(node.pass, Pass::Epoch(_))).map(ToString::to_string).collect();
    if let (Some(first), Some(last)) = (epochs().min(), epochs().max()) {
        let name = |epoch| NodeId { stage: id.stage, pass: Pass::Epoch(epoch) }.to_string();
        // With taught networks not every epoch has one.
        let all = epochs().count() as u64 == u64::from(last.0 - first.0) + 1;
        there.push(match (first == last, all) {
            (true, _) => name(first),
            (false, true) => format!("{} to {}", name(first), name(last)),
            (false, false) => format!("{} to {}, not all of them", name(first), name(last)),
        });
    }
    let there = format!("of {} there is {}", id.stage.name(), there.join(", "));
    Error::NoNode { node: id.to_string(), there }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn node_names_read_back() {
        for node in chain::tests::graph() {
            assert_eq!(node.id.to_string().parse::<NodeId>().unwrap(), node.id);
        }
        assert!("embed@x".parse::<NodeId>().is_err());
        assert!("paint@1".parse::<NodeId>().is_err());
    }

    #[test]
    fn a_node_that_is_not_there_is_answered_by_those_that_are() {
        let answer = |node: &str, sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
            let (config, _) = deepmcat_config::resolve(None, None, &sets).unwrap();
            no_node(node.parse().unwrap(), &nodes(&config)).to_string()
        };
        let two = ["run.epochs=2"];
        assert!(
            answer("embed@7", &two)
                .contains("no node `embed@7` in this run\nhint: of embed there is embed@raw, embed@0 to embed@2;")
        );
        assert!(answer("pack@1", &two).contains("of pack there is pack;"));
        assert!(answer("train@raw", &["run.epochs=1"]).contains("of train there is train@0;"));
        let taught = ["run.epochs=4", "run.networks=2", "run.taught=1"];
        assert!(answer("embed@3", &taught).contains("embed@raw, embed@0 to embed@4, not all of them;"));
        assert!("paint@1".parse::<NodeId>().unwrap_err().to_string().contains("STAGE is one of fetch, ingest, pack"));
    }

    #[test]
    fn networks_and_shards_take_the_cards_by_turns() {
        let sets = ["run.epochs=6", "run.networks=3", "pipeline.gpus=2", "compute.device=cuda"].map(str::to_owned);
        let (config, _) = deepmcat_config::resolve(None, None, &sets).unwrap();
        let nodes = nodes(&config);
        let card = |name: &str, shard| {
            let node = nodes.iter().find(|node| node.id.to_string() == name).unwrap();
            node.uses_card(&config).then(|| node.card(&config, shard))
        };
        assert_eq!(["train@0", "train@1", "train@2", "train@5"].map(|name| card(name, 0)), [0, 0, 1, 0].map(Some));
        assert_eq!([0, 1, 2].map(|shard| card("embed@6", shard)), [0, 1, 0].map(Some));
        assert_eq!((card("evaluate@0", 0), card("embed@raw", 0)), (None, None));
    }
}

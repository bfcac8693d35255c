//! The sections of run.toml as types. What a setting means is said in `data/presets/paper.toml`.

use std::path::PathBuf;

use deepmcat_schemas::jobs;
use deepmcat_schemas::jobs::check::{OutOfRange, must, share, within};
use deepmcat_schemas::jobs::cluster::{KMeans, MOST_ROUNDS, Start};
use deepmcat_schemas::jobs::embed::Views;
use deepmcat_schemas::jobs::sample::Draw;
use serde::Deserialize;

use super::ConfigError;

macro_rules! section {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$field_doc:meta])+ $field:ident: $type:ty,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        pub struct $name { $($(#[$field_doc])+ pub $field: $type,)+ }
    };
}

section! {
    /// What is to be categorised.
    Input {
        /// Folders or files.
        paths: Vec<PathBuf>,
        /// Address of an archive server; empty: none.
        server: String,
        /// Folder of a model, into whose categories the images are put; empty: they are clustered.
        model: String,
    }
}
section! {
    /// The run as a whole.
    Run {
        /// Seed of every random number.
        seed: u64,
        /// Epochs of training; the final pass on clean images comes after them.
        epochs: u32,
        /// Networks, each trained for its part of the epochs.
        networks: u32,
        /// How many of them, the last ones, take their pseudo-labels from the others.
        taught: u32,
    }
}

section! {
    /// What is received from an archive server, and how.
    Fetch {
        /// What a job has of it.
        #[serde(flatten)]
        settings: jobs::fetch::Settings,
        /// File with the certificates that the server's is signed by; empty: those that browsers trust.
        ca: String,
        /// Instances received at the same time.
        connections: u32,
        /// Seconds that a server may be silent.
        timeout: u32,
        /// Times that a question is asked again where the server fails.
        retries: u32,
    }
}
section! {
    /// Files to PNG slices.
    Ingest {
        /// What a job has of them; `rules` is a built-in name or a TOML file.
        #[serde(flatten)]
        settings: jobs::ingest::Settings,
        /// File whose content keys the hashes of names and identifiers; empty: none, and nothing is hidden.
        key_file: String,
    }
}
section! {
    /// The network.
    Network {
        /// Its body.
        #[serde(flatten)]
        body: jobs::Network,
        /// Dropout after the first fully connected layer.
        dropout: f64,
    }
}
section! {
    /// Random changes of an image.
    Augment {
        /// Those of the first network.
        #[serde(flatten)]
        first: jobs::Augment,
        /// How far the networks of a run differ in bias, gamma and noise.
        spread: f64,
    }
}
section! {
    /// Images to features.
    Embed {
        /// Whether images are augmented when embedded for clustering.
        augment: bool,
        /// Augmented views of an image, whose features are averaged.
        views: u32,
        /// Images that an epoch embeds, clusters and learns from at most; 0: all.
        most: u32,
        /// How features are made and stored.
        #[serde(flatten)]
        features: jobs::embed::FeatureForm,
    }
}
section! {
    /// An encoder that is not trained here.
    Encoder {
        /// A built-in name, an ONNX file or a table of features; empty: none.
        file: String,
        /// How much its features count beside those of all networks together; 0: they do not.
        weight: f64,
        /// How it is used.
        #[serde(flatten)]
        how: jobs::encode::Encoder,
    }
}
section! {
    /// Stochastic gradient descent.
    Train {
        /// What a job has of it.
        #[serde(flatten)]
        sgd: jobs::train::Sgd,
        /// Threads of the network's arithmetic; 0: those of `compute`.
        threads: u32,
    }
}
section! {
    /// The pass after the last epoch.
    Final {
        /// Augment there too, as the paper does.
        augment: bool,
        /// Number of clusters there; 0: that of the training.
        k: u32,
        /// Rounds in which each image's features become the mean of its own and its neighbours', before k-means.
        smooth: u32,
        /// k-means there with so many times the clusters of the training, which are merged along neighbours; 0: none are.
        merge: u32,
        /// Where k-means starts there.
        start: Start,
        /// Starts of k-means there, of which the best counts.
        redo: u32,
    }
}
section! {
    /// The machine.
    Compute {
        /// `cpu`, `cuda` or `cuda:N`.
        device: String,
        /// Arithmetic of the network.
        precision: Precision,
        /// Threads; 0: all cores.
        threads: u32,
    }
}
section! {
    /// What the runner keeps of what is large.
    Retention {
        /// Feature tables of the last so many epochs; 0: all.
        features: u32,
        /// Checkpoints of the last so many epochs; 0: all.
        checkpoints: u32,
        /// Besides these the checkpoint of every so many epochs; 0: none.
        checkpoint_every: u32,
    }
}
section! {
    /// The runner.
    Pipeline {
        /// Nodes at the same time.
        jobs: u32,
        /// Times a failed node is tried again.
        retries: u32,
        /// Processes that share the embedding of an epoch.
        shards: u32,
        /// Nodes at the same time that compute on graphics cards.
        gpus: u32,
    }
}

/// Arithmetic of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    Float32,
    /// Convolutions and matrix products in bfloat16, weights and norms in single precision.
    Bfloat16,
    /// Bfloat16 where the device computes in it, else single precision.
    Auto,
}

/// The most clusters that are merged: the distances of all pairs take 3.2 GB.
const MERGED: u64 = 20_000;

/// A resolved configuration: every setting has a value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[input]`
    pub input: Input,
    /// `[run]`
    pub run: Run,
    /// `[fetch]`
    pub fetch: Fetch,
    /// `[ingest]`
    pub ingest: Ingest,
    /// `[network]`
    pub network: Network,
    /// `[augment]`
    pub augment: Augment,
    /// `[embed]`
    pub embed: Embed,
    /// `[encoder]`
    pub encoder: Encoder,
    /// `[cluster]`
    pub cluster: KMeans,
    /// `[sample]`
    pub sample: Draw,
    /// `[train]`
    pub train: Train,
    /// `[final]`
    #[serde(rename = "final")]
    pub final_pass: Final,
    /// `[compute]`
    pub compute: Compute,
    /// `[retention]`
    pub retention: Retention,
    /// `[pipeline]`
    pub pipeline: Pipeline,
}

impl Config {
    /// Refuses values that no stage or machine can work with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_stages()?;
        self.check_runner()?;
        Ok(())
    }

    fn check_stages(&self) -> Result<(), OutOfRange> {
        self.fetch.settings.check()?;
        if !self.input.server.is_empty() {
            self.fetch.settings.check_server(&self.input.server)?;
        }
        self.ingest.settings.check()?;
        self.network.body.check()?;
        share("network.dropout", self.network.dropout)?;
        self.augment.first.check_of_run()?;
        within("augment.spread", self.augment.spread, 0.0..=1.0, "0 to 1")?;
        self.embed.features.check()?;
        self.encoder.how.check()?;
        within("encoder.weight", self.encoder.weight, 0.0..=1e6, "0 to 1000000")?;
        Views::check_count(self.embed.views)?;
        within("embed.most", self.embed.most, 0..=1_000_000_000, "0 to 1000000000")?;
        self.cluster.check()?;
        self.sample.check()?;
        self.train.sgd.check()
    }

    fn check_runner(&self) -> Result<(), OutOfRange> {
        let Self { run, train, final_pass, compute, retention, pipeline, .. } = self;
        let counts = [
            ("run.epochs", run.epochs, 0..=10_000, "0 to 10000"),
            ("run.networks", run.networks, 0..=1000, "0 to 1000"),
            ("fetch.connections", self.fetch.connections, 1..=64, "1 to 64"),
            ("fetch.timeout", self.fetch.timeout, 1..=86_400, "1 to 86400 seconds"),
            ("fetch.retries", self.fetch.retries, 0..=1000, "0 to 1000"),
            ("train.threads", train.threads, 0..=4096, "0 to 4096"),
            ("final.k", final_pass.k, 0..=1_000_000, "0 (that of cluster.k), or 2 to 1000000"),
            ("final.smooth", final_pass.smooth, 0..=MOST_ROUNDS, "0 to 1000"),
            ("final.redo", final_pass.redo, 1..=100_000, "1 to 100000"),
            ("compute.threads", compute.threads, 0..=4096, "0 to 4096"),
            ("retention.features", retention.features, 0..=1_000_000, "0 to 1000000"),
            ("retention.checkpoints", retention.checkpoints, 0..=1_000_000, "0 to 1000000"),
            ("retention.checkpoint_every", retention.checkpoint_every, 0..=1_000_000, "0 to 1000000"),
            ("pipeline.jobs", pipeline.jobs, 0..=4096, "0 to 4096"),
            ("pipeline.retries", pipeline.retries, 0..=1000, "0 to 1000"),
            ("pipeline.shards", pipeline.shards, 1..=1024, "1 to 1024"),
            ("pipeline.gpus", pipeline.gpus, 1..=1024, "1 to 1024"),
        ];
        counts.into_iter().try_for_each(|(key, value, range, expected)| within(key, value, range, expected))?;
        must(final_pass.k != 1, "final.k", "0 (that of cluster.k) or at least 2", final_pass.k)?;
        must(
            u64::from(final_pass.merge) * u64::from(self.cluster.k) <= MERGED,
            "final.merge",
            "at most 20000 / cluster.k: each pair of the clusters to merge takes memory",
            final_pass.merge,
        )?;
        let encoder = self.encoder.counts().is_some();
        let (fewest, each) = if encoder && run.epochs == 0 {
            (0, "0, as there are no epochs")
        } else {
            (
                1,
                "at least 1, and an epoch for each (0 of both: the result is the encoder's alone, with encoder.file set)",
            )
        };
        within("run.networks", run.networks, fewest..=run.epochs, each)?;
        let (most, expected) = if encoder {
            (run.networks, "at most run.networks")
        } else {
            (run.networks - 1, "fewer than run.networks: without an encoder one at least learns by itself")
        };
        must(run.taught <= most, "run.taught", expected, run.taught)?;
        let device = &compute.device;
        let known = device == "cpu"
            || device == "cuda"
            || device.strip_prefix("cuda:").is_some_and(|n| n.parse::<usize>().is_ok());
        must(known, "compute.device", "cpu, cuda or cuda:N", device)
    }
}

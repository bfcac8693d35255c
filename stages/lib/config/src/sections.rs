//! The sections of run.toml as types. What a setting means is said in `data/presets/paper.toml`.

use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;

macro_rules! section {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[doc = $field_doc])+ pub $field: $type,)+ }
    };
}

section! {
    /// What is to be categorised.
    Input {
        /// Folders or files.
        paths: Vec<PathBuf>,
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

impl Run {
    /// The epochs of each network: parts of the run that differ by one epoch at most.
    pub fn epochs_of_networks(&self) -> impl Iterator<Item = Range<u32>> {
        let (epochs, networks) = (u64::from(self.epochs), u64::from(self.networks));
        let start = move |network: u64| u32::try_from(network * epochs / networks).unwrap_or(u32::MAX);
        (0..networks).map(move |network| start(network)..start(network + 1))
    }

    /// The epochs of the network that is trained at an epoch; of the pass after the last epoch the last one's.
    #[must_use]
    pub fn network_of(&self, epoch: u32) -> Range<u32> {
        let mut networks = self.epochs_of_networks();
        networks.find(|epochs| epochs.end > epoch.min(self.epochs.saturating_sub(1))).unwrap_or(0..self.epochs)
    }

    /// How many networks, the first ones, find clusters of their own.
    #[must_use]
    pub fn own(&self) -> usize {
        self.networks.saturating_sub(self.taught) as usize
    }

    /// Whether the network that is trained at an epoch takes its pseudo-labels from others.
    #[must_use]
    pub fn is_taught(&self, epoch: u32) -> bool {
        self.epochs_of_networks().skip(self.own()).any(|epochs| epochs.contains(&epoch))
    }
}

section! {
    /// Files to PNG slices.
    Ingest {
        /// Class rules: a built-in name or a TOML file.
        rules: String,
        /// Which time frames become images.
        frames: Frames,
        /// Bits a pixel of the PNGs, 8 or 16.
        bits: u8,
        /// Percentiles of the intensities that become black and white.
        window: [f64; 2],
        /// Whether a window that a file brings goes before percentiles.
        own_window: bool,
        /// File whose content keys the hashes of names and identifiers; empty: none, and nothing is hidden.
        key_file: String,
        /// Memory that one input file may take, in MiB.
        max_memory: u64,
        /// Seconds that one input file may take.
        max_seconds: u64,
    }
}
section! {
    /// The network.
    Network {
        /// Multiplier of VGG-16's channel numbers.
        width: f64,
        /// Side of the network's input in pixels.
        input: u32,
        /// Side of the adaptive average pool.
        pool: u32,
        /// Which layer gives the features.
        features: FeatureLayer,
        /// Width of the two fully connected layers.
        fc: u32,
        /// Dropout after the first fully connected layer.
        dropout: f64,
    }
}
section! {
    /// Random changes of an image.
    Augment {
        /// Range of the crop's share of the image area.
        area: [f64; 2],
        /// Range of the crop's aspect ratio.
        ratio: [f64; 2],
        /// Largest rotation in degrees.
        rotation: f64,
        /// Strength of the multiplicative bias field.
        bias: f64,
        /// Largest logarithm of the gamma exponent.
        gamma: f64,
        /// Largest standard deviation of added noise, in units of the image's.
        noise: f64,
        /// How far the networks of a run differ in bias, gamma and noise.
        spread: f64,
    }
}

impl Augment {
    /// That of a network of the run, counted from 0: bias, gamma and noise as they are, then 1 - spread and 1 + spread
    /// times as strong, then with half the spread and so on. So one more network changes none of the others.
    #[must_use]
    pub fn of_network(&self, number: usize) -> Self {
        let step = match number {
            0 => 0.0,
            _ => self.spread / (1_u64 << ((number - 1) / 2).min(63)) as f64,
        };
        let times = if number % 2 == 1 { 1.0 - step } else { 1.0 + step };
        Self { bias: times * self.bias, gamma: times * self.gamma, noise: times * self.noise, ..self.clone() }
    }
}

section! {
    /// Images to features.
    Embed {
        /// Whether images are augmented when embedded for clustering.
        augment: bool,
        /// Augmented views of an image, whose features are averaged.
        views: u32,
        /// Share of its feature that an image keeps at each draw of the training; 0: every epoch embeds all images anew.
        memory: f64,
        /// Images a batch.
        batch: u32,
        /// Features in half precision.
        float16: bool,
    }
}
section! {
    /// k-means.
    Cluster {
        /// Number of clusters.
        k: u32,
        /// Clusterings of an epoch.
        clusterings: u32,
        /// Where k-means starts.
        start: Start,
        /// Iterations.
        iterations: u32,
        /// Starts, of which the best counts.
        redo: u32,
        /// Relative change of the objective at which a start ends; 0: all iterations.
        tolerance: f64,
    }
}
section! {
    /// Which images an epoch trains on.
    Sample {
        /// Draw so that pseudo-labels are uniform.
        uniform: bool,
        /// Draws of an epoch at least.
        least: u32,
        /// Share of each cluster's images, those nearest to its centroid, that a network which is taught trains on.
        sure: f64,
    }
}
section! {
    /// Stochastic gradient descent.
    Train {
        /// Images a step.
        batch: u32,
        /// Learning rate of the body at the start.
        rate: f64,
        /// How the rates change over the run.
        schedule: Schedule,
        /// Momentum of the body.
        momentum: f64,
        /// Weight decay.
        weight_decay: f64,
        /// Whether the last layer is new at each epoch.
        head: LastLayer,
        /// Learning rate of the last layer at the start.
        head_rate: f64,
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
        /// Processes that train and cluster together.
        ranks: u32,
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
        /// What starts `compute.ranks` processes, as words; `{ranks}` is their number.
        launcher: String,
    }
}

/// Which time frames become images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frames {
    /// The first (t=0), as the paper does.
    First,
    /// Every one.
    All,
}

/// Which layer gives the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureLayer {
    /// The second fully connected layer, before its ReLU.
    Fc,
    /// The adaptive average pool; there are no fully connected layers.
    Pool,
}

/// Where k-means starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At k images drawn at random.
    Random,
    /// At images drawn far from each other (k-means++).
    Spread,
    /// At the means of the clusters of the epoch before.
    Previous,
}

/// How the learning rates change over the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// They do not.
    Constant,
    /// Down to 0 as half a cosine.
    Cosine,
}

/// What the last layer starts an epoch with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LastLayer {
    /// Fresh random weights.
    New,
    /// The weights of the epoch before: clusters keep their numbers.
    Kept,
}

/// Arithmetic of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[input]`
    pub input: Input,
    /// `[run]`
    pub run: Run,
    /// `[ingest]`
    pub ingest: Ingest,
    /// `[network]`
    pub network: Network,
    /// `[augment]`
    pub augment: Augment,
    /// `[embed]`
    pub embed: Embed,
    /// `[cluster]`
    pub cluster: Cluster,
    /// `[sample]`
    pub sample: Sample,
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
    /// Threads of a training process; 0: all cores.
    #[must_use]
    pub fn train_threads(&self) -> usize {
        let own = self.train.threads;
        (if own > 0 { own } else { self.compute.threads }) as usize
    }

    /// The augmentation of the network that is trained at an epoch; as the settings have it in the pass after the last.
    #[must_use]
    pub fn augment_at(&self, epoch: u32) -> Augment {
        let number = self.run.epochs_of_networks().position(|epochs| epochs.contains(&epoch));
        self.augment.of_network(number.unwrap_or(0))
    }

    /// Refuses counts that no stage or machine can work with: each has an upper bound, far above what is of use.
    fn check_counts(&self) -> Result<(), ConfigError> {
        let Self { run, embed, cluster, sample, train, final_pass, compute, retention, pipeline, .. } = self;
        let counts = [
            ("run.epochs", run.epochs, 1, 10_000, "1 to 10000"),
            ("run.networks", run.networks, 1, 1000, "1 to 1000"),
            ("embed.views", embed.views, 1, 1000, "1 to 1000"),
            ("embed.batch", embed.batch, 1, 65_536, "1 to 65536"),
            ("cluster.k", cluster.k, 2, 1_000_000, "at least 2, at most 1000000"),
            ("cluster.clusterings", cluster.clusterings, 1, 1000, "1 to 1000"),
            ("cluster.iterations", cluster.iterations, 1, 1_000_000, "1 to 1000000"),
            ("cluster.redo", cluster.redo, 1, 100_000, "1 to 100000"),
            ("sample.least", sample.least, 0, 1_000_000_000, "0 to 1000000000"),
            ("train.batch", train.batch, 2, 65_536, "at least 2 (batch norm), at most 65536"),
            ("train.threads", train.threads, 0, 4096, "0 to 4096"),
            ("final.k", final_pass.k, 0, 1_000_000, "0 (that of cluster.k), or 2 to 1000000"),
            ("final.redo", final_pass.redo, 1, 100_000, "1 to 100000"),
            ("compute.threads", compute.threads, 0, 4096, "0 to 4096"),
            ("compute.ranks", compute.ranks, 1, 4096, "1 to 4096"),
            ("retention.features", retention.features, 0, 1_000_000, "0 to 1000000"),
            ("retention.checkpoints", retention.checkpoints, 0, 1_000_000, "0 to 1000000"),
            ("retention.checkpoint_every", retention.checkpoint_every, 0, 1_000_000, "0 to 1000000"),
            ("pipeline.jobs", pipeline.jobs, 0, 4096, "0 to 4096"),
            ("pipeline.retries", pipeline.retries, 0, 1000, "0 to 1000"),
            ("pipeline.shards", pipeline.shards, 1, 1024, "1 to 1024"),
            ("pipeline.gpus", pipeline.gpus, 1, 1024, "1 to 1024"),
        ];
        match counts.into_iter().find(|(_, value, least, most, _)| value < least || value > most) {
            None => Ok(()),
            Some((key, value, .., expected)) => {
                Err(ConfigError::OutOfRange { key, expected, found: value.to_string() })
            }
        }
    }

    /// Refuses values that no stage can work with.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let must = |holds: bool, key: &'static str, expected: &'static str, found: String| {
            if holds { Ok(()) } else { Err(ConfigError::OutOfRange { key, expected, found }) }
        };
        let ascending = |range: [f64; 2]| range[0] > 0.0 && range[0] <= range[1];
        let n = &self.network;
        must(n.width > 0.0 && n.width <= 8.0, "network.width", "above 0, at most 8", n.width.to_string())?;
        must((32..=1024).contains(&n.input), "network.input", "32 to 1024 pixels", n.input.to_string())?;
        must((1..=n.input / 32).contains(&n.pool), "network.pool", "1 to network.input / 32", n.pool.to_string())?;
        must((1..=65_536).contains(&n.fc), "network.fc", "1 to 65536", n.fc.to_string())?;
        must((0.0..1.0).contains(&n.dropout), "network.dropout", "0 to below 1", n.dropout.to_string())?;
        let a = &self.augment;
        must(
            ascending(a.area) && a.area[1] <= 1.0,
            "augment.area",
            "[low, high] within 0 and 1",
            format!("{:?}", a.area),
        )?;
        must(
            ascending(a.ratio) && a.ratio[0] >= 0.01 && a.ratio[1] <= 100.0,
            "augment.ratio",
            "[low, high] within 0.01 and 100",
            format!("{:?}", a.ratio),
        )?;
        must((0.0..=180.0).contains(&a.rotation), "augment.rotation", "0 to 180 degrees", a.rotation.to_string())?;
        for (key, value) in [("augment.bias", a.bias), ("augment.gamma", a.gamma), ("augment.noise", a.noise)] {
            must((0.0..=10.0).contains(&value), key, "0 to 10", value.to_string())?;
        }
        must((0.0..=1.0).contains(&a.spread), "augment.spread", "0 to 1", a.spread.to_string())?;
        let i = &self.ingest;
        must(matches!(i.bits, 8 | 16), "ingest.bits", "8 or 16", i.bits.to_string())?;
        must((1..=1 << 20).contains(&i.max_memory), "ingest.max_memory", "1 to 1048576 MiB", i.max_memory.to_string())?;
        must((1..=86_400).contains(&i.max_seconds), "ingest.max_seconds", "1 to 86400", i.max_seconds.to_string())?;
        let window = i.window;
        must(
            (0.0..100.0).contains(&window[0]) && window[0] < window[1] && window[1] <= 100.0,
            "ingest.window",
            "[low, high] percentiles within 0 and 100",
            format!("{window:?}"),
        )?;
        must((0.0..1.0).contains(&self.embed.memory), "embed.memory", "0 to below 1", self.embed.memory.to_string())?;
        self.check_counts()?;
        let c = &self.cluster;
        must(self.final_pass.k != 1, "final.k", "0 (that of cluster.k) or at least 2", self.final_pass.k.to_string())?;
        let merged = u64::from(self.final_pass.merge) * u64::from(c.k);
        must(
            merged <= MERGED,
            "final.merge",
            "at most 20000 / cluster.k: each pair of the clusters to merge takes memory",
            self.final_pass.merge.to_string(),
        )?;
        must((0.0..1.0).contains(&c.tolerance), "cluster.tolerance", "0 to below 1", c.tolerance.to_string())?;
        let t = &self.train;
        for (key, value) in [("train.rate", t.rate), ("train.head_rate", t.head_rate)] {
            must(value > 0.0 && value.is_finite(), key, "above 0", value.to_string())?;
        }
        must((0.0..1.0).contains(&t.momentum), "train.momentum", "0 to below 1", t.momentum.to_string())?;
        must((0.0..1.0).contains(&t.weight_decay), "train.weight_decay", "0 to below 1", t.weight_decay.to_string())?;
        must(
            (1..=self.run.epochs).contains(&self.run.networks),
            "run.networks",
            "at least 1, and an epoch for each",
            self.run.networks.to_string(),
        )?;
        must(
            self.run.taught < self.run.networks,
            "run.taught",
            "fewer than run.networks: one at least learns by itself",
            self.run.taught.to_string(),
        )?;
        let sure = self.sample.sure;
        must(sure > 0.0 && sure <= 1.0, "sample.sure", "above 0, at most 1", sure.to_string())?;
        let p = &self.pipeline;
        must(
            self.train.batch >= self.compute.ranks,
            "train.batch",
            "at least an image for each of compute.ranks",
            self.train.batch.to_string(),
        )?;
        must(!p.launcher.trim().is_empty(), "pipeline.launcher", "a program with its arguments", String::new())?;
        let device = &self.compute.device;
        let known = device == "cpu"
            || device == "cuda"
            || device.strip_prefix("cuda:").is_some_and(|n| n.parse::<usize>().is_ok());
        must(known, "compute.device", "cpu, cuda or cuda:N", device.clone())
    }
}

//! What the settings of a run come to in the job of a stage: what has an effect there, as it is on this machine.
//!
//! The one place that says which settings a stage uses. The runner changes what differs at a node.

use std::path::{Path, PathBuf};

use deepmcat_schemas::jobs::compute::{Arithmetic, Device};
use deepmcat_schemas::jobs::embed::{Stored, Views};
use deepmcat_schemas::jobs::train::{Horizon, Schedule};
use deepmcat_schemas::jobs::{
    self, FeatureLayer, cluster, embed, encode, fetch, ingest, init, pack, place, report, sample, train,
};
use deepmcat_schemas::{
    Categories, CategoryMetrics, ClassMetrics, Epoch, Map, Reliability, RiskCoverage, SeriesCategories, Table,
};

use crate::{Augment, Compute, Config, Encoder, Ingest, Network, Precision, has_bfloat16};

/// The class rules that are built in (`data/rules`). `ingest.rules` of another name is a file.
pub const RULES: [&str; 3] = ["folders", "none", "ukbb"];

impl Ingest {
    /// The file of the class rules, where they are not built in.
    #[must_use]
    pub fn rules_file(&self) -> Option<&Path> {
        let rules = self.settings.rules.as_str();
        (!RULES.contains(&rules)).then(|| Path::new(rules))
    }
}

impl Network {
    /// Without what has no effect.
    fn in_effect(&self) -> jobs::Network {
        let connected = self.body.features == FeatureLayer::Fc;
        jobs::Network { fc: self.body.fc.filter(|_| connected), ..self.body.clone() }
    }
}

impl Augment {
    /// That of a network of the run, counted from 0: bias, gamma and noise as they are, then 1 - spread and 1 + spread
    /// times as strong, then with half the spread and so on. So one more network changes none of the others.
    #[must_use]
    pub fn of_network(&self, number: usize) -> jobs::Augment {
        let step = match number {
            0 => 0.0,
            _ => self.spread / (1_u64 << ((number - 1) / 2).min(63)) as f64,
        };
        let times = if number % 2 == 1 { 1.0 - step } else { 1.0 + step };
        let jobs::Augment { bias, gamma, noise, .. } = self.first;
        jobs::Augment { bias: times * bias, gamma: times * gamma, noise: times * noise, ..self.first.clone() }
    }
}

/// The name of the encoder that the set-up fetches.
pub const BUILT_IN_ENCODER: &str = "efficientnet-lite0";

/// Folder of ONNX Runtime and of the built-in encoder: what DEEPMCAT_ENCODERS names, else what lies beside an installed program,
/// else that of the set-up.
#[must_use]
pub fn encoders() -> PathBuf {
    let installed = || {
        let program = std::env::current_exe().and_then(|program| program.canonicalize()).ok()?;
        let folder = program.parent()?.parent()?.join("lib/deepmcat");
        folder.join(BUILT_IN_ENCODER).with_extension("onnx").is_file().then_some(folder)
    };
    // The root of the sources that this was built from, as for libtorch.
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).unwrap_or(Path::new("")).join(".encoder");
    std::env::var_os("DEEPMCAT_ENCODERS").map(PathBuf::from).or_else(installed).unwrap_or_else(own)
}

/// The file of the built-in encoder.
#[must_use]
pub fn built_in_encoder() -> PathBuf {
    encoders().join(BUILT_IN_ENCODER).with_extension("onnx")
}

/// The library of ONNX Runtime: what ORT_DYLIB_PATH names, else that beside the built-in encoder.
#[must_use]
pub fn onnx_runtime() -> PathBuf {
    std::env::var_os("ORT_DYLIB_PATH").map_or_else(|| encoders().join("libonnxruntime.so"), PathBuf::from)
}

impl Encoder {
    /// The file that it names.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self.file.as_str() {
            "" => None,
            BUILT_IN_ENCODER => Some(built_in_encoder()),
            file => Some(file.into()),
        }
    }

    /// How much its features count beside those of all networks together; none where they do not.
    #[must_use]
    pub fn counts(&self) -> Option<f64> {
        Some(self.weight).filter(|&weight| weight > 0.0 && !self.file.is_empty())
    }
}

impl Compute {
    /// The kind of device. Cards of one machine count as equal.
    #[must_use]
    pub fn kind(&self) -> Device {
        if self.device == "cpu" { Device::Cpu } else { Device::Cuda }
    }

    /// The device, where it is one card of several: `cuda:1`.
    #[must_use]
    pub fn card(&self) -> Option<&str> {
        self.device.contains(':').then_some(self.device.as_str())
    }

    /// The arithmetic that `precision` means on this machine.
    #[must_use]
    pub fn arithmetic(&self) -> Arithmetic {
        match self.precision {
            Precision::Bfloat16 => Arithmetic::Bfloat16,
            Precision::Auto if self.kind() != Device::Cpu || has_bfloat16() => Arithmetic::Bfloat16,
            Precision::Float32 | Precision::Auto => Arithmetic::Float32,
        }
    }
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
    pub fn augment_at(&self, epoch: Epoch) -> jobs::Augment {
        let number = if epoch.0 < self.run.epochs { self.run.track_of(epoch).number } else { 0 };
        self.augment.of_network(number)
    }

    /// The instances of an archive server as files beside `received`.
    #[must_use]
    pub fn fetch(&self, server: String, received: PathBuf) -> jobs::Fetch {
        let ca = Some(&self.fetch.ca).filter(|ca| !ca.is_empty()).map(PathBuf::from);
        jobs::Fetch {
            inputs: fetch::Inputs { ca },
            outputs: fetch::Outputs { received },
            server,
            fetch: self.fetch.settings.clone(),
        }
    }

    /// An archive to a data set.
    #[must_use]
    pub fn ingest(&self, archive: Vec<PathBuf>, dataset: PathBuf) -> jobs::Ingest {
        let rules = self.ingest.rules_file().map(Path::to_owned);
        let mut settings = self.ingest.settings.clone();
        if rules.is_some() {
            settings.rules = "(a file)".to_owned();
        }
        let key = Some(&self.ingest.key_file).filter(|key| !key.is_empty()).map(PathBuf::from);
        jobs::Ingest {
            inputs: ingest::Inputs { archive, rules, key },
            outputs: ingest::Outputs { dataset },
            ingest: settings,
        }
    }

    /// A data set to pixels.
    #[must_use]
    pub fn pack(&self, dataset: PathBuf, pixels: PathBuf) -> jobs::Pack {
        jobs::Pack {
            inputs: pack::Inputs { dataset },
            outputs: pack::Outputs { pixels },
            network: pack::Input { input: self.network.body.input },
        }
    }

    /// The weights of the network whose first epoch this is.
    #[must_use]
    pub fn init(&self, epoch: Epoch, checkpoint: PathBuf) -> jobs::Init {
        jobs::Init {
            seed: self.run.seed,
            epoch,
            inputs: init::Inputs {},
            outputs: init::Outputs { checkpoint },
            network: self.network.in_effect(),
        }
    }

    /// Images to features, augmented as the settings say.
    #[must_use]
    pub fn embed(&self, epoch: Epoch, inputs: embed::Inputs, features: PathBuf) -> jobs::Embed {
        let views = || Views { seed: self.run.seed, epoch, count: self.embed.views, augment: self.augment_at(epoch) };
        jobs::Embed {
            inputs,
            outputs: embed::Outputs { features },
            network: self.network.in_effect(),
            embed: self.embed.features.clone(),
            views: self.embed.augment.then(views),
            most: Some(self.embed.most).filter(|&most| most > 0),
            compute: self.compute(true),
        }
    }

    /// Images to features by an encoder: an ONNX file, or a table of features.
    #[must_use]
    pub fn encode(&self, encoder: PathBuf, dataset: PathBuf, features: PathBuf) -> jobs::Encode {
        let is_network = encoder.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"));
        jobs::Encode {
            inputs: encode::Inputs { dataset, encoder },
            outputs: embed::Outputs { features },
            encoder: is_network.then(|| self.encoder.how.clone()),
            embed: Stored { float16: self.embed.features.float16 },
        }
    }

    /// Images to the baseline's features.
    #[must_use]
    pub fn raw(&self, dataset: PathBuf, features: PathBuf) -> jobs::Raw {
        jobs::Raw {
            inputs: pack::Inputs { dataset },
            outputs: embed::Outputs { features },
            embed: Stored { float16: self.embed.features.float16 },
        }
    }

    /// Features to clusters, none of them smoothed or merged.
    #[must_use]
    pub fn cluster(&self, epoch: Epoch, inputs: cluster::Inputs, outputs: cluster::Outputs) -> jobs::Cluster {
        jobs::Cluster {
            seed: self.run.seed,
            epoch,
            inputs,
            outputs,
            cluster: self.cluster.clone(),
            merge_from: None,
            smooth: 0,
            weights: Vec::new(),
            compute: self.compute(false),
        }
    }

    /// Assignments to a training order, of all images.
    #[must_use]
    pub fn sample(&self, epoch: Epoch, assignments: PathBuf, samples: PathBuf) -> jobs::Sample {
        jobs::Sample {
            seed: self.run.seed,
            epoch,
            inputs: sample::Inputs { assignments },
            outputs: sample::Outputs { samples },
            sample: sample::Draw { sure: 1.0, ..self.sample.clone() },
        }
    }

    /// One epoch of training.
    #[must_use]
    pub fn train(&self, epoch: Epoch, inputs: train::Inputs, outputs: train::Outputs) -> jobs::Train {
        let network = self.network.in_effect();
        let track = self.run.track_of(epoch);
        let horizon =
            || Horizon { before: epoch.0.saturating_sub(track.epochs.start), epochs: track.epochs.len() as u32 };
        jobs::Train {
            seed: self.run.seed,
            epoch,
            dropout: network.fc.map(|_| self.network.dropout),
            inputs,
            outputs,
            network,
            augment: self.augment_at(epoch),
            horizon: (self.train.sgd.schedule == Schedule::Cosine).then(horizon),
            train: self.train.sgd.clone(),
            compute: self.compute(true),
        }
    }

    /// Other images into the categories of a model; tables go below `out`.
    #[must_use]
    pub fn place(&self, inputs: place::Inputs, out: &Path, weights: Vec<f64>) -> jobs::Place {
        let outputs = place::Outputs {
            categories: out.join(Categories::NAME),
            series: out.join(SeriesCategories::NAME),
            metrics: out.join(CategoryMetrics::NAME),
            classes: out.join(ClassMetrics::NAME),
            risk: out.join(RiskCoverage::NAME),
            reliability: out.join(Reliability::NAME),
            map: out.join(Map::NAME),
            csv: out.join("series.csv"),
        };
        jobs::Place { seed: self.run.seed, inputs, outputs, weights, compute: self.compute(false) }
    }

    /// A result as one page.
    #[must_use]
    pub fn report(&self, epoch: Epoch, inputs: report::Inputs, report: PathBuf) -> jobs::Report {
        let Self { run, cluster, encoder, final_pass, .. } = self;
        let encoder = if encoder.file.is_empty() { "none" } else { encoder.file.as_str() };
        let file = |path: &str| Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let made = [
            ("run.epochs", run.epochs.to_string()),
            ("run.networks", run.networks.to_string()),
            ("run.taught", run.taught.to_string()),
            ("run.seed", run.seed.to_string()),
            ("encoder.file", file(encoder)),
            ("embed.most", self.embed.most.to_string()),
            ("cluster.k", cluster.k.to_string()),
            ("cluster.clusterings", cluster.clusterings.to_string()),
            ("final.smooth", final_pass.smooth.to_string()),
            ("final.merge", final_pass.merge.to_string()),
            ("final.redo", final_pass.redo.to_string()),
        ];
        jobs::Report {
            epoch,
            networks: run.tracks().map(|track| track.first()).collect(),
            inputs,
            outputs: report::Outputs { report },
            made: made.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    fn compute(&self, network: bool) -> jobs::Compute {
        let precision = network.then(|| self.compute.arithmetic());
        jobs::Compute { device: self.compute.kind(), precision }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(sets: &[&str]) -> Config {
        crate::resolve(None, None, &sets.iter().map(|&set| set.to_owned()).collect::<Vec<_>>()).unwrap().0
    }

    fn train(sets: &[&str], epoch: u32) -> jobs::Train {
        let inputs = train::Inputs {
            dataset: "dataset".into(),
            pixels: None,
            samples: "samples".into(),
            weights: "weights".into(),
        };
        let outputs = train::Outputs { checkpoint: "out".into(), training: "training".into() };
        config(sets).train(Epoch(epoch), inputs, outputs)
    }

    fn embed(sets: &[&str]) -> jobs::Embed {
        let inputs = embed::Inputs { dataset: "dataset".into(), pixels: None, weights: Vec::new() };
        config(sets).embed(Epoch(0), inputs, "features".into())
    }

    #[test]
    fn the_built_in_rules_are_those_of_the_data_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../data/rules");
        let files = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> =
            files.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names, RULES);
    }

    #[test]
    fn a_rules_file_is_one_whatever_its_name_and_its_place_does_not_count() {
        let job = |rules: &str| config(&[&format!("ingest.rules={rules}")]).ingest(Vec::new(), "dataset".into());
        let stamp = |rules: &str| job(rules).labels_stamp();
        for rules in ["myrules", "/a/rules.toml", "ukbb.toml", "None"] {
            assert_eq!(job(rules).inputs.rules.as_deref(), Some(Path::new(rules)));
            assert_eq!(stamp(rules), stamp("elsewhere/rules"), "{rules}");
        }
        assert_ne!(stamp("none"), stamp("myrules"));
        assert_eq!(job("ukbb").inputs.rules, None);
        assert_eq!(job("none").stamp(), job("ukbb").stamp(), "rules change no image");
    }

    #[test]
    fn device_and_arithmetic_count_as_they_are_on_this_machine() {
        let job = |sets: &[&str]| train(sets, 0).compute;
        let here = if has_bfloat16() { "bfloat16" } else { "float32" };
        assert_eq!(job(&["compute.precision=auto"]), job(&[&format!("compute.precision={here}")]));
        let card = |device: &str| job(&[&format!("compute.device={device}"), "compute.precision=auto"]);
        assert_eq!(card("cuda:1"), job(&["compute.device=cuda", "compute.precision=bfloat16"]));
        assert_ne!(card("cuda"), card("cpu"));
    }

    #[test]
    fn settings_without_effect_are_in_no_job() {
        let clean = |more: &str| embed(&["embed.augment=false", more]);
        assert_eq!(clean("augment.noise=1"), clean("embed.views=4"));
        assert_eq!(clean("run.seed=2").stamp().seed, 0, "nothing is drawn");
        let pool = |more: &str| train(&["network.features=pool", more], 0);
        assert_eq!(pool("network.fc=7"), pool("network.dropout=0.1"));
        assert_eq!(embed(&["network.dropout=0.1"]), embed(&["compute.threads=3"]));
    }

    #[test]
    fn networks_differ_by_their_number_alone() {
        let sets = ["augment.bias=0.3", "augment.gamma=0.4", "augment.noise=0.2", "augment.spread=0.5"];
        let of = |epochs: &'static str, networks: &'static str| {
            let more = [epochs, networks, "train.schedule=cosine"];
            let sets: Vec<&str> = sets.iter().chain(&more).copied().collect();
            move |epoch| train(&sets, epoch)
        };
        let (few, more) = (of("run.epochs=6", "run.networks=3"), of("run.epochs=10", "run.networks=5"));
        let gamma = |job: jobs::Train| (job.augment.gamma * 250.0).round() / 100.0;
        assert_eq!([1, 3, 5].map(|epoch| gamma(few(epoch))), [1.0, 0.5, 1.5]);
        assert_eq!([1, 3, 5, 7, 9].map(|epoch| gamma(more(epoch))), [1.0, 0.5, 1.5, 0.75, 1.25]);
        let strong = few(5).augment;
        assert!((strong.bias - 0.45).abs() < 1e-12 && (strong.noise - 0.3).abs() < 1e-12);
        // So those that are there stay when others are added; not when all get longer.
        let longer = of("run.epochs=9", "run.networks=3");
        for epoch in 0..6 {
            assert_eq!(few(epoch), more(epoch));
            assert_ne!(few(epoch), longer(epoch));
        }
        let last = config(&[&sets[..], &["run.epochs=6", "run.networks=3"]].concat());
        assert_eq!(last.augment_at(Epoch(6)), last.augment.first, "the pass after the last");
    }
}

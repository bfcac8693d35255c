//! Jobs: what a stage is told to do, as one small file (`RUN/nodes/cluster@7.toml`).
//!
//! A job holds its inputs, its outputs, and exactly the settings that its stage uses there, resolved. Its identity is
//! its settings: where a table lies does not count, what is in it does.

pub mod categorize;
pub mod check;
pub mod cluster;
pub mod compute;
pub mod embed;
pub mod encode;
mod error;
pub mod evaluate;
pub mod fetch;
pub mod ingest;
pub mod init;
pub mod map;
pub mod network;
pub mod pack;
pub mod place;
pub mod report;
pub mod sample;
pub mod train;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, Value};

use crate::Stamp;
use crate::layout::{DATASET, LABELS, MANIFEST, REJECTS, SOURCES};

pub use categorize::Categorize;
pub use check::OutOfRange;
pub use cluster::Cluster;
pub use compute::Compute;
pub use embed::{Embed, Raw};
pub use encode::Encode;
pub use error::JobError;
pub use evaluate::Evaluate;
pub use fetch::Fetch;
pub use ingest::Ingest;
pub use init::Init;
pub use map::Map;
pub use network::{Augment, FeatureLayer, Network};
pub use pack::Pack;
pub use place::Place;
pub use report::Report;
pub use sample::Sample;
pub use train::Train;

/// The file of a node's job below the run folder is `nodes/NODE.toml`.
pub const NODES: &str = "nodes";

/// The version of what each kind of job writes. Raise it by hand when a change of the code changes a table: nodes that ran
/// before then run again, and stamps tell old tables from new ones. A release that changes no table raises none.
const RESULT_VERSIONS: [(&str, u32); 16] = [
    ("fetch", 1),
    ("ingest", 1),
    ("labels", 1),
    ("pack", 1),
    ("init", 1),
    ("embed", 1),
    ("raw", 1),
    ("encode", 1),
    ("cluster", 3),
    ("sample", 1),
    ("train", 1),
    ("evaluate", 1),
    ("map", 1),
    ("report", 1),
    ("categorize", 1),
    ("place", 1),
];

fn result_version(kind: &str) -> u32 {
    RESULT_VERSIONS.iter().find(|(name, _)| *name == kind).map_or(0, |(_, version)| *version)
}

const RESULT_VERSION: &str = "result_version";
/// The tables of a job's file that hold paths.
const PATHS: [&str; 2] = ["inputs", "outputs"];
/// The setting that names the class rules; it counts for labels alone.
pub const RULES: &str = "ingest.rules";
/// The setting that names the encoder.
pub const ENCODER: &str = "encoder.file";

/// Refuses settings that no stage can work with.
trait Check {
    fn check(&self) -> Result<(), OutOfRange> {
        Ok(())
    }
}

/// Places in a job that hold paths.
trait Slots {
    fn slots(&mut self) -> Vec<&mut PathBuf>;
}

impl Slots for PathBuf {
    fn slots(&mut self) -> Vec<&mut PathBuf> {
        vec![self]
    }
}

impl Slots for Option<PathBuf> {
    fn slots(&mut self) -> Vec<&mut PathBuf> {
        self.iter_mut().collect()
    }
}

impl Slots for Vec<PathBuf> {
    fn slots(&mut self) -> Vec<&mut PathBuf> {
        self.iter_mut().collect()
    }
}

/// Tables of paths in the file of a job.
macro_rules! paths {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty,)* })+) => { $(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[doc = $field_doc])+ pub $field: $type,)* }

        impl super::Slots for $name {
            fn slots(&mut self) -> Vec<&mut PathBuf> {
                let slots: Vec<Vec<&mut PathBuf>> = vec![$(super::Slots::slots(&mut self.$field)),*];
                slots.into_iter().flatten().collect()
            }
        }
    )+ };
}
use paths;

/// Makes the list of all kinds of jobs: each is told by its `stage`.
macro_rules! jobs {
    ($($(#[doc = $doc:literal])+ $kind:ident $name:literal,)+) => {
        /// A job of any kind.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "stage", rename_all = "lowercase")]
        pub enum Job { $($(#[doc = $doc])+ $kind($kind),)+ }

        impl Job {
            /// Its kind, as `stage` in its file says it.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => $name,)+ }
            }

            /// Its paths: what it reads, and the folders that it writes.
            fn paths(&mut self) -> [Vec<&mut PathBuf>; 2] {
                match self { $(Self::$kind(job) => [job.inputs.slots(), job.outputs.slots()],)+ }
            }

            fn check(&self) -> Result<(), OutOfRange> {
                match self { $(Self::$kind(job) => job.check(),)+ }
            }
        }

        $(
            impl From<$kind> for Job {
                fn from(job: $kind) -> Self {
                    Self::$kind(job)
                }
            }

            impl TryFrom<Job> for $kind {
                type Error = Job;

                fn try_from(job: Job) -> Result<Self, Job> {
                    match job {
                        Job::$kind(job) => Ok(job),
                        other => Err(other),
                    }
                }
            }

            impl $kind {
                /// The stamp of the tables that it writes.
                #[must_use]
                pub fn stamp(&self) -> Stamp {
                    Job::from(self.clone()).stamp()
                }
            }
        )+
    };
}

jobs! {
    /// The instances of an archive server as files.
    Fetch "fetch",
    /// An archive to a data set.
    Ingest "ingest",
    /// A data set to one table of pixels.
    Pack "pack",
    /// The weights that a network starts with.
    Init "init",
    /// Images to features by networks.
    Embed "embed",
    /// Images to features without a network: the baseline.
    Raw "raw",
    /// Images to features by a frozen encoder.
    Encode "encode",
    /// Features to clusters.
    Cluster "cluster",
    /// Assignments to the training order of an epoch.
    Sample "sample",
    /// One epoch of training.
    Train "train",
    /// Assignments to metrics.
    Evaluate "evaluate",
    /// The images of a result as points of a plane.
    Map "map",
    /// A result as one page.
    Report "report",
    /// Names, or labels, to categories.
    Categorize "categorize",
    /// Other images into the categories of a model.
    Place "place",
}

impl Job {
    /// The stage `deepmcat-STAGE` that does it.
    #[must_use]
    pub fn program(&self) -> &'static str {
        match self {
            Self::Init(_) => "train",
            Self::Raw(_) => "embed",
            _ => self.kind(),
        }
    }

    /// What it reads, as paths below the run folder. The manifest stands for a data set, since it holds a hash of every
    /// image's pixels.
    #[must_use]
    pub fn reads(&self) -> Vec<PathBuf> {
        let mut job = self.clone();
        let [inputs, _] = job.paths();
        let read =
            |path: &mut PathBuf| if path.ends_with(DATASET) { path.join(MANIFEST) } else { std::mem::take(path) };
        let mut paths: Vec<PathBuf> = inputs.into_iter().map(read).collect();
        let labelled = match self {
            Self::Evaluate(job) => Some(&job.inputs.dataset),
            Self::Report(job) => Some(&job.inputs.dataset),
            Self::Place(job) => Some(&job.inputs.dataset),
            _ => None,
        };
        paths.extend(labelled.map(|dataset| dataset.join(LABELS)));
        paths
    }

    /// What it writes, as paths below the run folder: folders that it owns, or files.
    #[must_use]
    pub fn writes(&self) -> Vec<PathBuf> {
        if let Self::Ingest(job) = self {
            return [MANIFEST, LABELS, SOURCES, REJECTS].map(|table| job.outputs.dataset.join(table)).to_vec();
        }
        let mut job = self.clone();
        let [_, outputs] = job.paths();
        outputs.into_iter().map(std::mem::take).collect()
    }

    /// The same job with its relative paths below two folders.
    #[must_use]
    pub fn at(mut self, run: &Path, out: &Path) -> Self {
        let [inputs, outputs] = self.paths();
        inputs.into_iter().for_each(|path| *path = run.join(&path));
        outputs.into_iter().for_each(|path| *path = out.join(&path));
        self
    }

    fn document(&self) -> DocumentMut {
        // Structs of numbers, texts and paths that were UTF-8 when they came in always serialise.
        let mut document = toml_edit::ser::to_document(self).unwrap_or_default();
        document.insert(RESULT_VERSION, toml_edit::value(i64::from(result_version(self.kind()))));
        document
    }

    /// The text of its file, below lines of comment.
    #[must_use]
    pub fn text(&self, head: &str) -> String {
        let mut document = self.document();
        for (_, item) in document.iter_mut() {
            // Tables of their own, not inline ones.
            if let Some(table) = item.as_inline_table().cloned() {
                *item = Item::Table(nested(table.into_table()));
            }
        }
        let head: String = head.lines().map(|line| format!("# {line}\n")).collect();
        head + &document.to_string()
    }

    /// Reads the file of a job.
    ///
    /// # Errors
    /// When it cannot be read, is no job, asks for what its stage cannot do, or was made for other results than this
    /// version's.
    pub fn read(path: &Path) -> Result<Self, JobError> {
        let invalid = |message: String| JobError::Invalid { path: path.to_owned(), message: message.trim().to_owned() };
        let text = fs_err::read_to_string(path)?;
        let mut document: DocumentMut =
            text.parse().map_err(|error: toml_edit::TomlError| invalid(error.to_string()))?;
        let version = document.remove(RESULT_VERSION).and_then(|item| item.as_integer());
        let job: Self = toml_edit::de::from_document(document).map_err(|error| invalid(error.message().to_owned()))?;
        job.check()?;
        let own = result_version(job.kind());
        match version {
            Some(version) if version == i64::from(own) => Ok(job),
            other => Err(JobError::OtherVersion {
                path: path.to_owned(),
                found: other.map_or_else(|| "none".to_owned(), |version| version.to_string()),
                own,
            }),
        }
    }

    /// Its settings by name, without its paths: what two jobs of equal settings and inputs compute is equal.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        for (key, item) in self.document().iter().filter(|(key, _)| !PATHS.contains(key)) {
            match item.as_value() {
                Some(value) => flatten(key, value, &mut settings),
                None => item.as_table_like().into_iter().flat_map(|table| table.iter()).for_each(|(name, item)| {
                    item.as_value()
                        .into_iter()
                        .for_each(|value| flatten(&format!("{key}.{name}"), value, &mut settings));
                }),
            }
        }
        if matches!(self, Self::Ingest(_)) {
            settings.insert("result_version of labels".to_owned(), result_version("labels").to_string());
        }
        settings
    }

    /// The stamp of its tables. Of an ingest without the class rules, which change no image.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let mut settings = self.settings();
        settings.retain(|name, _| name != RULES && !name.ends_with("of labels"));
        let stage = if matches!(self, Self::Raw(_)) { "embed" } else { self.kind() };
        stamp(stage, result_version(self.kind()), &settings)
    }
}

impl Ingest {
    /// The stamp of the table of labels: class rules count there alone.
    #[must_use]
    pub fn labels_stamp(&self) -> Stamp {
        let mut settings = Job::from(self.clone()).settings();
        settings.retain(|name, _| name == RULES);
        stamp("labels", result_version("labels"), &settings)
    }
}

fn stamp(stage: &str, version: u32, settings: &BTreeMap<String, String>) -> Stamp {
    let mut hasher = blake3::Hasher::new();
    for (name, value) in settings {
        hasher.update(format!("{name}={value}\n").as_bytes());
    }
    let seed = settings.get("seed").or_else(|| settings.get("views.seed"));
    Stamp {
        stage: stage.to_owned(),
        stage_version: version.to_string(),
        config_hash: hasher.finalize().to_hex()[..16].to_owned(),
        seed: seed.and_then(|seed| seed.parse().ok()).unwrap_or_default(),
    }
}

/// `views.augment.area = [0.08, 1.0]` of a value and the tables in it.
fn flatten(name: &str, value: &Value, settings: &mut BTreeMap<String, String>) {
    match value.as_inline_table() {
        Some(table) => table.iter().for_each(|(key, value)| flatten(&format!("{name}.{key}"), value, settings)),
        None => {
            settings.insert(name.to_owned(), value.to_string().trim().to_owned());
        }
    }
}

/// A table whose tables are written as tables too.
fn nested(mut table: toml_edit::Table) -> toml_edit::Table {
    for (_, item) in table.iter_mut() {
        if let Some(inner) = item.as_inline_table().cloned() {
            *item = Item::Table(nested(inner.into_table()));
        }
    }
    table
}

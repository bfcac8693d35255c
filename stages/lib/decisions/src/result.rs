//! The result of a run that names are about: which image is in which cluster, by keys that stay over reruns.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use deepmcat_config::ConfigError;
use deepmcat_schemas::layout::{DATASET, MANIFEST, REVIEW, RUN_TOML, partition};
use deepmcat_schemas::{
    Assignments, ClusterId, Epoch, ImageId, Manifest, Members, SchemaError, Stamp, Table, read_folder, read_table,
    write_table,
};

use crate::{Error, Target};

/// The result of a run.
#[derive(Debug)]
pub struct RunResult {
    /// The run folder.
    pub run: PathBuf,
    /// The pass that gave it.
    pub epoch: Epoch,
    /// What tells it from other results: a hash of which image is in which cluster.
    pub id: String,
    /// The images.
    pub manifest: Manifest,
    /// Their clusters.
    pub assignments: Assignments,
    /// The image of each key.
    images: HashMap<String, ImageId>,
    /// The number of clusters that hold an image.
    sizes: HashMap<ClusterId, u32>,
}

impl RunResult {
    /// Reads the result of a run.
    ///
    /// # Errors
    /// When there is no run, it has no result yet, or a table is damaged.
    pub fn open(run: &Path) -> Result<Self, Error> {
        let file = run.join(RUN_TOML);
        if !file.is_file() {
            return Err(ConfigError::NoRun { path: run.to_owned() }.into());
        }
        let (config, _) = deepmcat_config::resolve(None, Some(&file), &[])?;
        let epoch = Epoch(config.run.epochs);
        let folder = partition(run, Assignments::NAME, epoch);
        if !folder.is_dir() {
            return Err(Error::NoResult { run: run.to_owned(), epoch });
        }
        let assignments: Assignments = read_folder(&folder)?;
        let manifest: Manifest = read_table(&run.join(DATASET).join(MANIFEST))?;
        let images: HashMap<String, ImageId> =
            manifest.key.iter().cloned().zip(manifest.image_id.iter().copied()).collect();
        let mut sizes = HashMap::new();
        assignments.cluster.iter().for_each(|&cluster| *sizes.entry(cluster).or_insert(0) += 1);
        let mut result = Self { run: run.to_owned(), epoch, id: String::new(), manifest, assignments, images, sizes };
        result.id = id(&result.members());
        Ok(result)
    }

    /// The target that a word of a person names: a cluster by its number, an image by its key; none where this result has
    /// no such thing. No cluster has a number of 16 digits, which a key has.
    #[must_use]
    pub fn target(&self, word: &str) -> Option<Target> {
        if self.images.contains_key(word) {
            return Some(Target::Image { image: word.to_owned() });
        }
        let cluster = word.parse().ok().filter(|cluster| self.sizes.contains_key(cluster))?;
        Some(self.cluster(cluster))
    }

    /// A cluster of this result.
    #[must_use]
    pub fn cluster(&self, cluster: ClusterId) -> Target {
        Target::Cluster { cluster, result: self.id.clone() }
    }

    /// The image of a key.
    #[must_use]
    pub fn image(&self, key: &str) -> Option<ImageId> {
        self.images.get(key).copied()
    }

    /// Images in each cluster that holds any.
    #[must_use]
    pub fn sizes(&self) -> &HashMap<ClusterId, u32> {
        &self.sizes
    }

    /// Which image is in which cluster, by keys in order.
    #[must_use]
    pub fn members(&self) -> Members {
        let keys: HashMap<ImageId, &String> = self.manifest.image_id.iter().copied().zip(&self.manifest.key).collect();
        let assigned = self.assignments.image_id.iter().zip(&self.assignments.cluster);
        let mut rows: Vec<(&String, ClusterId)> =
            assigned.filter_map(|(image, &cluster)| Some((*keys.get(image)?, cluster))).collect();
        rows.sort_unstable();
        let (key, cluster) = rows.into_iter().map(|(key, cluster)| (key.clone(), cluster)).unzip();
        Members { key, cluster }
    }

    /// Keeps what the numbers of its clusters mean, so that names outlive it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub fn keep_members(&self) -> Result<(), Error> {
        let path = path(&self.run, &self.id);
        if !path.exists() {
            let stamp = Stamp { stage: "names".to_owned(), stage_version: "1".to_owned(), ..Stamp::default() };
            write_table(&path, &self.members(), &stamp)?;
        }
        Ok(())
    }
}

/// What an earlier result's numbers mean; none where nothing of it is kept.
///
/// # Errors
/// When the table is there and is damaged.
pub(crate) fn kept_members(run: &Path, id: &str) -> Result<Option<Members>, SchemaError> {
    let path = path(run, id);
    if path.is_file() { read_table(&path).map(Some) } else { Ok(None) }
}

fn path(run: &Path, id: &str) -> PathBuf {
    run.join(REVIEW).join(Members::NAME).join(format!("{id}.parquet"))
}

fn id(members: &Members) -> String {
    let mut hasher = blake3::Hasher::new();
    for (key, cluster) in members.key.iter().zip(&members.cluster) {
        hasher.update(key.as_bytes()).update(&cluster.0.to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

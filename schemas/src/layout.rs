//! Folder conventions of a run: where each table lives. Partition folders are Hive style and unpadded.

use std::path::{Path, PathBuf};

use crate::Epoch;

/// Name of the first (and, unsharded, only) part of a Parquet table folder.
pub const PART_0: &str = "part-0.parquet";
/// Name of the first part of a feature table folder.
pub const ARROW_PART_0: &str = "part-0.arrow";
/// The folder of what a run received from an archive server.
pub const RECEIVED: &str = "received";
/// Counts of what was received, in that folder.
pub const RECEIVED_JSON: &str = "received.json";
/// Folder of the received instances, `STUDY/SERIES/INSTANCE.dcm`, in that folder.
pub const INSTANCES: &str = "instances";
/// The folder of a run's data set.
pub const DATASET: &str = "dataset";
/// The manifest's name inside a dataset folder.
pub const MANIFEST: &str = "manifest.parquet";
/// The name of the table of labels inside a dataset folder.
pub const LABELS: &str = "labels.parquet";
/// The settings of the ingest that made a dataset folder.
pub const INGEST_TOML: &str = "ingest.toml";
/// The name of the table of sources inside a dataset folder.
pub const SOURCES: &str = "sources.parquet";
/// The name of the table of rejects inside a dataset folder.
pub const REJECTS: &str = "rejects.parquet";
/// The name of the table of inputs inside a dataset folder.
pub const INPUTS: &str = "inputs.parquet";
/// The resolved configuration of a run.
pub const RUN_TOML: &str = "run.toml";
/// Folder of what puts other images into a result's categories.
pub const MODEL: &str = "model";
/// Folder of a model's networks, numbered from 0.
pub const NETWORKS: &str = "networks";
/// The encoder of a model.
pub const ENCODER_ONNX: &str = "encoder.onnx";
/// Folder of what people decided.
pub const REVIEW: &str = "review";
/// Name of the log of decisions in it.
pub const DECISIONS: &str = "decisions.jsonl";
/// Folder of what is being written; swept when a run starts.
pub const TEMPORARY: &str = ".tmp";

/// `RUN/TABLE/epoch=T`, the folder of one epoch's part of a table.
#[must_use]
pub fn partition(run: &Path, table: &str, epoch: Epoch) -> PathBuf {
    run.join(table).join(format!("epoch={epoch}"))
}

/// The epoch in a partition folder's name, if it is one.
#[must_use]
pub fn epoch_of(folder: &Path) -> Option<Epoch> {
    folder.file_name()?.to_str()?.strip_prefix("epoch=")?.parse().ok()
}

/// The epochs of a table that have a folder, in order. Empty where the table has none.
///
/// # Errors
/// When the table's folder is there but cannot be listed.
pub fn epochs(table: &Path) -> std::io::Result<Vec<Epoch>> {
    if !table.is_dir() {
        return Ok(Vec::new());
    }
    let mut epochs = Vec::new();
    for entry in fs_err::read_dir(table)? {
        epochs.extend(epoch_of(&entry?.path()));
    }
    epochs.sort_unstable();
    Ok(epochs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_unpadded_and_read_back() {
        let folder = partition(Path::new("run"), "assignments", Epoch(7));
        assert_eq!(folder, Path::new("run/assignments/epoch=7"));
        assert_eq!(epoch_of(&folder), Some(Epoch(7)));
        assert_eq!(epoch_of(Path::new("run/assignments/epoch=x")), None);
    }
}
